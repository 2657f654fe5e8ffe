"""Makes figures and writes them: picture, plotted numbers, verdicts, and a page of them all.

A figure is a function of its key and a fraction of its seeds alone: not of how many are made
at a time, nor of the clock. Of each, `KEY.json` is removed first and written last, so that
where it stands the files beside it are of one make.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from time import perf_counter

from matplotlib.figure import Figure

from report import atomic
from report.parallel import unordered
from report.plots import png
from report.style import house
from selection.checks import counts
from sim.figures import verdicts
from sim.figures.entry import Value
from sim.figures.registry import FIGURES, figure

DPI = 220  # a column of 3.4 inches is 748 pixels wide: sharp on a screen of double density


@dataclass(frozen=True, kw_only=True)
class Made:
    """A figure that was made: what its page says of it.

    Attributes:
        key: Its key.
        fraction: The fraction of its seeds or draws.
        compared: Published values beside ours.
        remarks: What to take from it.
        png: The picture.
        seconds: Time it took; NaN where it was made by an earlier command.
    """

    key: str
    fraction: float
    compared: tuple[Value, ...]
    remarks: str
    png: bytes
    seconds: float = float("nan")


def checked(fraction: float) -> float:
    """The fraction.

    Raises:
        ValueError: It is outside (0, 1].
    """
    if not 0.0 < fraction <= 1.0:
        raise ValueError(
            f"fraction={fraction} must lie in (0, 1]: 1 is all seeds, 0.02 a taste"
        )
    return fraction


def make(key: str, fraction: float, out: Path) -> Made:
    """A figure, made and written to a folder that exists.

    Raises:
        SettingError: The key is unknown.
        ValueError: The fraction is outside (0, 1], the figure cannot be made, or what it needs
            is not installed.
        UnwritableError: The folder takes no files.
    """
    entry, share = figure(key), checked(fraction)
    if entry.make is None:
        raise ValueError(f"{key} cannot be made: {entry.missing}")
    started = perf_counter()
    try:
        with house():
            drawn = entry.make(share)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{key} needs {error.name}, which is not installed: pip install 'passband[train]'"
        ) from error
    picture, values = png(drawn.figure, dpi=DPI), tuple(drawn.values)
    numbers = drawn.numbers.to_csv(index=False, lineterminator="\n")
    seal = out / f"{key}.json"
    with atomic.naming(seal):
        seal.unlink(missing_ok=True)
    atomic.write(out / f"{key}.png", picture)
    atomic.write(out / f"{key}.pdf", pdf(drawn.figure))
    atomic.write(out / f"{key}.csv", numbers)
    atomic.write(out / f"{key}-values.csv", verdicts.to_csv(values))
    atomic.write(seal, json.dumps({"fraction": share, "remarks": drawn.remarks}, indent=1))
    return Made(
        key=key,
        fraction=share,
        compared=values,
        remarks=drawn.remarks,
        png=picture,
        seconds=perf_counter() - started,
    )


def pdf(drawing: Figure) -> bytes:
    """The figure as a PDF file, without a date: equal figures give equal bytes."""
    buffer = BytesIO()
    with house():
        drawing.savefig(buffer, format="pdf", metadata={"CreationDate": None})
    return buffer.getvalue()


def make_all(keys: Sequence[str], fraction: float, out: Path, jobs: int) -> Iterator[Made]:
    """The figures of these keys as they are ready, `jobs` at a time, slow ones begun first.

    Raises:
        ValueError: As `make`, or `jobs` is not a positive whole number.
    """
    counts(jobs=jobs)
    slowest = sorted(keys, key=lambda key: -FIGURES[key].seconds)
    yield from unordered(make, ((key, fraction, out) for key in slowest), jobs)


def earlier(out: Path) -> dict[str, Made]:
    """Figures that lie whole in a folder, by key; what cannot be read counts as not made."""
    found = {key: _earlier(key, out) for key in FIGURES}
    return {key: made for key, made in found.items() if made is not None}


def _earlier(key: str, out: Path) -> Made | None:
    try:
        sealed = json.loads((out / f"{key}.json").read_text(encoding="utf-8"))
        values = verdicts.from_csv((out / f"{key}-values.csv").read_text(encoding="utf-8"))
        picture = (out / f"{key}.png").read_bytes()
        fraction, remarks = float(sealed["fraction"]), str(sealed["remarks"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # it can be made again
    return Made(key=key, fraction=fraction, compared=values, remarks=remarks, png=picture)
