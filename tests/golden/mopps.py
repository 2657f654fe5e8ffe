"""Replay of MoPPS's recorded selections and runs (thu-rllab/MoPPS @ a883f519).

What belongs to the authors' trainer is done here: candidates are what its loader brings, the
last order of a dynamic-sampling batch that stays short is trained on twice, and correlations
are logged with the sign turned.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import rankdata

from selection.driver import Buffer, Segments, collect
from selection.dynamic import DynamicSampling, Refill
from selection.epochs import Epochs
from selection.mopps import Mopps, Prediction, Rule
from selection.protocol import Order, Outcome
from selection.uniform import Uniform
from tests.golden.tape import Events, Record, Tape

Trace = dict[str, Any]
RULES: dict[str, Rule] = {"topk": "nearest", "threshold": "threshold", "uniform": "uniform"}
SINGLE_PRECISION = 1e-5  # the release's trainer keeps its beliefs in float32


def replay(trace: Trace) -> None:
    """Follow a recorded trace; fail with its name, the event and the field that differs."""
    KINDS[trace["kind"]](trace)


def _released(config: dict[str, Any]) -> Mopps:
    return replace(
        Mopps.released(rollouts=config["n"], memory=config["decay"]),
        target=config["target"],
        prior=tuple(config["prior"]),
        rule=RULES[config["strategy"]],
        low=config["lo"],
        high=config["hi"],
        learns=config["update"],
    )


def _tape(record: Record, candidates: int) -> Tape:
    """Draws of one selection; a choice is the beginning of a permutation."""
    permutations: list[list[int]] = []
    if "in_band_shuffled" in record:
        permutations.append(record.read("in_band_shuffled"))
    if "choice" in record:
        choice = record.read("choice")
        permutations.append([*choice, *sorted(set(range(candidates)) - set(choice))])
    betas = [(2 * draw + 1) / 2**21 for draw in record.read("k")]
    return Tape(record.where, betas=betas, permutations=permutations)


def _drawn_from(tape: Tape, state: Prediction, candidates: np.ndarray) -> None:
    """Fail unless one pass rate per candidate was drawn, from its own belief."""
    beliefs = state.beliefs
    own = beliefs.alpha[candidates], beliefs.beta[candidates]
    fits = len(tape.parameters) == 1 and np.array_equal(tape.parameters[0], own)
    assert fits, f"{tape.where}: pass rates are not drawn from the candidates' own beliefs"


def _matched(record: Record, field: str, got: np.ndarray, rule: Rule) -> np.ndarray:
    """What was selected; a band filled up from outside has no order."""
    if rule == "threshold" and "in_band_shuffled" not in record:
        return record.same_set(field, got)
    record.same(**{field: got})
    return got


def _compare_final(
    trace: Trace, state: Prediction, candidates: set[int], tolerance: float
) -> None:
    final = Record(trace["name"], {"final": sorted(map(int, trace["final"]))}, frozenset())
    prompts = np.array(sorted(candidates))
    final.same(final=prompts)
    wanted = [trace["final"][str(prompt)] for prompt in prompts]
    beliefs = np.stack((state.beliefs.alpha, state.beliefs.beta), axis=1)[prompts]
    record = Record(trace["name"], {"final": wanted}, frozenset())
    record.near(tolerance, final=beliefs)


def _started(strategy: Mopps, num_prompts: int, trace: Trace) -> Prediction:
    """Beliefs before the first selection, warm-started if the trace says so."""
    results = {int(prompt): counts for prompt, counts in trace.get("warm_start", {}).items()}
    if not results:
        return strategy.init(num_prompts)
    passes, tries = np.array(list(results.values()), int).T
    strategy = replace(strategy, warm_rollouts=int(tries.max()))
    order, outcome = Order(np.array(list(results), int), tries), Outcome(passes=passes)
    return strategy.tell(strategy.init(num_prompts), order, outcome)[0]


def _sampler(trace: Trace) -> None:
    strategy, wanted = _released(trace["config"]), trace["config"]["B"]
    inputs = ("cand", "k", "succ", "in_band_shuffled", "choice")
    events = Events(trace["name"], trace["steps"], *inputs)
    met = {int(prompt) for prompt in trace.get("warm_start", {})}
    met |= {prompt for step in trace["steps"] for prompt in step["cand"]}
    state = _started(strategy, 1 + max(met), trace)
    for _ in trace["steps"]:
        record = events.next()
        candidates = np.array(record.read("cand"), int)
        tape = _tape(record, candidates.size)
        chosen = strategy.choose(state.beliefs, candidates, wanted, tape)
        tape.spent()
        _drawn_from(tape, state, candidates)
        prompts = candidates[_matched(record, "chosen", chosen, strategy.rule)]
        order = Order.equal(prompts, strategy.rollouts)
        outcome = Outcome(passes=np.array(record.read("succ"), int))
        state, _ = strategy.tell(state, order, outcome)
        record.near(alpha=state.beliefs.alpha[prompts], beta=state.beliefs.beta[prompts])
    events.finish()
    _compare_final(trace, state, met, tolerance=1e-6)


class Run:
    """The authors' trainer around a selection of the project."""

    def __init__(self, trace: Trace) -> None:
        self.trace, config = trace, trace["config"]
        self.config, self.wanted, self.steps = config, config["B"], config["steps"]
        self.loader = [np.array(ids, int) for ids in trace["loader"]]
        self.events = Events(
            trace["name"], trace["events"], "k", "rew", "in_band_shuffled", "choice"
        )
        self.generated: list[tuple[Order, Outcome]] = []  # for the batch in the making
        self.loaded = 0  # batches of the loader that were used

    def follow(self) -> None:
        SELECTORS[self.config["selector"]](self)
        self.events.finish()

    def roll(self, order: Order, record: Record | None = None) -> Outcome:
        """What came of an order; it must be the recorded one before its rewards are read."""
        if record is None:
            record = self.events.next("gen")
            record.same(ids=order.prompts)
        correct = [[int(digit) for digit in row] for row in record.read("rew")]
        rolled = [len(row) for row in correct]
        assert rolled == order.rollouts.tolist(), f"{record.where}.rew: {rolled} rollouts"
        passes = np.array([sum(row) for row in correct])
        outcome = Outcome(passes=passes, payload=np.full(passes.size, self.loaded))
        self.generated.append((order, outcome))
        self.loaded += 1
        return outcome

    def train(self, step: int, prompts: np.ndarray) -> Record:
        """Compare an update; the groups it counts are those of the last order."""
        order, outcome = self.generated[-1]
        record = self.events.next("train")
        record.same(ids=prompts, step=step, gen_batches=len(self.generated))
        record.same(solve_none=(outcome.passes == 0).sum())
        record.same(solve_all=(outcome.passes == order.rollouts).sum())
        self.generated = []
        return record

    def passes_over(self) -> Epochs:
        """The loader's batches one after another, as if they were one pass."""
        return Epochs(np.concatenate(self.loader), 0, 0)


