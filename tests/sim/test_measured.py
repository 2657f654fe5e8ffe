"""The measured world: start, moves and second moments by family."""

from typing import Any

import numpy as np
import pytest
from scipy.special import logit

from sim import measurement
from sim.family_moments import FamilyGradient, FamilyLogits
from sim.measured import drawn
from tests.sim.coupled_worlds import batch
from tests.sim.measured_worlds import TWO, family, measured, seeded, told

ALL = np.arange(48)


def test_every_set_has_every_family_in_its_share_at_normal_quantiles() -> None:
    family, log_odds, height = drawn(TWO, (40, 8))
    for part in (slice(0, 40), slice(40, 48)):
        assert np.bincount(family[part]).tolist() == [
            family[part].size * 3 // 4,
            len(ALL[part]) // 4,
        ]
    easy = log_odds[:40][family[:40] == 0]
    assert easy.mean() == pytest.approx(1.0, abs=1e-12)
    assert easy.std() == pytest.approx(0.5, rel=0.05)
    assert (log_odds[family == 1] == -2.0).all()
    assert height[:30].mean() == pytest.approx(0.0, abs=1e-12)
    assert abs(np.corrcoef(height[:30], log_odds[:30])[0, 1]) < 0.5


def test_of_shares_that_do_not_come_out_even_the_largest_remainder_is_rounded_up() -> None:
    assert np.bincount(drawn(TWO, (41,))[0]).tolist() == [31, 10]


def test_prompts_are_the_same_whatever_the_seed() -> None:
    policies = [measured(spread=0.8).begin(seeded(seed)) for seed in (0, 1)]
    rates, contrasts = (
        [getattr(p, name) for p in policies] for name in ("log_odds", "contrast")
    )
    assert (rates[0] == rates[1]).all()
    assert (contrasts[0] == contrasts[1]).all()


def test_the_mean_contrast_of_a_family_is_its_own_whatever_the_spread() -> None:
    """exp(spread z - spread^2/2) at 1,500 quantiles misses little of a lognormal's tail."""
    policy = measured(spread=0.6, prompts=2000).begin(seeded())
    for number, energy in enumerate(TWO.energies):
        mine = policy.contrast[:2000][policy.families[:2000] == number]
        assert mine.mean() * TWO.energy == pytest.approx(energy, rel=0.02)
        assert np.log(mine).std() == pytest.approx(0.6, rel=0.02)


def test_moves_have_the_steps_and_cosines_of_the_optimizer() -> None:
    """One group of prompt 0 (easy) under SGD: logit j moves by kappa sqrt(a_0 a_j) cosine."""
    policy = measured().begin(seeded())
    before = logit(policy.pass_rates(ALL))
    p = float(policy.pass_rates(np.array([0]))[0])
    policy.learn(batch([0], [2], [8]))
    kappa = (2 * (1 - 1 / 7) * (1 - p) + 6 * (2 / 7) * p) / 8
    moved = logit(policy.pass_rates(ALL)) - before
    easy, hard = policy.families == 0, policy.families == 1
    assert moved[easy] == pytest.approx(kappa * 2.0 * 0.5, rel=1e-9)
    assert moved[hard] == pytest.approx(kappa * np.sqrt(2.0 * 6.0) * 0.1, rel=1e-9)


def test_families_move_with_cosines_of_their_own() -> None:
    policy = measured(cosines=(0.5, 0.8)).begin(seeded())
    before = logit(policy.pass_rates(ALL))
    p = float(policy.pass_rates(np.array([0]))[0])
    policy.learn(batch([0], [2], [8]))
    kappa = (2 * (1 - 1 / 7) * (1 - p) + 6 * (2 / 7) * p) / 8
    moved = logit(policy.pass_rates(ALL)) - before
    expected = kappa * np.sqrt((2.0 * 0.5) * (6.0 * 0.8)) * 0.2
    assert moved[policy.families == 1] == pytest.approx(expected, rel=1e-9)


def test_products_of_d_are_those_measured_whatever_the_spread_and_the_ceiling() -> None:
    """Of two prompts of a family: the mean over pairs is what was measured before training."""
    given = [family(pass_rate=p, log_odds=np.log(p / (1 - p))) for p in (0.5, 0.7, 0.9)]
    given = [one | {"share": 1 / 3, "log_odds_spread": 0.3} for one in given]
    for one, product in zip(given, (1.2, 1.1, 0.6), strict=True):
        one["transfer"] = product
    known = measurement.constants(told(families=given, spread=0.8))
    assert known.ceiling < 1.0
    policy = measured(known, prompts=3000).begin(seeded())
    for number, product in enumerate((1.2, 1.1, 0.6)):
        mine = np.flatnonzero(policy.families[:3000] == number)
        reach = np.hypot(policy.on_common, policy.on_family)[mine]
        assert reach.mean() ** 2 == pytest.approx(product, rel=0.02)


def squares(**changes: Any) -> Any:  # noqa: ANN401
    """The gradient of two groups, prompts 0 (easy) and 30 (hard), pulls 0.2 and 0.1."""
    policy = measured(**changes).begin(seeded())
    assert policy.families[[0, 30]].tolist() == [0, 1]
    pull, noise = np.array([0.2, 0.1]), np.array([0.03, 0.05])
    return policy.gradient(np.array([0, 30]), pull, noise, seeded())


