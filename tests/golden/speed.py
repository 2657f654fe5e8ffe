"""Replay of SPEED's recorded runs (Zanette-Labs/speed-rl @ 80e47b5).

What belongs to the authors' trainer is done here: prompts that their loader draws in a
training iteration are thrown away, continuation is cut to a multiple of the number of GPUs,
and too many generation calls in a row end the run. A draw of a prompt is a prompt of its own.
"""

from dataclasses import replace
from typing import Any, cast

import numpy as np

from selection.driver import Buffer, Segments
from selection.epochs import Epochs
from selection.protocol import Order, Outcome, Verdict
from selection.speed import Speed
from tests.golden.tape import Events, Tape
from theory.advantages import Estimator, advantages

Trace = dict[str, Any]
ESTIMATORS = ("rloo", "grpo")


def replay(trace: Trace) -> None:
    """Follow a recorded run; fail with its name, the event and the field that differs."""
    Run(trace).follow()


class Rollouts:
    """Recorded rollouts of each draw; each is served once."""

    def __init__(self, trace: Trace) -> None:
        self.name = trace["name"]
        self.accuracy = _levels(trace, "acc", "levels")
        scored = "score" in trace
        self.reward = _levels(trace, "score", "score_levels") if scored else self.accuracy
        self.served = np.zeros(len(self.accuracy), int)
        self.binary = set(trace["levels"]) <= {0.0, 1.0}

    def roll(self, order: Order, *, iteration: int, version: int) -> Outcome:
        """What came of an order."""
        pieces = [
            self._next(int(draw), int(count))
            for draw, count in zip(order.prompts, order.rollouts, strict=True)
        ]
        return Outcome(
            passes=np.array([int((piece == 1.0).sum()) for piece in pieces], int),
            rewards=None if self.binary else np.concatenate(pieces),
            version=version,
            payload=np.full(len(pieces), iteration),
        )

    def _next(self, draw: int, count: int) -> np.ndarray:
        start = self.served[draw]
        self.served[draw] += count
        left = len(self.accuracy[draw]) - start
        assert count <= left, f"{self.name}: {count} rollouts of draw {draw}, {left} left"
        return self.accuracy[draw][start : start + count]

    def spent(self) -> None:
        """Fail if a recorded rollout was never asked for."""
        recorded = np.array([len(row) for row in self.accuracy])
        left = np.flatnonzero(recorded != self.served)
        assert not left.size, f"{self.name}: rollouts of draws {left} were never asked for"


def _levels(trace: Trace, digits: str, levels: str) -> list[np.ndarray]:
    table = np.array(trace[levels], float)
    return [table[[int(digit, 16) for digit in row]] for row in trace[digits]]


class Run:
    """The authors' trainer around the project's selection."""

    def __init__(self, trace: Trace) -> None:
        config = trace["config"]
        self.fresh, self.wanted = config["gen_bs"], config["train_bs"]
        self.gpus, self.max_calls = config["n_gpus"], config["max_gen"]
        self.iterations = config["iters"]
        self.strategy = Speed.released(
            screen=config["n_init"], extend=config["n_cont"], fresh=self.fresh
        )
        draws = np.arange(len(trace["loader"]))
        self.state = replace(self.strategy.init(draws.size), epochs=Epochs(draws, 0, 0))
        self.buffer = Buffer.empty()
        self.generations: list[int] = []  # iterations that generated
        self.steps = self.calls = 0
        self.rollouts = Rollouts(trace)
        self.tape = Tape(trace["name"])
        self.events = Events(trace["name"], trace["events"])

    def follow(self) -> None:
        for iteration in range(self.iterations):
            if self.buffer.num_ready >= self.wanted:
                self._train(iteration)
            elif not self._may_generate(iteration):
                break
            else:
                self._generate(iteration)
        self.events.finish()
        self.rollouts.spent()
        self.tape.spent()

    def _may_generate(self, iteration: int) -> bool:
        self.calls += 1
        if self.calls >= self.max_calls:
            self.events.next("error").same(it=iteration, what="max_gen")
        return self.calls < self.max_calls

    def _generate(self, iteration: int) -> None:
        lacking = self.wanted - self.buffer.num_ready
        held = self.state.held
        self.state, order = self.strategy.ask(self.state, lacking, self.tape)
        order = self._cut(order, held)
        continued = np.isin(order.prompts, held)
        new, record = order.prompts[~continued], self.events.next("gen")
        record.same(it=iteration, new=_span(new), cont=order.prompts[continued])
        record.same(left=held[~np.isin(held, order.prompts)], responses=order.rollouts.sum())
        outcome = self.rollouts.roll(order, iteration=iteration, version=self.steps)
        self.state, verdicts = self.strategy.tell(self.state, order, outcome)
        self.buffer = self.buffer.settle(order, outcome, verdicts)
        self.generations.append(iteration)
        record.same(kept=order.prompts[verdicts == Verdict.HOLD], pending=self.state.held)
        record.same(ready=self.buffer.num_ready, buffer_rows=self._rows(), calls=self.calls)

    def _cut(self, order: Order, held: np.ndarray) -> Order:
        """The order without the last held prompts, if their number is to divide by GPUs."""
        first = ~np.isin(order.prompts, held) | np.isin(
            order.prompts, held[: held.size - held.size % self.gpus]
        )
        return Order(order.prompts[first], order.rollouts[first])

    def _rows(self) -> int:
        return int(self.buffer.held.rollouts.sum() + self.buffer.ready.rollouts.sum())

    def _train(self, iteration: int) -> None:
        self.buffer, batch = self.buffer.take(self.wanted, "keep")
        epochs = self.state.epochs
        self.state = replace(
            self.state, epochs=replace(epochs, cursor=epochs.cursor + self.fresh)
        )
        born = batch.payload.reshape(-1, 2)
        record = self.events.next("train")
        record.same(it=iteration, step=self.steps + 1, groups=batch.prompts[batch.starts])
        record.same(ready=self.buffer.num_ready, buffer_rows=self._rows())
        record.same(age_steps=self.steps - batch.versions.reshape(-1, 2))
        record.same(age_rounds=iteration - born, age_calls=self._calls_since(born))
        for estimator in ESTIMATORS:
            record.near(**{f"adv_{estimator}": self._advantages(batch, estimator)})
        self.steps, self.calls = self.steps + 1, 0

    def _calls_since(self, iterations: np.ndarray) -> np.ndarray:
        later = np.searchsorted(self.generations, iterations, side="right")
        return len(self.generations) - later

    def _advantages(self, batch: Segments, estimator: str) -> np.ndarray:
        rewards = [self.rollouts.reward[draw] for draw in batch.prompts[batch.starts]]
        groups = np.repeat(batch.group, batch.rollouts)
        flat = advantages(cast("Estimator", estimator), np.concatenate(rewards), groups)
        return flat.reshape(len(rewards), -1)


def _span(draws: np.ndarray) -> list[int]:
    """First draw and number of draws, where they follow each other; else all of them."""
    first = int(draws[0])
    together = np.array_equal(draws, np.arange(first, first + draws.size))
    return [first, draws.size] if together else draws.tolist()
