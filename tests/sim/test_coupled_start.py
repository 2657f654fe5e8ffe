"""Start, independent variant, norms and knobs of the coupled world."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from sim.coupled import Coupled, independent
from sim.learner import Learner
from sim.start import start
from tests.sim.coupled_worlds import SKEWED, batch, world
from theory.groups import mixed_probability


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
