"""One group and one update of the coupled world against the moments of its estimator."""

from typing import Any

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import binom

from sim.coupled import independent
from tests.sim.coupled_worlds import CENTRED, EPS, batch, gradients, lone, world
from tests.statistical import assert_mean, samples_to_detect
from theory.advantages import Closed
from theory.closed_forms import fixed_baseline_moments
from theory.moments import Centred, moments


@pytest.mark.parametrize("estimator", CENTRED)
@pytest.mark.parametrize(("p", "rollouts"), [(0.05, 4), (0.3, 8), (0.5, 2), (0.9, 16)])
def test_moments_of_a_group_are_those_of_its_estimator(
    estimator: Centred, p: float, rollouts: int
) -> None:
    """Mean, variance along D, and both noise terms, over all outcomes K and their chances."""
    learner: dict[str, Any] = {"estimator": estimator}
    chance = binom.pmf(np.arange(rollouts + 1), rollouts, p)
    pulls, noises = [], []
    for passes in range(rollouts + 1):
        policy = lone(p, learner=learner, pass_noise=3.0, fail_noise=0.5)
        ((pull, noise),) = gradients(policy, batch([0], [passes], [rollouts]))
        assert policy.own[0] == pytest.approx(pull[0], abs=1e-15)
        pulls.append(pull[0])
        noises.append(noise[0])
    expected = moments(estimator, p, rollouts)
    mean = chance @ pulls
    assert mean == pytest.approx(float(expected.mean), rel=EPS)
    assert chance @ (np.array(pulls) - mean) ** 2 == pytest.approx(float(expected.a_D), rel=EPS)
    noise = 3.0 * expected.a_1 + 0.5 * expected.a_0
    assert chance @ noises == pytest.approx(float(noise), rel=EPS)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_moments_of_reinforce_are_those_of_no_baseline(p: float) -> None:
    chance = binom.pmf(np.arange(9), 8, p)
    seen = [
        gradients(
            lone(p, learner={"estimator": "reinforce"}, pass_noise=3.0, fail_noise=0.5),
            batch([0], [passes], [8]),
        )[0]
        for passes in range(9)
    ]
    pulls, noises = np.array(seen)[:, :, 0].T
    expected = fixed_baseline_moments(p, 8, 0.0)
    assert chance @ pulls == pytest.approx(float(expected.mean), rel=1e-9)
    variance = chance @ (pulls - chance @ pulls) ** 2 + chance @ noises
    assert variance == pytest.approx(float(expected.variance(1.0, 3.0, 0.5)), rel=1e-9)


CONTRAST = {  # c(K) as published, not as theory.moments has it
    "rloo": lambda K, N: K * (N - K) / (N * (N - 1)),
    "grpo": lambda K, N: np.sqrt((N - 1) / N * K / N * (1 - K / N)),
    "drgrpo": lambda K, N: K / N * (1 - K / N),
    "rpp_baseline": lambda K, N: K / N * (1 - K / N),  # divided by the batch's scale
    "maxrl": lambda K, N: 1 - K / N if K else 0.0,
}


@pytest.mark.parametrize("estimator", sorted(CONTRAST))
def test_the_pull_of_a_whole_group_is_its_contrast_over_the_groups(estimator: Closed) -> None:
    """kappa = c(K)/B, whatever the pass rate."""
    passes, rollouts = [0, 1, 3, 8, 5], [8] * 5
    policy = independent(world(prompts=5, learner={"estimator": estimator}), step=1.0).begin(
        np.random.default_rng(0)
    )
    policy.log_odds = logit(np.array([0.02, 0.1, 0.3, 0.6, 0.9]))
    ((pull, _),) = gradients(policy, batch(list(range(5)), passes, rollouts))
    expected = np.array([CONTRAST[estimator](K, 8) / 5 for K in passes])
    scale = 1.0
    if estimator == "rpp_baseline":
        rewards = np.concatenate([np.arange(8) < K for K in passes]).astype(float)
        centred = rewards - np.repeat(np.array(passes) / 8, 8)
        scale = centred.std(ddof=1)
    np.testing.assert_allclose(pull, expected / scale, rtol=EPS, atol=1e-12)


def test_reinforce_pp_is_a_fixed_baseline_over_a_scale_in_large_batches() -> None:
    """256 groups of 8 at .3: mean v/s and noise as with b = p, s^2 = v.

    The batch's own mean and scale move both by about 1 in 2,000; the assertions fail correct
    code at the rate 1e-6 and detect 1 in 30 of the range at the rate 1e-3.
    """
    p, num, rng = 0.3, 256, np.random.default_rng(0)
    knobs: dict[str, Any] = {"pass_noise": 3.0, "fail_noise": 0.5}
    policy = independent(world(prompts=num, learner={"estimator": "rpp"}, **knobs), step=1e-12)
    pulls, noises = [], []
    trained = policy.begin(rng)
    trained.log_odds = np.full(num, logit(p))
    for _ in range(samples_to_detect(gap=0.5) // 2):
        passes = rng.binomial(8, p, size=num).tolist()
        ((pull, noise),) = gradients(trained, batch(list(range(num)), passes, [8] * num))
        pulls.append(pull * num)
        noises.append(noise * num**2)
    expected, v = fixed_baseline_moments(p, 8, p), p * (1.0 - p)
    assert_mean(np.concatenate(pulls), float(expected.mean) / v**0.5, low=-3.0, high=3.0)
    noise = (3.0 * expected.a_1 + 0.5 * expected.a_0) / v
    assert_mean(np.concatenate(noises), float(noise), high=3.0)
