"""Comparisons that can be interrupted, resumed, and run by any number of processes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from hashlib import sha256
from inspect import unwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from joblib import Parallel

from report import outputs
from report.atomic import slug
from report.record import CorruptRecord, Record, load
from report.summary import tidy, write_csv
from selection.settings import SettingError
from selection.strategies import STRATEGIES, Sizes
from sim import compare
from sim.catalogue import WORLDS, Place, place
from sim.compare import Cell, Comparison, finished, path, run, run_cell
from sim.costs import Costs

ROOT = Path(__file__).parents[2]
SIZES = Sizes(groups=4, rollouts=6, prompts=30, steps=3)
EASY = "static-1.5b:population=beta(2, 3)"
LEARNS = "coupled:population=beta(2, 3),held_out=9,target=0.9"
SMALL = Comparison(worlds=(EASY, LEARNS), strategies=("speed", "oracle"), seeds=2, sizes=SIZES)
CELL = Cell(world=EASY, strategy="speed", seed=1, sizes=SIZES, costs="speed-7b")


def results(comparison: Comparison, out: Path, jobs: int = 1) -> list[tuple[Record, bool]]:
    """Run a comparison and write its tables."""
    pairs = list(run(comparison, out, jobs))
    records = [record for record, _ in pairs]
    write_csv(tidy(records), out / "comparison.csv")
    write_csv(outputs.summaries(records, compare.BASELINE), out / "summary.csv")
    return pairs


def contents(out: Path) -> dict[str, bytes]:
    files = (file for file in out.rglob("*") if file.is_file())
    return {str(file.relative_to(out)): file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished comparison, made by one process."""
    out = tmp_path_factory.mktemp("done")
    assert not any(was_there for _, was_there in results(SMALL, out))
    return out


@pytest.fixture
def copy(done: Path, tmp_path: Path) -> Path:
    """A finished comparison to do harm to."""
    for name, content in contents(done).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Cell]:
    """The cells that are run from now on."""
    cells: list[Cell] = []

    def spy(cell: Cell, out: Path) -> Record:
        cells.append(cell)
        return run_cell(cell, out)

    monkeypatch.setattr(compare, "run_cell", spy)
    return cells


def test_every_cell_has_a_file_and_nothing_else_does(done: Path) -> None:
    cells = {str(path(cell, Path())) for cell in SMALL.cells}
    assert len(cells) == 2 * 3 * 2
    assert set(contents(done)) == cells | {"comparison.csv", "summary.csv"}


def test_results_do_not_depend_on_the_number_of_processes(done: Path, tmp_path: Path) -> None:
    """Byte for byte; with two processes cells end in any order."""
    results(SMALL, tmp_path, jobs=2)
    assert contents(tmp_path) == contents(done)


def test_a_finished_comparison_runs_nothing_and_changes_nothing(
    done: Path, copy: Path, ran: list[Cell]
) -> None:
    assert all(was_there for _, was_there in results(SMALL, copy))
    assert not ran
    assert contents(copy) == contents(done)


def test_only_what_is_missing_is_run(done: Path, copy: Path, ran: list[Cell]) -> None:
    gone = [SMALL.cells[0], SMALL.cells[7]]
    for cell in gone:
        path(cell, copy).unlink()
    found = [was_there for _, was_there in results(SMALL, copy)]
    assert ran == gone
    assert found.count(False) == 2
    assert contents(copy) == contents(done)


@pytest.mark.parametrize(
    "changes",
    [
        {"sizes": replace(SIZES, steps=4)},
        {"sizes": replace(SIZES, groups=3)},
        {"sizes": replace(SIZES, rollouts=5)},
        {"sizes": replace(SIZES, prompts=31)},
        {"costs": "speed-1.5b"},
    ],
    ids=str,
)
def test_a_changed_setting_is_run_again(
    copy: Path, ran: list[Cell], changes: dict[str, Any]
) -> None:
    """Same files, other runs: nothing of the old comparison may be taken for the new one."""
    changed = replace(SMALL, **changes)
    results(changed, copy)
    assert ran == changed.cells
    ran.clear()
    results(changed, copy)
    assert not ran


class Dearer(Costs):
    @classmethod
    def preset(cls, name: str) -> Costs:
        return replace(Costs.preset(name), update_seconds=99.0)


