"""SPEED's training curves, 7B, in the coupled world beside the published ones.

The world's pass rates start at those of the authors' counts and move because they are trained
(`sim.coupled`). Its unit of time is free: `PACE` is set so that the *baseline's* training
accuracy gains by step 400 what it gains in print, in log-odds. SPEED is then predicted; nothing
of it was fitted. Gradient norms are those of noise alone, at the mini-batches of the release:
16 N_init rollouts with SPEED, 384 without.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes

from report.style import Look, looks
from selection.strategies import Sizes
from sim.figures.entry import Drawn, Entry, Value, share
from sim.figures.layout import PAGE, curve, grid, legend_below
from sim.figures.speed_runs import noise_norm, run, training_accuracy

PAPER = "SPEED, arXiv 2506.09016 (withdrawn)"
GROUP, SEEDS, STEPS = 24, 8, 600  # beyond, SPEED has solved this world, which has no plateau
PACE = {"1.5B": 0.25, "7B": 0.33}  # `step` of the coupled world
READ = 0.01  # error of reading a value off a figure
# Read off the training-curve figure, 7B on DeepScaleR, every 100 training steps.
PRINTED = {
    "speed": (0.42, 0.465, 0.488, 0.497, 0.499, 0.51, 0.508),
    "uniform": (0.304, 0.378, 0.439, 0.482, 0.518, 0.524, 0.544),
}
NORMS = {"first 50 steps": (0.43, 0.153), "after step 300": (0.28, 0.079)}  # SPEED's, RLOO's
LABELS = {"speed": "SPEED, 6 updates per step", "uniform": "RLOO, 1 update per step"}


@dataclass(frozen=True)
class Trained:
    """Training accuracy and noise norm by seed and training step."""

    accuracy: Float[np.ndarray, "S T"]
    norm: Float[np.ndarray, "S T"]


def trained(model: str, screen: int, *, steps: int, seeds: int) -> Trained:
    """Runs of the release with N_init rollouts of screening; of its baseline for 0."""
    updates = GROUP // screen if screen else 1
    setting = f"speed-released:screen={screen},extend={GROUP - screen}" if screen else "uniform"
    sizes = Sizes(groups=16, rollouts=GROUP, prompts=4000, steps=steps)
    world = f"coupled:population=dapo17k-{model.lower()},updates={updates},step={PACE[model]}"
    runs = [run(world, setting, sizes, seed) for seed in range(seeds)]
    least = min(len(one.batches) for one in runs)  # it ends where no prompt is mixed any more
    return Trained(
        np.stack([training_accuracy(one)[:least] for one in runs]),
        np.stack([noise_norm(one, updates)[:least] for one in runs]),
    )


def amount(fraction: float, most: int) -> dict[str, int]:
    """Seeds and training steps: a taste of a figure is cut short as well."""
    return {"seeds": share(fraction, SEEDS), "steps": share(4.0 * fraction, most, least=30)}


def by_ten(
    panel: Axes, samples: Float[np.ndarray, "S T"], look: Look, label: str
) -> pd.DataFrame:
    """Draws the mean of ten steps at a time, with its interval; the numbers drawn."""
    width = samples.shape[1] // 10 * 10
    tens = samples[:, :width].reshape(len(samples), -1, 10).mean(axis=2)
    steps = 10.0 * np.arange(tens.shape[1]) + 5.0
    middle, low, high = curve(panel, steps, tens, color=look.color, line=look.line, label=label)
    return pd.DataFrame({"step": steps, "value": middle, "low": low, "high": high})


def training(fraction: float) -> Drawn:
    """Training accuracy and gradient norm against training steps."""
    styles, sizes = looks(LABELS), amount(fraction, STEPS)
    found = {"speed": trained("7B", 4, **sizes), "uniform": trained("7B", 0, **sizes)}
    drawing, ((left, right),) = grid(PAGE, 2.9, columns=2, sharex="all")
    frames: list[pd.DataFrame] = []
    for name, both in found.items():
        for panel, quantity, samples in (
            (left, "training accuracy", both.accuracy),
            (right, "norm of noise", both.norm),
        ):
            drawn = by_ten(panel, samples, styles[name], LABELS[name])
            frames.append(drawn.assign(system=name, quantity=quantity))
        frames.append(_printed(left, name, styles[name]))
    left.set(xlabel="training step", ylabel="training accuracy", title="Passes in the batch")
    right.set(xlabel="training step", ylabel="gradient norm", title="Norm, if all were noise")
    right.set(ylim=(0.0, None), xlim=(-15.0, STEPS + 15.0))
    legend_below(drawing, [left], columns=2)
    return Drawn(
        figure=drawing,
        numbers=pd.concat(frames, ignore_index=True),
        values=[*_accuracies(found), *_norms(found)],
        remarks="Simulated from 7B pass rates on DAPO-17k, for those on DeepScaleR are not"
        " public; the unit of time is set by the baseline. Norms in units of the noise of one"
        " rollout: mini-batches of 64 rollouts against 384, and which groups are trained on,"
        " make a ratio as printed early on, without any signal.",
    )


def _printed(panel: Axes, name: str, look: Look) -> pd.DataFrame:
    """Draws what was read off the published figure; the numbers drawn."""
    steps = 100.0 * np.arange(len(PRINTED[name]))
    panel.plot(
        steps,
        PRINTED[name],
        look.marker,
        color=look.color,
        markerfacecolor="white",
        label=f"{LABELS[name].split(',')[0]}, printed (DeepScaleR)",
    )
    drawn = pd.DataFrame({"step": steps, "value": PRINTED[name]})
    return drawn.assign(system=name, quantity="training accuracy, printed")


def _accuracies(found: dict[str, Trained]) -> Iterator[Value]:
    """Training accuracy at the start and, as far as the runs go, at step 500."""
    for name, both in found.items():
        for step in (0, 500):
            if both.accuracy.shape[1] >= step + 10:
                yield Value(
                    what=f"training accuracy at step {step}, {LABELS[name].split(',')[0]}",
                    published=PRINTED[name][step // 100],
                    here=float(both.accuracy[:, step : step + 10].mean()),
                    tolerance=0.03,
                    note=f"{PAPER}, training-curve figure, read off the image ±{READ}; other"
                    " prompts here (DAPO-17k), and a world without a plateau",
                )


def _norms(found: dict[str, Trained]) -> Iterator[Value]:
    """Ratios of gradient norms, early and, as far as the runs go, late."""
    parts = (slice(0, 50), slice(300, None))
    for (when, (speed, rloo)), part in zip(NORMS.items(), parts, strict=True):
        here = [found[name].norm[:, part] for name in ("speed", "uniform")]
        if all(norms.size for norms in here):
            yield Value(
                what=f"gradient norm, SPEED's over RLOO's, {when}",
                published=speed / rloo,
                here=float(here[0].mean() / here[1].mean()),
                tolerance=0.15,
                against="ratio",
                note=f"{PAPER}, gradient-norm figure, read off the image (10 %); here of noise"
                " alone, and late in a world where most prompts are solved",
            )


FIGURES: dict[str, Entry] = {
    "speed-training": Entry(
        paper="SPEED",
        title="Training accuracy and gradient norm against training steps, 7B",
        source=f"{PAPER}, training-curve figure (7B on DeepScaleR)",
        how="simulation",
        seconds=13.0,
        make=training,
    ),
}
