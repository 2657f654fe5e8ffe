r"""Skipping prompts by their history: how often they return, and what is then generated.

GRESO (arXiv:2506.02177) skips a prompt whose last $z$ groups were zero-variance with
probability $1 - p_e^z$, where $p_e$ is the exploration probability. Infini-AI-Lab/GRESO @
b2778431 keeps it with probability $\max(p_e^z, f)$ instead, with the floor $f = 0.01$; here
$f = 0$ is the paper's rule. What follows is derived here, exactly, for a prompt that is
considered once an epoch and whose groups are zero-variance with a constant probability $w$,
independently. Two consequences:

- a prompt that is always zero-variance is visited at most $\log_{1/p_e}(T(1/p_e - 1) + 1)$
  times in $T$ epochs, on average, if there is no floor;
- without a floor, a prompt with $w \ge p_e$ is visited in a share of the epochs that tends
  to 0, even though it is sometimes mixed. The floor is what keeps it within reach.

`theory.consistency` says how well a history predicts, `theory.refilling` what a batch costs.
"""

import numpy as np
from jaxtyping import Float

from theory.domain import (
    Numbers,
    checked_count,
    checked_positive,
    checked_share,
    checked_weights,
)


def skip_probability(
    explore: Numbers, streak: Numbers, floor: Numbers = 0.0
) -> Float[np.ndarray, "*#P"]:
    r"""Chance $1 - \max(p_e^z, f)$ that a prompt is not rolled out; 0 if its streak is 0.

    Args:
        explore: Exploration probability $p_e$.
        streak: Zero-variance groups $z$ since the last mixed one, or since the first.
        floor: Least chance $f$ of being kept.

    Raises:
        ValueError: If a probability lies outside [0, 1] or a streak is not a whole number.
    """
    return np.asarray(1.0 - _keep(explore, streak, floor))


def _keep(explore: Numbers, streak: Numbers, floor: Numbers) -> Float[np.ndarray, "*#P"]:
    p_e, z = checked_share(explore, "explore"), checked_count(streak, "streak")
    return np.asarray(np.maximum(p_e**z, checked_share(floor, "floor")))


def expected_gap(
    explore: Numbers, streak: Numbers, floor: Numbers = 0.0
) -> Float[np.ndarray, "*#P"]:
    r"""Mean epochs $\min(p_e^{-z}, 1/f)$ from one visit of a prompt to the next.

    Raises:
        ValueError: If a probability lies outside [0, 1] or a streak is not a whole number.
    """
    keep = _keep(explore, streak, floor)
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(1.0 / keep)


def visit_distribution(
    keep: Float[np.ndarray, "*P Z"], epochs: int
) -> Float[np.ndarray, "*P V"]:
    """Chances of 0, 1, .. `epochs` visits, if z visits so far make the next keep[z] likely.

    A pure birth process, by dynamic programming in time proportional to the square of epochs.

    Raises:
        ValueError: If a chance lies outside [0, 1], or there are fewer of them than epochs.
    """
    steps = int(checked_count(epochs, "epochs"))
    if keep.shape[-1] < steps:
        raise ValueError(f"{steps} epochs need as many chances to be kept, not {keep.shape}")
    chance = np.zeros((*keep.shape[:-1], steps + 1))
    chance[..., 0] = 1.0
    for _ in range(steps):
        moved = chance[..., :-1] * checked_share(keep, "keep")[..., :steps]
        chance[..., :-1] -= moved
        chance[..., 1:] += moved
    return chance


def expected_visits(
    explore: Numbers, epochs: int, floor: Numbers = 0.0
) -> Float[np.ndarray, "*#P"]:
    """Mean visits in so many epochs of a prompt whose every group is zero-variance.

    Raises:
        ValueError: If a probability lies outside [0, 1] or epochs is not a whole number.
    """
    streaks = np.arange(int(checked_count(epochs, "epochs")))
    p_e, f = (np.asarray(x, float)[..., None] for x in (explore, floor))
    return np.asarray(
        visit_distribution(_keep(p_e, streaks, f), epochs) @ np.arange(epochs + 1)
    )


def visits_bound(explore: Numbers, epochs: Numbers) -> Float[np.ndarray, "*#P"]:
    r"""$\log_{1/p_e}(T(1/p_e - 1) + 1)$, never less than `expected_visits` without a floor.

    The mean of $p_e^{-\mathrm{visits}}$ grows by exactly $1/p_e - 1$ an epoch, and Jensen's
    inequality does the rest. With a floor visits grow linearly in the end and exceed it.

    Raises:
        ValueError: If a probability lies outside [0, 1] or epochs is not a whole number.
    """
    p_e, T = checked_share(explore, "explore"), checked_count(epochs, "epochs")
    inside = np.where((p_e > 0.0) & (p_e < 1.0), p_e, 0.5)
    later = np.maximum(T - 1.0, 0.0)
    returns = np.log1p(later * (1.0 - inside)) / -np.log(inside)
    returns = np.where(p_e == 1.0, later, np.where(p_e == 0.0, 0.0, returns))
    return np.asarray(np.minimum(T, 1.0) + returns)


