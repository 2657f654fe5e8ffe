"""The comparison of one world as a table, for a terminal and for the page.

A cell is the ratio to the baseline above its 95% interval; the baseline's cells are its cost.
Intervals hold a space where a narrow terminal can wrap them.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from types import MappingProxyType
from typing import Any

import pandas as pd
from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from report.currencies import CURRENCIES, DEFINITIONS, Currency
from report.numerals import ABSENT, Tone, amount, digits, scale, times, tone
from report.record import label

GAIN_IN = "rollouts"  # the currency of the table's oracle gain; summary.csv has the others
NAME = 18  # letters of a strategy's name that are never folded

Row = Mapping[Hashable, Any]  # a row of the summary
TERMINAL: Mapping[Tone, str] = MappingProxyType(
    {"cheaper": "bold green", "even": "", "dearer": "red"}
)


@dataclass(frozen=True)
class Cell:
    """Text of one or more lines, and whether its interval lies on one side of 1."""

    text: str
    tone: Tone = "even"


@dataclass(frozen=True)
class Grid:
    """A table's text; the first cell of a row names it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    @property
    def texts(self) -> list[list[str]]:
        """The rows without their tones."""
        return [[cell.text for cell in row] for row in self.rows]


def grid(summary: pd.DataFrame, world: str) -> Grid:
    """The comparison of one world: strategies down, currencies across.

    Raises:
        ValueError: the summary has no such world.
    """
    here = [row for row in summary.to_dict("records") if row["world"] == world]
    if not here:
        raise ValueError(f"no world {world}: {sorted(set(summary['world']))}")
    by_strategy: dict[str, list[Row]] = {}
    for row in here:
        by_strategy.setdefault(row["strategy"], []).append(row)
    headings = (currency.heading for currency in CURRENCIES)
    return Grid(
        title=_title(here[0]),
        header=("strategy", *headings, "mixed groups", "oracle gain"),
        rows=tuple(_row(rows) for rows in by_strategy.values()),
        note=_note(here),
    )


def table(summary: pd.DataFrame, world: str, *, width: int = 120) -> Table:
    """The comparison of one world for a terminal `width` columns wide.

    Where whole intervals do not fit, every column is as narrow as its longest word, and a name
    of more than 18 letters is folded: 80 columns are enough.
    """
    cells = grid(summary, world)
    shown = Table(
        title=cells.title,
        caption=cells.note,
        title_style="bold",
        caption_style="dim",
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        leading=1,
        padding=0,
        show_edge=False,
    )
    columns = list(zip(cells.header, *cells.texts, strict=True))
    widths = _widths(columns, width)
    for place, (column, letters) in enumerate(zip(columns, widths, strict=True)):
        justify = "right" if place else "left"
        shown.add_column(Text(column[0]), justify=justify, overflow="fold", width=letters)
    for row in cells.rows:
        shown.add_row(*(Text(cell.text, style=TERMINAL[cell.tone]) for cell in row))
    return shown


def _widths(columns: Sequence[Sequence[str]], width: int) -> list[int]:
    """Widths with whole lines if they fit, else with whole words; long names give way."""
    for separator in ("\n", None):
        name, *others = (_width(column, separator) for column in columns)
        spare = width - sum(others) - len(others)
        if spare >= min(name, NAME):
            break
    return [min(name, max(spare, NAME)), *others]


def _width(column: Sequence[str], separator: str | None) -> int:
    """Letters of a column's longest piece; its heading is always cut into words."""
    heading, *texts = column
    pieces = [piece for text in texts for piece in text.split(separator)]
    return max(map(cell_len, heading.split() + pieces))


def _row(rows: Sequence[Row]) -> tuple[Cell, ...]:
    """The cells of one strategy, from its rows of the summary."""
    first = rows[0]
    of = {row["currency"]: row for row in rows}
    cell = _time_cell if first["strategy"] == first["baseline"] else _ratio_cell
    return (
        Cell(first["strategy"]),
        *(cell(of[currency.column], currency) for currency in CURRENCIES),
        Cell(_mixed(first)),
        Cell(_percent(of[GAIN_IN]["oracle_gain"])),
    )


def _ratio_cell(row: Row, _: Currency) -> Cell:
    """Ratio and interval, or ratio and how many seeds reached the target."""
    shown = times(row["ratio"], row["ratio_bound"])
    if row["reached"] < row["seeds"]:
        shown += f"\n{row['reached']}/{row['seeds']} reach"
    elif not isnan(row["ratio_low"]):
        shown += f"\n[{times(row['ratio_low'])}, {times(row['ratio_high'])}]"
    return Cell(shown, tone(row["ratio_low"], row["ratio_high"]))


def _time_cell(row: Row, currency: Currency) -> Cell:
    """Time and interval, or time and how many seeds reached the target."""
    shown = amount(row["time"], currency)
    if row["reached"] < row["seeds"]:
        return Cell(f"≥ {shown}\n{row['reached']}/{row['seeds']} reach")
    if isnan(row["low"]):
        return Cell(shown)
    size, unit = scale(row["time"], currency)
    prefix = "" if currency.unit == "s" else unit
    low, high = (digits(row[end] / size) + prefix for end in ("low", "high"))
    return Cell(f"{shown}\n[{low}, {high}]")


def _mixed(row: Row) -> str:
    """Share of mixed groups in percent, and its interval."""
    shown = _percent(row["mixed"])
    if isnan(row["mixed_low"]):
        return shown
    return f"{shown}\n[{100 * row['mixed_low']:.0f}, {100 * row['mixed_high']:.0f}]"


def _percent(share: float) -> str:
    return ABSENT if isnan(share) else f"{share:z.0%}".replace("-", "−")


def _title(row: Row) -> str:
    return (
        f"{row['world']}: cost of {label(row['progress'])} ≥ {row['target']:,g},"
        f" relative to {row['baseline']}"
    )


def _note(rows: Sequence[Row]) -> str:
    """What the cells are, and why an oracle gain is missing."""
    first = rows[0]
    seeds = "1 seed" if first["seeds"] == 1 else f"{first['seeds']} seeds, [95% intervals]"
    why: dict[str, list[str]] = {}
    for row in rows:
        if row["currency"] == GAIN_IN and row["oracle_note"]:
            why.setdefault(row["oracle_note"], []).append(row["strategy"])
    lines = [f"{seeds}. Reached: {DEFINITIONS[first['definition']]}."]
    lines += [f"The row {first['baseline']} shows its cost. Oracle gain is in {GAIN_IN}."]
    everyone = {row["strategy"] for row in rows}
    for note, names in why.items():
        whose = "" if set(names) == everyone else f" for {', '.join(names)}"
        lines.append(f"No oracle gain{whose}: {note}.")
    return "\n".join(lines)
