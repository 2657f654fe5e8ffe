import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from tests.statistical import assert_mean
from theory.refilling import (
    Refill,
    adaptive_cost,
    capped_rounds,
    expected_rounds,
    refill,
    unfilled_probability,
)

shares = st.floats(0.0, 1.0)


@given(share=shares, prompts=st.integers(0, 7), wanted=st.integers(0, 8))
def test_unfilled_orders_agree_with_enumeration(
    share: float, prompts: int, wanted: int
) -> None:
    short = 0.0
    for mixed in itertools.product((0, 1), repeat=prompts):
        chance = np.where(np.array(mixed) == 1, share, 1.0 - share).prod()
        short += chance * (sum(mixed) < wanted)
    np.testing.assert_allclose(unfilled_probability(prompts, wanted, share), short, atol=1e-14)


@pytest.mark.parametrize(
    ("zero_variance", "missing", "prompts", "short"),
    [
        (0.3, 60, 107, 0.0008),
        (0.7, 20, 83, 0.096),
        (0.7, 60, 249, 0.016),
        (0.9, 10, 125, 0.187),
        (0.9, 25, 312, 0.100),
    ],
)
def test_a_last_order_can_leave_the_batch_short(
    zero_variance: float, missing: int, prompts: int, short: float
) -> None:
    """The released sizes: a quarter more prompts than needed on average."""
    size = refill(missing, zero_variance)
    assert size == prompts
    got = unfilled_probability(size, missing, 1.0 - zero_variance)
    assert got == pytest.approx(short, abs=6e-4)


def test_orders_are_clipped() -> None:
    """At 64 from below and 384 from above; 384 as well where every group was alike."""
    assert refill(np.array([0, 10, 200]), 0.5).tolist() == [64, 64, 384]
    assert refill(np.array([1, 10]), 1.0).tolist() == [384, 384]
    assert refill(10, 0.5, smallest=1) == 25
    assert refill(10, 0.5, safety=1.0, smallest=1) == 20
    assert refill(7, 0.0, smallest=1) == 8  # 8.75, cut


@pytest.mark.parametrize(
    ("share", "prompts", "ideal"),
    [
        (0.5, 768.0, 512.0),
        (0.6, 766.4, 426.7),
        (0.66, 608.9, 387.9),
        (0.68, 486.9, 376.5),
        (0.75, 384.0, 341.3),
        (0.2, 1523.3, 1280.0),
        (0.3, 1142.5, 853.3),
    ],
)
def test_dynamic_sampling_pays_whole_orders(share: float, prompts: float, ideal: float) -> None:
    """256 mixed groups from orders of 384, against 256 / share."""
    assert 384 * expected_rounds(256, 384, share) == pytest.approx(prompts, abs=0.06)
    assert 256 / share == pytest.approx(ideal, abs=0.06)


@given(share=st.floats(0.05, 1.0), wanted=st.integers(1, 12), prompts=st.integers(1, 12))
def test_expected_rounds_are_a_sum_of_binomial_tails(
    share: float, wanted: int, prompts: int
) -> None:
    rounds = np.arange(3000)
    expected = binom.cdf(wanted - 1, rounds * prompts, share).sum()
    got = expected_rounds(wanted, prompts, share)
    np.testing.assert_allclose(got, expected, rtol=1e-9)
    np.testing.assert_allclose(capped_rounds(wanted, prompts, share, 3000), expected, rtol=1e-9)


def test_certain_and_hopeless_batches() -> None:
    """Every group mixed takes ceil(B/G) orders."""
    wanted = np.arange(1, 13)
    np.testing.assert_allclose(expected_rounds(wanted, 4, 1.0), np.ceil(wanted / 4))
    assert expected_rounds(256, 384, 0.0) == np.inf
    assert capped_rounds(256, 384, 0.0, 4) == 4.0
    assert capped_rounds(256, 384, 1.0, 4) == 1.0


def test_rare_mixed_groups_cost_half_an_order_beyond_the_ideal() -> None:
    share = np.array([1e-3, 1e-9, 1e-300])
    expected = 256 / share + (384 - 1) / 2
    np.testing.assert_allclose(384 * expected_rounds(256, 384, share), expected, rtol=1e-12)
    one_by_one = expected_rounds(256, np.array([1, 384]), 0.1)
    np.testing.assert_allclose(one_by_one[0], 2560.0)


