"""`index.html`: every figure with its verdicts, those not made and those that cannot be too.

One file in the look of the reports: pictures are embedded, so it can be mailed; PDF and CSV are
linked, and lie beside it.
"""

from base64 import b64encode
from collections.abc import Mapping
from html import escape

from report.template import PAGE, STYLE
from sim.figures import verdicts
from sim.figures.entry import Entry, Value
from sim.figures.make import Made
from sim.figures.registry import FIGURES

LEAD = (
    "Figures and tables of the papers, made again and set beside the values in print, which are"
    " reported claims, never taken for the truth."
)
READING = """\
Deviation is the difference, here − published, or the ratio, here / published (×). A value is\
 reproduced if it deviates by no more than the tolerance: rounding for numbers that can be\
 computed, the reading error for values read off a figure, and for simulations what the note\
 says. A value that is not reproduced may be wrong in print, or rest on what is not public.

How it is made: exact formula – computed, nothing drawn; published data – from logs, counts or\
 curves that the authors published; simulation – prompts with known pass rates; measured pass\
 rates – from counted rollouts of real models."""
EXTRA = """
.yes { color: var(--cheaper); font-weight: 650; } .no { color: var(--dearer); }
.grid td:last-child, .grid th:last-child { text-align: left; }
figure img { width: auto; max-width: 100%; max-height: 44rem; }
"""


def page(made: Mapping[str, Made], *, command: str) -> str:
    """The HTML of all entries of the registry.

    Args:
        made: What was made, now or by an earlier command, by key.
        command: The command that was given.
    """
    papers = dict.fromkeys(entry.paper for entry in FIGURES.values())
    return PAGE.substitute(
        title="Published figures, made again",
        style=STYLE + EXTRA,
        lead=f"<p>{escape(LEAD)}</p>{_overview(made)}",
        contents="".join(f"<li><a href='#{paper}'>{paper}</a></li>" for paper in papers),
        reading="".join(f"<p>{escape(part)}</p>" for part in READING.split("\n\n")),
        sections="".join(_paper(paper, made) for paper in papers),
        assumptions="".join(
            f"<tr><th scope='row'>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in _assumptions(made).items()
        ),
        command=escape(command),
    )


def _assumptions(made: Mapping[str, Made]) -> dict[str, str]:
    fractions = sorted({one.fraction for one in made.values()})
    shown = ", ".join(f"{fraction:g}" for fraction in fractions) or "nothing is made yet"
    return {
        "fraction of seeds": shown,
        "intervals": "95 %, Student's t over seeds",
        "colours": "a system has one colour in all figures, told apart with any colour vision",
    }


def _overview(made: Mapping[str, Made]) -> str:
    """A line per entry: what it is, how it is made, and what came out."""
    rows = "".join(
        f"<tr><td><a href='#{key}'>{key}</a></td><td>{escape(entry.title)}</td>"
        f"<td>{escape(entry.how or '–')}</td><td>{escape(state(key, entry, made))}</td></tr>"
        for key, entry in FIGURES.items()
    )
    head = "".join(
        f"<th scope='col'>{name}</th>" for name in ("key", "shows", "how", "verdict")
    )
    return (
        "<div class='wide'><table><thead><tr>"
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def state(key: str, entry: Entry, made: Mapping[str, Made]) -> str:
    """What became of an entry, in a few words."""
    if entry.make is None:
        return "cannot be made here"
    return verdicts.summary(made[key].compared) if key in made else "not made yet"


def _paper(paper: str, made: Mapping[str, Made]) -> str:
    entries = (
        _entry(key, entry, made.get(key))
        for key, entry in FIGURES.items()
        if entry.paper == paper
    )
    return f"<section><h2 id='{paper}'>{escape(paper)}</h2>{''.join(entries)}</section>"


def _entry(key: str, entry: Entry, made: Made | None) -> str:
    """One figure: heading, what and whence, picture, verdicts."""
    head = f"<h3 id='{key}'>{key}: {escape(entry.title)}</h3>"
    if entry.make is None:
        return f"{head}<p>{escape(entry.source)}</p><p>Not made: {escape(entry.missing)}</p>"
    source = f"<p>{escape(entry.source)}. Made here by: {escape(str(entry.how))}.</p>"
    if made is None:
        return f"{head}{source}<p>Not made yet: <code>passband figures {key}</code></p>"
    return head + source + _picture(entry, made) + _values(made.compared) + _files(made)


def _picture(entry: Entry, made: Made) -> str:
    data = b64encode(made.png).decode()
    return (
        f"<figure><img alt='{escape(entry.title)}' src='data:image/png;base64,{data}'>"
        f"<figcaption>{escape(made.remarks)}</figcaption></figure>"
    )


def _values(values: tuple[Value, ...]) -> str:
    if not values:
        return f"<p class='note'>{escape(verdicts.summary(values))}</p>"
    names = ("value", "published", "here", "deviation", "tolerance", "reproduced?", "note")
    head = "".join(f"<th scope='col'>{name}</th>" for name in names)
    return (
        f"<div class='wide'><table class='grid'><caption>{escape(verdicts.summary(values))}"
        f"</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(map(_row, values))}</tbody></table></div>"
    )


def _row(value: Value) -> str:
    verdict = "yes" if value.reproduced else "no"
    numbers = (
        verdicts.number(value.published),
        verdicts.number(value.here),
        verdicts.deviation(value),
        verdicts.tolerance(value),
    )
    cells = "".join(f"<td>{cell}</td>" for cell in numbers)
    return (
        f"<tr><th scope='row'>{escape(value.what)}</th>{cells}<td class='{verdict}'>{verdict}"
        f"</td><td>{escape(value.note)}</td></tr>"
    )


def _files(made: Made) -> str:
    links = " · ".join(
        f"<a href='{made.key}{end}'>{name}</a>"
        for end, name in ((".pdf", "PDF"), (".csv", "numbers"), ("-values.csv", "values"))
    )
    again = f"passband figures {made.key} --fraction {made.fraction:g}"
    return f"<p class='note'>{links} · <code>{again}</code></p>"
