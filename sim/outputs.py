"""What a comparison leaves in its folder: tables, pictures and the report."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from report import atomic, page, plots
from report.currencies import DEFINITIONS, Definition
from report.record import Record
from report.summary import summarize, tidy, write_csv
from selection.strategies import STRATEGIES, Sizes, strategy
from sim.catalogue import MARGIN, WORLDS, Place, place
from sim.compare import BASELINE, Comparison, slug
from sim.costs import Costs


def summaries(records: Sequence[Record]) -> pd.DataFrame:
    """The summary under every definition of reaching a target."""
    return pd.concat(
        [summarize(records, baseline=BASELINE, definition=name) for name in DEFINITIONS],
        ignore_index=True,
    )


def shown(summary: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """The rows of the summary under one definition."""
    return summary.loc[summary["definition"] == definition, :].reset_index(drop=True)


def write(
    comparison: Comparison,
    records: Sequence[Record],
    out: Path,
    *,
    command: str,
    definition: Definition = "first",
) -> pd.DataFrame:
    """Write `comparison.csv`, `summary.csv`, `plots/*.png` and `report.html`.

    Returns:
        The summary under the definition that plots and report use.
    """
    everything = summaries(records)
    summary = shown(everything, definition)
    pictures = plots.pictures(records, summary, worlds=comparison.worlds)
    html = page.comparison(
        records,
        summary,
        pictures,
        title="Which prompts to roll out: a comparison",
        descriptions=descriptions(comparison),
        assumptions=assumptions(comparison),
        command=command,
    )
    clear(out)
    atomic.folder(out / "plots")
    for name, png in pictures.items():
        world, dash, kind = name.rpartition("-")
        atomic.write(out / "plots" / f"{slug(world)}{dash}{kind}.png", png)
    write_csv(tidy(records), out / "comparison.csv")
    write_csv(everything, out / "summary.csv")
    atomic.write(out / "report.html", html)
    return summary


def clear(out: Path) -> None:
    """Remove what an earlier comparison left, but for its runs, so that nothing mixes."""
    ours = ("comparison.csv", "summary.csv", "report.html", "plots/overview.png")
    drawn = (file for kind in ("curves", "ratios") for file in out.glob(f"plots/*-{kind}.png"))
    for file in (*(out / name for name in ours), *drawn):
        with atomic.naming(file):
            file.unlink(missing_ok=True)


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
