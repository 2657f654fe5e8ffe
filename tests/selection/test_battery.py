"""What every strategy must satisfy, whatever it prefers."""

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from selection import (
    Cures,
    DynamicSampling,
    Greso,
    Gvm,
    Order,
    Outcome,
    Selector,
    Speed,
    StarvedError,
    Verdict,
    collect,
    flatten,
    unflatten,
)
from tests.selection.variants import (
    GRADED,
    NORMED,
    TRAIN_EVERYTHING,
    TRAIN_WHAT_PASSED,
    VARIANTS,
)
from tests.selection.worlds import Point, World, advance, freeze

EVENTS = 14  # of a run: orders that go out or come back
SPREAD = np.linspace(0.0, 1.0, 11)  # both extremes are among the rates

every_variant = pytest.mark.parametrize("name", VARIANTS)


def world(name: str, rates: np.ndarray) -> World:
    return World(rates=rates, graded=name in GRADED, normed=name in NORMED)


def generators() -> tuple[np.random.Generator, np.random.Generator]:
    nature, choice = np.random.default_rng(1).spawn(2)
    return nature, choice


def run(name: str, rates: np.ndarray = SPREAD, wanted: int = 3) -> list[Point]:
    """The points of a run; whatever a strategy is given refuses to be written to."""
    rngs, points = generators(), [Point.start(VARIANTS[name], rates.size)]
    for _ in range(EVENTS):
        freeze(points[-1])
        points.append(advance(points[-1], VARIANTS[name], world(name, rates), wanted, rngs))
    return points


@every_variant
@pytest.mark.parametrize("num_prompts", [1, 3, 5, 7, 24])
def test_orders_are_distinct_prompts_and_positive_counts(name: str, num_prompts: int) -> None:
    points = run(name, np.linspace(0.1, 0.9, num_prompts), wanted=5)
    orders = [point.order for point in points if point.out]
    assert any(order.prompts.size for order in orders)
    for order in orders:
        assert np.unique(order.prompts).size == order.prompts.size == order.rollouts.size
        assert ((order.prompts >= 0) & (order.prompts < num_prompts)).all()
        assert (order.rollouts >= 1).all()


class Witness:
    """A strategy that watches another: it freezes what goes in and checks what comes out."""

    def __init__(self, selector: Selector[Any]) -> None:
        self.selector = selector
        self.orders: list[tuple[list[int], list[int]]] = []

    def __repr__(self) -> str:
        return repr(self.selector)

    def init(self, num_prompts: int) -> object:
        return self.selector.init(num_prompts)

    def ask(self, state: object, wanted: int, rng: np.random.Generator) -> tuple[Any, Order]:
        freeze(state)
        assert wanted > 0
        state, order = self.selector.ask(state, wanted, rng)
        self.orders.append((order.prompts.tolist(), order.rollouts.tolist()))
        return state, order

    def tell(self, state: object, order: Order, outcome: Outcome) -> tuple[Any, np.ndarray]:
        for given in (state, order, outcome):
            freeze(given)
        state, verdicts = self.selector.tell(state, order, outcome)
        assert verdicts.shape == order.prompts.shape
        assert set(verdicts.tolist()) <= set(Verdict)
        return state, verdicts


def collected(name: str, rates: np.ndarray, wanted: int, batches: int = 2) -> Witness:
    """The witness of a run of some training batches."""
    witness, (nature, choice) = Witness(VARIANTS[name]), generators()
    state, buffer = witness.init(rates.size), None
    for _ in range(batches):
        state, buffer, batch = collect(
            witness,
            state,
            lambda order: world(name, rates).roll(order, nature),
            wanted,
            choice,
            buffer=buffer,
        )
        assert 1 <= batch.starts.size <= wanted
        assert (np.diff(np.sort(batch.group[batch.starts])) > 0).all()
    return witness


@every_variant
@pytest.mark.parametrize(("num_prompts", "wanted"), [(1, 1), (1, 3), (2, 9), (5, 12), (40, 6)])
def test_batches_are_collected_from_any_pool(name: str, num_prompts: int, wanted: int) -> None:
    """Also from one prompt, and where more groups are wanted than there are prompts."""
    collected(name, np.full(num_prompts, 0.5), wanted)


@every_variant
def test_the_same_seed_gives_the_same_orders(name: str) -> None:
    first, second = (collected(name, np.full(30, 0.4), wanted=5, batches=3) for _ in range(2))
    assert first.orders == second.orders


@every_variant
@pytest.mark.parametrize("rate", [0.0, 1.0])
@pytest.mark.parametrize("num_prompts", [1, 12])
def test_a_pool_without_any_signal(name: str, rate: float, num_prompts: int) -> None:
    """Strategies that train on everything go on; the others say what they have tried."""
    rates = np.full(num_prompts, rate)
    if name in TRAIN_EVERYTHING or (name in TRAIN_WHAT_PASSED and rate > 0.0):
        collected(name, rates, wanted=3)
    else:
        tried = f"0 of 3 groups ready after 100 orders.* of {type(VARIANTS[name]).__name__}"
        with pytest.raises(StarvedError, match=tried):
            collected(name, rates, wanted=3)


def written(point: Point, rngs: tuple[np.random.Generator, ...]) -> tuple[bytes, str]:
    """A point and the states of two generators, as they would lie on a disk."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **flatten(point))  # pyright: ignore[reportArgumentType]
    return file.getvalue(), json.dumps([rng.bit_generator.state for rng in rngs])


def read(
    saved: tuple[bytes, str], template: Point
) -> tuple[Point, tuple[np.random.Generator, np.random.Generator]]:
    with np.load(io.BytesIO(saved[0]), allow_pickle=False) as file:
        point = unflatten(template, dict(file))
    rngs = generators()
    for rng, state in zip(rngs, json.loads(saved[1]), strict=True):
        rng.bit_generator.state = state
    return point, rngs


def image(point: Point) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """A point bit by bit."""
    arrays = flatten(point)
    return {name: (str(a.dtype), a.shape, a.tobytes()) for name, a in arrays.items()}


@every_variant
def test_a_restored_run_continues_bit_identically(name: str) -> None:
    """From every point of the run, whether an order is out or not."""
    selector, rngs = VARIANTS[name], generators()
    start = point = Point.start(selector, SPREAD.size)
    saved, images = [], []
    for _ in range(EVENTS):
        saved.append(written(point, rngs))
        point = advance(point, selector, world(name, SPREAD), 3, rngs)
        images.append(image(point))
    for event, state in enumerate(saved):
        point, rngs = read(state, start)
        for expected in images[event:]:
            point = advance(point, selector, world(name, SPREAD), 3, rngs)
            assert image(point) == expected


@pytest.mark.parametrize(
    ("strategy", "refusal"),
    [
        (lambda: DynamicSampling(rollouts=1), "rollouts=1"),
        (lambda: Speed(screen=1), "screen=1"),
        (lambda: Greso(rollouts=1), "rollouts=1"),
        (lambda: Cures(rollouts=1), "rollouts=1"),
        (lambda: Gvm(rollouts=1), "rollouts=1"),
    ],
)
def test_groups_of_one_are_refused_where_nothing_could_be_learned_from_them(
    strategy: Callable[[], object], refusal: str
) -> None:
    with pytest.raises(ValueError, match=f"{refusal} must be a whole number of at least 2"):
        strategy()
