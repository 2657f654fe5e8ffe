r"""What a simulated world needs to know of a real run, measured before any training.

`sim.coupled` predicts what a selection strategy does to a policy from a few constants: where
the log-odds of prompts start, how far their gradients D point the same way, how large noise is
beside them, how far one optimizer update moves a prompt, and how much of the noise Adam feels.
`measure` takes them from the warm-started model of a run; the learning rate and the batch's
sizes are the run's, its strategy plays no part.

A mean over prompts weighs each by its family's share of the training pool and by p(1-p), as
its signal and its noise enter a batch. Within one batch of one family the expected gradient is
the mean of p(1-p) D, so cosines are means over pairs of prompts, each pair alike.

Axis legend: J prompts, F families, R rollouts, P parameters.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from report import atomic
from selection.checks import counts
from smallscale import adam_metric
from smallscale.assembly import Parts
from smallscale.geometry import Geometry, contrast, cosines, geometry, gram, ordered, scores
from smallscale.prompts import Prompts
from smallscale.rollouts import Rollouts

DRAWS = 16  # rollouts generated for each that is scored, so that rare outcomes are seen
BATCHES = 30
CHUNK = 16  # prompts generated at a time


class UnmeasurableError(ValueError):
    """A run whose prompts hardly ever pass, or hardly ever fail; the message tells the mend."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """One family of prompts at the start of training.

    Attributes:
        name: Of the family.
        share: Of the training pool.
        pass_rate: Mean pass rate.
        log_odds: Mean of logit p over its prompts.
        log_odds_spread: Standard deviation of logit p over its prompts.
        prompts: Prompts whose scores were measured.
        contrast: Mean |D|^2; None if no prompt was measured, like those that follow.
        pass_noise: Mean V_1, in the units of |D|^2.
        fail_noise: Mean V_0, in the units of |D|^2.
        step: Learning rate times the mean of D P D in Adam's metric P: how far one update
            along D, in units of its weight in the batch's gradient, moves the log-odds.
    """

    name: str
    share: float
    pass_rate: float
    log_odds: float
    log_odds_spread: float
    prompts: int
    contrast: float | None
    pass_noise: float | None
    fail_noise: float | None
    step: float | None


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Constants of a run before training; names as in `sim.coupled.Coupled` where it has them.

    Attributes:
        model: Setting of the run: its model,
        task: its prompts,
        lr: its learning rate,
        groups: groups per batch and
        rollouts: rollouts per group.
        seed: Of the measurement.
        prompts: Prompts whose scores were measured; others had too few of one outcome.
        scored: Rollouts scored per prompt, half of each outcome where there are as many.
        batches: Uniform batches that Adam's metric is made of.
        tokens: Mean tokens of a rollout.
        cosine_within: Cosine of D between prompts of one family, in Adam's metric, c_1.
        cosine_across: The same between families, c_0; None for a single family.
        cosine_within_raw, cosine_across_raw: The same in the metric of the parameters.
        step: Mean over prompts of the learning rate times D P D.
        spread: Standard deviation of ln(D P D) over prompts of a family.
        pass_noise: V_1 in units of |D|^2: a ratio of means over prompts.
        fail_noise: V_0 in units of |D|^2, likewise.
        pass_noise_adam, fail_noise_adam: The same in Adam's metric.
        felt: Share of the noise trace that Adam feels, chi; None if noise hides the gradient.
        felt_low, felt_high: Its 95% interval.
        kept: Move per update that is left when a batch is split into 6 updates, eta_6.
        batch_snr: |mean|^2 over the trace of the variance, of one uniform batch's gradient.
        families: In the order of their names.
    """

    model: str
    task: str
    lr: float
    groups: int
    rollouts: int
    seed: int
    prompts: int
    scored: int
    batches: int
    tokens: float
    cosine_within: float
    cosine_across: float | None
    cosine_within_raw: float
    cosine_across_raw: float | None
    step: float
    spread: float
    pass_noise: float
    fail_noise: float
    pass_noise_adam: float
    fail_noise_adam: float
    felt: float | None
    felt_low: float | None
    felt_high: float | None
    kept: float | None
    batch_snr: float
    families: tuple[Family, ...]

    def save(self, path: Path) -> None:
        """Write it as JSON.

        Raises:
            UnwritableError: The file cannot be written.
        """
        atomic.write(path, json.dumps(asdict(self), indent=1, allow_nan=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Measurement":
        """What `save` wrote.

        Raises:
            ValueError: The file holds no measurement.
        """
        return cls.read(json.loads(path.read_text()), str(path))

    @classmethod
    def read(cls, told: dict[str, Any], where: str) -> "Measurement":
        """A measurement from plain values; the error names where they are from."""
        try:
            fields: dict[str, Any] = dict(told)
            fields["families"] = tuple(Family(**one) for one in told["families"])
            return cls(**fields)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{where} holds no measurement ({error}): measure anew") from error


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One prompt whose scores were measured.

    Attributes:
        prompt: Its place among the training prompts.
        family: Its family.
        pass_rate: Exact, or observed in all rollouts that were generated.
        tokens: Mean tokens of a rollout.
        raw, adam: |D|^2, V_1 and V_0 in the metric of the parameters and in Adam's.
        contrast: D.
    """

    prompt: int
    family: str
    pass_rate: float
    tokens: float
    raw: Geometry
    adam: Geometry
    contrast: Float[torch.Tensor, "P"]


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Everything measured: scores of prompts, and Adam's metric."""

    parts: Parts
    seed: int
    rollouts: int
    families: tuple[str, ...]  # of the prompts whose pass rate is known
    rates: Float[np.ndarray, "K"]
    scored: tuple[Scored, ...]
    folds: tuple[adam_metric.Fold, ...]
    metric: Float[torch.Tensor, "P"]

    def column(self, name: str) -> Float[np.ndarray, "J"]:
        """One number of every prompt, such as `pass_rate` or `adam.contrast`."""
        values: list[Any] = list(self.scored)
        for part in name.split("."):
            values = [getattr(value, part) for value in values]
        return np.array(values, float)

    def weights(self) -> Float[np.ndarray, "J"]:
        """Weight of each prompt in a mean: its family's share of the pool times p(1-p)."""
        families = [one.family for one in self.scored]
        share = np.array([_share(self.parts.prompts, f) / families.count(f) for f in families])
        rates = self.column("pass_rate")
        found = share * rates * (1.0 - rates)
        return found / found.sum()

    def cosines(self, *, adam: bool) -> Float[np.ndarray, "J J"]:
        """Cosine of D between prompts, in Adam's metric or that of the parameters."""
        squares = self.column("adam.contrast" if adam else "raw.contrast")
        rows = torch.stack([one.contrast for one in self.scored])
        return cosines(rows, squares, self.metric if adam else None)

    def cosine_means(self, *, adam: bool) -> tuple[float, float | None]:
        """Mean cosine between prompts of one family, and of different families."""
        found, names = self.cosines(adam=adam), np.array([one.family for one in self.scored])
        same = names[:, None] == names
        others = found[~same]
        within = float(np.nanmean(found[same & ~np.eye(len(names), dtype=bool)]))
        return within, float(np.nanmean(others)) if others.size else None


def measure(
    parts: Parts, *, seed: int, prompts: int = 72, rollouts: int = 64, batches: int = BATCHES
) -> Measurement:
    """The constants of a run before training; the model is left as it is.

    Args:
        parts: A run, put together.
        seed: Of batches and rollouts.
        prompts: Training prompts whose scores are taken, families in turn.
        rollouts: Rollouts scored per prompt.
        batches: Uniform batches for Adam's metric.

    Raises:
        UnmeasurableError: No two prompts of a family both pass and fail.
        ValueError: A count is too small.
    """
    return summary(
        survey(parts, seed=seed, prompts=prompts, rollouts=rollouts, batches=batches)
    )


def survey(
    parts: Parts, *, seed: int, prompts: int, rollouts: int, batches: int = BATCHES
) -> Survey:
    """The measurement in full. Raises as `measure`."""
    counts(2, prompts=prompts)
    counts(4, rollouts=rollouts)
    training, scoring = np.random.default_rng(seed).spawn(2)
    folds = tuple(adam_metric.folds(parts, batches=batches, rng=training))
    metric = adam_metric.metric(folds).float()
    chosen = ordered(parts.prompts, prompts)
    seen = list(_seen(parts, metric, chosen, rollouts, scoring))
    found = tuple(one for _, one in seen if one is not None)
    if len({one.family for one in found}) > len(found) - 1:
        seen_rate = float(np.mean([rate for rate, _ in seen]))
        raise UnmeasurableError(
            f"prompts={prompts} with rollouts={rollouts} leave no two prompts of a family that"
            f" both pass and fail, at a mean pass rate of {seen_rate:.4f}: give more, or train"
            " the model longer before"
        )
    exact = parts.exact is not None
    where = range(len(parts.prompts)) if exact else chosen
    return Survey(
        parts=parts,
        seed=seed,
        rollouts=rollouts,
        families=tuple(parts.prompts.families[i] for i in where),
        rates=parts.exact(parts.prompts) if parts.exact else np.array([r for r, _ in seen]),
        scored=found,
        folds=folds,
        metric=metric,
    )


def _seen(
    parts: Parts,
    metric: Float[torch.Tensor, "P"],
    chosen: Int[np.ndarray, "J"],
    rollouts: int,
    rng: np.random.Generator,
) -> Iterator[tuple[float, Scored | None]]:
    """Pass rate of each prompt, and its scores if two rollouts of either outcome are seen."""
    exact = None if parts.exact is None else parts.exact(parts.prompts)
    for start in range(0, chosen.size, CHUNK):
        some = chosen[start : start + CHUNK]
        made = generated(parts, some, DRAWS * rollouts, rng)
        for prompt, (drawn, passed) in zip(some.tolist(), made, strict=True):
            observed = (passed.sum() + 0.5) / (passed.size + 1.0)  # never 0 or 1
            rate = float(observed if exact is None else exact[prompt])
            kept = balanced(passed, rollouts)
            enough = min(passed[kept].sum(), (~passed[kept]).sum()) > 1
            tokens = float(drawn.lengths.mean())
            some_kept = drawn.take(kept), passed[kept]
            yield (
                rate,
                (_scored(parts, metric, prompt, rate, tokens, *some_kept) if enough else None),
            )


def _scored(
    parts: Parts,
    metric: Float[torch.Tensor, "P"],
    prompt: int,
    rate: float,
    tokens: float,
    rollouts: Rollouts,
    passed: Bool[np.ndarray, "R"],
) -> Scored:
    """A prompt with the geometry of the scores of its rollouts."""
    rows = scores(parts.model, parts.prompts.tokens[prompt], rollouts)
    return Scored(
        prompt=prompt,
        family=parts.prompts.families[prompt],
        pass_rate=rate,
        tokens=tokens,
        raw=geometry(gram(rows), passed),
        adam=geometry(gram(rows, metric), passed),
        contrast=contrast(rows, passed),
    )


def generated(
    parts: Parts, prompts: Int[np.ndarray, "K"], rollouts: int, rng: np.random.Generator
) -> list[tuple[Rollouts, Bool[np.ndarray, "R"]]]:
    """Rollouts of each prompt, and which of them passed."""
    tokens = [parts.prompts.tokens[i] for i in prompts]
    counted = np.full(prompts.size, rollouts)
    made = parts.engine.generate(tokens, counted, int(rng.integers(2**31)))
    answers = [parts.prompts.answers[i] for i in np.repeat(prompts, rollouts)]
    passed = parts.verifier.score(parts.decode(made), answers).passed
    pieces = [slice(k * rollouts, (k + 1) * rollouts) for k in range(prompts.size)]
    return [(made.take(piece), passed[piece]) for piece in pieces]


def balanced(passed: Bool[np.ndarray, "R"], rollouts: int) -> Int[np.ndarray, "S"]:
    """The first rollouts of either outcome, half each; fewer where one is rare."""
    half = rollouts // 2
    return np.sort(
        np.concatenate([np.flatnonzero(passed)[:half], np.flatnonzero(~passed)[:half]])
    )


def summary(found: Survey) -> Measurement:
    """The constants that a survey comes to."""
    parts, weights = found.parts, found.weights()
    felt = adam_metric.felt(found.folds)
    low, high = adam_metric.felt_interval(found.folds)
    within, across = found.cosine_means(adam=True)
    within_raw, across_raw = found.cosine_means(adam=False)

    def mean(name: str) -> float:
        return float(weights @ found.column(name))

    return Measurement(
        model=parts.config.model,
        task=parts.config.prompts,
        lr=parts.config.lr,
        groups=parts.config.groups,
        rollouts=parts.config.rollouts,
        seed=found.seed,
        prompts=len(found.scored),
        scored=found.rollouts,
        batches=sum(fold.batches for fold in found.folds),
        tokens=float(found.column("tokens").mean()),
        cosine_within=within,
        cosine_across=across,
        cosine_within_raw=within_raw,
        cosine_across_raw=across_raw,
        step=parts.config.lr * mean("adam.contrast"),
        spread=_spread(found),
        pass_noise=mean("raw.pass_noise") / mean("raw.contrast"),
        fail_noise=mean("raw.fail_noise") / mean("raw.contrast"),
        pass_noise_adam=mean("adam.pass_noise") / mean("adam.contrast"),
        fail_noise_adam=mean("adam.fail_noise") / mean("adam.contrast"),
        felt=_told(felt.share),
        felt_low=_told(low),
        felt_high=_told(high),
        kept=_told(felt.kept),
        batch_snr=felt.batch_snr,
        families=tuple(_families(found)),
    )


def _families(found: Survey) -> Iterator[Family]:
    prompts, names = found.parts.prompts, np.array([one.family for one in found.scored])
    where = np.array(found.families)
    for name in sorted(set(found.families)):
        inside, known = found.rates[where == name], names == name
        odds = np.log(inside) - np.log1p(-inside)

        def mean(column: str, known: Bool[np.ndarray, "J"] = known) -> float | None:
            return float(found.column(column)[known].mean()) if known.any() else None

        moved = mean("adam.contrast")
        yield Family(
            name=name,
            share=_share(prompts, name),
            pass_rate=float(inside.mean()),
            log_odds=float(odds.mean()),
            log_odds_spread=float(odds.std(ddof=1)) if odds.size > 1 else 0.0,
            prompts=int(known.sum()),
            contrast=mean("raw.contrast"),
            pass_noise=mean("raw.pass_noise"),
            fail_noise=mean("raw.fail_noise"),
            step=None if moved is None else found.parts.config.lr * moved,
        )


def _share(prompts: Prompts, family: str) -> float:
    return prompts.families.count(family) / len(prompts)


def _spread(found: Survey) -> float:
    """Standard deviation of ln(D P D) over prompts, family means taken out."""
    squares = found.column("adam.contrast")
    logs = np.log(np.where(squares > 0.0, squares, np.nan))
    names, known = np.array([one.family for one in found.scored]), np.isfinite(logs)
    left = [logs[known & (names == n)] for n in np.unique(names[known])]
    freedom = int(known.sum()) - len(left)
    total = sum(float(((one - one.mean()) ** 2).sum()) for one in left)
    return float(np.sqrt(total / freedom)) if freedom else 0.0


def _told(value: float) -> float | None:
    """A number as JSON has it: there is no NaN."""
    return float(value) if np.isfinite(value) else None
