r"""MoPPS's beliefs: what the memory trades, and the bound on their error.

**Memory.** A belief that forgets is noisy, one that does not lags behind a policy that moves;
for a prompt trained on at every step the mean squared error is a closed form
(`theory.tracking`). A run adds that prompts are trained on rarely, and that nothing fades in
between.

**Bound.** The paper bounds the error of the belief mean after an update by
$\lambda(\epsilon_{t-1} + \delta) + (1-\lambda)/2 + \eta$ with a confidence of at least
$1 - 2e^{-2N\eta^2}$ (as quoted; its wording could not be read). The triangle inequality on the
exact update gives a tighter form, which always holds. Both are drawn for prompts that are all
trained on at every training step, with the drift that each of them had.
"""

from functools import cache
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes

from report.aggregate import Estimate, mean
from report.style import Look, looks
from selection.strategies import Sizes
from sim.figures.entry import Drawn, share
from sim.figures.layout import PAGE, grid, legend_below
from sim.figures.mopps_runs import DRAWN, LEAST, ROLLOUTS, SETTINGS, Lesson, Setting, watch
from theory.tracking import (
    confidence,
    loose_bound,
    mean_squared_error,
    mean_weights,
    optimal_memory,
    tight_bound,
)

MEMORIES = (0.0, 0.3, 0.5, 0.7, 0.9, 1.0)
DRIFTS = MappingProxyType(
    {0.0: "-", 0.01: (0, (5, 2)), 0.03: (0, (3, 1, 1, 1)), 0.1: (0, (1, 1))}
)
HALF = 0.5  # pass rate of the closed forms
_MOPPS = looks(["mopps"])["mopps"]
SIZES_LOOKS = MappingProxyType(
    {
        "MATH": _MOPPS,
        "Countdown": Look("#882255", "X", (0, (5, 2))),
    }
)
ETA = 0.3
EVERYONE = Sizes(groups=500, rollouts=ROLLOUTS, prompts=500, steps=60)
BOUND_MEMORIES = (0.5, 0.9)
ERRORS = MappingProxyType(
    {
        "loose bound": Look("#332288", "h", (0, (1, 1))),
        "tight bound": Look("#882255", "X", (0, (5, 2))),
        "error": _MOPPS,
    }
)