@pytest.mark.parametrize(
    ("attribute", "other"),
    [("code_digest", lambda: "0" * 16), ("Costs", Dearer)],
    ids=["code", "price"],
)
def test_other_code_or_prices_run_every_cell_again(
    copy: Path,
    ran: list[Cell],
    monkeypatch: pytest.MonkeyPatch,
    attribute: str,
    other: object,
) -> None:
    """What was made by code that has changed since is no result of this code."""
    assert finished(CELL, copy) is not None
    monkeypatch.setattr(compare, attribute, other)
    assert finished(CELL, copy) is None
    results(SMALL, copy)
    assert ran == SMALL.cells
    assert finished(CELL, copy) is not None


@pytest.mark.parametrize("wants", ["target=0.8", "target=0.7"])
def test_another_goal_is_run_again(
    copy: Path, monkeypatch: pytest.MonkeyPatch, wants: str
) -> None:
    """Also one that the code sets, under the same setting."""
    cell = replace(CELL, world=LEARNS)
    assert finished(cell, copy) is not None
    where = place(LEARNS.replace("target=0.9", wants), SIZES)

    def elsewhere(world: str, sizes: Sizes) -> Place:
        assert (world, sizes) == (LEARNS, SIZES)
        return where

    monkeypatch.setattr(compare, "place", elsewhere)
    assert finished(cell, copy) is None


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Stand-ins for the rooms whose code and data the digest covers."""
    folders: dict[str, Path] = {}
    for name in ("selection", "sim"):
        folders[name] = tmp_path / name
        (folders[name] / "data").mkdir(parents=True)
        (folders[name] / "__init__.py").touch()
        (folders[name] / "part.py").write_text(f"x = {name!r}\n")
        room = SimpleNamespace(__file__=str(folders[name] / "__init__.py"))
        monkeypatch.setattr(compare, name, room)
    (folders["sim"] / "data" / "log.json").write_text("[]")
    (folders["sim"] / "data" / "table.csv").write_text("a,b")
    return folders


@pytest.mark.parametrize(
    ("room", "file"),
    [
        ("selection", "part.py"),
        ("sim", "part.py"),
        ("sim", "data/table.csv"),
        ("sim", "data/log.json"),
        ("sim", "data/another.py"),
    ],
)
def test_the_code_is_known_by_its_sources_and_data(
    rooms: dict[str, Path], room: str, file: str
) -> None:
    digest = unwrap(compare.code_digest)
    before = digest()
    assert digest() == before
    assert re.fullmatch("[0-9a-f]{16}", before)
    (rooms[room] / file).write_text("other")
    changed = digest()
    assert changed != before
    (rooms[room] / file).rename(rooms[room] / f"renamed{Path(file).suffix}")
    assert digest() not in (before, changed)


def test_the_code_that_computes_advantages_counts(
    rooms: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, other = unwrap(compare.code_digest), rooms["sim"].parent / "advantages.py"
    before = digest()
    other.write_text("x = 1")
    monkeypatch.setattr(compare, "advantages", SimpleNamespace(__file__=str(other)))
    assert digest() != before


def test_what_is_no_code_does_not_count(rooms: dict[str, Path]) -> None:
    digest = unwrap(compare.code_digest)
    before = digest()
    (rooms["sim"] / "__pycache__").mkdir()
    for name in ("README.md", "py.typed", "__pycache__/part.cpython-311.pyc", ".part.py.swp"):
        (rooms["sim"] / name).touch()
    assert digest() == before


@pytest.mark.parametrize("written", ["mine.json", "mine.JSON", "~/mine.json"])
def test_a_log_that_was_written_again_is_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """The setting names the file, which says nothing about what is in it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    log = tmp_path / written.removeprefix("~/")
    cell = replace(CELL, world=f"static-1.5b:population={written},prompts=40")
    monkeypatch.chdir(tmp_path)
    for passes in ([1, 2, 3], [1, 2, 2]):
        log.write_text(json.dumps({"rollouts": 4, "passes": passes}))
        assert finished(cell, tmp_path) is None
        run_cell(cell, tmp_path)
        assert finished(cell, tmp_path) is not None


def test_more_seeds_and_strategies_add_to_what_is_there(copy: Path, ran: list[Cell]) -> None:
    more = replace(SMALL, seeds=3, strategies=("speed", "oracle", "mopps"))
    results(more, copy)
    assert len(ran) == 2 * (3 + 3)  # the third seed of three strategies, three of the fourth
    assert not {cell.seed for cell in ran if cell.strategy == "speed"} - {2}


