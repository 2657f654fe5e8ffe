"""Signal per rollout of SPEED and DAPO, counted both ways."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.theory.enumeration import chances, reward_vectors
from tests.theory.populations import DAPO_1B, DAPO_7B, DSR, OPENR1
from theory.limits import Beta, Sample, mean_variance
from theory.screened_signal import kept_variance, mean_screened_weight, screened_signal
from theory.screening import rollouts_per_trained_prompt, screened_weight

POPULATIONS = (DSR, OPENR1, DAPO_1B, DAPO_7B)


@pytest.mark.parametrize(
    ("n", "m", "rollouts", "expected", "realized", "continuation"),
    [
        (
            4,
            20,
            (29.7, 31.7, 32.3, 29.9),
            (1.31, 1.43, 1.40, 1.28),
            (1.38, 1.53, 1.51, 1.37),
            (1.09, 1.19, 1.17, 1.07),
        ),
        (
            8,
            16,
            (30.4, 33.1, 33.6, 30.4),
            (1.20, 1.28, 1.25, 1.18),
            (1.27, 1.36, 1.35, 1.25),
            (0.80, 0.85, 0.83, 0.79),
        ),
        (24, 0, (33.7, 38.7, 38.2, 32.9), (0.96, 0.95, 0.94, 0.96), (1,) * 4, (0,) * 4),
        (8, 0, (14.4, 17.1, 17.6, 14.4), (0.85, 0.83, 0.80, 0.83), (1,) * 4, (0,) * 4),
    ],
)
def test_tabulated_signal(
    n: int,
    m: int,
    rollouts: tuple[float, ...],
    expected: tuple[float, ...],
    realized: tuple[float, ...],
    continuation: tuple[float, ...],
) -> None:
    got = [screened_signal(x, n, m) for x in POPULATIONS]
    np.testing.assert_allclose([x.rollouts for x in got], rollouts, atol=0.06)
    np.testing.assert_allclose([x.expected for x in got], expected, atol=6e-3)
    np.testing.assert_allclose([x.realized for x in got], realized, atol=6e-3)
    np.testing.assert_allclose([x.continuation for x in got], continuation, atol=6e-3)


@settings(max_examples=30)
@given(
    st.lists(st.floats(0.01, 0.99), min_size=1, max_size=4),
    st.integers(2, 4),
    st.integers(0, 3),
)
def test_signal_by_enumeration(pass_rates: list[float], n: int, m: int) -> None:
    """Every outcome of every prompt, through the acceptance rule."""
    p, N = np.array(pass_rates), n + m
    rewards = reward_vectors(N)
    screen, K = rewards[:, :n].sum(axis=1), rewards.sum(axis=1)
    accepted = ((screen > 0) & (screen < n)).astype(float)
    v = p * (1 - p)
    weights = np.array([chances(rewards, rate) for rate in p])
    cost = float((weights @ (n + m * accepted)).mean())
    expected = float(((weights @ accepted) * N * v).mean())
    realized = float((weights @ (accepted * K * (N - K) / (N - 1))).mean())
    got = screened_signal(Sample(p), n, m)
    unit = cost * v.mean()
    assert got.rollouts == pytest.approx(cost / float((weights @ accepted).mean()))
    assert got.expected == pytest.approx(expected / unit)
    assert got.realized == pytest.approx(realized / unit)
    assert got.continuation == pytest.approx(expected / unit * m / N)


@given(n=st.integers(1, 12), m=st.integers(0, 12), a=st.floats(0.2, 4.0), b=st.floats(0.2, 4.0))
def test_closed_forms_agree_with_quantiles(n: int, m: int, a: float, b: float) -> None:
    """Against the same means over a grid of pass rates, each with its density."""
    if n + m < 2:
        return
    theta = (np.arange(4000) + 0.5) / 4000 * np.pi / 2
    p, q = np.sin(theta) ** 2, np.cos(theta) ** 2
    density = p ** (a - 0.5) * q ** (b - 0.5)
    density /= density.sum()
    got = mean_screened_weight(Beta(a, b), n, m)
    assert got == pytest.approx(float(density @ screened_weight(p, n, m)), rel=2e-2, abs=1e-6)
    kept = float(density @ (p * q * (1 - p**n - q**n)))
    assert kept_variance(Beta(a, b), n) == pytest.approx(kept if n > 1 else 0.0, rel=2e-2)


def test_the_cost_is_that_of_screening() -> None:
    p = np.random.default_rng(0).beta(0.4, 2.0, 300)
    got = screened_signal(Sample(p), 4, 20).rollouts
    assert got == pytest.approx(rollouts_per_trained_prompt(p, 4, 20))


@pytest.mark.parametrize("size", [2, 5, 24])
def test_dynamic_sampling_saves_no_rollouts(size: int) -> None:
    """It only removes zeros: realized signal is exactly what it was, expected less."""
    for population in POPULATIONS:
        signal = screened_signal(population, size, 0)
        assert signal.realized == pytest.approx(1.0, abs=1e-12)
        assert signal.expected < 1.0
        assert mean_screened_weight(population, size, 0) == pytest.approx(
            mean_variance(population)
        )


def test_the_two_metrics_disagree_on_what_screening_is_worth() -> None:
    """Trained on the continuation alone, 8 + 16 is worse than uniform, and never better."""
    for population in POPULATIONS:
        signal = screened_signal(population, 8, 16)
        assert signal.continuation < 1.0 < signal.expected < signal.realized


def test_what_is_undefined_is_refused() -> None:
    with pytest.raises(ValueError, match="no group of 4 rollouts can be mixed"):
        screened_signal(Sample(np.array([0.0, 1.0])), 4, 20)
    with pytest.raises(ValueError, match="no group of 1 rollouts can be mixed"):
        screened_signal(DSR, 1, 20)
    with pytest.raises(ValueError, match="at least 2, not 1"):
        mean_screened_weight(DSR, 1, 0)
    with pytest.raises(ValueError, match="at least 0, not -1"):
        screened_signal(DSR, 4, -1)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        kept_variance(DSR, 0)
