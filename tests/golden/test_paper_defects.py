"""Where the releases depart from their papers, or break: what this project does, in numbers.

Each test names the departure. The paper's variant must not show it; the released variant must,
unless it is an accident of a trainer that nobody would want, which then is said.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

from selection.allocation import allocate, neyman_deviation
from selection.cures import Cures, Curriculum
from selection.driver import Segments, Surplus, collect
from selection.dynamic import DynamicSampling
from selection.epochs import Epochs
from selection.greso import Greso, History
from selection.mopps import Mopps
from selection.protocol import Norms, Order, Outcome, Selector, Verdict
from selection.speed import Screening, Speed

PAPER_AND_RELEASE = (Greso.paper(rollouts=8), Greso.released(rollouts=8))


def half_pass(order: Order) -> Outcome:
    """Every group is mixed."""
    return Outcome(passes=order.rollouts // 2)


def batches(
    selector: Selector[Any],
    num_prompts: int,
    wanted: int,
    steps: int,
    surplus: Surplus = "keep",
) -> list[Segments]:
    """Training batches of a run in which half of the rollouts of every prompt pass."""
    state, buffer, done = selector.init(num_prompts), None, list[Segments]()
    rng = np.random.default_rng(0)
    for step in range(steps):

        def roll(order: Order, step: int = step) -> Outcome:
            return replace(half_pass(order), version=step)

        state, buffer, batch = collect(
            selector, state, roll, wanted, rng, buffer=buffer, surplus=surplus
        )
        done.append(batch)
    return done


class TestSpeed:
    def test_equal_screening_and_continuation_give_whole_groups(self) -> None:
        """Release: with N_init = N_cont a group [1, 0] was trained on as [1, 0, 1, 0]."""
        strategy, rng = Speed.released(screen=2, extend=2, fresh=3), np.random.default_rng(0)
        state, order = strategy.ask(strategy.init(3), 3, rng)
        _, verdicts = strategy.tell(state, order, half_pass(order))
        assert verdicts.tolist() == [Verdict.HOLD] * 3
        _, _, batch = collect(strategy, strategy.init(3), half_pass, 3, rng)
        assert batch.rollouts.tolist() == [2, 2] * 3
        assert np.unique(batch.prompts).size == batch.starts.size == 3

    def test_continuation_need_not_be_a_multiple_of_screening(self) -> None:
        """Release: asserts N_cont % N_init == 0, so never 5 + 19."""
        (batch,) = batches(Speed.released(screen=5, extend=19, fresh=4), 8, 4, 1)
        assert batch.rollouts.tolist() == [5, 19] * 4

    def test_no_held_prompt_waits_for_the_number_of_gpus(self) -> None:
        """Release: of 5 held prompts on 4 GPUs one waits, and ages."""
        strategy, held = Speed.released(fresh=2), np.arange(5)
        state = Screening(Epochs(np.arange(9), 5, 0), held)
        _, order = strategy.ask(state, 16, np.random.default_rng(0))
        assert order.prompts[order.rollouts == 20].tolist() == held.tolist()

    def test_training_costs_no_prompts(self) -> None:
        """Release: what the loader draws in a training iteration is thrown away."""
        drawn: list[int] = []

        def roll(order: Order) -> Outcome:
            drawn.extend(order.prompts[order.rollouts == 4].tolist())
            return half_pass(order)

        strategy, buffer = Speed.released(fresh=4), None
        state, rng = strategy.init(16), np.random.default_rng(0)
        for _ in range(3):
            state, buffer, _ = collect(strategy, state, roll, 4, rng, buffer=buffer)
        assert sorted(drawn) == list(range(16))

    def test_the_paper_trains_on_fresh_rollouts_only(self) -> None:
        """Release: surplus is kept, so that its rollouts are a training step old and more."""
        ages = [
            [step - batch.versions.min() for step, batch in enumerate(batches(s, 99, 4, 3))]
            for s in (Speed.paper(), Speed.released(fresh=8))
        ]
        assert ages == [[0, 0, 0], [0, 1, 2]]


def told(strategy: Greso, *groups: list[float]) -> History:
    """History of a single prompt after these groups of rewards."""
    state = strategy.init(1)
    for rewards in groups:
        order = Order.equal(np.array([0]), len(rewards))
        passes = np.array([rewards.count(1.0)])
        outcome = Outcome(passes=passes, rewards=np.array(rewards))
        state = replace(state, streaks=strategy.remember(state.streaks, order, outcome))
    return state


def skips(strategy: Greso, *groups: list[float]) -> float:
    """Probability of skipping a prompt after these groups."""
    return float(strategy.skip_probability(told(strategy, *groups), np.array([0]))[0])


def shares(strategy: Greso, *groups: list[float]) -> tuple[float, float, float]:
    """Zero-variance, easy and hard share of an order with these groups of rewards."""
    order = Order.equal(np.arange(len(groups)), strategy.rollouts)
    passes = np.array([group.count(1.0) for group in groups])
    return strategy.shares(order, Outcome(passes=passes, rewards=np.concatenate(groups)))


def told_order(strategy: Greso, passes: list[int], **changes: Any) -> History:  # noqa: ANN401
    """History once an order with these passes is told."""
    order = Order.equal(np.arange(len(passes)), strategy.rollouts)
    state = replace(strategy.init(len(passes)), **changes)
    rewards = np.concatenate([np.arange(strategy.rollouts) < k for k in passes]).astype(float)
    return strategy.tell(state, order, Outcome(passes=np.array(passes), rewards=rewards))[0]


FAIL, PASS, FORMAT = [0.0] * 8, [1.0] * 8, [0.1] * 8


class TestGreso:
    def test_g1_exploration_has_no_floor(self) -> None:
        got = [skips(strategy, *[PASS] * 10) for strategy in PAPER_AND_RELEASE]
        assert got == [1 - 2**-10, 0.99]

    def test_g2_one_streak_over_easy_and_hard(self) -> None:
        got = [skips(strategy, PASS, FAIL) for strategy in PAPER_AND_RELEASE]
        assert got == [1 - 0.5**2, 1 - 0.5]

    def test_g3_a_group_of_0_and_a_tenth_is_mixed_not_hard(self) -> None:
        group = [0.0, 0.1] * 4
        assert [skips(s, group) for s in PAPER_AND_RELEASE] == [0.0, 0.5]
        order, outcome = Order.equal(np.array([0]), 8), np.array(group)
        told = Outcome(passes=np.array([0]), rewards=outcome)
        verdicts = [s.tell(s.init(1), order, told)[1].tolist() for s in PAPER_AND_RELEASE]
        assert verdicts == [[2], [2]]  # both train on it

    @pytest.mark.parametrize("group", [[1.0] + [0.0] * 9, [0.0] + [1.0] * 49])
    def test_g4_thresholds_do_not_stand_for_a_group_size(self, group: list[float]) -> None:
        """Release: one pass in 10 counts as hard, one failure in 50 as easy."""
        assert [skips(s, group) for s in PAPER_AND_RELEASE] == [0.0, 0.5]

    def test_g5_groups_of_zeros_are_hard(self) -> None:
        """Release: only groups of exactly 0.1 count, so that p_hard climbs with 0/1 rewards."""
        assert [shares(s, FAIL, FAIL) for s in PAPER_AND_RELEASE] == [(1, 0, 1), (1, 0, 0)]
        assert shares(PAPER_AND_RELEASE[1], FORMAT, FAIL) == (1.0, 0.0, 0.5)

    def test_g6_shares_are_of_groups_whatever_their_size(self) -> None:
        """Release: in blocks of 8, two constant groups of 4 look like a mixed one."""
        strategies = (Greso.paper(rollouts=4), Greso.released(rollouts=4))
        got = [shares(s, FAIL[:4], PASS[:4]) for s in strategies]
        assert got == [(1.0, 0.5, 0.5), (0.0, 0.0, 0.0)]

    def test_g7_exploration_adapts_from_the_first_pass(self) -> None:
        first_pass = Epochs(np.arange(4), 4, 0)
        changes = {"epochs": first_pass, "missing": 1, "first": 4}
        got = [told_order(s, [8, 0, 4, 4], **changes) for s in PAPER_AND_RELEASE]
        explore = [(s.explore_easy, s.explore_hard) for s in got]
        assert explore == [(0.49, 0.49), (0.5, 0.5)]

    def test_g8_an_order_is_as_small_as_needed_and_a_batch_never_short(self) -> None:
        """Release: at least 64 prompts; what is estimated to suffice must suffice."""
        changes = {"missing": 12, "first": 384}
        got = [told_order(s, [8, 4], **changes) for s in PAPER_AND_RELEASE]
        assert [(s.size, s.last) for s in got] == [(27, False), (64, True)]
        short = [
            told_order(s, [8, 4], missing=12, first=384, last=True) for s in PAPER_AND_RELEASE
        ]
        assert [s.closing for s in short] == [True, True]

    @pytest.mark.parametrize("strategy", PAPER_AND_RELEASE, ids=["paper", "released"])
    def test_g9_an_order_of_zero_variance_groups_leads_to_another(
        self, strategy: Greso
    ) -> None:
        """Release: int(missing / (1 - 1.0)) is a ZeroDivisionError."""
        state = told_order(strategy, [8, 0], missing=2, first=96)
        assert (state.size, state.closing) == (96, False)

    @pytest.mark.parametrize("strategy", PAPER_AND_RELEASE, ids=["paper", "released"])
    def test_g10_nothing_is_lost_or_drawn_twice_in_an_order(self, strategy: Greso) -> None:
        """Release: prompts beyond a multiple of the GPUs are lost; passes overlap."""
        state, rng = strategy.init(50), np.random.default_rng(0)
        drawn: list[int] = []
        for _ in range(3):
            state, order = strategy.ask(replace(state, first=35), 24, rng)
            assert np.unique(order.prompts).size == order.prompts.size
            drawn += order.prompts.tolist()
        assert set(drawn) == set(range(50))

    def test_g11_surplus_is_kept_if_one_wants_it(self) -> None:
        """Release: mixed groups beyond the batch are paid for and thrown away."""
        strategy = Greso.released(rollouts=8)
        kept, dropped = (batches(strategy, 96, 32, 2, surplus) for surplus in get_args(Surplus))
        assert [set(batch.versions.tolist()) for batch in kept] == [{0}, {0}]
        assert [set(batch.versions.tolist()) for batch in dropped] == [{0}, {1}]


class TestMopps:
    def test_m1_a_single_rollout_counts_as_one(self) -> None:
        """Release: operator precedence sets both counts to 8 for good."""
        order, outcome = Order.equal(np.array([0]), 1), Outcome(passes=np.array([1]))
        got = [
            strategy.learn(strategy.init(1).beliefs, order, outcome)
            for strategy in (Mopps.paper(rollouts=1), Mopps.released(rollouts=1))
        ]
        assert [(b.alpha[0], b.beta[0]) for b in got] == [(2.0, 1.0), (8.0, 8.0)]

    @pytest.mark.parametrize("variant", [Mopps.paper, Mopps.released])
    def test_m4_memory_fades_only_where_there_is_evidence(
        self, variant: Callable[..., Mopps]
    ) -> None:
        """Common to both: a prompt that is never chosen is never forgotten."""
        strategy = variant(rollouts=8, memory=0.5)
        beliefs = strategy.init(2).beliefs
        for _ in range(2):
            order = Order.equal(np.array([0]), 8)
            beliefs = strategy.learn(beliefs, order, Outcome(passes=np.array([0])))
        assert beliefs.alpha.tolist() == [1.0, 1.0]
        assert beliefs.beta.tolist() == [13.0, 1.0]

    def test_m5_a_capped_batch_holds_no_group_twice(self) -> None:
        """Release: at the cap of dynamic sampling the last order is trained on twice."""
        strategy = DynamicSampling(rollouts=8, prompts=4, rounds=2)

        def roll(order: Order) -> Outcome:
            return Outcome(passes=np.where(np.arange(4) < 2, 4, 0)[: order.prompts.size])

        batch = collect(strategy, strategy.init(99), roll, 6, np.random.default_rng(0))[2]
        assert batch.prompts.size == 4  # the release would train on 6, two of them twice
        assert np.unique(batch.prompts).size == 4

    def test_m7_candidates_need_not_be_disjoint_within_a_pass(self) -> None:
        """Release: what a loader brought once returns in the next pass only."""
        for strategy, disjoint in ((Mopps.paper(), False), (Mopps.released(), True)):
            state, rng = replace(strategy, ratio=2).init(64), np.random.default_rng(0)
            first, second = set[int](), set[int]()
            for met in (first, second):
                state, order = replace(strategy, ratio=2).ask(state, 16, rng)
                met |= set(order.prompts.tolist())
            assert (not first & second) == disjoint


def piloted(strategy: Cures, passes: list[int], norms: Norms | None = None) -> Curriculum:
    """State after a pilot of one prompt for each of these numbers of passes."""
    strategy, pilot = (
        replace(strategy, subsets=1),
        Outcome(passes=np.array(passes), norms=norms),
    )
    state, order = strategy.ask(strategy.init(len(passes)), 2, np.random.default_rng(0))
    return strategy.tell(state, order, pilot)[0]


CURES = (Cures.paper(rollouts=8), Cures.released(rollouts=8, shards=1))


class TestCures:
    def test_r1_sampling_favours_prompts_of_even_odds(self) -> None:
        """Release: uniform to .3 %, its mode the prompts that never passed."""
        paper, released = (s.probabilities(piloted(s, [0, 1, 2, 3, 4])) for s in CURES)
        assert paper.argmax() == 2
        assert paper[2] / paper[0] == pytest.approx(np.exp((0.5 - np.sqrt(5) / 6) / 0.1))
        assert released.argmax() == 0
        weights = [1.003734, 1.002360, 1.001668, 1.001179, 1.000746]
        assert released / released[4] * weights[4] == pytest.approx(weights, abs=1e-6)

    def test_r2_beliefs_reach_the_running_sampler(self) -> None:
        """Release: the counters that training updates are read by nobody."""
        for strategy, heard in zip(CURES, (True, False), strict=True):
            state = piloted(strategy, [2, 2, 2])
            order = Order.equal(state.iteration.members[:1], 8)
            after, _ = strategy.tell(state, order, Outcome(passes=np.array([8])))
            mean = after.beliefs.means(np.array([0]))[0]
            assert mean == (11 / 14 if heard else 1 / 2)
            assert (strategy.probabilities(after)[0] < 1 / 3 - 0.05) == heard

    def test_r3_a_pilot_that_agrees_does_not_shut_a_prompt_out(self) -> None:
        """Release: pilots 1000, 1100, 1110, 1111 of equal norms are given 10, 12, 10, 0."""
        same = np.full(4, 2.0)
        norms = Norms(
            passing=same,
            failing=np.array([2.0, 2.0, 2.0, 0.0]),
            passing_square=same**2,
            failing_square=np.array([4.0, 4.0, 4.0, 0.0]),
            contrast=np.zeros(4),
        )
        got: list[list[int]] = []
        for strategy in CURES:
            state = piloted(strategy, [1, 2, 3, 4], norms)
            assert state.beliefs.means(np.arange(4)).tolist() == [1 / 3, 1 / 2, 2 / 3, 5 / 6]
            got.append(strategy.share_out(state, np.arange(4), 4).tolist())
        assert got == [[10, 10, 9, 3], [10, 12, 10, 0]]

    def test_r4_a_batch_costs_its_budget(self) -> None:
        """Release: shares are rounded without repair, and every rank has the whole budget."""
        paper, released = (
            s.share_out(piloted(s, [2, 2, 2]), np.arange(3), 4).tolist() for s in CURES
        )
        assert (paper, released) == ([8, 8, 8], [11, 11, 11])  # 33 of a budget of 32
        assert allocate(np.ones(3), 32).tolist() == [10, 11, 11]
        ranks = replace(CURES[1], shards=2)
        assert ranks.share_out(piloted(ranks, [2, 2, 2, 2]), np.arange(4), 4).sum() == 64

    def test_r4_what_no_rank_gets_in_full_belongs_to_the_last(self) -> None:
        ranks = replace(CURES[1], shards=2)
        got = ranks.share_out(piloted(ranks, [2] * 5), np.arange(5), 4)
        assert got.tolist() == [16, 16, 11, 11, 11]

    @pytest.mark.parametrize(
        ("rate", "paper", "released"), [(0.5, 0.0, 0.25), (0.25, 0.2165, 0.2706)]
    )
    def test_r5_sigma_needs_vectors(self, rate: float, paper: float, released: float) -> None:
        """A policy that knows only to pass or fail has score r - p, and D = 1."""
        p = np.array([rate])
        norms = Norms(
            passing=1 - p,
            failing=p,
            passing_square=(1 - p) ** 2,
            failing_square=p**2,
            contrast=np.ones(1),
        )
        got = [neyman_deviation(p, norms, vectors=vectors)[0] for vectors in (True, False)]
        assert got == pytest.approx([paper, released], abs=5e-5)
        assert got[0] == pytest.approx(np.sqrt(rate * (1 - rate)) * abs(1 - 2 * rate))

    def test_r7_a_rollout_allocated_is_a_rollout_generated(self) -> None:
        """Release: each is generated 4 times, so that steps do not compare."""
        rng = np.random.default_rng(0)
        ordered = [
            replace(s, subsets=1).ask(piloted(s, [2] * 4), 4, rng)[1].rollouts.sum()
            for s in CURES
        ]
        assert ordered == [32, 4 * 32]

    def test_a_shard_whose_pilots_all_agree_is_given_nothing(self) -> None:
        """Release: 0/0, cast to whatever integer, for that shard."""
        ranks = replace(CURES[1], shards=2)
        got = ranks.share_out(piloted(ranks, [2, 2, 0, 4]), np.arange(4), 4)
        assert got.tolist() == [16, 16, 0, 0]
        assert CURES[0].share_out(piloted(CURES[0], [0, 4]), np.arange(2), 2).tolist() == [8, 8]
