r"""Adam's metric at the start of training, and how much of the noise Adam feels.

Adam moves the parameters by $\mathrm{lr}\,P\,\hat m$ with $P = \operatorname{diag}(\hat
v^{-1/2})$, so the log-odds of a prompt move by $\mathrm{lr}\,D^\top P \hat m$. Here $\hat v$ is
the mean square of the gradients of uniform batches at fixed parameters.

Splitting a batch into U parts multiplies the noise of a part's gradient by U. Were P one number
for all parameters, with S the batch's signal over the noise that enters it, the move per
optimizer update would shrink to $\eta_U$ with

$$\eta_U^2 = \frac{1 + 1/S}{1 + U/S}, \qquad\text{so that}\qquad
S = \frac{U\eta_U^2 - 1}{1 - \eta_U^2}.$$

The noise of a real model sits on other parameters than its signal, so it shrinks less:
$\eta_U = \bar g^\top P_U \bar g / \bar g^\top P_1 \bar g$ is measured (the first-order gain in
mean pass rate, $\bar g$ its gradient), and the share that Adam feels of the trace is
$\chi = S_\mathrm{trace}/S$. Batches that make P and those that make either $\bar g$ are
different ones, in every way that `FOLDS` parts of them can be dealt out.

Axis legend: P parameters, F folds, U parts of a batch, R rollouts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Float, Int

from report.aggregate import LEVEL, student_quantile
from smallscale.advantages import advantages
from smallscale.assembly import Parts
from smallscale.geometry import flat
from smallscale.optimization import micro_batches
from smallscale.rollouts import Rollouts
from smallscale.scoring import score

FOLDS = 5
UPDATES = 6  # U, SPEED's released number of optimizer updates


@dataclass(frozen=True)
class Fold:
    """Sums over some uniform batches, and over all parts that they were split into."""

    batches: int
    total: Float[torch.Tensor, "P"]  # of gradients
    square: Float[torch.Tensor, "P"]  # of squared gradients of whole batches
    part_square: Float[torch.Tensor, "P"]  # the same of parts, their mean in each batch
    energy: float  # of squared norms of whole batches


@dataclass(frozen=True)
class Felt:
    """What Adam makes of a batch's noise."""

    kept: float  # eta_U, the move per update that is left by splitting a batch
    batch_snr: float  # |mean|^2 / trace of the variance, of a whole batch
    share: float  # chi


def folds(
    parts: Parts, *, batches: int, rng: np.random.Generator, updates: int = UPDATES
) -> list[Fold]:
    """Uniform batches of the run's size, dealt out in turn to `FOLDS` folds.

    Raises:
        ValueError: There are less than two batches for each fold.
    """
    if batches < 2 * FOLDS:
        raise ValueError(f"{batches=} is too few: give at least {2 * FOLDS}")
    return [
        fold_of([batch(parts, updates, rng) for _ in range(fold, batches, FOLDS)])
        for fold in range(FOLDS)
    ]


def fold_of(pieces: Sequence[Float[torch.Tensor, "U P"]]) -> Fold:
    """The sums over batches, each given by the gradients of its parts."""
    whole = torch.stack([piece.mean(0) for piece in pieces]).double()
    part_square = torch.stack([piece.double().square().mean(0) for piece in pieces]).sum(0)
    square = whole.square().sum(0)
    return Fold(len(pieces), whole.sum(0), square, part_square, float(square.sum()))


def batch(parts: Parts, updates: int, rng: np.random.Generator) -> Float[torch.Tensor, "U P"]:
    """Gradients of the parts of a fresh uniform batch under RLOO, whose mean is the batch's.

    Advantages are computed on whole groups, a part is a random share of all rollouts. Each
    gradient is the mean over its rollouts of advantage times score; were it taken over tokens,
    Adam would divide the difference out.
    """
    config, prompts = parts.config, parts.prompts
    chosen = rng.choice(len(prompts), config.groups, replace=len(prompts) < config.groups)
    counts = np.full(config.groups, config.rollouts)
    tokens = [prompts.tokens[i] for i in chosen]
    rollouts = parts.engine.generate(tokens, counts, int(rng.integers(2**31)))
    each = np.repeat(np.arange(config.groups), config.rollouts)
    answers = [prompts.answers[chosen[i]] for i in each]
    rewards = parts.verifier.score(parts.decode(rollouts), answers).passed.astype(float)
    mask = torch.ones(rewards.size, 1, dtype=torch.bool)
    earned = advantages(
        "rloo", torch.from_numpy(rewards)[:, None], torch.from_numpy(each), mask
    )
    weight = earned[:, 0].numpy() * updates / rewards.size  # parts differ by a rollout at most
    pieces = np.array_split(rng.permutation(rewards.size), updates)
    return torch.stack(
        [_gradient(parts, [tokens[i] for i in each], rollouts, weight, p) for p in pieces]
    )


