"""Settings written as text, and how wrong ones are refused."""

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.checks import counts, within
from selection.settings import SettingError, change, nearest, parse
from sim.coupled import Coupled


@dataclass(frozen=True, kw_only=True)
class Inner:
    depth: int = 1
    colour: Literal["red", "blue"] = "red"

    def __post_init__(self) -> None:
        counts(depth=self.depth)


@dataclass(frozen=True, kw_only=True)
class Outer:
    size: int = 3
    share: float = 0.5
    name: str = "x"
    loud: bool = False
    most: int | None = None
    pair: tuple[float, float] | None = None
    trio: tuple[int, int, float] = (1, 2, 3.0)
    call: Any = None
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        within(0.0, 1.0, share=self.share)


@pytest.mark.parametrize(
    ("text", "name", "changes"),
    [
        ("speed", "speed", {}),
        ("", "", {}),
        ("speed:screen=8", "speed", {"screen": "8"}),
        ("speed:screen=8,extend=16", "speed", {"screen": "8", "extend": "16"}),
        ("static:population=a=b", "static", {"population": "a=b"}),
        ("static:population=c:/x.json", "static", {"population": "c:/x.json"}),
        (
            "static:population=beta(0.4, 2.5),prompts=9",
            "static",
            {"population": "beta(0.4, 2.5)", "prompts": "9"},
        ),
        ("s:prompts=9,population=beta(1,2)", "s", {"prompts": "9", "population": "beta(1,2)"}),
    ],
)
def test_a_setting_is_a_name_and_changes(text: str, name: str, changes: dict[str, str]) -> None:
    assert parse(text) == (name, changes)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("speed:screen", "screen"),
        ("speed:screen=", "screen="),
        ("speed:=8", "=8"),
        ("speed:,", ""),
        ("speed:screen=8,", ""),
        ("speed:screen=8,screen=9", "screen=9"),
    ],
)
def test_a_change_of_another_form_is_refused(text: str, part: str) -> None:
    with pytest.raises(SettingError) as refused:
        parse(text)
    assert str(refused.value) == f"{part!r} in {text!r} must be key=value, each key once"


@pytest.mark.parametrize("text", ["speed:", ":", "beta(1, 2):"])
def test_a_colon_announces_a_change(text: str) -> None:
    with pytest.raises(SettingError) as refused:
        parse(text)
    assert str(refused.value) == f"{text!r} ends without a change: leave out the colon"


WORDS = st.text(st.characters(categories=["Ll", "Nd"]), min_size=1, max_size=8)


@given(WORDS, st.dictionaries(WORDS, WORDS, max_size=4))
def test_what_was_written_is_read(name: str, changes: dict[str, str]) -> None:
    written = ",".join(f"{key}={value}" for key, value in changes.items())
    assert parse(f"{name}:{written}" if written else name) == (name, changes)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("size", "7", 7),
        ("share", "1", 1.0),
        ("share", "1e-3", 0.001),
        ("name", "none", "none"),
        ("loud", "True", True),
        ("loud", "false", False),
        ("most", "4", 4),
        ("most", "None", None),
        ("pair", "0.2/0.28", (0.2, 0.28)),
        ("pair", "none", None),
        ("trio", "4/5/.6", (4, 5, 0.6)),
    ],
)
def test_values_are_read_by_the_type_of_their_field(key: str, text: str, value: object) -> None:
    changed = change(Outer(), {key: text})
    assert getattr(changed, key) == value
    assert type(getattr(changed, key)) is type(value)


def test_fields_of_a_nested_dataclass_are_named_directly() -> None:
    changed = change(Outer(), {"depth": "4", "size": "2", "colour": "blue"})
    assert changed == Outer(size=2, inner=Inner(depth=4, colour="blue"))


def test_what_is_not_changed_stays() -> None:
    outer = Outer(size=9, inner=Inner(depth=5))
    assert change(outer, {}) == outer
    assert change(outer, {"share": "0.1"}).inner == Inner(depth=5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": "2.5"}, "size='2.5' must be a whole number"),
        ({"size": "nan"}, "size='nan' must be a whole number"),
        ({"size": "none"}, "size='none' must be a whole number"),
        ({"size": "9" * 5000}, "must be a whole number"),
        ({"share": "half"}, "share='half' must be a number"),
        ({"share": "nan"}, "share=nan must lie in [0, 1]"),
        ({"share": "-1"}, "share=-1.0 must lie in [0, 1]"),
        ({"loud": "yes"}, "loud='yes' must be true or false"),
        ({"most": "x"}, "most='x' must be a whole number or none"),
        ({"pair": "0.2"}, "pair='0.2' must be 2 numbers joined by '/' or none"),
        ({"pair": "1/2/3"}, "pair='1/2/3' must be 2 numbers joined by '/' or none"),
        ({"trio": "1/2"}, "trio='1/2' must be 3 numbers joined by '/'"),
        ({"call": "f"}, "call is no knob"),
        ({"colour": "green"}, "colour='green' must be 'red' or 'blue'"),
        ({"depth": "0"}, "depth=0 must be a whole number of at least 1"),
        ({"szie": "3"}, "unknown key of Outer 'szie': did you mean 'size'?"),
        ({"color": "red"}, "unknown key of Outer 'color': did you mean 'colour'?"),
        ({"inner": "3"}, "unknown key of Outer 'inner': there are"),
    ],
)
def test_a_bad_change_is_refused_by_name(changes: dict[str, str], message: str) -> None:
    with pytest.raises(SettingError) as refused:
        change(Outer(), changes)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_knobs_of_a_world_and_its_learner() -> None:
    changed = change(Coupled(population="uniform"), {"updates": "6", "clip": "0.2/0.28"})
    assert (changed.learner.updates, changed.learner.clip) == (6, (0.2, 0.28))
    with pytest.raises(SettingError, match="optimizer='adamw' must be 'adam' or 'sgd'"):
        change(changed, {"optimizer": "adamw"})
    with pytest.raises(SettingError, match="updates=0 must be a whole number"):
        change(changed, {"updates": "0"})


def test_the_nearest_known_name_is_suggested_or_all_are_named() -> None:
    known = ["uniform", "speed", "mopps"]
    assert str(nearest("spede", known, "strategy")) == (
        "unknown strategy 'spede': did you mean 'speed'?"
    )
    assert str(nearest("grpo", known, "strategy")) == (
        "unknown strategy 'grpo': there are mopps, speed, uniform"
    )
