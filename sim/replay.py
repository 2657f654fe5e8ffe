r"""Prompts whose pass rates follow real training: 1,209 prompts over 500 GRPO steps.

The log (see `sim.populations.load_visits`) holds the passes of 8 rollouts at each visit to a
prompt, not its pass rate. The pass rate is modelled as a posterior quantile,

$$
p_i(t) = F^{-1}\bigl(u_i;\; a_0(t) + n_i(t)\,m_i(t),\; b_0(t) + n_i(t)\,(1 - m_i(t))\bigr),
\qquad u_i \sim \mathrm{Uniform}(0, 1),
$$

where $F$ is the Beta distribution function, $m_i(t)$ the local-linear smooth of the observed
pass rates under a Gaussian kernel over visits, $n_i(t)$ the rollouts whose mean would be as
precise, and $\mathrm{Beta}(a_0, b_0)$ the population fitted to the first visits, moving to the
one fitted to the 44th, the last that every prompt has. Each prompt has *one* quantile for all
of its training: drawing $p_i(t)$ afresh at every visit would add noise that looks like
forgetting, and taking the mean would take from the population what the posterior leaves open.

The bandwidth of 8 visits was chosen against the log, as the tests re-check: groups rolled out
from these pass rates persist in being zero-variance, and pass rates drift over 1 to 40 visits,
as the real ones do. A bandwidth of 3 visits doubles the drift over 5 visits, because it follows
the noise. Smoothing by a line, not by a constant, removes a bias at the first visit, where the
mean pass rate rises fastest.

Not modelled: when within an epoch a prompt was visited. The log says in which order visits
came; here they are evenly spaced.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Int
from scipy.special import betaincinv

from selection.checks import counts, positive, within
from sim.populations import PassCounts, fit_beta, load_visits
from sim.static import Exogenous
from sim.world import Progress

ROLLOUTS = 8  # of every logged visit
KNOT = 2  # visits between tabulated pass rates; in between, curves this smooth are straight


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Prompts that improve as those of Qwen2.5-Math-1.5B on DSR-sub did.

    Attributes:
        prompts: Prompts in the data set, M. Up to 1,209 of them follow distinct trajectories;
            beyond that, trajectories are resampled and differ by their quantile.
        steps_per_visit: Training steps between two visits; 1,209 prompts at 128 a step make
            9.45. Pass rates are interpolated in between and stay put after the last visit.
        bandwidth: Standard deviation of the kernel, in visits.
        updates: Optimizer updates per training step, as reported to the run.
    """

    prompts: int = 1209
    steps_per_visit: float = 9.45
    bandwidth: float = 8.0
    updates: int = 1

    def __post_init__(self) -> None:
        counts(prompts=self.prompts, updates=self.updates)
        positive(steps_per_visit=self.steps_per_visit)
        within(1.0, 100.0, bandwidth=self.bandwidth)

    @property
    def progress(self) -> Progress:
        """The learning signal collected so far."""
        return "signal_realised"

    def begin(self, rng: np.random.Generator) -> Exogenous:
        """A policy at its first visit to every prompt."""
        alpha, beta = posterior(self.bandwidth)
        logged = alpha.shape[1]
        chosen = rng.choice(logged, size=self.prompts, replace=self.prompts > logged)
        quantile = rng.uniform(size=self.prompts)
        rates = betaincinv(alpha[:, chosen], beta[:, chosen], quantile)
        return Exogenous(Trajectory(rates, KNOT * self.steps_per_visit), self.updates)


@dataclass(frozen=True)
class Trajectory:
    """The path through tabulated pass rates, straight from one to the next."""

    table: Float[np.ndarray, "T M"]
    spacing: float  # training steps between two rows

    def __call__(self, steps: int) -> Float[np.ndarray, "M"]:
        row, share = divmod(steps / self.spacing, 1.0)
        if row + 1 >= len(self.table):
            return self.table[-1]
        before, after = self.table[int(row)], self.table[int(row) + 1]
        return before + share * (after - before)


@cache
def posterior(bandwidth: float) -> tuple[Float[np.ndarray, "T M"], Float[np.ndarray, "T M"]]:
    """Beta parameters of the pass rate of every logged prompt, at every `KNOT`-th visit."""
    mean, evidence = smooth(load_visits(), bandwidth)
    a, b = prior(len(mean))
    alpha, beta = a + evidence * mean, b + evidence * (1.0 - mean)
    return alpha[::KNOT], beta[::KNOT]


def smooth(
    visits: Int[np.ndarray, "M V"], bandwidth: float
) -> tuple[Float[np.ndarray, "V M"], Float[np.ndarray, "V M"]]:
    r"""Local-linear pass rate at every visit, and how many rollouts would be as precise.

    The smooth is $m(t) = \sum_s \ell_s x_s$ with $\ell_s \propto w_s (S_2 - S_1 (t - s))$ and
    $S_j = \sum_s w_s (t - s)^j$ (Fan and Gijbels 1996); its variance is that of
    $8 / \sum_s \ell_s^2$ rollouts. After the last visit to a prompt both stay put.
    """
    last = (visits >= 0).sum(axis=1) - 1
    times = np.arange(visits.shape[1])
    lag = np.minimum(times[:, None], last)[:, :, None] - times
    weight = np.exp(-0.5 * (lag / bandwidth) ** 2) * (visits >= 0)
    first, second = (weight * lag).sum(-1), (weight * lag**2).sum(-1)
    line = weight * (second[..., None] - first[..., None] * lag)
    line /= line.sum(-1, keepdims=True)
    mean = (line * visits).sum(-1) / ROLLOUTS
    return np.clip(mean, 0.0, 1.0), ROLLOUTS / (line**2).sum(-1)


def prior(length: int) -> tuple[Float[np.ndarray, "V 1"], Float[np.ndarray, "V 1"]]:
    """Beta parameters of the population at every visit."""
    visits = load_visits()
    shared = int((visits >= 0).sum(axis=1).min())
    ends = [PassCounts(visits[:, visit], ROLLOUTS) for visit in (0, shared - 1)]
    share = np.minimum(np.arange(length) / (shared - 1), 1.0)[:, None]
    (a, b), (a_end, b_end) = map(fit_beta, ends)
    return a + share * (a_end - a), b + share * (b_end - b)
