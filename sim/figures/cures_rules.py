r"""Figure 1 of CurES, computed: what each rule does with a prompt of pass rate p.

The figure (arXiv 2510.01037) is a sketch without values. Here it is computed, for
prompts whose pass rate p is known, as the papers argue, and for rules that know a few rollouts
only, as they run:

| rule | chance of being trained on | rollouts of a prompt drawn |
|---|---|---|
| SPEED | $M_4(p)$, the chance that 4 rollouts are mixed | 4, and 20 more where they are |
| GVM | the same for all; 0 if no pilot of 8 passed | $1/\sqrt{p + \alpha/p}$ |
| CurES, paper | $\exp(\sqrt v/\tau)$ | $\sqrt v$ |
| CurES, released | its weight, uniform to .3 %, times $M_4(p)$ | $\sqrt{\hat v}$ of 4 pilots |

The temperature of the paper is not reported; .1 is ours. Score norms are taken to be equal.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from scipy.stats import binom

from report.style import looks
from selection.allocation import neyman_deviation
from selection.cures import Cures, Curriculum
from selection.protocol import Outcome
from sim.figures.across_draw import column, legend
from sim.figures.entry import Drawn, Entry, Value
from theory.gibbs import gibbs
from theory.gvm import gvm_weight
from theory.screening import acceptance

RATES = np.arange(0.005, 1.0, 0.005)  # symmetric about 1/2, which is among them
SCREEN, EXTEND, GVM_PILOT = 4, 20, 8
PAPER = Cures.paper(rollouts=8)
RELEASED = replace(Cures.released(rollouts=8, shards=1), subsets=1)
NAMES = {
    "speed": "SPEED",
    "gvm": "GVM, p known",
    "gvm-released": "GVM, from its pilot",
    "cures": "CurES, p known",
    "cures-released": "CurES, released",
}
CODE = "ZexuSun/CurES @ eccf298, executed"

Rates = Float[np.ndarray, "P"]


def after_pilot(worth: Float[np.ndarray, "K"], rates: Rates) -> Rates:
    """Mean of what 0, 1, 2 ... passes of a pilot are worth, at each true pass rate."""
    passes = np.arange(worth.size)
    return np.asarray(binom.pmf(passes, worth.size - 1, rates[:, None]) @ worth)


def piloted(passes: Int[np.ndarray, "K"]) -> Curriculum:
    """State of the release after a pilot with these passes, no norms told."""
    state, order = RELEASED.ask(RELEASED.init(passes.size), 1, np.random.default_rng(0))
    return RELEASED.tell(state, order, Outcome(passes=passes[order.prompts], norms=None))[0]


def released_weights() -> Float[np.ndarray, "5"]:
    """Sampling weights of the release for 0 to 4 pilot passes, relative to the least."""
    state = piloted(np.arange(RELEASED.pilot + 1))
    weights = RELEASED.probabilities(state)[np.argsort(state.iteration.members)]
    return weights / weights.min()


def chances() -> dict[str, Rates]:
    """Chance of a prompt to be trained on when a batch is filled, relative to p = 1/2."""
    mixed = acceptance(RATES, SCREEN)
    fixed = released_weights() * np.array(
        [0.0, 1.0, 1.0, 1.0, 0.0]
    )  # no allocation, no training
    curves = {
        "speed": mixed,
        "gvm": np.ones(RATES.size),
        "gvm-released": 1.0 - (1.0 - RATES) ** GVM_PILOT,
        "cures": gibbs(RATES, PAPER.temperature),
        "cures-released": after_pilot(fixed, RATES),
    }
    return {name: curve / curve[RATES.size // 2] for name, curve in curves.items()}


def allocations() -> dict[str, Rates]:
    """Rollouts of a prompt drawn, over their mean for evenly spread pass rates."""
    passes = np.arange(GVM_PILOT + 1) / GVM_PILOT
    curves = {
        "speed": SCREEN + EXTEND * acceptance(RATES, SCREEN),
        "gvm": gvm_weight(RATES),
        "gvm-released": after_pilot(gvm_weight(passes), RATES),
        "cures": neyman_deviation(RATES),
        "cures-released": after_pilot(neyman_deviation(np.arange(5) / 4.0), RATES),
    }
    return {name: curve / curve.mean() for name, curve in curves.items()}


def _panel(panel: Axes, title: str, curves: Mapping[str, Rates]) -> None:
    """Curves over the pass rate."""
    known = looks(NAMES)
    for name, curve in curves.items():
        wide = 3.0 if name == "speed" else 1.2  # what lies on it stays visible
        panel.plot(
            RATES,
            curve,
            color=known[name].color,
            linestyle=known[name].line,
            linewidth=wide,
            alpha=0.5 if name == "speed" else 1.0,
            label=NAMES[name],
        )
    panel.set_title(title)
    panel.set_xlim(0.0, 1.0)
    panel.set_ylim(0.0)


def _tidy(parts: Mapping[str, Mapping[str, Rates]]) -> pd.DataFrame:
    """A row per quantity, rule and pass rate."""
    frames = [
        pd.DataFrame({"quantity": part, "rule": name, "pass_rate": RATES, "value": curve})
        for part, curves in parts.items()
        for name, curve in curves.items()
    ]
    return pd.concat(frames, ignore_index=True)


def rules(fraction: float) -> Drawn:
    """CurES's Figure 1, computed."""
    del fraction  # nothing is drawn at random
    parts = {"chance": chances(), "rollouts": allocations()}
    with column(4.1) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True)
        _panel(upper, "chance to be trained on, relative to p = 1/2", parts["chance"])
        _panel(lower, "rollouts allocated, relative to their mean", parts["rollouts"])
        lower.set_xlabel("true pass rate p")
        upper.set_ylabel("ratio")
        lower.set_ylabel("ratio")
        legend(figure, [lower], 2)
    return Drawn(
        figure=figure, numbers=_tidy(parts), values=_released_values(), remarks=_moral(parts)
    )


