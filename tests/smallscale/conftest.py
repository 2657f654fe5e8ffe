"""The smallest run there is, warm-started once for all tests of a process."""

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import torch

from smallscale.assembly import Parts, assembled
from smallscale.config import PRESETS, Config, configure
from tests.terminal import Terminal


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Warm starts, shared by the processes of one test run."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return shared / "warm-starts"


@pytest.fixture
def parts(cache: Path) -> Generator[Callable[..., Parts]]:
    """Assembles runs of the preset `test` with changes."""
    open_now: list[Any] = []

    def make(**changes: str | int) -> Parts:
        context = assembled(config(**changes), cache=cache)
        open_now.append(context)
        return context.__enter__()

    yield make
    for context in reversed(open_now):
        context.__exit__(None, None, None)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys)


def config(**changes: str | int) -> Config:
    assert "test" in PRESETS
    return configure("test", changes)
