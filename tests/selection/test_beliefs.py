"""Beta beliefs and their memory."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from selection.beliefs import Beliefs

PRIOR = (1.0, 1.0)


def after(
    history: list[int], memory: float, rollouts: int = 8, prior: tuple[float, float] = PRIOR
) -> tuple[float, float]:
    """Both counts of one prompt after a history of passes."""
    beliefs, only = Beliefs.prior(1, prior), np.array([0])
    for passes in history:
        failures = np.array([rollouts - passes])
        beliefs = beliefs.update(only, np.array([passes]), failures, prior, memory)
    return float(beliefs.alpha[0]), float(beliefs.beta[0])


def test_without_forgetting_counts_add_up() -> None:
    assert after([3, 8], memory=1.0) == (12.0, 6.0)


def test_memory_fades_towards_the_prior() -> None:
    """1 + 3, then 4 / 2 + 1 / 2 + 8; the failures 1 + 5, then 6 / 2 + 1 / 2 + 0."""
    assert after([3, 8], memory=0.5) == (10.5, 3.5)
    assert after([3, 8], memory=0.0) == (9.0, 1.0)
    assert after([0, 0], memory=0.5, prior=(2.0, 4.0)) == (2.0, 16.0)


def test_the_mean_is_the_share_of_passes_and_prior() -> None:
    beliefs = Beliefs(np.array([1.0, 3.0, 8.0]), np.array([1.0, 1.0, 2.0]))
    assert beliefs.means(np.array([2, 0])).tolist() == [0.8, 0.5]


@given(st.lists(st.integers(0, 8), max_size=12), st.permutations(range(12)))
def test_without_forgetting_the_order_of_results_is_irrelevant(
    history: list[int], place: list[int]
) -> None:
    shuffled = [history[index] for index in place if index < len(history)]
    assert after(history, memory=1.0) == after(shuffled, memory=1.0)


@given(st.lists(st.integers(0, 8), min_size=1, max_size=40), st.floats(0.0, 0.99))
def test_evidence_follows_its_closed_form(history: list[int], memory: float) -> None:
    """alpha + beta = n_0 + N (1 - lambda^t) / (1 - lambda), whatever passed."""
    alpha, beta = after(history, memory)
    expected = 2.0 + 8.0 * (1.0 - memory ** len(history)) / (1.0 - memory)
    np.testing.assert_allclose(alpha + beta, expected)
    assert min(alpha, beta) >= 1.0 - 1e-12


@given(st.lists(st.integers(0, 8), max_size=20), st.floats(0.0, 1.0))
def test_passes_and_failures_are_symmetric(history: list[int], memory: float) -> None:
    mirrored = after([8 - passes for passes in history], memory)
    assert after(history, memory) == mirrored[::-1]


@given(st.sets(st.integers(0, 5)), st.floats(0.0, 1.0))
def test_prompts_that_were_not_rolled_out_do_not_fade(seen: set[int], memory: float) -> None:
    before = Beliefs(np.arange(1.0, 7.0), np.arange(7.0, 1.0, -1.0))
    prompts = np.array(sorted(seen), int)
    updated = before.update(prompts, prompts % 3, prompts % 2, PRIOR, memory)
    unseen = np.setdiff1d(np.arange(6), prompts)
    np.testing.assert_array_equal(updated.alpha[unseen], before.alpha[unseen])
    np.testing.assert_array_equal(updated.beta[unseen], before.beta[unseen])
