"""Predictions: what a measurement says, what is simulated from it, and what is written."""

import json
from dataclasses import replace
from math import exp, inf
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from report import agreement
from selection.settings import SettingError
from sim import measurement
from sim.predict import Prediction, interval, predictions, run, simulated
from sim.predict_cli import Predict
from sim.run import Plan, simulate
from tests.sim.measured_worlds import family, measured, saved, told
from tests.terminal import Terminal

ADAM = {"optimizer": "adam"}


def prediction(**changes: Any) -> Prediction:  # noqa: ANN401
    """A little prediction: the world starts at .56 and passes .7 in 10 to 20 steps."""
    known: dict[str, Any] = {
        "world": measured(learner=ADAM),
        "name": "measured: two",
        "strategies": ("dynamic", "speed-released"),
        "targets": (0.6, 0.65),
        "seeds": 3,
    }
    return Prediction(**(known | changes))


def test_a_measurement_is_read_family_by_family() -> None:
    known = measurement.constants(told())
    assert known.families == ("copied", "sorted")
    assert known.log_odds == (0.0, -2.0)
    assert known.deviations == (0.8, 0.8)
    assert known.steps == (3.0, 9.0)
    assert known.energies == (200.0, 600.0)
    assert known.fail_noises == (300.0, 300.0)
    uneven = exp(0.4**2 / 4)  # E|D|^2 over (E|D|)^2
    assert known.cosines == pytest.approx((1.2 / 3.0 * uneven, 1.2 / 9.0 * uneven))
    assert known.plain_cosines == pytest.approx((0.2 * uneven, 40.0 / 600.0 * uneven))
    assert (known.between, known.plain_between) == pytest.approx((0.05 / 0.3, 0.1 / 0.25))
    assert (known.spread, known.felt, known.overlap) == (0.4, 0.15, ())
    assert known.ceiling == 1.0
    assert measurement.constants(told(overlap=[[0.7, 0.3], [0.4, 0.6]])).overlap[1] == (
        0.4,
        0.6,
    )


def test_a_family_without_scores_gets_those_of_the_nearest_start() -> None:
    nothing = {"contrast": None, "pass_noise": None, "fail_noise": None, "step": None}
    lost = family("doubled", log_odds=-6.0, **nothing)
    seen = told()["families"]
    thirds = [{**one, "share": 1 / 3} for one in (*seen, lost)]
    known = measurement.constants(told(families=thirds))
    assert known.steps == (3.0, 9.0, 9.0)
    assert known.energies == (200.0, 600.0, 600.0)
    assert known.log_odds == (0.0, -2.0, -6.0)
    for noisy in ({"contrast": -1.0}, {"step": -1.0}):
        lost = family("doubled", log_odds=-0.5, **noisy)
        known = measurement.constants(told(families=[*thirds[:2], {**lost, "share": 1 / 3}]))
        assert (known.steps[2], known.energies[2]) == (3.0, 200.0)
    with pytest.raises(SettingError, match="no family was measured"):
        measurement.constants(told(families=[lost]))


@pytest.mark.parametrize(
    "unknown", [{"prompts": 4}, {"transfer": -0.1, "common": -2.0}, {"transfer": 0.0}]
)
def test_a_family_without_a_cosine_gets_that_of_all(unknown: dict[str, Any]) -> None:
    known = measurement.constants(told(spread=0.0, families=[family(), family(**unknown)]))
    assert known.cosines == pytest.approx((0.4, 0.3))
    if "transfer" not in unknown or unknown["transfer"]:
        assert known.plain_cosines == pytest.approx((0.2, 0.25))


def test_the_ceiling_is_what_products_of_d_fall_towards() -> None:
    """Exact products k (1 - 0.05 / (1 - p))^2 of four families; a fifth has too few prompts."""
    families = [
        family(pass_rate=p, transfer=2.0 * (1.0 - 0.05 / (1.0 - p)) ** 2, share=0.2)
        for p in (0.1, 0.6, 0.8, 0.9)
    ]
    few = family(pass_rate=0.9, transfer=9.0, share=0.2, prompts=3)
    known = measurement.constants(told(families=[*families, few]))
    assert known.ceiling == pytest.approx(0.95)


