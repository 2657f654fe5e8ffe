"""Gradient geometry and SNR in a real language model: what `passband snr` measures.

For each length of rollouts a model is warm-started, then, without training:

1. Uniform batches give Adam's metric and the share of noise that Adam feels (`adam_metric`).
2. Prompts of all families get |D|^2, V_1, V_0 and D from rollouts of either outcome, equally
   many (`survey`).
3. Further rollouts of the prompts with a pass rate within `RATES`, in their natural
   proportion, are dealt out in groups; their SNR stands beside the exact formula with the
   constants of step 2 (`group_snr`). The two share no rollout.

Pass rates are exact without free tokens; with them they are observed in 16 rollouts for each
that is scored. Free tokens are drawn before the answer and have no part in it.

Axis legend: n values.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import comb, isfinite
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import pandas as pd
from jaxtyping import Float

from selection.checks import counts, positive
from selection.settings import SettingError
from smallscale.assembly import assembled
from smallscale.config import Config, configure
from smallscale.geometry import Estimator, gram, scores
from smallscale.group_snr import exact_snr, interval, measured, noise_dominated_snr
from smallscale.measurement import Measurement, summary
from smallscale.strings import Strings
from smallscale.survey import Survey, UnmeasurableError, generated, survey
from smallscale.tasks import TASKS

RATES = (0.04, 0.96)  # beyond, too few rollouts have the rarer outcome
GROUPS = (2, 4, 8, 16, 24)  # N
DEALS = 20
RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is measured at one length.

    Attributes:
        free_tokens: Letters that a rollout puts before its answer.
        prompts: Prompts, families in turn.
        scored: Rollouts scored per prompt for its constants.
        grouped: Rollouts scored per prompt for groups.
        batches: Uniform batches.
    """

    free_tokens: int
    prompts: int
    scored: int
    grouped: int
    batches: int

    def scaled(self, fraction: float) -> "Effort":
        """Less of everything, but enough for an estimate."""
        return Effort(
            free_tokens=self.free_tokens,
            prompts=max(16, round(self.prompts * fraction)),
            scored=max(8, round(self.scored * fraction)),
            grouped=max(72, round(self.grouped * fraction)),  # jackknifed: two groups of 24
            batches=max(10, round(self.batches * fraction)),
        )


