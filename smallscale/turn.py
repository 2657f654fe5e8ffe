"""One training step: order, generate, verify, judge; then learn.

Choices and rollouts are made on a copy of the run's `Progress` and the model changes last, so
that a step that is broken off leaves nothing behind.
"""

from collections import Counter
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from selection import Order, Outcome, Segments, collect, flatten
from selection.groups import group_totals
from smallscale.assembly import Parts
from smallscale.clock import Clock
from smallscale.learner import Batch, Metrics, learn
from smallscale.progress import Judged, Progress
from smallscale.rollouts import Rollouts
from smallscale.stopping import Stop

PHASES = ("select", "generate", "verify", "train", "sync")
SEEDS = 2**31  # what every engine takes as a seed


@dataclass
class Tally:
    """What a training step generated, whether trained on or not."""

    rollouts: int = 0
    tokens: int = 0
    orders: int = 0
    unfinished: int = 0
    passes: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])

    def share(self, count: int) -> float | None:
        """A count per rollout; None in a step that generated nothing."""
        return count / self.rollouts if self.rollouts else None


@dataclass
class Turn:
    """A training step in the making, on its own copy of the run's progress."""

    parts: Parts
    now: Progress
    stop: Stop
    clock: Clock = field(default_factory=Clock)
    tally: Tally = field(default_factory=Tally)

    def collect(self) -> Segments:
        """The training batch: the strategy orders until it is full."""
        parts, now = self.parts, self.now
        with self.clock.phase("select"):
            now.selection, now.buffer, segments = collect(
                parts.selector,
                now.selection,
                self.roll,
                parts.config.groups,
                now.choice,
                buffer=now.buffer,
                surplus=parts.surplus,
                max_orders=parts.config.max_orders,
            )
        self.stop.check()
        return segments

    def roll(self, order: Order) -> Outcome:
        """What came of an order: rollouts generated and verified."""
        self.stop.check()
        parts, seed = self.parts, int(self.now.nature.integers(SEEDS))
        with self.clock.phase("generate"):
            prompts = [parts.prompts.tokens[prompt] for prompt in order.prompts]
            rollouts = parts.engine.generate(prompts, order.rollouts, seed)
        with self.clock.phase("verify"):
            each = np.repeat(order.prompts, order.rollouts)
            answers = [parts.prompts.answers[prompt] for prompt in each]
            scores = parts.verifier.score(parts.decode(rollouts), answers)
        ends = np.cumsum(order.rollouts)
        pieces = [slice(end - n, end) for end, n in zip(ends, order.rollouts, strict=True)]
        judged = [Judged(rollouts.take(piece), scores.passed[piece]) for piece in pieces]
        self._count(rollouts, int(scores.passed.sum()), scores.faults)
        return Outcome(
            passes=np.array([one.passed.sum() for one in judged]),
            version=self.now.step,
            payload=self.now.keep(judged),
        )

    def learn(self, segments: Segments, batch: Batch) -> Metrics:
        """Train on the batch and count what it took; the model changes here."""
        parts, now = self.parts, self.now
        with self.clock.phase("train"):
            parts.engine.sleep()
            metrics = learn(
                parts.learner,
                parts.model,
                parts.optimizer,
                batch,
                step=now.step,
                rng=now.nature,
                reference=parts.reference,
                token_limit=parts.max_tokens,
            )
        now.step += 1
        with self.clock.phase("sync"):
            parts.sync(now.step)
        now.tidy()
        self._total(segments, metrics.updates)
        return metrics

    def batch(self, segments: Segments) -> Batch:
        """The rollouts of a training batch, group after group."""
        judged = [self.now.store[int(key)] for key in segments.payload]
        index, _, _ = group_totals(segments)

        def each(values: Int[np.ndarray, "S"]) -> Int[np.ndarray, "R"]:
            return np.repeat(values, segments.rollouts)

        return Batch(
            prompts=tuple(self.parts.prompts.tokens[i] for i in each(segments.prompts)),
            rollouts=Rollouts.join([one.rollouts for one in judged]),
            rewards=np.concatenate([one.passed for one in judged]).astype(float),
            groups=each(index),
            versions=each(segments.versions),
        )

    def describe(self, segments: Segments, learned: Metrics) -> dict[str, Any]:
        """The metrics of the training step, flat, as metrics.jsonl has them."""
        _, passes, rollouts = group_totals(segments)
        totals, tally = self.now.totals, self.tally
        row = totals.row(self.now.step, 0.0)
        del row["accuracy"]  # of evaluations alone
        return (
            row
            | {
                "orders": tally.orders,
                "step_rollouts": tally.rollouts,
                "step_tokens": tally.tokens,
                "rollouts/mean_tokens": tally.share(tally.tokens),
                "rollouts/cut_share": tally.share(tally.unfinished),
                "rollouts/pass_rate": tally.share(tally.passes),
                "reward/mean": float(passes.sum() / rollouts.sum()),
                "groups/trained": int(passes.size),
                "groups/mixed_share": float(((passes > 0) & (passes < rollouts)).mean()),
                "groups/all_pass": int((passes == rollouts).sum()),
                "groups/all_fail": int((passes == 0).sum()),
                "selection/held_groups": int(self.now.buffer.held.starts.size),
                "selection/ready_groups": self.now.buffer.num_ready,
                "verifier/faults": dict(tally.faults),
            }
            | summary(self.now.selection)
            | learned.flat()
            | {f"timing/{name}": self.clock.seconds[name] for name in PHASES}
            | _memory()
        )

    def _count(self, rollouts: Rollouts, passes: int, faults: Counter[str]) -> None:
        tally = self.tally
        generated = int(rollouts.lengths.size)
        tally.rollouts += generated
        tally.tokens += int(rollouts.lengths.sum())
        tally.orders += 1
        tally.unfinished += int((~rollouts.finished).sum())
        tally.passes += passes
        tally.faults += faults
        self.now.totals.generated(generated, 0.0)

    def _total(self, segments: Segments, updates: int) -> None:
        _, passes, rollouts = group_totals(segments)
        self.now.totals.collected(passes, rollouts)
        spent = sum(self.clock.seconds.values())
        self.now.totals.trained(int(rollouts.sum()), updates, spent)


def summary(state: object) -> dict[str, float]:
    """A strategy's state in a few numbers: mean, least and largest of each of its arrays."""
    found: dict[str, float] = {}
    for name, array in flatten(state).items():
        if array.ndim == 0:
            found[f"selection/{name}"] = float(array)
        elif array.size:
            told = {"mean": array.mean(), "min": array.min(), "max": array.max()}
            found |= {f"selection/{name}/{key}": float(value) for key, value in told.items()}
    return {name: value for name, value in found.items() if isfinite(value)}


def _memory() -> dict[str, float]:
    """The most GPU memory that was taken, in GB."""
    if not torch.cuda.is_available():
        return {}
    return {"memory/peak_gb": torch.cuda.max_memory_allocated() / 1e9}
