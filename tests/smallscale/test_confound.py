"""The update confound: what is run, what is compared, and the files it leaves."""

import json
from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from report.record import Record
from selection.settings import SettingError
from selection.strategies import strategy
from smallscale import confound
from smallscale.confound import BASE, CORE, SETTINGS, SIZES, TARGETS, TUNED, Arm, grid
from smallscale.confound_costs import (
    CURRENCIES,
    SIMULATED,
    Prices,
    costs,
    explained,
    indexed,
    paired,
    ratio,
    shares,
    summary,
)
from smallscale.confound_tables import simulated, write
from tests.smallscale.confound_runs import S1, S6, SIX, U1, U6, X4, climb, study
from tests.terminal import Terminal

PACES = {U1: 0.005, U6: 0.02, S1: 0.00625, S6: 0.04, X4: 0.01}


def test_the_grid_holds_every_arm_of_every_setting_once_per_seed() -> None:
    trials = grid(SETTINGS, 10)
    assert len(trials) == 10 * (4 * 6 + 6 + 2 + 3) == len({trial.config for trial in trials})
    assert {trial.config.seed for trial in trials} == set(range(10))
    first = trials[: len(trials) // 10]
    assert {trial.config.seed for trial in first} == {0}
    assert {(t.setting, t.arm) for t in first} == {
        (name, arm) for name, where in SETTINGS.items() for arm in where.arms
    }


def test_another_first_seed_is_all_that_changes() -> None:
    later = [
        trial._replace(config=replace(trial.config, seed=0))
        for trial in grid(["sgd"], 1, first=7)
    ]
    assert later == grid(["sgd"], 1)
    assert {trial.config.seed for trial in grid(["sgd"], 3, first=7)} == {7, 8, 9}


def test_arms_differ_from_the_baseline_in_what_they_say_alone() -> None:
    trials = {(t.setting, t.arm): t.config for t in grid(SETTINGS, 1)}
    for (setting, arm), told in trials.items():
        assert (told.strategy, told.updates, told.label) == (
            arm.strategy,
            arm.updates,
            arm.name,
        )
        assert told.lr == pytest.approx(SETTINGS[setting].lr * arm.faster)
        assert told.evaluate_every == SETTINGS[setting].evaluate_every[arm.quick]
        free = ("strategy", "updates", "label", "lr", "evaluate_every")
        base = trials[setting, SETTINGS[setting].arms[0]].dump()
        assert {k: v for k, v in told.dump().items() if k not in free} == {
            k: v for k, v in base.items() if k not in free
        }


def test_arms_that_move_far_in_a_step_are_evaluated_at_every_step() -> None:
    every = {t.arm: t.config.evaluate_every for t in grid(["adam"], 1)}
    assert (every[U1], every[Arm(strategy="uniform", updates=2)]) == (3, 3)
    assert (every[Arm(strategy="uniform", updates=3)], every[U6], every[X4]) == (1, 1, 1)
    assert {t.config.evaluate_every for t in grid(["long"], 1)} == {8, 2}


def test_settings_differ_from_the_first_in_one_thing() -> None:
    configs = {t.setting: t.config.dump() for t in grid(SETTINGS, 1) if t.arm == U6}
    free = {"lr", "evaluate_every", "evaluation_rollouts", "num_held_out"}

    def unlike(name: str) -> set[str]:
        return {k for k, v in configs[name].items() if v != configs["adam"][k]} - free

    assert unlike("sgd") == {"optimizer"}
    assert unlike("grpo") == {"estimator"}
    assert unlike("long") == {"prompts"}
    assert unlike("unclipped") == {"estimator"}


def test_speed_is_the_released_one_at_these_sizes() -> None:
    config = grid(["adam"], 1)[0].config
    knobs = strategy("speed-released", config.sizes(2000)).knobs(config.sizes(2000))
    for knob in ("screen=4", "extend=12", "fresh=64", "fused=True"):
        assert knob in knobs


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(SettingError, match="adam"):
        grid(["adm"], 1)


def test_costs_are_those_of_the_crossings() -> None:
    runs = costs([("adam", U6, climb(U6, 3, 0.02))])
    assert runs["target"].tolist() == list(TARGETS)
    assert runs["seed"].tolist() == [3] * 3
    np.testing.assert_allclose(runs["step"], [5.0, 10.0, 15.0])
    np.testing.assert_allclose(runs["updates"], [30.0, 60.0, 90.0])
    np.testing.assert_allclose(runs["rollouts"], [50.0, 100.0, 150.0])
    prices = Prices()
    per_step = (
        2 * prices.round_seconds
        + 10 * prices.rollout_seconds
        + 5 * prices.trained_rollout_seconds
        + 6 * prices.update_seconds
    )
    np.testing.assert_allclose(runs["modelled"], per_step * runs["step"])


def test_prices_are_the_simulators() -> None:
    from sim.costs import Costs  # noqa: PLC0415 - the two rooms meet in tests alone

    sim, ours = Costs.preset("speed-7b"), Prices()
    generated = sim.generation_seconds(256, 102)
    assert ours.round_seconds + 256 * ours.rollout_seconds == pytest.approx(
        generated, rel=0.005
    )
    trained = sim.training_seconds(256, 102, 6)
    mine = 256 * ours.trained_rollout_seconds + 6 * ours.update_seconds
    assert mine == pytest.approx(trained, rel=0.005)


def test_a_run_that_never_arrives_says_what_it_spent() -> None:
    runs = costs([("adam", U1, climb(U1, 0, 0.01, top=0.65))])
    assert runs["reached"].tolist() == [True, False, False]
    assert runs["step"].tolist() == pytest.approx([10.0, 119.0, 119.0])
    (cost,) = paired(indexed(runs), "adam", [BASE], 0.7, "step")
    assert cost.censored.tolist() == [True]
    assert cost.spent.tolist() == [119.0]


def test_ratios_pair_the_seeds_that_both_have() -> None:
    runs = costs([*study({U1: 0.005}, seeds=4), *study({S1: 0.01}, seeds=2)])
    found, seeds = ratio(indexed(runs), "adam", S1.name, BASE, 0.7, "step")
    assert seeds == 2
    assert found.value == pytest.approx(0.5, rel=1e-6)  # luck is shared
    assert found.high - found.low < 1e-6
    alone, seeds = ratio(indexed(runs), "adam", BASE, BASE, 0.7, "step")
    assert (alone.value, seeds) == (1.0, 4)


def test_settings_do_not_mix() -> None:
    both = [*study({U1: 0.005, S1: 0.01}), *study({U1: 0.005, S1: 0.005}, setting="sgd")]
    runs = costs(both)
    assert ratio(indexed(runs), "adam", S1.name, BASE, 0.7, "step")[0].value == pytest.approx(
        0.5
    )
    assert ratio(indexed(runs), "sgd", S1.name, BASE, 0.7, "step")[0].value == pytest.approx(
        1.0
    )


def test_the_share_of_a_control() -> None:
    runs = costs(study(PACES))
    found, seeds = explained(indexed(runs), "adam", SIX, S6.name, 0.7, "step")
    assert seeds == 3
    assert found.value == pytest.approx(log(4) / log(8), rel=1e-6)
    late = costs([*study({U1: 0.005, U6: 0.02}), ("adam", S6, climb(S6, 0, 0.04, top=0.65))])
    assert np.isnan(explained(indexed(late), "adam", SIX, S6.name, 0.7, "step")[0].value)


def test_a_share_needs_a_speedup() -> None:
    even = costs(study({U1: 0.005, U6: 0.02, S6: 0.005}))
    assert np.isnan(explained(indexed(even), "adam", SIX, S6.name, 0.7, "step")[0].value)
    ahead = costs([("adam", arm, climb(arm, 0, 0.3, top=0.9)) for arm in (U1, U6, S6)])
    ahead["step"] = 0.0  # held-out prompts were beyond the target before training
    assert np.isnan(explained(indexed(ahead), "adam", SIX, S6.name, 0.7, "step")[0].value)


def test_the_summary_has_both_baselines() -> None:
    table = summary(costs(study(PACES)))
    assert len(table) == len(PACES) * len(TARGETS) * len(CURRENCIES)
    row = table.set_index(["arm", "target", "currency"]).loc[(S6.name, 0.8, "step"), :]
    assert row["apparent"] == pytest.approx(1 / 8)
    assert row["matched"] == pytest.approx(1 / 2)
    assert row["seeds"] == row["reached"] == 3
    updates = table.set_index(["arm", "target", "currency"]).loc[(S6.name, 0.8, "updates"), :]
    assert updates["apparent"] == pytest.approx(6 / 8)


def test_shares_have_their_controls() -> None:
    table = shares(costs(study(PACES))).set_index(["control", "arm", "target"])["share"]
    assert set(table.index.droplevel("target")) == {(SIX, S6.name), (X4.name, SIX)}
    assert table.loc[(SIX, S6.name, 0.7)] == pytest.approx(2 / 3)
    assert table.loc[(X4.name, SIX, 0.7)] == pytest.approx(1 / 2)


def test_simulated_runs_stand_beside_their_setting(tmp_path: Path) -> None:
    knobs = {
        "adam": "pass_noise=0,updates=6,clip=.2/.2",
        "unclipped": "pass_noise=0,updates=6",
        "sgd": "optimizer=sgd,pass_noise=0,updates=6",
        "grpo": "estimator=grpo,pass_noise=0,updates=6",
        "long": "pass_noise=16,updates=6",
    }
    for name, told in knobs.items():
        record = climb(U6, 0, 0.02)
        setting = dict(record.setting) | {"world": f"coupled:{told}", "strategy": "uniform"}
        file = tmp_path / "cells" / name / "uniform" / "0.json"
        file.parent.mkdir(parents=True)
        Record(setting=setting, columns=record.columns, target=0.7).save(file)
    found = list(simulated(tmp_path))
    assert {where for where, _, _ in found} == {name + SIMULATED for name in knobs}
    assert {arm for _, arm, _ in found} == {U6}
    with pytest.raises(SettingError, match="holds no comparison"):
        list(simulated(tmp_path / "cells"))


def test_results_are_written(tmp_path: Path) -> None:
    paces = {arm: 0.004 * arm.updates * arm.faster for arm in (*CORE, *TUNED)}
    coupled = [(w + SIMULATED, arm, record) for w, arm, record in study(paces, seeds=2)]
    write(study(paces), coupled, tmp_path)
    runs = pd.read_csv(tmp_path / "runs.csv")
    assert len(runs) == (3 + 2) * len(paces) * len(TARGETS)
    for name in ("curves-adam", "ratios", "tuning"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "## Costs: AdamW, RLOO\n" in (tmp_path / "tables.md").read_text()
    assert "## Hypothesis 5: " in (tmp_path / "verdicts.md").read_text()
    judged = pd.read_csv(tmp_path / "verdicts.csv")
    assert set(judged["hypothesis"]) == set(range(5, 10))


def test_start_counts_are_exact_pass_rates(cache: Path) -> None:
    assert confound.start("test", cache, {"prompts": "strings:length=2,free_tokens=1"}) is None
    found = confound.start("test", cache, {})
    assert found is not None
    assert found["rollouts"] == 1000
    assert len(found["passes"]) == 200
    assert 0.2 < np.mean(found["passes"]) / 1000 < 0.8


def test_the_command_runs_reads_and_refuses(
    terminal: Terminal, cache: Path, tmp_path: Path
) -> None:
    out, changes = str(tmp_path / "out"), ("steps=1", "num_held_out=10")
    options = ("--settings", "sgd", "--seeds", "10", "--fraction", "0.1", "--out", out)
    options = (*options, "--preset", "test", "--set", *changes, "--cache", str(cache))
    status, _, complaint = terminal("confound", *options, "--read")
    assert status == 2
    assert "no finished run" in complaint
    status, said, _ = terminal("confound", *options, "--jobs", "1")
    assert (status, "6 of 6 runs" in said) == (0, True)
    runs = pd.read_csv(tmp_path / "out" / "runs.csv")
    assert set(runs["arm"]) == {arm.name for arm in SETTINGS["sgd"].arms}
    assert runs["reached"].tolist() == [False] * len(runs)
    assert len(json.loads((tmp_path / "out" / "start.json").read_text())["passes"]) == 200
    assert "Hypothesis 7: undecided" in said  # one step reaches no target
    status, _, complaint = terminal("confound", *options, "--read", "--seed", "1")
    assert (status, "no finished run" in complaint) == (2, True)
    status, _, complaint = terminal("confound", *options, "--seed", "-1")
    assert (status, "seed=-1" in complaint) == (2, True)
    results = tmp_path / "elsewhere"
    status, said, _ = terminal("confound", *options, "--read", "--results", str(results))
    assert (status, "6 of 6 runs" in said) == (0, True)
    assert (results / "runs.csv").read_bytes() == (tmp_path / "out" / "runs.csv").read_bytes()


def test_the_sizes_can_be_changed() -> None:
    trial = grid(["adam"], 1, "test", {**SIZES, "steps": 3})[0]
    assert (trial.config.steps, trial.config.model) == (3, "test")
