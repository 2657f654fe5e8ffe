r"""A synthetic population that improves from epoch to epoch while each prompt wanders.

$$
\mathrm{logit}\,p_i(e) = c + s\,z_i + g\,(e-1)^{\gamma} + \sigma \sum_{j=2}^{e} w_{ij},
\qquad z_i, w_{ij} \sim \mathrm{Normal}(0, 1),
$$

in epoch $e = 1, 2, \dots$: pass rates are constant within an epoch and take one step of their
random walk at its start. The defaults were fitted to Figure 3(a) of GRESO (arXiv:2506.02177),
the temporal consistency of zero-variance prompts during GRPO training of Qwen2.5-Math-7B with
8 rollouts. The figure identifies them as a set, not one by one. It does show that pass rates
moved: with the same spread and neither trend nor walk, the chance that a prompt is
zero-variance given that it ever was falls from .69 to .53, where the figure has .77 to .79.

Nothing pulls a prompt back, so spread grows without bound; stay near the ten epochs of the
figure.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from scipy.special import expit

from selection.checks import counts, positive, within
from sim.static import Exogenous
from sim.world import Progress


@dataclass(frozen=True, kw_only=True)
class Drifting:
    """Prompts that get easier on average and wander on their own.

    Attributes:
        prompts: Prompts in the data set, M; the default is that of the figure's run (DAPO and
            MATH).
        steps_per_epoch: Training steps per epoch; 25,417 prompts at 256 a step take 99.
        center: Mean log-odds of passing in epoch 1, c.
        spread: Standard deviation of log-odds in epoch 1, s.
        trend: Gain in mean log-odds after one epoch, g.
        bend: Power of the elapsed epochs with which the gain grows, gamma.
        walk: Standard deviation of each prompt's own move per epoch, sigma.
        updates: Optimizer updates per training step, as reported to the run.
    """

    prompts: int = 25417
    steps_per_epoch: int = 99
    center: float = 1.44
    spread: float = 2.32
    trend: float = 1.45
    bend: float = 0.45
    walk: float = 1.01
    updates: int = 1

    def __post_init__(self) -> None:
        counts(prompts=self.prompts, steps_per_epoch=self.steps_per_epoch, updates=self.updates)
        within(-100.0, 100.0, center=self.center, trend=self.trend)
        within(0.0, 100.0, spread=self.spread, walk=self.walk)
        positive(bend=self.bend)

    @property
    def progress(self) -> Progress:
        """The learning signal collected so far."""
        return "signal_realised"

    def begin(self, rng: np.random.Generator) -> Exogenous:
        """A policy at the start of epoch 1."""
        own = self.spread * rng.standard_normal(self.prompts)
        return Exogenous(Wander(self, rng, own), self.updates)

    def mean_logit(self, epoch: int) -> float:
        """Mean log-odds of passing in an epoch, counted from 1."""
        return self.center + self.trend * (epoch - 1) ** self.bend


@dataclass
class Wander:
    """The path of drifting pass rates.

    Attributes:
        own: Log-odds of each prompt in the current epoch, less their mean.
        epoch: The current epoch, from 1.
    """

    world: Drifting
    rng: np.random.Generator
    own: Float[np.ndarray, "M"]
    epoch: int = 1
    _rates: Float[np.ndarray, "M"] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._rates = expit(self.world.mean_logit(self.epoch) + self.own)

    def __call__(self, steps: int) -> Float[np.ndarray, "M"]:
        while 1 + steps // self.world.steps_per_epoch > self.epoch:
            self.epoch += 1
            self.own = self.own + self.world.walk * self.rng.standard_normal(self.own.size)
            self._rates = expit(self.world.mean_logit(self.epoch) + self.own)
        return self._rates
