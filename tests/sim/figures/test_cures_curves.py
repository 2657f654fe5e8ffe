"""CurES's learning curves, sweep and gradient norms."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sim.figures.cures_curves import at, curve_table
from sim.figures.cures_norms import GAUGED, Gauged, gradient_norms
from sim.figures.cures_runs import planned
from sim.figures.cures_sweep import PILOTS, SIZES_SWEPT
from sim.run import simulate, train
from tests.sim.figures.across_made import made, numbers_of

CASE = ("1.5B", "GRPO")


def test_a_run_that_ended_stays_where_it_was() -> None:
    columns = {"step": np.array([0.0, 1.0, 2.0]), "accuracy": np.array([0.1, 0.3, 0.4])}
    assert at(columns, np.array([0, 1, 2, 9])).tolist() == [0.1, 0.3, 0.4, 0.4]


def test_a_curve_is_tabulated_with_its_interval() -> None:
    table = curve_table(
        CASE, "stated", "x", np.array([0, 5]), np.array([[1.0, 2.0], [3.0, 2.0]])
    )
    assert table["value"].tolist() == [2.0, 2.0]
    assert table["high"].tolist() == pytest.approx([2 + 12.706, 2.0], abs=1e-3)
    assert table["step"].tolist() == [0, 5]
    assert set(table["case"]) == {"1.5B GRPO"}


def test_curves_start_together_and_scripts_learn_faster() -> None:
    numbers = numbers_of("cures-2")
    start = numbers[numbers["step"] == 0].groupby("case")["value"]
    assert (start.max() == start.min()).all()
    scripts = numbers[numbers["accounting"] == "scripts"]
    end = scripts[scripts["step"] == scripts["step"].max()].set_index(["case", "contender"])
    for case in ("1.5B GRPO", "1.5B RPP", "7B GRPO", "7B RPP"):
        gain = end["value"] - start.min()[case]
        assert gain[case, "CurES, scripts"] > 2 * gain[case, "uniform"]
        assert gain[case, "GVM, scripts"] > 2 * gain[case, "uniform"]


def test_the_sweep_pays_for_pilots_in_rollouts_and_for_n_in_steps() -> None:
    numbers = numbers_of("cures-5").set_index(["pilot", "rollouts_per_prompt", "currency"])
    cost = numbers["value"]
    for N in PILOTS:
        steps = [cost[N, n, "step"] for n in SIZES_SWEPT]
        assert steps[0] > steps[-1]
        for n in SIZES_SWEPT:  # at least one pilot, at most one more than steps / 10
            pilots = (cost[N, n, "rollouts"] - 32 * n * cost[N, n, "step"]) / (320 * N)
            assert 0.3 < pilots < cost[N, n, "step"] / 10 + 1.1
    dearest = [cost[N, 8, "rollouts"] for N in PILOTS]
    assert dearest == sorted(dearest)


@pytest.mark.parametrize("place", range(len(GAUGED)))
def test_measuring_gradients_changes_nothing_and_finds_their_norm(place: int) -> None:
    """Against the gradients as the policy makes them, seen on their way to the optimizer."""
    contender, steps = GAUGED[place], 4
    plan = replace(planned(contender, *CASE, extra=",felt=1.0"), steps=steps)
    nature, choice = np.random.default_rng(3).spawn(2)
    prompts, outcomes = nature.spawn(2)
    policy: Any = plan.world.begin(prompts)
    seen: list[float] = []
    make = policy.gradient

    def watched(*arguments: object) -> Any:  # noqa: ANN401
        gradient = make(*arguments)
        seen.append(gradient.square)
        return gradient

    policy.gradient = watched
    gauged = Gauged(policy, [])
    columns = train(plan, gauged, outcomes, choice)
    np.testing.assert_allclose(gauged.squares, seen, rtol=1e-6)
    np.testing.assert_allclose(gradient_norms(contender, CASE, 3, steps), np.sqrt(seen))
    plain = simulate(plan, 3)
    for name in plain:
        np.testing.assert_array_equal(columns[name], plain[name])


def test_dropping_zero_variance_groups_alone_lengthens_gradients() -> None:
    norm = numbers_of("cures-7").groupby(["case", "contender"])["norm"].mean()
    for case in ("1.5B GRPO", "1.5B RPP", "7B GRPO", "7B RPP"):
        assert norm[case, "dynamic"] > 1.05 * norm[case, "uniform"]
    (value,) = made("cures-7").values
    cases = {case for case, _ in norm.index}
    higher = sum(norm[c, "CurES, paper"] > 1.02 * norm[c, "uniform"] for c in cases)
    assert value.here == higher
    assert value.published == 3.0
