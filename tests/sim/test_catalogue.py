"""Everything that can be named runs, at any size, or is refused in one line."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from selection.driver import Surplus
from selection.protocol import Selector
from selection.settings import SettingError
from selection.strategies import STRATEGIES, Sizes, strategy
from sim.catalogue import MARGIN, WORLDS, Place, place, plan
from sim.cli import DEFAULT_STRATEGIES, SWEEP_WORLDS
from sim.coupled import Coupled
from sim.run import MAX_ORDERS, simulate

SMALL = Sizes(groups=4, rollouts=6, prompts=60, steps=3)
TINY = [
    Sizes(groups=1, rollouts=2, prompts=3, steps=2),
    Sizes(groups=5, rollouts=3, prompts=2, steps=2),  # more groups than prompts
    Sizes(groups=1, rollouts=24, prompts=1, steps=2),
]
# Pass rates near 1/2, so that batches fill however small they are.
EASY = {
    "static-1.5b": "static-1.5b:population=beta(20, 20)",
    "coupled": "coupled:population=beta(20, 20),held_out=9",
}


def columns(where: Place, name: str, sizes: Sizes) -> dict[str, Any]:
    return simulate(plan(where, strategy(name, sizes), sizes), seed=1)


@pytest.mark.parametrize("world", WORLDS)
def test_every_strategy_runs_in_every_world(world: str) -> None:
    where = place(world, SMALL)
    for name in STRATEGIES:
        record = columns(where, name, SMALL)
        assert record["step"].tolist() == [0, 1, 2, 3], name
        assert all(np.isfinite(column).all() for column in record.values()), name
        assert (np.diff(record["rollouts"]) >= np.diff(record["trained_rollouts"])).all() or (
            STRATEGIES[name].surplus == "keep"
        ), name


@pytest.mark.parametrize("sizes", TINY, ids=repr)
@pytest.mark.parametrize("world", EASY.values(), ids=EASY)
def test_every_strategy_runs_at_sizes_that_nobody_would_choose(
    world: str, sizes: Sizes
) -> None:
    """One prompt, one group, fewer prompts than groups."""
    where = place(world, sizes)
    for name in STRATEGIES:
        if sizes.rollouts > 2 or not name.startswith("speed"):
            assert columns(where, name, sizes)["step"].size > 1, name


@pytest.mark.parametrize("name", ["speed", "speed-released", "speed:screen=2,extend=1"])
def test_two_rollouts_are_too_few_to_screen_and_to_continue(name: str) -> None:
    message = "^rollouts=2 leave SPEED none to continue with: at least 3$"
    with pytest.raises(SettingError, match=message):
        strategy(name, Sizes(rollouts=2))


@pytest.mark.parametrize("name", STRATEGIES)
def test_batches_are_of_one_mean_size(name: str) -> None:
    """Rollouts trained on per batch: those of uniform selection, nearly; costs compare so.

    GRESO as released may close a batch short, and CurES as released rounds each prompt's share.
    """
    sizes = Sizes(groups=16, rollouts=12, prompts=640, steps=40)
    record = columns(place("static-1.5b", sizes), name, sizes)
    assert record["step"][-1] == sizes.steps
    mean = record["trained_rollouts"][-1] / sizes.steps
    off = {"cures-released": 0.35, "greso-released": 0.05, "gvm": 0.05}.get(name, 0.0)
    assert mean == pytest.approx(sizes.groups * sizes.rollouts, rel=off)


@pytest.mark.parametrize("name", STRATEGIES)
def test_entries_of_strategies_are_whole(name: str) -> None:
    entry, runnable = STRATEGIES[name], strategy(name, SMALL)
    assert isinstance(runnable.build(SMALL, lambda prompts: prompts / 1.0), Selector)
    assert entry.summary
    assert entry.source
    assert "\n" not in entry.summary + entry.source
    assert entry.surplus in get_args(Surplus)
    assert runnable.released_updates(SMALL) >= 1
    assert "0x" not in runnable.knobs(SMALL)  # no memory addresses: equal knobs, equal text


@pytest.mark.parametrize("name", WORLDS)
def test_entries_of_worlds_are_whole(name: str) -> None:
    entry, where = WORLDS[name], place(name, SMALL)
    assert entry.summary
    assert entry.source
    assert where.world.prompts == SMALL.prompts
    assert where.target > 0.0
    assert where.enough > where.target
    assert where.steps == SMALL.steps


@pytest.mark.parametrize(
    ("name", "updates"),
    [
        ("uniform", 1),
        ("dynamic", 1),
        ("speed", 6),
        ("speed-released", 6),
        ("speed:screen=6,extend=18", 4),
        ("speed:screen=8,extend=16", 3),
        ("speed-released:screen=8,extend=16", 3),
        ("speed:screen=7,extend=17", 4),  # the last mini-batch is a small one
        ("dynamic-released", 1),
        ("dynamic-rounds", 1),
        ("greso", 1),  # 4 for 4
        ("greso-released", 1),
        ("mopps", 1),  # 2 for 2
        ("mopps-released", 1),
        ("cures", 7),  # 27 for 4
        ("cures-norms", 7),
        ("cures-released", 7),
        ("gvm", 8),  # 32 for 4
        ("oracle", 1),
    ],
)
def test_released_updates_are_for_each_of_the_baselines(name: str, updates: int) -> None:
    """SPEED's mini-batch holds 16 N_init rollouts, so N / N_init updates: 6, 4 and 3."""
    assert strategy(name, Sizes()).released_updates(Sizes()) == updates


