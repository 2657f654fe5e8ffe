r"""Temporal consistency: what earlier zero-variance groups say about the present one.

GRESO (arXiv:2506.02177, Figure 3a) plots per epoch the share of the prompts that are
zero-variance now which were so in any earlier epoch, and the share of those with such a past
which are so now. Here groups are independent given the probabilities $w$ of being
zero-variance, so whatever dependence remains is heterogeneity of the prompts. In a *static*
population $w$ is constant in time, and then, exactly,

- the first share rises with the epochs and the second falls;
- their ratio, P(any previous) / P(now), starts at 1 and rises.

The published second curve rises from .769 to .798 and its first ratio is .71: the population
drifts. `implied_shares` reads from the two curves how much, without any assumption.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import betaln

from theory.domain import (
    Numbers,
    checked_count,
    checked_positive,
    checked_share,
    checked_sizes,
    checked_weights,
)


class Consistency(NamedTuple):
    """Shares of the prompts in the epochs after the first."""

    now: Float[np.ndarray, "*K"]  # zero-variance in this epoch
    any_previous: Float[np.ndarray, "*K"]  # in one before it
    both: Float[np.ndarray, "*K"]

    def previous_given_now(self) -> Float[np.ndarray, "*K"]:
        """Share of the prompts that are zero-variance now which were so before."""
        return np.asarray(self.both / self.now)

    def now_given_previous(self) -> Float[np.ndarray, "*K"]:
        """Share of the prompts that were zero-variance before which are so now."""
        return np.asarray(self.both / self.any_previous)


def drifting_consistency(
    zero_variance: Float[np.ndarray, "E M"], weights: Float[np.ndarray, "M"] | None = None
) -> Consistency:
    """Temporal consistency in epochs 2 .. E of a population whose pass rates move.

    Args:
        zero_variance: Chance that the group of an epoch (rows) is zero-variance, per prompt.
        weights: Of the prompts; equal by default.

    Raises:
        ValueError: If a chance lies outside [0, 1], or those of an epoch are all 0.
    """
    w = checked_share(zero_variance, "zero_variance")
    share = checked_weights(weights, w.shape[-1])
    before = 1.0 - np.cumprod(1.0 - w, axis=0)[:-1]
    if not (w @ share).all():
        raise ValueError("zero_variance is 0 for every prompt of an epoch")
    return Consistency(w[1:] @ share, before @ share, (w[1:] * before) @ share)


def static_consistency(
    zero_variance: Float[np.ndarray, "M"],
    previous: Int[np.ndarray, "*K"] | int,
    weights: Float[np.ndarray, "M"] | None = None,
) -> Consistency:
    r"""Temporal consistency after so many earlier visits to prompts that do not change.

    P(previous | now) is $E[w(1-(1-w)^k)] / E[w]$, P(now | previous) has the denominator
    $E[1-(1-w)^k]$.

    Args:
        zero_variance: Chance $w$ that a group is zero-variance, per prompt.
        previous: Visits $k$ before the present one.
        weights: Of the prompts; equal by default.

    Raises:
        ValueError: If a chance lies outside [0, 1], all are 0, or previous is no whole
            number, at least 1.
    """
    w = checked_share(zero_variance, "zero_variance")
    k = checked_count(previous, "previous", least=1)[..., None]
    share = checked_weights(weights, w.size)
    if not w @ share:
        raise ValueError("zero_variance is 0 for every prompt")
    before = np.asarray(1.0 - (1.0 - w) ** k)
    now = np.full(before.shape[:-1], w @ share)
    return Consistency(now, np.asarray(before @ share), np.asarray((w * before) @ share))


def streak_persistence(
    zero_variance: Float[np.ndarray, "M"],
    streak: Int[np.ndarray, "*K"] | int,
    weights: Float[np.ndarray, "M"] | None = None,
) -> Float[np.ndarray, "*K"]:
    r"""Chance $E[w^{z+1}(1-w)]/E[w^z(1-w)]$ that a streak goes on, in a static population.

    The streak of $z$ began after a mixed group. GRESO skips with probability $1 - p_e^z$; the
    chance is no such power in general, but never falls as the streak grows.

    Raises:
        ValueError: If a chance lies outside [0, 1] or no prompt can have such a streak.
    """
    w = checked_share(zero_variance, "zero_variance")
    z = checked_count(streak, "streak")[..., None]
    had = w**z * (1.0 - w) * checked_weights(weights, w.size)
    if not had.sum(axis=-1).all():
        raise ValueError(f"no prompt ends a streak of {streak}")
    return np.asarray((had * w).sum(axis=-1) / had.sum(axis=-1))


class Persistence(NamedTuple):
    """Chances that the next group is zero-variance, or the same."""

    zero_variance: Float[np.ndarray, "*P"]  # after a zero-variance group
    mixed: Float[np.ndarray, "*P"]  # after a mixed one
    all_fail: Float[np.ndarray, "*P"]  # all fail again after an all-fail group
    all_pass: Float[np.ndarray, "*P"]  # all pass again after an all-pass group


def belief_persistence(alpha: Numbers, beta: Numbers, rollouts: Numbers) -> Persistence:
    r"""Persistence from one visit to the next where pass rates are Beta and do not move.

    All-fail groups follow one another with $B(\alpha, \beta+2N)/B(\alpha, \beta+N)$, and so
    on: the temporal consistency that heterogeneity alone accounts for.

    Raises:
        ValueError: If alpha or beta is not positive or a group has less than 2 rollouts.
    """
    a, b = checked_positive(alpha, "alpha"), checked_positive(beta, "beta")
    N = checked_sizes(rollouts, least=2)

    def chance(passes: Numbers, failures: Numbers) -> Float[np.ndarray, "*#P"]:
        return np.asarray(np.exp(betaln(a + passes, b + failures) - betaln(a, b)))

    fail, full = chance(0, N), chance(N, 0)
    again, still = chance(0, 2 * N), chance(2 * N, 0)
    once, twice = fail + full, again + still + 2.0 * chance(N, N)
    return Persistence(twice / once, (once - twice) / (1.0 - once), again / fail, still / full)


def implied_shares(
    previous_given_now: Float[np.ndarray, "K"], now_given_previous: Float[np.ndarray, "K"]
) -> Float[np.ndarray, "K1"]:
    r"""Zero-variance share of each epoch from the first on, relative to the first.

    With $A_e$ the share that was zero-variance before epoch $e$ and $Z_e$ that of the epoch,
    Bayes' rule gives $Z_e = A_e\,\mathrm{P(now|prev)}_e / \mathrm{P(prev|now)}_e$, and
    $A_{e+1} = A_e + Z_e (1 - \mathrm{P(prev|now)}_e)$ starts at $A_2 = Z_1$. It is
    bookkeeping and needs no model. In a static population every entry is 1.

    Raises:
        ValueError: If a share lies outside [0, 1] or the first kind is 0.
    """
    backward = checked_share(previous_given_now, "previous_given_now")
    forward = checked_share(now_given_previous, "now_given_previous")
    if not backward.all():
        raise ValueError("previous_given_now is positive, not 0")
    shares, before = [1.0], 1.0
    for back, ahead in zip(backward, forward, strict=True):
        shares.append(before * ahead / back)
        before += shares[-1] * (1.0 - back)
    return np.array(shares)
