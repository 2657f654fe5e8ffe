"""What README.md shows runs as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import selection
from selection import Order, Outcome, Selector, collect
from selection.strategies import Sizes, strategy
from sim.catalogue import WORLDS, place
from sim.cli import DEFAULT_STRATEGIES

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS: list[str] = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
SHELL = re.findall(r"passband (?:compare|sweep) [^`#\n]+", TEXT)


def ran(code: str) -> dict[str, Any]:
    """What a block of code defines."""
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(code, "README.md", "exec"), names)
    return names


def block(holding: str) -> str:
    """The only block of Python that holds some text."""
    (found,) = (code for code in BLOCKS if holding in code)
    return found


def test_there_is_code_to_run() -> None:
    assert len(BLOCKS) >= 2
    assert TEXT.count("```python") == len(BLOCKS)


@pytest.mark.parametrize("code", BLOCKS, ids=range(len(BLOCKS)))
def test_every_block_runs_where_nothing_was_imported_before(code: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == ("print(" in code)
    assert not list(tmp_path.iterdir())


def test_the_batch_that_is_collected_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Sixteen groups of mixed prompts, each screened and continued: two segments."""
    names = ran(block("collect("))
    batch = names["batch"]
    said = capsys.readouterr().out
    assert said == f"{batch.prompts} {batch.passes}\n"
    assert batch.starts.size == 16
    assert batch.rollouts.tolist() == [4, 20] * 16
    assert isinstance(names["speed"], selection.Speed)


@pytest.fixture
def fewest() -> Selector[Any]:
    """The strategy of "Adding a strategy"."""
    section = TEXT[TEXT.index("## Adding a strategy") :]
    code = block("class Fewest")
    assert code in section
    made = ran(code)["Fewest"](rollouts=6)
    assert isinstance(made, Selector)
    return made


def test_the_strategy_of_the_readme_fills_batches(fewest: Selector[Any]) -> None:
    """It is named as what is seen least often, so its visits differ by one at most."""
    rates = np.full(30, 0.5)
    rates[:5] = 0.0  # these are never trained on
    luck, choice = np.random.default_rng(0).spawn(2)
    visits = np.zeros(30, int)

    def roll(order: Order) -> Outcome:
        visits[order.prompts] += 1
        return Outcome(passes=luck.binomial(order.rollouts, rates[order.prompts]))

    state, buffer = fewest.init(30), None
    for _ in range(8):
        state, buffer, batch = collect(fewest, state, roll, 7, choice, buffer=buffer)
        assert batch.starts.size == 7
        assert batch.prompts.min() >= 5
        assert ((batch.passes > 0) & (batch.passes < 6)).all()
        assert visits.max() - visits.min() <= 1
    assert state.num.tolist() == visits.tolist()


def test_the_strategy_of_the_readme_copies_its_state(fewest: Selector[Any]) -> None:
    state = fewest.init(4)
    state.num.setflags(write=False)
    _, order = fewest.ask(state, 2, np.random.default_rng(0))
    after, verdicts = fewest.tell(state, order, Outcome(passes=np.array([0, 3])))
    assert (state.num.sum(), after.num.sum()) == (0, 2)
    assert verdicts.tolist() == [selection.Verdict.DROP, selection.Verdict.TRAIN]


def test_the_strategy_of_the_readme_refuses_a_wrong_value_by_name() -> None:
    with pytest.raises(ValueError, match="rollouts=0 must be a whole number of at least 1"):
        ran(block("class Fewest"))["Fewest"](rollouts=0)


def settings(command: str, option: str) -> list[str]:
    """What follows an option on a command line, as far as the next one."""
    words = command.split()
    if option not in words:
        return []
    after = words[words.index(option) + 1 :]
    return after[: next((i for i, word in enumerate(after) if word[:2] == "--"), len(after))]


@pytest.mark.parametrize("command", SHELL)
def test_settings_of_the_commands_shown_exist(command: str) -> None:
    """But for the reader's own log, and the strategy that the reader has yet to add."""
    known = [name for name in settings(command, "--strategies") if name != "fewest"]
    worlds = [name for name in settings(command, "--worlds") if "my_pass_counts" not in name]
    for name in known:
        strategy(name, Sizes())
    for name in worlds:
        place(name, Sizes())


def test_what_the_demo_is_said_to_compare_is_what_it_compares() -> None:
    said = re.search(r"compares (\d+) strategies in (\d+) worlds", TEXT)
    assert said
    assert [int(number) for number in said.groups()] == [len(DEFAULT_STRATEGIES), len(WORLDS)]