@cache
def outcome(name: str, memory: float, fraction: float) -> tuple[Estimate, Estimate]:
    """Error of the belief mean of chosen prompts, and mixed share, after a third of the run."""
    setting = Setting(sizes=SETTINGS[name].sizes, memory=memory).shortened(fraction)
    errors: list[float] = []
    shares: list[float] = []
    for seed in range(share(fraction, DRAWN)):
        lessons = watch(setting, seed).lessons
        late = lessons[len(lessons) // 3 :]
        errors.append(_average([np.abs(x.before - x.rates) for x in late]))
        shares.append(_average([(x.observed > 0.0) & (x.observed < 1.0) for x in late]))
    return mean(np.array(errors)), mean(np.array(shares))


def _average(parts: list[np.ndarray]) -> float:
    """Mean over batches of the same size."""
    return float(np.stack(parts).mean())


def memory(fraction: float) -> Drawn:
    """Root mean squared error by memory in closed form; error and mixed share in runs."""
    figure, axes = grid(PAGE, 3.5, 1, 3)
    parts = [_closed(axes[0][0])]
    for name, look in SIZES_LOOKS.items():
        found = [outcome(name, each, fraction) for each in MEMORIES]
        for panel, kind in zip(axes[0][1:], (0, 1), strict=True):
            _dots(panel, [each[kind] for each in found], look, name)
        parts.append(_runs(name, found))
    axes[0][1].set(ylabel="error, chosen prompts (mean)", title="runs")
    axes[0][2].set(ylabel="share of mixed groups", title="runs")
    for panel in axes[0]:
        panel.set_xlabel("memory")
    axes[0][1].set_ylim(0.0, None)
    axes[0][2].set_ylim(0.0, 1.05)
    legend_below(figure, axes[0], 3)
    numbers = pd.concat(parts)
    return Drawn(figure=figure, numbers=numbers, remarks=_memory_remarks(numbers))


def _closed(panel: Axes) -> pd.DataFrame:
    """Closed form for a prompt trained on at every step, and the best memory on each curve."""
    memories = np.linspace(0.0, 0.999, 400)
    parts: list[pd.DataFrame] = []
    for drift, line in DRIFTS.items():
        error = np.sqrt(mean_squared_error(HALF, ROLLOUTS, memories, drift))
        label = f"drift {drift:g} a visit"
        panel.plot(memories, error, color="#444444", linestyle=line, label=label)
        if drift:
            best = float(optimal_memory(HALF, ROLLOUTS, drift))
            least = np.sqrt(mean_squared_error(HALF, ROLLOUTS, best, drift))
            panel.plot(best, least, color="#444444", marker="o", linestyle="")
        of = {"of": "closed form", "drift": drift, "memory": memories}
        parts.append(pd.DataFrame(of | {"error": error}))
    panel.set(title="closed form", ylabel="error of the belief mean (r.m.s.)")
    panel.set_ylim(0.0, 0.25)
    return pd.concat(parts)


def _dots(panel: Axes, found: list[Estimate], look: Look, name: str) -> None:
    """Values by memory with their intervals."""
    panel.errorbar(
        MEMORIES,
        [each.value for each in found],
        yerr=[(each.high - each.low) / 2.0 for each in found],
        color=look.color,
        linestyle=look.line,
        marker=look.marker,
        markerfacecolor=look.fill,
        capsize=3,
        label=name,
    )


def _runs(name: str, found: list[tuple[Estimate, Estimate]]) -> pd.DataFrame:
    rows = [
        {
            "of": name,
            "memory": each,
            "error": error.value,
            "error_low": error.low,
            "error_high": error.high,
            "mixed": shares.value,
            "mixed_low": shares.low,
            "mixed_high": shares.high,
        }
        for each, (error, shares) in zip(MEMORIES, found, strict=True)
    ]
    return pd.DataFrame(rows)


def _memory_remarks(numbers: pd.DataFrame) -> str:
    """Where error is least and the mixed share is largest."""
    parts: list[str] = []
    for name in SIZES_LOOKS:
        rows = numbers[numbers["of"] == name]
        memories, errors, shares = (np.array(rows[key]) for key in ("memory", "error", "mixed"))
        parts.append(
            f"at the sizes of {name} the error is least at memory {memories[errors.argmin()]:g}"
            f" ({errors.min():.3f}) and most groups are mixed at {memories[shares.argmax()]:g}"
            f" ({shares.max():.3f}; {shares.min():.3f} at {memories[shares.argmin()]:g})"
        )
    return "After the first third of a run, " + "; ".join(parts) + "."


def bounds(earlier: Lesson, later: Lesson, memory: float) -> dict[str, Float[np.ndarray, "M"]]:
    """Error after an update, and both bounds on it, of prompts trained on twice in a row.

    The error before is that against the pass rate of the earlier batch; the drift is what it
    moved by since.
    """
    first, second = np.argsort(earlier.prompts), np.argsort(later.prompts)
    p = later.rates[second]
    before = np.abs(earlier.after[first] - earlier.rates[first])
    drift = np.abs(p - earlier.rates[first])
    weights = mean_weights(later.counts[second], ROLLOUTS, memory)
    luck = np.abs(later.observed[second] - p)
    return {
        "error": np.abs(later.after[second] - p),
        "tight bound": tight_bound(weights, before, drift, np.abs(0.5 - p), luck),
        "loose bound": loose_bound(before, drift, memory, ETA),
    }


@cache
def tracked(memory: float, fraction: float) -> dict[str, Float[np.ndarray, "T M"]]:
    """Errors and bounds of every prompt at every training step from the second on."""
    sizes = Setting(sizes=EVERYONE, memory=memory).shortened(max(fraction, LEAST))
    lessons = watch(sizes, 0, rule="uniform", ratio=1).lessons
    made = [bounds(earlier, later, memory) for earlier, later in pairwise(lessons)]
    return {name: np.stack([each[name] for each in made]) for name in ERRORS}


def error_bound(fraction: float) -> Drawn:
    """Error of the belief mean over training, under the loose and the tight bound."""
    figure, axes = grid(PAGE, 3.5, 1, 2, sharey="all")
    parts: list[pd.DataFrame] = []
    for panel, each in zip(axes[0], BOUND_MEMORIES, strict=True):
        found = tracked(each, fraction)
        steps = np.arange(2, len(found["error"]) + 2)
        for name, look in ERRORS.items():
            middle = found[name].mean(axis=1)
            low, high = np.quantile(found[name], (0.05, 0.95), axis=1)
            panel.fill_between(steps, low, high, color=look.color, alpha=0.15, linewidth=0)
            panel.plot(steps, middle, color=look.color, linestyle=look.line, label=name)
            of = {"memory": each, "of": name, "step": steps}
            parts.append(pd.DataFrame(of | {"mean": middle, "low": low, "high": high}))
        panel.set(title=f"memory {each:g}", xlabel="training step", ylim=(0.0, None))
    axes[0][0].set_ylabel("error of the belief mean")
    legend_below(figure, axes[0], 3)
    return Drawn(figure=figure, numbers=pd.concat(parts), remarks=_bound_remarks(fraction))


def violations(memory: float, fraction: float) -> tuple[float, float]:
    """Share of updates whose error exceeds the tight and the loose bound."""
    found = tracked(memory, fraction)
    tight, loose = (
        float((found["error"] > found[name] + 1e-12).mean())
        for name in ("tight bound", "loose bound")
    )
    return tight, loose


def _bound_remarks(fraction: float) -> str:
    """How loose the bounds are."""
    parts: list[str] = []
    for each in BOUND_MEMORIES:
        found = {name: values.mean() for name, values in tracked(each, fraction).items()}
        tight, loose = violations(each, fraction)
        parts.append(
            f"With memory {each:g} the mean error is {found['error']:.3f}, the tight bound"
            f" {found['tight bound']:.3f} (exceeded by {tight:.0%} of updates), the loose"
            f" one {found['loose bound']:.3f} (by {loose:.1%})."
        )
    allowed = 1.0 - float(confidence(ROLLOUTS, ETA))
    return " ".join(parts) + f" The loose one may be exceeded by {allowed:.0%} at eta {ETA:g}."
