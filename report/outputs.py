"""What a comparison leaves in its folder: tables, pictures and the report."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from report import atomic, page, plots
from report.currencies import DEFINITIONS, Definition
from report.record import Record
from report.summary import summarize, tidy, write_csv


@dataclass(frozen=True, kw_only=True)
class Story:
    """What a report tells besides its numbers.

    Attributes:
        title: Of the page.
        descriptions: Of every world, in the order they are shown in.
        assumptions: What was held fixed or taken for granted, each with its value.
        command: The command that makes the comparison again.
    """

    title: str
    descriptions: Mapping[str, str]
    assumptions: Mapping[str, str]
    command: str


def summaries(records: Sequence[Record], baseline: str) -> pd.DataFrame:
    """The summary under every definition of reaching a target."""
    return pd.concat(
        [summarize(records, baseline=baseline, definition=name) for name in DEFINITIONS],
        ignore_index=True,
    )


def shown(summary: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """The rows of the summary under one definition."""
    return summary.loc[summary["definition"] == definition, :].reset_index(drop=True)


def write(
    records: Sequence[Record],
    out: Path,
    story: Story,
    *,
    baseline: str,
    definition: Definition = "first",
) -> pd.DataFrame:
    """Write `comparison.csv`, `summary.csv`, `plots/*.png` and `report.html`.

    Returns:
        The summary under the definition that plots and report use.
    """
    everything = summaries(records, baseline)
    summary = shown(everything, definition)
    pictures = plots.pictures(records, summary, worlds=tuple(story.descriptions))
    html = page.comparison(
        records,
        summary,
        pictures,
        title=story.title,
        descriptions=story.descriptions,
        assumptions=story.assumptions,
        command=story.command,
    )
    clear(out)
    atomic.folder(out / "plots")
    for name, png in pictures.items():
        world, dash, kind = name.rpartition("-")
        atomic.write(out / "plots" / f"{atomic.slug(world)}{dash}{kind}.png", png)
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


def prepare(out: Path) -> None:
    """Make a folder for results.

    Raises:
        ValueError: It cannot be made or written to.
    """
    if out.resolve() == Path.cwd():
        raise ValueError("out is the current folder, which results would litter: name another")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise ValueError(
            f"out={str(out)!r} cannot be written ({error.strerror}): name another"
        ) from error