def test_strategies_are_made_at_the_sizes_of_the_comparison() -> None:
    sizes = Sizes(groups=8, rollouts=12, prompts=500)
    assert strategy("uniform", sizes).knobs(sizes) == "Uniform(rollouts=12)"
    assert "screen=4, extend=8" in strategy("speed", sizes).knobs(sizes)
    assert "fresh=32" in strategy("speed-released", sizes).knobs(sizes)
    assert "prompts=32" in strategy("dynamic-released", sizes).knobs(sizes)
    assert "subsets=6" in strategy("cures", sizes).knobs(sizes)
    assert "screen=2, extend=1" in strategy("speed", Sizes(rollouts=3)).knobs(Sizes(rollouts=3))


def test_a_setting_changes_the_strategy_it_names() -> None:
    assert "screen=8" in strategy("speed:screen=8", SMALL).knobs(SMALL)


def test_a_setting_changes_world_learner_and_entry() -> None:
    text = "coupled:updates=6,cosine_within=0.5,target=0.4,pace=0.5"
    where = place(text, Sizes(groups=4, rollouts=6, prompts=60, steps=40))
    assert isinstance(where.world, Coupled)
    assert (where.world.learner.updates, where.world.cosine_within) == (6, 0.5)
    assert (where.world.learner.groups, where.world.learner.rollouts) == (4, 6)
    assert where.entry.accounting == "matched"
    assert (where.target, where.enough, where.steps) == (0.4, 0.5, 20)
    released = place("coupled:accounting=released,betas=0.8/0.9", SMALL)
    assert isinstance(released.world, Coupled)
    assert (released.entry.accounting, released.world.learner.betas) == ("released", (0.8, 0.9))


@pytest.mark.parametrize(
    ("text", "knob"),
    [
        ("coupled-released:updates=6", "updates"),
        ("coupled-released:mini_batch=96", "mini_batch"),
        ("coupled:accounting=released,updates=1", "updates"),
        ("static-1.5b:updates=2,accounting=released", "updates"),
    ],
)
def test_updates_are_set_by_the_releases_or_by_hand(text: str, knob: str) -> None:
    """One would silently lose to the other."""
    with pytest.raises(SettingError) as refused:
        place(text, SMALL)
    assert str(refused.value) == (
        f"{knob} in {text!r} contradicts accounting=released, which sets the updates of each"
        " strategy: leave out one of them"
    )
    assert isinstance(place("coupled-released:accounting=matched,updates=2", SMALL), Place)


