"""Rollouts of a training step as a person reads them."""

from typing import Any

import numpy as np

from selection import Segments
from selection.groups import group_totals
from smallscale.assembly import Parts
from smallscale.learner import Batch

GROUPS = 3


def readable(parts: Parts, segments: Segments, batch: Batch) -> list[dict[str, Any]]:
    """A few groups of a batch: prompt, answer expected, every rollout and its verdict."""
    _, passes, rollouts = group_totals(segments)
    chosen = np.unique(np.linspace(0, passes.size - 1, GROUPS).round().astype(int))
    texts = np.array(parts.decode(batch.rollouts), object)
    found: list[dict[str, Any]] = []
    for group in chosen.tolist():
        inside = batch.groups == group
        prompt = int(segments.prompts[segments.starts[group]])
        found.append(
            {
                "key": parts.prompts.keys[prompt],
                "prompt": parts.prompts.texts[prompt],
                "answer": parts.prompts.answers[prompt],
                "passes": int(passes[group]),
                "rollouts": int(rollouts[group]),
                "texts": texts[inside].tolist(),
                "passed": (batch.rewards[inside] > 0).tolist(),
                "finished": batch.rollouts.finished[inside].tolist(),
                "versions": batch.versions[inside].tolist(),
            }
        )
    return found
