"""Scores against the learner's own gradient, and estimates whose exact mean is enumerated."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from smallscale.estimators import estimator
from smallscale.geometry import (
    Estimator,
    coefficients,
    contrast,
    cosines,
    flat,
    geometry,
    gram,
    ordered,
    scores,
)
from smallscale.learner import Batch, learn
from smallscale.optimization import Learner
from smallscale.prompts import Prompts
from smallscale.rollouts import Rollouts
from smallscale.scoring import score
from tests.smallscale.policies import qwen

PROMPT = np.array([3, 1, 4])
ROWS = np.array([[2, 5, 0], [2, 5, 0], [7, 0, 0], [7, 0, 9], [6, 6, 6]])
LENGTHS = np.array([3, 2, 1, 3, 3])  # row 0 ends with a token 0, row 1 before it
ROLLOUTS = Rollouts(
    np.where(np.arange(3) < LENGTHS[:, None], ROWS, 0),
    np.zeros(ROWS.shape),
    LENGTHS,
    np.ones(5, bool),
)


def autograd(model: Any, row: int) -> torch.Tensor:  # noqa: ANN401
    alone = score(model, [PROMPT], ROLLOUTS.take(np.array([row])))
    return flat(torch.autograd.grad(alone.logprobs.sum(), list(model.parameters())))


@pytest.mark.parametrize("abreast", [2, 64])
def test_scores_are_gradients_of_the_log_probability(
    monkeypatch: pytest.MonkeyPatch, abreast: int
) -> None:
    monkeypatch.setattr("smallscale.geometry.ABREAST", abreast)
    model = qwen()
    found = scores(model, PROMPT, ROLLOUTS)
    for row in range(5):
        torch.testing.assert_close(found[row], autograd(model, row), rtol=1e-3, atol=1e-5)
    assert not torch.allclose(found[0], found[1], rtol=1e-3)
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(("name", "lengths"), [("rloo", 3), ("grpo", 3)])
def test_the_gradient_of_a_group_is_that_of_training(name: Estimator, lengths: int) -> None:
    """The learner takes a mean over tokens, of which every rollout here has equally many."""
    model, lr = qwen(), 1e-3
    rollouts = Rollouts(ROWS + 1, np.zeros(ROWS.shape), np.full(5, lengths), np.ones(5, bool))
    logprobs = score(model, [PROMPT] * 5, rollouts).logprobs.detach().numpy()
    rollouts = Rollouts(rollouts.tokens, logprobs, rollouts.lengths, rollouts.finished)
    rewards = np.array([1.0, 0.0, 0.0, 1.0, 0.0])
    expected = torch.from_numpy(coefficients(name, rewards[None])[0]) @ scores(
        model, PROMPT, rollouts
    )
    learner = Learner(
        estimator=estimator(name), updates=1, algorithm="sgd", lr=lr, weight_decay=0.0,
        max_grad_norm=None, warmup_updates=0,
    )  # fmt: skip
    before = flat(list(model.parameters())).detach().clone()
    batch = Batch(
        prompts=(PROMPT,) * 5, rollouts=rollouts, rewards=rewards,
        groups=np.zeros(5, int), versions=np.zeros(5, int),
    )  # fmt: skip
    rng = np.random.default_rng(0)
    learn(learner, model, learner.optimizer(model), batch, step=0, rng=rng)
    moved = (flat(list(model.parameters())).detach() - before) / lr * lengths
    torch.testing.assert_close(moved, expected, rtol=1e-3, atol=1e-5)


def test_constants_are_unbiased() -> None:
    """The mean over all samples of two passing and two failing rollouts is the truth."""
    rng = np.random.default_rng(1)
    up, down = rng.normal(size=(3, 4)) + 1.0, rng.normal(size=(3, 4))
    passed = np.array([True, False, True, False])
    found = [
        geometry(rows @ rows.T, passed)
        for a, b, c, d in product(range(3), repeat=4)
        for rows in [np.stack([up[a], down[b], up[c], down[d]])]
    ]
    gap = up.mean(0) - down.mean(0)
    mean = np.mean([(g.contrast, g.pass_noise, g.fail_noise) for g in found], axis=0)
    assert mean == pytest.approx([gap @ gap, up.var(0).sum(), down.var(0).sum()])


def test_one_right_answer_has_no_noise() -> None:
    rows = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 3.0], [0.0, 2.0]])
    found = geometry(rows @ rows.T, np.array([True, True, False, False, False]))
    assert found.pass_noise == 0.0
    assert found.fail_noise == pytest.approx(1.0)
    assert found.contrast == pytest.approx(1.0 + (6 + 3 + 2) * 2 / 6)
    assert found.noise == pytest.approx(0.5 / found.contrast)


@pytest.mark.parametrize("passes", [0, 1, 4, 5])
def test_a_variance_needs_two_of_either_outcome(passes: int) -> None:
    with pytest.raises(ValueError, match=f"{passes} rollouts passed and {5 - passes} failed"):
        geometry(np.eye(5), np.arange(5) < passes)


def test_a_metric_weighs_parameters() -> None:
    rows = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert gram(rows).tolist() == [[5.0, 11.0], [11.0, 25.0]]
    assert gram(rows, torch.tensor([1.0, 0.5])).tolist() == [[3.0, 7.0], [7.0, 17.0]]


def test_cosines_use_unbiased_norms() -> None:
    rows = torch.tensor([[3.0, 0.0], [3.0, 4.0], [1.0, 1.0]])
    found = cosines(rows, np.array([4.0, 25.0, -1.0]))
    assert found[0, 1] == pytest.approx(9 / (2 * 5))
    assert found[1, 0] == found[0, 1]
    assert found[0, 0] == found[1, 1] == 1.0
    assert np.isnan(found[2]).all()


def test_the_contrast_is_passing_less_failing() -> None:
    rows = torch.tensor([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0]])
    assert contrast(rows, np.array([True, True, False])).tolist() == [2.0, -5.0]


@pytest.mark.parametrize("passes", range(6))
def test_advantages_weigh_class_means(passes: int) -> None:
    """Passing rollouts together weigh c(K), failing ones -c(K)."""
    N, K = 5, passes
    rewards = (np.arange(N) < K).astype(float)[None]
    expected = {
        "rloo": K * (N - K) / (N * (N - 1)),
        "grpo": np.sqrt(K * (N - K) * (N - 1) / N) / N,
    }
    for name in ("rloo", "grpo"):
        found = coefficients(name, rewards)[0]
        assert found[:K].sum() == pytest.approx(expected[name], abs=1e-5)
        assert found[K:].sum() == pytest.approx(-expected[name], abs=1e-5)


def test_families_take_turns() -> None:
    families = ("b", "b", "a", "b", "a", "c")
    names = tuple(map(str, range(6)))
    some = Prompts(
        keys=names, texts=names, tokens=(PROMPT,) * 6, answers=names, families=families
    )
    assert ordered(some, 4).tolist() == [0, 2, 4, 5]
    assert ordered(some, 5).tolist() == [0, 1, 2, 4, 5]
    assert ordered(some, 60).tolist() == list(range(6))
