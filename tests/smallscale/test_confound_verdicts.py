"""How a verdict follows from intervals."""

from itertools import product
from math import inf, nan

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from report.aggregate import UNKNOWN, Estimate
from smallscale.confound import TARGETS
from smallscale.confound_costs import Paid, costs
from smallscale.confound_verdicts import Claim, place, together, verdict, verdicts, wholes
from tests.smallscale.confound_runs import U1, study


def judged(
    *found: Estimate, least: float = 1.0, most: float = 2.0, seeds: int = 5
) -> pd.DataFrame:
    """The verdict on a claim whose numbers to the targets are these."""
    numbers = dict(zip(TARGETS, found, strict=True))

    def number(paid: Paid, target: float) -> tuple[Estimate, int]:
        assert paid
        return numbers[target], seeds

    claim = Claim(
        hypothesis=5, told="it", setting="adam", number=number, least=least, most=most
    )
    return verdicts(costs(study({U1: 0.005}, seeds=1)), [claim])


@pytest.mark.parametrize(
    ("low", "high", "where"),
    [
        (1.2, 1.8, "inside"),
        (1.0, 2.0, "inside"),  # ends belong to the range
        (0.9, 1.5, "across"),
        (1.5, 2.1, "across"),
        (0.5, 3.0, "across"),
        (0.5, 1.0, "across"),
        (0.5, 0.999, "below"),
        (2.001, 2.5, "above"),
        (1.5, inf, "across"),  # a bound: some seed never reached the target
        (2.5, inf, "above"),
        (nan, nan, "unknown"),
    ],
)
def test_places(low: float, high: float, where: str) -> None:
    assert place(Estimate(1.4, low, high), 1.0, 2.0) == where


def test_what_cannot_be_estimated_has_no_place() -> None:
    assert place(UNKNOWN, -inf, inf) == "unknown"
    assert place(Estimate(nan, 0.0, inf, "unknown"), -inf, inf) == "unknown"


@given(st.lists(st.floats(0.1, 5.0), min_size=4, max_size=4))
def test_places_exclude_each_other_and_follow_the_range(ends: list[float]) -> None:
    (least, most), (low, high) = sorted(ends[:2]), sorted(ends[2:])
    where = place(Estimate(low, low, high), least, most)
    assert (where == "inside") == (least <= low and high <= most)
    assert (where in ("below", "above")) == (high < least or low > most)
    wider = place(Estimate(low, low, high), least - 1, most + 1)
    assert where != "inside" or wider == "inside"


def test_one_target_outside_refutes_and_all_inside_confirm() -> None:
    every = ("inside", "below", "above", "across", "unknown")
    for places in product(every, repeat=3):
        if {"below", "above"} & set(places):
            assert verdict(places) == "refuted"
        elif set(places) == {"inside"}:
            assert verdict(places) == "confirmed"
        else:
            assert verdict(places) == "undecided"
    assert verdict([]) == "not run"


def test_a_hypothesis_is_all_its_claims() -> None:
    every = ("confirmed", "refuted", "undecided", "not run")
    for claims in product(every, repeat=2):
        expected = claims[0] if claims[0] == claims[1] else "undecided"
        assert together(claims) == ("refuted" if "refuted" in claims else expected)


def test_rows_say_where_each_number_lies_and_why() -> None:
    inside, across = Estimate(1.5, 1.2, 1.8), Estimate(1.9, 1.5, 2.3)
    found = judged(inside, across, inside)
    assert found["target"].tolist() == list(TARGETS)
    assert found["place"].tolist() == ["inside", "across", "inside"]
    assert set(found["verdict"]) == {"undecided"}
    assert set(found["how"]) == {"to 0.7 point inside, interval reaches above"}
    assert found.loc[1, ["value", "low", "high", "seeds"]].tolist() == [1.9, 1.5, 2.3, 5]
    assert found.loc[0, ["least", "most"]].tolist() == [1.0, 2.0]
    wide = judged(inside, inside, Estimate(0.9, 0.5, 2.5))
    assert set(wide["how"]) == {"to 0.8 point below, interval reaches below and above"}


def test_nothing_is_against_what_is_confirmed() -> None:
    found = judged(*[Estimate(1.5, 1.2, 1.8)] * 3)
    assert set(found["verdict"]) == {"confirmed"}
    assert set(found["how"]) == {""}


def test_what_holds_at_every_target_is_said_once() -> None:
    found = judged(*[Estimate(0.5, 0.4, 0.6)] * 3)
    assert set(found["verdict"]) == {"refuted"}
    assert set(found["how"]) == {"always below"}


def test_one_seed_decides_nothing_even_far_outside() -> None:
    found = judged(*[Estimate(9.0, nan, nan)] * 3, seeds=1)
    assert set(found["verdict"]) == {"undecided"}
    assert set(found["how"]) == {"always point above, no interval"}


def test_without_seeds_it_was_not_run() -> None:
    found = judged(UNKNOWN, UNKNOWN, UNKNOWN, seeds=0)
    assert set(found["verdict"]) == set(found["place"]) == {"not run"}
    assert wholes(found) == {5: "not run"}


def test_hypotheses_keep_their_numbers() -> None:
    good, bad = judged(*[Estimate(1.5, 1.2, 1.8)] * 3), judged(*[Estimate(3.0, 2.9, 3.1)] * 3)
    both = pd.concat([good, good.assign(hypothesis=6), bad.assign(hypothesis=6)])
    assert wholes(both) == {5: "confirmed", 6: "refuted"}
