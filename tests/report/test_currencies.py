import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float

from report.currencies import (
    CURRENCIES,
    DEFINITIONS,
    SMOOTHING,
    Definition,
    moving_average,
    time_to_target,
)
from report.record import COLUMNS, REQUIRED

Curve = Float[np.ndarray, "T"]
levels = st.lists(st.integers(0, 20), min_size=1, max_size=12).map(lambda x: np.array(x, float))
targets = st.integers(0, 20).map(float)


def paid(progress: Curve) -> Curve:
    """A cost that does not start at 0 and does not grow evenly."""
    return 7.0 + np.arange(progress.size, dtype=float) ** 2


@pytest.mark.parametrize(
    ("progress", "target", "definition", "cost"),
    [
        ([0.0, 1.0, 2.0], 1.5, "first", 25.0),  # half way from 20 to 30
        ([0.0, 1.0, 2.0], 1.0, "first", 20.0),  # hit exactly at a row
        ([1.0, 0.0, 2.0], 1.0, "first", 10.0),  # there before the first step
        ([0.0, 1.0, 1.0], 1.0, "first", 20.0),  # a plateau at the target
        ([0.0, 1.0, 2.0], 2.5, "first", np.inf),
        ([0.0, 4.0, 0.0, 4.0, 4.0], 2.0, "first", 15.0),
        ([0.0, 4.0, 0.0, 4.0, 4.0], 2.0, "sustained", 35.0),  # a lone lucky row is passed over
        ([0.0, 4.0, 0.0, 4.0], 2.0, "sustained", np.inf),  # the last row has no successor
        ([1.0, 1.0, 0.0], 1.0, "sustained", 10.0),
        ([1.0], 1.0, "sustained", np.inf),
        ([0.0, 4.0, 4.0], 1.0, "smoothed", 10.0 + 10.0 / 1.6),  # 0, 1.6, 2.56
        ([0.0, 4.0, 4.0], 2.0, "smoothed", 20.0 + 10.0 * 0.4 / 0.96),
        ([0.0, 4.0, 4.0], 3.0, "smoothed", np.inf),
        ([4.0, 0.0], 4.0, "smoothed", 10.0),
    ],
)
def test_cost_of_reaching_a_target(
    progress: list[float], target: float, definition: Definition, cost: float
) -> None:
    paid_so_far = 10.0 + 10.0 * np.arange(len(progress))
    found = time_to_target(np.array(progress), paid_so_far, target, definition)
    assert found == pytest.approx(cost, rel=1e-15)


def test_a_cost_that_stands_still_is_paid_once() -> None:
    """Rows without an optimizer update: the crossing lies within the standstill."""
    progress, cost = np.array([0.0, 1.0, 2.0]), np.array([0.0, 4.0, 4.0])
    assert time_to_target(progress, cost, 1.5) == 4.0


@given(levels, targets)
def test_definitions_are_ordered(progress: Curve, target: float) -> None:
    """Whatever is sustained was first reached; a lucky row only ever helps `first`."""
    first, sustained = (
        time_to_target(progress, paid(progress), target, definition)
        for definition in ("first", "sustained")
    )
    assert first <= sustained


@given(levels, targets, st.sampled_from(list(DEFINITIONS)))
def test_a_higher_target_is_never_cheaper(
    progress: Curve, target: float, definition: Definition
) -> None:
    low, high = (
        time_to_target(progress, paid(progress), goal, definition)
        for goal in (target, target + 0.5)
    )
    assert low <= high


@given(
    levels,
    targets,
    st.sampled_from(list(DEFINITIONS)),
    st.integers(1, 8),
    st.integers(-4, 4),
)
def test_only_units_matter(
    progress: Curve, target: float, definition: Definition, scale: int, shift: int
) -> None:
    """A cost in another unit scales the result; progress in another unit changes nothing."""
    cost = time_to_target(progress, paid(progress), target, definition)
    rescaled = time_to_target(progress, scale * paid(progress) + shift, target, definition)
    np.testing.assert_allclose(rescaled, scale * cost + shift, rtol=1e-12)
    other = time_to_target(
        scale * progress + shift, paid(progress), scale * target + shift, definition
    )
    if (
        definition != "smoothed"
    ):  # rounding can move a smoothed curve across a target it touches
        np.testing.assert_allclose(other, cost, rtol=1e-12)


@given(levels, targets)
def test_a_monotone_change_of_progress_moves_no_crossing_by_more_than_a_row(
    progress: Curve, target: float
) -> None:
    row = time_to_target(progress, np.arange(float(progress.size)), target)
    cubed = time_to_target(progress**3, np.arange(float(progress.size)), target**3)
    np.testing.assert_equal(np.ceil(cubed - 1e-9), np.ceil(row - 1e-9))


@given(levels, targets)
def test_no_smoothing_is_the_first_crossing(progress: Curve, target: float) -> None:
    bare = time_to_target(progress, paid(progress), target, "smoothed", smoothing=0.0)
    assert bare == time_to_target(progress, paid(progress), target)


def test_smoothing_lags_a_steady_climb_by_its_memory() -> None:
    """The documented bias: smoothing / (1 - smoothing) = 1.5 rows at 0.6."""
    climb = np.arange(200.0)
    late = time_to_target(climb, climb, 150.0, "smoothed")
    assert late - 150.0 == pytest.approx(SMOOTHING / (1.0 - SMOOTHING))


def test_luck_hastens_the_first_crossing_and_not_the_smoothed_one() -> None:
    """The documented bias of `first`: noise alone makes it early, here by whole rows."""
    climb, rows, rng = np.linspace(0.0, 1.0, 200), np.arange(200.0), np.random.default_rng(0)
    noisy = climb + rng.normal(scale=0.2, size=(300, 200))

    def mean(definition: Definition) -> float:  # with a standard error below one row
        costs = [time_to_target(curve, rows, 0.6, definition, smoothing=0.9) for curve in noisy]
        return float(np.mean(costs))

    true = time_to_target(climb, rows, 0.6)
    assert mean("first") < true - 40.0
    assert mean("first") < mean("sustained") < mean("smoothed")
    assert abs(mean("smoothed") - true) < 20.0


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_a_weight_that_is_no_weight_is_refused(smoothing: float) -> None:
    with pytest.raises(ValueError, match="smoothing must lie in"):
        moving_average(np.zeros(2), smoothing)


def test_currencies_are_columns_every_run_must_record() -> None:
    assert {currency.column for currency in CURRENCIES} < REQUIRED < set(COLUMNS)
    assert [currency.column for currency in CURRENCIES][:2] == ["step", "rollouts"]
