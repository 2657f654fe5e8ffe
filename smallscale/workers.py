"""Work that may hang, swallow memory or crash, in processes that can be killed.

A worker is a fresh interpreter (never a fork: the parent holds threads and a GPU) at the end of
a pipe of its own. It imports what it needs once, then takes items in small chunks and answers
each with one word, so that the parent always knows which item is under way. Limits, from soft
to hard:

- after 2/3 of `seconds` a signal ends the item inside the worker, which then goes on, and
  nothing needs restarting; an item that a busy machine left without processor time is spared;
- after `seconds` the parent kills the worker: code in C hears no signals;
- an item during which the worker grew by more than `megabytes` has broken its limit, whatever
  it answers: libraries swallow `MemoryError`;
- at twice that, the kernel refuses memory, on the parent's order (both on Linux only);
- an item that takes a second of processor time more than `seconds` makes the kernel end the
  worker, so that none outlives its parent for long.

An item that faults gives the rest of its chunk back, so what shares a chunk with it keeps its
verdicts. One process more than can be busy stands by, because a new one takes seconds to
import. An item whose worker was lost gets a second try, after all others: the machine may have
been busy or short of memory through no fault of the item.

Not safe to share between threads. Needs a system with pipes and signals (not Windows).
"""

import os
import resource
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Generic, TypeVar

from selection.checks import counts, positive

Item = TypeVar("Item")
Work = Callable[[Item], str]

TIMEOUT = "timeout"
MEMORY = "memory"
CRASHED = "crashed worker"
READY = "ready"

SPARE = 1
LONGEST_CHUNK = 16
SOFT = 2 / 3  # share of the wall-clock limit after which an item is asked to end
FAIR_SECONDS = 0.05  # of processor time, which every item gets before it is asked
HARD_MEMORY = 2
ORPHAN_SECONDS = 1.0
SLOW_SECONDS = 0.02  # too little time to take much memory
START_SECONDS = 120.0
STARTS = 3  # failures in a row before starting workers is given up

BOOT = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.path[:] = sys.argv[2:]
from multiprocessing.connection import Connection
from smallscale.workers import serve
serve(Connection(int(sys.argv[1])))
"""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class WorkerError(OSError):
    """Workers that cannot be started; the message says why."""


class OverrunError(BaseException):
    """Raised by a signal inside an item; no `except Exception` there can swallow it."""


@dataclass(eq=False)
class Worker:
    """One process, its pipe, and the numbers of the items it has yet to answer."""

    process: subprocess.Popen[bytes]
    link: Connection
    since: float = field(default_factory=time.monotonic)
    ready: bool = False
    pending: deque[int] = field(default_factory=deque[int])

    def take(self, chunk: Sequence[int], items: Sequence[Any]) -> None:
        """Send the items of a chunk; a worker that has died is noticed when it is read."""
        self.pending.extend(chunk)
        self.since = time.monotonic()
        try:
            self.link.send([items[number] for number in chunk])
        except OSError:
            self.process.kill()

    def end(self) -> None:
        """Kill the process and wait until it is gone."""
        self.process.kill()
        self.process.wait()
        self.link.close()


class Workers(Generic[Item]):
    """A context manager that maps items to words in worker processes.

    Args:
        make: Called once in each worker; what it returns is called with each item. Both are
            found by name, so they belong to a module. An exception of `make` is passed on.
        workers: Items under way at the same time.
        seconds: Wall-clock limit of one item.
        megabytes: Memory that a worker may add to what it has when it is ready.
    """

    def __init__(
        self, make: Callable[[], Work[Item]], *, workers: int, seconds: float, megabytes: int
    ) -> None:
        counts(workers=workers, megabytes=megabytes)
        positive(seconds=seconds)
        self.make, self.workers = make, workers
        self.seconds, self.megabytes = seconds, megabytes
        self.pool: list[Worker] = []
        self._failures = 0

    def __enter__(self) -> "Workers[Item]":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the processes that are missing, without waiting until they are ready."""
        while len(self.pool) < self.workers + SPARE:
            self.pool.append(self._spawn())

    def close(self) -> None:
        """End all processes; the next call of `map` starts new ones."""
        while self.pool:
            self.pool.pop().end()

    def map(self, items: Sequence[Item]) -> list[str]:
        """The word for each item: what the work returned, or the limit that it broke.

        Raises:
            WorkerError: workers do not start.
        """
        words = [""] * len(items)
        waiting = deque(range(len(items)))
        tried: set[int] = set()
        try:
            while waiting or any(worker.pending for worker in self.pool):
                self.start()
                self._hand_out(items, waiting)
                self._listen(words, waiting, tried)
        except BaseException:
            self.close()  # words still on their way would be taken for those of the next call
            raise
        return words

    def _spawn(self) -> Worker:
        ours, theirs = Pipe()
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - this very interpreter
                [sys.executable, "-c", BOOT, str(theirs.fileno()), *sys.path],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # libraries would print model output to the terminal
                env=os.environ | ONE_THREAD,
            )
        worker = Worker(process, ours)
        try:
            ours.send((self.make, self.seconds, self.megabytes))
        except OSError:
            process.kill()
        return worker

    def _hand_out(self, items: Sequence[Item], waiting: deque[int]) -> None:
        """Chunks for idle workers, shorter towards the end so that all finish together."""
        idle = [worker for worker in self.pool if worker.ready and not worker.pending]
        busy = sum(bool(worker.pending) for worker in self.pool)
        for worker in idle[: self.workers - busy]:
            if waiting:
                share = len(waiting) // (4 * self.workers)
                size = min(max(share, 1), LONGEST_CHUNK, len(waiting))
                worker.take([waiting.popleft() for _ in range(size)], items)

    def _listen(self, words: list[str], waiting: deque[int], tried: set[int]) -> None:
        """Wait for the next words or the next limit that is broken, and act on them."""
        due = {worker: self._due(worker) for worker in self.pool}
        patience = max(min(due.values()) - time.monotonic(), 0.0)
        heard = wait([worker.link for worker in self.pool], patience)
        now = time.monotonic()
        for worker in list(self.pool):
            if worker.link in heard:
                self._read(worker, words, waiting, tried)
            elif now >= due[worker]:
                self._lose(worker, words, waiting, tried, TIMEOUT)

    def _due(self, worker: Worker) -> float:
        """When a worker must have been heard of."""
        if not worker.ready:
            return worker.since + START_SECONDS
        return worker.since + self.seconds if worker.pending else float("inf")

    def _read(
        self, worker: Worker, words: list[str], waiting: deque[int], tried: set[int]
    ) -> None:
        try:
            word = worker.link.recv_bytes().decode()
        except (EOFError, OSError):
            self._lose(worker, words, waiting, tried, CRASHED)
            return
        worker.since = time.monotonic()
        if not worker.ready:
            self._started(worker, word)
            return
        words[worker.pending.popleft()] = word
        if word in (TIMEOUT, MEMORY):
            give_back(worker, waiting)

    def _started(self, worker: Worker, word: str) -> None:
        """Note that a worker is ready and limit its memory, or say why it is not."""
        if word != READY:
            raise WorkerError(word)
        worker.ready, self._failures = True, 0
        limit_memory(worker.process.pid, HARD_MEMORY * self.megabytes)

    def _lose(
        self,
        worker: Worker,
        words: list[str],
        waiting: deque[int],
        tried: set[int],
        word: str,
    ) -> None:
        """Put a worker away; the item under way is tried again, or `word` is the last one."""
        self.pool.remove(worker)
        worker.end()
        if not worker.ready:
            self._failures += 1
            if self._failures >= STARTS:
                status = worker.process.returncode
                raise WorkerError(f"{STARTS} workers ended before they were ready: {status=}")
        if worker.pending:
            number = worker.pending.popleft()
            give_back(worker, waiting)
            if number in tried:
                words[number] = word
            else:
                tried.add(number)
                waiting.append(number)


