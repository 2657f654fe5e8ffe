"""What SPEED's released scheduler spends per trained prompt, and how old its rollouts get.

Pass rates are held at those of the authors' counts, as they were before training.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from report.aggregate import Estimate, mean
from report.style import looks
from selection.strategies import Sizes
from sim.figures.entry import Drawn, Entry, Value, share
from sim.figures.layout import MODELS, PAGE, grid, legend_below
from sim.figures.speed_logs import UPDATES
from sim.figures.speed_runs import Phase, Run, ages, run
from theory import screening
from theory.published import dapo1k_passes

COUNTS = "counts of 1,000 DAPO-17k prompts, Zanette-Labs/speed-rl @ cc3de63"
ROLLOUTS, GROUP = 32, 24
SCREENS = (2, 3, 4, 6, 8, 12)  # simulated
RANGE = tuple(range(2, 17))  # estimated
SEEDS = 20
STEPS = 100
AGES = 8
PHASES: tuple[Phase, ...] = ("screening", "continuation")
Rows = list[dict[str, str | float]]


def runs(model: str, screen: int, fraction: float) -> list[Run]:
    """Runs of the released scheduler by seed; of a taste of a figure, short ones."""
    world, setting = f"static-{model.lower()}", f"screen={screen},extend={GROUP - screen}"
    steps = share(4.0 * fraction, STEPS, least=20)
    sizes = Sizes(groups=16, rollouts=GROUP, prompts=4000, steps=steps)
    seeds = range(share(fraction, SEEDS))
    return [run(world, f"speed-released:{setting}", sizes, seed) for seed in seeds]


def estimated_cost(model: str, screen: int) -> float:
    """Rollouts per group of 24 trained on, n / E[a] + 24 - n, without bias from the counts."""
    accepted = screening.estimated_acceptance(dapo1k_passes(model), ROLLOUTS, screen).mean()
    return float(screen / accepted + GROUP - screen)


def simulated_cost(model: str, screen: int, fraction: float) -> Estimate:
    """The same of the released scheduler, what it leaves untrained at the end included."""
    columns = [one.columns for one in runs(model, screen, fraction)]
    spent = [c["rollouts"][-1] / c["trained_rollouts"][-1] for c in columns]
    return mean(GROUP * np.array(spent))


def cost(fraction: float) -> Drawn:
    """Rollouts per trained prompt against N_init: estimated from counts, and simulated."""
    drawing, (panels,) = grid(PAGE, 2.7, columns=2)
    rows: Rows = []
    for panel, model in zip(panels, MODELS, strict=True):
        rows += _costs(panel, model, fraction)
    panels[0].set_ylabel("rollouts per trained prompt")
    legend_below(drawing, panels[:1], columns=3)
    return Drawn(
        figure=drawing,
        numbers=pd.DataFrame(rows),
        remarks=" ".join(map(_cheapest, MODELS))
        + " The simulated scheduler ends with rollouts that it has not trained on.",
    )


def _costs(panel: Axes, model: str, fraction: float) -> Rows:
    """Draws the costs of a model; the numbers drawn."""
    color, marker = MODELS[model]
    estimated = [estimated_cost(model, n) for n in RANGE]
    simulated = [simulated_cost(model, n, fraction) for n in SCREENS]
    filtered = estimated_cost(model, GROUP)
    panel.plot(RANGE, estimated, color=color, label="estimated")
    panel.errorbar(
        SCREENS,
        [s.value for s in simulated],
        [s.high - s.value for s in simulated],
        color=color,
        marker=marker,
        markerfacecolor="white",
        linestyle="none",
        capsize=2,
        label="simulated (95 %)",
    )
    panel.axhline(
        filtered, color=looks(("dynamic",))["dynamic"].color, label="whole-group filter"
    )
    panel.set(xlabel="screening rollouts N_init", title=f"Qwen2.5-Math-{model}")
    pairs = zip((*RANGE, GROUP), (*estimated, filtered), strict=True)
    rows: Rows = [_row(model, n, value=c) for n, c in pairs]
    return rows + [
        _row(model, n, value=s.value, low=s.low, high=s.high)
        for n, s in zip(SCREENS, simulated, strict=True)
    ]


def _row(model: str, screen: int, **numbers: float) -> dict[str, str | float]:
    kind = "simulated" if "low" in numbers else "estimated"
    return {"model": model, "kind": kind, "screening": screen, **numbers}


def _cheapest(model: str) -> str:
    """Where the estimated cost of a model is least, in words."""
    costs = {n: estimated_cost(model, n) for n in RANGE}
    best = min(costs, key=lambda n: costs[n])
    filtered = estimated_cost(model, GROUP)
    return (
        f"{model}: cheapest at N_init = {best} with {costs[best]:.1f} rollouts; a whole-group"
        f" filter needs {filtered:.1f}, {filtered / costs[best]:.2f} times as many."
    )


def staleness(fraction: float) -> Drawn:
    """Age of rollouts when trained on, in training steps, under the released scheduler."""
    drawing, (panels,) = grid(PAGE, 2.5, columns=2, sharey="all")
    rows: Rows = []
    values: list[Value] = []
    for panel, model in zip(panels, MODELS, strict=True):
        found = runs(model, 4, fraction)
        for phase in PHASES:
            old = mean(np.array([ages(one, phase).mean() for one in found]))
            rows += _ages(panel, model, phase, age_shares(found, phase), old.value)
            values.append(_fresh(model, phase, old))
        panel.set(xlabel="age when trained on (training steps)", xlim=(-0.6, 5.6))
        panel.set(title=f"Qwen2.5-Math-{model}", ylim=(0.0, 0.85))
        panel.legend(loc="upper right")
    panels[0].set_ylabel("share of rollouts")
    return Drawn(
        figure=drawing,
        numbers=pd.DataFrame(rows),
        values=values,
        remarks=f"At {UPDATES:.0f} optimizer updates per training step, a screening rollout has"
        f" seen {UPDATES * values[0].here:.0f} (1.5B) to {UPDATES * values[2].here:.0f} (7B)"
        " updates of the policy before it is trained on; the release corrects for none.",
    )


def age_shares(found: list[Run], phase: Phase) -> list[Estimate]:
    """Share of a phase's rollouts that are trained on at age 0, 1, ..., over seeds."""
    counted = np.array([np.bincount(ages(one, phase), minlength=AGES)[:AGES] for one in found])
    sizes = np.array([[ages(one, phase).size] for one in found])
    return [mean(column) for column in (counted / sizes).T]


