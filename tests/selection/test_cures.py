"""CurES: Gibbs sampling, Neyman allocation, and what the release makes of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection import Cures, Norms, Order, Outcome, Verdict, collect
from selection.allocation import allocate
from selection.cures import Curriculum
from tests.statistical import assert_mean, samples_to_detect

PAPER = Cures(rollouts=8, pilot=4, subsets=1, steps=2)
RELEASED = replace(Cures.released(rollouts=8, shards=1), subsets=1)


def equal_norms(size: int) -> Norms:
    """Every score has norm 2, as far as there is one."""
    two, four = np.full(size, 2.0), np.full(size, 4.0)
    return Norms(
        passing=two, failing=two, passing_square=four, failing_square=four, contrast=0.0 * two
    )


def piloted(cures: Cures, passes: list[int], *, norms: bool = False) -> Curriculum:
    """The state after a pilot in which the members, in order, passed so often."""
    state, order = cures.ask(cures.init(len(passes)), 1, np.random.default_rng(0))
    assert order.rollouts.tolist() == [cures.pilot] * len(passes)
    told = equal_norms(len(passes)) if norms else None
    state, verdicts = cures.tell(state, order, Outcome(passes=np.array(passes), norms=told))
    assert set(verdicts.tolist()) == {Verdict.DROP}
    return state


def means(state: Curriculum) -> list[float]:
    return state.beliefs.means(np.arange(state.iteration.members.size)).tolist()


def test_the_pilot_starts_the_beliefs() -> None:
    expected = [1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6]
    np.testing.assert_allclose(means(piloted(PAPER, [0, 1, 2, 3, 4])), expected)


def test_beliefs_follow_the_rollouts_of_training_steps() -> None:
    state = piloted(PAPER, [0, 2])
    members = replace(state, iteration=replace(state.iteration, orders=1))
    order = Order.equal(state.iteration.members[[1]], 6)
    learned, verdicts = PAPER.tell(members, order, Outcome(passes=np.array([6])))
    assert verdicts.tolist() == [Verdict.TRAIN]
    np.testing.assert_allclose(means(learned), [1 / 6, 9 / 12])
    forgetful, _ = RELEASED.tell(members, order, Outcome(passes=np.array([6])))
    np.testing.assert_allclose(means(forgetful), [1 / 6, 1 / 2])


def test_a_pilot_forgets_what_the_last_iteration_learned() -> None:
    state, rng = piloted(PAPER, [4, 4, 4]), np.random.default_rng(1)
    for _ in range(PAPER.steps):
        state, order = PAPER.ask(state, 2, rng)
        state, _ = PAPER.tell(state, order, Outcome(passes=order.rollouts))
    state, order = PAPER.ask(state, 2, rng)
    assert order.rollouts.tolist() == [4, 4, 4], "the pilot is due"
    state, _ = PAPER.tell(state, order, Outcome(passes=np.zeros(3, int)))
    np.testing.assert_allclose(means(state), [1 / 6] * 3)


@pytest.mark.parametrize("temperature", [1e-4, 0.02, 0.1, 1.0, 100.0])
def test_gibbs_weights_are_those_of_equation_14(temperature: float) -> None:
    cures = replace(PAPER, temperature=temperature)
    state = piloted(cures, [0, 1, 2, 3, 4])
    mean = np.array(means(state))
    signal = np.sqrt(mean * (1.0 - mean))
    weights = np.exp((signal - signal.max()) / temperature)
    np.testing.assert_allclose(
        cures.probabilities(state), weights / weights.sum(), rtol=1e-12, atol=1e-300
    )


@pytest.mark.parametrize("temperature", [0.02, 0.1, 1.0])
def test_the_largest_weight_is_bounded_by_the_temperature(temperature: float) -> None:
    """Between pass rates 1/2 and 0 the ratio is e^(1 / (2 tau)), which no pilot exceeds."""
    cures = replace(PAPER, temperature=temperature, pilot=10**6)
    weights = cures.probabilities(piloted(cures, [0, 500_000, 10**6]))
    np.testing.assert_allclose(np.log(weights[1] / weights[0]), 0.5 / temperature, rtol=0.003)
    assert weights[1] / weights[0] < np.exp(0.5 / temperature)


def test_the_release_samples_uniformly_to_three_parts_in_a_thousand() -> None:
    """And likes best what never passed."""
    weights = RELEASED.probabilities(piloted(RELEASED, [0, 1, 2, 3, 4]))
    published = np.array([1.003734, 1.002360, 1.001668, 1.001179, 1.000746])
    np.testing.assert_allclose(weights / weights[0], published / published[0], atol=1e-6)
    assert round(float(weights.max() / weights.min()), 5) == 1.00299


def test_the_release_allocates_by_the_pilot_alone() -> None:
    """Norms of 2, a budget of 8 for each of 4 prompts, and no repair of the sum."""
    state = piloted(RELEASED, [1, 2, 3, 4], norms=True)
    assert RELEASED.share_out_shards(state.iteration, 32).tolist() == [10, 12, 10, 0]
    np.testing.assert_allclose(means(state), [1 / 3, 1 / 2, 2 / 3, 5 / 6])


def test_every_shard_has_the_whole_budget() -> None:
    two = replace(RELEASED, shards=2)
    state = piloted(two, [2, 2, 1, 4])
    assert two.share_out_shards(state.iteration, 8).tolist() == [4, 4, 8, 0]


def test_the_release_generates_copies_and_leaves_out_what_agreed() -> None:
    """Where a prompt was left out the batch closes short, and the next one starts anew."""
    rng, state = np.random.default_rng(0), piloted(RELEASED, [0, 2, 2, 4])
    state, order = RELEASED.ask(state, 4, rng)
    assert sorted(order.prompts) == sorted(state.iteration.members[[1, 2]])
    assert order.rollouts.tolist() == [64, 64], "4 copies of half of 8 * 4"
    state, nothing = RELEASED.ask(state, 2, rng)
    assert nothing.prompts.size == 0
    _, again = RELEASED.ask(state, 4, rng)
    assert again.prompts.size == 2


def test_a_full_batch_needs_no_empty_order() -> None:
    state = piloted(RELEASED, [1, 2, 2, 3])
    for _ in range(3):
        state, order = RELEASED.ask(state, 4, np.random.default_rng(0))
        assert order.prompts.size == 4


def test_the_paper_allocates_by_belief_over_the_batch() -> None:
    state = piloted(PAPER, [0, 1, 2, 3, 4])
    _, order = PAPER.ask(state, 5, np.random.default_rng(0))
    mean = state.beliefs.means(state.iteration.positions(order.prompts))
    sigma = np.sqrt(mean * (1.0 - mean))
    assert order.rollouts.tolist() == allocate(sigma, 40, at_least=2).tolist()
    assert order.rollouts.sum() == 40


@given(st.lists(st.integers(0, 4), min_size=1, max_size=9), st.integers(1, 12))
def test_a_batch_costs_its_budget_whatever_is_drawn(passes: list[int], wanted: int) -> None:
    state = piloted(PAPER, passes)
    _, order = PAPER.ask(state, wanted, np.random.default_rng(0))
    assert order.prompts.size == min(wanted, len(passes))
    assert order.rollouts.sum() == 8 * order.prompts.size
    assert (order.rollouts >= 2).all()


def test_steps_are_counted_between_pilots() -> None:
    """One pilot, two training steps, and the pilot again."""
    kinds: list[str] = []

    def roll(order: Order) -> Outcome:
        kinds.append("pilot" if order.prompts.size == 6 else "step")
        return Outcome(passes=order.rollouts // 2)

    state, rng = PAPER.init(6), np.random.default_rng(0)
    for _ in range(4):
        state, _, batch = collect(PAPER, state, roll, 3, rng)
        assert batch.prompts.size == 3
    assert kinds == ["pilot", "step", "step"] * 2


def first_drawn(cures: Cures, state: Curriculum) -> np.ndarray:
    """Whether the member of pass rate 1/2 is drawn first, to see a share off by .05."""
    rng = np.random.default_rng(0)
    draws = samples_to_detect(gap=0.05)
    return np.array([float(cures.draw(state, 1, rng)[0] == 1) for _ in range(draws)])


def test_members_are_drawn_with_the_gibbs_probabilities() -> None:
    cures = replace(PAPER, temperature=0.1)
    state = piloted(cures, [0, 2, 4])
    share = first_drawn(cures, state)
    assert_mean(share, expected=float(cures.probabilities(state)[1]))
    with pytest.raises(AssertionError):
        assert_mean(share, expected=1 / 3)


def test_the_coldest_sampler_still_draws_a_whole_batch() -> None:
    cures = replace(PAPER, temperature=1e-6)
    drawn = cures.draw(piloted(cures, [0, 2, 4]), 3, np.random.default_rng(0))
    assert sorted(drawn) == [0, 1, 2]
    assert drawn[0] == 1


def test_the_published_constants() -> None:
    assert (PAPER.learns, PAPER.per_pass, PAPER.vectors, PAPER.shards) == (True, False, True, 0)
    assert Cures.paper() == Cures(pilot=4, subsets=15, steps=10)
    assert (RELEASED.temperature, RELEASED.copies, RELEASED.learns) == (100.0, 4, False)
