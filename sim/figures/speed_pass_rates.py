"""SPEED's histogram of pass rates, and where a training step's seconds go: its Figure 2."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from scipy.stats import betabinom

from sim.costs import Costs
from sim.figures.entry import Drawn, Entry, Value
from sim.figures.layout import COLUMN, MODELS, PAGE, grid, legend_below
from theory.published import FITTED, dapo1k_passes, reported

FIGURE_2 = "SPEED, arXiv 2506.09016 (withdrawn), Figure 2"
ROLLOUTS, BINS = 32, 20
PRINTED = {  # prompts per bin of .05
    "1.5B": (460, 149, 46, 78, 34, 56, 45, 12, 41, 10, 17, 19, 7, 8, 9, 7, 2, 0, 0, 0),
    "7B": (355, 121, 51, 82, 49, 64, 58, 32, 40, 20, 47, 34, 8, 18, 8, 11, 2, 0, 0, 0),
}
STEP = (384, 154)  # rollouts of a training step; passes, 4 of 10 as the prices assume
FITTED_TO = 0.09  # share by which the 7B prices miss the times that they were fitted to


def binned(passes: Int[np.ndarray, "M"]) -> Int[np.ndarray, "M"]:
    """Bin of .05 of each observed pass rate; a pass rate of 1 is in the last."""
    return np.minimum(passes * BINS // ROLLOUTS, BINS - 1)


def bins(model: str) -> Int[np.ndarray, "20"]:
    """Prompts per bin."""
    return np.bincount(binned(dapo1k_passes(model)), minlength=BINS)


def fitted_bins(model: str) -> Float[np.ndarray, "20"]:
    """Prompts per bin that the Beta distribution fitted to the counts expects."""
    k = np.arange(ROLLOUTS + 1)
    chance = 1000.0 * betabinom.pmf(k, ROLLOUTS, *FITTED[model])
    return np.bincount(binned(k), chance, minlength=BINS)


def pass_rates(_: float) -> Drawn:
    """The histogram of pass rates, and the Beta distribution fitted to it."""
    drawing, (panels,) = grid(PAGE, 2.5, columns=2, sharey="all")
    for panel, model in zip(panels, MODELS, strict=True):
        _histogram(panel, model)
    panels[0].set_ylabel("prompts of 1,000")
    panels[0].legend(loc="upper right")
    easiest = max(int(dapo1k_passes(model).max()) for model in MODELS)
    return Drawn(
        figure=drawing,
        numbers=pd.concat([_table(model) for model in MODELS], ignore_index=True),
        values=[value for model in MODELS for value in _values(model)],
        remarks=f"No prompt passes more than {easiest} of 32 rollouts: an upper threshold on"
        " the pass rate is untested by these data.",
    )


def _histogram(panel: Axes, model: str) -> None:
    left, (color, _) = np.arange(BINS) / BINS, MODELS[model]
    panel.bar(left, bins(model), width=1 / BINS, align="edge", color=color, edgecolor="white")
    middle = left + 0.5 / BINS
    panel.plot(middle, fitted_bins(model), "_", color="black", markersize=7, label="Beta fit")
    panel.set(xlabel="observed pass rate, 32 rollouts", xlim=(0.0, 1.0))
    panel.set_title(f"Qwen2.5-Math-{model}")


def _table(model: str) -> pd.DataFrame:
    left = np.arange(BINS) / BINS
    columns = {"from": left, "prompts": bins(model), "beta_fit": fitted_bins(model)}
    return pd.DataFrame({"model": model, **columns})


def _values(model: str) -> Iterator[Value]:
    """What is printed of the histogram of a model, bar by bar and in sum."""
    passes = dapo1k_passes(model)
    zeros, ones = (100.0 * float(np.mean(passes == k)) for k in (0, ROLLOUTS))
    for what, published, here, tolerance in (
        ("mean pass rate", reported(f"speed.mean_{model}"), passes.mean() / ROLLOUTS, 5e-5),
        ("% of prompts without a pass", reported(f"speed.zeros_{model}"), zeros, 0.05),
        ("% of prompts always passed", 0.0, ones, 0.05),
    ):
        yield Value(
            what=f"{model}: {what}",
            published=published,
            here=float(here),
            tolerance=tolerance,
            note=f"{FIGURE_2}; rounding",
        )
    for place, (published, here) in enumerate(zip(PRINTED[model], bins(model), strict=True)):
        yield Value(
            what=f"{model}: prompts in [{place / BINS:.2f}, {(place + 1) / BINS:.2f})",
            published=float(published),
            here=float(here),
            tolerance=0.5,
            note=f"{FIGURE_2}, bar of the histogram; exact",
        )


def timing(_: float) -> Drawn:
    """Inference and training seconds of a training step, printed and by the cost model."""
    printed = (reported("speed.inference_seconds"), reported("speed.training_seconds"))
    bars = {
        "7B printed": printed,
        "7B prices": seconds("speed-7b"),
        "1.5B prices": seconds("speed-1.5b"),
    }
    drawing, ((panel,),) = grid(COLUMN, 2.3)
    _stack(panel, bars)
    legend_below(drawing, [panel], columns=2)
    here = bars["7B prices"]
    return Drawn(
        figure=drawing,
        numbers=pd.DataFrame(
            [
                {"run": name, "inference_seconds": both[0], "training_seconds": both[1]}
                for name, both in bars.items()
            ]
        ),
        values=_timing_values(printed, here),
        remarks=f"Inference takes {100 * here[0] / sum(here):.0f} % of a 7B step by the cost"
        f" model, {100 * printed[0] / sum(printed):.0f} % in print. Not a measurement: its"
        " prices were fitted to the printed times among others.",
    )


def seconds(preset: str) -> tuple[float, float]:
    """Seconds of inference and of training of a training step, by the cost model."""
    costs, (rollouts, passes) = Costs.preset(preset), STEP
    training = costs.training_seconds(rollouts, passes, updates=1)
    return costs.generation_seconds(rollouts, passes), training


def _stack(panel: Axes, bars: dict[str, tuple[float, float]]) -> None:
    left = np.zeros(len(bars))
    for part, (name, color) in enumerate((("inference", "#88ccee"), ("training", "#ddcc77"))):
        spent = np.array([both[part] for both in bars.values()])
        drawn = panel.barh(
            list(bars), spent, left=left, color=color, edgecolor="white", label=name
        )
        panel.bar_label(drawn, fmt="%.0f", label_type="center")
        left = left + spent
    panel.invert_yaxis()
    panel.set(xlabel="seconds per training step")
    panel.grid(visible=False, axis="y")


def _timing_values(printed: tuple[float, float], here: tuple[float, float]) -> list[Value]:
    note = (
        f"{FIGURE_2}: captioned RLOO, its script reads a log of SPEED. The prices were fitted"
    )
    return [
        Value(
            what=what,
            published=published,
            here=found,
            tolerance=FITTED_TO,
            against="ratio",
            note=f"{note} to this and to the seconds per training step of other runs, to 9 %",
        )
        for what, published, found in (
            ("inference seconds per training step, 7B", printed[0], here[0]),
            ("training seconds per training step, 7B", printed[1], here[1]),
            ("inference over training", printed[0] / printed[1], here[0] / here[1]),
        )
    ]


FIGURES: dict[str, Entry] = {
    "speed-2-pass-rates": Entry(
        paper="SPEED",
        title="Histogram of pass rates before training",
        source=f"{FIGURE_2}; counts of 1,000 DAPO-17k prompts, Zanette-Labs/speed-rl @ cc3de63",
        how="published data",
        make=pass_rates,
    ),
    "speed-2-timing": Entry(
        paper="SPEED",
        title="Inference and training time of a training step",
        source=FIGURE_2,
        how="exact formula",
        make=timing,
    ),
}
