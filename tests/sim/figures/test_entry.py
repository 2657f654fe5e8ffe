"""Values beside published ones, and what an entry of the registry must say."""

from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.figures.entry import Drawn, Entry, Value, share


def value(here: float, **changes: object) -> Value:
    terms = {"what": "x", "published": 4.0, "here": here, "tolerance": 0.5} | changes
    return Value(**terms)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("here", "against", "deviation", "reproduced"),
    [
        (4.0, "difference", 0.0, True),
        (4.5, "difference", 0.5, True),
        (3.5, "difference", -0.5, True),
        (4.51, "difference", 0.51, False),
        (3.49, "difference", -0.51, False),
        (4.0, "ratio", 1.0, True),
        (6.0, "ratio", 1.5, True),
        (2.0, "ratio", 0.5, True),
        (6.1, "ratio", 1.525, False),
        (1.9, "ratio", 0.475, False),
    ],
)
def test_a_value_is_reproduced_within_its_tolerance(
    here: float, against: str, deviation: float, *, reproduced: bool
) -> None:
    found = value(here, against=against)
    assert found.deviation == pytest.approx(deviation)
    assert found.reproduced is reproduced


@pytest.mark.parametrize("against", ["difference", "ratio"])
def test_what_was_not_found_is_not_reproduced(against: str) -> None:
    assert not value(nan, against=against, tolerance=1e9).reproduced


@pytest.mark.parametrize(
    "changes",
    [
        {"published": nan},
        {"tolerance": 0.0},
        {"tolerance": nan},
        {"published": 0.0, "against": "ratio"},
    ],
)
def test_a_value_that_no_verdict_can_be_given_on_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="x: "):
        value(4.0, **changes)


def drawn(_: float) -> Drawn:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("how", "make", "missing"),
    [
        (None, drawn, ""),
        ("simulation", None, ""),
        ("simulation", None, "why"),
        ("simulation", drawn, "why"),
        (None, None, ""),
    ],
)
def test_an_entry_is_made_somehow_or_missing_for_a_reason(
    how: str | None, make: object, missing: str
) -> None:
    with pytest.raises(ValueError, match="either made somehow"):
        Entry(paper="SPEED", title="t", source="s", how=how, make=make, missing=missing)  # pyright: ignore[reportArgumentType]


def test_entries_that_can_and_cannot_be_made() -> None:
    made = Entry(paper="SPEED", title="t", source="s", how="simulation", make=drawn)
    missing = Entry(paper="SPEED", title="t", source="s", how=None, missing="why")
    assert made.make is drawn
    assert missing.missing == "why"


@given(st.floats(1e-6, 1.0), st.integers(2, 1000))
def test_a_share_is_rounded_up_between_the_least_and_all(fraction: float, full: int) -> None:
    got = share(fraction, full)
    assert 2 <= got <= full
    assert got == 2 or got - 1 < fraction * full
    assert got >= fraction * full or got == full


@pytest.mark.parametrize(
    ("fraction", "full", "least", "got"),
    [
        (1.0, 20, 2, 20),
        (0.5, 20, 2, 10),
        (0.51, 20, 2, 11),
        (0.02, 20, 2, 2),
        (0.02, 600, 60, 60),
        (0.5, 1, 2, 1),
    ],
)
def test_shares(fraction: float, full: int, least: int, got: int) -> None:
    assert share(fraction, full, least) == got
