"""Independent pieces of work in several processes."""

import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Any, TypeVar

from joblib import Parallel, delayed

Result = TypeVar("Result")


def unordered(
    work: Callable[..., Result], arguments: Iterable[tuple[Any, ...]], jobs: int
) -> Iterator[Result]:
    """What comes of each piece of work, as it is ready; in this process where `jobs` is 1.

    Args:
        work: A function of a module, so that it can be sent to another process.
        arguments: Of each call.
        jobs: Processes.
    """
    pieces = list(arguments)
    if jobs == 1 or len(pieces) < 2:
        yield from (work(*piece) for piece in pieces)
        return
    parallel: Any = Parallel(n_jobs=min(jobs, len(pieces)), return_as="generator_unordered")
    with _deaf():
        results = parallel(delayed(work)(*piece) for piece in pieces)
    yield from results


@contextmanager
def _deaf() -> Generator[None]:
    """A context in which processes are started deaf to Ctrl-C.

    A terminal sends it to all of them; only this process answers it.
    """
    if current_thread() is not main_thread():  # signals reach the main thread alone
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
