"""Figures as files: whole, the same every time, and found again."""

import json
from pathlib import Path

import pandas as pd
import pytest

from report.atomic import UnwritableError
from selection.settings import SettingError
from sim.figures import make, registry, verdicts
from sim.figures.entry import Drawn, Entry
from sim.figures.index import page
from sim.figures.make import Made, earlier, make_all
from sim.figures.registry import FIGURES

ENDS = (".csv", ".json", ".pdf", ".png", "-values.csv")
SIMULATED, COMPUTED = "speed-staleness", "speed-table1-definitions"


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_figure_leaves_picture_numbers_and_verdicts(tmp_path: Path) -> None:
    made = make.make(COMPUTED, 0.5, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {f"{COMPUTED}{end}" for end in ENDS}
    assert made.png == (tmp_path / f"{COMPUTED}.png").read_bytes()
    assert made.png.startswith(b"\x89PNG")
    assert (tmp_path / f"{COMPUTED}.pdf").read_bytes().startswith(b"%PDF")
    table = (tmp_path / f"{COMPUTED}-values.csv").read_text(encoding="utf-8")
    assert verdicts.from_csv(table) == made.compared
    assert len(pd.read_csv(tmp_path / f"{COMPUTED}.csv")) == 11 * 28
    assert made.seconds > 0.0


def test_the_same_bytes_whenever_and_however_many_at_a_time(tmp_path: Path) -> None:
    """Also from processes of their own, which have cached nothing."""
    folders = [tmp_path / name for name in "ab"]
    for folder, jobs in zip(folders, (1, 2), strict=True):
        folder.mkdir()
        made = list(make_all((SIMULATED, COMPUTED), 0.02, folder, jobs))
        assert {one.key for one in made} == {SIMULATED, COMPUTED}
    assert content(folders[0]) == content(folders[1])


def test_no_file_holds_a_date(tmp_path: Path) -> None:
    make.make("speed-2-timing", 1.0, tmp_path)
    assert not any(b"CreationDate" in data for data in content(tmp_path).values())


def test_the_fraction_decides_the_seeds(tmp_path: Path) -> None:
    less, more = (make.make(SIMULATED, fraction, tmp_path) for fraction in (0.02, 0.11))
    assert [v.here for v in less.compared] != [v.here for v in more.compared]


@pytest.mark.parametrize("fraction", [0.0, -0.1, 1.01, float("nan"), float("inf")])
def test_a_fraction_outside_its_range_is_refused(tmp_path: Path, fraction: float) -> None:
    with pytest.raises(ValueError, match=r"fraction=.* must lie in \(0, 1\]"):
        make.make(COMPUTED, fraction, tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_made_says_why(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"speed-table1-own cannot be made: needs 14 training"):
        make.make("speed-table1-own", 1.0, tmp_path)
    with pytest.raises(SettingError, match="did you mean 'speed-snr'"):
        make.make("speed-snt", 1.0, tmp_path)


def test_jobs_are_counted(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="jobs=0 must be a whole number of at least 1"):
        list(make_all((COMPUTED,), 1.0, tmp_path, 0))


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        UnwritableError, match=r"nowhere/speed-table1-definitions\.png cannot be"
    ):
        make.make(COMPUTED, 1.0, tmp_path / "nowhere")


def _needing(_: float) -> Drawn:
    raise ModuleNotFoundError("No module named 'torch'", name="torch")


def test_a_missing_dependency_is_named_with_its_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = Entry(paper="SPEED", title="t", source="s", how="simulation", make=_needing)
    monkeypatch.setitem(registry.FIGURES, "speed-needing", entry)
    with pytest.raises(ValueError, match=r"needs torch, .* pip install 'passband\[train\]'"):
        make.make("speed-needing", 1.0, tmp_path)


def test_a_figure_is_found_again_while_its_seal_stands(tmp_path: Path) -> None:
    made = make.make(COMPUTED, 0.5, tmp_path)
    assert list(earlier(tmp_path)) == [COMPUTED]
    found = earlier(tmp_path)[COMPUTED]
    assert (found.compared, found.remarks, found.png, found.fraction) == (
        made.compared,
        made.remarks,
        made.png,
        0.5,
    )
    (tmp_path / f"{COMPUTED}.json").unlink()
    assert earlier(tmp_path) == {}


@pytest.mark.parametrize("end", [".json", "-values.csv"])
def test_a_damaged_figure_counts_as_not_made(tmp_path: Path, end: str) -> None:
    make.make(COMPUTED, 1.0, tmp_path)
    (tmp_path / f"{COMPUTED}{end}").write_text("[]")
    assert earlier(tmp_path) == {}


def test_an_interrupted_figure_has_no_seal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old seal goes before the first new file comes."""
    make.make(COMPUTED, 1.0, tmp_path)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(make.atomic, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make.make(COMPUTED, 1.0, tmp_path)
    assert earlier(tmp_path) == {}


def test_slow_figures_begin_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    def told(key: str, fraction: float, out: Path) -> Made:
        begun.append(key)
        assert (fraction, out) == (0.5, tmp_path)
        return Made(key=key, fraction=fraction, compared=(), remarks="", png=b"")

    monkeypatch.setattr(make, "make", told)
    keys = ["speed-2-timing", SIMULATED, "speed-ablation"]
    assert len(list(make_all(keys, 0.5, tmp_path, 1))) == 3
    assert begun == ["speed-ablation", SIMULATED, "speed-2-timing"]


def test_the_page_lists_all_made_or_not(tmp_path: Path) -> None:
    made = make.make("speed-snr", 1.0, tmp_path)
    html = page({"speed-snr": made}, command="passband figures <speed-snr>")
    for key, entry in FIGURES.items():
        assert f"<h3 id='{key}'>" in html
        if entry.make is None:
            assert html.count("cannot be made here") >= 1
    assert html.count("<img ") == 1
    assert html.count("Not made yet") == sum(e.make is not None for e in FIGURES.values()) - 1
    assert html.count("Not made: ") == sum(e.make is None for e in FIGURES.values())
    assert "3 of 5 values reproduced" in html
    assert html.count("<td class='no'>") == 2
    assert "passband figures &lt;speed-snr&gt;" in html
    assert "<script" not in html
    assert "src='http" not in html
    assert "href='speed-snr.pdf'" in html


def test_the_seal_holds_what_the_page_says_of_a_figure(tmp_path: Path) -> None:
    made = make.make("speed-2-timing", 0.25, tmp_path)
    sealed = json.loads((tmp_path / "speed-2-timing.json").read_text(encoding="utf-8"))
    assert sealed == {"fraction": 0.25, "remarks": made.remarks}