def test_the_target_where_nothing_is_learned_is_half_of_what_uniform_expects() -> None:
    """Prompts at 1/2: a quarter per rollout; the run goes on a quarter past it."""
    where = place("static-1.5b:population=beta(4e5, 4e5)", SMALL)
    assert where.target == pytest.approx(0.25 * 4 * 6 * 3 / 2, rel=1e-4)
    assert where.enough == pytest.approx(1.25 * where.target)
    given = place("static-1.5b:target=80", SMALL)
    assert (given.target, given.enough) == (80.0, 100.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("coupeld", "unknown world 'coupeld': did you mean 'coupled'?"),
        ("mars", "unknown world 'mars': there are coupled, "),
        ("coupled:cosine=1", "unknown key of Coupled 'cosine': did you mean 'cosine_"),
        ("coupled:target=2", "target=2.0 in 'coupled:target=2' must be a pass rate in (0, 1]"),
        ("coupled:target=none", "target=None in 'coupled:target=none' must be a pass rate"),
        ("coupled:target=nan", "target=nan must be positive and finite"),
        ("static-1.5b:target=-3", "target=-3.0 must be positive"),
        ("coupled:pace=0", "pace=0.0 must be positive"),
        ("coupled:pace=inf", "pace=inf must be positive and finite"),
        ("coupled:pace=1e300", "pace=1e+300 must lie in [0, 100]"),
        ("coupled:accounting=fair", "accounting='fair' must be 'matched' or 'released'"),
        ("coupled:population=gsm8k", "population 'gsm8k' is none of"),
        ("static-7b:population=/nowhere.json", "/nowhere.json: No such file or directory"),
        ("coupled:betas=0.9", "betas='0.9' must be 2 numbers joined by '/'"),
        ("coupled:betas=1/1", "betas=(1.0, 1.0) must lie in [0, 1)"),
        ("coupled:updates=1.5", "updates='1.5' must be a whole number"),
        ("coupled:learner=3", "unknown key of Coupled 'learner'"),
        ("replay:bandwidth=0.2", "bandwidth=0.2 must lie in [1, 100]"),
        ("coupled:", "'coupled:' ends without a change: leave out the colon"),
        ("coupled:updates=10000001", "updates=10000001 must be at most 10,000,000"),
    ],
)
def test_a_bad_world_is_refused_in_a_line(text: str, message: str) -> None:
    with pytest.raises(SettingError, match=re.escape(message)) as refused:
        place(text, SMALL)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sped", "unknown strategy 'sped': did you mean 'speed'?"),
        ("", "unknown strategy '': there are cures, "),
        ("speed:scren=2", "unknown key of Speed 'scren': did you mean 'screen'?"),
        ("speed:screen=1", "screen=1 must be a whole number of at least 2"),
        ("speed:screen=-4", "screen=-4 must be a whole number of at least 2"),
        ("speed:screen=2.5", "screen='2.5' must be a whole number"),
        ("speed:low=nan", "low=nan"),
        ("speed:", "'speed:' ends without a change: leave out the colon"),
        ("oracle:pass_rates=1", "pass_rates is no knob"),
    ],
)
def test_a_bad_strategy_is_refused_in_a_line(text: str, message: str) -> None:
    with pytest.raises(SettingError, match=re.escape(message)) as refused:
        strategy(text, SMALL)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"groups": 0}, "groups=0 must be a whole number of at least 1"),
        ({"rollouts": 1}, "rollouts=1 must be a whole number of at least 2"),
        ({"prompts": -2}, "prompts=-2 must be a whole number"),
        ({"steps": 0}, "steps=0 must be a whole number"),
        ({"prompts": 10**20}, "prompts=100000000000000000000 must be at most 10,000,000"),
        ({"rollouts": 10**10}, "rollouts=10000000000 must be at most 10,000,000"),
    ],
)
def test_bad_sizes_are_refused_by_name(knobs: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Sizes(**knobs)


# What is published about the worlds, and what they stand for


def learned(name: str, sizes: Sizes | None = None) -> Coupled:
    world = place(name, sizes or Sizes()).world
    assert isinstance(world, Coupled)
    return world


def test_constants_of_the_coupled_world_are_the_measured_ones() -> None:
    """Comparisons stand and fall with them: a new value is a new measurement."""
    world = Coupled()
    assert (world.cosine_within, world.cosine_across) == (0.3, 0.05)
    assert (world.pass_noise, world.fail_noise) == (4.0, 7.0)
    assert (world.aligned, world.felt) == (0.03, 1 / 6)
    assert (world.step, world.spread, world.own) == (2.5, 0.0, False)
    assert (world.families, world.family_share, world.held_out) == (8, 0.5, 512)
    assert (world.population, world.prompts) == ("dapo17k-1.5b", 2000)
    learner = world.learner
    assert (learner.estimator, learner.optimizer, learner.updates) == ("rloo", "adam", 1)
    assert (learner.betas, learner.clip, learner.mini_batch) == ((0.9, 0.999), None, None)
    assert (learner.weighting, learner.ratio) == ("rollout", "recomputed")


def test_sizes_of_a_comparison_are_those_of_the_published_runs() -> None:
    assert Sizes() == Sizes(groups=64, rollouts=24, prompts=2000, steps=200)
    assert MAX_ORDERS == 1000


def test_worlds_of_the_catalogue_differ_from_coupled_by_what_they_say() -> None:
    plain = learned("coupled")
    assert plain == Coupled()
    assert learned("coupled-long") == replace(plain, pass_noise=400.0, fail_noise=400.0)
    assert learned("coupled-released") == plain
    six = replace(plain, learner=replace(plain.learner, updates=6))
    assert learned("coupled-six") == six
    sgd = replace(plain, learner=replace(plain.learner, optimizer="sgd"))
    assert learned("coupled-sgd") == sgd
    assert {name for name, entry in WORLDS.items() if entry.accounting == "released"} == {
        "coupled-released"
    }


def test_in_the_independent_world_a_batch_moves_each_prompt_by_half_a_logit() -> None:
    """A step of 2 B: under SGD a mean over B groups divides by B, and p(1-p) is 1/4."""
    for groups in (64, 7):
        world = learned("independent", Sizes(groups=groups))
        assert world.step == 2.0 * groups
        assert (world.own, world.held_out, world.learner.optimizer) == (True, 0, "sgd")
        assert (world.cosine_within, world.cosine_across) == (0.0, 0.0)


def test_targets_and_places_of_the_catalogue() -> None:
    targets = {name: entry.target for name, entry in WORLDS.items() if entry.target is not None}
    coupled = {name: 0.5 for name in WORLDS if name.startswith("coupled")}
    assert targets == coupled | {"independent": 0.3}
    assert len(coupled) == 5
    assert MARGIN == 0.1


def test_sweeps_and_comparisons_run_what_the_readme_shows() -> None:
    """A world whose pass rates stay, one under Adam and one under SGD."""
    assert SWEEP_WORLDS == ("static-1.5b", "coupled", "coupled-sgd")
    assert set(SWEEP_WORLDS) <= set(WORLDS)
    assert set(DEFAULT_STRATEGIES) <= set(STRATEGIES)
    assert len(DEFAULT_STRATEGIES) == 11
    assert (DEFAULT_STRATEGIES[0], DEFAULT_STRATEGIES[-1]) == ("uniform", "oracle")


def test_six_updates_are_taken_by_all() -> None:
    where = place("coupled-six:population=beta(20, 20),held_out=9", SMALL)
    for name in ("uniform", "speed", "gvm"):
        assert columns(where, name, SMALL)["updates"].tolist() == [0, 6, 12, 18], name


def test_releases_are_made_at_the_sizes_of_the_comparison() -> None:
    sizes = Sizes(groups=8, rollouts=12, prompts=500)
    assert "prompts=8, rounds=None" in strategy("dynamic-rounds", sizes).knobs(sizes)
    assert STRATEGIES["dynamic-rounds"].surplus == "drop"
    mopps = strategy("mopps-released", sizes).knobs(sizes)
    assert "rollouts=12" in mopps
    assert "disjoint=True, single=8.0" in mopps
    cures = strategy("cures-released", sizes).knobs(sizes)
    assert "rollouts=12, temperature=100.0" in cures
    assert "subsets=6" in cures
    assert "shards=10, copies=1" in cures  # 500 prompts in 6 subsets of 10 batches


def test_looking_at_a_strategy_asks_for_no_pass_rates() -> None:
    """And one that did would say so, rather than look at rates that are nobody's."""
    oracle = strategy("oracle", SMALL)
    assert "Oracle" in oracle.knobs(SMALL)


def test_a_log_that_changes_is_read_again(tmp_path: Path) -> None:
    """A place is remembered by its setting, and the log behind the same name may be another."""
    log, sizes = tmp_path / "log.json", Sizes(prompts=50)
    log.write_text(json.dumps({"rollouts": 8, "passes": [4] * 10}))
    middling = place(f"static-1.5b:population={log}", sizes).target
    log.write_text(json.dumps({"rollouts": 8, "passes": [1] * 10}))
    assert place(f"static-1.5b:population={log}", sizes).target < middling
