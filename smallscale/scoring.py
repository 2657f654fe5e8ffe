"""Log-probabilities of rollouts under a model, in one forward pass over prompt and rollout.

A vocabulary is large (151,936 for Qwen2.5) and most positions are prompt or padding, so only
the hidden states that a rollout's tokens were drawn from are projected onto it, and no more
than `MOST_LOGITS` logits exist at a time: beyond that they are made in pieces, and made again
in the backward pass. Sequences are padded on the right, where causal attention never looks
back from; hence no attention mask, and the fastest attention kernel.

Axis legend: R rollouts, T tokens of the longest of them, L tokens of the longest sequence,
n tokens of all rollouts, H hidden size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch.utils.checkpoint import checkpoint

from smallscale.rollouts import Rollouts

MOST_LOGITS = 2**27  # 0.5 GiB in float32, and a few times that in the backward pass
RESHAPED = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier")


@dataclass(frozen=True)
class Scored:
    """What a model says of each token of the rollouts; 0 beyond a rollout's length."""

    logprobs: Float[torch.Tensor, "R T"]
    entropy: Float[torch.Tensor, "R T"]  # of the distribution drawn from, in nats; no gradient


def score(model: Any, prompts: Sequence[Int[np.ndarray, "_"]], rollouts: Rollouts) -> Scored:  # noqa: ANN401
    """Log-probabilities, differentiable unless gradients are off, and entropies.

    Args:
        model: A causal language model of transformers.
        prompts: Token ids of each rollout's prompt, one entry per rollout.
        rollouts: R rollouts.

    Raises:
        ValueError: If a prompt is empty, or the model reshapes its logits after projecting.
    """
    _check(model, prompts)
    decoder, head = model.get_decoder(), model.get_output_embeddings()
    device, mask = head.weight.device, rollouts.mask
    ids, before = sequences(prompts, rollouts)
    states = decoder(input_ids=torch.from_numpy(ids).to(device), use_cache=False)
    places = torch.from_numpy(np.flatnonzero(before)).to(device)
    chosen = torch.from_numpy(rollouts.tokens[mask].astype(np.int64)).to(device)
    found = _project(head, states.last_hidden_state.flatten(0, 1)[places], chosen)
    cells = torch.from_numpy(np.flatnonzero(mask)).to(device)
    logprobs, entropy = (
        values.new_zeros(mask.size).index_copy(0, cells, values).view(mask.shape)
        for values in found
    )
    return Scored(logprobs, entropy)


def sequences(
    prompts: Sequence[Int[np.ndarray, "_"]], rollouts: Rollouts
) -> tuple[Int[np.ndarray, "R L"], Bool[np.ndarray, "R L"]]:
    """Token ids of prompts and rollouts, and the positions before each rollout token."""
    ends = np.array([prompt.size for prompt in prompts])[:, None]
    total = ends + rollouts.lengths[:, None]
    place = np.arange(int(total.max()))
    ids = np.zeros((len(ends), place.size), np.int64)
    ids[place < ends] = np.concatenate(prompts)
    ids[(place >= ends) & (place < total)] = rollouts.tokens[rollouts.mask]
    return ids, (place >= ends - 1) & (place < total - 1)


def _check(model: Any, prompts: Sequence[Int[np.ndarray, "_"]]) -> None:  # noqa: ANN401
    if not all(prompt.size for prompt in prompts):
        raise ValueError("a prompt has no token: its first rollout token has no distribution")
    config = getattr(model, "config", None)
    for name in RESHAPED:
        if getattr(config, name, None) not in (None, 1.0):
            raise ValueError(f"{name} of the model's configuration is not supported")


def _project(
    head: torch.nn.Linear, states: Float[torch.Tensor, "n H"], chosen: Int[torch.Tensor, "n"]
) -> tuple[Float[torch.Tensor, "n"], Float[torch.Tensor, "n"]]:
    """Log-probability and entropy of each token, never of too many at a time."""
    tokens, step = chosen.numel(), max(1, MOST_LOGITS // head.out_features)
    if tokens <= step:
        return token_scores(head, states, chosen)
    pieces = zip(states.split(step), chosen.split(step), strict=True)
    parts: list[Any] = [
        checkpoint(token_scores, head, *piece, use_reentrant=False, preserve_rng_state=False)
        for piece in pieces
    ]
    logprobs, entropy = zip(*parts, strict=True)
    return torch.cat(logprobs), torch.cat(entropy)


def token_scores(
    head: torch.nn.Linear, states: Float[torch.Tensor, "n H"], chosen: Int[torch.Tensor, "n"]
) -> tuple[Float[torch.Tensor, "n"], Float[torch.Tensor, "n"]]:
    """Log-probability and entropy of each token, all at a time."""
    logits = head(states)
    exact = logits if logits.dtype == torch.float64 else logits.float()
    every = exact.log_softmax(-1)
    with torch.no_grad():
        entropy = -(every.exp() * every).sum(-1)
    return every.gather(-1, chosen[:, None]).squeeze(-1), entropy
