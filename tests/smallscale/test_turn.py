"""One training step: batches that keep whose rollout is whose."""

from collections.abc import Callable

import numpy as np

from selection import Order
from selection.driver import Segments
from smallscale.assembly import Parts
from smallscale.progress import Progress
from smallscale.stopping import Stop
from smallscale.turn import Turn

Make = Callable[..., Parts]


def turn(made: Parts) -> Turn:
    start = made.selector.init(len(made.prompts))
    return Turn(made, Progress.start(start, 0), Stop())


def test_rollouts_of_an_order_are_cut_by_prompt(parts: Make) -> None:
    """Uneven counts; every stored rollout is judged against its own prompt's answer."""
    made = parts()
    now = turn(made)
    order = Order(np.array([3, 0, 7]), np.array([5, 1, 9]))
    outcome = now.roll(order)
    outcome.check(order)
    assert outcome.payload is not None
    for prompt, rollouts, passes, key in zip(
        order.prompts, order.rollouts, outcome.passes, outcome.payload, strict=True
    ):
        judged = now.now.store[int(key)]
        texts = made.decode(judged.rollouts)
        assert len(texts) == rollouts
        right = [text == made.prompts.answers[prompt] for text in texts]
        assert judged.passed.tolist() == right
        assert sum(right) == passes


def test_a_batch_lists_rollouts_segment_by_segment(parts: Make) -> None:
    """A group of two segments, 2 + 3 rollouts of two versions, and a group of one segment."""
    made = parts()
    now = turn(made)
    first = now.roll(Order(np.array([4, 9]), np.array([2, 4])))
    second = now.roll(Order(np.array([4]), np.array([3])))
    assert first.payload is not None
    assert second.payload is not None
    segments = Segments(
        group=np.array([0, 0, 1]),
        prompts=np.array([4, 4, 9]),
        rollouts=np.array([2, 3, 4]),
        passes=np.array([first.passes[0], second.passes[0], first.passes[1]]),
        versions=np.array([0, 1, 0]),
        payload=np.array([first.payload[0], second.payload[0], first.payload[1]]),
    )
    batch = now.batch(segments)
    assert batch.groups.tolist() == [0] * 5 + [1] * 4
    assert batch.versions.tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 0]
    answers = [made.prompts.answers[4]] * 5 + [made.prompts.answers[9]] * 4
    texts = made.decode(batch.rollouts)
    right = [float(text == answer) for text, answer in zip(texts, answers, strict=True)]
    assert batch.rewards.tolist() == right
    assert [p.tolist() for p in batch.prompts[:5]] == [made.prompts.tokens[4].tolist()] * 5
