"""The command line as a user meets it: what it prints, and what it says to bad input."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
import pytest

import passband
from report.atomic import slug
from report.record import Record
from selection.strategies import STRATEGIES
from sim import compare
from sim.catalogue import WORLDS
from sim.compare import Comparison
from tests.terminal import Terminal

ROOT = Path(__file__).parents[1]
EASY = "static-1.5b:population=beta(2, 3)"
TINY = ["--seeds", "1", "--steps", "2", "--groups", "2", "--rollouts", "4", "--prompts", "12"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys)


def shell(*args: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, its stderr not a terminal."""
    return subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "passband.py"), *args],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize("args", [(), ("--help",), ("-h",)])
def test_help_names_every_command(terminal: Terminal, args: tuple[str, ...]) -> None:
    status, said, complaint = terminal(*args)
    assert (status, complaint) == (0, "")
    for command, (_, _, what) in passband.COMMANDS.items():
        assert re.search(rf"^  {command} +{re.escape(what)}$", said, re.MULTILINE)


@pytest.mark.parametrize("command", passband.COMMANDS)
def test_help_of_a_command_says_what_it_does(terminal: Terminal, command: str) -> None:
    """In the first line of the docstring of its class."""
    status, said, complaint = terminal(command, "--help")
    assert (status, complaint) == (0, "")
    assert "--help" in said
    module, kind, _ = passband.COMMANDS[command]
    what = getattr(import_module(module), kind).__doc__.splitlines()[0]
    assert len(what.split()) > 2
    assert what in " ".join(said.split())


@pytest.mark.parametrize("command", ["compare", "sweep"])
def test_help_explains_every_option(terminal: Terminal, command: str) -> None:
    _, said, _ = terminal(command, "--help")
    words = " ".join(said.split())
    for option in ("seeds", "steps", "groups", "rollouts", "prompts", "costs", "jobs", "out"):
        assert re.search(rf"--{option} \w+ │? ?[A-Z]", words), option


def test_the_version_is_that_of_the_package(terminal: Terminal) -> None:
    """Or a line that says why there is none, in a folder that was never installed."""
    status, said, complaint = terminal("--version")
    try:
        assert (status, said, complaint) == (0, f"{version('passband')}\n", "")
    except PackageNotFoundError:
        assert (status, said) == (2, "")
        assert complaint.startswith("passband: not installed")


@pytest.mark.parametrize(("command", "names"), [("strategies", STRATEGIES), ("worlds", WORLDS)])
def test_listings_name_everything(
    terminal: Terminal, command: str, names: dict[str, object]
) -> None:
    status, said, complaint = terminal(command)
    assert (status, complaint) == (0, "")
    for name in names:
        assert re.search(rf"^│ {re.escape(name)} +│", said, re.MULTILINE), name


def test_listings_show_sources_and_knobs(terminal: Terminal) -> None:
    said = " ".join(terminal("strategies")[1].split())
    assert "arXiv 2506.09016 (withdrawn)" in said
    assert "Speed(screen=4, extend=20, " in said
    assert "cosine_within=0.3" in " ".join(terminal("worlds")[1].split())


