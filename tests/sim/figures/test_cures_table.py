"""CurES's Table 1: arithmetic on what is printed."""

from math import sqrt

import pytest

from sim.figures.cures_table import METHODS, PROMPTS, average_error, countable
from tests.sim.figures.across_made import made, numbers_of


@pytest.mark.parametrize(("prompts", "runs"), [(40, 1), (30, 16)])
def test_countable_are_the_multiples_rounded(prompts: int, runs: int) -> None:
    total = prompts * runs
    printed = {f"{100 * k / total:.2f}" for k in range(total + 1)}
    for cents in range(10001):
        text = f"{cents / 100:.2f}"
        assert countable(cents / 100, prompts, runs) == (text in printed) or (
            abs(cents * total % 10000 - 5000) >= 0
            and text not in printed
            and _tie(cents, total)
        )


def _tie(cents: int, total: int) -> bool:
    """Whether a multiple lies half way between two decimals, and may be rounded either way."""
    return any(abs(10000 * k / total - cents) == 0.5 for k in range(total + 1))


def test_five_accuracies_were_not_counted() -> None:
    numbers = numbers_of("cures-table1")
    odd = {
        (row["model"], row["method"]): row["not_countable"]
        for row in numbers.to_dict("records")
        if row["not_countable"]
    }
    assert odd == {
        ("1.5B", "SPEED-GRPO"): "GAO23 Minerva",
        ("1.5B", "SPEED-RPP"): "AIME24 AIME25",
        ("7B", "GVM-GRPO"): "AMC23",
    }


def test_the_error_of_an_average_by_hand() -> None:
    """A coin on 40 prompts and a certainty on 500: sqrt(.25 / 40) / 2."""
    assert average_error({"AMC23": 50.0, "MATH500": 100.0}) == pytest.approx(
        100 * sqrt(0.25 / 40) / 2
    )


def test_all_averages_but_one_are_as_printed() -> None:
    drawn = made("cures-table1")
    assert len(drawn.values) == 18
    wrong = [value.what for value in drawn.values if not value.reproduced]
    assert wrong == ["1.5B base: mean of eight accuracies, %"]
    assert "7B RPP -0.56" in drawn.remarks
    assert "1.5B GRPO +2.12" in drawn.remarks
    assert len(METHODS) == len(PROMPTS) == 8
