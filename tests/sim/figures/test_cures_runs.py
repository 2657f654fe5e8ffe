"""CurES's runs: the two accountings, and speed-ups in currencies that must fit together."""

import numpy as np
import pytest

from report.aggregate import Estimate
from sim.figures.cures_runs import (
    CASES,
    CONTROL,
    CURES,
    GRPO,
    GVM_SCRIPTS,
    MODEL_ERROR,
    SCRIPTS,
    SIZES,
    planned,
    races,
    run,
    steps_of,
)
from sim.figures.cures_speedups import CONTENDERS, tolerance
from tests.sim.figures.across_made import made, numbers_of

CASE = ("1.5B", "GRPO")


def per_step(columns: dict[str, np.ndarray], name: str) -> float:
    return float(columns[name][-1] / columns["step"][-1])


def test_stated_runs_have_the_papers_sizes_over_thirty_two() -> None:
    """A pilot of 4 for 320 prompts, then 10 steps of 8 rollouts for each of 32."""
    ours, base = run(CURES, CASE, 0, steps=10), run(GRPO, CASE, 0, steps=10)
    assert ours["rollouts"][-1] == 4 * 320 + 10 * 256
    assert base["rollouts"][-1] == 10 * 256
    assert per_step(ours, "updates") == per_step(base, "updates") == 4.0
    assert SIZES.subsets == 15


def test_scripts_make_the_released_rollouts_and_updates() -> None:
    """26,900 / 32 rollouts a step and 27 updates; short steps vary them. GVM 32 updates."""
    ours, control = run(SCRIPTS, CASE, 0, steps=10), run(CONTROL, CASE, 0, steps=10)
    generated = (ours["rollouts"][-1] - 4 * 320) / 10
    assert generated == pytest.approx(26_900 / 32, rel=0.12)
    assert per_step(ours, "updates") == pytest.approx(27.0, rel=0.12)
    assert per_step(control, "rollouts") == 26 * 32
    assert per_step(control, "updates") == 26.0
    assert per_step(run(GVM_SCRIPTS, CASE, 0, steps=3), "updates") == pytest.approx(32, abs=1)


@pytest.mark.parametrize("case", CASES)
def test_worlds_are_those_of_the_case(case: tuple[str, str]) -> None:
    world = repr(planned(GRPO, *case).world)
    assert f"population='dapo17k-{case[0].lower()}'" in world
    assert f"estimator='{case[1].lower()}'" in world


def test_a_baseline_races_itself_to_a_draw() -> None:
    (race,) = races([GRPO], CASE, 2, 6)
    for currency in ("step", "rollouts", "updates"):
        assert race.speedup(currency).value == pytest.approx(1.0)


def test_a_taste_is_shorter_and_a_fifth_is_whole() -> None:
    assert steps_of(0.02) == 30
    assert steps_of(0.2) == steps_of(1.0) == 150


def test_tolerance_is_the_worlds_error_and_half_the_interval() -> None:
    assert tolerance(Estimate(2.0, 1.0, 4.0)) == pytest.approx(MODEL_ERROR + 1.0)
    assert tolerance(Estimate(2.0, 0.0, 4.0, "at most")) == MODEL_ERROR


def test_speed_ups_in_one_currency_follow_from_another() -> None:
    """Equal updates a step: the same in steps. Uniform: rollouts and updates by the step."""
    numbers = numbers_of("cures-6").pivot_table(
        index=["case", "contender"], columns="currency", values="value"
    )
    stated = numbers.loc[(slice(None), [CURES.label, "CurES, released"]), :]
    np.testing.assert_allclose(stated["updates"], stated["step"], rtol=1e-9)
    assert (stated["rollouts"] < stated["step"]).all()  # the pilot is counted
    control = numbers.loc[(slice(None), CONTROL.label), :]
    np.testing.assert_allclose(control["rollouts"], control["step"] * 8 / 26, rtol=1e-9)
    np.testing.assert_allclose(control["updates"], control["step"] * 4 / 26, rtol=1e-9)
    scripts = numbers.loc[(slice(None), SCRIPTS.label), :]
    assert (scripts["step"] > 2.5 * scripts["rollouts"]).all()
    assert (scripts["step"] > 5 * scripts["updates"]).all()


def test_published_speed_ups_stand_beside_both_accountings() -> None:
    values = made("cures-6").values
    assert [value.published for value in values] == [5.5, 1.75, 4.3, 3.7] * 2
    assert all(value.against == "ratio" for value in values)
    scripts, stated = values[:4], values[4:]
    for one, other in zip(scripts, stated, strict=True):
        assert one.here > 2.5 * other.here  # updates and rollouts make most of it
    labels = set(numbers_of("cures-6")["contender"])
    assert labels == {one.label for one in CONTENDERS}


def test_gvm_pays_for_its_pilot_in_rollouts() -> None:
    numbers = numbers_of("cures-gvm-3").set_index(["case", "contender", "currency"])["value"]
    for who in ("GVM", "GVM, scripts"):
        assert numbers["pilot 32", who, "rollouts"] < 0.7 * numbers["pilot 8", who, "rollouts"]
        assert numbers["pilot 8", who, "rollouts"] < numbers["pilot 8", who, "step"]
    assert numbers["pilot 8", "GVM", "updates"] == pytest.approx(
        numbers["pilot 8", "GVM", "step"]
    )
    assert [value.published for value in made("cures-gvm-3").values] == [2.0, 4.0]
