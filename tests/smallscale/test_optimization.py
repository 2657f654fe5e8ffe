from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selection.settings import change
from smallscale.optimization import Learner, descend, micro_batches
from tests.smallscale.policies import Arms, qwen


@given(rollouts=st.integers(1, 40), size=st.integers(1, 50))
def test_mini_batches_are_counted_in_rollouts(rollouts: int, size: int) -> None:
    """All but the last have the size asked for, and every rollout is in one of them."""
    parts = Learner(mini_batch=size).mini_batches(rollouts, np.random.default_rng(0))
    assert len(parts) == -(-rollouts // size)
    assert {part.size for part in parts[:-1]} <= {size}
    assert sorted(np.concatenate(parts).tolist()) == list(range(rollouts))


@given(rollouts=st.integers(1, 40), updates=st.integers(1, 50))
def test_updates_share_the_rollouts_evenly(rollouts: int, updates: int) -> None:
    parts = Learner(updates=updates).mini_batches(rollouts, np.random.default_rng(0))
    assert len(parts) == min(updates, rollouts)
    assert max(part.size for part in parts) - min(part.size for part in parts) <= 1
    assert sorted(np.concatenate(parts).tolist()) == list(range(rollouts))


def test_the_released_speed_takes_six_updates_of_its_batch() -> None:
    """16 groups of 24 in mini-batches of 16 times N_init = 4; the baseline takes one."""
    rng = np.random.default_rng(0)
    assert len(Learner(mini_batch=64).mini_batches(384, rng)) == 6
    assert len(Learner(mini_batch=384).mini_batches(384, rng)) == 1


def test_mini_batches_are_shuffled_by_the_generator_given() -> None:
    def drawn(seed: int) -> list[list[int]]:
        parts = Learner(updates=2).mini_batches(20, np.random.default_rng(seed))
        return [part.tolist() for part in parts]

    assert drawn(1) == drawn(1) != drawn(2)
    assert drawn(1)[0] != list(range(10))


@given(tokens=st.lists(st.integers(1, 30), min_size=1, max_size=30), most=st.integers(1, 99))
def test_micro_batches_hold_as_many_tokens_as_they_may(tokens: list[int], most: int) -> None:
    lengths = np.array(tokens)
    parts = list(micro_batches(lengths, most))
    assert sorted(np.concatenate(parts).tolist()) == list(range(lengths.size))
    for part in parts:
        assert part.size == 1 or part.size * lengths[part].max() <= most
    for part, after in pairwise(parts):
        assert (part.size + 1) * lengths[part].max() > most
        assert lengths[part].min() >= lengths[after].max()


def test_the_learning_rate_rises_and_stays() -> None:
    learner = Learner(updates=1, lr=0.4, warmup_updates=4)
    np.testing.assert_allclose(
        [learner.rate(n) for n in range(6)], [0.1, 0.2, 0.3, 0.4, 0.4, 0.4]
    )
    assert Learner(updates=1, lr=0.4, warmup_updates=0).rate(0) == 0.4


def test_defaults_are_those_of_speed() -> None:
    learner = Learner(updates=1)
    assert (learner.lr, learner.warmup_updates, learner.weight_decay) == (1e-6, 10, 0.1)
    assert (learner.max_grad_norm, learner.algorithm) == (1.0, "adamw")


def test_the_optimizer_follows_the_settings() -> None:
    settings: dict[str, Any] = {
        "lr": 0.1,
        "betas": (0.8, 0.9),
        "eps": 1e-4,
        "weight_decay": 0.3,
    }
    adamw = Learner(updates=1, **settings).optimizer(Arms([0.0, 1.0]))
    assert isinstance(adamw, torch.optim.AdamW)
    assert settings.items() <= adamw.defaults.items()
    sgd = Learner(updates=1, algorithm="sgd", **settings).optimizer(Arms([0.0, 1.0]))
    assert isinstance(sgd, torch.optim.SGD)
    assert (sgd.defaults["weight_decay"], sgd.defaults["momentum"]) == (0.3, 0)


def test_frozen_parameters_are_left_out() -> None:
    model = qwen()
    model.model.embed_tokens.weight.requires_grad_(requires_grad=False)
    kept = Learner(updates=1).optimizer(model).param_groups[0]["params"]
    assert len(kept) == len(list(model.parameters())) - 1


def test_weights_that_would_not_move_are_refused() -> None:
    """1 + 1e-6 is 1 in bfloat16, and in float16."""
    for dtype in (torch.bfloat16, torch.float16):
        with pytest.raises(ValueError, match="load the model in float32"):
            Learner(updates=1).optimizer(qwen(dtype))


def test_no_memory_for_the_state_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = Learner(updates=1)
    optimizer = learner.optimizer(Arms([0.0, 1.0]))

    def full() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 12 GiB")

    monkeypatch.setattr(optimizer, "step", full)
    with pytest.raises(ValueError, match="out of memory for the optimizer's state"):
        descend(optimizer, learner)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "set one of them"),
        ({"updates": 1, "mini_batch": 4}, "updates=1 and mini_batch=4"),
        ({"updates": 0}, "updates=0"),
        ({"mini_batch": 0}, "mini_batch=0"),
        ({"updates": 1, "micro_tokens": 0}, "micro_tokens=0"),
        ({"updates": 1, "warmup_updates": -1}, "warmup_updates=-1"),
        ({"updates": 1, "lr": 0.0}, "lr=0.0"),
        ({"updates": 1, "eps": 0.0}, "eps=0.0"),
        ({"updates": 1, "betas": (0.9, 1.0)}, "beta2=1.0"),
        ({"updates": 1, "weight_decay": -0.1}, "weight_decay=-0.1"),
        ({"updates": 1, "max_grad_norm": 0.0}, "max_grad_norm=0.0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Learner(**settings)


def test_settings_can_be_changed_by_text() -> None:
    changed = change(Learner(updates=1), {"lr": "0.1", "clip_high": "0.3", "betas": "0.5/0.6"})
    assert (changed.lr, changed.estimator.clip_high, changed.betas) == (0.1, 0.3, (0.5, 0.6))
