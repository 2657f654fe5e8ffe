r"""What it takes to fill a batch when zero-variance groups are dropped.

Dynamic sampling (DAPO, arXiv:2503.14476) orders $G$ prompts at a time until $B$ of their
groups are mixed, each with the probability $s$, independently: whole orders are paid for, so
that the cost per batch is not the ideal $B/s$ prompts but the next multiple of $G$. GRESO
(arXiv:2506.02177; Infini-AI-Lab/GRESO @ b2778431) sizes every order after the first by what
is missing, $\min(G, \beta\,\mathrm{missing}/s)$. Its comparisons pit that against dynamic
sampling with whole orders, so they measure the size of orders along with the skipping.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import bdtr
from scipy.stats import binom

from theory.domain import Numbers, checked_count, checked_positive, checked_share

LARGEST = np.finfo(float).max


def unfilled_probability(
    prompts: Numbers, wanted: Numbers, mixed_share: Numbers
) -> Float[np.ndarray, "*#P"]:
    r"""Chance $P(\mathrm{Bin}(n, s) < m)$ that n prompts yield fewer mixed groups than wanted.

    With n an order of `refill` this is the chance that it leaves the batch short.

    Raises:
        ValueError: If a count is not a whole number or the share lies outside [0, 1].
    """
    n, m = checked_count(prompts, "prompts"), checked_count(wanted, "wanted")
    s = checked_share(mixed_share, "mixed_share")
    most = np.clip(m - 1.0, 0.0, n)
    below = bdtr(most, n.astype(int), s)
    return np.asarray(np.where(m == 0, 0.0, np.where(m > n, 1.0, below)))


def refill(
    missing: Numbers,
    zero_variance: Numbers,
    prompts: int = 384,
    safety: float = 1.25,
    smallest: int = 64,
) -> Int[np.ndarray, "*#P"]:
    r"""Prompts $\max(\min(\lfloor\beta\,\mathrm{missing}/(1-a)\rfloor, G), 64)$ of an order.

    The defaults are the released ones; the paper's rule has no smallest order. Where every
    group was zero-variance, a = 1, the release divides by zero; this orders G.

    Args:
        missing: Mixed groups that the batch still lacks.
        zero_variance: Share $a$ of zero-variance groups.
        prompts: Prompts $G$ of a first order.
        safety: Factor $\beta$ on the estimate.
        smallest: Least prompts of an order.

    Raises:
        ValueError: If a count is not a whole number, at least 1 for the two sizes, the share
            lies outside [0, 1] or the factor is not positive.
    """
    m, a = checked_count(missing, "missing"), checked_share(zero_variance, "zero_variance")
    G = checked_count(prompts, "prompts", least=1)
    least = checked_count(smallest, "smallest", least=1)
    with np.errstate(over="ignore"):
        estimate = m / np.where(a < 1.0, 1.0 - a, 1.0) * checked_positive(safety, "safety")
    needed = np.where(a < 1.0, np.floor(estimate), G)
    return np.asarray(np.maximum(np.minimum(needed, G), least).astype(int))


def expected_rounds(
    wanted: Numbers, prompts: Numbers, mixed_share: Numbers
) -> Float[np.ndarray, "*#P"]:
    r"""Mean orders of $G$ prompts until $B$ groups are mixed; infinite if none can be.

    $$E\lceil T/G \rceil = \frac{B}{sG} + \frac{G-1}{2G}
    + \frac1G \sum_{k=1}^{G-1} \Re \frac{\varphi(\omega_k)}{e^{i\omega_k} - 1},
    \qquad \omega_k = \frac{2\pi k}{G},$$

    with $T$ the prompts until the $B$-th mixed group and
    $\varphi(\omega) = (s e^{i\omega} / (1 - (1-s)e^{i\omega}))^B$. Time and memory are
    proportional to the largest $G$ at any share. The sum vanishes where $T$ spreads over many
    orders: the batch then costs $B/s$ prompts and half an order.

    Raises:
        ValueError: If a count is not a whole number, at least 1, or the share lies outside
            [0, 1].
    """
    B, G = checked_count(wanted, "wanted", 1), checked_count(prompts, "prompts", 1)
    s = checked_share(mixed_share, "mixed_share")
    k = np.arange(1.0, G.max(initial=1.0))
    inside = k < G[..., None]
    turn = np.exp(2j * np.pi * np.where(inside, k / G[..., None], 0.5))
    growth = s[..., None] * turn / (1.0 - (1.0 - s[..., None]) * turn)
    wave = np.where(inside, (growth ** B[..., None] / (turn - 1.0)).real, 0.0).sum(axis=-1)
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(B / (s * G) + ((G - 1.0) / 2.0 + wave) / G)


def capped_rounds(
    wanted: Numbers, prompts: Numbers, mixed_share: Numbers, cap: int
) -> Float[np.ndarray, "*#P"]:
    r"""Mean orders $\sum_{r<c} P(\mathrm{Bin}(rG, s) < B)$ if none follows the c-th.

    thu-rllab/MoPPS @ a883f519 caps its dynamic-sampling baseline at 4 or 10 orders.

    Raises:
        ValueError: As `expected_rounds`, or if the cap is less than 1.
    """
    B = checked_count(wanted, "wanted", 1)[..., None]
    G = checked_count(prompts, "prompts", 1)[..., None]
    s = checked_share(mixed_share, "mixed_share")[..., None]
    before = np.arange(int(checked_count(cap, "cap", 1)))
    return np.asarray(unfilled_probability(before * G, B, s).sum(axis=-1))


class Refill(NamedTuple):
    """Mean cost of a batch."""

    prompts: float
    rounds: float


def adaptive_cost(
    wanted: int,
    mixed_share: float,
    prompts: int = 384,
    safety: float = 1.25,
    smallest: int = 64,
) -> Refill:
    """Mean cost of a batch whose first order is of `prompts`, and later ones as `refill`s.

    Exact for orders sized by the true share, where GRESO takes the last order's; the batch is
    refilled until it is full. Infinite if no group can be mixed.

    Raises:
        ValueError: As `refill`, or if nothing is wanted.
    """
    need = int(checked_count(wanted, "wanted", least=1))
    share = float(checked_share(mixed_share, "mixed_share"))
    if share == 0.0:
        return Refill(np.inf, np.inf)
    missing = np.arange(need + 1)
    sizes = refill(missing, 1.0 - share, prompts, safety, smallest)
    sizes[need] = prompts
    cost = np.zeros((need + 1, 2))  # prompts and rounds still to come, by what is missing
    for m in missing[1:]:
        some = -np.expm1(sizes[m] * np.log1p(-share)) if share < 1.0 else 1.0
        log = binom.logpmf(np.arange(1, m), sizes[m], share) - np.log(some)
        with np.errstate(over="ignore"):
            later = np.exp(log) @ np.minimum(cost[m - 1 : 0 : -1], LARGEST)
            cost[m] = np.array([sizes[m], 1.0]) / some + later
    return Refill(float(cost[need, 0]), float(cost[need, 1]))
