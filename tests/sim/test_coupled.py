"""The coupled world against the closed forms of its equations.

Most of them are reached with one group, no aligned noise and a world whose only parameter is
the prompt's own coordinate: a step of 1 then makes SGD's move the coefficient of D itself.
"""

from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import binom

from selection.driver import Segments
from sim.coupled import Coupled, Gradient, Logits, independent
from sim.learner import Learner, Ratio, Weighting, split
from sim.start import start
from tests.statistical import assert_mean, samples_to_detect
from theory.advantages import Closed, advantages
from theory.closed_forms import fixed_baseline_moments
from theory.groups import mixed_probability
from theory.moments import Centred, moments

CENTRED: list[Centred] = ["rloo", "grpo", "drgrpo", "maxrl"]
HALF = "beta(400000, 400000)"  # every prompt at 1/2, within a thousandth
EPS = 1e-9  # relative
SKEWED = "beta(0.4, 2.5)"  # like dapo17k-1.5b, without fitting anything
QUIET = Coupled(population=HALF, aligned=0.0, pass_noise=0.0, fail_noise=0.0)


def world(
    base: Coupled = QUIET,
    *,
    learner: dict[str, Any] | None = None,
    **knobs: Any,  # noqa: ANN401
) -> Coupled:
    """A world with other knobs of its own and of its learner; SGD unless it is named."""
    sgd = replace(base.learner, **({"optimizer": "sgd"} | (learner or {})))
    return replace(base, learner=sgd, **knobs)


def lone(p: float, **knobs: Any) -> Logits:  # noqa: ANN401
    """A policy of one prompt at p, whose own coordinate is all there is."""
    policy = independent(world(prompts=1, **knobs), step=1.0).begin(np.random.default_rng(0))
    policy.log_odds = np.full(1, logit(p))
    return policy


def batch(
    prompts: list[int],
    passes: list[int],
    rollouts: list[int],
    *,
    group: list[int] | None = None,
    payload: list[float] | None = None,
) -> Segments:
    num = len(prompts)
    return Segments(
        np.arange(num) if group is None else np.array(group),
        np.array(prompts),
        np.array(rollouts),
        np.array(passes),
        np.zeros(num, int),
        np.zeros(num) if payload is None else np.array(payload),
    )


