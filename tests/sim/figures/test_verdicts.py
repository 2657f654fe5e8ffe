"""Published values beside ours: as a table that reads back, and in words."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.figures import verdicts
from sim.figures.entry import Value

finite = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).filter(
    lambda t: t == t.strip()
)
values = st.builds(
    Value,
    what=text,
    published=st.floats(1e-9, 1e9),
    here=finite,
    tolerance=st.floats(1e-12, 1e6),
    against=st.sampled_from(["difference", "ratio"]),
    note=st.one_of(st.just(""), text),
)


@given(st.lists(values, max_size=5))
def test_the_table_reads_back_as_it_was(listed: list[Value]) -> None:
    assert verdicts.from_csv(verdicts.to_csv(listed)) == tuple(listed)


@pytest.mark.parametrize("name", ["NA", "nan", "None", "", "1.5", "a,b", 'say "x"', "−1"])
def test_text_stays_text(name: str) -> None:
    one = Value(what=name or "x", published=1.0, here=2.0, tolerance=0.5, note=name)
    assert verdicts.from_csv(verdicts.to_csv([one])) == (one,)


@pytest.mark.parametrize("here", [nan, inf])
def test_a_value_that_was_not_found_reads_back(here: float) -> None:
    one = Value(what="x", published=1.0, here=here, tolerance=0.5)
    (back,) = verdicts.from_csv(verdicts.to_csv([one]))
    assert str(back.here) == str(here)
    assert not back.reproduced


def test_the_table_says_how_far_off_and_whether_reproduced() -> None:
    listed = [
        Value(what="a", published=2.0, here=3.0, tolerance=0.5),
        Value(what="b", published=2.0, here=3.0, tolerance=0.5, against="ratio", note="n"),
    ]
    assert verdicts.to_csv(listed).splitlines() == [
        "what,published,here,against,deviation,tolerance,reproduced,note",
        "a,2.0,3.0,difference,1.0,0.5,no,",
        "b,2.0,3.0,ratio,1.5,0.5,yes,n",
    ]
    assert verdicts.summary(listed) == "1 of 2 values reproduced"
    assert verdicts.summary([]) == "no value in print to compare with"


def test_another_table_is_refused() -> None:
    with pytest.raises(ValueError, match="columns a, b are not what, published"):
        verdicts.from_csv("a,b\n1,2\n")


def test_numbers_for_a_reader() -> None:
    difference = Value(what="x", published=2.0, here=1.5, tolerance=0.25)
    ratio = Value(what="x", published=2.0, here=3.0, tolerance=0.15, against="ratio")
    unknown = Value(what="x", published=2.0, here=nan, tolerance=0.25)
    assert [verdicts.deviation(v) for v in (difference, ratio, unknown)] == [
        "−0.5",
        "× 1.5",
        "–",
    ]
    assert [verdicts.tolerance(v) for v in (difference, ratio)] == ["± 0.25", "± 15 %"]
    assert [verdicts.number(x) for x in (-1.23456, nan, 0.25)] == ["−1.235", "–", "0.25"]