BAD = [
    (["frob"], "unknown command 'frob': see passband --help"),
    (["compar"], "unknown command 'compar': did you mean 'compare'?"),
    (["--verbose"], "unknown command '--verbose': see passband --help"),
    (["compare", "--sed", "3"], "Unrecognized options: --sed, 3: Perhaps you meant: --seeds"),
    (["compare", "--xyzzy"], "Unrecognized options: --xyzzy (see passband compare --help)"),
    (["compare", "extra"], "Unrecognized options: extra (see passband compare --help)"),
    (["compare", "--seeds", "1.5"], "--seeds: '1.5' is not a whole number"),
    (["compare", "--seeds", "nan"], "--seeds: 'nan' is not a whole number"),
    (["compare", "--seeds", "-1"], "seeds=-1 must be a whole number of at least 1"),
    (["compare", "--seeds", "0"], "seeds=0 must be a whole number of at least 1"),
    (["compare", "--seeds", "99999999999"], "seeds=99999999999 must be at most 10,000,000"),
    (["compare", "--seeds", "100001"], "seeds=100001 must be at most 100,000"),
    (["compare", "--steps", "0"], "steps=0 must be a whole number of at least 1"),
    (["compare", "--rollouts", "1"], "rollouts=1 must be a whole number of at least 2"),
    (["compare", "--prompts", "1" + "0" * 30], "must be at most 10,000,000"),
    (["compare", "--jobs", "0"], "jobs=0 must be a whole number of at least 1"),
    (["compare", "--jobs", "99999999"], "jobs=99999999 must be at most 10,000,000"),
    (["compare", "--rollouts", "2"], "rollouts=2 leave SPEED none to continue with"),
    (["compare", "--out", "."], "out is the current folder, which results would litter"),
    (["compare", "--out", "./"], "out is the current folder"),
    (["sweep", "speed", "screen=2", "--out", "."], "out is the current folder"),
    (["compare", "--costs", "sped-7b"], "unknown costs 'sped-7b': did you mean 'speed-7b'?"),
    (["compare", "--definition", "frist"], "invalid choice 'frist'"),
    (["compare", "--worlds"], "worlds: name at least one"),
    (["compare", "--worlds", "coupeld"], "unknown world 'coupeld': did you mean 'coupled'?"),
    (["compare", "--worlds", "coupled:updates=0"], "updates=0 must be a whole number"),
    (["compare", "--worlds", "coupled-released:updates=6"], "contradicts accounting=released"),
    (["compare", "--worlds", "coupled:"], "'coupled:' ends without a change"),
    (["compare", "--worlds", "coupled:step=nan"], "step=nan must be positive and finite"),
    (["compare", "--worlds", "coupled", "coupled"], "world named twice"),
    (["compare", "--strategies"], "strategies: name at least one"),
    (["compare", "--strategies", "oracle:pass_rates=1"], "pass_rates is no knob"),
    (["compare", "--strategies", "sped"], "unknown strategy 'sped': did you mean 'speed'?"),
    (["compare", "--strategies", "speed:scren=2"], "'scren': did you mean 'screen'?"),
    (["compare", "--strategies", "speed:screen=2.5"], "screen='2.5' must be a whole number"),
    (["compare", "--strategies", "a\nb"], "unknown strategy 'a\\nb'"),
    (["sweep"], "Missing from passband sweep"),
    (["sweep", "speed"], "no grid for 'speed': name its axes, such as screen=2,4,8"),
    (["sweep", "speed", "screen"], "'screen' must be key=value,value,..."),
    (["sweep", "speed", "screen=2,,4"], "'screen=2,,4' must be key=value,value,..."),
    (["sweep", "speed", "screen=2,2"], "strategy named twice"),
    (["sweep", "speed:screen=4", "screen=2"], "each key once"),
    (["sweep", "sped", "screen=2"], "unknown strategy 'sped': did you mean 'speed'?"),
    (["sweep", "speed", "scren=2"], "did you mean 'screen'?"),
    (["sweep", "speed", "screen=2", "--worlds", "mars"], "unknown world 'mars': there are"),
    (["worlds", "coupled"], "Unrecognized options: coupled"),
    (["bench", "sims"], "unknown command 'bench': did you mean 'bench sim'?"),
    (["bench", "sim", "--steps", "-3"], "steps=-3 must be a whole number of at least 1"),
]


@pytest.mark.parametrize(("args", "message"), BAD, ids=[" ".join(args)[:50] for args, _ in BAD])
def test_bad_input_ends_in_one_line(terminal: Terminal, args: list[str], message: str) -> None:
    """Exit status 2, nothing on stdout, and nothing left on the disk."""
    status, said, complaint = terminal(*args)
    assert (status, said) == (2, "")
    assert complaint.startswith("passband: ")
    assert message in complaint
    assert complaint.count("\n") == 1
    assert complaint.endswith("\n")
    assert not list(Path().iterdir())