@pytest.mark.parametrize(
    "damage",
    ["", "{", "null", "[]", '{"setting": 3}', "\x00\xff", "cut"],
    ids=["empty", "brace", "null", "list", "keys", "bytes", "cut"],
)
def test_a_damaged_cell_is_named(copy: Path, damage: str) -> None:
    file = path(CELL, copy)
    whole = file.read_text()
    file.write_text(whole[: len(whole) // 2] if damage == "cut" else damage, encoding="latin-1")
    with pytest.raises(CorruptRecord) as found:
        results(SMALL, copy)
    assert str(file) in str(found.value)
    assert "delete the file and run again" in str(found.value)
    assert "\n" not in str(found.value)


def full(file: Path, content: bytes) -> None:
    """Half of a file, and no more room."""
    with file.open("wb") as half:
        half.write(content[: len(content) // 2])
    raise OSError(28, "No space left on device")


def failing(*names: object) -> None:
    raise OSError(28, "No space left on device", *names)


@pytest.mark.parametrize(
    ("module", "call", "fail"), [(os, "replace", failing), (Path, "write_bytes", full)]
)
def test_a_failing_disk_leaves_no_partial_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: object, call: str, fail: object
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, call, fail)
        with pytest.raises(OSError, match="No space left"):
            run_cell(CELL, tmp_path)
    assert not contents(tmp_path)
    assert run_cell(CELL, tmp_path).seed == 1
    assert list(contents(tmp_path)) == [str(path(CELL, Path()))]


def test_a_cell_that_fails_leaves_the_finished_ones(tmp_path: Path, ran: list[Cell]) -> None:
    """Dynamic sampling can fill no batch where no group is ever mixed."""
    hopeless = Comparison(
        worlds=("static-1.5b:population=beta(0.001, 1000)",),
        strategies=("uniform", "dynamic"),
        seeds=1,
        sizes=SIZES,
    )
    with pytest.raises(SettingError) as refused:
        results(hopeless, tmp_path)
    message = str(refused.value)
    assert message.startswith(f"dynamic in {hopeless.worlds[0]}, seed 0: 0 of 4 groups ready")
    assert "\n" not in message
    assert [cell.strategy for cell in ran] == ["uniform", "dynamic"]
    assert list(contents(tmp_path)) == [str(path(ran[0], Path()))]


LISTENING = """import signal, passband  # a job in the background ignores Ctrl-C
signal.signal(signal.SIGINT, signal.default_int_handler)
passband.main()"""
COMMAND = [
    *(sys.executable, "-c", LISTENING, "compare", "--worlds", EASY),
    *("--strategies", "uniform", "--seeds", "300", "--steps", "60", "--groups", "8"),
    *("--prompts", "60", "--rollouts", "4", "--jobs", "1"),
]


def test_an_interrupted_comparison_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Ctrl-C once some cells are there: they stay, and are not run again."""
    out = tmp_path / "out"
    with subprocess.Popen(
        [*COMMAND, "--out", str(out)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for _ in range(600):
            if len(list(out.rglob("*.json"))) >= 3 or process.poll() is not None:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    *_, saved, interrupted = complaint.splitlines()
    assert len(complaint.splitlines()) == 2
    assert interrupted == "passband compare: interrupted"
    assert saved.endswith(f"of 300 runs are in {out}: the same command goes on from there")
    cells = sorted(out.rglob("*.json"))
    assert 3 <= len(cells) < 300
    assert not list(out.rglob(".*"))
    goes_on(out)


def goes_on(out: Path) -> None:
    """Check that what an interrupted command left is found, and only the rest run."""
    cells = list(out.rglob("*.json"))
    done = {int(cell.stem) for cell in cells}
    again = Comparison(
        worlds=(EASY,),
        strategies=("uniform",),
        seeds=max(done) + 2,
        sizes=Sizes(groups=8, rollouts=4, prompts=60, steps=60),
    )
    found = [was_there for _, was_there in run(again, out, 1)]
    assert found == [True] * len(cells) + [False] * (again.seeds - len(cells))


def test_an_interruption_at_a_terminal_reaches_every_process_and_one_answers(
    tmp_path: Path,
) -> None:
    """A terminal sends Ctrl-C to the workers as well, which would each print a traceback."""
    out = tmp_path / "out"
    with subprocess.Popen(
        [*COMMAND[:-1], "2", "--out", str(out)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a process group of its own, as a command at a terminal has
    ) as process:
        for _ in range(600):
            if len(list(out.rglob("*.json"))) >= 3 or process.poll() is not None:
                break
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        said, complaint = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "")
    assert "Traceback" not in complaint
    assert len(complaint.splitlines()) <= 3
    assert complaint.splitlines()[-1] == "passband compare: interrupted"
    assert "runs are in" in complaint
    assert 3 <= len(list(out.rglob("*.json"))) < 300
    goes_on(out)


def test_workers_are_deaf_to_an_interruption_and_this_process_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that heard it might print a traceback, or fail a command that goes on."""

    def hears(cell: Cell, out: Path) -> Any:  # noqa: ANN401
        del cell, out
        return os.getpid(), signal.getsignal(signal.SIGINT)

    monkeypatch.setattr(compare, "run_cell", hears)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        answers: list[Any] = [answer for answer, _ in run(SMALL, tmp_path, 2)]
        after = signal.getsignal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert after is signal.default_int_handler
    assert os.getpid() not in {worker for worker, _ in answers}
    assert {handler for _, handler in answers} == {signal.SIG_IGN}


# What is compared


def test_the_baseline_is_added_before_the_others() -> None:
    assert SMALL.contestants == ("uniform", "speed", "oracle")
    assert replace(SMALL, strategies=("speed", "uniform")).contestants == ("speed", "uniform")


def test_early_cells_cover_every_world_and_strategy() -> None:
    first = SMALL.cells[:6]
    assert {cell.seed for cell in first} == {0}
    assert {(cell.world, cell.strategy) for cell in first} == {
        (world, name) for world in SMALL.worlds for name in SMALL.contestants
    }


@pytest.mark.parametrize(
    "setting", ["speed", "static-1.5b", "a+b=c,d.e-F9", "x" * 80, *STRATEGIES, *WORLDS]
)
def test_plain_settings_keep_their_names(setting: str) -> None:
    assert slug(setting) == setting


@pytest.mark.parametrize(
    ("setting", "start"),
    [
        ("coupled:updates=6,clip=0.2/0.28", "coupled_updates=6,clip=0.2_0.28-"),
        ("static:population=../../etc/x.json", "static_population=.._.._etc_x.json-"),
        ("speed:screen=4", "speed_screen=4-"),
        ("x" * 81, "x" * 80 + "-"),
        ("static:population=" + "é" * 300, "static_population=" + "_" * 62 + "-"),
    ],
)
def test_other_settings_become_file_names_with_a_digest(setting: str, start: str) -> None:
    assert slug(setting) == start + sha256(setting.encode()).hexdigest()[:8]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("static:population=a/b.json", "static:population=a_b.json"),
        ("static:population=beta(1, 2)", "static:population=beta(1,_2)"),
        ("speed:screen=4", "speed_screen=4"),
        ("x" * 299 + "a", "x" * 299 + "b"),
    ],
)
def test_two_settings_never_share_a_file(tmp_path: Path, one: str, other: str) -> None:
    names = slug(one), slug(other)
    assert names[0] != names[1]
    assert re.fullmatch(r"[A-Za-z0-9.+=,_-]{1,89}", names[0])
    (tmp_path / names[0]).touch()  # a file name that the disk accepts
    assert not (tmp_path / names[1]).exists()


def test_settings_that_differ_in_a_sign_are_compared_with_each_other(tmp_path: Path) -> None:
    """Their cells lay in one file, and each run overwrote the other's."""
    for name in ("a b.json", "a_b.json"):
        (tmp_path / name).write_text(json.dumps({"rollouts": 4, "passes": [1, 2, 3]}))
    worlds = tuple(
        f"static-1.5b:population={tmp_path}/{name}" for name in ("a b.json", "a_b.json")
    )
    both = Comparison(worlds=worlds, strategies=("uniform",), seeds=1, sizes=SIZES)
    assert [was_there for _, was_there in run(both, tmp_path, 1)] == [False, False]
    assert [was_there for _, was_there in run(both, tmp_path, 1)] == [True, True]
    assert len({path(cell, tmp_path) for cell in both.cells}) == 2


def test_a_setting_of_any_length_has_a_file(tmp_path: Path) -> None:
    world = f"{EASY},prompts={'0' * 300}12"
    assert len(world) > 300
    long = replace(SMALL, worlds=(world,), strategies=("uniform",), seeds=1)
    assert [was_there for _, was_there in run(long, tmp_path, 1)] == [False]
    assert [was_there for _, was_there in run(long, tmp_path, 1)] == [True]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": 0}, "seeds=0 must be a whole number of at least 1"),
        ({"seeds": 10**11}, "seeds=100000000000 must be at most 10,000,000"),
        ({"seeds": 10**6}, "seeds=1000000 must be at most 100,000"),
        ({"strategies": ()}, "strategies: name at least one"),
        ({"worlds": ()}, "worlds: name at least one"),
        ({"worlds": (EASY, EASY)}, "world named twice"),
        ({"strategies": ("speed", "speed")}, "strategy named twice among speed, speed"),
        ({"worlds": ("coupeld",)}, "unknown world 'coupeld': did you mean 'coupled'"),
        ({"strategies": ("sped",)}, "unknown strategy 'sped': did you mean 'speed'"),
        ({"costs": "sped-7b"}, "unknown costs 'sped-7b': did you mean 'speed-7b'"),
    ],
)
def test_a_bad_comparison_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **changes)


