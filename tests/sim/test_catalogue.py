"""Everything that can be named runs, at any size, or is refused in one line."""

import re
from typing import Any, get_args

import numpy as np
import pytest

from selection.driver import Surplus
from selection.protocol import Selector
from sim.catalogue import STRATEGIES, WORLDS, Place, Sizes, place, strategy
from sim.coupled import Coupled
from sim.run import Plan, simulate
from sim.settings import SettingError

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
    who = strategy(name, sizes)
    plan = Plan(
        world=where.world,
        strategy=lambda policy: who.build(sizes, policy.pass_rates),
        groups=sizes.groups,
        steps=sizes.steps,
        surplus=who.entry.surplus,
        norms=who.entry.norms,
    )
    return simulate(plan, seed=1)


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
        assert columns(where, name, sizes)["step"].size > 1, name


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
        ("greso", 4),
        ("mopps", 2),
        ("cures", 27),
        ("gvm", 32),
        ("oracle", 1),
    ],
)
def test_released_updates_are_those_of_the_scripts(name: str, updates: int) -> None:
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
    text = "coupled:updates=6,cosine_within=0.5,accounting=released,target=0.4,pace=0.5"
    where = place(text, Sizes(groups=4, rollouts=6, prompts=60, steps=40))
    assert isinstance(where.world, Coupled)
    assert (where.world.learner.updates, where.world.cosine_within) == (6, 0.5)
    assert (where.world.learner.groups, where.world.learner.rollouts) == (4, 6)
    assert where.entry.accounting == "released"
    assert (where.target, where.enough, where.steps) == (0.4, 0.5, 20)


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
        ("coupled:betas=0.9", "betas='0.9' must be numbers joined by '/'"),
        ("coupled:betas=1/1", "betas=(1.0, 1.0) must lie in [0, 1)"),
        ("coupled:updates=1.5", "updates='1.5' must be a whole number"),
        ("coupled:learner=3", "unknown key of Coupled 'learner'"),
        ("replay:bandwidth=0.2", "bandwidth=0.2 must lie in [1, 100]"),
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
        ("oracle:pass_rates=1", "pass_rates='1' must be settable only from Python"),
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


def test_looking_at_a_strategy_asks_for_no_pass_rates() -> None:
    """And one that did would say so, rather than look at rates that are nobody's."""
    oracle = strategy("oracle", SMALL)
    assert "Oracle" in oracle.knobs(SMALL)
