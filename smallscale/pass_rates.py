"""Pass rates without sampling, where one single rollout passes.

Axis legend: M prompts.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from smallscale.prompts import Prompts
from smallscale.rollouts import Rollouts
from smallscale.scoring import score


def pass_rates_exact(
    model: Any,  # noqa: ANN401
    prompts: Prompts,
    tokenizer: Any,  # noqa: ANN401
    *,
    chunk: int = 512,
) -> Float[np.ndarray, "M"]:
    """Probability of each prompt's answer and the end after it: its pass rate if `task.exact`.

    Args:
        model: A causal language model of transformers.
        prompts: M prompts.
        tokenizer: Its tokenizer.
        chunk: Prompts per forward pass.
    """
    rates = np.empty(len(prompts))
    for start in range(0, len(prompts), chunk):
        part = slice(start, start + chunk)
        answers = rollouts_of(prompts.answers[part], tokenizer)
        with torch.no_grad():
            logprobs = score(model, prompts.tokens[part], answers).logprobs
        rates[part] = logprobs.double().sum(-1).exp().cpu().numpy()
    return rates


def rollouts_of(texts: tuple[str, ...], tokenizer: Any) -> Rollouts:  # noqa: ANN401
    """Texts as rollouts that end by themselves; their log-probabilities are not known: 0."""
    ids = [[*tokenizer.encode(text), tokenizer.eos_token_id] for text in texts]
    lengths = np.array([len(row) for row in ids])
    tokens = np.zeros((len(ids), int(lengths.max())), np.int64)
    for row, known in enumerate(ids):
        tokens[row, : len(known)] = known
    finished = np.ones(len(ids), bool)
    return Rollouts(tokens, np.zeros(tokens.shape), lengths, finished)
