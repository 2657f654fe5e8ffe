"""Settings, published data and the parts of GRESO's figures that are exact."""

import numpy as np
import pytest

from report.aggregate import Estimate
from selection.dynamic import DynamicSampling
from selection.greso import Greso
from selection.strategies import strategy
from sim.drifting import Drifting
from sim.figures import greso_hours, greso_runs, greso_table1
from sim.figures.greso_rollouts import at_steps, implied_mixed, printed_curve
from sim.figures.greso_runs import DS, GRESO, SIZED, WHOLE, Setting, open_to, runs, spent
from sim.figures.greso_watched import (
    KEPT,
    SKIPPED_EASY,
    SKIPPED_HARD,
    UNSEEN,
    Considered,
    Watched,
    decisions,
    smooth,
    watched,
)
from theory.refilling import refill

TASTE = Setting(fraction=0.02)


def built(who: str) -> object:
    text = who.format(order=384)
    return strategy(text, Setting().sizes).build(Setting().sizes, lambda prompts: prompts / 1.0)


def test_sizes_are_the_papers_and_shrink_together() -> None:
    whole = Setting().sizes
    assert (whole.groups, whole.rollouts, whole.prompts, whole.steps) == (256, 8, 25417, 1000)
    small = TASTE.sizes
    assert (small.groups, small.prompts, small.steps) == (256, 635, 25)
    assert (Setting().seeds, TASTE.seeds) == (3, 2)


@pytest.mark.parametrize(("pace", "epoch"), [(1, 99), (3, 33)])
def test_a_pace_is_the_training_steps_of_an_epoch(pace: int, epoch: int) -> None:
    world = Setting().plan(GRESO, pace).world
    assert isinstance(world, Drifting)
    assert world.steps_per_epoch == epoch


@pytest.mark.parametrize(("groups", "order"), [(256, 384), (128, 192)])
def test_the_order_of_dynamic_sampling_follows_the_batch(groups: int, order: int) -> None:
    plan = Setting(groups=groups, fraction=0.02).plan(DS, 1)
    selector = plan.strategy(plan.world.begin(np.random.default_rng(0)))
    assert isinstance(selector, DynamicSampling)
    assert selector.prompts == order


def test_sized_orders_skip_nothing_and_whole_orders_are_whole() -> None:
    sized, whole = built(SIZED), built(WHOLE)
    assert isinstance(sized, Greso)
    assert isinstance(whole, Greso)
    state = sized.init(4)
    assert sized.explore == sized.least == 1.0
    assert state.explore_easy == 1.0
    assert int(refill(1, 0.5, 384, whole.safety, 1)) == 384
    assert whole.explore == 0.5


def test_grpo_spends_a_batch_a_step_and_no_one_spends_less() -> None:
    np.testing.assert_allclose(spent(TASTE, "uniform", 1), 2.048)
    for who in (DS, GRESO):
        assert (spent(TASTE, who, 1) >= 384 * 8 / 1000).all()
    steps = np.array([0.0, 500.0, 1000.0])
    np.testing.assert_allclose(at_steps(TASTE, "uniform", 1, steps)[0], [0.0, 1.024, 2.048])


def test_dynamic_sampling_spends_whole_orders() -> None:
    made = runs(TASTE, DS, 1)
    assert (np.diff(made["rollouts"], axis=1) % (384 * 8) == 0).all()


def test_digitised_points_of_figure_2() -> None:
    ds, grpo = printed_curve("DS"), printed_curve("GRPO")
    assert ds.shape == (18, 2)
    assert ds[0].tolist() == [184.0, 1.21]
    assert ds[7].tolist() == [507.0, 4.99]
    assert ds[-1].tolist() == [968.0, 18.04]
    assert grpo.tolist() == [[92.0, 0.32], [507.0, 1.05], [968.0, 1.97]]


def test_implied_share_of_a_straight_line_and_of_the_figure() -> None:
    steps = np.array([100.0, 300.0])
    np.testing.assert_allclose(implied_mixed(steps, steps * 8 * 1024 / 1e6), 0.25)
    share = implied_mixed(*printed_curve("DS").T)
    np.testing.assert_allclose(share[[0, -1]], [184 * 2048 / 1.21e6, 46 * 2048 / 2.14e6])