def gradients(policy: Logits, segments: Segments) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pull and noise of each segment in every update of one training step."""
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def spy(
        prompts: np.ndarray, pull: np.ndarray, noise: np.ndarray, rng: np.random.Generator
    ) -> Gradient:
        seen.append((pull, noise))
        return Logits.gradient(policy, prompts, pull, noise, rng)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy, "gradient", spy)
        assert policy.learn(segments) == len(seen)
    return seen


def log_odds(policy: Logits, prompts: list[int]) -> np.ndarray:
    return logit(policy.pass_rates(np.array(prompts)))


# One group, one update


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


# Any batch, rollout by rollout


def by_rollout(policy: Logits, segments: Segments) -> tuple[np.ndarray, np.ndarray]:
    """Pull and noise of one update, from the formulas as they stand on paper."""
    learner = policy.world.learner
    total = int(segments.rollouts.sum())
    segment = np.repeat(np.arange(segments.group.size), segments.rollouts)
    first = np.cumsum(segments.rollouts) - segments.rollouts
    passed = np.arange(total) - first[segment] < segments.passes[segment]
    group = segments.group[segment]
    A = advantages(learner.estimator, passed.astype(float), group, eps=0.0)
    p = policy.pass_rates(segments.prompts)[segment]
    old = segments.payload[segment] if learner.ratio == "behaviour" else p
    ratio = np.where(passed, p / old, (1.0 - p) / (1.0 - old))
    if learner.clip is not None:
        below, above = learner.clip
        ratio[(A > 0) & (ratio > 1.0 + above)] = 0.0
        ratio[(A < 0) & (ratio < 1.0 - below)] = 0.0
    share = np.full(total, 1.0 / total)
    if learner.weighting == "prompt":
        size = np.array([(group == one).sum() for one in group])
        share = 1.0 / (np.unique(group).size * size)
    noise = np.where(passed, policy.world.pass_noise, policy.world.fail_noise)
    kappa, nu = share * ratio * A * (passed - p), (share * ratio * A) ** 2 * noise
    return np.bincount(segment, kappa), np.bincount(segment, nu)


UNEVEN = batch(
    [4, 0, 2, 0, 1],
    [1, 2, 0, 9, 3],
    [4, 4, 6, 12, 3],
    group=[3, 5, 6, 5, 8],
    payload=[0.3, 0.2, 0.5, 0.45, 0.8],
)
TOGETHER = UNEVEN.take(np.array([0, 1, 3, 2, 4]))  # segments of a group lie together


@pytest.mark.parametrize("estimator", get_args(Closed))
@pytest.mark.parametrize("weighting", ["rollout", "prompt"])
@pytest.mark.parametrize(
    ("ratio", "clip"), [("recomputed", None), ("behaviour", None), ("behaviour", (0.2, 0.28))]
)
def test_uneven_stale_and_segmented_groups_rollout_by_rollout(
    estimator: Closed, weighting: Weighting, ratio: Ratio, clip: tuple[float, float] | None
) -> None:
    """Advantages are of whole groups, ratios and clipping of each segment's own policy."""
    learner: dict[str, Any] = {
        "estimator": estimator,
        "weighting": weighting,
        "ratio": ratio,
        "clip": clip,
    }
    knobs: dict[str, Any] = {
        "pass_noise": 3.0,
        "fail_noise": 0.5,
        "prompts": 5,
        "population": "uniform",
    }
    policy = independent(world(learner=learner, **knobs), step=1e-9).begin(
        np.random.default_rng(3)
    )
    pull, noise = by_rollout(policy, TOGETHER)
    ((seen_pull, seen_noise),) = gradients(policy, TOGETHER)
    np.testing.assert_allclose(seen_pull, pull, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(seen_noise, noise, rtol=1e-9, atol=1e-15)


def test_clipping_stops_what_has_already_moved_far_enough() -> None:
    """The control of the test above: with these staleness and bounds clipping does act."""
    knobs: dict[str, Any] = {"prompts": 5, "population": "uniform"}
    pulls = []
    for clip in (None, (0.2, 0.28)):
        learner: dict[str, Any] = {"ratio": "behaviour", "clip": clip}
        policy = independent(world(learner=learner, **knobs), step=1e-9).begin(
            np.random.default_rng(3)
        )
        pulls.append(gradients(policy, TOGETHER)[0][0])
    assert np.abs(pulls[0] - pulls[1]).max() > 1e-3


def test_weighting_by_prompt_gives_groups_of_any_size_the_same_say() -> None:
    """c(K)/B for groups of 4 and 20, where a mean over rollouts gives n c(K)/R."""
    for weighting, expected in (("prompt", (0.5, 0.5)), ("rollout", (4 / 24, 20 / 24))):
        learner: dict[str, Any] = {"weighting": weighting, "estimator": "drgrpo"}
        policy = independent(world(prompts=2, learner=learner), step=1.0).begin(
            np.random.default_rng(0)
        )
        ((pull, _),) = gradients(policy, batch([0, 1], [2, 10], [4, 20]))
        np.testing.assert_allclose(pull, np.array(expected) * 0.25, rtol=1e-6)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_group_in_two_segments_teaches_as_in_one(optimizer: str) -> None:
    """SPEED's groups come as screening and continuation; D is one per prompt."""
    moves = []
    for segments in (
        batch([0, 1], [10, 3], [24, 24]),
        batch([0, 0, 1, 1], [2, 8, 2, 1], [4, 20, 4, 20], group=[0, 0, 1, 1]),
    ):
        policy = world(QUIET, prompts=2, own=True, learner={"optimizer": optimizer}).begin(
            np.random.default_rng(0)
        )
        policy.learn(segments)
        moves.append([policy.common, *policy.family, *policy.own])
    np.testing.assert_allclose(moves[0], moves[1], rtol=1e-12)


# Mini-batches


@given(st.integers(1, 9), st.sampled_from(get_args(Closed)), st.integers(0, 3))
def test_mini_batches_add_up_to_the_batch(updates: int, estimator: Closed, seed: int) -> None:
    """Sum over the updates of n_u kappa_u = n kappa, where ratios are 1."""
    pulls: dict[int, np.ndarray] = {}
    for parts in (1, updates):
        learner: dict[str, Any] = {"updates": parts, "estimator": estimator}
        knobs: dict[str, Any] = {"prompts": 5, "population": "uniform"}
        policy = independent(world(learner=learner, **knobs), step=1e-12).begin(
            np.random.default_rng(seed)
        )
        total = int(TOGETHER.rollouts.sum())
        sizes = np.bincount(np.arange(total) * parts // total)
        seen = gradients(policy, TOGETHER)
        assert len(seen) == parts
        pulls[parts] = sizes @ np.array([pull for pull, _ in seen])
    np.testing.assert_allclose(pulls[updates], pulls[1], rtol=1e-9, atol=1e-9)


def test_later_mini_batches_are_weighted_by_the_policy_at_the_start_of_the_step() -> None:
    """The second of two updates: kappa = (1/n) [K rho_1 A_1 (1-p') - F rho_0 A_0 p']."""
    policy = lone(0.5, learner={"updates": 2})
    policy.on_own[:] = 4.0
    passes, _ = split(np.array([4]), np.array([4]), 2, np.random.default_rng(1))
    policy.rng = np.random.default_rng(1)
    (first, _), (second, _) = gradients(policy, batch([0], [4], [8]))
    moved = expit(4.0 * 4.0 * first[0])
    for pull, (K,), p in ((first, passes[0], 0.5), (second, passes[1], moved)):
        up = K * (p / 0.5) * (4 / 7) * (1 - p)
        down = (4 - K) * ((1 - p) / 0.5) * (-4 / 7) * p
        assert pull[0] == pytest.approx((up - down) / 4, rel=1e-9)
    assert moved > 0.7


# Transfer


@pytest.mark.parametrize("updates", [1, 4])
@pytest.mark.parametrize(("family", "cosine"), [(0, 0.3), (1, 0.05)])
def test_expected_move_of_a_held_out_prompt(updates: int, family: int, cosine: float) -> None:
    """SGD, a batch of one family at 1/2: a c v per update, exactly, over all outcomes K."""
    step, rollouts = 1e-6, 8  # mini-batches of equal size
    knobs: dict[str, Any] = {"prompts": 4, "held_out": 4, "families": 2, "step": step}
    chance = binom.pmf(np.arange(rollouts + 1), rollouts, 0.5)
    moves = []
    for passes in range(rollouts + 1):
        policy = world(learner={"updates": updates}, **knobs).begin(np.random.default_rng(0))
        policy.log_odds = np.zeros(8)
        (trained,) = np.flatnonzero(policy.families[:4] == 0)[:1]
        (probe,) = 4 + np.flatnonzero(policy.families[4:] == family)[:1]
        policy.learn(batch([int(trained)], [passes], [rollouts]))
        # the log-odds of pass rates this near 1/2 lose digits: add up the parameters
        moves.append(
            policy.on_common[probe] * policy.common
            + policy.on_family[probe] * policy.family[family]
        )
    assert chance @ moves == pytest.approx(updates * step * cosine * 0.25, rel=1e-5)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("prompts", [1, 2, 6])
def test_gain_of_trained_over_held_out_prompts(optimizer: str, prompts: int) -> None:
    """J prompts of one family with coordinates of their own: [1 + (J-1) c_1] / (J c_1)."""
    c = 0.32
    knobs: dict[str, Any] = {
        "own": True,
        "cosine_within": c,
        "cosine_across": 0.0,
        "families": 1,
    }
    policy = world(
        learner={"optimizer": optimizer}, prompts=prompts, held_out=3, **knobs
    ).begin(np.random.default_rng(0))
    policy.learn(batch(list(range(prompts)), [5] * prompts, [8] * prompts))
    held_out = policy.on_family[-1] * policy.family[0]
    trained = held_out + policy.on_own[0] * policy.own[0]
    assert trained / held_out == pytest.approx(
        (1 + (prompts - 1) * c) / (prompts * c), rel=1e-6
    )


def test_cosines_between_prompts() -> None:
    """w.w = a h, cosine c_1 within and c_0 across families."""
    policy = world(own=True, spread=0.7, step=2.5, prompts=6, families=2).begin(
        np.random.default_rng(0)
    )
    w = np.zeros((6, 1 + policy.num_families + 6))
    w[:, 0] = policy.on_common[:6]
    w[np.arange(6), 1 + policy.families[:6]] = policy.on_family[:6]
    w[np.arange(6), 1 + policy.num_families + np.arange(6)] = policy.on_own[:6]
    np.testing.assert_allclose((w**2).sum(axis=1), 2.5 * policy.contrast[:6])
    unit = w / np.linalg.norm(w, axis=1, keepdims=True)
    same = policy.families[:6, None] == policy.families[None, :6]
    expected = np.where(same, 0.3, 0.05)
    np.fill_diagonal(expected, 1.0)
    np.testing.assert_allclose(unit @ unit.T, expected, atol=1e-12)


def test_coordinates_move_log_odds_as_the_equation_says() -> None:
    """logit p = b + w . theta, for prompts of the data set and held-out ones."""
    policy = world(population="uniform", own=True, prompts=3, held_out=2).begin(
        np.random.default_rng(0)
    )
    before = log_odds(policy, [0, 1, 2])
    policy.common, policy.family, policy.own = 0.4, np.arange(8.0), np.array([1.0, -2.0, 3.0])
    after = log_odds(policy, [0, 1, 2])
    expected = before + policy.on_common[:3] * 0.4
    expected += policy.on_family[:3] * policy.families[:3] + policy.on_own[:3] * policy.own
    np.testing.assert_allclose(after, expected, rtol=1e-9)


# Optimizer


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


# Start


@cache
def tasks() -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-start("tasks", 100_000, 8, 0.5, np.random.default_rng(0))[0]))


