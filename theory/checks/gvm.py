"""GVM-RAFT (arXiv 2505.02391): allocation, accepted rollouts, descent."""

from dataclasses import dataclass

import numpy as np

from theory import gvm
from theory.finding import Finding, agree, everywhere, under_condition


def allocation_is_optimal() -> Finding:
    """GVM-01: Proposition 1 against random allocations, and its maximum over p."""
    rng = np.random.default_rng(0)
    rates, norms = rng.uniform(0.001, 1.0, 30), rng.uniform(0.5, 2.0, 30)
    below: list[bool] = []
    for alpha, beta in ((1e-3, 2.0), (1e-2, 3.5), (1e-4, 5.0)):
        weights = gvm.gvm_weight(rates, norms, alpha, beta)
        agree(weights, norms / np.sqrt(rates + alpha / rates ** (beta - 1.0)))
        share = weights / weights.sum()
        best = gvm.regularized_bound(rates, 240.0 * share, norms, alpha, beta)
        agree(best, weights.sum() ** 2 / 240.0)
        mixed = [0.9 * share + 0.1 * rho for rho in rng.dirichlet(np.ones(30), 100)]
        below += [
            best <= gvm.regularized_bound(rates, 240.0 * s, norms, alpha, beta) for s in mixed
        ]
        fine = np.linspace(0.0, 1.0, 100_001)
        top = fine[gvm.gvm_weight(fine, 1.0, alpha, beta).argmax()]
        agree(top, float(gvm.gvm_peak(alpha, beta)), 2e-5)
    return everywhere(
        np.array(below),
        f"least among {len(below)} allocations; largest weight at "
        f"p={float(gvm.gvm_peak()):.4f} by default",
    )


def accepted_rollouts() -> Finding:
    """GVM-02: Remark 1's bound with sqrt(2), and with the right constant."""
    beta, budget = 5.0, 1000.0
    rates = np.full(10, float(gvm.gvm_peak(1e-3, beta)))
    accepted = gvm.accepted_rollouts(rates, budget, 1e-3, beta)
    agree(accepted, rates * budget / 10.0)
    printed = gvm.acceptance_bound(rates, budget, 1e-3, beta, constant=float(np.sqrt(2.0)))
    right = gvm.acceptance_bound(rates, budget, 1e-3, beta)
    agree(accepted, right)
    rng = np.random.default_rng(0)
    mixed = rng.uniform(0.01, 1.0, 50)
    least = gvm.accepted_rollouts(mixed, budget, 1e-3, beta) - gvm.acceptance_bound(
        mixed, budget, 1e-3, beta
    )
    agree(float((least >= -1e-12).all()), 1.0)
    agree(float(gvm.acceptance_constant(2.0)), np.sqrt(2.0))
    return everywhere(
        accepted >= printed,
        f"beta=5, alpha=.001, all p={rates[0]:.4f}: {accepted[0]:.2f} accepted < "
        f"{printed[0]:.2f} "
        f"claimed; with sqrt(beta/(beta-1)) = {float(gvm.acceptance_constant(beta)):.3f} equal",
    )


@dataclass(frozen=True)
class _Descent:
    """Exact means along noisy gradient descent on L = x^2/2, whose smoothness is 1.

    Each of T rounds takes k steps. D1 sums |gradient|^2 over all steps, D2 sums over rounds
    the square of the round's summed gradients, and the noise has the same variance each step.
    """

    change: float  # E[L at the end] - L at the start
    D1: float
    D2: float
    noise: float  # sum of variances

    def first(self, step: float) -> float:
        """Theorem 1's bound on the change."""
        return -step / 2.0 * self.D1 + step**2 / 2.0 * self.noise

    def second(self, step: float, k: int) -> float:
        """Theorem 2's bound, for convex losses."""
        return (-2.0 * self.D2 - self.D1 + self.noise) * step / (4.0 * k)


def _descend(start: float, variance: float, step: float, k: int, rounds: int) -> _Descent:
    shrink, squares, sums_squared = 1.0 - step, 0.0, 0.0
    square = start**2
    for _ in range(rounds):
        sums, covariance = 0.0, 0.0  # E S^2 and E S x, with S the gradients of the round so far
        for _ in range(k):
            sums += 2.0 * covariance + square
            squares += square
            covariance = (covariance + square) * shrink
            square = shrink**2 * square + step**2 * variance
        sums_squared += sums
    change = (square - start**2) / 2.0
    return _Descent(change, squares, sums_squared, rounds * k * variance)


def descent_of_smooth_losses() -> Finding:
    """GVM-04: Theorem 1 on a quadratic, from near and far, with and without noise."""
    found = []
    for start, variance in ((0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (10.0, 0.3)):
        for step in (0.1, 0.5, 1.0):
            path = _descend(start, variance, step, 3, 4)
            found.append(path.change <= path.first(step) + 1e-12)
    flat = _descend(1.0, 1.0, 1.0, 1, 1)
    agree(flat.change, (1.0 - 1.0) / 2.0)
    return everywhere(
        np.array(found),
        f"{len(found)} runs on x^2/2, steps up to 1/L; E|g + noise|^2 = |g|^2 + Var",
    )


def descent_of_convex_losses() -> Finding:
    """GVM-03: Theorem 2 on a quadratic, far from the optimum and at it."""

    def within(start: float, variance: float, k: int) -> bool:
        path = _descend(start, variance, 0.5, k, 1)
        return path.change <= path.second(0.5, k) + 1e-12

    near = _descend(0.0, 1.0, 0.5, 2, 1)
    rng = np.random.default_rng(0)
    noise = rng.choice([-1.0, 1.0], (2, 200_000))
    end = 0.5 * (-0.5 * noise[0]) - 0.5 * noise[1]
    agree(near.change, float((end**2).mean() / 2.0), 0.01)
    return under_condition(
        [within(10.0, variance, k) for variance in (0.0, 1.0) for k in (1, 2, 3)],
        within(0.0, 1.0, 2),
        f"x^2/2 from x=10: holds; from the optimum with unit noise, step 1/2, two steps: the "
        f"loss rises by {near.change:.4f}, bound {near.second(0.5, 2):.4f}",
    )