def test_estimates_beyond_what_they_can_be_are_cut() -> None:
    noisy = [family(share=1.0, pass_noise=-3.0, fail_noise=-1.0)]
    known = measurement.constants(
        told(cosine_within=1.2, cosine_across=-0.1, felt=1.4, families=noisy)
    )
    assert (known.between, known.felt) == (0.0, 1.0)
    assert (known.pass_noises, known.fail_noises) == ((0.0,), (0.0,))
    lone = measurement.constants(told(cosine_across=None, felt=None, families=noisy))
    assert (lone.between, lone.felt) == (0.0, 1 / 6)
    above = measurement.constants(
        told(families=[family(share=1.0, transfer=9.0, common=999.0)])
    )
    assert (above.cosines, above.plain_cosines) == ((1.0,), (1.0,))


@pytest.mark.parametrize("text", ["{", "[]", '{"families": 3}', '{"families": [{}]}'])
def test_a_file_that_is_no_measurement_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "measured.json"
    file.write_text(text)
    with pytest.raises(SettingError, match=r"measured\.json is no measurement"):
        measurement.load(file)


def test_the_interval_holds_doubt_and_the_luck_of_both_sides() -> None:
    what = prediction(doubt=0.1, runs=5)
    found = interval(np.array([0.1, 0.2, 0.3, 0.4]), what)
    luck = np.sqrt(0.05 / 3)
    reach = 1.959964 * np.sqrt(0.01 + luck**2 / 5 + luck**2 / 4)
    assert found["luck"] == pytest.approx(luck)
    assert found["ratio"] == pytest.approx(exp(0.25))
    assert found["low"] == pytest.approx(exp(0.25 - reach))
    assert found["high"] == pytest.approx(exp(0.25 + reach))
    sure = interval(np.zeros(4), what, exact=True)
    assert (sure["low"], sure["ratio"], sure["high"]) == (1.0, 1.0, 1.0)


def test_predictions_are_paired_ratios_in_every_countable_currency() -> None:
    what = prediction()
    records = list(simulated(what))
    assert [one.strategy for one in records[:3]] == ["uniform", "dynamic", "speed-released"]
    found = predictions(records, what)
    assert len(found) == 2 * 5 * 3
    measured_again = agreement.measured(records, [0.6, 0.65])
    both = agreement.agreement(found, measured_again)
    assert len(both) == 2 * 5 * 2
    assert both["error"].to_numpy(float) == pytest.approx(0.0, abs=1e-12)
    ours = found.loc[found["strategy"] == "uniform", :]
    assert set(ours["ratio"]) == set(ours["high"]) == {1.0}
    steps, rollouts = (
        ours.loc[ours["currency"] == name, "cost"].to_numpy(float)
        for name in ("step", "rollouts")
    )
    assert rollouts == pytest.approx(32 * steps, rel=1e-9)


def test_a_run_ends_past_the_highest_target_and_repeats_itself() -> None:
    what = prediction(targets=(0.6, 0.65))
    one, again = (run(what, "dynamic", 1) for _ in range(2))
    accuracy = one.columns["accuracy"]
    assert accuracy[-1] >= 0.66
    assert (accuracy[:-1] < 0.66).all()
    assert (again.columns["accuracy"] == accuracy).all()
    assert (run(what, "dynamic", 2).columns["accuracy"][:5] != accuracy[:5]).any()


@pytest.mark.parametrize(
    ("name", "surplus", "norms"),
    [("dynamic", "drop", False), ("mopps", "keep", False), ("cures-norms", "keep", True)],
)
def test_a_strategy_keeps_the_terms_of_the_catalogue(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    surplus: str,
    norms: bool,  # noqa: FBT001
) -> None:
    plans: list[Plan] = []

    def watched(plan: Plan, seed: int) -> Any:  # noqa: ANN401
        plans.append(plan)
        return simulate(plan, seed)

    monkeypatch.setattr("sim.predict.simulate", watched)
    run(prediction(targets=(0.57,)), name, 0)
    assert [(plan.surplus, plan.norms) for plan in plans] == [(surplus, norms)]