def test_the_measured_start_has_its_measured_means() -> None:
    """72 measured prompts (9 per family, weighted); 100,000 drawn ones differ by < .002."""
    p = tasks()
    assert p.mean() == pytest.approx(0.213, abs=0.002)
    assert (p * (1.0 - p)).mean() == pytest.approx(0.112, abs=0.002)
    assert mixed_probability(p, 4).mean() == pytest.approx(0.408, abs=0.003)
    assert mixed_probability(p, 16).mean() == pytest.approx(0.730, abs=0.003)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_share_of_difficulty_that_lies_between_families(share: float) -> None:
    """By rank; 20,000 prompts in 50 families leave 50/20,000 to chance and .0004 unresolved."""
    found = start("uniform", 20_000, 50, share, np.random.default_rng(0))
    rank = found.log_odds.argsort().argsort() / 20_000
    sizes = np.bincount(found.family)
    assert sizes.tolist() == [400] * 50
    between = (np.bincount(found.family, rank) / sizes).var() / rank.var()
    assert between == pytest.approx(share, abs=0.02)


def test_pass_rates_of_zero_and_one_have_finite_log_odds() -> None:
    found = start("beta(0.01, 0.01)", 500, 8, 0.5, np.random.default_rng(0))
    assert np.isfinite(found.log_odds).all()


