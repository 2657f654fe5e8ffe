"""Adam, SGD and noise in the coupled world against the closed forms of its equations."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.driver import Segments
from sim.coupled import Coupled, Logits
from tests.sim.coupled_worlds import CENTRED, HALF, QUIET, SKEWED, batch, gradients, world
from tests.statistical import assert_mean, samples_to_detect


def test_the_normaliser_does_not_depend_on_the_estimator_and_adam_forgets_its_scale() -> None:
    """Under Adam a constant noiseless gradient moves the policy alike at any scale.

    Dr. GRPO's advantages are RLOO's times 23/24, GRPO's at K = 12 of 24 about twice them.
    """
    moves = {}
    for estimator in CENTRED:
        learner: dict[str, Any] = {"optimizer": "adam", "estimator": estimator}
        policy = world(learner=learner, prompts=50, step=1e-6).begin(np.random.default_rng(0))
        for _ in range(5):
            policy.learn(batch(list(range(50)), [12] * 50, [24] * 50))
        moves[estimator] = policy.common
    for estimator in CENTRED:
        assert moves[estimator] == pytest.approx(moves["rloo"], rel=1e-4)


ADAM = replace(QUIET, prompts=50).begin(np.random.default_rng(0))


@given(st.floats(1e-3, 1e3), st.integers(1, 6))
def test_adam_ignores_the_scale_of_a_constant_gradient(scale: float, updates: int) -> None:
    pull, prompts = np.array([0.1, -0.02, 0.3]), np.arange(3)
    moves = []
    for factor in (1.0, scale):
        policy = deepcopy(ADAM)
        for _ in range(updates):
            gradient = policy.gradient(prompts, factor * pull, np.zeros(3), policy.rng)
            policy._update(gradient)  # pyright: ignore[reportPrivateUsage]
        moves.append([policy.common, *policy.family])
    np.testing.assert_allclose(moves[0], moves[1], rtol=1e-9)


def test_the_squared_norm_that_adam_feels() -> None:
    """chi [(1 - c_1) sum d^2 + sum nu] + c_0 (sum d)^2 + (c_1 - c_0) sum_f (sum d)^2."""
    policy = world(prompts=6, families=2, felt=0.3, spread=0.5).begin(np.random.default_rng(0))
    prompts, pull = np.array([0, 0, 3, 5]), np.array([0.2, 0.1, -0.4, 0.3])
    noise = np.array([0.5, 0.1, 0.2, 0.7])
    d = np.zeros(6)
    np.add.at(d, prompts, pull * np.sqrt(policy.contrast[prompts]))
    by_family = [d[policy.families[:6] == family].sum() for family in (0, 1)]
    expected = 0.3 * (0.7 * (d**2).sum() + 1.5) + 0.05 * d.sum() ** 2
    expected += 0.25 * np.square(by_family).sum()
    found = policy.gradient(prompts, pull, noise, np.random.default_rng(0)).square
    assert found == pytest.approx(expected, rel=1e-12)


def test_adam_is_the_textbook_recursion_with_one_normaliser() -> None:
    """First moments by coordinate, second moment of the squared norm, both corrected."""
    policy = world(
        learner={"optimizer": "adam", "betas": (0.8, 0.95)}, prompts=50, own=True, step=2.0
    ).begin(np.random.default_rng(0))
    first, second, theta = np.zeros(59), 0.0, np.zeros(59)
    rng = np.random.default_rng(1)
    for update in range(1, 6):
        passes = rng.integers(1, 8, size=4).tolist()
        segments = batch([0, 7, 9, 30], passes, [8] * 4)
        ((pull, noise),) = gradients(policy, segments)
        gradient = policy.gradient(segments.prompts, pull, noise, np.random.default_rng(0))
        flat = np.concatenate(([gradient.common], gradient.family, gradient.own))
        first = 0.8 * first + 0.2 * flat
        second = 0.95 * second + 0.05 * gradient.square
        hats = first / (1 - 0.8**update), second / (1 - 0.95**update)
        theta += hats[0] / np.sqrt(hats[1] / policy.normaliser)
        moved = np.concatenate(([policy.common], policy.family, policy.own))
        np.testing.assert_allclose(moved, theta, rtol=1e-9, atol=1e-15)


def uniform_batch(policy: Logits, rng: np.random.Generator) -> Segments:
    """A nominal batch of distinct prompts."""
    learner, num = policy.world.learner, policy.world.prompts
    prompts = rng.choice(num, learner.groups, replace=False)
    passes = rng.binomial(learner.rollouts, policy.pass_rates(prompts))
    sizes = [learner.rollouts] * learner.groups
    return batch(prompts.tolist(), passes.tolist(), sizes)


@pytest.mark.parametrize("noise", [0.0, 5.0, 200.0])
def test_the_normaliser_is_the_mean_squared_norm_of_a_uniform_batch(noise: float) -> None:
    """Over 400 batches, against the 64 that the world itself averages: within a tenth.

    The squared norm of such a batch varies by less than a third from one to the next, so the
    mean of 64 has a standard error of 4 %; a tenth is 2.5 of them, at this one seed.
    """
    policy = world(
        learner={"optimizer": "adam"},
        population=SKEWED,
        pass_noise=noise,
        fail_noise=noise,
        felt=1.0,
        step=1e-9,
    ).begin(np.random.default_rng(0))
    rng = np.random.default_rng(1)
    squares = []
    for _ in range(400):
        segments = uniform_batch(policy, rng)
        ((pull, nu),) = gradients(policy, segments)
        squares.append(policy.gradient(segments.prompts, pull, nu, rng).square)
    assert np.std(squares) < 0.34 * np.mean(squares)
    assert policy.normaliser == pytest.approx(np.mean(squares), rel=0.1)


def test_the_first_adam_update_is_that_of_sgd_on_average() -> None:
    """Mean move over 100 seeds within 5 %; its standard error, luck shared, is 1.3 %."""
    moves: list[tuple[float, float]] = []
    base = Coupled(population=SKEWED, prompts=300, held_out=0, aligned=0.0)
    for seed in range(100):
        adam = base.begin(np.random.default_rng(seed))
        sgd = replace(adam, world=world(base))
        segments = uniform_batch(adam, np.random.default_rng(1000 + seed))
        for policy in (adam, sgd):
            policy.learn(segments)
        moves.append((adam.common, sgd.common))
    adams, sgds = np.array(moves).T
    assert adams.mean() == pytest.approx(sgds.mean(), rel=0.05)
    assert (adams - sgds).std() / 100**0.5 < 0.016 * sgds.mean()


def progress(updates: int, noise: float, felt: float) -> float:
    """Move of the one coordinate in 30 steps, small enough for pass rates to stay put."""
    base = Coupled(population=HALF, prompts=200, held_out=0, families=1, aligned=0.0)
    policy = world(
        replace(base, cosine_within=1.0, cosine_across=0.0, step=1e-8),
        pass_noise=noise,
        fail_noise=noise,
        felt=felt,
        learner={"optimizer": "adam", "updates": updates, "betas": (0.9, 0.99)},
    ).begin(np.random.default_rng(0))
    rng = np.random.default_rng(1)
    for _ in range(30):
        policy.learn(uniform_batch(policy, rng))
    return float(policy.family[0])


@pytest.mark.parametrize("updates", [4, 16])
@pytest.mark.parametrize("snr", [1e9, 100.0, 6.0, 1.0, 0.1, 1e-6])
def test_what_more_updates_are_worth_under_adam(updates: int, snr: float) -> None:
    """U sqrt((1 + 1/S) / (1 + U/S)): U where signal dominates, sqrt(U) where noise does.

    At 1/2, S = v^2 / (chi v V / ((N-1) B)) for B groups of N. The signal of a mini-batch of
    1536/16 rollouts varies by less than 1/5, which Adam's second moment feels: 5 %.
    """
    noise = 23 * 64 * 0.25 / snr
    gained = progress(updates, noise, 1.0) / progress(1, noise, 1.0)
    worth = updates * np.sqrt((1.0 + 1.0 / snr) / (1.0 + updates / snr))
    assert gained == pytest.approx(worth, rel=0.05)


def test_only_the_felt_share_of_the_noise_slows_adam() -> None:
    """S = 1 with chi = 1/6 is S = 6 with chi = 1."""
    noise = 23 * 64 * 0.25
    one = progress(6, noise, 1 / 6) / progress(1, noise, 1 / 6)
    assert one == pytest.approx(progress(6, noise / 6, 1.0) / progress(1, noise / 6, 1.0))


def test_a_batch_that_teaches_nothing_moves_nothing() -> None:
    for optimizer in ("adam", "sgd"):
        policy = world(
            Coupled(population=SKEWED, prompts=50), learner={"optimizer": optimizer}
        ).begin(np.random.default_rng(0))
        policy.learn(batch([0, 1], [0, 8], [8, 8]))
        assert policy.common == 0.0
        assert not policy.family.any()


def test_an_update_without_signal_coasts_under_adam_only() -> None:
    """First moments go on; the second keeps counting."""
    policy = world(learner={"optimizer": "adam"}, prompts=50).begin(np.random.default_rng(0))
    policy.learn(batch([0, 1], [3, 4], [8, 8]))
    once = policy.common
    policy.learn(batch([0, 1], [0, 8], [8, 8]))
    assert policy.common > once
    assert policy.memory.updates == 2


@pytest.mark.parametrize("coordinate", ["common", "family"])
def test_aligned_noise_has_the_stated_variance(coordinate: str) -> None:
    """Variance omega nu / |D|^2 times w^2 on each coordinate; mean the pull's.

    Normal draws cut at 6 deviations; the rate of false alarms is 1e-6 per assertion and a
    mean or variance off by a twentieth of the cut (its square) passes at the rate 1e-3.
    """
    policy = world(aligned=0.4, spread=0.5, prompts=3, families=2, step=1.7).begin(
        np.random.default_rng(0)
    )
    prompts, pull, noise = np.arange(3), np.array([0.2, 0.1, -0.4]), np.array([0.3, 0.1, 0.2])
    family = int(policy.families[0])
    reach = policy.on_common if coordinate == "common" else policy.on_family
    there = np.ones(3, bool) if coordinate == "common" else policy.families[:3] == family
    mean = (pull * reach[:3])[there].sum()
    deviation = np.sqrt((0.4 * noise / policy.contrast[:3] * reach[:3] ** 2)[there].sum())
    rng = np.random.default_rng(1)
    drawn = [policy.gradient(prompts, pull, noise, rng) for _ in range(samples_to_detect(0.05))]
    values = [one.common if coordinate == "common" else one.family[family] for one in drawn]
    unit = np.clip((np.array(values) - mean) / deviation, -6.0, 6.0)
    assert_mean(unit, 0.0, low=-6.0, high=6.0)
    assert_mean(unit**2, 1.0, high=36.0)
    assert np.mean(unit**2) == pytest.approx(1.0, abs=0.06)  # 4 standard errors
