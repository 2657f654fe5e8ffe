"""MoPPS's batches: how many of their groups are mixed, by strategy and with a warm start.

Dynamic sampling is left out, all of whose groups are mixed by definition. `offline` draws from
beliefs that are never updated, which is uniform selection by another name: a control.

The warm start rolls out every prompt 8 times before training and counts each result three times
(`bandit_init` of thu-rllab/MoPPS @ a883f519). Those rollouts are paid for and not trained on.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from jaxtyping import Float

from report.aggregate import mean
from report.style import Look, looks
from sim.figures.entry import Drawn, share
from sim.figures.layout import PAGE, band, grid, legend_below
from sim.figures.mopps_runs import DRAWN, SETTINGS, Setting, mixed, runs, windowed

STRATEGIES: Mapping[str, str] = MappingProxyType(
    {
        "nearest draws": "mopps:memory={memory}",
        "draws within .3 to .7": "mopps:memory={memory},rule=threshold",
        "offline": "mopps:learns=false",
        "uniform": "uniform",
    }
)
_MOPPS, _UNIFORM = looks(["mopps"])["mopps"], looks(["uniform"])["uniform"]
LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "nearest draws": _MOPPS,
        "draws within .3 to .7": Look(_MOPPS.color, "D", (0, (5, 2))),
        "offline": Look(_MOPPS.color, "<", (0, (1, 1))),
        "uniform": _UNIFORM,
    }
)
COLD, WARM = "cold start", "warm start"
STARTS: Mapping[str, tuple[str, Look]] = MappingProxyType(
    {
        COLD: ("mopps:memory={memory}", _MOPPS),
        WARM: (
            "mopps:memory={memory},warm_rollouts=8,warm_weight=3",
            Look(_MOPPS.color, "D", (0, (5, 2))),
        ),
        "uniform": ("uniform", _UNIFORM),
    }
)
THOUSAND = 1e3


def _seeds(fraction: float) -> int:
    return share(fraction, DRAWN)


def informative(fraction: float) -> Drawn:
    """Share of mixed groups in the batch, by training step and strategy."""
    figure, axes = grid(PAGE, 3.3, 1, 3, sharey="all")
    parts: list[pd.DataFrame] = []
    for panel, (name, whole) in zip(axes[0], SETTINGS.items(), strict=True):
        setting = whole.shortened(fraction)
        for label, who in STRATEGIES.items():
            shares = mixed(setting, who.format(memory=setting.memory), _seeds(fraction))
            steps, means = windowed(shares)
            lines = band(panel, steps, means, LOOKS[label], label)
            parts.append(_rows(name, label, steps, lines))
        panel.set(title=name, xlabel="training step", ylim=(0.0, 1.0))
    axes[0][0].set_ylabel("share of mixed groups")
    legend_below(figure, axes[0], 4)
    numbers = pd.concat(parts)
    return Drawn(figure=figure, numbers=numbers, remarks=_remarks(fraction))


def _rows(
    name: str,
    label: str,
    steps: Float[np.ndarray, "W"],
    lines: tuple[Float[np.ndarray, "W"], ...],
) -> pd.DataFrame:
    middle, low, high = lines
    of = {"sizes": name, "strategy": label, "step": steps}
    return pd.DataFrame(of | {"mixed": middle, "low": low, "high": high})


def later(setting: Setting, who: str, seeds: int) -> Float[np.ndarray, "S"]:
    """Share of mixed groups after the first third of the run, per seed."""
    shares = mixed(setting, who.format(memory=setting.memory), seeds)
    return np.asarray(shares[:, shares.shape[1] // 3 :].mean(axis=1))


def _remarks(fraction: float) -> str:
    """The four shares at the sizes of MATH."""
    setting = SETTINGS["MATH"].shortened(fraction)
    found = {
        label: mean(later(setting, who, _seeds(fraction))) for label, who in STRATEGIES.items()
    }
    text = ", ".join(
        f"{label} {each.value:.3f} [{each.low:.3f}, {each.high:.3f}]"
        for label, each in found.items()
    )
    return f"Mixed groups after the first third of a run at the sizes of MATH: {text}."


def warm_start(fraction: float) -> Drawn:
    """Mixed groups by training step, and signal by rollouts, with and without a warm start."""
    setting, seeds = SETTINGS["MATH"].shortened(fraction), _seeds(fraction)
    figure, axes = grid(PAGE, 3.3, 1, 2)
    parts: list[pd.DataFrame] = []
    for label, (who, look) in STARTS.items():
        chosen = who.format(memory=setting.memory)
        steps, means = windowed(mixed(setting, chosen, seeds))
        lines = band(axes[0][0], steps, means, look, label)
        parts.append(_rows("MATH", label, steps, lines).assign(signal=np.nan))
        rollouts, signal = by_rollouts(setting, chosen, seeds)
        middle, low, high = band(
            axes[0][1], rollouts / THOUSAND, signal / THOUSAND, look, label
        )
        spent = {"sizes": "MATH", "strategy": label, "rollouts": rollouts}
        parts.append(pd.DataFrame(spent | {"signal": middle, "low": low, "high": high}))
    axes[0][0].set(xlabel="training step", ylabel="share of mixed groups", ylim=(0.0, 1.0))
    axes[0][1].set(xlabel="rollouts (thousands)", ylabel="learning signal (thousands)")
    legend_below(figure, axes[0], 3)
    return Drawn(figure=figure, numbers=pd.concat(parts), remarks=_warm_remarks(setting, seeds))


def by_rollouts(
    setting: Setting, who: str, seeds: int
) -> tuple[Float[np.ndarray, "G"], Float[np.ndarray, "S G"]]:
    """Rollouts spent, those of a warm start included, and the signal collected by then."""
    made = runs(setting, who, seeds)
    first = made["rollouts"][0, 1:]  # the same for every seed: nothing is filtered
    signal = made["signal_realised"][:, 1:]
    return np.concatenate(([0.0], first)), np.pad(signal, ((0, 0), (1, 0)))


def _warm_remarks(setting: Setting, seeds: int) -> str:
    """What the warm start brings early, and what it costs."""
    early = setting.sizes.steps // 10 or 1
    cold, warm = (
        mixed(setting, who.format(memory=setting.memory), seeds)[:, :early].mean()
        for who, _ in (STARTS[COLD], STARTS[WARM])
    )
    extra = setting.sizes.prompts * 8 / (setting.sizes.groups * setting.sizes.rollouts)
    return (
        f"In the first {early} training steps {warm:.2f} of the groups are mixed with a warm"
        f" start and {cold:.2f} without; the warm start costs the rollouts of {extra:.0f}"
        " training steps."
    )