def test_a_target_out_of_reach_is_refused() -> None:
    what = prediction(steps=2, targets=(0.9,), strategies=("uniform",))
    with pytest.raises(SettingError, match=r"target=0\.9 must lie between"):
        predictions(list(simulated(what)), what)
    behind = prediction(targets=(0.1,), strategies=("uniform",))
    with pytest.raises(SettingError, match=r"target=0\.1 must lie between"):
        predictions(list(simulated(behind)), behind)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"targets": ()}, "targets"),
        ({"targets": (1.0,)}, "targets"),
        ({"doubt": -0.1}, "doubt"),
        ({"runs": 0}, "runs"),
        ({"strategies": ("sped",)}, "speed"),
    ],
)
def test_impossible_predictions_are_refused_by_name(
    changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        prediction(**changes)


def test_another_batch_than_the_measured_one_is_refused(tmp_path: Path) -> None:
    file = saved(tmp_path, groups=8, rollouts=4)
    assert Predict(measurement=file, groups=8, rollouts=4).what().sizes.groups == 8
    with pytest.raises(
        SettingError, match=r"groups=16 is not the batch .* measured, 8: measure"
    ):
        Predict(measurement=file, rollouts=4).what()
    with pytest.raises(SettingError, match="rollouts=16"):
        Predict(measurement=file, groups=8).what()


MODEL = ["--strategies", "uniform", "dynamic", "--targets", "0.4", "--groups", "4"]
SMALL = [*MODEL, "--rollouts", "8", "--prompts", "60", "--held-out", "16", "--seeds", "20"]


def test_the_command_writes_predictions_and_all_that_they_depend_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    file, terminal = saved(tmp_path), Terminal(monkeypatch, capsys)
    written: list[bytes] = []
    for name in ("one", "two"):
        out = str(tmp_path / name)
        status, said, _ = terminal(
            "predict", str(file), *SMALL, "--fraction", "0.1", "--out", out
        )
        assert status == 0
        assert "dynamic" in said
        written.append((tmp_path / name / "predictions.csv").read_bytes())
    assert written[0] == written[1]
    assert len(pd.read_csv(tmp_path / "one" / "predictions.csv")) == 5 * 2
    noted = json.loads((tmp_path / "one" / "prediction.json").read_text())
    assert noted["measurement"] == measurement.digest(file)
    assert (noted["seeds"], noted["runs"], noted["doubt"]) == (2, 5, 0.1)
    assert noted["world"]["constants"]["families"] == ["copied", "sorted"]
    assert noted["command"].startswith("passband predict")


def test_options_reach_the_world(tmp_path: Path) -> None:
    told_of = ((0.2, 3.0), (0.6, 2.0), (0.9, 0.5))
    families = [family(pass_rate=p, transfer=t, share=1 / 3) for p, t in told_of]
    file = saved(tmp_path, families=families, overlap=[[0.7, 0.3, 0.0]] * 3)
    asked = Predict(measurement=file, groups=8, rollouts=4, prompts=50, held_out=9, updates=3)
    what = asked.what()
    learner = what.world.learner
    assert (learner.groups, learner.rollouts, learner.updates) == (8, 4, 3)
    assert (what.world.prompts, what.world.held_out) == (50, 9)
    assert (learner.ratio, learner.clip) == ("behaviour", (0.2, 0.2))
    assert replace(asked, clip=0.3).what().world.learner.clip == (0.3, 0.3)
    assert replace(asked, clip=inf).what().world.learner.clip is None
    with pytest.raises(ValueError, match="clip"):
        replace(asked, clip=-0.1).what()
    assert what.world.constants.overlap == ((0.7, 0.3, 0.0),) * 3
    assert what.world.constants.ceiling < 1.0
    assert replace(asked, no_ceiling=True).what().world.constants.ceiling == 1.0
    assert what.name == "measured: measured"
    with pytest.raises(SettingError, match="fraction"):
        replace(asked, fraction=0.0).what()
