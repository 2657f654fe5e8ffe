"""The ceiling of pass rates that shared skill leaves."""

import numpy as np
import pytest
from scipy.special import expit, logit

from sim.ceiling import CeilingLogits, beneath, remaining, slips
from sim.family_moments import FamilyGradient
from tests.sim.coupled_worlds import batch
from tests.sim.measured_worlds import TWO, measured, seeded

ALL = np.arange(48)


def policy(ceiling: float, *, optimizer: str = "sgd") -> CeilingLogits:
    return measured(ceiling=ceiling, learner={"optimizer": optimizer}).begin(seeded())


def test_at_the_start_pass_rates_are_those_measured() -> None:
    free = policy(1.0)
    assert policy(0.97).pass_rates(ALL) == pytest.approx(free.pass_rates(ALL), rel=1e-12)
    assert policy(0.97).accuracy() == pytest.approx(free.accuracy(), rel=1e-12)


def test_nothing_passes_more_often_than_the_ceiling() -> None:
    began = policy(0.9)
    assert (began.pass_rates(ALL) < 0.9).all()
    began.family += 1e3
    assert began.pass_rates(ALL) == pytest.approx(0.9)
    assert began.accuracy() == pytest.approx(0.9)
    began.learn(batch([0, 30], [7, 7], [8, 8]))
    assert np.isfinite(began.pass_rates(ALL)).all()


def test_what_remains_of_d_is_the_derivative_of_the_log_odds() -> None:
    """d logit p / dz of p = c sigma(z), by differences."""
    z, c, h = np.linspace(-6.0, 4.0, 21), 0.93, 1e-5
    slope = (logit(c * expit(z + h)) - logit(c * expit(z - h))) / (2 * h)
    assert remaining(c * expit(z), c) == pytest.approx(slope, rel=1e-6)
    assert remaining(c * expit(z), 1.0) == pytest.approx(1.0)


def test_a_prompt_at_the_ceiling_has_nothing_left() -> None:
    assert remaining(np.array([0.93, 0.95, 1.0]), 0.93) == pytest.approx(0.0, abs=1e-12)
    assert remaining(np.array([0.5, 1.0]), 1.0).tolist() == [1.0, 1.0]


def test_only_prompts_at_the_ceiling_are_put_beneath_it() -> None:
    rates = np.array([0.2, 0.9, 0.99, 1.0])
    assert beneath(rates, 1.0) is rates
    assert beneath(rates, 0.95) == pytest.approx([0.2, 0.9, 0.95 * 0.999, 0.95 * 0.999])


def test_the_first_move_is_the_measured_one_whatever_the_ceiling() -> None:
    """Mean transfer of a family is what was measured, though no prompt has its mean s."""
    moves: list[np.ndarray] = []
    for ceiling in (1.0, 0.97):
        began = policy(ceiling)
        easy = began.families == 0
        moves.append(began.on_family[easy])
    assert moves[1].mean() == pytest.approx(moves[0].mean(), rel=1e-9)
    assert moves[1].std() > 0.01


def test_what_is_shared_fades_and_the_rest_of_d_does_not() -> None:
    began = policy(0.97)
    prompt = np.array([0])
    before, shared = float(began.contrast[0]), float(began.shared[0])
    left = float(remaining(began.pass_rates(prompt), 0.97)[0])
    reach, common = float(began.on_family[0]), float(began.on_common[0])
    began.family[0] = 4.0
    now = float(remaining(began.pass_rates(prompt), 0.97)[0])
    began.learn(batch([0], [2], [8]))
    assert now < 0.7 * left
    assert began.on_family[0] == pytest.approx(reach * now / left)
    assert began.on_common[0] == pytest.approx(common * now / left)
    assert began.shared[0] == pytest.approx(shared * (now / left) ** 2)
    assert began.contrast[0] == before


def test_faded_gradients_are_noise_to_the_second_moment() -> None:
    began = policy(0.97)
    began.shared = 0.0 * began.shared
    found = began.gradient(np.array([0, 1]), np.full(2, 0.1), np.zeros(2), seeded())
    assert isinstance(found, FamilyGradient)
    assert found.squares[0] == pytest.approx(TWO.felt * 0.01 * began.contrast[:2].sum())


def test_without_slips_log_odds_are_linear() -> None:
    began = policy(1.0)
    before = logit(began.pass_rates(ALL))
    began.family[:] = 0.7
    moved = began.on_family * 0.7
    assert logit(began.pass_rates(ALL)) == pytest.approx(before + moved, rel=1e-9)


def test_held_out_accuracy_is_the_mean_of_their_pass_rates() -> None:
    began = policy(0.97)
    began.learn(batch([0, 30], [6, 2], [8, 8]))
    assert began.accuracy() == pytest.approx(began.pass_rates(np.arange(40, 48)).mean())


def test_slips_are_found_from_exact_products() -> None:
    rates = np.array([0.05, 0.4, 0.8, 0.93])
    products = 3.0 * (1.0 - 0.04 / (1.0 - rates)) ** 2
    assert slips(rates, products) == pytest.approx(0.04)
    assert slips(rates[:2], products[:2]) == 0.0
    assert slips(rates, products[::-1]) == 0.0


def test_slips_are_at_most_the_fewest_failures() -> None:
    """A line through products that vanish before the easiest family does."""
    rates = np.array([0.5, 0.9, 0.95])
    assert slips(rates, np.array([1.0, 0.2, 0.001])) == pytest.approx(0.05)


def test_slips_are_only_seen_where_a_ceiling_is_in_sight() -> None:
    """Falling products of hard families say nothing of it, nor families that start alike."""
    hard = np.array([0.01, 0.02, 0.04])
    assert slips(hard, np.array([3.0, 2.0, 1.0])) == 0.0
    assert slips(np.full(4, 0.8), np.array([3.0, 2.0, 1.0, 2.0])) == 0.0
    sure = np.array([0.05, 0.4, 0.8, 1.0])
    assert slips(sure, 3.0 * (1.0 - 0.04 / (1.05 - sure)) ** 2) == pytest.approx(0.04, abs=0.01)
