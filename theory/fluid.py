r"""The fluid curriculum: what to train first when training moves the pass rates.

Prompts are independent, and effort moves a pass rate by $dp/dt = u\,v^a$ with $u$ the effort
per unit of time and $v = p(1-p)$. The power depends on the optimizer: 1/2 for a divergence
constrained per prompt (CurES, arXiv:2510.01037), 1 if constrained on average, 3/2 for a policy
gradient on logits normalized as in GRPO, 2 without. Choosing the largest $v^a$ now is myopic:
a prompt below 1/2 speeds up as it is learnt. The effort from p to p' is
$T = \int_p^{p'} v^{-a}$, and the index of a prompt the highest average rate it can reach,

$$I(p) = \max_{p' > p} \frac{p' - p}{T(p \to p')}, \qquad v(p')^a = I(p)$$

at the maximum. For p >= 1/2 it is $v^a$. For p < 1/2 it is more, and the stopping point p' lies
between 1/2 and 1-p: the rate exceeds its average up to 1/2, and is below it at 1-p.

**Theorem.** At no budget does any policy gain more than `largest_total_gain`; serving prompts
by index, each up to its stopping point, gains as much at every budget at which no prompt is on
its way there. *Proof.* The gain of a prompt as a function of its effort has the concave
envelope that rises by I(p) per unit up to the stopping point, and follows the curve from there.
Spending a budget on concave functions is best done by slope, and the index policy does so on
the envelopes, which it touches except on the way. $\square$

All of this is deterministic and with known pass rates, without transfer between prompts.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from scipy.special import betainc, betaln, logit

from theory.bisection import last_holding
from theory.domain import Numbers, checked_positive, checked_rates
from theory.neyman import shares

Shares: TypeAlias = Float[np.ndarray, "M"]
Policy: TypeAlias = Callable[[Shares], Shares]
_LAST = 1.0 - 2.0**-53  # largest pass rate below 1


def rate(pass_rate: Numbers, exponent: float) -> Float[np.ndarray, "*#P"]:
    """Gain $v^a$ per unit of effort now.

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or the exponent is not positive.
    """
    p, a = checked_rates(pass_rate), checked_positive(exponent, "exponent")
    return np.asarray((p * (1.0 - p)) ** a)


def _clock(p: Float[np.ndarray, "*#P"], a: float) -> Float[np.ndarray, "*#P"]:
    r"""Antiderivative of $v^{-a}$; by parts it is one of $v^{1-a}$ for a > 1."""
    if a > 1.0:
        rest = 0.0 if a == 1.5 else (4.0 * a - 6.0) * _clock(p, a - 1.0)
        edge = (2.0 * p - 1.0) * (p * (1.0 - p)) ** (1.0 - a)
        return np.asarray((edge + rest) / (a - 1.0))
    if a == 1.0:
        return np.asarray(logit(p))
    if a == 0.0:
        return p
    return np.asarray(betainc(1.0 - a, 1.0 - a, p) * np.exp(betaln(1.0 - a, 1.0 - a)))


def effort(start: Numbers, end: Numbers, exponent: float) -> Float[np.ndarray, "*#P"]:
    r"""Effort $T = \int_p^{p'} dp/v^a$ that takes a prompt from p to p'.

    Infinite from 0 or to 1 for a >= 1: such a prompt is never left, or never finished. The
    closed form loses digits for exponents within 1e-6 of a whole number, not for whole ones.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], the end lies before the start, or the
            exponent is not positive.
    """
    p, to = np.broadcast_arrays(checked_rates(start), checked_rates(end))
    a = float(checked_positive(exponent, "exponent"))
    if not (p <= to).all():
        raise ValueError(f"the end is no less than the start: {to[p > to][0]} < {p[p > to][0]}")
    endless = (a >= 1.0) & ((p == 0.0) | (to == 1.0))
    inside, beyond = np.where(endless, 0.5, p), np.where(endless, 0.5, to)
    with np.errstate(over="ignore"):
        span = np.maximum(_clock(beyond, a) - _clock(inside, a), 0.0)
    return np.asarray(np.where(p == to, 0.0, np.where(endless, np.inf, span)))


def stopping_point(pass_rate: Numbers, exponent: float) -> Float[np.ndarray, "*#P"]:
    r"""Pass rate p' at which the average rate from p on is highest; p itself from 1/2 on.

    By bisection between 1/2 and 1-p of $v(p')^a\,T(p \to p') = p' - p$; the limit 1 where 0
    is never left.

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or the exponent is not positive.
    """
    p, a = checked_rates(pass_rate), float(checked_positive(exponent, "exponent"))
    start = np.asarray(np.minimum(p, 0.5))
    with np.errstate(divide="ignore", over="ignore"):
        begun = _clock(start, a)
        stop = last_holding(
            lambda end: (end * (1.0 - end)) ** a * (_clock(end, a) - begun) > end - start,
            np.full(p.shape, 0.5),
            np.minimum(1.0 - start, _LAST),
        )
    return np.where(p >= 0.5, p, np.where((p == 0.0) & (a >= 1.0), 1.0, stop))


def index(pass_rate: Numbers, exponent: float) -> Float[np.ndarray, "*#P"]:
    r"""Highest average rate $I(p)$ that can be reached from p; $v^a$ for p >= 1/2.

    Raises:
        ValueError: If a pass rate lies outside [0, 1] or the exponent is not positive.
    """
    p = checked_rates(pass_rate)
    start = np.asarray(np.minimum(p, 0.5))
    stop = np.maximum(stopping_point(start, exponent), start)
    now = rate(stop, exponent)
    spent = effort(start, stop, exponent)
    # the stopping point of a small pass rate is too close to 1 for its rate to be exact
    average = np.divide(stop - start, spent, out=np.zeros(p.shape), where=spent > 0.0)
    return np.where(p < 1e-3, average, np.where(p < 0.5, now, rate(p, exponent)))


def largest_total_gain(
    pass_rates: Float[np.ndarray, "M"], budget: float, exponent: float
) -> float:
    r"""Upper bound on $\sum_i (p_i' - p_i)$ over all ways to spend the budget of effort.

    $\min_\lambda \lambda B + \sum_i \max(0, p_i' - p_i - \lambda T_i)$, where $v(p_i')^a =
    \lambda$ above 1/2: convex in $\lambda$, its slope the budget less the effort.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], or the budget or the exponent is not
            positive.
    """
    p, total = checked_rates(pass_rates), float(checked_positive(budget, "budget"))
    worth = index(p, exponent)

    def spend(price: float) -> tuple[float, float]:
        v = min(price ** (1.0 / exponent), 0.25)
        end = np.maximum(1.0 - 2.0 * v / (1.0 + np.sqrt(1.0 - 4.0 * v)), p)
        active = worth > price
        spent = effort(p[active], np.minimum(end, np.maximum(p, _LAST))[active], exponent)
        return float(spent.sum()), float((end - p)[active].sum())

    price = float(
        last_holding(
            lambda price: np.asarray(spend(float(price))[0] > total),
            0.0,
            float(rate(0.5, exponent)),
        )
    )
    spent, gained = spend(price)
    return gained + price * (total - spent)


def proportional(score: Policy) -> Policy:
    """Policy that divides effort in proportion to a score of the pass rates."""
    return lambda pass_rates: shares(score(pass_rates))


def highest(score: Policy, prompts: int) -> Policy:
    """Policy that divides effort equally among the prompts of highest score."""

    def policy(pass_rates: Shares) -> Shares:
        chosen = np.zeros(pass_rates.shape)
        chosen[np.argsort(-score(pass_rates), kind="stable")[:prompts]] = 1.0
        return shares(chosen)

    return policy


def curriculum(
    starts: Float[np.ndarray, "M"], policy: Policy, budget: float, steps: int, exponent: float
) -> Float[np.ndarray, "T M"]:
    """Pass rates before and after each step, all steps spending the same effort.

    Within a step the shares are held and every pass rate advances by Heun's rule.

    Args:
        starts: Pass rates of the M prompts.
        policy: Share of the effort of each prompt, given all pass rates.
        budget: Effort in all.
        steps: T - 1, in which it is spent.
        exponent: a.

    Raises:
        ValueError: If a pass rate lies outside [0, 1], the budget or the exponent is not
            positive, or there is no step.
    """
    if steps < 1:
        raise ValueError(f"{steps=} is less than 1")
    path = [checked_rates(starts)]
    checked_positive(exponent, "exponent")
    each = float(checked_positive(budget, "budget")) / steps
    for _ in range(steps):
        p = path[-1]
        work = policy(p) * each
        slope = (p * (1.0 - p)) ** exponent
        ahead = np.minimum(p + work * slope, 1.0)
        there = (ahead * (1.0 - ahead)) ** exponent
        path.append(np.minimum(p + work * (slope + there) / 2.0, 1.0))
    return np.stack(path)
