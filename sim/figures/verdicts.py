"""Published values beside ours, as a table that reads back as it was written."""

import csv
from collections.abc import Sequence
from io import StringIO
from math import isnan

from sim.figures.entry import Value

HEADER = (
    "what",
    "published",
    "here",
    "against",
    "deviation",
    "tolerance",
    "reproduced",
    "note",
)


def to_csv(values: Sequence[Value]) -> str:
    """A row per published value: how far ours is off, and whether that is reproduced."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for one in values:
        found = (float(one.published), float(one.here), one.against, float(one.deviation))
        verdict = (float(one.tolerance), "yes" if one.reproduced else "no")
        writer.writerow((one.what, *found, *verdict, one.note))
    return text.getvalue()


def from_csv(text: str) -> tuple[Value, ...]:
    """The values of a table that `to_csv` wrote.

    Raises:
        ValueError: It is no such table.
    """
    header, *rows = list(csv.reader(StringIO(text, newline=""))) or [[]]
    if tuple(header) != HEADER:
        raise ValueError(f"columns {', '.join(header)} are not {', '.join(HEADER)}")
    return tuple(_value(dict(zip(HEADER, row, strict=True))) for row in rows)


def _value(row: dict[str, str]) -> Value:
    return Value(
        what=row["what"],
        published=float(row["published"]),
        here=float(row["here"]),
        tolerance=float(row["tolerance"]),
        against="ratio" if row["against"] == "ratio" else "difference",
        note=row["note"],
    )


def deviation(value: Value) -> str:
    """How far ours is from the published value, for a reader."""
    if isnan(value.here):
        return "–"
    if value.against == "ratio":
        return f"× {value.deviation:.3g}"
    return f"{value.deviation:+.3g}".replace("-", "−")


def tolerance(value: Value) -> str:
    """The deviation that counts as reproduced, for a reader."""
    if value.against == "ratio":
        return f"± {100 * value.tolerance:.3g} %"
    return f"± {value.tolerance:.2g}"


def number(value: float) -> str:
    """A value for a reader: four digits, and a dash where there is none."""
    return "–" if isnan(value) else f"{value:.4g}".replace("-", "−")


def summary(values: Sequence[Value]) -> str:
    """How many of the values are reproduced."""
    if not values:
        return "no value in print to compare with"
    kept = sum(value.reproduced for value in values)
    return f"{kept} of {len(values)} values reproduced"
