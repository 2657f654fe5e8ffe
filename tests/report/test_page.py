import re
import subprocess
import sys
from base64 import b64decode
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from report import plots
from report.page import Picture, Section, comparison, page
from report.plots import png
from report.summary import summarize
from report.tables import Cell, Grid
from report.template import STYLE
from tests.report.runs import run, trio

VOID = {"meta", "img", "br"}
NASTY = "<script>alert('1')</script> & \"co\" $title"


class Outline(HTMLParser):
    """Tags in order, attributes, and whether all are closed in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def outline(html: str) -> Outline:
    parser = Outline()
    parser.feed(html)
    parser.close()
    assert not parser.open
    return parser


def figure() -> Figure:
    drawn = Figure(figsize=(1, 1))
    drawn.subplots().plot([0, 1])
    return drawn


def nasty_page() -> str:
    grid = Grid(NASTY, (NASTY,), ((Cell(NASTY), Cell(f"{NASTY}\n{NASTY}", "cheaper")),), NASTY)
    shown = [Picture(png(figure()), NASTY)]
    section = Section(title=NASTY, text=NASTY, table=grid, pictures=shown)
    return page(NASTY, [section], lead=NASTY, assumptions={NASTY: NASTY}, command=NASTY)


@pytest.fixture(scope="module")
def compared() -> str:
    records = [*trio(), *trio("dale"), *trio("fen")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "png", partial(png, dpi=20))
        summary = summarize(records)
        return comparison(
            records,
            summary,
            plots.pictures(records, summary, worlds=["hill", "dale"]),
            title="Which prompts?",
            descriptions={"hill": "A slope.\n\nAll of it.", "absent": "No.", "dale": "Low."},
            assumptions={"rollouts per group": "8"},
            command="passband compare --seeds 3",
        )


def test_all_text_is_escaped() -> None:
    found = outline(nasty_page())
    assert "script" not in found.tags
    shown = [text for text in found.text if NASTY in text]
    assert len(shown) == 16  # two titles, two headings, two cell lines; ten others once
    assert ("alt", NASTY) in found.attributes


def test_the_page_asks_nothing_of_the_network(compared: str) -> None:
    found = outline(compared)
    assert not {"script", "link", "iframe"} & set(found.tags)
    sources = [value for name, value in found.attributes if name in ("src", "href")]
    assert all(value.startswith(("data:image/png;base64,", "#")) for value in sources)
    assert "http" not in re.sub(r"base64,[^']*", "", compared)
    assert "@import" not in compared
    assert "url(" not in compared


def test_links_lead_to_their_sections(compared: str) -> None:
    found = outline(compared)
    targets = {f"#{value}" for name, value in found.attributes if name == "id"}
    assert targets == {value for name, value in found.attributes if name == "href"}
    assert len(targets) == 4


def test_pictures_are_the_figures_and_have_words(compared: str) -> None:
    drawn = figure()
    html = page(
        "t",
        [Section(title="s", pictures=[Picture(png(drawn), "A line.")])],
        lead="",
        assumptions={},
        command="",
    )
    (data,) = re.findall(r"base64,([^']*)'", html)
    assert b64decode(data) == png(drawn)
    assert compared.count("<img alt='") == 1 + 2 * 3


def test_worlds_come_as_described_then_the_rest(compared: str) -> None:
    assert re.findall(r"<h2 id='s\d'>([^<]*)</h2>", compared) == [
        "At a glance",
        "hill",
        "dale",
        "fen",
    ]
    assert "<p>A slope.</p><p>All of it.</p>" in compared
    assert "<p>No.</p>" not in compared


def test_no_word_is_wider_than_the_page() -> None:
    (rule,) = re.findall(r"(.*)\{ overflow-wrap: anywhere; \}", STYLE)
    assert {"h1", "h2", "p", "li", "caption"} <= set(rule.strip().split(", "))


def test_an_interval_around_one_decides_nothing(compared: str) -> None:
    assert "cannot tell the strategy from the baseline at this number of seeds" in compared
    assert "shows no difference" not in compared


def test_strategies_are_listed_by_number_and_the_oracle_last() -> None:
    names = ["uniform", "oracle", "zeal", "speed:n=12", "speed:n=2"]
    records = [run(name) for name in names]
    html = comparison(
        records,
        summarize(records),
        dict.fromkeys(("overview", "hill-curves", "hill-ratios"), b""),
        title="t",
        descriptions={},
        assumptions={},
        command="",
    )
    assert "speed:n=2, speed:n=12, zeal, oracle: each against uniform" in html


def test_the_page_holds_tables_assumptions_and_command(compared: str) -> None:
    assert "mopps, oracle: each against uniform, on 3 worlds, in 27 runs." in compared
    assert "<th scope='row'>rollouts per group</th><td>8</td>" in compared
    assert "<pre>passband compare --seeds 3</pre>" in compared
    assert "<td class='cheaper'>0.80<small>[0.80, 0.80]</small></td>" in compared
    assert "0.50 is half the cost, 2.00 twice" in compared


def test_another_baseline_is_named_and_drawn_first(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []

    def remember(figure: Figure) -> bytes:
        drawn.append(figure)
        return b""

    monkeypatch.setattr(plots, "png", remember)
    records = [run("plain"), run("mopps")]
    summary = summarize(records, baseline="plain")
    html = comparison(
        records,
        summary,
        plots.pictures(records, summary),
        title="t",
        descriptions={},
        assumptions={},
        command="",
    )
    assert "mopps: each against plain, on 1 world, in 2 runs." in html
    labels = [str(line.get_label()) for line in drawn[1].axes[0].lines]
    assert labels == ["target", "plain", "mopps"]


def test_equal_runs_give_equal_pages() -> None:
    """Whatever order they come in."""
    texts: dict[str, Any] = {"title": "t", "descriptions": {}, "assumptions": {}, "command": ""}
    records = trio(seeds=1)
    one, other = (
        comparison(given, summary, plots.pictures(given, summary), **texts)
        for given in (records, records[::-1])
        for summary in (summarize(given),)
    )
    assert one == other


@pytest.mark.parametrize(
    ("module", "spared"),
    [
        ("record", {"scipy", "pandas", "matplotlib", "rich"}),
        ("currencies", {"scipy", "pandas", "matplotlib", "rich"}),
        ("aggregate", {"scipy", "pandas", "matplotlib", "rich"}),
        ("summary", {"matplotlib", "rich"}),
        ("tables", {"matplotlib"}),
        ("page", {"matplotlib.pyplot", "seaborn"}),
    ],
)
def test_importing_a_module_loads_no_more_than_it_needs(module: str, spared: set[str]) -> None:
    code = f"import sys, report.{module}; print(*sys.modules)"
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    others = {"selection", "theory", "sim", "smallscale"}
    assert not (spared | others) & set(done.stdout.split())