def _gradient(
    parts: Parts,
    tokens: Sequence[Int[np.ndarray, "_"]],
    rollouts: Rollouts,
    weight: Float[np.ndarray, "R"],
    rows: Int[np.ndarray, "S"],
) -> Float[torch.Tensor, "P"]:
    """Sum of weight times score over some rows; rows that weigh nothing are left out."""
    weights = [p for p in parts.model.parameters() if p.requires_grad]
    total = torch.zeros(sum(p.numel() for p in weights), device=weights[0].device)
    rows = rows[weight[rows] != 0.0]
    sizes = np.array([tokens[i].size for i in rows], int) + rollouts.lengths[rows]
    for micro in micro_batches(sizes, parts.config.micro_tokens):
        some = rows[micro]
        found = score(parts.model, [tokens[i] for i in some], rollouts.take(some)).logprobs
        loss = (found.sum(1) * torch.from_numpy(weight[some]).to(found)).sum()
        total += flat(torch.autograd.grad(loss, weights))
    return total


def metric(some: Sequence[Fold], *, split: bool = False) -> Float[torch.Tensor, "P"]:
    r"""$\hat v^{-1/2}$ of whole batches or of their parts; 0 where no gradient is."""
    totals = torch.stack([f.part_square if split else f.square for f in some]).sum(0)
    mean = totals / sum(f.batches for f in some)
    return torch.where(mean > 0.0, mean.rsqrt(), 0.0)


def felt(some: Sequence[Fold], updates: int = UPDATES) -> Felt:
    r"""How much of the noise trace Adam feels; NaN where noise hides the mean gradient.

    With $\hat v$ from few batches $E\hat v^{-1/2}$ is too large, and more so for whole batches
    than for parts; the error falls with the number of batches. $\ln\chi$ from all F folds
    has $\hat v$ from F-2 of them, with a fold left out from F-3, and is extrapolated.
    """
    F, whole = len(some), _felt(some, updates)
    less = float(np.mean(np.log(_shares_without_one(some, updates))))
    share = float(np.exp((F - 2) * np.log(whole.share) - (F - 3) * less))
    return Felt(whole.kept, whole.batch_snr, share)


def felt_interval(some: Sequence[Fold], updates: int = UPDATES) -> tuple[float, float]:
    """95% interval of chi: the jackknife over folds, on the logarithm, Student's t."""
    logs, n = np.log(_shares_without_one(some, updates)), len(some)
    error = np.sqrt((n - 1) * np.var(logs))
    reach = float(np.exp(student_quantile(LEVEL, n - 1) * error))
    share = felt(some, updates).share
    return share / reach, share * reach


def _shares_without_one(some: Sequence[Fold], updates: int) -> Float[np.ndarray, "F"]:
    """Chi with each fold left out, not extrapolated."""
    return np.array(
        [_felt([*some[:i], *some[i + 1 :]], updates).share for i in range(len(some))]
    )


def _felt(some: Sequence[Fold], updates: int) -> Felt:
    """As `felt`, with the error of a metric from finitely many batches."""
    moves = np.zeros(2)
    for a, b in combinations(range(len(some)), 2):
        rest = [fold for i, fold in enumerate(some) if i not in (a, b)]
        both = some[a].total * some[b].total
        moves += [float((both * metric(rest, split=split)).sum()) for split in (True, False)]
    kept = float(moves[0] / moves[1]) if moves[1] > 0.0 else np.nan
    snr = batch_snr(some)
    effective = (updates * kept**2 - 1.0) / (1.0 - kept**2)
    hidden = not (effective > 0.0 and snr > 0.0)
    return Felt(kept, snr, np.nan if hidden else snr / effective)


def batch_snr(some: Sequence[Fold]) -> float:
    """|mean|^2 of a batch's gradient over the trace of its variance, both unbiased."""
    B = sum(f.batches for f in some)
    energy = sum(f.energy for f in some)
    total = torch.stack([f.total for f in some]).sum(0)
    signal = (float(total.square().sum()) - energy) / (B * (B - 1))
    return signal / (energy / B - signal)
