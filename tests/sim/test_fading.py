"""The fade of |D|^2 near pass rates of 1."""

import numpy as np
import pytest
from scipy.special import logit

from sim.fading import FadingLogits, slope
from tests.sim.coupled_worlds import batch
from tests.sim.measured_worlds import measured, seeded

ALL = np.arange(48)
OWN = ((1.0, 0.0), (0.0, 1.0))


def policy(fade: float, *, optimizer: str = "sgd") -> FadingLogits:
    world = measured(overlap=OWN, fade=fade, learner={"optimizer": optimizer})
    began = world.begin(seeded())
    assert isinstance(began, FadingLogits)
    return began


def test_at_the_start_nothing_has_faded() -> None:
    plain = measured(overlap=OWN).begin(seeded())
    assert policy(0.7).pass_rates(ALL) == pytest.approx(plain.pass_rates(ALL), rel=1e-12)
    assert policy(0.7).accuracy() == pytest.approx(plain.accuracy(), rel=1e-12)


def test_log_odds_above_their_turn_are_the_integral_of_what_is_left() -> None:
    """Euler's method over the family coordinate, dy = |D|(y) dtheta."""
    began, fade, steps = policy(0.7), 0.7, 20_000
    y = began.log_odds[:1].copy()
    start = max(float(y[0]), 0.0)
    reach = float(began.whole[1][0]) * 5.0 / steps
    for _ in range(steps):
        y += reach * np.exp(-fade / 2 * np.maximum(y - start, 0.0))
    began.family[0] = 5.0
    assert logit(began.pass_rates(np.array([0]))) == pytest.approx(y, rel=1e-4)


def test_a_hard_prompt_moves_linearly_up_to_one_half_and_any_prompt_downwards() -> None:
    began = policy(0.7)
    hard = np.array([30])
    began.family[1] = 1.0 / float(began.whole[1][30])
    assert logit(began.pass_rates(hard)) == pytest.approx(-1.0, rel=1e-12)
    began.family[0] = -1.0 / float(began.whole[1][0])
    assert logit(began.pass_rates(ALL[:1])) == pytest.approx(began.log_odds[:1] - 1.0)


def test_gradient_and_second_moment_fade_with_d() -> None:
    """u = 2 / fade halves |D|, and so quarters |D|^2."""
    began = policy(0.5)
    before = began.contrast[0]
    began.family[0] = (max(began.log_odds[0], 0.0) - began.log_odds[0] + 4.0) / float(
        began.whole[1][0]
    )
    began.learn(batch([0], [2], [8]))
    assert began.on_family[0] == pytest.approx(began.whole[1][0] / 2)
    assert began.on_common[0] == pytest.approx(began.whole[0][0] / 2)
    assert began.contrast[0] == pytest.approx(before / 4)


def test_without_a_fade_it_is_the_family_policy() -> None:
    plain = measured(overlap=OWN, learner={"optimizer": "adam"}).begin(seeded())
    other = policy(1e-9, optimizer="adam")
    for one in (plain, other):
        one.learn(batch([0, 5, 30], [6, 4, 2], [8, 8, 8]))
    assert other.pass_rates(ALL) == pytest.approx(plain.pass_rates(ALL), rel=1e-6)


def test_held_out_accuracy_is_the_mean_of_their_pass_rates() -> None:
    began = policy(0.7)
    began.learn(batch([0, 30], [6, 2], [8, 8]))
    assert began.accuracy() == pytest.approx(began.pass_rates(np.arange(40, 48)).mean())


def test_the_slope_is_that_of_the_easy_families() -> None:
    odds = np.array([-3.0, -1.0, 0.5, 1.5, 2.5])
    steps = np.array([9.0, 1.0, *np.exp(2.0 - 0.7 * odds[2:])])
    assert slope(odds, steps) == pytest.approx(0.7)
    assert slope(odds, 1.0 / steps) == 0.0
    assert slope(odds[:4], steps[:4]) == 0.0  # two families make no slope


def test_a_fade_takes_an_overlap() -> None:
    with pytest.raises(ValueError, match="takes an overlap"):
        measured(fade=0.5)