@pytest.mark.parametrize("held_out", [0, 40])
def test_accuracy_is_the_mean_pass_rate_of_the_scored_prompts(held_out: int) -> None:
    policy = world(
        population="uniform", prompts=30, held_out=held_out, own=held_out == 0
    ).begin(np.random.default_rng(0))
    policy.learn(batch([0, 1, 2], [3, 4, 5], [8, 8, 8]))
    scored = np.arange(30, 30 + held_out) if held_out else np.arange(30)
    assert policy.accuracy() == pytest.approx(policy.pass_rates(scored).mean(), rel=1e-12)


def test_held_out_prompts_do_not_own_coordinates() -> None:
    policy = world(prompts=30, held_out=5, own=True).begin(np.random.default_rng(0))
    before = policy.accuracy()
    policy.own[:] = 3.0
    assert policy.accuracy() == before


def test_in_the_independent_world_a_prompt_learns_only_from_itself() -> None:
    for optimizer in ("sgd", "adam"):
        base = world(
            Coupled(population=SKEWED, prompts=30),
            learner={"optimizer": optimizer, "updates": 3},
        )
        policy = independent(base, step=50.0).begin(np.random.default_rng(0))
        before = policy.pass_rates(np.arange(30))
        policy.learn(batch([3, 8], [4, 5], [8, 8]))
        moved = np.flatnonzero(policy.pass_rates(np.arange(30)) != before)
        assert moved.tolist() == [3, 8]
        assert (policy.pass_rates(moved) > before[moved]).all()
        assert policy.world.held_out == 0


