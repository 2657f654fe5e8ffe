r"""CurES's bound on one step and its sampling distribution (arXiv:2510.01037).

t is the new pass rate, d the divergence allowed, s a standard deviation sqrt(v), and rho the
probability of a prompt.
"""

import sympy as sp

from theory.proofs import mark, p, q, v

t, d, s, rho, alpha, tau, E = sp.symbols("t d s rho alpha tau E", positive=True)
kappa = sp.symbols("kappa", positive=True)
divergence = p * sp.log(p / t) + q * sp.log(q / (1 - t))


def slope_of_the_divergence() -> sp.Expr:
    """(t-p)/(t(1-t)): the divergence is its integral, which is 0 at t = p."""
    return sp.diff(divergence, t) - (t - p) / (t * (1 - t))


def small_steps_cost_the_square() -> sp.Expr:
    """KL = g^2/(2v) + ...: the slope at t = p is 0, the curvature 1/v."""
    return sp.diff(divergence, t, 2).subs(t, p) - 1 / v


def third_order_favours_hard_prompts() -> sp.Expr:
    """It is -2(1-2p)/v^2, negative below 1/2: there a step gains more than the bound."""
    return sp.diff(divergence, t, 3).subs(t, p) + 2 * (1 - 2 * p) / v**2


def difference_turns_at_the_mirror_image() -> sp.Expr:
    """KL - g^2/(2v) has the slope (t-p)(1/(t(1-t)) - 1/v), which vanishes at t = 1-p."""
    slope = sp.diff(divergence - (t - p) ** 2 / (2 * v), t)
    return slope - (t - p) * (1 / (t * (1 - t)) - 1 / v) + mark * slope.subs(t, 1 - p)


def gain_at_zero() -> sp.Expr:
    """A prompt never solved reaches 1 - exp(-d), where the bound is 0."""
    return sp.log(1 / (1 - t)).subs(t, 1 - sp.exp(-d)) - d


def gibbs_is_stationary() -> sp.Expr:
    """The slope of sqrt(2d) s rho - alpha rho log rho is the same for all prompts."""
    slope = sp.diff(sp.sqrt(2 * d) * s * rho - alpha * rho * sp.log(rho), rho)
    return sp.diff(slope.subs(rho, sp.exp(s * sp.sqrt(2 * d) / alpha)), s)


def entropy_is_concave() -> sp.Expr:
    """The curvature in rho is -alpha/rho: the stationary point is the maximum."""
    return sp.diff(-alpha * rho * sp.log(rho), rho, 2) + alpha / rho


def averaged_constraint_prefers_v() -> sp.Expr:
    """d/drho sqrt(2d E), E = sum rho v, is linear in v: the optimum is Gibbs in v."""
    slope = sp.diff(sp.sqrt(2 * d * E), E) * s**2 - alpha * sp.log(rho) - alpha
    gibbs = sp.exp(sp.sqrt(2 * d) * s**2 / (2 * alpha * sp.sqrt(E)))
    return sp.diff(slope.subs(rho, gibbs), s)


def averaged_gain() -> sp.Expr:
    """Divergences d v/E average to d, and gains sqrt(2 d_x v) to sqrt(2 d E), where E v = E."""
    return sp.sqrt(2 * (d * s**2 / E) * s**2) - sp.sqrt(2 * d * E) * s**2 / E


def fisher_is_within_and_between() -> sp.Expr:
    """E s s = S + v D D, with class means q D and -p D."""
    return p * q**2 + q * p**2 - v


def natural_gradient_by_sherman_morrison() -> sp.Expr:
    """v^2 D (S + v D D)^-1 D = v [v kappa/(1 + v kappa)], in one dimension."""
    S, D = sp.symbols("S D", positive=True)
    odds = v * D**2 / S
    return v**2 * D**2 / (S + v * D**2) - v * odds / (1 + odds)
