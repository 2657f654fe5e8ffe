"""SPEED: what the authors' own validation curves say of the reported speedups."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from theory.finding import Finding, everywhere, under_condition
from theory.published import BENCHMARKS, reported, speed_curve, speed_pairs, table

Smoothing: TypeAlias = Callable[
    [Float[np.ndarray, "E"], Float[np.ndarray, "E"]], Float[np.ndarray, "E"]
]


def _updates() -> float:
    """Optimizer updates per training step of SPEED, to one of the baseline; see SPEED-59."""
    return reported("speed.group") / reported("speed.screening")


def as_logged(
    _: Float[np.ndarray, "E"], values: Float[np.ndarray, "E"]
) -> Float[np.ndarray, "E"]:
    """The evaluations as they are."""
    return values


def averaged(
    hours: Float[np.ndarray, "E"], values: Float[np.ndarray, "E"]
) -> Float[np.ndarray, "E"]:
    """Exponential average in which an hour replaces .6, that of the appendix figure."""
    smooth = [values[0]]
    for value, gap in zip(values[1:], np.diff(hours), strict=True):
        kept = 0.4**gap
        smooth.append(kept * smooth[-1] + (1.0 - kept) * value)
    return np.array(smooth)


def _crossing(
    run: tuple[str, str, str, str], benchmark: str, shift: float, smooth: Smoothing
) -> Float[np.ndarray, "2"]:
    """Training step and hours of the first evaluation at the target or above; NaN if none."""
    curve = speed_curve(run)
    (target,) = (
        float(row["target"])
        for row in table("speed_targets")
        if (row["model"], row["benchmark"]) == (run[0], benchmark)
    )
    values = smooth(curve[:, 1], curve[:, 2 + BENCHMARKS.index(benchmark)])
    reached = values >= target + shift - 1e-12
    return curve[reached.argmax(), :2] if reached.any() else np.full(2, np.nan)


def _crossings(shift: float = 0.0, smooth: Smoothing = as_logged) -> Float[np.ndarray, "R 2 2"]:
    """Of each entry of Table 1: base and SPEED, steps and hours."""
    return np.array(
        [
            [
                _crossing(
                    (row["model"], row["data"], row["algo"], v), row["benchmark"], shift, smooth
                )
                for v in ("base", "SPEED")
            ]
            for row in table("speed_table1")
        ]
    )


def _speedup(crossings: Float[np.ndarray, "R 2 2"]) -> Float[np.ndarray, "R"]:
    return crossings[:, 0, 1] / crossings[:, 1, 1]


def hours_to_target(case: str) -> Finding:
    """SPEED-23 .. 50: an entry of Table 1, `model data algorithm benchmark`."""
    (row,) = (
        (i, row)
        for i, row in enumerate(table("speed_table1"))
        if " ".join((row["model"], row["data"], row["algo"], row["benchmark"])) == case
    )
    (base_step, base), (step, hours) = _crossings()[row[0]]
    printed = [float(row[1][key] or "nan") for key in ("base_hours", "speed_hours", "speedup")]
    rounded = [round(base, 1), round(hours, 1), round(round(base, 1) / round(hours, 1), 1)]
    per_update = base_step / (_updates() * step)
    return everywhere(
        np.allclose(rounded, printed, equal_nan=True),
        f"logs: {base:.2f} h -> {hours:.2f} h, {base / hours:.2f}x; per optimizer update "
        f"{per_update:.2f}x"
        if np.isfinite(base)
        else f"logs: never -> {hours:.2f} h",
    )


def speedup_range() -> Finding:
    """SPEED-13: 2 to 6 times, as means of the seven settings and for single targets."""
    crossings = _crossings()
    ratios = _speedup(crossings)
    groups = [(r["model"], r["data"], r["algo"]) for r in table("speed_table1")]
    means = np.array(
        [
            np.nanmean([r for r, g in zip(ratios, groups, strict=True) if g == pair])
            for pair in speed_pairs()
        ]
    )
    per_update = crossings[:, 0, 0] / crossings[:, 1, 0] / _updates()
    known = per_update[np.isfinite(per_update)]
    single = ratios[np.isfinite(ratios)]
    return under_condition(
        (means >= 2.0) & (means <= 6.0),
        (single >= 2.0) & (single <= 6.0),
        f"means of the settings {means.min():.1f} to {means.max():.1f} in hours; single "
        f"targets {single.min():.1f} to {single.max():.1f}, {(single < 2.0).sum()} of "
        f"{single.size} below 2 and {(single > 6.0).sum()} above 6; per optimizer update "
        f"{known.min():.2f} to {known.max():.2f}",
    )


def average_speedup() -> Finding:
    """SPEED-22: the mean of the 26 finite ratios, and under other definitions of a target."""
    first = _speedup(_crossings())
    other = {
        "the paper's own smoothing": _speedup(_crossings(smooth=averaged)),
        "targets 1 point higher": _speedup(_crossings(0.01)),
        "2 points higher": _speedup(_crossings(0.02)),
    }
    said = ", ".join(
        f"{np.nanmean(r):.2f} with {name} ({np.isfinite(r).sum()} ratios, "
        f"{np.nanmean(first[np.isfinite(r)]):.2f} raw)"
        for name, r in other.items()
    )
    claimed = reported("speed.average_speedup")
    return under_condition(
        round(float(np.nanmean(first)), 1) == claimed,
        np.array([np.nanmean(r) >= claimed - 0.05 for r in other.values()]),
        f"{np.nanmean(first):.2f} ({np.isfinite(first).sum()} ratios) by first "
        f"evaluation; {said}",
    )


def _seven() -> tuple[Float[np.ndarray, "T"], Float[np.ndarray, "2 T"]]:
    """Hours, and the mean accuracy of base and SPEED over four 7B settings and benchmarks."""
    hours = np.linspace(0.0, 10.0, 401)
    pairs = [pair for pair in speed_pairs() if pair[0] == "7B"]

    def mean(variant: str) -> Float[np.ndarray, "T"]:
        curves = [speed_curve((*pair, variant)) for pair in pairs]
        return np.mean(
            [np.interp(hours, c[:, 1], c[:, j]) for c in curves for j in range(2, 6)], axis=0
        )

    return hours, np.array([mean("base"), mean("SPEED")])


def teaser() -> Finding:
    """SPEED-16: hours with which SPEED, on average, is where the baseline is after more."""
    hours, (base, speed) = _seven()

    def ratio(after: float) -> float:
        level = np.interp(after, hours, base)
        return float(after / hours[(speed >= level).argmax()])

    early, late = ratio(2.0), ratio(10.0)
    return under_condition(
        late >= 4.0,
        np.array([ratio(after) for after in np.arange(1.0, 10.0)]) >= 3.95,
        f"own mean of the four 7B settings: {speed[100]:.3f} at 2.5 h against "
        f"{base[-1]:.3f} at "
        f"10 h; {late:.1f}x at 10 h, {early:.1f}x at 2 h",
    )


def final_accuracy() -> Finding:
    """SPEED-14: mean of the last three evaluations at equal hours, SPEED less base."""
    pairs = list(speed_pairs())
    changes = np.array([_late_change(pair) for pair in pairs])
    large = np.array([pair[0] == "7B" for pair in pairs])
    lost = [changes[pairs.index(("1.5B", "NuminaMath", algo)), 1] for algo in ("RLOO", "DAPO")]
    return under_condition(
        changes[large] >= -0.05,
        changes[~large] >= -0.05,
        f"7B: {changes[large].min():+.3f} at worst; 1.5B NuminaMath on MATH500 "
        f"{lost[0]:+.3f} (RLOO), {lost[1]:+.3f} (DAPO)",
    )


def _late_change(pair: tuple[str, str, str]) -> Float[np.ndarray, "4"]:
    """Mean of the last three evaluations that both runs had the hours for, SPEED less base."""
    base, speed = (speed_curve((*pair, variant)) for variant in ("base", "SPEED"))
    end = min(base[-1, 1], speed[-1, 1])
    late = [curve[curve[:, 1] <= end][-3:, 2:].mean(axis=0) for curve in (base, speed)]
    return late[1] - late[0]


def best_accuracy() -> Finding:
    """SPEED-54: the largest DAPO-1k accuracy of each run of the ablation."""
    runs = {
        "4": ("RLOO", "SPEED"),
        "6": ("RLOO N6+18", "SPEED"),
        "8": ("RLOO N8+16", "SPEED"),
        "rloo": ("RLOO", "base"),
    }
    best = {
        key: float(speed_curve(("1.5B", "DAPO-17k", *run))[:, 2].max())
        for key, run in runs.items()
    }
    agrees = [round(value, 3) == reported(f"speed.best_{key}") for key, value in best.items()]
    return everywhere(
        np.array(agrees), "/".join(f"{value:.3f}" for value in best.values()) + ", one seed"
    )
