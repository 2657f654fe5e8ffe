"""Efforts and the index of a prompt, and what policies gain in the fluid curriculum."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from theory.fluid import (
    Policy,
    curriculum,
    effort,
    highest,
    index,
    largest_total_gain,
    proportional,
    rate,
    stopping_point,
)
from theory.gibbs import gibbs
from theory.groups import mixed_probability

exponents = st.sampled_from([0.3, 0.5, 1.0, 1.2, 1.5, 2.0, 2.5])
inner = st.floats(0.001, 0.999)
RATES = np.array([0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8])


def variance(p: np.ndarray) -> np.ndarray:
    return p * (1 - p)


@settings(max_examples=60)
@given(start=inner, end=inner, a=exponents)
def test_effort_by_quadrature(start: float, end: float, a: float) -> None:
    low, high = sorted((start, end))
    integral, _ = quad(lambda p: (p * (1 - p)) ** -a, low, high, limit=200)
    assert effort(low, high, a) == pytest.approx(integral, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("a", "closed"),
    [
        (0.5, lambda p: 2 * np.arcsin(np.sqrt(p))),
        (1.0, lambda p: np.log(p / (1 - p))),
        (1.5, lambda p: 2 * (2 * p - 1) / np.sqrt(p * (1 - p))),
        (2.0, lambda p: (2 * p - 1) / (p * (1 - p)) + 2 * np.log(p / (1 - p))),
    ],
)
def test_effort_in_closed_form(a: float, closed: Callable[[float], float]) -> None:
    assert effort(0.1, 0.85, a) == pytest.approx(closed(0.85) - closed(0.1), rel=1e-12)


def test_effort_at_the_ends() -> None:
    """Finite below a = 1 (pi for a = 1/2), infinite from there on; nothing to stay."""
    assert effort(0.0, 1.0, 0.5) == pytest.approx(np.pi)
    assert effort(0.0, 0.1, 1.0) == effort(0.9, 1.0, 2.0) == np.inf
    ends = np.array([0.0, 0.3, 1.0])
    for a in (0.5, 1.0, 2.0):
        assert effort(ends, ends, a).tolist() == [0.0, 0.0, 0.0]
        assert rate(ends[[0, 2]], a).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("a", "values", "stops"),
    [
        (
            2.0,
            (0.0239, 0.0358, 0.0496, 0.0572, 0.0625, 0.0441, 0.0256),
            (0.809, 0.746, 0.665, 0.604),
        ),
        (
            1.5,
            (0.0666, 0.0851, 0.1057, 0.1171, 0.1250, 0.0962, 0.0640),
            (0.793, 0.738, 0.663, 0.603),
        ),
        (
            1.0,
            (0.1734, 0.1974, 0.2244, 0.2395, 0.25, 0.21, 0.16),
            (0.777, 0.729, 0.660, 0.603),
        ),
        (
            0.5,
            (0.4260, 0.4483, 0.4746, 0.4895, 0.5, 0.4583, 0.4),
            (0.762, 0.721, 0.657, 0.602),
        ),
    ],
)
def test_tabulated_index(a: float, values: tuple[float, ...], stops: tuple[float, ...]) -> None:
    np.testing.assert_allclose(index(RATES, a), values, atol=6e-5)
    np.testing.assert_allclose(stopping_point(RATES[:4], a), stops, atol=6e-4)
    assert stopping_point(RATES[4:], a).tolist() == [0.5, 0.7, 0.8]


@settings(max_examples=60)
@given(p=st.floats(1e-4, 0.49), a=exponents)
def test_the_index_is_the_highest_average_rate(p: float, a: float) -> None:
    """Over a grid of end points; it equals the rate where it is reached."""
    grid = np.linspace(p, 1.0, 1502)[1:-1]
    average = (grid - p) / effort(p, grid, a)
    best, stop = float(index(p, a)), float(stopping_point(p, a))
    assert average.max() <= best * (1 + 1e-9)
    assert average.max() >= best * (1 - 1e-4)
    assert rate(stop, a) == pytest.approx(best, rel=1e-6)
    assert (stop - p) / effort(p, stop, a) == pytest.approx(best, rel=1e-6)
    assert 0.5 <= stop <= 1 - p
    assert best > rate(p, a)


@given(p=st.floats(0.5, 1.0), a=exponents)
def test_from_one_half_on_the_index_is_myopic(p: float, a: float) -> None:
    assert index(p, a) == rate(p, a)
    assert stopping_point(p, a) == p


def test_the_index_prefers_hard_prompts_of_equal_variance() -> None:
    """.3 to .7; and a prompt at .05 is worth one at .81 (a = 2) or .78 (a = 1)."""
    for a in (0.5, 1.0, 2.0):
        assert index(0.3, a) > index(0.7, a)
    assert index(0.05, 2.0) == pytest.approx(float(rate(0.809, 2.0)), rel=5e-3)
    assert index(0.05, 1.0) == pytest.approx(float(rate(0.777, 1.0)), rel=5e-3)


def test_the_index_at_the_ends() -> None:
    """A prompt never solved has none for a >= 1, and a positive one below."""
    small = np.array([0.0, 1e-300, 1e-12, 1.0])
    for a in (1.0, 1.5, 2.0, 3.0):
        values = index(small, a)
        assert values[0] == values[3] == 0.0
        assert values[0] <= values[1] < values[2] < 1e-1
        assert stopping_point(0.0, a) == 1.0
    np.testing.assert_allclose(index(1e-12, 2.0), 1e-12, rtol=1e-4)
    assert index(0.0, 0.5) == pytest.approx(0.3623, abs=5e-5)


def starts(prompts: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).beta(0.6, 0.9, prompts).clip(0.005, 0.995)


def policies(a: float, top: int) -> dict[str, Policy]:
    grid = np.linspace(0.0, 1.0, 2001)
    table = index(grid, a)
    return {
        "uniform": proportional(np.ones_like),
        "sqrt": proportional(lambda p: np.sqrt(variance(p))),
        "v": proportional(variance),
        "gibbs": proportional(lambda p: gibbs(p, 0.1)),
        "screening": proportional(lambda p: mixed_probability(p, 4)),
        "greedy": highest(variance, top),
        "index": highest(lambda p: np.interp(p, grid, table), top),
    }


@pytest.mark.parametrize(
    ("a", "areas", "finals"),
    [
        (
            2.0,
            (0.642, 0.666, 0.676, 0.681, 0.675, 0.688, 0.729),
            (0.774, 0.792, 0.798, 0.797, 0.797, 0.807, 0.876),
        ),
        (
            1.5,
            (0.790, 0.808, 0.814, 0.816, 0.814, 0.821, 0.871),
            (0.938, 0.941, 0.941, 0.941, 0.941, 0.942, 0.989),
        ),
        (
            1.0,
            (0.929, 0.938, 0.940, 0.941, 0.940, 0.944, 0.952),
            (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.998),
        ),
    ],
)
def test_tabulated_policies(
    a: float, areas: tuple[float, ...], finals: tuple[float, ...]
) -> None:
    """200 prompts, effort 20 each: rules of v differ by 3 %, the index leads by up to 6 %."""
    paths = {
        name: curriculum(starts(200), policy, 4000.0, 1000, a).mean(axis=1)
        for name, policy in policies(a, 8).items()
    }
    np.testing.assert_allclose([x.mean() for x in paths.values()], areas, atol=8e-3)
    np.testing.assert_allclose([x[-1] for x in paths.values()], finals, atol=8e-3)
    others = [x.mean() for name, x in paths.items() if name not in ("uniform", "index")]
    assert max(others) < 1.035 * min(others)
    assert paths["index"].mean() > (1.05 if a > 1.0 else 1.005) * max(others)


@settings(max_examples=8)
@given(st.integers(2, 8), st.floats(0.5, 40.0), exponents, st.integers(0, 10**6))
def test_no_policy_gains_more_than_the_bound(
    prompts: int, each: float, a: float, seed: int
) -> None:
    p = starts(prompts, seed)
    budget = each * prompts
    bound = largest_total_gain(p, budget, a)
    assert 0.0 < bound <= (1 - p).sum() + 1e-12
    for name in ("uniform", "v", "greedy"):
        path = curriculum(p, policies(a, 1)[name], budget, 300, a)
        assert (path[-1] - p).sum() <= bound * (1 + 5e-3)


def test_serving_by_index_reaches_the_bound() -> None:
    """At the budget that takes the first k prompts to their stopping points, exactly."""
    p, a = np.array([0.02, 0.1, 0.2, 0.35, 0.45]), 2.0
    order = np.argsort(-index(p, a))
    stop = stopping_point(p, a)
    for k in (1, 2, 3):
        served = order[:k]
        level = index(p, a)[served].min()
        # those served before go on along their curve to where its slope is the next index
        end = (1 + np.sqrt(1 - 4 * level ** (1 / a))) / 2
        reached = np.maximum(stop[served], end)
        budget = float(effort(p[served], reached, a).sum())
        gain = float((reached - p[served]).sum())
        assert largest_total_gain(p, budget, a) == pytest.approx(gain, rel=1e-6)


def test_the_index_policy_comes_close_to_the_bound_and_greedy_does_not() -> None:
    p = starts(60)
    bound = largest_total_gain(p, 1200.0, 2.0)
    gains = {
        name: (curriculum(p, policies(2.0, 2)[name], 1200.0, 1200, 2.0)[-1] - p).sum()
        for name in ("index", "greedy")
    }
    assert 0.97 * bound < gains["index"] <= bound * (1 + 1e-3)
    assert gains["greedy"] < 0.9 * bound


@pytest.mark.parametrize("a", [0.5, 1.0, 2.0])
def test_one_prompt_takes_the_effort_that_was_computed(a: float) -> None:
    path = curriculum(
        np.array([0.1]), proportional(np.ones_like), float(effort(0.1, 0.8, a)), 2000, a
    )
    assert path.shape == (2001, 1)
    assert path[-1, 0] == pytest.approx(0.8, abs=1e-4)


def test_policies_divide_all_effort() -> None:
    p = np.array([0.1, 0.4, 0.5])
    assert highest(variance, 2)(p).tolist() == [0.0, 0.5, 0.5]
    np.testing.assert_allclose(
        proportional(variance)(p), [0.09 / 0.58, 0.24 / 0.58, 0.25 / 0.58]
    )


def test_what_is_undefined_is_refused() -> None:
    p = np.array([0.5])
    with pytest.raises(ValueError, match=r"no less than the start: 0\.2 < 0\.5"):
        effort(0.5, 0.2, 1.0)
    with pytest.raises(ValueError, match="exponent is positive, not 0"):
        index(0.5, 0.0)
    with pytest.raises(ValueError, match=r"\[0, 1\], not -1"):
        rate(-1.0, 1.0)
    with pytest.raises(ValueError, match="steps=0 is less than 1"):
        curriculum(p, proportional(np.ones_like), 1.0, 0, 1.0)
    with pytest.raises(ValueError, match="budget is positive, not 0"):
        curriculum(p, proportional(np.ones_like), 0.0, 5, 1.0)
    with pytest.raises(ValueError, match="budget is positive, not -1"):
        largest_total_gain(p, -1.0, 1.0)