def test_the_gain_of_a_prompt_in_the_independent_world_is_its_step() -> None:
    """SGD: a prompt at 1/2 in a batch of B groups moves by a v / B on average."""
    chance = binom.pmf(np.arange(9), 8, 0.5)
    moves = []
    for passes in range(9):
        policy = independent(world(prompts=4), step=1.0).begin(np.random.default_rng(0))
        policy.log_odds = np.zeros(4)
        policy.learn(batch([0, 1, 2, 3], [passes, 0, 0, 8], [8] * 4))
        moves.append(policy.own[0] * policy.on_own[0])
    assert chance @ moves == pytest.approx(0.25 / 4, rel=1e-9)


def test_norms_are_those_of_the_classes() -> None:
    """Class means p-bar D and -p D; E|s|^2 = V + |mean|^2; |D|^2 is the prompt's own."""
    policy = world(
        population="uniform", spread=0.6, pass_noise=4.0, fail_noise=7.0, prompts=20
    ).begin(np.random.default_rng(0))
    prompts = np.array([3, 11])
    p, h = policy.pass_rates(prompts), policy.contrast[prompts]
    norms = policy.norms(prompts)
    np.testing.assert_allclose(norms.passing_square, 4.0 + (1 - p) ** 2 * h)
    np.testing.assert_allclose(norms.failing_square, 7.0 + p**2 * h)
    np.testing.assert_allclose(norms.passing**2, norms.passing_square)
    np.testing.assert_allclose(norms.failing**2, norms.failing_square)
    np.testing.assert_allclose(norms.contrast, h)


def test_the_spread_of_contrasts_keeps_their_mean() -> None:
    """Lognormal with deviation .5: mean 1 within 4 standard errors of 50,000 draws."""
    policy = world(spread=0.5, prompts=50_000, held_out=0).begin(np.random.default_rng(0))
    assert policy.contrast.mean() == pytest.approx(1.0, abs=4 * 0.533 / 50_000**0.5)
    assert np.log(policy.contrast).std() == pytest.approx(0.5, abs=0.01)


def test_equal_seeds_lead_to_equal_policies() -> None:
    def trained(seed: int) -> list[float]:
        policy = Coupled(population=SKEWED, prompts=60, learner=Learner(updates=3)).begin(
            np.random.default_rng(seed)
        )
        policy.learn(batch([0, 1], [3, 4], [8, 8]))
        return policy.pass_rates(np.arange(60)).tolist()

    assert trained(4) == trained(4)
    assert trained(4) != trained(5)


def test_sgd_and_adam_start_from_the_same_prompts() -> None:
    policies = [
        world(Coupled(population=SKEWED, prompts=60), learner={"optimizer": optimizer}).begin(
            np.random.default_rng(0)
        )
        for optimizer in ("adam", "sgd")
    ]
    np.testing.assert_array_equal(policies[0].log_odds, policies[1].log_odds)
    np.testing.assert_array_equal(policies[0].families, policies[1].families)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"prompts": 0}, "prompts=0 must be a whole number of at least 1"),
        ({"families": 0}, "families=0 must be a whole number"),
        ({"held_out": -1}, "held_out=-1 must be a whole number of at least 0"),
        ({"population": "gsm8k"}, "population 'gsm8k' is none of"),
        ({"family_share": 1.5}, r"family_share=1.5 must lie in \[0, 1\]"),
        ({"felt": -0.1}, "felt=-0.1 must lie"),
        ({"aligned": 2.0}, "aligned=2.0 must lie"),
        ({"cosine_within": 1.1}, "cosine_within=1.1 must lie"),
        ({"cosine_across": float("nan")}, "cosine_across=nan must lie"),
        ({"cosine_across": 0.4}, "cosine_across=0.4 must not exceed cosine_within=0.3"),
        ({"step": 0.0}, "step=0.0 must be positive"),
        ({"spread": -1.0}, "spread=-1.0 must lie"),
        ({"pass_noise": float("inf")}, "pass_noise=inf must lie"),
        ({"fail_noise": -1.0}, "fail_noise=-1.0 must lie"),
    ],
)
def test_a_bad_knob_is_refused_by_name(knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Coupled(**knobs)


def test_adam_refuses_a_start_that_has_no_gradient() -> None:
    """Nothing would set the scale of its steps; SGD needs none."""
    hopeless = Coupled(population="beta(0.001, 1000)", prompts=3)
    with pytest.raises(ValueError, match="no gradient at the start of prompts=3 of 'beta"):
        hopeless.begin(np.random.default_rng(0))
    assert world(hopeless).begin(np.random.default_rng(0)).accuracy() < 0.01
