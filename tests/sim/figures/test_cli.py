"""`passband figures` as a user meets it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sim.figures import cli
from sim.figures.make import Made
from sim.figures.registry import FIGURES
from tests.terminal import Terminal

ROOT = Path(__file__).parents[3]


@pytest.fixture
def terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Terminal:
    """Commands of the figures, run in an empty folder on a wide terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "220")
    return Terminal(monkeypatch, capsys, "figures")


@pytest.mark.parametrize("width", ["80", "220"])
def test_without_a_key_all_are_listed_and_nothing_is_written(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    status, said, complaint = terminal()
    assert (status, complaint) == (0, "")
    words = " ".join(said.split())
    for key, entry in FIGURES.items():
        assert f" {key} " in f" {words}"
        assert (entry.missing.split()[-1] if entry.missing else str(entry.how)) in words
        assert f"{entry.seconds:.0f} s" in said or entry.make is None
    assert not list(tmp_path.iterdir())


def test_a_figure_is_made_with_its_verdicts_and_the_page(
    terminal: Terminal, tmp_path: Path
) -> None:
    status, said, complaint = terminal("speed-2-timing", "speed-2-timing", "--out", "x")
    assert (status, complaint) == (0, "")
    assert said.count("speed-2-timing: Inference and training time") == 1
    assert "71.5" in said
    assert "yes" in said
    assert said.rstrip().endswith("x/index.html")
    assert (tmp_path / "x" / "speed-2-timing.pdf").exists()
    assert "passband figures speed-2-timing" in (tmp_path / "x" / "index.html").read_text()


def test_what_was_made_earlier_stays_on_the_page(terminal: Terminal, tmp_path: Path) -> None:
    for key in ("speed-2-timing", "speed-snr"):
        assert terminal(key, "--out", "x", "--jobs", "1")[0] == 0
    assert (tmp_path / "x" / "index.html").read_text().count("<img ") == 2


def test_what_cannot_be_made_is_said_and_is_no_error(terminal: Terminal) -> None:
    status, said, complaint = terminal("speed-algorithm1", "--out", "x")
    assert (status, complaint) == (0, "")
    assert "speed-algorithm1: cannot be made: a listing and a diagram without numbers" in said


def test_all_of_them(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def told(keys: list[str], fraction: float, out: Path, jobs: int) -> list[Made]:
        assert (fraction, out, jobs) == (0.02, Path("x"), 3)
        asked.extend(keys)
        return [Made(key=k, fraction=fraction, compared=(), remarks="", png=b"") for k in keys]

    monkeypatch.setattr(cli, "make_all", told)
    status, said, _ = terminal("--all", "--fraction", "0.02", "--jobs", "3", "--out", "x")
    assert status == 0
    assert asked == [key for key, entry in FIGURES.items() if entry.make is not None]
    assert said.count("cannot be made:") == len(FIGURES) - len(asked)


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["speed-tabel1"], "unknown figure 'speed-tabel1': did you mean 'speed-table1'?"),
        (["speed-snr", "--fraction", "0"], "fraction=0.0 must lie in (0, 1]"),
        (["speed-snr", "--fraction", "1.5"], "fraction=1.5 must lie in (0, 1]"),
        (["speed-snr", "--fraction", "nan"], "fraction=nan must lie in (0, 1]"),
        (["--all", "--fraction", "-1"], "fraction=-1.0 must lie in (0, 1]"),
        (["speed-snr", "--jobs", "0"], "jobs=0 must be a whole number of at least 1"),
        (["speed-snr", "--out", "/dev/null/x"], "out='/dev/null/x' cannot be written"),
        (["speed-snr", "--out", "."], "out is the current folder"),
        (["speed-snr", "--frac", "1"], "Unrecognized options"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    terminal: Terminal, tmp_path: Path, args: list[str], complaint: str
) -> None:
    status, said, found = terminal(*args)
    assert (status, said) == (2, "")
    assert found.startswith("passband: ")
    assert complaint in found
    assert found.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_interrupted_it_ends_with_130_and_the_page_of_what_is_made(tmp_path: Path) -> None:
    keys = ("speed-2-timing", "speed-ablation")
    process = subprocess.Popen(
        [sys.executable, ROOT / "passband.py", "figures", *keys, "--jobs=2", "--out=x"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    waiting = time.monotonic() + 60.0
    while not (tmp_path / "x" / "speed-2-timing.json").exists():
        assert time.monotonic() < waiting
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert complaint.splitlines()[-1] == "passband figures: interrupted"
    assert "speed-2-timing.pdf" in (tmp_path / "x" / "index.html").read_text()
