"""Pictures of the gradient geometry of a real language model, drawn from its result files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from report import atomic
from report.plots import png
from report.style import house
from smallscale.geometry import Geometry
from smallscale.group_snr import exact_snr, speed_bound
from smallscale.snr import GROUPS, RATES

BLUE, ORANGE, GREEN, GREY, PALE = "#0072b2", "#d55e00", "#009e73", "#555555", "#dddddd"
OVER = np.linspace(0.02, 0.98, 97)  # pass rates of curves
WIDTH = 9.6  # inches
TICKS = (0.5, 0.7, 1.0, 1.4, 2.0, 3.0)
AGREEMENT = (  # estimator, ratio, label, colour, marker, shift
    ("rloo", "measured / exact", "RLOO, measured / exact", BLUE, "o", -0.2),
    ("grpo", "measured / exact", "GRPO, measured / exact", GREEN, "^", 0.0),
    (
        "rloo",
        "noise-dominated / measured",
        "RLOO, (N-1)p(1-p)|D|²/V / measured",
        ORANGE,
        "D",
        0.2,
    ),
)


@dataclass(frozen=True)
class Results:
    """What a folder of `passband snr` holds."""

    told: Mapping[str, Any]
    prompts: pd.DataFrame
    groups: pd.DataFrame

    @classmethod
    def of(cls, folder: Path) -> "Results":
        """The files of a folder."""
        frames = (pd.read_csv(folder / f"{name}.csv") for name in ("prompts", "groups"))
        return cls(json.loads((folder / "measurements.json").read_text()), *frames)

    @property
    def lengths(self) -> list[int]:
        """Free tokens, ascending."""
        return [one["effort"]["free_tokens"] for one in self.told["lengths"]]


def draw(folder: Path) -> None:
    """All pictures of a folder, from what else is in it.

    Raises:
        UnwritableError: One cannot be written.
    """
    results = Results.of(folder)
    with house():
        for picture in (snr, formulas, length, cosines):
            atomic.write(folder / f"{picture.__name__}.png", png(picture(results), dpi=150))


def snr(results: Results) -> Figure:
    """RLOO's SNR over the pass rate: a row per length, a column per group size."""
    rows = len(results.lengths)
    figure = Figure(figsize=(WIDTH, 0.8 + 2.1 * rows), layout="constrained")
    axes = figure.subplots(rows, len(GROUPS), sharex=True, sharey="row", squeeze=False)
    for row, told in zip(axes, results.told["lengths"], strict=True):
        groups = results.groups
        here = groups["free_tokens"].eq(told["effort"]["free_tokens"])
        mine = groups.loc[here & groups["estimator"].eq("rloo"), :]
        for place, N in zip(row, GROUPS, strict=True):
            _snr_panel(place, mine.loc[mine["rollouts"].eq(N), :], told["medians"], N)
            place.set_title(f"N = {N}", fontsize=8.5)
        row[0].set_ylabel(f"SNR, {told['effort']['free_tokens']} free tokens")
        row[0].set_ylim(3e-4, 2e2)
    for place in axes[-1]:
        place.set_xlabel("pass rate p")
    _legend(figure, axes[0, 0], columns=2)
    return figure


def _snr_panel(place: Axes, mine: pd.DataFrame, medians: Mapping[str, Any], N: int) -> None:
    """Measured SNR of prompts, the formula, and SPEED's bound."""
    seen = mine.loc[mine["snr"].gt(0.0) & np.isfinite(mine["snr"]), :]
    ends = np.array([seen["snr"] - seen["low"], seen["high"] - seen["snr"]])
    reach = np.clip(np.nan_to_num(ends), 0.0, None)
    label = "measured, 95% interval"
    place.errorbar(
        seen["pass_rate"], seen["snr"], reach, fmt="o", ms=3, lw=0.6, color=BLUE, label=label
    )
    label = "exact formula, the prompt's own |D|², V₁, V₀"
    place.plot(mine["pass_rate"], mine["exact"], "x", ms=4, color=ORANGE, label=label)
    label = "exact formula, median V₁/|D|² and V₀/|D|²"
    place.plot(OVER, _curve(medians, N), "-", color=ORANGE, lw=1.1, label=label)
    bound = [speed_bound(p, N) for p in OVER]
    place.plot(OVER, bound, "--", color=GREY, lw=1.1, label="SPEED's bound 4Np(1-p)")
    place.set_yscale("log")


def _curve(medians: Mapping[str, Any], N: int) -> list[float]:
    """RLOO's SNR over the pass rate at median constants."""
    noise1, noise0 = (medians[f"{name}/|D|^2"]["median"] for name in ("V1", "V0"))
    return [exact_snr("rloo", p, N, Geometry(1.0, noise1, noise0)) for p in OVER]


