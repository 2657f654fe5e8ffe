"""What the report of a simulated comparison says of its worlds, strategies and assumptions."""

from report.outputs import Story
from selection.strategies import STRATEGIES, Sizes, strategy
from sim.catalogue import MARGIN, WORLDS, Place, place
from sim.compare import Comparison
from sim.costs import Costs


def story(comparison: Comparison, command: str) -> Story:
    """What the report of a comparison tells besides its numbers."""
    return Story(
        title="Which prompts to roll out: a comparison",
        descriptions=descriptions(comparison),
        assumptions=assumptions(comparison),
        command=command,
    )


def descriptions(comparison: Comparison) -> dict[str, str]:
    """What each world is, what counts as progress in it, and the target."""
    return {world: _description(world, comparison) for world in comparison.worlds}


def _description(world: str, comparison: Comparison) -> str:
    where = place(world, comparison.sizes)
    if where.world.progress == "accuracy":
        goal = f"a mean pass rate of {where.target:g} on held-out prompts"
    else:
        goal = (
            f"a learning signal of {where.target:,.6g}, the sum of K(N-K)/(N-1) over trained"
            " groups: by default what uniform selection expects from half its steps"
        )
    return (
        f"{where.entry.summary}.\nTarget: {goal}; {_updates(where)}."
        f"\nSource: {where.entry.source}."
    )


def _updates(where: Place) -> str:
    """How many optimizer updates a training step takes, in words."""
    if where.entry.accounting == "released":
        return (
            "as many optimizer updates per training step as each release makes for each of its"
            " baseline's"
        )
    learner = getattr(where.world, "learner", None)
    if learner is not None and learner.mini_batch is not None:
        return f"one optimizer update for every {learner.mini_batch} rollouts of a batch"
    updates = getattr(where.world, "updates", 1) if learner is None else learner.updates
    return f"optimizer updates per training step, for every strategy: {updates}"


def assumptions(comparison: Comparison) -> dict[str, str]:
    """What was assumed, for the report."""
    sizes = comparison.sizes
    return {
        "sizes": f"{sizes.prompts:,} prompts; {sizes.groups} groups of {sizes.rollouts}"
        f" rollouts per training step; at most {sizes.steps} training steps;"
        f" {comparison.seeds} seeds",
        "fairness": "the same learner, step size and optimizer updates per training step for"
        " all strategies, except where a world says that it follows the releases",
        "common random numbers": "strategies under one seed meet the same prompts and the same"
        " start, and draw from equal streams; once they order differently, their rollouts"
        " differ. Ratios are paired by seed",
        "moving worlds": "in replay and drifting, pass rates move with the training steps"
        " taken, whatever is trained: a strategy that takes fewer steps meets other pass rates",
        "targets": "runs of worlds that learn go on"
        f" {MARGIN:g} past the target; in the others progress is the signal collected, since"
        " nothing is learned there",
        "seconds": f"modelled, prices {comparison.costs}: {Costs.preset(comparison.costs)}",
        "mixed": "share of mixed groups among the groups trained on",
        "strategies": "; ".join(
            f"{name}: {strategy(name, sizes).knobs(sizes)}" for name in comparison.contestants
        ),
    }


def strategies_text() -> list[tuple[str, str, str, str]]:
    """Name, summary, source and knobs of every strategy in the catalogue."""
    return [
        (name, entry.summary, entry.source, strategy(name, Sizes()).knobs(Sizes()))
        for name, entry in STRATEGIES.items()
    ]


def worlds_text() -> list[tuple[str, str, str, str]]:
    """Name, summary, source and knobs of every world in the catalogue."""
    return [
        (name, entry.summary, entry.source, repr(entry.make(Sizes())))
        for name, entry in WORLDS.items()
    ]
