"""One self-contained HTML page: what was compared, what was assumed, and what came out.

No scripts and no requests: figures are embedded, so the file can be mailed, archived and
printed. All text is escaped; nothing in it depends on the clock or the machine.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from report.record import Record
from report.runs import arranged, by_world, ordered
from report.tables import Cell, Grid, grid
from report.template import CAPTIONS, PAGE, READING, STYLE


@dataclass(frozen=True)
class Picture:
    """A PNG file and the sentence under it, which also stands in for it when read aloud."""

    png: bytes
    caption: str


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading, paragraphs (blank lines part them), a table and pictures."""

    title: str
    text: str = ""
    table: Grid | None = None
    pictures: Sequence[Picture] = ()


def page(
    title: str,
    sections: Iterable[Section],
    *,
    lead: str,
    assumptions: Mapping[str, str],
    command: str,
) -> str:
    """The HTML of a report.

    Args:
        title: Title of the page.
        sections: What was found, in order.
        lead: A paragraph on what was compared.
        assumptions: What was held fixed or taken for granted, each with its value.
        command: The command that makes the page again.
    """
    listed = list(enumerate(sections))
    return PAGE.substitute(
        title=escape(title),
        style=STYLE,
        lead=_paragraphs(lead),
        contents="".join(
            f"<li><a href='#s{place}'>{escape(section.title)}</a></li>"
            for place, section in listed
        ),
        assumptions="".join(
            f"<tr><th scope='row'>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in assumptions.items()
        ),
        reading=_paragraphs(READING),
        sections="".join(_section(section, place) for place, section in listed),
        command=escape(command),
    )


def comparison(
    records: Sequence[Record],
    summary: pd.DataFrame,
    pictures: Mapping[str, bytes],
    *,
    title: str,
    descriptions: Mapping[str, str],
    assumptions: Mapping[str, str],
    command: str,
) -> str:
    """The page of a comparison: all worlds at a glance, then each.

    Args:
        records: What was run.
        summary: Their `report.summary.summarize`.
        pictures: Their `report.plots.pictures`.
        title: Title of the page.
        descriptions: A description of each world, in the order in which they are shown; worlds
            without one come after. Give `pictures` the same order.
        assumptions: As for `page`.
        command: As for `page`.
    """
    worlds = arranged(by_world(records), descriptions)
    baseline = str(summary["baseline"].iloc[0])
    strategies = ordered(set(summary["strategy"]) - {baseline}, first=baseline)
    lead = (
        f"{', '.join(strategies)}: each against {baseline}, on {_count(len(worlds), 'world')},"
        f" in {_count(len(records), 'run')}."
    )
    first = Section(
        title="At a glance",
        pictures=(Picture(pictures["overview"], CAPTIONS["overview"]),),
    )
    return page(
        title,
        [first, *(_world(summary, pictures, name, descriptions) for name in worlds)],
        lead=lead,
        assumptions=assumptions,
        command=command,
    )


def _world(
    summary: pd.DataFrame,
    pictures: Mapping[str, bytes],
    world: str,
    descriptions: Mapping[str, str],
) -> Section:
    """The section of one world."""
    return Section(
        title=world,
        text=descriptions.get(world, ""),
        table=grid(summary, world),
        pictures=tuple(
            Picture(pictures[f"{world}-{kind}"], CAPTIONS[kind])
            for kind in ("curves", "ratios")
        ),
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("s" if number != 1 else "")


def _section(section: Section, place: int) -> str:
    table = "" if section.table is None else _table(section.table)
    pictures = "".join(map(_picture, section.pictures))
    heading = f"<h2 id='s{place}'>{escape(section.title)}</h2>"
    return f"<section>{heading}{_paragraphs(section.text)}{table}{pictures}</section>"


def _picture(picture: Picture) -> str:
    data = b64encode(picture.png).decode()
    caption = escape(picture.caption)
    return (
        f"<figure><img alt='{caption}' src='data:image/png;base64,{data}'>"
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _table(cells: Grid) -> str:
    head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in cells.header)
    body = "".join(f"<tr>{_row(row)}</tr>" for row in cells.rows)
    return (
        f"<div class='wide'><table class='grid'><caption>{escape(cells.title)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f"<p class='note'>{_lines(cells.note)}</p>"
    )


def _row(row: Sequence[Cell]) -> str:
    name, *rest = row
    cells = (f"<td class='{cell.tone}'>{_cell(cell.text)}</td>" for cell in rest)
    return f"<th scope='row'>{escape(name.text)}</th>{''.join(cells)}"


def _cell(text: str) -> str:
    """The first line as the cell's value, what follows as its fine print."""
    value, _, rest = text.partition("\n")
    return escape(value) + (f"<small>{_lines(rest)}</small>" if rest else "")


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_lines(part)}</p>" for part in text.split("\n\n") if part.strip())


def _lines(text: str) -> str:
    return escape(text.strip()).replace("\n", "<br>")
