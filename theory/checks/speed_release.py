"""SPEED: what the rules of the released code come to (Zanette-Labs/speed-rl @ 80e47b5)."""

from collections import deque

import numpy as np
from jaxtyping import Float

from theory import limits
from theory.finding import Finding, agree, everywhere
from theory.published import dapo1k_passes, reported


def _ages(accepted: int, batches: int) -> Float[np.ndarray, "T 2"]:
    """Training steps since screening and continuation of each group trained on.

    Every screen of a loader batch of prompts accepts equally many. The engine call that
    screens also continues what was accepted before, a multiple of the GPUs; training takes
    the oldest complete groups, and no call is made while there are enough of them.
    """
    groups, gpus = int(reported("speed.batch_prompts")), int(reported("speed.gpus"))
    pending: deque[int] = deque()
    complete: deque[tuple[int, int]] = deque()
    ages: list[tuple[int, int]] = []
    step = 0
    while step < batches:
        if len(complete) < groups:
            for _ in range(len(pending) - len(pending) % gpus):
                complete.append((pending.popleft(), step))
            pending.extend([step] * accepted)
        else:
            taken = [complete.popleft() for _ in range(groups)]
            ages += [(step - screened, step - continued) for screened, continued in taken]
            step += 1
    return np.array(ages, float)


def staleness() -> Finding:
    """SPEED-11: age in training steps of the rollouts trained on; 0 if on-policy."""
    said: list[str] = []
    oldest = 0.0
    for model in ("1.5B", "7B"):
        share = limits.mixed_share(limits.Sample(dapo1k_passes(model) / 32.0), 4)
        ages = _ages(round(reported("speed.loader_prompts") * share), 400)[800:]
        mean, most = ages.mean(axis=0), ages.max(axis=0)
        oldest = max(oldest, float(most[0]))
        said.append(
            f"{model} {mean[0]:.1f}/{mean[1]:.1f} (at most {most[0]:.0f}/{most[1]:.0f})"
        )
    agree(_ages(16, 50)[-1], [1.0, 0.0])  # a batch a call: screened one step before
    return everywhere(
        oldest == 0.0,
        "training steps since screening/continuation, at the mean acceptance: "
        + ", ".join(said),
    )


def updates_per_step() -> Finding:
    """SPEED-59: optimizer updates per training step of SPEED and of its baselines."""
    rollouts = reported("speed.batch_prompts") * reported("speed.group")

    def updates(generated_per_prompt: float) -> float:
        return rollouts / (reported("speed.mini_batch_prompts") * generated_per_prompt)

    base = updates(reported("speed.group"))
    ours = [updates(screening) for screening in (4.0, 6.0, 8.0)]
    return everywhere(
        np.isclose(ours, base),
        f"baseline {base:.0f}; SPEED with N_init 4/6/8 "
        f"{ours[0]:.0f}/{ours[1]:.0f}/{ours[2]:.0f}",
    )


def inference_share() -> Finding:
    """SPEED-19: inference in the reported seconds of a training step."""
    inference, training = (
        reported("speed.inference_seconds"),
        reported("speed.training_seconds"),
    )
    share = inference / (inference + training)
    return everywhere(
        share > 2.0 / 3.0, f"{inference}/{inference + training:.1f} = {share:.3f}"
    )
