"""The replays would not pass for just any record: one wrong value is noticed, and named."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.golden import cures, greso, mopps, speed
from tests.golden.traces import traces

Trace = dict[str, Any]
Path = tuple[str | int, ...]
REPLAYS: dict[str, Callable[[Trace], None]] = {
    "speed": speed.replay,
    "greso": greso.replay,
    "mopps": mopps.replay,
    "cures": cures.replay,
}
SERIES = ("events", "rounds", "steps", "batches", "cases")
DRAWS = frozenset({"u", "k", "acc"})
GIVEN = DRAWS | {
    *("name", "mode", "config", "kind", "stats", "levels", "loader", "score_levels", "score"),
    *("epoch", "p_easy", "p_hard", "ids", "kept_mean", "rew", "cand", "succ", "warm_start"),
    *("in_band_shuffled", "choice", "correct", "grad_norms", "pad_tie", "skipped", "n_gpus"),
    *("after_batch", "add_accepted_all", "G", "p"),
}
EXPECTED_TOO: dict[tuple[str, Any], set[str]] = {  # given in other kinds of traces
    ("greso", "loop"): {"ids", "p_easy", "p_hard", "epoch"},
    ("mopps", "loop"): {"ids"},
}
GIVEN_TOO: dict[tuple[str, Any], set[str]] = {
    ("cures", "sampler"): {"accepted", "n"},
    ("cures", "pad"): {"n"},
}


def label(trace: Trace) -> tuple[object, ...]:
    """What tells sorts of traces apart: their kind, what selects in them, how they end."""
    config = trace.get("config", {})
    selects = tuple(config.get(field) for field in ("selector", "strategy", "filter"))
    fails = any("what" in event for event in trace.get("events", ()))
    return trace.get("kind"), *selects, fails, "error" in trace, "update" in trace


def one_of_each() -> Iterator[tuple[str, Trace]]:
    """The shortest trace of every sort."""
    for name in REPLAYS:
        sorts: dict[object, Trace] = {}
        for trace in sorted(traces(name), key=lambda trace: len(repr(trace))):
            sorts.setdefault(label(trace), trace)
        yield from ((name, trace) for trace in sorts.values())


EACH = [pytest.param(*one, id=f"{one[0]}-{one[1]['name']}") for one in one_of_each()]


def fields(name: str, trace: Trace) -> Iterator[Path]:
    """Paths of the expected fields: every top one, and the last of each sort of event."""
    key = (name, trace.get("kind"))
    given = (GIVEN - EXPECTED_TOO.get(key, set())) | GIVEN_TOO.get(key, set())
    yield from ((field,) for field in trace if field not in {*given, *SERIES, "update"})
    update = trace.get("update", {})
    yield from (("update", f) for f in update if f not in given | {"new_iterator"})
    yield from (
        ("update", "new_iterator", f) for f in update.get("new_iterator", ()) if f != "u"
    )
    for series in SERIES:
        last: dict[tuple[str, str], Path] = {}
        for index, event in enumerate(trace.get(series, ())):
            for field in event:
                last[event.get("ev", ""), field] = (series, index, field)
        yield from (path for (_, field), path in last.items() if field not in given)


def spoiled(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The value, slightly wrong."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + (1 if isinstance(value, int) else 1e-3)
        case str():
            return value[:-1] + ("0" if value.endswith("2") else "2")
        case [first, *rest]:
            return [spoiled(first), *rest]
        case dict():
            first = next(iter(value))
            return {**value, first: spoiled(value[first])}
        case _:
            return [0] if value == [] else 0.5


def changed(value: Any, path: Path, by: Callable[[Any], Any]) -> Any:  # noqa: ANN401
    """A copy in which the value at the end of the path is changed."""
    if not path:
        return by(value)
    copy: Any = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:], by)
    return copy


@pytest.mark.parametrize(("name", "trace"), EACH)
def test_a_wrong_value_of_any_field_is_noticed(name: str, trace: Trace) -> None:
    for path in fields(name, trace):
        wrong = changed(trace, path, spoiled)
        with pytest.raises(AssertionError) as error:
            REPLAYS[name](wrong)
        where = "".join(f"[{key}]" for key in path if isinstance(key, int))
        assert str(error.value).startswith(trace["name"] + where), path
        if path[-1] != "final":
            assert str(path[-1]) in str(error.value).split(":")[0], path


def tapes(trace: Trace) -> Iterator[Path]:
    """Paths of the recorded draws, the last of those in a series."""
    yield from ((field,) for field in DRAWS & trace.keys() if trace[field])
    for series in SERIES:
        for field in DRAWS:
            at = [i for i, event in enumerate(trace.get(series, ())) if event.get(field)]
            yield from ((series, i, field) for i in at[-1:])


def shorter(draws: list[Any]) -> list[Any]:
    """The draws but for one."""
    longest = max(range(len(draws)), key=lambda i: len(draws[i]) if _row(draws[i]) else i)
    one = draws[longest]
    return [*draws[:longest], *([one[:-1]] if _row(one) else []), *draws[longest + 1 :]]


def longer(draws: list[Any]) -> list[Any]:
    """The draws and one more."""
    return [draws[0] + "0", *draws[1:]] if _row(draws[0]) else [*draws, draws[-1]]


def _row(draw: object) -> bool:
    return isinstance(draw, str)


@pytest.mark.parametrize("by", [shorter, longer])
@pytest.mark.parametrize(("name", "trace"), EACH)
def test_a_tape_must_be_used_up_and_no_more(
    name: str, trace: Trace, by: Callable[[list[Any]], list[Any]]
) -> None:
    for path in tapes(trace):
        with pytest.raises(AssertionError, match=trace["name"]):
            REPLAYS[name](changed(trace, path, by))


@pytest.mark.parametrize(("name", "trace"), EACH)
def test_every_recorded_event_must_be_reached(name: str, trace: Trace) -> None:
    if trace.get("events"):
        again = {**trace, "events": [*trace["events"], trace["events"][-1]]}
        with pytest.raises(AssertionError, match=trace["name"]):
            REPLAYS[name](again)
        with pytest.raises(AssertionError, match=trace["name"]):
            REPLAYS[name]({**trace, "events": trace["events"][:-1]})