def visit_rate(
    zero_variance: Numbers, explore: Numbers, floor: Numbers = 0.0
) -> Float[np.ndarray, "*#P"]:
    r"""Share of the epochs, in the long run, in which a prompt is visited.

    Between two mixed groups it is visited $1/(1-w)$ times in $\sum_z w^z \min(p_e^{-z}, 1/f)$
    epochs. Without a floor this is $(1 - w/p_e)/(1 - w)$, and 0 from $w = p_e$ on.

    Args:
        zero_variance: Chance $w$ that a group of the prompt is zero-variance.
        explore: Exploration probability $p_e$.
        floor: Least chance $f$ of being kept.

    Raises:
        ValueError: If a probability lies outside [0, 1].
    """
    w, p_e = checked_share(zero_variance, "zero_variance"), checked_share(explore, "explore")
    f = checked_share(floor, "floor")
    always = (p_e == 1.0) | (f == 1.0)
    rate = np.where(f == 0.0, _endless_rate(w, p_e), _floored_rate(w, p_e, f))
    return np.asarray(np.where(always, 1.0, rate))


def _endless_rate(w: Numbers, p_e: Numbers) -> Float[np.ndarray, "*#P"]:
    never = np.asarray((w > 0.0) & (w >= p_e))
    base = np.where(never | (p_e == 0.0), 1.0, p_e)
    return np.asarray(np.where(never, 0.0, (1.0 - w / base) / (1.0 - np.where(never, 0.0, w))))


def _floored_rate(w: Numbers, p_e: Numbers, f: Numbers) -> Float[np.ndarray, "*#P"]:
    """1 / [(1-w) sum_{z<Z} (w/p_e)^z + w^Z/f], Z the first streak of which the floor keeps."""
    base = np.where((p_e > 0.0) & (p_e < 1.0), np.maximum(p_e, np.finfo(float).tiny), 0.5)
    least = np.where((f > 0.0) & (f < 1.0), f, 0.5)
    Z = np.where(p_e == 0.0, 1.0, np.ceil(np.log(least) / np.log(base)))
    mixed = np.asarray((w > 0.0) & (w < 1.0))
    log = np.log(np.where(mixed, w, base)) - np.log(base)
    with np.errstate(over="ignore"):
        ratio = np.expm1(Z * log) / np.where(log == 0.0, 1.0, np.expm1(log))
        total = np.where((Z == 1.0) | ~mixed, 1.0, np.where(log == 0.0, Z, ratio))
        return np.asarray(1.0 / ((1.0 - w) * total + w**Z / least))


def trained_share(
    zero_variance: Float[np.ndarray, "M"],
    explore: float,
    floor: float = 0.0,
    weights: Float[np.ndarray, "M"] | None = None,
) -> float:
    r"""Share of mixed groups among those generated in the long run.

    With `explore` 1 nothing is skipped and this is the mean of $1 - w$, dynamic sampling's.

    Args:
        zero_variance: Chance $w$ that a group is zero-variance, per prompt.
        explore: Exploration probability $p_e$.
        floor: Least chance of being kept.
        weights: Of the prompts; equal by default.

    Raises:
        ValueError: If a probability lies outside [0, 1], or in the long run nothing is
            generated.
    """
    rates = checked_weights(weights, zero_variance.size)
    rates = rates * visit_rate(zero_variance, explore, floor)
    if rates.sum() == 0.0:
        raise ValueError(f"no prompt is visited for ever at {explore=} and {floor=}")
    return float(rates @ (1.0 - zero_variance) / rates.sum())


def explore_path(
    explore: float,
    shares: Float[np.ndarray, "T"],
    target: float,
    *,
    step: float = 0.01,
    least: float = 0.05,
    most: float = 0.95,
) -> Float[np.ndarray, "T1"]:
    """Exploration probability before the first and after each of T training steps.

    It falls by `step` where the share is at least the target and rises by it elsewhere, as
    in Infini-AI-Lab/GRESO @ b2778431, whose bounds and step are the defaults. An integrator
    of a sign: under a constant share it ends at a bound, however close that is to the target.

    Raises:
        ValueError: If a probability lies outside [0, 1], the start lies outside the bounds or
            the step is not positive.
    """
    share, goal = checked_share(shares, "shares"), checked_share(target, "target")
    low, high = float(checked_share(least, "least")), float(checked_share(most, "most"))
    size = float(checked_positive(step, "step"))
    if not low <= explore <= high:
        raise ValueError(f"explore lies in [{low:g}, {high:g}], not {explore:g}")
    path = [explore]
    for falls in share >= goal:
        path.append(max(path[-1] - size, low) if falls else min(path[-1] + size, high))
    return np.array(path)


def ripple(step: Numbers, delay: Numbers = 0) -> Float[np.ndarray, "*#P"]:
    r"""Height $(2d+1)\Delta$ of the oscillation that `explore_path` ends in.

    Holds if the share is an increasing function of the exploration probability $d$ training
    steps ago that passes the target more than $(d+1)\Delta$ away from the bounds. Where it
    does not pass the target the path ends at a bound and does not oscillate.

    Raises:
        ValueError: If the step is not positive or the delay not a whole number.
    """
    return np.asarray(
        (2.0 * checked_count(delay, "delay") + 1) * checked_positive(step, "step")
    )
