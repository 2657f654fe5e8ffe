r"""The scores of some prompts of a run, and Adam's metric, at the model as it is.

Prompts of all families in turn are rolled out, passing and failing rollouts scored in equal
number, so that a rare outcome is seen; what is measured of them is summed up in
`smallscale.measurement`.

Axis legend: M prompts of the data set, J of them, K whose pass rate is known, R rollouts, P
parameters.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from selection.checks import counts
from smallscale import adam_metric
from smallscale.assembly import Parts
from smallscale.geometry import Geometry, contrast, cosines, geometry, gram, ordered, scores
from smallscale.prompts import Prompts
from smallscale.rollouts import Rollouts

DRAWS = 16  # rollouts generated for each that is scored, so that rare outcomes are seen
BATCHES = 60
CHUNK = 16  # prompts generated at a time


class UnmeasurableError(ValueError):
    """A run whose prompts hardly ever pass, or hardly ever fail; the message tells the mend."""


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
        shares = np.array([share(self.parts.prompts, f) / families.count(f) for f in families])
        rates = self.column("pass_rate")
        found = shares * rates * (1.0 - rates)
        return found / found.sum()

    def cosines(self, *, adam: bool) -> Float[np.ndarray, "J J"]:
        """Cosine of D between prompts, in Adam's metric or that of the parameters."""
        squares = self.column("adam.contrast" if adam else "raw.contrast")
        rows = torch.stack([one.contrast for one in self.scored])
        return cosines(rows, squares, self.metric if adam else None)

    def products(self, *, adam: bool) -> Float[np.ndarray, "J J"]:
        """Inner product of D between prompts; NaN on the diagonal, which noise enlarges."""
        rows = torch.stack([one.contrast for one in self.scored])
        found = gram(rows, self.metric if adam else None)
        np.fill_diagonal(found, np.nan)
        return found

    def cosine_means(self, *, adam: bool) -> tuple[float, float | None]:
        """Mean cosine between prompts of one family, and of different families."""
        found, names = self.cosines(adam=adam), np.array([one.family for one in self.scored])
        same = names[:, None] == names
        others = found[~same]
        within = float(np.nanmean(found[same & ~np.eye(len(names), dtype=bool)]))
        return within, float(np.nanmean(others)) if others.size else None


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
    exact = parts.exact(parts.prompts) if parts.exact else None
    seen = list(_seen(parts, metric, chosen, exact, rollouts, scoring))
    found = tuple(one for _, one in seen if one is not None)
    if len({one.family for one in found}) > len(found) - 1:
        seen_rate = float(np.mean([rate for rate, _ in seen]))
        raise UnmeasurableError(
            f"prompts={prompts} with rollouts={rollouts} leave no two prompts of a family that"
            f" both pass and fail, at a mean pass rate of {seen_rate:.4f}: give more, or train"
            " the model longer before"
        )
    where = chosen if exact is None else range(len(parts.prompts))
    return Survey(
        parts=parts,
        seed=seed,
        rollouts=rollouts,
        families=tuple(parts.prompts.families[i] for i in where),
        rates=np.array([rate for rate, _ in seen]) if exact is None else exact,
        scored=found,
        folds=folds,
        metric=metric,
    )


def _seen(
    parts: Parts,
    metric: Float[torch.Tensor, "P"],
    chosen: Int[np.ndarray, "J"],
    exact: Float[np.ndarray, "M"] | None,
    rollouts: int,
    rng: np.random.Generator,
) -> Iterator[tuple[float, Scored | None]]:
    """Pass rate of each prompt, and its scores if two rollouts of either outcome are seen."""
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


def share(prompts: Prompts, family: str) -> float:
    """Share of the prompts that are of a family."""
    return prompts.families.count(family) / len(prompts)