def formulas(results: Results) -> Figure:
    """Medians over prompts of measured over exact SNR, and of the noise-dominated formula."""
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    places = figure.subplots(1, len(results.lengths), sharey=True, squeeze=False)[0]
    for place, tokens in zip(places, results.lengths, strict=True):
        rows = [r for r in results.told["ratios"] if r["free_tokens"] == tokens]
        place.axhspan(0.9, 1.1, color=PALE, zorder=0)
        place.axhline(1.0, color=GREY, lw=0.8)
        for estimator, key, label, color, marker, shift in AGREEMENT:
            mine = [r[key] for r in rows if r["estimator"] == estimator]
            middle = np.array([m["median"] for m in mine], float)
            at = np.arange(len(mine)) + shift
            place.errorbar(at, middle, _reach(mine), fmt=marker, ms=4, color=color, label=label)
        place.set_xticks(range(len(GROUPS)), [str(N) for N in GROUPS])
        place.set_xlabel("rollouts per group, N")
        place.set_title(f"{tokens} free tokens")
        place.set_yscale("log")
        place.set_yticks(TICKS, [f"{tick:g}" for tick in TICKS])
        place.minorticks_off()
    places[0].set_ylabel("ratio of SNR, median over prompts")
    _legend(figure, places[0], columns=3)
    return figure


def _reach(some: Sequence[Mapping[str, Any]]) -> Float[np.ndarray, "2 n"]:
    """Lengths of error bars below and above; none where an end is not known or infinite."""
    middle = np.array([m["median"] for m in some], float)
    ends = np.array([[m["low"], m["high"]] for m in some], float)
    return np.nan_to_num([middle - ends[:, 0], ends[:, 1] - middle], posinf=0.0, neginf=0.0)


def length(results: Results) -> Figure:
    """V/|D|^2 and chi by the number of free tokens."""
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    label = "metric of the parameters (large: median)"
    _noise(left, results, "raw_noise", color=BLUE, marker="o", label=label, shift=0.96)
    label = "Adam's metric (large: median)"
    _noise(left, results, "adam_noise", color=ORANGE, marker="D", label=label, shift=1.04)
    at = np.linspace(0.0, max(results.lengths), 100)
    start = results.told["growth"]["noise"][0]["median"]
    band = (start + 0.4 * at, start + 1.0 * at)
    label = "hypothesis: 0.4 to 1.0 a token"
    left.fill_between(at + 1, *band, color=PALE, zorder=0, label=label)
    left.axhline(16.0, color=GREY, ls=":", lw=1.2, label="16")
    left.set(xscale="log", yscale="log", xlabel="free tokens + 1", ylabel="V/|D|² of a prompt")
    left.set_xticks([k + 1 for k in results.lengths], [str(k + 1) for k in results.lengths])
    left.minorticks_off()
    left.set_ylim(0.05, 1e4)  # room for the legend
    left.legend(loc="upper left", fontsize=7.5)
    _felt(right, results)
    return figure


def _noise(
    place: Axes,
    results: Results,
    column: str,
    *,
    color: str,
    marker: str,
    label: str,
    shift: float,
) -> None:
    """Every prompt's V/|D|^2, and their medians with intervals."""
    held = results.prompts.loc[results.prompts["pass_rate"].between(*RATES), :]
    at = (held["free_tokens"] + 1) * shift
    place.plot(at, held[column], marker, ms=2.5, alpha=0.35, color=color, mew=0)
    key = "V/|D|^2" if column == "raw_noise" else "V/|D|^2 in Adam's metric"
    told = [one["medians"][key] for one in results.told["lengths"]]
    middle = [m["median"] for m in told]
    at = [(k + 1) * shift for k in results.lengths]
    place.errorbar(
        at, middle, _reach(told), fmt=marker + "-", ms=6, capsize=3, color=color, label=label
    )


def _felt(place: Axes, results: Results) -> None:
    """Chi with its interval, by length."""
    told = [one["measurement"] for one in results.told["lengths"]]
    rows = [{"median": m["felt"], "low": m["felt_low"], "high": m["felt_high"]} for m in told]
    at, value = np.arange(len(rows)), np.array([row["median"] for row in rows], float)
    place.axhspan(0.1, 0.3, color=PALE, zorder=0, label="hypothesis: 0.1 to 0.3")
    label = "measured, 95% interval"
    place.errorbar(at, value, _reach(rows), fmt="o", color=BLUE, capsize=3, label=label)
    place.set_xticks(at, [str(k) for k in results.lengths])
    place.set(xlabel="free tokens", ylabel="share of the noise that Adam feels, χ")
    place.set(xlim=(-0.5, len(rows) - 0.5), ylim=(0.0, 0.6))
    place.legend(loc="upper right")


def cosines(results: Results) -> Figure:
    """Mean cosine of D between prompts of two families, without free tokens or the fewest."""
    figure = Figure(figsize=(WIDTH, 4.4), layout="constrained")
    for place, metric in zip(figure.subplots(1, 2), ("raw", "adam"), strict=True):
        table = pd.DataFrame(results.told["lengths"][0]["cosines"][metric], dtype=float).T
        place.imshow(table, vmin=-1.0, vmax=1.0, cmap="PuOr_r")
        place.set_xticks(range(len(table)), table.columns, rotation=45, ha="right")
        place.set_yticks(range(len(table)), table.index)
        place.grid(visible=False)
        for (i, j), value in np.ndenumerate(table.to_numpy()):
            if np.isfinite(value):
                color = "white" if abs(value) > 0.7 else "black"
                text = f"{value:.2f}".replace("-0.00", "0.00")
                place.text(j, i, text, ha="center", va="center", fontsize=7, color=color)
        name = "the parameters" if metric == "raw" else "Adam"
        place.set_title(f"mean cosine of D in the metric of {name}")
    return figure


def _legend(figure: Figure, place: Axes, *, columns: int) -> None:
    """One legend for all panels, above them."""
    figure.legend(*place.get_legend_handles_labels(), loc="outside upper center", ncols=columns)
