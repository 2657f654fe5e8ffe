"""What an outcome says about its groups."""

import numpy as np
import pytest

from selection import Order, Selector
from selection.acceptance import in_band
from selection.membership import FEW, among
from tests.selection.orders import order, passed
from tests.selection.variants import VARIANTS

RAGGED = order([4, 0, 2], [2, 4, 3])


def test_passes_stand_for_rewards_that_are_not_told() -> None:
    outcome = passed([0, 3, 3])
    assert outcome.mean_rewards(RAGGED).tolist() == [0.0, 0.75, 1.0]
    assert outcome.mixed(RAGGED).tolist() == [False, True, False]


def test_rewards_are_read_group_by_group() -> None:
    outcome = passed([0, 1, 0], [0.1, 0.1, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.3])
    np.testing.assert_allclose(outcome.mean_rewards(RAGGED), [0.1, 0.25, 0.1])
    assert outcome.mixed(RAGGED).tolist() == [False, True, True]
    outcome = passed([0, 0, 3], [0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    assert outcome.mixed(RAGGED).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("low", "high", "mixed", "inside"),
    [
        (0.0, 1.0, True, [1, 2, 3]),
        (0.0, 1.0, False, [0, 1, 2, 3, 4]),
        (0.25, 0.5, True, [1, 2]),
        (0.0, 0.5, False, [0, 1, 2]),
        (0.3, 0.4, True, []),
    ],
)
def test_a_band_includes_its_bounds(
    low: float, high: float, *, mixed: bool, inside: list[int]
) -> None:
    five = order([0, 1, 2, 3, 4], 4)
    accepted = in_band(five, passed([0, 1, 2, 3, 4]), low=low, high=high, mixed=mixed)
    assert np.flatnonzero(accepted).tolist() == inside


@pytest.mark.parametrize("size", [0, 1, 40, FEW // 40 + 1])
def test_membership_in_small_and_large_sets(size: int) -> None:
    """On both sides of the size at which the method changes."""
    rng = np.random.default_rng(size)
    items, others = rng.integers(0, 2 * size + 1, size), rng.integers(0, 2 * size + 1, 40)
    expected = [item in set(others.tolist()) for item in items.tolist()]
    assert among(items, others).tolist() == expected


def test_no_order_is_an_order_of_no_prompts() -> None:
    assert Order.nothing().prompts.size == Order.nothing().rollouts.size == 0
    assert Order.equal(np.array([5, 3]), 7).rollouts.tolist() == [7, 7]


@pytest.mark.parametrize("name", VARIANTS)
def test_every_strategy_follows_the_protocol(name: str) -> None:
    assert isinstance(VARIANTS[name], Selector)
