r"""GRESO's Figure 3(a): what earlier zero-variance groups say about the present one.

Three populations, each the chance $w$ of a zero-variance group of 8 per prompt and epoch:

- *drifting*: `sim.drifting`, whose five knobs were fitted to the figure. That its curves lie on
  the points is the fit; that a population of so few knobs can is the finding.
- *static*: the same spread at the start, and pass rates that never move. Exactly, the second
  curve must then fall (`theory.consistency`), which the figure's does not, so that no static
  population whatever reproduces it.
- *public log*: real trajectories of a smaller model in GRPO training (`theory/data`), whose
  second curve falls too. The figure's flat curve is not a law.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes

from report.aggregate import mean_band
from report.style import Look, looks
from sim.drifting import Drifting
from sim.figures.entry import Drawn, Value, share
from sim.figures.greso_marks import PRINTED
from sim.figures.layout import COLUMN, PAGE, band, grid, legend_below
from theory.consistency import Consistency, drifting_consistency, implied_shares
from theory.groups import zero_variance_probability
from theory.published import column

ROLLOUTS = 8
EPOCHS = np.arange(1.0, 11.0)
MOVING = Drifting(steps_per_epoch=1)
STILL = replace(MOVING, trend=0.0, walk=0.0)
CURVES = {
    "previous_given_now": "P(zero-variance before | now)",
    "now_given_previous": "P(zero-variance now | before)",
}
READING = 0.003  # of a point off the image
FIT = 0.009  # root mean square error with which the population was fitted
DRIFTING, STATIC, LOG = "drifting population", "static population", "public log, 1.5B"
LOOKS = {
    DRIFTING: looks(["greso"])["greso"],
    STATIC: Look("#661100", "D", (0, (5, 2))),
    LOG: Look("#332288", "h", (0, (1, 1))),
}


def chances(world: Drifting, seed: int) -> Float[np.ndarray, "E M"]:
    """Chance of a zero-variance group of every prompt in epochs 1 to 10."""
    path = world.begin(np.random.default_rng(seed)).path
    return np.stack([zero_variance_probability(path(e), ROLLOUTS) for e in range(EPOCHS.size)])


@cache
def populations(fraction: float) -> dict[str, Float[np.ndarray, "S E M"]]:
    """Chances of both populations under several seeds."""
    prompts, seeds = share(fraction, MOVING.prompts, least=5000), share(fraction, 5)
    worlds = {DRIFTING: MOVING, STATIC: STILL}
    return {
        name: np.stack([chances(replace(w, prompts=prompts), s) for s in range(seeds)])
        for name, w in worlds.items()
    }


def logged() -> Consistency:
    """Prompts of the public log of each kind, at visits 2 to 10."""
    keys = ("now", "any_previous", "both")
    prompts = [column("dsr_sub_consistency", key) for key in keys]
    return Consistency(*(each[: EPOCHS.size - 1] for each in prompts))


def curves(name: str, fraction: float) -> dict[str, Float[np.ndarray, "S E"]]:
    """Both curves of a population in epochs 2 to 10, by seed."""
    if name == LOG:
        seen = [logged()]
    else:
        seen = [drifting_consistency(each) for each in populations(fraction)[name]]
    return {key: np.stack([getattr(each, key)() for each in seen]) for key in CURVES}


def figure_3a(fraction: float) -> Drawn:
    """Both curves of Figure 3(a), with their points read off the image."""
    found = {name: curves(name, fraction) for name in LOOKS}
    figure, axes = grid(PAGE, 3.5, 1, 2)
    for panel, (key, title) in zip(axes[0], CURVES.items(), strict=True):
        _panel(panel, key, title, {name: each[key] for name, each in found.items()})
    axes[0][0].set_ylabel("share of prompts")
    legend_below(figure, axes[0], 4)
    off = {name: _worst(each) for name, each in found.items()}
    return Drawn(
        figure=figure,
        numbers=pd.concat([_rows(name, each) for name, each in found.items()] + [_printed()]),
        values=[value for key in CURVES for value in _values(key, found[DRIFTING][key])],
        remarks=f"The drifting population is at most {off[DRIFTING]:.3f} from a point read off"
        f" the figure, the static one {off[STATIC]:.2f} and the public log"
        f" {off[LOG]:.2f}: pass rates must have moved, and how flat the second curve is"
        " depends on the run.",
    )


def _panel(
    panel: Axes, key: str, title: str, samples: dict[str, Float[np.ndarray, "S E"]]
) -> None:
    """One of the two curves."""
    panel.set_title(title)
    panel.set_xlabel("epoch (of the log: visit)")
    for name, each in samples.items():
        band(panel, EPOCHS[1:], each, LOOKS[name], name)
    panel.plot(EPOCHS[1:], column("greso_fig3a", key), label="published", **PRINTED)
    panel.set_xticks(EPOCHS[1:])


def _worst(found: dict[str, Float[np.ndarray, "S E"]]) -> float:
    """Largest difference of a population's mean curves from the points."""
    return max(
        float(np.abs(each.mean(axis=0) - column("greso_fig3a", key)).max())
        for key, each in found.items()
    )