EFFORTS: Mapping[int, Effort] = {
    0: Effort(free_tokens=0, prompts=72, scored=64, grouped=192, batches=60),
    6: Effort(free_tokens=6, prompts=56, scored=64, grouped=144, batches=40),
    24: Effort(free_tokens=24, prompts=48, scored=64, grouped=144, batches=40),
    96: Effort(free_tokens=96, prompts=32, scored=64, grouped=96, batches=40),
}


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What was found at one length.

    Attributes:
        effort: How much was measured.
        measurement: The constants of a simulated world.
        prompts: A row per prompt: pass rate, |D|^2, V_1, V_0 in both metrics.
        groups: A row per prompt, estimator and N: the SNR and what formulas say.
        cosines: Mean cosine of D between families, in both metrics.
    """

    effort: Effort
    measurement: Measurement
    prompts: pd.DataFrame
    groups: pd.DataFrame
    cosines: Mapping[str, Mapping[str, Mapping[str, float | None]]]


def configuration(preset: str, changes: Mapping[str, str | int], free_tokens: int) -> Config:
    """A run of the preset whose rollouts have so many free tokens.

    Raises:
        SettingError: Its prompts cannot have any.
    """
    config = configure(preset, changes)
    if not free_tokens:
        return config
    name, _, knobs = config.prompts.partition(":")
    if not isinstance(TASKS.get(name), Strings):
        raise SettingError(
            f"prompts={config.prompts} have no free tokens: take lengths=0,"
            " or strings, letters or signs"
        )
    joint = "," if knobs else ":"
    prompts = f"{config.prompts}{joint}free_tokens={free_tokens}"
    return configure(preset, {**changes, "prompts": prompts})


def findings(config: Config, effort: Effort, *, seed: int, cache: Path | None) -> Findings:
    """Everything measured at one length.

    Raises:
        UnmeasurableError: Hardly any prompt both passes and fails.
        ValueError: A count is too small.
    """
    with assembled(config, cache=cache) as parts:
        found = survey(
            parts,
            seed=seed,
            prompts=effort.prompts,
            rollouts=effort.scored,
            batches=effort.batches,
        )
        groups = pd.DataFrame(_groups(found, effort, np.random.default_rng([seed, 1])))
        if groups.empty:
            raise UnmeasurableError(
                f"no prompt of {config.prompts} has a pass rate within {RATES} and a |D|^2 that"
                " noise does not hide: give more, or train the model longer before"
            )
        return Findings(
            effort=effort,
            measurement=summary(found),
            prompts=_prompts(found, effort.free_tokens),
            groups=groups.assign(free_tokens=effort.free_tokens),
            cosines={
                "adam": _by_family(found, adam=True),
                "raw": _by_family(found, adam=False),
            },
        )


def _prompts(found: Survey, free_tokens: int) -> pd.DataFrame:
    """A row per prompt."""
    rows = [
        {
            "free_tokens": free_tokens,
            "prompt": found.parts.prompts.keys[one.prompt],
            "family": one.family,
            "pass_rate": one.pass_rate,
            "tokens": one.tokens,
            **{f"raw_{key}": value for key, value in asdict(one.raw).items()},
            **{f"adam_{key}": value for key, value in asdict(one.adam).items()},
            "raw_noise": one.raw.noise,
            "adam_noise": one.adam.noise,
        }
        for one in found.scored
    ]
    return pd.DataFrame(rows)


def _groups(
    found: Survey, effort: Effort, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """A row per prompt, estimator and N."""
    parts = found.parts
    for one in found.scored:
        if not RATES[0] <= one.pass_rate <= RATES[1] or one.raw.contrast <= 0.0:
            continue
        place = np.array([one.prompt])
        ((made, passed),) = generated(parts, place, effort.grouped, rng)
        products = gram(scores(parts.model, parts.prompts.tokens[one.prompt], made))
        for estimator in get_args(Estimator):
            for N in GROUPS:
                told: dict[str, Any] = {"deals": DEALS, "rng": rng}
                low, high = interval(products, passed, estimator, N, **told)
                yield {
                    "prompt": parts.prompts.keys[one.prompt],
                    "family": one.family,
                    "pass_rate": one.pass_rate,
                    "estimator": estimator,
                    "rollouts": N,
                    "snr": measured(products, passed, estimator, N, **told),
                    "low": low,
                    "high": high,
                    "exact": exact_snr(estimator, one.pass_rate, N, one.raw),
                    "noise_dominated": noise_dominated_snr(one.pass_rate, N, one.raw),
                }


def _by_family(found: Survey, *, adam: bool) -> dict[str, dict[str, float | None]]:
    """Mean cosine between two prompts of two families, or two of one."""
    table = found.cosines(adam=adam)
    np.fill_diagonal(table, np.nan)
    families = np.array([one.family for one in found.scored])
    names = sorted(set(families.tolist()))
    return {a: {b: _mean(table[families == a][:, families == b]) for b in names} for a in names}


def _mean(values: Float[np.ndarray, "..."]) -> float | None:
    """Mean of the numbers among some values, if there are any."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None


def median(values: Float[np.ndarray, "n"]) -> dict[str, float | None]:
    """Median with its 95% interval from order statistics, free of a distribution; and count.

    The interval is that of ranks j and n+1-j with the largest j whose binomial(n, 1/2) tails
    below j hold 5% together; there is none for less than six values.
    """
    known = np.sort(values[~np.isnan(values)])  # infinite ones have a rank
    n = known.size
    if not n:
        return {"median": None, "low": None, "high": None, "prompts": 0}
    below = np.cumsum([comb(n, i) / 2**n for i in range(n)])
    j = int(np.sum(below <= 0.025))
    ends = (float(known[j - 1]), float(known[n - j])) if j else (None, None)
    return {
        "median": float(np.median(known)),
        "low": ends[0],
        "high": ends[1],
        "prompts": n,
    }