def test_the_second_moment_is_made_of_plain_norms_and_cosines() -> None:
    d = np.array([0.2, 0.1]) * np.sqrt(np.array([100.0, 500.0]) / 200.0)
    apart = 0.25 * ((1 - 0.4) * (d @ d) + 0.08)
    expected = apart + 0.2 * d.sum() ** 2 + (0.4 - 0.2) * (d @ d)
    assert squares().square == pytest.approx(expected, rel=1e-12)


def test_the_second_moment_of_a_family_is_made_of_its_own_prompts() -> None:
    found = squares(plain_cosines=(0.4, 0.7))
    assert isinstance(found, FamilyGradient)
    d = np.array([0.2, 0.1]) * np.sqrt(np.array([100.0, 500.0]) / 200.0)
    shared = np.array([0.4, 0.7])
    expected = 0.25 * ((1 - shared) * d**2 + np.array([0.03, 0.05])) + shared * d**2
    assert found.squares == pytest.approx(expected, rel=1e-12)


def test_prompts_of_one_family_add_before_they_are_squared() -> None:
    policy = measured().begin(seeded())
    found = policy.gradient(np.array([0, 1, 1]), np.full(3, 0.1), np.zeros(3), seeded())
    assert isinstance(found, FamilyGradient)
    d = 0.1 * np.sqrt(0.5)
    apart = 0.25 * (1 - 0.4) * (d**2 + (2 * d) ** 2)
    assert found.squares == pytest.approx([apart + 0.4 * (3 * d) ** 2, 0.0], rel=1e-12)


def test_noise_is_the_family_s_own() -> None:
    policy = measured().begin(seeded())
    energy = 0.75 * 100 + 0.25 * 500
    norms = policy.norms(np.array([0, 30]))
    p = policy.pass_rates(np.array([0, 30]))
    plain = np.array([100.0, 500.0]) / energy
    assert norms is not None
    assert norms.passing_square is not None
    assert norms.failing_square is not None
    passing = np.array([0.0, 40.0]) / energy + (1 - p) ** 2 * plain
    failing = np.array([300.0, 80.0]) / energy + p**2 * plain
    assert norms.passing_square == pytest.approx(passing, rel=1e-12)
    assert norms.failing_square == pytest.approx(failing, rel=1e-12)


def test_with_normalisers_of_their_own_no_family_slows_another() -> None:
    """Twice the noise of the hard family's gradients halves its own moves at most."""
    alone: dict[str, Any] = {"between": 0.0, "plain_between": 0.0}
    adam = {"optimizer": "adam"}
    moves: list[np.ndarray] = []
    for overlap in (((1.0, 0.0), (0.0, 1.0)), ((0.0, 1.0), (0.0, 1.0))):
        policy = measured(learner=adam, overlap=overlap, **alone).begin(seeded())
        assert isinstance(policy, FamilyLogits)
        policy.normalisers = np.array([1.0, 1.0])
        before = logit(policy.pass_rates(ALL))
        gradient = FamilyGradient(0.0, np.ones(2), np.zeros(0), 5.0, np.array([1.0, 4.0]))
        policy._update(gradient)  # pyright: ignore[reportPrivateUsage] - one update, no batch
        moves.append((logit(policy.pass_rates(ALL)) - before) / policy.on_family)
    own, borrowed = moves
    assert own[policy.families == 0] == pytest.approx(1.0)
    assert own[policy.families == 1] == pytest.approx(0.5)
    assert borrowed == pytest.approx(0.5)


def test_a_family_without_a_gradient_at_the_start_is_no_fault() -> None:
    policy = measured(learner={"optimizer": "adam"}, overlap=((1.0, 0.0), (0.0, 1.0)))
    began = policy.begin(seeded())
    assert isinstance(began, FamilyLogits)
    began.normalisers = np.array([0.0, 1.0])
    began.learn(batch([0, 30], [0, 4], [8, 8]))
    assert np.isfinite(began.pass_rates(ALL)).all()


def test_without_an_overlap_no_family_divides_another() -> None:
    began = measured(learner={"optimizer": "adam"}).begin(seeded())
    assert (began.overlap == np.eye(2)).all()


def test_under_sgd_an_overlap_changes_nothing() -> None:
    rates: list[np.ndarray] = []
    for overlap in (((1.0, 0.0), (0.0, 1.0)), ((1.0, 0.0), (0.5, 0.5))):
        policy = measured(overlap=overlap).begin(seeded())
        policy.learn(batch([0, 30], [2, 4], [8, 8]))
        rates.append(policy.pass_rates(ALL))
    assert (rates[0] == rates[1]).all()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"shares": (0.5, 0.4)}, "sum to 1"),
        ({"shares": (1.0,)}, "not one for each"),
        ({"steps": (0.0, 1.0)}, "positive"),
        ({"energies": (-1.0, 1.0)}, "not negative"),
        ({"log_odds": (np.nan, 0.0)}, "finite"),
        ({"between": 1.1}, "between"),
        ({"plain_between": -0.1}, "plain_between"),
        ({"cosines": (0.1, 1.1)}, "cosines"),
        ({"plain_cosines": (0.1,)}, "not one for each"),
        ({"ceiling": 1.1}, "ceiling"),
        ({"overlap": ((1.0, 0.0),)}, "overlap"),
        ({"overlap": ((1.0, 0.0), (0.5, 0.4))}, "overlap"),
        ({"spread": -1.0}, "spread"),
    ],
)
def test_impossible_constants_are_refused_by_name(
    changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        measured(**changes)