def _uniform(run: Run) -> None:
    strategy = Uniform(rollouts=run.config["n"])
    state, tape = run.passes_over(), Tape(run.trace["name"])
    for step in range(1, run.steps + 1):
        state, _, batch = collect(strategy, state, run.roll, run.wanted, tape)
        run.train(step, batch.prompts)
    tape.spent()


def _dynamic(run: Run) -> None:
    config, tape = run.config, Tape(run.trace["name"])
    low, high = config["filter_min"], config["filter_max"]
    strategy = DynamicSampling(
        rollouts=config["n"],
        prompts=config["loader_batch"],
        rounds=config["max_gen_batches"] or None,
        low=low,
        high=high,
        mixed=(low, high) == (0.0, 1.0),
    )
    state = Refill(run.passes_over(), missing=0, rounds=0)
    for step in range(1, run.steps + 1):
        state, batch = _refilled(run, strategy, state, tape)
        run.train(step, _with_last_again(run, batch))
    tape.spent()


def _refilled(
    run: Run, strategy: DynamicSampling, state: Refill, tape: Tape
) -> tuple[Refill, Segments]:
    """Next state and batch; unlike the driver's, it may close without a single group."""
    buffer = Buffer.empty()
    while buffer.num_ready < run.wanted:
        state, order = strategy.ask(state, run.wanted - buffer.num_ready, tape)
        if not order.prompts.size:
            break
        outcome = run.roll(order)
        state, verdicts = strategy.tell(state, order, outcome)
        buffer = buffer.settle(order, outcome, verdicts)
    return state, buffer.take(run.wanted, "drop")[1]


def _with_last_again(run: Run, batch: Segments) -> np.ndarray:
    """A batch that stayed short, with what its last order brought once more."""
    if batch.prompts.size >= run.wanted:
        return batch.prompts
    last = batch.prompts[batch.payload == run.loaded - 1]
    return np.concatenate((batch.prompts, last))[: run.wanted]


def _mopps(run: Run) -> None:
    ratio = -(-run.config["loader_batch"] // run.wanted)
    strategy = replace(_released(run.config), ratio=ratio)
    state = strategy.init(1 + max(int(ids.max()) for ids in run.loader))
    for step in range(1, run.steps + 1):
        state = _select_and_train(run, strategy, state, step)
    met = {int(prompt) for ids in run.loader[: run.loaded] for prompt in ids}
    _compare_final(run.trace, state, met, SINGLE_PRECISION)


def _select_and_train(run: Run, strategy: Mopps, before: Prediction, step: int) -> Prediction:
    record, candidates = run.events.next("gen"), run.loader[run.loaded]
    tape = _tape(record, candidates.size)
    drawn = np.array(tape.betas)
    state = replace(before, epochs=Epochs(candidates, 0, 0))
    state, order = strategy.ask(state, run.wanted, tape)
    tape.spent()
    _drawn_from(tape, before, candidates)
    prompts = _matched(record, "ids", order.prompts, strategy.rule)
    order = Order.equal(prompts, strategy.rollouts)
    outcome = run.roll(order, record)
    state, _ = strategy.tell(state, order, outcome)
    trained = run.train(step, prompts)
    beliefs = state.beliefs
    trained.near(SINGLE_PRECISION, alpha=beliefs.alpha[prompts], beta=beliefs.beta[prompts])
    place = np.argsort(candidates)
    drawn = drawn[place[np.searchsorted(candidates, prompts, sorter=place)]]
    rates = -outcome.passes / order.rollouts
    ranked = _correlation(rankdata(drawn), rankdata(rates))
    trained.near(logged_pearson=_correlation(drawn, rates), logged_spearman=ranked)
    return state


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    if np.ptp(x) == 0.0 or np.ptp(y) == 0.0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def _loop(trace: Trace) -> None:
    Run(trace).follow()


KINDS: dict[str, Callable[[Trace], None]] = {"sampler": _sampler, "loop": _loop}
SELECTORS: dict[str, Callable[[Run], None]] = {
    "mopps": _mopps,
    "uniform_loader": _uniform,
    "dynamic_sampling": _dynamic,
}