@pytest.mark.parametrize("out", ["file/below", "/proc/nowhere"])
def test_a_folder_that_cannot_be_written_is_named(terminal: Terminal, out: str) -> None:
    Path("file").touch()
    status, said, complaint = terminal("compare", *TINY, "--worlds", EASY, "--out", out)
    assert (status, said, complaint.count("\n")) == (2, "", 1)
    assert f"out={out!r} cannot be written" in complaint
    assert [str(path) for path in Path().iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("two\nlines"), "two lines"),
        (OSError(28, "No space left on device", "x.csv"), "[Errno 28] No space left"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_errors_on_the_way_end_in_one_line(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("sim.descriptions.strategies_text", fail)
    status, said, complaint = terminal("strategies")
    assert (status, said, complaint.count("\n")) == (2, "", 1)
    assert complaint.startswith(f"passband: {message}")


def test_a_fault_of_ours_is_not_hidden(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise KeyError("x")

    monkeypatch.setattr("sim.descriptions.strategies_text", fail)
    with pytest.raises(KeyError):
        terminal("strategies")


def test_an_interruption_ends_with_status_130(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While modules are being loaded, too."""

    def interrupt(name: str) -> None:
        raise KeyboardInterrupt(name)

    monkeypatch.setattr(passband, "import_module", interrupt)
    assert terminal("worlds") == (130, "", "passband worlds: interrupted\n")


def test_a_batch_that_cannot_be_filled_is_explained(terminal: Terminal) -> None:
    world = "static-1.5b:population=beta(0.001, 1000)"
    args = ("--worlds", world, "--strategies", "dynamic", "--jobs", "1", "--out", "out")
    status, said, complaint = terminal("compare", *TINY, *args)
    assert (status, said, complaint.count("\n")) == (2, "", 1)
    assert complaint.startswith(f"passband: dynamic in {world}, seed 0: 0 of 2 groups ready")


def test_a_damaged_cell_is_explained(terminal: Terminal) -> None:
    args = ("compare", *TINY, "--worlds", EASY, "--strategies", "uniform", "--jobs", "1")
    cell = Path("out") / "cells" / slug(EASY) / "uniform" / "0.json"
    cell.parent.mkdir(parents=True)
    cell.write_text("{")
    status, said, complaint = terminal(*args, "--out", "out")
    assert (status, said, complaint.count("\n")) == (2, "", 1)
    assert f"{cell} is no valid record" in complaint


def test_a_comparison_writes_what_it_promises() -> None:
    """And, run again, finds every cell; nothing on stderr where that is no terminal."""
    Path("mine.json").write_text(json.dumps({"rollouts": 4, "passes": [1, 2, 3]}))
    worlds = [EASY, "coupled:population=./mine.json,held_out=9,target=0.6"]
    args = ["compare", *TINY, "--jobs", "1", "--worlds", *worlds, "--out", "my out"]
    args += ["--strategies", "speed", "oracle"]
    first, second = shell(*args), shell(*args)
    for done in (first, second):
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith("Report: my out/report.html\n")
    assert "found in" not in first.stdout
    assert second.stdout.startswith("6 of 6 runs found in my out, not run again\n")
    for name in ("comparison.csv", "summary.csv", "report.html", "plots/overview.png"):
        assert (Path("my out") / name).stat().st_size > 0
    assert len(list(Path("my out").rglob("*.json"))) == 6
    assert len(list(Path("my out/plots").iterdir())) == 1 + 2 * 2
    assert all(path.suffix == ".png" for path in Path("my out/plots").iterdir())
    html = Path("my out/report.html").read_text(encoding="utf-8")
    assert "--out &#x27;my out&#x27;" in html  # the command can be pasted into a shell


def test_a_sweep_compares_every_point_with_uniform_and_oracle(terminal: Terminal) -> None:
    args = ["sweep", "speed:high=0.9", "screen=2,3", "extend=1,2", *TINY, "--jobs", "1"]
    status, said, _ = terminal(*args, "--worlds", EASY, "--out", "out")
    assert status == 0
    cells = {path.parent.name for path in Path("out").rglob("*.json")}
    points = {slug(f"speed:high=0.9,screen={s},extend={e}") for s in (2, 3) for e in (1, 2)}
    assert cells == points | {"uniform", "oracle"}
    assert "Report: out/report.html" in said


# What an earlier comparison left in the folder

OTHER = "static-1.5b:population=beta(3, 2)"
FEW = ("--strategies", "oracle", "--jobs", "1", "--out", "out")


def pictures() -> set[str]:
    return {path.name for path in Path("out/plots").iterdir()}


def test_pictures_of_worlds_no_longer_compared_disappear(terminal: Terminal) -> None:
    """Whether the runs of those that are left were there or not; runs themselves stay."""
    assert terminal("compare", *TINY, *FEW, "--worlds", EASY, OTHER)[0] == 0
    both = pictures()
    Path("out/plots/notes.txt").touch()
    assert terminal("compare", *TINY, *FEW, "--worlds", EASY)[0] == 0
    left = pictures() - {"notes.txt"}
    assert Path("out/plots/notes.txt").exists()
    assert "overview.png" in left < both
    assert len(both - left) == len(left) - 1  # as many of either world
    assert OTHER not in Path("out/report.html").read_text(encoding="utf-8")
    assert OTHER not in Path("out/summary.csv").read_text(encoding="utf-8")
    assert len(list(Path("out/cells").rglob("*.json"))) == 4
    found = terminal("compare", *TINY, *FEW, "--worlds", OTHER)[1]
    assert found.startswith("2 of 2 runs found in out, not run again\n")
    assert not pictures() & (left - {"overview.png"})


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Ctrl-C after the first record that was not there; the list says which were."""
    run, seen = compare.run, []

    def interrupted(
        comparison: Comparison, out: Path, jobs: int
    ) -> Iterator[tuple[Record, bool]]:
        for record, was_there in run(comparison, out, jobs):
            seen.append(was_there)
            yield record, was_there
            if not was_there:
                raise KeyboardInterrupt

    monkeypatch.setattr(compare, "run", interrupted)
    return seen


@pytest.mark.parametrize("changes", [("--steps", "3"), ("--seeds", "2")])
def test_an_interrupted_comparison_leaves_no_report_of_an_earlier_one(
    terminal: Terminal, request: pytest.FixtureRequest, changes: tuple[str, ...]
) -> None:
    """What is left is the table of the runs there are, of this comparison alone."""
    args = ("compare", *TINY, *FEW, "--worlds", EASY)
    assert terminal(*args)[0] == 0
    assert {path.name for path in Path("out").iterdir()} == {
        *("cells", "plots", "comparison.csv", "summary.csv", "report.html")
    }
    seen = request.getfixturevalue("stopping")
    status, _, complaint = terminal(*args, *changes)
    assert (status, complaint.splitlines()[-1]) == (130, "passband compare: interrupted")
    assert {path.name for path in Path("out").iterdir()} == {"cells", "plots", "comparison.csv"}
    assert not pictures()
    rows = pd.read_csv("out/comparison.csv")
    assert len(rows.groupby(["strategy", "seed"])) == len(seen)
    assert seen.count(False) == 1


def test_a_comparison_that_is_refused_leaves_an_earlier_one_alone(terminal: Terminal) -> None:
    args = ("compare", *TINY, *FEW, "--worlds", EASY)
    assert terminal(*args)[0] == 0
    before = {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()}
    assert terminal(*args, "--costs", "sped-7b")[0] == 2
    after = {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()}
    assert after == before


def test_the_bench_names_every_strategy(terminal: Terminal) -> None:
    status, said, _ = terminal(
        "bench", "sim", "--steps", "1", "--groups", "2", "--prompts", "20"
    )
    assert status == 0
    for name in ("bare draws", *STRATEGIES):
        assert re.search(rf"│ {re.escape(name)} +│", said), name


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("worlds",), "coupled-six"),
        (("strategies",), "greso-released"),
        (("compare", "--help"), "definition"),
        (("compare", *TINY, "--worlds", EASY, *FEW), "Report: out/report.html"),
    ],
    ids=["worlds", "strategies", "help", "compare"],
)
def test_a_terminal_of_few_characters_is_shown_what_it_can_show(
    monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], word: str
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = shell(*args)
    assert (done.returncode, done.stderr) == (0, "")
    assert word in done.stdout
    assert done.stdout.isascii()


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "args",
    [
        ("--help",),
        ("worlds",),
        ("strategies",),
        ("claims", "SPEED-04"),
        ("sweep", "--help"),
        ("compare", *TINY, "--worlds", EASY, *FEW),
    ],
    ids=lambda args: " ".join(args[:2]),
)
def test_a_reader_who_has_gone_is_told_nothing(
    monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], unbuffered: str
) -> None:
    """As after `| head -1`, whether output meets the closed pipe at once or at the end."""
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    gone, pipe = os.pipe()
    os.close(gone)
    try:
        done = shell(*args, stdout=pipe)
    finally:
        os.close(pipe)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_bad_command_line_in_a_process_of_its_own(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback, no warning, no frame, whatever the terminal can show."""
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    done = shell("compare", "--sed", "3")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "passband: Unrecognized options: --sed, 3: Perhaps you meant: --seeds INT"
        " (see passband compare --help)\n"
    )