@pytest.mark.parametrize(
    ("jobs", "message"),
    [
        (0, "jobs=0 must be a whole number of at least 1"),
        (99_999_999, "jobs=99999999 must be at most 10,000,000"),
    ],
)
def test_jobs_must_be_positive_and_possible(tmp_path: Path, jobs: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        next(run(SMALL, tmp_path, jobs))


def test_no_more_processes_are_started_than_there_are_cells(
    done: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    def parallel(n_jobs: int, return_as: str) -> Any:  # noqa: ANN401
        started.append(n_jobs)
        return Parallel(n_jobs=n_jobs, return_as=return_as)

    monkeypatch.setattr("report.parallel.Parallel", parallel)
    for cell in SMALL.cells[:2]:
        path(cell, copy).unlink()
    results(SMALL, copy, jobs=10**6)
    assert started == [2]
    assert contents(copy) == contents(done)


# What a cell is made of


@pytest.mark.parametrize(
    ("strategy", "updates"),
    [
        ("uniform", 1),
        ("speed", 6),
        ("speed-released", 6),
        ("speed:screen=8,extend=16", 3),
        ("greso", 1),
        ("mopps", 1),
        ("cures", 7),
        ("gvm", 8),
    ],
)
@pytest.mark.parametrize("world", [EASY, LEARNS])
def test_released_accounting_takes_the_updates_of_the_scripts(
    tmp_path: Path, strategy: str, updates: int, world: str
) -> None:
    """In worlds that learn and in those that do not; one update each where it is matched."""
    sizes = Sizes(groups=2, rollouts=24, prompts=30, steps=2)
    for accounting, expected in (("released", updates), ("matched", 1)):
        cell = Cell(
            world=f"{world},accounting={accounting}",
            strategy=strategy,
            seed=0,
            sizes=sizes,
            costs="speed-7b",
        )
        record = run_cell(cell, tmp_path)
        assert record.columns["updates"].tolist() == [0, expected, 2 * expected]


def test_the_record_tells_the_run_from_others(done: Path) -> None:
    saved = json.loads(path(CELL, done).read_text())
    setting = saved["setting"]
    assert (setting["world"], setting["strategy"], setting["seed"]) == (EASY, "speed", 1)
    assert "screen=3" in setting["strategy_knobs"]
    assert "population='beta(2, 3)'" in setting["world_knobs"]
    assert "update_seconds" in setting["costs"]
    assert setting["code"] == compare.code_digest()
    assert (setting["target"], setting["enough"]) == (saved["target"], 1.25 * saved["target"])
    assert saved["progress"] == "signal_realised"


def test_cells_differ_by_their_seed_alone(done: Path) -> None:
    """Different luck, the same goal: they are averaged over."""
    one, other = (load(path(replace(CELL, seed=seed), done)) for seed in (0, 1))
    assert one.columns["signal_expected"][-1] != other.columns["signal_expected"][-1]
    assert one.target == other.target
    assert {**one.setting, "seed": 1} == other.setting


def test_surplus_norms_and_prices_reach_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[Any] = []
    simulate = compare.simulate

    def spy(plan: Any, seed: int) -> Any:  # noqa: ANN401
        plans.append(plan)
        return simulate(plan, seed)

    monkeypatch.setattr(compare, "simulate", spy)
    for name in ("dynamic", "cures-norms"):
        run_cell(replace(CELL, strategy=name, costs="greso-7b"), tmp_path)
    dynamic, cures = plans
    assert (dynamic.surplus, dynamic.norms) == ("drop", False)
    assert (cures.surplus, cures.norms) == ("keep", True)
    assert dynamic.costs == Costs.preset("greso-7b")
    assert (dynamic.groups, dynamic.steps) == (4, 3)
    assert dynamic.enough > 0.0
