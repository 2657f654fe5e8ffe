"""Small policies to score and to train, and batches of their rollouts."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn
from transformers import Qwen2Config, Qwen2ForCausalLM

from smallscale.learner import Batch
from smallscale.rollouts import Rollouts
from smallscale.scoring import score

VOCABULARY = 11
Knobs: TypeAlias = Any  # settings by name, and models, which come without types


def qwen(dtype: torch.dtype = torch.float64, seed: int = 0, **changes: Knobs) -> Knobs:
    """A model of two layers with weights so large that its predictions are far from equal."""
    sizes: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 64,
        "tie_word_embeddings": True,
    }
    with torch.random.fork_rng(devices=[]):
        model: Knobs = Qwen2ForCausalLM(Qwen2Config(**(sizes | changes)))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
    return model.to(dtype).eval()


class Arms(nn.Module):
    """A policy of one token, whose logits are its parameters whatever the prompt says."""

    def __init__(self, logits: Sequence[float]) -> None:
        super().__init__()
        self.head = nn.Linear(1, len(logits), bias=False, dtype=torch.float64)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor(logits)[:, None])

    @property
    def logits(self) -> Float[np.ndarray, "A"]:
        return self.head.weight.detach().numpy()[:, 0].copy()

    def get_decoder(self) -> Knobs:
        def decode(input_ids: torch.Tensor, *, use_cache: bool) -> SimpleNamespace:
            assert not use_cache
            states = torch.ones(*input_ids.shape, 1, dtype=torch.float64)
            return SimpleNamespace(last_hidden_state=states)

        return decode

    def get_output_embeddings(self) -> nn.Module:
        return self.head


def sampled(lengths: Sequence[int], rng: np.random.Generator) -> Rollouts:
    """Rollouts of random tokens, with log-probabilities of 0."""
    sizes = np.array(lengths)
    mask = np.arange(sizes.max()) < sizes[:, None]
    tokens = np.where(mask, rng.integers(1, VOCABULARY, mask.shape), 0)
    return Rollouts(tokens, np.zeros(mask.shape), sizes, np.ones(sizes.size, bool))


def one_token(arms: Int[np.ndarray, "R"], logprobs: Float[np.ndarray, "R"]) -> Rollouts:
    """Rollouts of `Arms`."""
    ones = np.ones(arms.size, int)
    return Rollouts(arms[:, None], logprobs[:, None], ones, ones.astype(bool))


def uneven_batch(model: Knobs, seed: int = 0) -> Batch:
    """Fresh rollouts of random tokens in groups of 4, 1, 3 and 2, rewarded at random."""
    rng = np.random.default_rng(seed)
    groups = np.repeat([7, 3, 5, 4], [4, 1, 3, 2])
    prompts = {group: rng.integers(1, VOCABULARY, 1 + group % 4) for group in (7, 3, 5, 4)}
    rollouts = sampled(rng.integers(1, 6, groups.size).tolist(), rng)
    asked = tuple(prompts[group] for group in groups.tolist())
    with torch.no_grad():
        logprobs = score(model, asked, rollouts).logprobs.double().numpy()
    whole = Rollouts(rollouts.tokens, logprobs, rollouts.lengths, rollouts.finished)
    rewards = rng.integers(0, 2, groups.size).astype(float)
    rewards[0], rewards[1] = 0.0, 1.0
    return Batch(asked, whole, rewards, groups, np.zeros(groups.size, int))


def gradient(model: nn.Module) -> Float[torch.Tensor, "n"]:
    """The gradient of all parameters, one after another."""
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def weights(model: nn.Module) -> Float[torch.Tensor, "n"]:
    """A copy of all parameters, one after another."""
    return torch.cat([p.detach().flatten() for p in model.parameters()]).clone()
