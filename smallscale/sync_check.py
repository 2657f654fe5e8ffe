"""Whether an engine samples from the policy that is trained.

An engine with weights of its own can fall behind without a sign: rewards still come in, and
every importance ratio is quietly wrong. So after weights are handed over, the engine generates
a few rollouts, and what it says of their tokens is held against what the trainer says:

    difference = mean over tokens of |log p_engine - log p_trainer|

The mean rather than the largest, because in bfloat16 single improbable tokens differ by tenths
between two correct implementations. What a check can see is bounded by that noise: weights
behind by one update of a small learning rate pass in bfloat16, and are caught once what is
missing has added up to the tolerance.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from smallscale.generation import sampling
from smallscale.rollouts import Engine, Rollouts
from smallscale.scoring import score

# Between equal weights, transformers and vLLM on a CPU differ by 2e-6 in float32; the tolerance
# leaves room for the kernels of a GPU. bfloat16 has 8 bits: logits near 16 are rounded to 1/16.
TOLERANCES: Mapping[str, float] = MappingProxyType(
    {"float32": 1e-3, "float16": 0.02, "bfloat16": 0.05}
)


class SyncError(ValueError):
    """An engine that samples from another policy than the trainer's."""


def check(
    engine: Engine,
    model: Any,  # noqa: ANN401
    prompts: Sequence[Int[np.ndarray, "_"]],
    *,
    seed: int,
    tolerance: float | None = None,
) -> float:
    """The mean absolute difference of log-probabilities, in nats a token.

    Args:
        engine: What generates.
        model: What is trained.
        prompts: The probe: one rollout of each is generated and scored, one at a time.
        seed: Of the probe's rollouts.
        tolerance: The largest difference that passes, from `TOLERANCES` where the engine's
            precision is lower than that of the model's weights; None takes theirs.

    Raises:
        SyncError: The difference exceeds the tolerance, or is no number.
    """
    kind = str(next(model.parameters()).dtype).removeprefix("torch.")
    allowed = TOLERANCES[kind] if tolerance is None else tolerance
    rollouts = engine.generate(prompts, np.ones(len(prompts), int), seed)
    difference = _difference(model, prompts, rollouts)
    if not difference <= allowed:  # NaN is no agreement either
        raise SyncError(
            f"after the weight sync, log-probabilities of the engine differ by {difference:.3g}"
            f" from the trainer's, more than tolerance={allowed:g}: the engine's weights are"
            " stale (a tied lm_head is forgotten easily), or its precision is lower"
        )
    return difference


@torch.no_grad()
def _difference(
    model: Any,  # noqa: ANN401
    prompts: Sequence[Int[np.ndarray, "_"]],
    rollouts: Rollouts,
) -> float:
    """The mean over all tokens; rollouts are scored singly, for logits take much memory."""
    total = 0.0
    with sampling(model):
        for row, prompt in enumerate(prompts):
            one = rollouts.take(slice(row, row + 1))
            ours = score(model, [prompt], one).logprobs.cpu().numpy()
            total += float(np.abs(ours - one.logprobs).sum())
    return total / int(rollouts.lengths.sum())
