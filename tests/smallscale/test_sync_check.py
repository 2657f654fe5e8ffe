import copy
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Int
from transformers import Qwen2ForCausalLM

from smallscale.generation import TransformersEngine
from smallscale.rollouts import Rollouts
from smallscale.sync_check import TOLERANCES, SyncError, check
from tests.smallscale.test_generation import PROMPTS, engine, tiny


class Off(TransformersEngine):
    """An engine whose log-probabilities are wrong by a constant."""

    by = 0.0

    def generate(
        self, prompts: Sequence[Int[np.ndarray, "_"]], rollouts: Int[np.ndarray, "K"], seed: int
    ) -> Rollouts:
        made = super().generate(prompts, rollouts, seed)
        wrong = np.where(made.mask, made.logprobs + self.by, 0.0)
        return Rollouts(made.tokens, wrong, made.lengths, made.finished)


def off(model: Qwen2ForCausalLM, by: float) -> Off:
    ours = Off(model, stop=[3], pad=0, max_tokens=10)
    ours.by = by
    return ours


def test_equal_weights_pass_and_the_difference_is_measured() -> None:
    model = tiny()
    assert 0 <= check(engine(model), model, PROMPTS, seed=0) < 1e-5
    for by in (5e-4, -5e-4):
        assert check(off(model, by), model, PROMPTS, seed=0) == pytest.approx(5e-4, rel=0.02)


def test_stale_weights_are_refused_until_they_are_handed_over() -> None:
    model = tiny()
    stale = copy.deepcopy(model)
    ours = engine(stale)
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(1.01)
    with pytest.raises(SyncError, match="stale"):
        check(ours, model, PROMPTS, seed=0)
    stale.load_state_dict(model.state_dict())
    assert check(ours, model, PROMPTS, seed=0) < 1e-5


def test_a_lm_head_that_stayed_behind_is_refused() -> None:
    """What vLLM's CPU build would do where embeddings are tied."""
    model = tiny()
    stale = copy.deepcopy(model)
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(1.02)
    behind = stale.lm_head.weight.detach().clone()
    stale.load_state_dict(model.state_dict())
    stale.lm_head.weight = torch.nn.Parameter(behind)
    with pytest.raises(SyncError):
        check(engine(stale), model, PROMPTS, seed=0)


def test_the_tolerance_is_the_bound_and_the_message_says_so() -> None:
    model = tiny()
    assert check(off(model, 0.1), model, PROMPTS, seed=0, tolerance=0.11) > 0.09
    expected = re.escape("differ by 0.1 from the trainer's, more than tolerance=0.09")
    with pytest.raises(SyncError, match=expected) as refusal:
        check(off(model, 0.1), model, PROMPTS, seed=0, tolerance=0.09)
    assert "\n" not in str(refusal.value)


def test_no_number_is_no_agreement() -> None:
    model = tiny()
    with pytest.raises(SyncError, match="nan"):
        check(off(model, float("nan")), model, PROMPTS, seed=0)


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_the_tolerance_follows_the_type_of_number(kind: str) -> None:
    model: Any = tiny()
    model.to(getattr(torch, kind))
    assert check(engine(model), model, PROMPTS, seed=0) < TOLERANCES[kind] / 2
    with pytest.raises(SyncError, match=f"tolerance={TOLERANCES[kind]:g}"):
        check(off(model, 3 * TOLERANCES[kind]), model, PROMPTS, seed=0)


def test_the_mean_is_over_tokens_however_rollouts_differ_in_length() -> None:
    model = tiny()
    ours = off(model, 0.1)
    made = ours.generate(PROMPTS, np.ones(4, int), 1)
    assert np.unique(made.lengths).size > 1
    assert check(ours, model, PROMPTS, seed=1, tolerance=1.0) == pytest.approx(0.1, rel=1e-3)


def test_dropout_is_off_and_the_mode_restored() -> None:
    model: Any = tiny().train()
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.5
    assert check(engine(model), model, PROMPTS, seed=0) < 1e-5
    assert model.training
    assert all(weights.grad is None for weights in model.parameters())
