"""Workers: items that hang, swell or crash cost themselves alone, and no process is left."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from threading import Timer

import pytest

from smallscale.workers import CRASHED, MEMORY, SPARE, TIMEOUT, WorkerError, Workers

SECONDS, MEGABYTES = 1.5, 200


def work(item: str) -> str:
    """What an item asks for: its own text, or a fault."""
    name, _, rest = item.partition(":")
    return FAULTS[name](rest) if name in FAULTS else item


def spin(_: str) -> str:
    while True:
        pass


def stuck(_: str) -> str:
    """Deaf to signals handled in Python, as a long computation in C is."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    return spin(_)


def crash(_: str) -> str:
    ctypes.string_at(0)
    return "alive"


def crash_once(path: str) -> str:
    if not Path(path).exists():
        Path(path).touch()
        os._exit(3)
    return "second try"


def swallow(megabytes: str) -> str:
    """Grow step by step, and hide that memory was refused."""
    held: list[bytearray] = []
    try:
        while len(held) < int(megabytes):
            held.append(bytearray(os.urandom(1024) * 1024))
    except MemoryError:
        pass
    return "grown"


def grab(megabytes: str) -> str:
    return f"got {len(bytearray(int(megabytes) * 2**20))}"


FAULTS: dict[str, Callable[[str], str]] = {
    "spin": spin,
    "stuck": stuck,
    "crash": crash,
    "crash once": crash_once,
    "swallow": swallow,
    "grab": grab,
    "pid": lambda _: str(os.getpid()),
    "nap": lambda seconds: str(time.sleep(float(seconds))),
    "threads": lambda _: os.environ["OPENBLAS_NUM_THREADS"],
}


def make() -> Callable[[str], str]:
    return work


def refuse() -> Callable[[str], str]:
    raise ImportError("nothing to work with")


def vanish() -> Callable[[str], str]:
    os._exit(7)


def living(pid: int) -> bool:
    """Whether a process is there, and no corpse that its parent has yet to bury."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def pids(pool: Workers[str]) -> list[int]:
    return [worker.process.pid for worker in pool.pool]


def await_ready(pool: Workers[str]) -> None:
    """Map until every process of the pool, the spare one too, has said that it is ready."""
    while not all(worker.ready for worker in pool.pool):
        pool.map(["nap:0.02"])


@pytest.fixture(scope="module")
def pool() -> Generator[Workers[str]]:
    with Workers(make, workers=2, seconds=SECONDS, megabytes=MEGABYTES) as shared:
        yield shared


def test_words_come_in_the_order_of_the_items(pool: Workers[str]) -> None:
    items = [str(number) for number in range(500)]
    assert pool.map(items) == items
    assert pool.map([]) == []


def test_processes_are_reused_and_one_stands_by(pool: Workers[str]) -> None:
    await_ready(pool)
    before = pids(pool)
    assert len(before) == pool.workers + SPARE
    assert set(pool.map(["pid:"] * 40)) <= {str(pid) for pid in before}
    assert pids(pool) == before


def test_an_overrun_ends_inside_the_worker(pool: Workers[str]) -> None:
    """Soft: no process is replaced, and what shares its chunk keeps its words."""
    await_ready(pool)
    before = pids(pool)
    items = [str(number) for number in range(100)]
    items[3] = "spin:"
    expected = [*items[:3], TIMEOUT, *items[4:]]
    assert pool.map(items) == expected
    assert pids(pool) == before


def test_a_deaf_worker_is_killed_and_replaced(pool: Workers[str]) -> None:
    await_ready(pool)
    before = set(pids(pool))
    assert pool.map(["a", "stuck:", *"bcd"]) == ["a", TIMEOUT, *"bcd"]
    assert len(before - set(pids(pool))) == 2  # it had two tries
    assert not any(living(pid) for pid in before - set(pids(pool)))
    assert pool.map(["after"]) == ["after"]


def test_a_crash_is_tried_twice(pool: Workers[str], tmp_path: Path) -> None:
    items = ["crash:", "a", f"crash once:{tmp_path / 'been here'}", "b"]
    assert pool.map(items) == [CRASHED, "a", "second try", "b"]


def test_a_worker_killed_from_outside_costs_no_word(pool: Workers[str]) -> None:
    """First while idle, all but one, then while busy."""
    await_ready(pool)
    for pid in pids(pool)[1:]:
        os.kill(pid, signal.SIGKILL)
    assert pool.map(list("abcdef")) == list("abcdef")
    await_ready(pool)
    busy = pids(pool)[0]
    killer = Timer(0.2, os.kill, (busy, signal.SIGKILL))
    killer.start()
    assert pool.map(["nap:0.6", "nap:0.6"]) == ["None", "None"]
    killer.join()
    assert busy not in pids(pool)


def test_memory_is_limited_whether_or_not_its_error_is_hidden(pool: Workers[str]) -> None:
    items = ["a", f"grab:{MEGABYTES * 20}", "b", f"swallow:{MEGABYTES * 20}", "c"]
    assert pool.map(items) == ["a", MEMORY, "b", MEMORY, "c"]


def test_memory_within_the_limit_is_no_fault(pool: Workers[str]) -> None:
    assert pool.map([f"swallow:{MEGABYTES // 2}"] * 3) == ["grown"] * 3


def test_interrupts_from_the_terminal_are_ignored(pool: Workers[str]) -> None:
    await_ready(pool)
    before = pids(pool)
    for pid in before:
        os.kill(pid, signal.SIGINT)
    assert pool.map(list("abc")) == list("abc")
    assert pids(pool) == before


def test_workers_take_one_thread(pool: Workers[str]) -> None:
    assert pool.map(["threads:"]) == ["1"]


def test_an_interrupted_call_leaves_nothing_behind(
    pool: Workers[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its late words would be read as those of the next call."""
    await_ready(pool)
    before = pids(pool)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pool, "_listen", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pool.map(["stale"] * 8)
    assert not any(living(pid) for pid in before)
    assert pool.map(list("abc")) == list("abc")


