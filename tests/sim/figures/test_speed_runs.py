"""What simulated runs of SPEED say: ages, costs, norms, and what its updates are worth."""

import numpy as np
import pytest

from report.aggregate import mean
from selection.driver import Segments
from selection.strategies import Sizes, strategy
from sim.catalogue import place, plan
from sim.figures import speed_ablation, speed_confound, speed_scheduler, speed_training
from sim.figures.speed_runs import Run, ages, noise_norm, run, training_accuracy
from sim.run import simulate
from theory import screening
from theory.published import dapo1k_passes

SMALL = Sizes(groups=4, rollouts=8, prompts=200, steps=6)


def batch(rows: list[tuple[int, int, int, int]]) -> Segments:
    """Segments from (group, rollouts, passes, version)."""
    group, rollouts, passes, versions = np.array(rows).T
    return Segments(group, group, rollouts, passes, versions, np.zeros(len(rows)))


TWO = Run({}, [batch([(0, 4, 2, 0), (0, 20, 5, 0)]), batch([(1, 4, 1, 0), (1, 20, 3, 1)])])


def test_a_watched_run_is_the_simulated_run() -> None:
    planned = plan(place("coupled", SMALL), strategy("speed-released", SMALL), SMALL)
    plain, watched = simulate(planned, 3), run("coupled", "speed-released", SMALL, 3)
    assert plain.keys() == watched.columns.keys()
    assert all((plain[name] == watched.columns[name]).all() for name in plain)
    assert len(watched.batches) == SMALL.steps
    trained = np.cumsum([one.rollouts.sum() for one in watched.batches])
    assert (watched.columns["trained_rollouts"][1:] == trained).all()


def test_ages_by_phase() -> None:
    assert ages(TWO, "screening").tolist() == [0] * 4 + [1] * 4
    assert ages(TWO, "continuation").tolist() == [0] * 40


def test_training_accuracy_is_of_rollouts() -> None:
    assert training_accuracy(TWO) == pytest.approx([7 / 24, 4 / 24])


def test_the_norm_of_noise() -> None:
    """RLOO's advantages are (N-K)/(N-1) and -K/(N-1): their squares sum to K(N-K)N/(N-1)^2."""
    squares = np.array([7 * 17, 4 * 20]) * 24 / 23**2
    assert noise_norm(TWO, 1) == pytest.approx(np.sqrt(squares) / 24)
    assert noise_norm(TWO, 6) == pytest.approx(np.sqrt(6 * squares) / 24)


def test_zero_variance_groups_have_no_norm() -> None:
    assert noise_norm(Run({}, [batch([(0, 4, 4, 0), (1, 4, 0, 0)])]), 6).tolist() == [0.0]


@pytest.mark.parametrize(
    ("model", "screen", "cost"),
    [
        ("1.5B", 4, 32.1),
        ("1.5B", 8, 33.4),
        ("1.5B", 24, 38.4),
        ("7B", 4, 29.4),
        ("7B", 24, 33.7),
    ],
)
def test_the_estimated_cost(model: str, screen: int, cost: float) -> None:
    assert round(speed_scheduler.estimated_cost(model, screen), 1) == cost


def test_the_simulated_cost_is_the_estimate_and_a_little_left_over() -> None:
    """Within what 12 groups in flight at the end of 20 batches of 16 may add."""
    found = speed_scheduler.simulated_cost("7B", 4, 0.02)
    exact = speed_scheduler.estimated_cost("7B", 4)
    assert exact - 1.5 < found.value < 1.15 * exact


def test_released_rollouts_are_stale_and_those_of_algorithm_1_are_not() -> None:
    sizes = Sizes(groups=16, rollouts=24, prompts=2000, steps=25)
    released, paper = (run("static-7b", name, sizes, 0) for name in ("speed-released", "speed"))
    assert ages(paper, "screening").max() == ages(paper, "continuation").max() == 0
    assert 2.0 < ages(released, "screening").mean() < 3.0
    assert 0.5 < ages(released, "continuation").mean() < 1.2
    shares = speed_scheduler.age_shares([released, released], "screening")
    assert sum(share.value for share in shares) == pytest.approx(1.0)


def noise_ratio(model: str, screen: int) -> float:
    """sqrt(24/n E[W]/(E[a] E[v])), by unbiased estimates from the counts."""
    counts = dapo1k_passes(model)
    weight = screening.estimated_weight(counts, 32, screen, 24 - screen).mean()
    accepted = screening.estimated_acceptance(counts, 32, screen).mean()
    v = screening.estimated_weight(counts, 32, 24, 0).mean()
    return float(np.sqrt(24 / screen * weight / accepted / v))


@pytest.mark.parametrize("screen", [4, 8])
def test_simulated_norms_are_those_that_theory_expects_of_noise(screen: int) -> None:
    """At the start, over 12 seeds of 3 steps; four standard errors are under a tenth."""
    found = {n: speed_training.trained("1.5B", n, steps=3, seeds=12) for n in (screen, 0)}
    squares = {n: (both.norm**2).mean(axis=1) for n, both in found.items()}
    ratio = np.sqrt(squares[screen].mean() / squares[0].mean())
    exact = noise_ratio("1.5B", screen)
    spread = [np.std(s, ddof=1) / np.sqrt(12) / s.mean() / 2 for s in squares.values()]
    assert 4 * np.hypot(*spread) < 0.2
    assert ratio == pytest.approx(exact, rel=4 * float(np.hypot(*spread)))


def test_the_pace_of_the_world_is_set_by_the_baseline() -> None:
    """At 1.5B: .227 at step 400."""
    small = speed_training.trained("1.5B", 0, steps=400, seeds=2).accuracy[:, 380:]
    assert mean(small.mean(axis=1)).value == pytest.approx(0.227, abs=0.03)


def test_a_taste_has_few_seeds_and_steps() -> None:
    assert speed_training.amount(0.02, 600) == {"seeds": 2, "steps": 48}
    assert speed_training.amount(1.0, 600) == {"seeds": 8, "steps": 600}
    assert speed_training.amount(0.001, 600)["steps"] == 30


def test_the_ablations_norms_need_no_signal() -> None:
    found = {n: speed_training.trained("1.5B", n, steps=20, seeds=2) for n in (4, 6, 8, 0)}
    ratios = speed_ablation.norm_ratios(found)
    assert ratios[4] > ratios[6] > ratios[8] > 2.0


def test_most_of_the_saving_is_the_six_updates() -> None:
    """The finding itself, at five seeds: intervals far apart."""
    pairs = speed_confound.PAIRS
    found = {name: speed_confound.saving("coupled", *pairs[name], 5) for name in pairs}
    released, *matched = found.values()
    assert released.low > 3.0
    assert max(one.high for one in matched) < 2.0
    assert min(one.low for one in matched) > 1.0


def test_every_arm_makes_the_updates_it_is_named_for() -> None:
    arms = {arm for pair in speed_confound.PAIRS.values() for arm in pair}
    for arm in arms:
        (one, *_) = speed_confound.runs("coupled", arm, 5)
        steps = one.columns["step"]
        assert (one.columns["updates"] == arm.updates * steps).all()
        assert arm.name.endswith("s") == (arm.updates > 1)
        assert one.columns["accuracy"][-1] >= speed_confound.TARGET + speed_confound.MARGIN