def test_four_orders_may_be_the_need_or_the_cap() -> None:
    """256 from 256: 4.0 orders are needed at shares .28 to .30, not at 1/4 or 1/3."""
    needed = expected_rounds(256, 256, np.array([0.25, 0.28, 0.29, 0.3, 1 / 3]))
    np.testing.assert_allclose(needed, [4.488, 4.013, 3.997, 3.975, 3.486], atol=6e-4)
    capped = capped_rounds(256, 256, np.array([0.05, 0.15, 0.25, 0.28, 0.3]), 4)
    np.testing.assert_allclose(capped, 4.0, atol=0.025)


@pytest.mark.parametrize("smallest", [1, 64])
def test_orders_sized_by_need_cost_fewer_prompts(smallest: int) -> None:
    """At every share that asks for a second order, between the ideal and dynamic sampling."""
    for share in (0.05, 0.1, 0.2, 0.34, 0.5, 0.6, 0.66, 0.7, 0.9, 1.0):
        cost = adaptive_cost(256, share, smallest=smallest)
        whole = 384 * float(expected_rounds(256, 384, share))
        assert max(256 / share, 384) <= cost.prompts + 1e-6
        assert cost.prompts <= whole + 1e-6
        assert cost.rounds >= whole / 384 - 1e-6  # the price is in serial rounds


def test_the_size_of_orders_alone_can_save_two_fifths() -> None:
    """At a mixed share of .6, with nothing skipped."""
    cost = adaptive_cost(256, 0.6)
    assert cost == pytest.approx((451.7, 2.002), abs=0.05)
    assert 384 * expected_rounds(256, 384, 0.6) / cost.prompts == pytest.approx(1.70, abs=5e-3)


def test_orders_sized_by_need_agree_with_simulation() -> None:
    rng = np.random.default_rng(0)
    prompts, rounds = np.zeros(40_000), np.zeros(40_000)
    missing = np.full(prompts.size, 12)
    while (missing > 0).any():
        first = np.where(rounds == 0, 16, refill(np.maximum(missing, 0), 0.7, 16, 1.25, 4))
        order = np.where(missing > 0, first, 0)
        prompts, rounds = prompts + order, rounds + (order > 0)
        missing = missing - rng.binomial(order, 0.3)
    cost = adaptive_cost(12, 0.3, 16, 1.25, 4)
    assert_mean(prompts, cost.prompts, 16.0, 160.0)
    assert_mean(rounds, cost.rounds, 1.0, 15.0)
    with pytest.raises(AssertionError):
        assert_mean(prompts, adaptive_cost(12, 0.3, 16, 1.25, 16).prompts, 16.0, 160.0)


def test_batches_that_fill_at_once_or_never() -> None:
    assert adaptive_cost(5, 0.0) == Refill(np.inf, np.inf)
    assert adaptive_cost(256, 1.0) == Refill(384.0, 1.0)
    assert adaptive_cost(1, 0.25, 1, 1.0, 1) == pytest.approx((4.0, 4.0))  # one by one


def test_domains_are_checked() -> None:
    with pytest.raises(ValueError, match=r"mixed_share lies in \[0, 1\], not 1\.5"):
        expected_rounds(1, 1, 1.5)
    with pytest.raises(ValueError, match="wanted is a whole number, at least 1, not 0"):
        expected_rounds(0, 1, 0.5)
    with pytest.raises(ValueError, match=r"prompts is a whole number, at least 1, not 1\.5"):
        expected_rounds(1, 1.5, 0.5)
    with pytest.raises(ValueError, match="cap is a whole number"):
        capped_rounds(1, 1, 0.5, 0)
    with pytest.raises(ValueError, match="zero_variance lies in"):
        refill(1, -0.1)
    with pytest.raises(ValueError, match="safety is positive, not 0"):
        refill(1, 0.1, safety=0.0)
    with pytest.raises(ValueError, match="missing is a whole number"):
        refill(-1, 0.1)
    with pytest.raises(ValueError, match="prompts is a whole number, at least 0, not -1"):
        unfilled_probability(-1, 1, 0.5)
    with pytest.raises(ValueError, match="wanted is a whole number, at least 1, not 0"):
        adaptive_cost(0, 0.5)


@pytest.mark.parametrize("share", [5e-324, 1e-310, 1e-17])
def test_hardly_any_mixed_groups_cost_more_than_can_be_said_or_nearly(share: float) -> None:
    got = adaptive_cost(256, share)
    rounds = 1.0 / 384.0 / share if share > 1e-300 else np.inf
    assert got.prompts == pytest.approx(384.0 * rounds * 256.0, rel=1e-6)
    assert got.rounds > 0.9 * rounds or np.isinf(got.rounds)