def test_closing_ends_every_process() -> None:
    with Workers(make, workers=1, seconds=SECONDS, megabytes=MEGABYTES) as pool:
        assert pool.map(["a"]) == ["a"]
        started = pids(pool)
        assert len(started) == 2
        assert all(living(pid) for pid in started)
    assert not any(living(pid) for pid in started)
    assert not pids(pool)


def test_workers_end_with_their_parent() -> None:
    """Killed, the parent closes nothing; one worker is busy and deaf at that time."""
    code = (
        "from smallscale.workers import Workers\n"
        "from tests.smallscale import test_workers as t\n"
        "pool = Workers(t.make, workers=1, seconds=0.3, megabytes=200)\n"
        "pool.map(['a'])\n"
        "print(*t.pids(pool), flush=True)\n"
        "pool.map(['stuck:'])\n"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=env
    ) as parent:
        assert parent.stdout is not None
        orphans = [int(pid) for pid in parent.stdout.readline().split()]
        time.sleep(0.2)
        parent.kill()
    assert len(orphans) == 2
    deadline = time.monotonic() + 20
    while any(living(pid) for pid in orphans) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(living(pid) for pid in orphans)


def test_a_failure_to_prepare_is_told_in_its_own_words() -> None:
    pool = Workers(refuse, workers=1, seconds=SECONDS, megabytes=MEGABYTES)
    with pytest.raises(WorkerError, match=r"^ImportError: nothing to work with$"):
        pool.map(["a"])
    assert not pids(pool)


def test_workers_that_never_start_are_given_up() -> None:
    pool = Workers(vanish, workers=1, seconds=SECONDS, megabytes=MEGABYTES)
    with pytest.raises(WorkerError, match=r"^3 workers ended .* ready: status=7$"):
        pool.map(["a"])
    assert not pids(pool)


@pytest.mark.parametrize(
    ("name", "value"), [("workers", 0), ("seconds", 0.0), ("seconds", float("nan"))]
)
def test_impossible_limits_are_refused_by_name(name: str, value: float) -> None:
    limits = {"workers": 1, "seconds": 1.0, "megabytes": 10} | {name: value}
    with pytest.raises(ValueError, match=f"^{name}={value} must be"):
        Workers(make, **limits)  # pyright: ignore[reportArgumentType] - on purpose