def ratios(some: Sequence[Findings]) -> list[dict[str, Any]]:
    """Medians over prompts: measured SNR over the exact formula, and the limit over both."""
    rows: list[dict[str, Any]] = []
    for found in some:
        for key, group in found.groups.groupby(["estimator", "rollouts"]):
            estimator, N = cast("tuple[str, int]", key)
            snr, exact = group["snr"].to_numpy(), group["exact"].to_numpy()
            limit = group["noise_dominated"].to_numpy()
            with np.errstate(divide="ignore"):  # where noise hides the mean
                against = limit / snr
            rows.append(
                {
                    "free_tokens": found.effort.free_tokens,
                    "estimator": estimator,
                    "rollouts": N,
                    "measured / exact": median(snr / exact),
                    "noise-dominated / measured": median(against),
                    "noise-dominated / exact": median(limit / exact),
                }
            )
    return rows


def within_rates(found: Findings) -> pd.DataFrame:
    """The prompts that groups are measured of."""
    return found.prompts.loc[found.prompts["pass_rate"].between(*RATES), :]


def growth(some: Sequence[Findings], rng: np.random.Generator) -> dict[str, Any]:
    """How V/|D|^2 grows with the free tokens, from its medians over prompts, by least squares.

    Intervals: percentile bootstrap over prompts, stratified by length.
    """
    tokens = np.array([found.effort.free_tokens for found in some], float)
    noise = [within_rates(found)["raw_noise"].to_numpy() for found in some]
    told: dict[str, Any] = {
        "noise": [
            {"free_tokens": int(k), **median(values)}
            for k, values in zip(tokens, noise, strict=True)
        ]
    }
    if len(some) < 2:
        return told
    drawn = np.array(
        [
            [np.median(rng.choice(values, values.size)) for values in noise]
            for _ in range(RESAMPLES)
        ]
    )
    middle = np.array([np.median(values) for values in noise])
    return told | {
        "slope": _spread(_slopes(tokens, drawn), float(_slopes(tokens, middle[None])[0])),
        "steps": [
            {
                "from": int(tokens[i]),
                "to": int(tokens[i + 1]),
                **_spread(
                    (drawn[:, i + 1] - drawn[:, i]) / (tokens[i + 1] - tokens[i]),
                    float((middle[i + 1] - middle[i]) / (tokens[i + 1] - tokens[i])),
                ),
            }
            for i in range(len(some) - 1)
        ],
    }


def _slopes(
    tokens: Float[np.ndarray, "L"], medians: Float[np.ndarray, "B L"]
) -> Float[np.ndarray, "B"]:
    """Least-squares slope of each row."""
    centred = tokens - tokens.mean()
    return medians @ centred / (centred @ centred)


def _spread(drawn: Float[np.ndarray, "B"], value: float) -> dict[str, float]:
    """A value and the 95% percentile interval of its resamples."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"value": value, "low": float(low), "high": float(high)}


def efforts(lengths: Sequence[int], fraction: float) -> list[Effort]:
    """How much to measure at each length, in ascending order.

    Raises:
        SettingError: There are no lengths.
        ValueError: A length is negative, or the fraction not positive.
    """
    if not lengths:
        raise SettingError("no lengths: name numbers of free tokens")
    positive(fraction=fraction)
    for length in lengths:
        counts(0, free_tokens=length)
    nearest = {k: max((e for e in EFFORTS if e <= k), default=0) for k in set(lengths)}
    return [
        Effort(**{**asdict(EFFORTS[nearest[k]]), "free_tokens": k}).scaled(fraction)
        for k in sorted(nearest)
    ]


def plain(value: object) -> Any:  # noqa: ANN401
    """Numbers that JSON has: what is not finite becomes null."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float | np.floating):
        return float(value) if isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