def _values(key: str, samples: Float[np.ndarray, "S E"]) -> list[Value]:
    """The points of a curve beside those of the drifting population."""
    return [
        Value(
            what=f"{CURVES[key]}, epoch {epoch:.0f}",
            published=float(point),
            here=float(here),
            tolerance=READING + 2 * FIT,
            note="read off the image to .003; twice the error of the fit, .009, allowed",
        )
        for epoch, point, here in zip(
            EPOCHS[1:], column("greso_fig3a", key), samples.mean(axis=0), strict=True
        )
    ]


def _rows(name: str, found: dict[str, Float[np.ndarray, "S E"]]) -> pd.DataFrame:
    """Both curves of a population, a row per epoch and curve."""
    parts: list[pd.DataFrame] = []
    for key, samples in found.items():
        middle, low, high = mean_band(samples)
        part = {"epoch": EPOCHS[1:], "curve": key, "of": name}
        parts.append(pd.DataFrame(part | {"value": middle, "low": low, "high": high}))
    return pd.concat(parts)


def _printed() -> pd.DataFrame:
    parts = {key: column("greso_fig3a", key)[None] for key in CURVES}
    return _rows("published", parts)


def shares(fraction: float) -> Drawn:
    """Share of zero-variance groups per epoch, and what the figure implies for it."""
    found = {name: w.mean(axis=-1) for name, w in populations(fraction).items()}
    samples = found[DRIFTING]
    back, ahead = (column("greso_fig3a", key) for key in CURVES)
    implied = samples.mean(axis=0)[0] * implied_shares(back, ahead)
    middle, low, high = mean_band(samples)
    figure, ((panel,),) = grid(COLUMN, 3.6)
    for name in (DRIFTING, STATIC):
        band(panel, EPOCHS, found[name], LOOKS[name], name)
    panel.plot(
        EPOCHS,
        implied,
        label="growth implied by Fig. 3(a),\nfrom epoch 1 of the fit",
        **PRINTED,
    )
    panel.set(xlabel="epoch", ylabel="share of zero-variance groups", ylim=(0, 1))
    panel.set_xticks(EPOCHS)
    legend_below(figure, [panel], 1)
    kinds = found | {"implied": implied[None]}
    return Drawn(
        figure=figure,
        numbers=pd.concat([_shares(name, each) for name, each in kinds.items()]),
        values=_growth(middle, implied),
        remarks=f"The share grows from {middle[0]:.3f} [{low[0]:.3f}, {high[0]:.3f}] in epoch 1"
        f" to {middle[-1]:.3f} [{low[-1]:.3f}, {high[-1]:.3f}] in epoch 10. Figure 3(a) fixes"
        " its growth and not its height.",
    )


def _shares(name: str, samples: Float[np.ndarray, "S E"]) -> pd.DataFrame:
    middle, low, high = mean_band(samples)
    of = {"epoch": EPOCHS, "of": name}
    return pd.DataFrame(of | {"zero_variance": middle, "low": low, "high": high})


def _growth(middle: Float[np.ndarray, "E"], implied: Float[np.ndarray, "E"]) -> list[Value]:
    """The second-hand share of mixed groups, and the growth over the first epoch."""
    late = Value(
        what="share of mixed groups late in training",
        published=0.2,
        here=float(1.0 - middle[-1]),
        tolerance=0.05,
        note="'about 20 %', second-hand and rounded; here epoch 10",
    )
    return [late] + [
        Value(
            what=f"zero-variance share of epoch {epoch} over that of epoch 1",
            published=float(implied[epoch - 1] / implied[0]),
            here=float(middle[epoch - 1] / middle[0]),
            tolerance=(READING + 2 * FIT) * (1 / 0.546 + 1 / 0.769),
            against="ratio",
            note="a ratio of points of Fig. 3(a), each with its tolerance there",
        )
        for epoch in (2, 5, 10)
    ]
