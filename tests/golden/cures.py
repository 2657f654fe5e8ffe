"""Replay of CurES's recorded pilots and samplers (ZexuSun/CurES @ eccf298).

What belongs to the authors' trainer is done here: a batch is padded so that the number of GPUs
divides its rows, and without replacement a sampler draws from what earlier batches left over.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from selection.beliefs import Beliefs
from selection.cures import Cures, Curriculum
from selection.protocol import Norms, Order, Outcome
from tests.golden import gvm
from tests.golden.tape import Events, Record, Tape

Trace = dict[str, Any]


def replay(trace: Trace) -> None:
    """Follow a recorded trace; fail with its name, the event and the field that differs."""
    KINDS[trace["kind"]](trace)


def _piloted(
    strategy: Cures, passes: np.ndarray, norms: Norms | None, where: str
) -> Curriculum:
    """State after a pilot of all prompts, in their order."""
    everyone = np.arange(passes.size)
    tape = Tape(where, permutations=[everyone.tolist()])
    state, order = strategy.ask(strategy.init(passes.size), 1, tape)
    piloted = order.prompts.tolist() == everyone.tolist()
    piloted &= set(order.rollouts.tolist()) == {strategy.pilot}
    assert piloted, f"{where}: {order} is not the pilot of all prompts"
    return strategy.tell(state, order, Outcome(passes=passes, norms=norms))[0]


def _norms(correct: np.ndarray, norms: np.ndarray) -> Norms:
    """Means by class, 0 for an empty class; no contrast, which needs vectors."""

    def mean(values: np.ndarray, of: np.ndarray) -> np.ndarray:
        return (values * of).sum(axis=1) / np.maximum(of.sum(axis=1), 1)

    return Norms(
        passing=mean(norms, correct),
        failing=mean(norms, ~correct),
        passing_square=mean(norms**2, correct),
        failing_square=mean(norms**2, ~correct),
        contrast=np.zeros(len(norms)),
    )


def _pilot_of(record: Record) -> tuple[Cures, Curriculum, np.ndarray]:
    """Strategy, state after the pilot, and allocation; compares what a pilot records."""
    config = record.read("config")
    strategy = replace(
        Cures.released(rollouts=config["rollouts_per_prompt"], shards=config["ranks"]),
        pilot=config["n_pilot"],
        subsets=1,
        steps=config.get("batches", 1),
        copies=config.get("rollout_n", 1),
    )
    correct = np.array([[d == "1" for d in row] for row in record.read("correct")])
    norms = _norms(correct, np.array(record.read("grad_norms"), float))
    state = _piloted(strategy, correct.sum(axis=1), norms, record.where)
    everyone = np.arange(len(correct))
    record.same(accepted=state.iteration.passes, all=np.full(len(correct), strategy.pilot))
    record.near(posterior_mean=state.beliefs.means(everyone))
    budget = config["batch_size"] * strategy.rollouts
    shares = strategy.share_out_shards(state.iteration, budget)
    record.same_or_zero(n=shares)
    sums = [shares[start:end].sum() for start, end in config["shards"]]
    record.same_or_zero(shard_sums=np.array(sums))
    return strategy, state, shares


def _pilot(trace: Trace) -> None:
    record = Record(trace["name"], trace, frozenset({"config", "correct", "grad_norms"}))
    _pilot_of(record)
    record.done()


def _padded(shares: np.ndarray, gpus: int) -> np.ndarray:
    """Shares with one row more for the largest, the next largest, .. until GPUs divide them."""
    padded, largest = shares.copy(), np.argsort(-shares, kind="stable")
    extra = -int(shares.sum()) % gpus
    np.add.at(padded, largest[np.arange(extra) % shares.size], 1)
    return padded


def _iteration(trace: Trace) -> None:
    inputs = frozenset({"config", "correct", "grad_norms", "batches"})
    record = Record(trace["name"], trace, inputs)
    strategy, state, shares = _pilot_of(record)
    record.near_relative(1e-5, probs=strategy.probabilities(state))
    record.done()
    config, events = trace["config"], Events(trace["name"], trace["batches"], "u", "skipped")
    for _ in trace["batches"]:
        batch = events.next()
        drawn = _drawn(strategy, state, batch, config["batch_size"])
        batch.same(batch=drawn)
        state, order = _ordered(strategy, state, batch, config["batch_size"])
        rows, left = np.divmod(order.rollouts, strategy.copies)
        ordered = order.prompts.tolist() == drawn[shares[drawn] > 0].tolist()
        assert ordered, f"{batch.where}: {order.prompts} are ordered of {drawn}"
        assert not left.any(), f"{batch.where}: {order.rollouts} are not whole copies"
        assert ("skipped" in batch) == (not rows.size), f"{batch.where}.skipped"
        if "sum_n" in batch:
            batch.same(sum_n=rows.sum())
        if rows.size:
            _compare_rows(batch, strategy.copies, rows, drawn.size, config["n_gpus"])
    events.finish()


def _compare_rows(batch: Record, copies: int, rows: np.ndarray, drawn: int, gpus: int) -> None:
    """Compare the padded batch; prompts drawn without an allocation may be padded as well."""
    padded = _padded(np.concatenate((rows, np.zeros(drawn - rows.size, int))), gpus)
    batch.same(sum_padded=padded.sum(), responses=copies * padded.sum())
    batch.same(prompts_trained=(padded > 0).sum())


def _drawn(strategy: Cures, state: Curriculum, batch: Record, wanted: int) -> np.ndarray:
    """Positions drawn, with every uniform used."""
    tape = Tape(batch.where, uniforms=batch.read("u"))
    drawn = strategy.draw(state, wanted, tape)
    tape.spent()
    return drawn


def _ordered(
    strategy: Cures, state: Curriculum, batch: Record, wanted: int
) -> tuple[Curriculum, Order]:
    """The order of the same batch, which is closed afterwards if it is short."""
    tape = Tape(batch.where, uniforms=batch.read("u"))
    state, order = strategy.ask(state, wanted, tape)
    if state.closing:
        state, nothing = strategy.ask(state, wanted - order.prompts.size, tape)
        assert not nothing.prompts.size, f"{batch.where}: a short batch was not closed"
    tape.spent()
    return state, order


def _sampler(trace: Trace) -> None:
    inputs = frozenset({"config", "accepted", "n", "batches", "update"})
    record, config = Record(trace["name"], trace, inputs), trace["config"]
    strategy = replace(
        Cures.released(), pilot=config["n_pilot"], subsets=1, copies=config["rollout_n"]
    )
    passes = np.array(record.read("accepted"), int)
    state = _piloted(strategy, passes, None, record.where)
    record.near(posterior_mean=state.beliefs.means(np.arange(passes.size)))
    record.near_relative(1e-5, probs=strategy.probabilities(state))
    record.done()
    events = Events(trace["name"], trace["batches"], "u", "pad_tie")
    shares, pool = np.array(record.read("n"), int), np.arange(passes.size)
    for index in range(len(trace["batches"])):
        batch = events.next()
        pool = _sampled(strategy, state, batch, config, shares, pool)
        if "update" in record and index == record.read("update")["after_batch"]:
            state = _updated(strategy, state, record, config["batch_size"])
    events.finish()


def _sampled(
    strategy: Cures,
    state: Curriculum,
    batch: Record,
    config: dict[str, Any],
    shares: np.ndarray,
    pool: np.ndarray,
) -> np.ndarray:
    """Compare one batch; the pool that it leaves for the next."""
    if config["replacement"] or pool.size < config["batch_size"]:
        pool = np.arange(shares.size)
    if "pool_size" in batch:
        batch.same(pool_size=pool.size)
    drawn = pool[_drawn(strategy, _within(state, pool), batch, config["batch_size"])]
    batch.same(batch=drawn)
    if shares[drawn].any():
        padded = _padded(shares[drawn], config["n_gpus"])
        if "pad_tie" in batch:
            batch.same_set("n_padded", padded)
        else:
            batch.same(n_padded=padded)
        batch.same(rows=padded.sum(), responses=strategy.copies * padded.sum())
    return np.setdiff1d(pool, drawn)


def _within(state: Curriculum, pool: np.ndarray) -> Curriculum:
    """The state as if these were all its members."""
    iteration, beliefs = state.iteration, state.beliefs
    iteration = replace(
        iteration,
        members=iteration.members[pool],
        passes=iteration.passes[pool],
        norms=iteration.norms[:, pool],
    )
    return replace(
        state, iteration=iteration, beliefs=Beliefs(beliefs.alpha[pool], beliefs.beta[pool])
    )


def _updated(strategy: Cures, state: Curriculum, record: Record, wanted: int) -> Curriculum:
    """The running sampler's state after new counts; compares them and a new sampler with it."""
    inputs = frozenset({"after_batch", "add_accepted_all", "new_iterator"})
    update = Record(f"{record.where}.update", record.read("update"), inputs)
    accepted, tried = np.array(update.read("add_accepted_all"), int).T
    order, outcome = Order(np.arange(tried.size), tried), Outcome(passes=accepted)
    learned, _ = replace(strategy, learns=True).tell(state, order, outcome)
    update.near(posterior_mean=learned.beliefs.means(order.prompts))
    counted = replace(state.iteration, passes=state.iteration.passes + accepted)
    _restarted(strategy, replace(learned, iteration=counted), update, wanted)
    update.done()
    return strategy.tell(state, order, outcome)[0]


def _restarted(strategy: Cures, state: Curriculum, update: Record, wanted: int) -> None:
    """Compare a sampler that starts with the new counts."""
    where = f"{update.where}.new_iterator"
    new = Record(where, update.read("new_iterator"), frozenset({"u"}))
    new.near_relative(1e-5, probs=strategy.probabilities(state))
    new.same(batch=_drawn(strategy, state, new, wanted))
    new.done()


def _pad(trace: Trace) -> None:
    events = Events(trace["name"], trace["cases"], "n", "n_gpus")
    for _ in trace["cases"]:
        case = events.next()
        case.same(padded=_padded(np.array(case.read("n"), int), case.read("n_gpus")))
    events.finish()


KINDS: dict[str, Callable[[Trace], None]] = {
    "pilot": _pilot,
    "iteration": _iteration,
    "sampler": _sampler,
    "pad": _pad,
    "gvm": gvm.replay,
}