def test_rows_of_table_1_are_those_in_print() -> None:
    rows = greso_table1.rows_of_table_1()
    assert rows[0] == ("Qwen2.5-Math-1.5B", "DAPO+MATH", 7.6, 3.3, 2.30)
    assert rows[-1] == ("Qwen2.5-Math-7B", "Open-R1", 11.4, 3.4, 3.35)
    for _, _, theirs, own, printed in rows:
        assert theirs / own == pytest.approx(printed, abs=0.01)
    small = greso_table1.setting_of("R1-Distill-Qwen-1.5B", "Open-R1", 1.0)
    assert (small.groups, small.prompts) == (128, 30000)
    large = greso_table1.setting_of("Qwen2.5-Math-7B", "DAPO+MATH", 1.0)
    assert (large.groups, large.prompts) == (256, 25417)


def test_a_tolerance_adds_pace_interval_and_rounding() -> None:
    assert open_to(Estimate(2.0, 1.9, 2.1), 3.0, 0.1) == pytest.approx(0.5 + 0.05 + 0.05)
    assert open_to(Estimate(2.0, np.nan, np.nan), 1.0, 0.0) == pytest.approx(0.5)


def test_a_saving_is_dynamic_sampling_over_greso() -> None:
    found = greso_runs.saving(TASTE, 1)
    parts = spent(TASTE, DS, 1) / spent(TASTE, GRESO, 1)
    assert found.value == pytest.approx(np.exp(np.log(parts).mean()))
    assert found.value > 1.0


@pytest.mark.parametrize(
    ("model", "ds", "greso"),
    [("Qwen2.5-Math-1.5B", 52.6, 37.9), ("Qwen2.5-Math-7B", 178.0, 88.3)],
)
def test_hours_in_print_and_their_ratio(model: str, ds: float, greso: float) -> None:
    assert greso_hours.printed(model, "DS").total == pytest.approx(ds, abs=0.11)
    assert greso_hours.printed(model, "GRESO").total == pytest.approx(greso, abs=0.11)
    values = {value.what: value for value in greso_hours.values_of(model)}
    ratio = values[f"hours of DS over GRESO's, total, {model}"]
    assert ratio.published == pytest.approx(ds / greso)


def test_modelled_hours_share_the_geometric_mean_in_print_and_the_ratio_of_rollouts() -> None:
    """One price was fitted to both runs; rollouts alone tell them apart."""
    for model in greso_hours.PRESETS:
        made, counts = greso_hours.both(model), greso_hours.spent(model)
        hours = [made[run].rollout for run in greso_hours.RUNS]
        said = [greso_hours.printed(model, run).rollout for run in greso_hours.RUNS]
        assert np.prod(hours) == pytest.approx(np.prod(said), rel=0.01)
        assert hours[0] / hours[1] == pytest.approx(counts[0] / counts[1])
        assert made["DS"].training == made["GRESO"].training
        assert made["DS"].other == pytest.approx(said_other(model), rel=0.01)


def said_other(model: str) -> float:
    """Geometric mean of the hours for all else."""
    parts = [greso_hours.printed(model, run).other for run in greso_hours.RUNS]
    return float(np.prod(parts) ** 0.5)


def test_watching_changes_nothing() -> None:
    setting = Setting(fraction=0.02)
    selector = watched(setting, 3)
    made = runs(setting, GRESO, 3)["rollouts"][0]
    assert len(selector.closed) == setting.sizes.steps
    path = np.array([note.explore_easy for note in selector.closed])
    np.testing.assert_allclose(np.abs(np.diff(path)).max(), 0.01)
    kept = sum(int(note.kept.sum()) for note in selector.considered)
    assert kept * 8 == made[-1]


def test_decisions_count_the_passes_of_each_prompt() -> None:
    selector = Watched(rollouts=8)
    first, second = np.array([0, 2, 5]), np.array([2, 0])
    everyone = np.ones(3, bool)
    selector.considered.append(Considered(first, everyone, ~everyone))
    notes = Considered(second, np.array([False, False]), np.array([True, False]))
    selector.considered.append(notes)
    expected = [[KEPT, SKIPPED_HARD], [UNSEEN, UNSEEN], [KEPT, SKIPPED_EASY]]
    assert decisions(selector, 3, 2).tolist() == expected


def test_smoothing_averages_the_last_window() -> None:
    values = np.arange(60.0)
    np.testing.assert_allclose(smooth(values)[[0, 1, 24, 59]], [0.0, 0.5, 12.0, 47.0])
    np.testing.assert_allclose(smooth(np.ones(7)), 1.0)