def _ages(panel: Axes, model: str, phase: Phase, shares: list[Estimate], old: float) -> Rows:
    """Draws the ages of a phase; the numbers drawn."""
    color, first = looks(("speed",))["speed"].color, phase == "screening"
    panel.bar(
        np.arange(AGES) + (-0.2 if first else 0.2),
        [s.value for s in shares],
        0.4,
        yerr=[s.high - s.value for s in shares],
        color=color if first else "white",
        edgecolor=color,
        hatch=None if first else "////",
        error_kw={"linewidth": 0.8, "capsize": 1.5},
        label=f"{phase}, mean {old:.1f}",
    )
    return [
        {"model": model, "phase": phase, "age": age, "share": s.value, "low": s.low,
         "high": s.high}
        for age, s in enumerate(shares)
    ]  # fmt: skip


def _fresh(model: str, phase: Phase, old: Estimate) -> Value:
    return Value(
        what=f"{model}: mean age of {phase} rollouts, training steps",
        published=0.0,
        here=old.value,
        tolerance=0.05,
        note="SPEED, arXiv 2506.09016, Algorithm 1: all are of the current policy. The release"
        " screens in the call before it continues, and keeps surplus groups; 95 %"
        f" [{old.low:.2f}, {old.high:.2f}]",
    )


FIGURES: dict[str, Entry] = {
    "speed-cost": Entry(
        paper="SPEED",
        title="Rollouts per trained prompt against N_init",
        source=f"no figure in print; {COUNTS}",
        how="measured pass rates",
        seconds=14.0,
        make=cost,
    ),
    "speed-staleness": Entry(
        paper="SPEED",
        title="Age of rollouts when trained on, under the released scheduler",
        source="no figure in print; SPEED, arXiv 2506.09016 (withdrawn), Algorithm 1;"
        " Zanette-Labs/speed-rl @ 80e47b5, data_controller.py",
        how="simulation",
        seconds=4.0,
        make=staleness,
    ),
    "speed-algorithm1": Entry(
        paper="SPEED",
        title="Algorithm 1, and the scheme of fused screening and continuation",
        source="SPEED, arXiv 2506.09016 (withdrawn), Algorithm 1 and the pipeline figure",
        how=None,
        missing="a listing and a diagram without numbers; `passband strategies` states both as"
        " speed and speed-released",
    ),
}
