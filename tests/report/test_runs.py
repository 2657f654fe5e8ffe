import pytest
from hypothesis import given
from hypothesis import strategies as st

from report.runs import arranged, by_world, natural, ordered
from tests.report.runs import run

NAMES = [
    "uniform",
    "gvm",
    "speed",
    "speed-released",
    "speed:screen=2,extend=4",
    "speed:screen=2,extend=20",
    "speed:screen=2.5",
    "speed:screen=12",
    "tuned:rate=1e-5",
    "tuned:rate=3e-4",
    "oracle",
]


@given(st.permutations(NAMES))
def test_strategies_come_by_name_and_number_between_baseline_and_oracle(
    names: list[str],
) -> None:
    assert ordered(names, first="uniform", last="oracle") == NAMES


@given(st.lists(st.text(alphabet="ab:0123.e-", max_size=9)))
def test_any_names_have_one_order(names: list[str]) -> None:
    backwards = names[::-1]
    assert sorted(names, key=natural) == sorted(backwards, key=natural)
    assert all((natural(a) == natural(b)) == (a == b) for a in names for b in names)


def test_what_was_wanted_comes_first() -> None:
    assert arranged("aabcd", ["d", "x", "b", "d"]) == ["d", "b", "a", "c"]
    assert arranged("ba", ()) == ["b", "a"]


def test_runs_towards_different_goals_are_named_with_the_mend() -> None:
    records = [run(), run("mopps"), run("mopps", 1, target=0.4)]
    with pytest.raises(ValueError, match="world hill: runs disagree on their goal") as caught:
        by_world(records)
    message = str(caught.value)
    assert "accuracy >= 0.3 in mopps with seed 0" in message
    assert "accuracy >= 0.4 in mopps with seed 1" in message
    assert message.endswith(
        "delete the files of one goal's runs and run again, or write to another folder"
    )
    assert "\n" not in message
