"""Every outcome of a small group, with its probability: the exact means the tests rest on.

Scores lie on a line and each is its class mean plus or minus the class deviation, equally
likely: the distribution on fewest points that has any D, V1 and V0.
"""

import itertools
from collections.abc import Callable

import numpy as np
from jaxtyping import Float


def reward_vectors(size: int) -> Float[np.ndarray, "S N"]:
    """All 2^N outcomes of a group of binary rewards."""
    return np.array(list(itertools.product((0.0, 1.0), repeat=size)))


def chances(rewards: Float[np.ndarray, "S N"], rate: float) -> Float[np.ndarray, "S"]:
    return np.where(rewards == 1.0, rate, 1.0 - rate).prod(axis=1)


def gradient_moments(
    advantage: Callable[[Float[np.ndarray, "S N"]], Float[np.ndarray, "S N"]],
    rate: float,
    size: int,
    D: float = 1.0,
    V1: float = 0.0,
    V0: float = 0.0,
) -> tuple[float, float]:
    """Mean and variance of the mean over the group of advantage times score."""
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=size)))
    rewards = np.repeat(reward_vectors(size), len(signs), axis=0)
    noise = np.tile(signs, (2**size, 1))
    passing = rewards == 1.0
    scores = np.where(
        passing, (1.0 - rate) * D + np.sqrt(V1) * noise, -rate * D + np.sqrt(V0) * noise
    )
    weights = chances(rewards, rate) / len(signs)
    estimate = (advantage(rewards) * scores).mean(axis=1)
    mean = weights @ estimate
    return float(mean), float(weights @ (estimate - mean) ** 2)
