r"""What choosing prompts can gain at most, given how pass rates are distributed.

**Theorem.** Let prompts come from a population of pass rates, and let a rollout of a prompt
with pass rate p be worth $v = p(1-p)$. Then no rule of choosing prompts and numbers of
rollouts, whatever it knows and however it adapts, collects in expectation more per rollout
than uniform sampling does by a factor above

$$\frac{1/4}{E[v]},$$

and rules that know p, with unlimited prompts of p near 1/2, come arbitrarily close. If a
rollout is worth $\sqrt v$, the same holds with $\frac{1/2}{E\sqrt v}$.

*Proof.* Uniform sampling collects E[v] per rollout. Any rule spends $n_1, n_2, \dots$ rollouts
on prompts with pass rates $p_1, p_2, \dots$, all random and dependent on what it has seen;
$\sum_i n_i v_i \le \frac14 \sum_i n_i$ holds for every outcome, so also in expectation. With
$v \ge \frac14 - \epsilon$ for all chosen prompts the factor is at least
$(\frac14-\epsilon)/E[v]$. Replace v by its root for the second statement. $\square$

Why v: the mean of a rollout's RLOO gradient, and where the noise dominates its variance too,
are proportional to v. Along a shared direction the best step of a batch gains the squared sum
of means over the sum of variances, $(\sum v)^2 / \sum v$, linear again.

The theorem does **not** cover: transfer between prompts;
compounding, that is pass rates which move because of what was chosen (`theory.fluid`); the
time that training takes, and that of searching for prompts; estimators that divide by the
deviation (take the second statement) and optimizers that rescale gradients, as Adam does;
and signal counted after choosing by outcome: what N rollouts *realized*, K(N-K)/(N(N-1)) each,
may be as much as N/(4(N-1)). A claim above the limit must rest on one of these.

Every quantity here is a combination of mixed moments $E\,p^i(1-p)^j$, which a `Sample` of pass
rates has and a `Beta` population in closed form.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from scipy.special import betainc, betaln

from theory.bisection import last_holding
from theory.domain import checked_positive, checked_rates, checked_sizes


@runtime_checkable
class Population(Protocol):
    """A distribution of pass rates."""

    def moment(self, i: float, j: float) -> float:
        """Mixed moment $E p^i (1-p)^j$."""
        ...

    def top_variance(self, share: float) -> float:
        """Mean of v over the share of prompts in which it is largest."""
        ...


def checked_share(share: float) -> float:
    """A share of prompts.

    Raises:
        ValueError: If it lies outside (0, 1].
    """
    if not 0.0 < share <= 1.0:
        raise ValueError(f"a share lies in (0, 1], not {share:g}")
    return share


@dataclass(frozen=True)
class Sample:
    """The population in which these pass rates are equally frequent.

    Raises:
        ValueError: If one lies outside [0, 1], or there is none.
    """

    pass_rates: Float[np.ndarray, "M"]

    def __post_init__(self) -> None:
        if not checked_rates(self.pass_rates).size:
            raise ValueError(f"a population has pass rates, not {self.pass_rates}")

    def moment(self, i: float, j: float) -> float:
        """Infinite for a negative power where a pass rate is 0 or 1."""
        p = self.pass_rates
        with np.errstate(divide="ignore", over="ignore"):
            return float((p**i * (1.0 - p) ** j).mean())

    def top_variance(self, share: float) -> float:
        """A prompt is divided where the share asks for part of it.

        Raises:
            ValueError: If the share lies outside (0, 1].
        """
        v = np.sort(self.pass_rates * (1.0 - self.pass_rates))[::-1]
        kept = checked_share(share) * v.size
        total = np.concatenate(([0.0], v.cumsum()))
        return float(np.interp(kept, np.arange(v.size + 1), total) / kept)


@dataclass(frozen=True)
class Beta:
    """Beta(alpha, beta), but for a share of prompts that are never solved.

    Raises:
        ValueError: If alpha or beta is not positive or the share lies outside [0, 1).
    """

    alpha: float
    beta: float
    unsolved: float = 0.0

    def __post_init__(self) -> None:
        checked_positive(self.alpha, "alpha")
        checked_positive(self.beta, "beta")
        if not 0.0 <= self.unsolved < 1.0:
            raise ValueError(f"unsolved lies in [0, 1), not {self.unsolved:g}")

    def moment(self, i: float, j: float) -> float:
        """Infinite for a power of -alpha, or -beta, or less."""
        if self.alpha + i <= 0.0 or self.beta + j <= 0.0 or (i < 0.0 < self.unsolved):
            return float("inf")
        log = betaln(self.alpha + i, self.beta + j) - betaln(self.alpha, self.beta)
        return float((1.0 - self.unsolved) * np.exp(log) + self.unsolved * (i == 0.0))

    def top_variance(self, share: float) -> float:
        """Pass rates between an edge and its mirror image, the edge by bisection.

        Raises:
            ValueError: If the share lies outside (0, 1].
        """
        wanted = checked_share(share) / (1.0 - self.unsolved)
        inner = wanted < 1.0
        edge = last_holding(lambda x: self._within(x, 0.0) > wanted, 0.0, 0.5 * inner)
        return float(self.moment(1.0, 1.0) * self._within(edge, 1.0) / share)

    def _within(self, edge: Float[np.ndarray, ""], more: float) -> Float[np.ndarray, ""]:
        a, b = self.alpha + more, self.beta + more
        return np.asarray(betainc(a, b, 1.0 - edge) - betainc(a, b, edge))


def mean_variance(population: Population) -> float:
    """E[v], the signal of a rollout of a prompt chosen uniformly."""
    return population.moment(1.0, 1.0)


def mean_deviation(population: Population) -> float:
    r"""$E\sqrt v$."""
    return population.moment(0.5, 0.5)


def mixed_share(population: Population, rollouts: int) -> float:
    """E[M_N], the share of groups that are mixed.

    Raises:
        ValueError: If the group size is not a whole number.
    """
    N = float(checked_sizes(rollouts))
    return max(1.0 - population.moment(N, 0.0) - population.moment(0.0, N), 0.0)


def _gain(best: float, mean: float) -> float:
    """Quotient; a population that nothing can be learnt from has no limit."""
    return best / mean if mean > 0.0 else float("inf")


def selection_limit(population: Population) -> float:
    r"""$\frac14/E[v]$: most that choosing prompts gains if signal is v per rollout."""
    return _gain(0.25, mean_variance(population))


def deviation_limit(population: Population) -> float:
    r"""$\frac12/E\sqrt v$: most that choosing prompts gains if signal is $\sqrt v$."""
    return _gain(0.5, mean_deviation(population))


def pool_limit(population: Population, share: float) -> float:
    """Gain of keeping the share of a finite pool in which v is largest.

    Raises:
        ValueError: If the share lies outside (0, 1].
    """
    return _gain(population.top_variance(share), mean_variance(population))


def allocation_limit(population: Population) -> float:
    r"""$E[v]/(E\sqrt v)^2$: equal numbers over Neyman's rule, in variance.

    The ratio of $\sum v_i/n_i$ under equal numbers of rollouts and under
    $n_i \propto \sqrt{v_i}$, numbers below 1 allowed: whole groups gain less.
    """
    return _gain(mean_variance(population), mean_deviation(population) ** 2)


def mixed_group_cost(population: Population, rollouts: int) -> float:
    """Rollouts N / E[M_N] per mixed group when groups of N are drawn until one is.

    Raises:
        ValueError: If the group size is not a whole number.
    """
    return _gain(float(rollouts), mixed_share(population, rollouts))


def sequential_cost(population: Population) -> float:
    """E[1/v] - 1 rollouts until a prompt, once drawn, has shown a pass and a failure.

    Infinite for Beta populations with alpha or beta up to 1, as fitted to language models:
    such a rule must give up at some point.
    """
    return population.moment(-1.0, -1.0) - 1.0
