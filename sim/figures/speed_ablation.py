"""SPEED's N_init ablation, 1.5B: logged accuracy, simulated training accuracy, norms of noise.

The simulation is that of `sim.figures.speed_training`.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes

from report.style import Look, looks
from sim.figures.entry import Drawn, Entry, Value
from sim.figures.layout import PAGE, grid, legend_below
from sim.figures.speed_training import PAPER, READ, Trained, amount, by_ten, trained
from theory.published import reported, speed_curve

SCREENS = (4, 6, 8, 0)  # rollouts of screening; 0 is the baseline, RLOO
NAMES = {4: "N_init = 4", 6: "N_init = 6", 8: "N_init = 8", 0: "RLOO"}
RUNS = {4: ("RLOO", "SPEED"), 6: ("RLOO N6+18", "SPEED"), 8: ("RLOO N8+16", "SPEED")}
PRINTED = {4: (0.29, 0.445), 6: (0.29, 0.434), 8: (0.30, 0.412), 0: (0.12, 0.227)}
HOURS, STEPS, LATE = 12.0, 410, 400  # LATE: the step of the second printed training accuracy
FIGURE = f"{PAPER}, N_init ablation figure"


def ablation(fraction: float) -> Drawn:
    """N_init 4, 6 and 8 and the baseline, in three panels."""
    styles = _looks()
    found = {n: trained("1.5B", n, **amount(fraction, STEPS)) for n in SCREENS}
    ratios = norm_ratios(found)
    drawing, ((logged, accuracy, norm),) = grid(PAGE, 3.0, columns=3)
    frames = [_logged(logged, n, styles[n]) for n in SCREENS]
    for n in SCREENS:
        drawn = by_ten(accuracy, found[n].accuracy, styles[n], NAMES[n])
        frames.append(drawn.assign(system=NAMES[n], quantity="training accuracy, simulated"))
    _draw_norms(norm, ratios, styles)
    frames += [
        pd.DataFrame({"system": [NAMES[n]], "quantity": "norm over RLOO's", "value": [ratio]})
        for n, ratio in ratios.items()
    ]
    logged.set(xlabel="hours", ylabel="accuracy on DAPO-1k", title="Authors' logs")
    accuracy.set(xlabel="training step", ylabel="training accuracy", title="Simulated")
    legend_below(drawing, [logged], columns=4)
    return Drawn(
        figure=drawing,
        numbers=pd.concat(frames, ignore_index=True),
        values=[*_best(), *_norm_values(ratios), *_accuracies(found)],
        remarks="The norms of the ablation follow from mini-batches of 16 N_init rollouts and"
        " from what is accepted: there is no signal in the simulated ones. One seed per log.",
    )


def _looks() -> dict[int, Look]:
    """Looks by N_init; the release's own 4 has SPEED's."""
    settings = {4: "speed", 6: "speed:screen=6", 8: "speed:screen=8", 0: "uniform"}
    named = looks(settings.values())
    return {n: named[setting] for n, setting in settings.items()}


def _curve(screen: int) -> Float[np.ndarray, "E 6"]:
    """The log of a run of the ablation."""
    algo, variant = RUNS.get(screen, ("RLOO", "base"))
    return speed_curve(("1.5B", "DAPO-17k", algo, variant))


def _logged(panel: Axes, screen: int, look: Look) -> pd.DataFrame:
    """Draws a logged run; the numbers drawn."""
    run = _curve(screen)
    shown = run[run[:, 1] <= HOURS]
    name = NAMES[screen]
    panel.plot(shown[:, 1], shown[:, 2], color=look.color, linestyle=look.line, label=name)
    drawn = pd.DataFrame({"hours": shown[:, 1], "value": shown[:, 2]})
    return drawn.assign(system=name, quantity="accuracy on DAPO-1k, logged")


def norm_ratios(found: dict[int, Trained]) -> dict[int, float]:
    """Gradient norm over the baseline's in the first 20 training steps, by N_init."""
    early = {n: float(both.norm[:, :20].mean()) for n, both in found.items()}
    return {n: early[n] / early[0] for n in RUNS}


def _draw_norms(panel: Axes, ratios: dict[int, float], styles: dict[int, Look]) -> None:
    names = [str(n) for n in ratios]
    colors = [styles[n].color for n in ratios]
    panel.bar(names, list(ratios.values()), width=0.6, color=colors)
    printed = [reported(f"speed.norm_ratio_{n}") for n in ratios]
    panel.plot(names, printed, "o", color="#333333", markerfacecolor="white", label="printed")
    panel.set(xlabel="N_init", ylabel="gradient norm / RLOO's", title="Bars: noise alone")
    panel.legend(loc="upper right", handletextpad=0.1)
    panel.set_ylim(0.0, 4.4)
    panel.grid(visible=False, axis="x")


def _best() -> Iterator[Value]:
    for n in SCREENS:
        yield Value(
            what=f"best accuracy on DAPO-1k, {NAMES[n]}",
            published=reported(f"speed.best_{n or 'rloo'}"),
            here=float(_curve(n)[:, 2].max()),
            tolerance=5e-4,
            note=f"{FIGURE}; from the logs, rounding",
        )


def _norm_values(ratios: dict[int, float]) -> Iterator[Value]:
    for n, here in ratios.items():
        yield Value(
            what=f"gradient norm over RLOO's, {NAMES[n]}",
            published=reported(f"speed.norm_ratio_{n}"),
            here=here,
            tolerance=0.1,
            against="ratio",
            note=f"{FIGURE}, read off the image (5 %); simulated first 20 steps, noise alone",
        )


def _accuracies(found: dict[int, Trained]) -> Iterator[Value]:
    """Training accuracy at the start; later only where it was not used to set the pace."""
    for n, both in found.items():
        start, late = PRINTED[n]
        yield Value(
            what=f"training accuracy at the start, {NAMES[n]}",
            published=start,
            here=float(both.accuracy[:, :3].mean()),
            tolerance=0.02,
            note=f"{FIGURE}, read off the image ±{READ}; pass rates of held-out prompts here",
        )
        if n and both.accuracy.shape[1] >= LATE:
            yield Value(
                what=f"training accuracy at step {LATE}, {NAMES[n]}",
                published=late,
                here=float(both.accuracy[:, LATE - 10 : LATE].mean()),
                tolerance=0.05,
                note=f"{FIGURE}, read off the image ±{READ}; predicted, once the baseline's"
                f" {PRINTED[0][1]} set the pace of the world",
            )


FIGURES: dict[str, Entry] = {
    "speed-ablation": Entry(
        paper="SPEED",
        title="N_init ablation: accuracy, training accuracy and gradient norm, 1.5B",
        source=f"{FIGURE} (1.5B on DAPO-17k); logs of Zanette-Labs/speed-rl @ cc3de63",
        how="simulation",
        seconds=17.0,
        make=ablation,
    ),
}
