"""Replay of GRESO's recorded decisions and runs (Infini-AI-Lab/GRESO @ b2778431).

What belongs to the authors' trainer is done here: it draws a uniform that cannot decide
anything for every prompt seen before, lets a batch hold a prompt twice where a pass ends,
throws prompts away so that the number of GPUs divides a batch, and divides by zero.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from selection.driver import Buffer
from selection.dynamic import DynamicSampling
from selection.epochs import Epochs
from selection.greso import Greso, History, Streaks
from selection.protocol import Order, Outcome
from tests.golden.tape import Events, Record, Tape

Trace = dict[str, Any]
Groups = tuple[Order, Outcome]


def replay(trace: Trace) -> None:
    """Follow a recorded trace; fail with its name, the event and the field that differs."""
    KINDS[trace["kind"]](trace)


def _released(config: dict[str, Any], rollouts: int = 8, block: int | None = None) -> Greso:
    thresholds = {
        "easy_at": config["easy_mean_ge"],
        "hard_at": config["hard_mean_le"],
        "keep_floor": config["keep_floor"],
    }
    return replace(Greso.released(rollouts=rollouts, share_block=block), **thresholds)


def _uniforms(draws: Iterable[int]) -> list[float]:
    return [(2 * draw + 1) / 2**15 for draw in draws]


def _keep(
    strategy: Greso, state: History, prompts: np.ndarray, tape: Tape
) -> tuple[np.ndarray, str]:
    """Whether each prompt is kept, and the code by which the release says why.

    The release draws twice for a prompt last seen hard: as its easy run is 0, the first draw
    decides nothing.
    """
    streaks = state.streaks
    seen, hard = streaks.visits[prompts] > 0, streaks.hard[prompts] > 0
    draws = np.where(hard, 2, 1)[seen]
    decisive = tape.random(int(draws.sum()))[np.cumsum(draws) - 1]
    served = Tape(tape.where, uniforms=decisive)
    kept = strategy.keep(state, prompts, served)
    served.spent()
    skipped = np.where(streaks.easy[prompts] > 0, "0", "1")
    return kept, "".join(np.where(kept, "2", skipped))


def _remember(strategy: Greso, streaks: Streaks, groups: Groups) -> Streaks:
    """Streaks after groups in their order, among which a prompt may come again."""
    order, outcome = groups
    rest = np.arange(order.prompts.size)
    rewards = np.split(np.asarray(outcome.rewards), np.cumsum(order.rollouts)[:-1])
    while rest.size:
        _, first = np.unique(order.prompts[rest], return_index=True)
        now = rest[first]
        streaks = strategy.remember(
            streaks,
            Order(order.prompts[now], order.rollouts[now]),
            Outcome(
                passes=outcome.passes[now], rewards=np.concatenate([rewards[i] for i in now])
            ),
        )
        rest = np.delete(rest, first)
    return streaks


def _decisions(trace: Trace) -> None:
    rounds = trace["rounds"]
    events = Events(trace["name"], rounds, "epoch", "p_easy", "p_hard", "ids", "u", "kept_mean")
    strategy = _released(trace["config"])
    state = strategy.init(1 + max(prompt for visit in rounds for prompt in visit["ids"]))
    for _ in rounds:
        record = events.next()
        state = replace(
            state, explore_easy=record.read("p_easy"), explore_hard=record.read("p_hard")
        )
        prompts = np.array(record.read("ids"), int)
        tape = Tape(record.where, uniforms=_uniforms(record.read("u")))
        kept, code = _keep(strategy, state, prompts, tape)
        tape.spent()
        record.same(code=code)
        means = np.array(record.read("kept_mean"), float)
        order = Order.equal(prompts[kept], 1)
        outcome = Outcome(passes=(means == 1.0).astype(int), rewards=means)
        if means.size:
            streaks = _remember(strategy, state.streaks, (order, outcome))
            state = replace(state, streaks=streaks)
    events.finish()


class Run:
    """The authors' trainer around the project's selection."""

    def __init__(self, trace: Trace) -> None:
        config = self.config = trace["config"]
        self.levels = np.array(trace["levels"], np.float32)
        self.loader = [np.array(ids, int) for ids in trace["loader"]]
        self.wanted, self.first = config["train_bs"], config["default_gen_bs"]
        self.strategy = self._strategy()
        self.baseline = DynamicSampling(rollouts=config["n"], prompts=config["chunk"])
        state = self.strategy.init(1 + max(int(ids.max()) for ids in self.loader))
        if config["filter"]:
            state = replace(
                state, explore_easy=config["p_easy0"], explore_hard=config["p_hard0"]
            )
        self.state = replace(state, first=self.first)
        self.buffer = Buffer.empty()
        self.waiting = np.zeros(0, int)  # kept, and not yet enough for a batch
        self.steps = self.rollouts = 0
        self.failed = False
        self.tape = Tape(trace["name"], uniforms=_uniforms(trace["u"]))
        self.events = Events(trace["name"], trace["events"], "rew")

    def _strategy(self) -> Greso:
        config, full = self.config, self.config["full_gen_bs"]
        return replace(
            _released(config, config["n"], config["ratio_block"]),
            explore=config["min_p"],
            target=config["target_zero_variance"],
            step=config["delta_p"],
            least=config["min_p"],
            most=config["max_p"],
            safety=config["beta"],
            smallest=max(self.first if full else config["min_gen_bs"], 1),
            short=not full,
        )

    def follow(self) -> None:
        for epoch, ids in enumerate(self.loader):
            for start in range(0, ids.size, self.config["chunk"]):
                chunk = ids[start : start + self.config["chunk"]]
                batch = self._filtered(epoch, chunk) if self.config["filter"] else chunk
                if batch.size:
                    self._generate(epoch, batch)
                if self.failed or self.steps == self.config["steps"]:
                    return self._finish()
        return self._finish()

    def _finish(self) -> None:
        self.events.finish()
        self.tape.spent()

    def _filtered(self, epoch: int, chunk: np.ndarray) -> np.ndarray:
        """The batch that the kept prompts of this chunk complete, if they do."""
        kept, code = _keep(self.strategy, self.state, chunk, self.tape)
        self.events.next("filter").same(epoch=epoch, code=code)
        waiting = np.concatenate((self.waiting, chunk[kept]))
        target = self.state.size or self.first
        enough = waiting.size >= target
        self.waiting = waiting[:0] if enough else waiting
        full, over = self.config["full_gen_bs"], waiting.size % self.config["n_gpus"]
        return waiting[: target if full else waiting.size - over] if enough else waiting[:0]

    def _generate(self, epoch: int, batch: np.ndarray) -> None:
        record = self.events.next("gen")
        record.same(ids=batch)
        if "target" in record:
            record.same(target=self.state.size or self.first, final=self.state.last)
        groups = order, outcome = self._roll(batch, record)
        shares = self.strategy.shares(order, outcome)
        record.near(zv=shares.zero_variance, easy=shares.easy, hard=shares.hard)
        seen = self.strategy.observe(self.state, shares, batch.size)
        verdicts = self._told(epoch, groups) if self.config["filter"] else self._sifted(groups)
        self.buffer = self.buffer.settle(order, outcome, verdicts)
        if self.buffer.num_ready >= self.wanted or self.state.closing:
            self._train(seen)
        elif shares.zero_variance == 1.0:
            self.events.next("error").same(what="all_groups_zero_variance")
            self.failed = True
        elif not self.config["filter"]:
            self.state = seen

    def _roll(self, batch: np.ndarray, record: Record) -> Groups:
        digits = np.array([[int(d) for d in row] for row in record.read("rew")])
        order = Order.equal(batch, self.config["n"])
        assert digits.shape == (batch.size, self.config["n"]), f"{record.where}.rew"
        rewards = self.levels[digits]
        self.rollouts += rewards.size
        passes = (rewards == 1.0).sum(axis=1)
        return order, Outcome(passes=passes, rewards=rewards.ravel())

    def _told(self, epoch: int, groups: Groups) -> np.ndarray:
        """GRESO's verdicts, told in the pass that the loader is in."""
        before = replace(
            self.state,
            epochs=replace(self.state.epochs, epoch=epoch),
            missing=self.wanted - self.buffer.num_ready,
        )
        after, verdicts = self.strategy.tell(before, *groups)
        streaks = _remember(self.strategy, before.streaks, groups)
        self.state = replace(after, streaks=streaks, first=self.first)
        return verdicts

    def _sifted(self, groups: Groups) -> np.ndarray:
        """The verdicts of dynamic sampling, the baseline of the same release."""
        state = replace(self.baseline.init(1), epochs=Epochs(groups[0].prompts, 0, 0))
        _, order = self.baseline.ask(state, self.wanted - self.buffer.num_ready, self.tape)
        return self.baseline.tell(state, order, groups[1])[1]

    def _train(self, seen: History) -> None:
        if self.state.closing:
            self.state, order = self.strategy.ask(self.state, self.wanted, self.tape)
            assert not order.prompts.size, f"{self.tape.where}: a short batch was not closed"
        self.buffer, batch = self.buffer.take(self.wanted, "drop")
        self.steps += 1
        record = self.events.next("train")
        record.same(ids=batch.prompts, step=self.steps, rollouts=self.rollouts)
        record.near(easy=seen.easy / seen.generated, hard=seen.hard / seen.generated)
        if "p_easy" in record:
            record.near(p_easy=self.state.explore_easy, p_hard=self.state.explore_hard)
        if not self.config["filter"]:
            self.state = replace(seen, generated=0.0, easy=0.0, hard=0.0)


def _loop(trace: Trace) -> None:
    Run(trace).follow()


KINDS: dict[str, Callable[[Trace], None]] = {"decisions": _decisions, "loop": _loop}