def give_back(worker: Worker, waiting: deque[int]) -> None:
    """Return the unanswered items of a worker to the head of the queue."""
    waiting.extendleft(reversed(worker.pending))
    worker.pending.clear()


def limit_memory(pid: int, megabytes: int) -> None:
    """Let a process add so much address space to what it has, where the kernel can (Linux)."""
    if sys.platform == "linux":
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
            limit = pages * resource.getpagesize() + megabytes * 2**20
            resource.prlimit(pid, resource.RLIMIT_AS, (limit, limit))
        except (ProcessLookupError, FileNotFoundError):
            pass  # it has ended, which its pipe will say


def serve(link: Connection) -> None:
    """The life of a worker: prepare, say so, then answer chunks until the pipe closes."""
    make, seconds, megabytes = link.recv()
    try:
        work = make()
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent raises it
        link.send_bytes(f"{type(error).__name__}: {error}".encode(errors="replace"))
        return
    answer = Limited(work, seconds, megabytes)
    link.send_bytes(READY.encode())
    while True:
        try:
            chunk = link.recv()
        except (EOFError, OSError):
            return
        for item in chunk:
            word = answer(item)
            link.send_bytes(word.encode())
            if word == MEMORY:
                return  # not all that was taken is given back
            if word == TIMEOUT:
                break


class Limited(Generic[Item]):
    """Work within the soft limits; in a worker's main thread, where signals are heard."""

    def __init__(self, work: Work[Item], seconds: float, megabytes: int) -> None:
        self.work, self.seconds, self.megabytes = work, seconds, megabytes
        self._peak = peak_megabytes()
        self._spent = 0.0
        signal.signal(signal.SIGALRM, self._overrun)

    def __call__(self, item: Item) -> str:
        start = time.monotonic()
        try:
            word = self._timed(item)
        except OverrunError:
            disarm()
            word = TIMEOUT
        except MemoryError:
            word = MEMORY
        if time.monotonic() - start < SLOW_SECONDS:
            return word
        return MEMORY if self._swelled() else word

    def _timed(self, item: Item) -> str:
        self._spent = time.process_time()
        # Nobody handles this one: the process ends.
        signal.setitimer(signal.ITIMER_PROF, self.seconds + ORPHAN_SECONDS)
        # This one fires again, because an exception raised in a destructor is lost.
        signal.setitimer(signal.ITIMER_REAL, SOFT * self.seconds, SOFT * self.seconds / 10)
        try:
            return self.work(item)
        finally:
            disarm()

    def _overrun(self, *_: object) -> None:
        """The end of an item whose time is up, heard between two steps of Python."""
        if time.process_time() - self._spent > FAIR_SECONDS:
            raise OverrunError

    def _swelled(self) -> bool:
        """Whether the last item took more than its memory, even if it hid the `MemoryError`."""
        before, self._peak = self._peak, peak_megabytes()
        return self._peak - before > self.megabytes


def disarm() -> None:
    """Stop both timers of an item."""
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)


def peak_megabytes() -> float:
    """The most memory this process has held, 0 where the system does not tell.

    Not `getrusage`: there a new process starts with the peak of its parent.
    """
    if sys.platform != "linux":
        return 0.0
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
