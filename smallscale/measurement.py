r"""What a simulated world needs to know of a real run, measured before any training.

`sim.coupled` predicts what a selection strategy does to a policy from a few constants: where
the log-odds of prompts start, how far their gradients D point the same way, how large noise is
beside them, how far one optimizer update moves a prompt, and how much of the noise Adam feels.
`measure` takes them from the warm-started model of a run; the learning rate and the batch's
sizes are the run's, its strategy plays no part.

A mean over prompts weighs each by its family's share of the training pool and by p(1-p), as
its signal and its noise enter a batch. Within one batch of one family the expected gradient is
the mean of p(1-p) D, so cosines are means over pairs of prompts, each pair alike.

Axis legend: J prompts.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from report import atomic
from smallscale import adam_metric
from smallscale.assembly import Parts
from smallscale.survey import BATCHES, Survey, share, survey

LEAST = 1e-12  # and 1 less it: pass rates that log-odds are taken of


@dataclass(frozen=True, kw_only=True)
class Family:
    """One family of prompts, with the model as it is.

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
        common: Mean inner product of D of two of its prompts, in the units of |D|^2; None for
            fewer than two.
        transfer: The same in Adam's metric, times the learning rate: how far an update along D
            of another prompt moves the log-odds.
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
    common: float | None
    transfer: float | None


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Constants of a run, before or during training; names are those of `sim.coupled.Coupled`.

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
    raw, adam = found.products(adam=False), found.products(adam=True)
    for name in sorted(set(found.families)):
        inside, known = found.rates[where == name], names == name
        inside = inside.clip(LEAST, 1.0 - LEAST)
        odds = np.log(inside) - np.log1p(-inside)

        def mean(column: str, known: Bool[np.ndarray, "J"] = known) -> float | None:
            return float(found.column(column)[known].mean()) if known.any() else None

        def pairs(
            products: Float[np.ndarray, "J J"], known: Bool[np.ndarray, "J"] = known
        ) -> float | None:
            inside = products[known][:, known]
            return float(np.nanmean(inside)) if known.sum() > 1 else None

        lr = found.parts.config.lr
        yield Family(
            name=name,
            share=share(prompts, name),
            pass_rate=float(inside.mean()),
            log_odds=float(odds.mean()),
            log_odds_spread=float(odds.std(ddof=1)) if odds.size > 1 else 0.0,
            prompts=int(known.sum()),
            contrast=mean("raw.contrast"),
            pass_noise=mean("raw.pass_noise"),
            fail_noise=mean("raw.fail_noise"),
            step=_times(lr, mean("adam.contrast")),
            common=pairs(raw),
            transfer=_times(lr, pairs(adam)),
        )


def _times(factor: float, value: float | None) -> float | None:
    """A product, if there is a value."""
    return None if value is None else factor * value


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
