"""Recorded runs: draws that are served front to back, events that are compared one by one.

A replay can read the inputs of an event, never what it expects: that can only be compared.
Every expected field must be compared before the next event begins, and every draw be used.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import numpy as np

from tests.golden.traces import assert_close

NOTES = frozenset({"name", "mode", "kind", "config", "stats"})


class Tape(np.random.Generator):
    """A generator that serves recorded draws and can make none of its own."""

    def __init__(
        self,
        where: str,
        *,
        uniforms: Iterable[float] = (),
        betas: Iterable[float] = (),
        permutations: Iterable[Sequence[int]] = (),
    ) -> None:
        super().__init__(np.random.PCG64(0))
        self.where = where
        self.uniforms, self.betas = list(uniforms), list(betas)
        self.permutations = [np.array(served, int) for served in permutations]
        self.parameters: list[tuple[np.ndarray, np.ndarray]] = []  # of the Beta draws made
        self._start = repr(self.bit_generator.state)

    def random(self, size: int | tuple[int, ...]) -> np.ndarray:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._serve(self.uniforms, int(np.prod(size)), "uniforms").reshape(size)

    def beta(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.parameters.append((a, b))
        return self._serve(self.betas, np.broadcast(a, b).size, "Beta draws")

    def permutation(self, x: int | np.ndarray) -> np.ndarray:  # pyright: ignore[reportIncompatibleMethodOverride]
        if not self.permutations:
            self._fail("permutations", 1, 0)
        served = self.permutations.pop(0)
        items = np.arange(x) if isinstance(x, int) else x
        same = np.array_equal(np.sort(served), np.sort(items))
        assert same, f"{self.where}: {items} is to be shuffled, not {served}"
        return served

    def spent(self) -> None:
        """Fail if a draw was left over, or if one was made that was never recorded."""
        left = len(self.uniforms), len(self.betas), len(self.permutations)
        assert not any(left), f"{self.where}: {left} uniforms, Beta draws, permutations left"
        state = repr(self.bit_generator.state)
        assert state == self._start, f"{self.where}: a draw of another kind was made"

    def _serve(self, values: list[float], count: int, kind: str) -> np.ndarray:
        if count > len(values):
            self._fail(kind, count, len(values))
        served = np.array(values[:count], float)
        del values[:count]
        return served

    def _fail(self, kind: str, count: int, left: int) -> NoReturn:
        raise AssertionError(f"{self.where}: {count} {kind} are asked for, {left} are left")


class Record:
    """One recorded event."""

    def __init__(self, where: str, fields: dict[str, Any], inputs: frozenset[str]) -> None:
        self.where = where
        self._fields, self._inputs = fields, inputs
        self._open = set(fields) - inputs - NOTES

    def __contains__(self, field: str) -> bool:
        return field in self._fields

    def read(self, field: str) -> Any:  # noqa: ANN401 - whatever JSON holds
        """An input of the replay."""
        assert field in self._inputs, f"{field} is what the replay must find out for itself"
        return self._fields[field]

    def same(self, **got: object) -> None:
        """Fail unless these fields are exactly as recorded."""
        for field, value in got.items():
            want, plain = self._wanted(field), np.asarray(value).tolist()
            assert plain == want, f"{self.where}.{field}: {plain} is not {want}"

    def near(self, tolerance: float = 1e-6, /, **got: object) -> None:
        """Fail unless these fields are as recorded, up to rounding."""
        for field, value in got.items():
            where = f"{self.where}.{field}"
            assert_close(value, self._wanted(field), where, tolerance=tolerance)

    def near_relative(self, tolerance: float, /, **got: np.ndarray) -> None:
        """Fail unless the ratios to what is recorded are 1, up to rounding."""
        for field, value in got.items():
            want = np.array(self._wanted(field), float)
            where = f"{self.where}.{field} / recorded"
            assert len(value) == want.size, f"{where}: {len(value)} is not {want.size}"
            assert_close(value / want, np.ones(want.size), where, tolerance=tolerance)

    def same_set(self, field: str, got: np.ndarray) -> np.ndarray:
        """These items in the recorded order; fail unless they are the recorded ones."""
        want = self._wanted(field)
        same = sorted(got.tolist()) == sorted(want)
        assert same, f"{self.where}.{field}: {got.tolist()} are not {want}"
        return np.array(want, int)

    def same_or_zero(self, **got: np.ndarray) -> None:
        """Fail unless these fields are as recorded, and 0 where the release has no value."""
        for field, value in got.items():
            want = [0 if n is None else n for n in self._wanted(field)]
            assert value.tolist() == want, f"{self.where}.{field}: {value} is not {want}"

    def done(self) -> None:
        """Fail if an expected field was never compared."""
        assert not self._open, f"{self.where}: {sorted(self._open)} was never compared"

    def _wanted(self, field: str) -> Any:  # noqa: ANN401
        assert field in self._fields, f"{self.where}.{field} is not recorded"
        self._open.discard(field)
        return self._fields[field]


class Events:
    """The recorded events of a trace, in turn."""

    def __init__(self, name: str, events: list[dict[str, Any]], *inputs: str) -> None:
        self._name, self._events, self._inputs = name, events, frozenset(inputs)
        self._index = -1
        self._current: Record | None = None

    def next(self, ev: str | None = None) -> Record:
        """The next event, which must be of this sort."""
        self._close()
        self._index += 1
        where = f"{self._name}[{self._index}]"
        assert self._index < len(self._events), f"{where}: {ev} follows the last event"
        self._current = Record(where, self._events[self._index], self._inputs)
        if ev is not None:
            self._current.same(ev=ev)
        return self._current

    def finish(self) -> None:
        """Fail if recorded events were not reached."""
        self._close()
        where = f"{self._name}[{self._index + 1}]"
        assert self._index + 1 == len(self._events), f"{where}: the replay ends too early"

    def _close(self) -> None:
        if self._current is not None:
            self._current.done()
