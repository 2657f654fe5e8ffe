from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.driver import Segments
from sim.drifting import Drifting
from sim.populations import population
from sim.replay import Replay
from sim.static import Exogenous, Static
from sim.world import Policy, World

WORLDS: list[World] = [Static(prompts=50), Replay(prompts=50), Drifting(prompts=50)]


def after(policy: Policy, steps: int) -> list[float]:
    """Pass rates of the first ten prompts after some training steps."""
    for _ in range(steps):
        policy.learn(Segments.none())
    return policy.pass_rates(np.arange(10)).tolist()


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: type(world).__name__)
def test_exogenous_worlds_share_their_manners(world: World) -> None:
    policy = world.begin(np.random.default_rng(0))
    rates = policy.pass_rates(np.arange(world.prompts))
    assert ((rates >= 0.0) & (rates <= 1.0)).all()
    assert policy.norms(np.arange(3)) is None
    assert policy.accuracy() == pytest.approx(rates.mean())
    np.testing.assert_array_equal(policy.pass_rates(np.array([7, 2])), rates[[7, 2]])
    assert policy.learn(Segments.none()) == 1
    assert world.progress == "signal_realised"


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: type(world).__name__)
def test_equal_seeds_lead_to_equal_rates(world: World) -> None:
    one, same, other = (world.begin(np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert after(one, 250) == after(same, 250)
    assert after(one, 0) != after(other, 250)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: type(world).__name__)
def test_what_is_asked_for_can_be_overwritten_without_harm(world: World) -> None:
    policy = world.begin(np.random.default_rng(0))
    before = policy.pass_rates(np.arange(10)).copy()
    policy.pass_rates(np.arange(10))[:] = 0.5
    np.testing.assert_array_equal(policy.pass_rates(np.arange(10)), before)


@pytest.mark.parametrize("kind", [Static, Replay, Drifting])
def test_updates_per_training_step_are_those_asked_for(
    kind: type[Static | Replay | Drifting],
) -> None:
    policy = kind(prompts=3, updates=6).begin(np.random.default_rng(0))
    assert [policy.learn(Segments.none()) for _ in range(3)] == [6, 6, 6]


@pytest.mark.parametrize("kind", [Static, Replay, Drifting])
@pytest.mark.parametrize("knobs", [{"prompts": 0}, {"updates": 0}, {"prompts": -3}])
def test_a_count_below_one_is_refused(
    kind: Callable[..., World], knobs: dict[str, int]
) -> None:
    ((name, value),) = knobs.items()
    with pytest.raises(ValueError, match=f"{name}={value} must be a whole number"):
        kind(**knobs)


def test_pass_rates_are_drawn_from_the_population() -> None:
    for name in ("dapo17k-7b", "beta(2, 3)"):
        policy = Static(population=name, prompts=40).begin(np.random.default_rng(1))
        drawn = population(name).draw(40, np.random.default_rng(1))
        np.testing.assert_array_equal(policy.pass_rates(np.arange(40)), drawn)


@given(st.integers(0, 30))
def test_pass_rates_never_move(steps: int) -> None:
    world = Static(prompts=20)
    fresh, trained = (world.begin(np.random.default_rng(0)) for _ in range(2))
    assert after(trained, steps) == after(fresh, 0)
    assert trained.accuracy() == fresh.accuracy()


def test_an_exogenous_policy_asks_its_path_once_per_training_step() -> None:
    asked: list[int] = []

    def path(steps: int) -> np.ndarray:
        asked.append(steps)
        return np.full(2, steps / 10)

    policy = Exogenous(path, updates=1)
    for _ in range(2):
        policy.learn(Segments.none())
        policy.pass_rates(np.array([0]))
    assert asked == [0, 1, 2]
    assert policy.accuracy() == 0.2


def test_an_unknown_population_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="population 'gsm8k' is none of"):
        Static(population="gsm8k")
