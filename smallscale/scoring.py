"""Log-probabilities of rollouts under a model, in one forward pass over prompt and rollout.

Axis legend: R rollouts, T tokens of the longest of them, L tokens of the longest sequence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from smallscale.rollouts import Rollouts


@dataclass(frozen=True)
class Scored:
    """What a model says of each token of the rollouts; 0 beyond a rollout's length."""

    logprobs: Float[torch.Tensor, "R T"]
    entropy: Float[torch.Tensor, "R T"]  # of the distribution the token was drawn from, in nats


def score(model: Any, prompts: Sequence[Int[np.ndarray, "P"]], rollouts: Rollouts) -> Scored:  # noqa: ANN401
    """Log-probabilities and entropies, differentiable unless gradients are off.

    Sequences are padded on the right, where causal attention never looks back from.

    Args:
        model: A causal language model of transformers.
        prompts: Token ids of each rollout's prompt, one entry per rollout.
        rollouts: R rollouts.
    """
    device = next(model.parameters()).device
    ends = np.array([prompt.size for prompt in prompts])
    total = ends + rollouts.lengths
    ids = np.zeros((total.size, int(total.max())), np.int64)
    for row, (prompt, end) in enumerate(zip(prompts, ends, strict=True)):
        ids[row, :end] = prompt
        ids[row, end : total[row]] = rollouts.tokens[row, : rollouts.lengths[row]]
    inputs = torch.from_numpy(ids).to(device)
    seen = torch.from_numpy(np.arange(ids.shape[1]) < total[:, None]).to(device)
    logits = model(input_ids=inputs, attention_mask=seen, use_cache=False).logits
    # The distribution of a rollout's token t stands at the position before it.
    width = rollouts.tokens.shape[1]
    place = torch.from_numpy(ends[:, None] - 1 + np.arange(width)).to(device)
    mask = torch.from_numpy(rollouts.mask).to(device)
    place = place.masked_fill(~mask, 0)
    rows = torch.arange(total.size, device=device)[:, None]
    every = logits[rows, place].float().log_softmax(-1)
    chosen = torch.from_numpy(rollouts.tokens.astype(np.int64)).to(device)
    logprobs = every.gather(-1, chosen[..., None]).squeeze(-1)
    entropy = -(every.exp() * every).sum(-1)
    return Scored(logprobs.masked_fill(~mask, 0.0), entropy.masked_fill(~mask, 0.0))