def _moral(parts: Mapping[str, Mapping[str, Rates]]) -> str:
    chance = parts["chance"]
    gap = float(np.abs(chance["cures-released"] - chance["speed"]).max())
    edge = float(chance["cures"][0])
    return (
        f"Known p: CurES draws a prompt of p = {RATES[0]:g} {edge:.3f} times as often as "
        "one of "
        f"p = 1/2 (temperature {PAPER.temperature:g}, not reported). As released, its "
        "chance to "
        f"be trained on differs from SPEED's by at most {gap:.1g}: the filter on 4 pilot "
        "rollouts does the selecting, the sampler next to nothing."
    )


def _released_values() -> list[Value]:
    """What the authors' code gave when it was run, beside this project's version of it."""
    weights = released_weights()
    passes = np.array([1, 2, 3, 4])
    state = piloted(passes)
    shares = RELEASED.share_out(state, np.argsort(state.iteration.members), passes.size)
    note = "not in print: the released code, run on this input"
    values = [
        Value(
            what="largest over smallest sampling weight of the release",
            published=1.00299,
            here=float(weights.max() / weights.min()),
            tolerance=1e-5,
            note=f"{CODE}: {note}; tolerance: the digits of its float32 weights",
        )
    ]
    for passed, ran, ours in zip(passes, (10, 12, 10, 0), shares, strict=True):
        values.append(
            Value(
                what=f"rollouts where {passed} of 4 pilots passed, budget 8 for each of 4",
                published=float(ran),
                here=float(ours),
                tolerance=1e-9,
                note=f"{CODE}: {note}; whole numbers",
            )
        )
    return values


FIGURES: dict[str, Entry] = {
    "cures-1": Entry(
        paper="CurES",
        title="Prompt distribution and allocation of each rule, as stated and as released",
        source="Figure 1, arXiv 2510.01037 (a sketch: no values)",
        how="exact formula",
        seconds=0.4,
        make=rules,
    ),
}
