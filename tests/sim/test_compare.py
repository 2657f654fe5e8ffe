"""Comparisons that can be interrupted, resumed, and run by any number of processes."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from report.record import CorruptRecord, Record, load
from report.summary import tidy, write_csv
from sim import compare, outputs
from sim.catalogue import Sizes
from sim.compare import Cell, Comparison, finished, path, run, run_cell, slug
from sim.costs import Costs
from sim.settings import SettingError

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
    write_csv(outputs.summaries(records), out / "summary.csv")
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


@pytest.mark.parametrize("attribute", ["FORMAT", "Costs"])
def test_a_changed_format_or_price_is_run_again(
    copy: Path, monkeypatch: pytest.MonkeyPatch, attribute: str
) -> None:
    class Dearer(Costs):
        @classmethod
        def preset(cls, name: str) -> Costs:
            return replace(Costs.preset(name), update_seconds=99.0)

    monkeypatch.setattr(compare, attribute, 99 if attribute == "FORMAT" else Dearer)
    assert finished(CELL, copy) is None


def test_a_log_that_was_written_again_is_run_again(tmp_path: Path) -> None:
    """The setting names the file, which says nothing about what is in it."""
    log = tmp_path / "mine.json"
    cell = replace(CELL, world=f"static-1.5b:population={log},prompts=40")
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
    again = Comparison(
        worlds=(EASY,),
        strategies=("uniform",),
        seeds=len(cells) + 1,
        sizes=Sizes(groups=8, rollouts=4, prompts=60, steps=60),
    )
    found = [was_there for _, was_there in run(again, out, 1)]
    assert found == [True] * len(cells) + [False]


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


def test_settings_become_file_names() -> None:
    assert slug("coupled:updates=6,clip=0.2/0.28") == "coupled_updates=6,clip=0.2_0.28"
    assert "/" not in slug("static:population=../../etc/x.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": 0}, "seeds=0 must be a whole number of at least 1"),
        ({"seeds": 10**11}, "seeds=100000000000 must be at most 100,000"),
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


def test_jobs_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="jobs=0 must be a whole number of at least 1"):
        next(run(SMALL, tmp_path, 0))


# What a cell is made of


@pytest.mark.parametrize(
    ("strategy", "updates"),
    [
        ("uniform", 1),
        ("speed", 6),
        ("speed-released", 6),
        ("speed:screen=8,extend=16", 3),
        ("greso", 4),
        ("mopps", 2),
        ("gvm", 32),
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
    assert setting["format"] == compare.FORMAT
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
