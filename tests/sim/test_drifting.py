from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit

from selection.driver import Segments
from sim.drifting import Drifting
from sim.populations import DATA
from theory.groups import zero_variance_probability

WORLD = Drifting(steps_per_epoch=2)
FIGURE = np.array(
    [line.split(",") for line in (DATA / "greso_fig3a.csv").read_text().split()[1:]], float
)


def by_epoch(world: Drifting, epochs: int, seed: int = 0) -> np.ndarray:
    """Pass rates of all prompts in each epoch."""
    policy = world.begin(np.random.default_rng(seed))
    rates = np.empty((epochs, world.prompts))
    for row in rates:
        row[:] = policy.pass_rates(np.arange(world.prompts))
        for _ in range(world.steps_per_epoch):
            policy.learn(Segments.none())
    return rates


def consistency(rates: np.ndarray) -> np.ndarray:
    """P(zero-variance in any earlier epoch | now) and its reverse, from epoch 2 on."""
    now = zero_variance_probability(rates, 8)
    before = 1.0 - np.cumprod(1.0 - now, axis=0)
    both = (now[1:] * before[:-1]).sum(axis=1)
    return np.stack((both / now[1:].sum(axis=1), both / before[:-1].sum(axis=1)), axis=1)


def errors(world: Drifting, seed: int = 0) -> np.ndarray:
    """Root mean square error against both published curves."""
    off = consistency(by_epoch(world, 10, seed)) - FIGURE[:, 1:]
    return np.sqrt((off**2).mean(axis=0))


@pytest.mark.parametrize("seed", [0, 1])
def test_temporal_consistency_is_that_of_the_published_figure(seed: int) -> None:
    """With 25,417 prompts both curves move by less than .004 from seed to seed."""
    assert FIGURE[:, 0].tolist() == list(range(2, 11))
    assert (errors(WORLD, seed) < 0.015).all()


def test_zero_variance_groups_take_over() -> None:
    """The fit's own shares, .395 in epoch 1 and .778 in epoch 10, within two hundredths."""
    shares = zero_variance_probability(by_epoch(WORLD, 10), 8).mean(axis=1)
    assert abs(shares[0] - 0.395) < 0.02
    assert abs(shares[9] - 0.778) < 0.02


def test_a_static_population_of_the_same_spread_is_told_apart() -> None:
    """The control: its chance of being zero-variance given any earlier time falls."""
    still = replace(WORLD, trend=0.0, walk=0.0)
    current = consistency(by_epoch(still, 10))[:, 1]
    assert (np.diff(current) < 0.0).all()
    np.testing.assert_allclose(current[[0, -1]], (0.69, 0.525), atol=0.01)
    assert errors(still)[1] > 0.1


@pytest.mark.parametrize("knobs", [{"walk": 0.0}, {"trend": 0.0}])
def test_the_figure_needs_both_the_trend_and_the_walk(knobs: dict[str, float]) -> None:
    assert errors(replace(WORLD, **knobs)).max() > 0.03


def test_rates_move_at_epoch_boundaries_only() -> None:
    policy = Drifting(prompts=5, steps_per_epoch=3).begin(np.random.default_rng(0))
    seen = [policy.pass_rates(np.arange(5)).tolist()]
    for _ in range(6):
        policy.learn(Segments.none())
        seen.append(policy.pass_rates(np.arange(5)).tolist())
    assert seen[0] == seen[1] == seen[2]
    assert seen[3] == seen[4] == seen[5]
    assert len({str(seen[step]) for step in (0, 3, 6)}) == 3


def test_without_walk_and_spread_log_odds_follow_the_trend() -> None:
    world = Drifting(
        prompts=1, steps_per_epoch=1, center=-1.0, spread=0.0, trend=0.5, bend=2.0, walk=0.0
    )
    np.testing.assert_allclose(logit(by_epoch(world, 4))[:, 0], [-1.0, -0.5, 1.0, 3.5])


def test_log_odds_spread_as_a_random_walk() -> None:
    """Variance s^2 + (e - 1) sigma^2; with 200,000 prompts 1.5 % is five standard errors."""
    world = Drifting(prompts=200_000, steps_per_epoch=1, center=0.0, spread=1.5, trend=0.0)
    variance = logit(by_epoch(world, 3)).var(axis=1)
    np.testing.assert_allclose(variance, 1.5**2 + np.arange(3) * 1.01**2, rtol=0.016)


@pytest.mark.parametrize(
    ("knobs", "complaint"),
    [
        ({"steps_per_epoch": 0}, "steps_per_epoch=0 must be a whole number"),
        ({"spread": -1.0}, "spread=-1.0 must lie in"),
        ({"walk": float("nan")}, "walk=nan must lie in"),
        ({"bend": 0.0}, "bend=0.0 must be positive"),
        ({"center": float("inf")}, "center=inf must lie in"),
        ({"trend": float("-inf")}, "trend=-inf must lie in"),
    ],
)
def test_a_bad_knob_is_refused(knobs: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Drifting(**knobs)  # pyright: ignore[reportArgumentType]
