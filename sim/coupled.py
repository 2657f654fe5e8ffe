r"""The coupled world: pass rates move because the policy is trained, with transfer.

The gradient of a prompt's pass rate is $\nabla p = p(1-p) D$, with $D$ the difference between
the mean scores of passing and failing rollouts; hence $D = \nabla\,\mathrm{logit}\,p$, and a
world whose log-odds are linear in the parameters is the first-order picture of any policy:

$$
\mathrm{logit}\,p_i = b_i + w_i \cdot \theta, \qquad
w_i = \sqrt{a h_i}\,\bigl(\sqrt{c_0},\ \sqrt{c_1 - c_0},\ \sqrt{1 - c_1}\bigr)
$$

on one coordinate common to all prompts, one per family, and optionally one of the prompt's
own, so that cosines of $D$ are $c_1$ within and $c_0$ across families. $a$ is the world's
`step` (learning rate times $|D|^2$), $h_i$ the prompt's $|D|^2$ relative to the mean. A
mini-batch of $n$ rollouts with advantages $A$ and importance ratios $\rho$ gives

$$
\kappa_j = \tfrac1n \sum_l \rho_{jl} A_{jl} (r_{jl} - p_j), \qquad
\nu_j = \tfrac1{n^2} \sum_l \rho_{jl}^2 A_{jl}^2 \,[r_{jl} V_1 + (1 - r_{jl}) V_0],
$$

the coefficient of $D_j$ and the trace of the within-class noise: exactly the moments of the
chosen estimator (`theory.moments`), since only the advantages change with it. The gradient is
$g = \sum_j \kappa_j w_j + e$; of the noise a share `aligned` lies along the modelled
coordinates and is drawn, the rest is felt through Adam's second moment only, by the share
`felt`. Adam divides by one normaliser for all coordinates, $\sqrt{\hat v / E_0}$, with $v$
tracking the squared norm of $g$ and $E_0$ its mean at the start under RLOO and uniform
selection with one update per training step, so that SGD and Adam start with equal moves there.

Modelled: transfer, the estimator's noise, mini-batches, optimizer, staleness, clipping of the
pass/fail ratio. Not modelled: growth of $|D|^2$ while a hard family takes off (real ones take
off up to three times earlier), rotation of $D$, second moments that differ between parameters,
clipping token by token, lengths, forgetting, KL. Against runs of a 336k-parameter language
model such a world, its constants measured at the start, predicted ratios of training steps and
rollouts to uniform within 8-12 % (root mean square of logs; 12-15 % with constants like these),
absolute times only within a factor of 3; an SGD world erred by 30-45 % on Adam runs. With
constants of its own for every family it does better (`sim.measured`).

Axis legend: M prompts, F families, K prompts asked about, S segments, G groups.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit

from selection.checks import counts, positive, within
from selection.driver import Segments
from selection.groups import group_totals
from selection.protocol import Norms
from sim.learner import Learner, split
from sim.start import LEAST, check_start, start
from sim.world import Progress
from theory.advantages import group_advantages

REFERENCE_BATCHES = 64  # batches over which the normaliser's start is averaged


@dataclass(frozen=True, kw_only=True)
class Coupled:
    """Knobs of the coupled world.

    Attributes:
        population: Start pass rates: see `sim.start`.
        prompts: Prompts in the data set, M.
        held_out: Prompts that accuracy is measured on; 0 measures it on the data set.
        families: Number of families, F.
        family_share: Share of the variance of difficulty between families.
        cosine_within: Cosine of D between prompts of one family, c_1.
        cosine_across: Cosine of D between prompts of different families, c_0.
        own: Whether prompts of the data set have a coordinate of their own.
        step: Learning rate times mean |D|^2, a: a batch of one family at p = 1/2 moves its
            log-odds by a c_1 / 4 per update.
        spread: Standard deviation of ln |D|^2 between prompts.
        pass_noise: V_1 in units of the mean |D|^2.
        fail_noise: V_0 in units of the mean |D|^2.
        felt: Share of the noise trace that Adam's second moment feels, chi.
        aligned: Share of the noise trace along the modelled coordinates, omega.
        learner: Estimator, optimizer, mini-batches.
    """

    population: str = "dapo17k-1.5b"
    prompts: int = 2000
    held_out: int = 512
    families: int = 8
    family_share: float = 0.5
    cosine_within: float = 0.3
    cosine_across: float = 0.05
    own: bool = False
    step: float = 2.5
    spread: float = 0.0
    pass_noise: float = 4.0
    fail_noise: float = 7.0
    felt: float = 1 / 6
    aligned: float = 0.03
    learner: Learner = field(default_factory=Learner)

    def __post_init__(self) -> None:
        counts(prompts=self.prompts, families=self.families)
        counts(0, held_out=self.held_out)
        check_start(self.population)
        within(0.0, 1.0, family_share=self.family_share, felt=self.felt, aligned=self.aligned)
        within(0.0, 1.0, cosine_within=self.cosine_within, cosine_across=self.cosine_across)
        positive(step=self.step)
        within(0.0, 10.0, spread=self.spread)
        within(0.0, 1e9, pass_noise=self.pass_noise, fail_noise=self.fail_noise)
        if self.cosine_across > self.cosine_within:
            raise ValueError(
                f"cosine_across={self.cosine_across} must not exceed"
                f" cosine_within={self.cosine_within}"
            )

    @property
    def progress(self) -> Progress:
        """The mean pass rate of held-out prompts."""
        return "accuracy"

    def begin(self, rng: np.random.Generator) -> "Logits":
        """A policy at the start of training; `rng` also draws mini-batches and noise.

        Raises:
            ValueError: Under Adam, if no group teaches anything at the start.
        """
        chance, training = rng.spawn(2)
        beginning = start(
            self.population,
            self.prompts + self.held_out,
            self.families,
            self.family_share,
            chance,
        )
        scale = np.exp(self.spread * chance.normal(size=beginning.family.size))
        policy = Logits(
            self,
            beginning.log_odds,
            beginning.family,
            scale / np.exp(self.spread**2 / 2),
            training,
        )
        if self.learner.optimizer == "adam":
            policy.normaliser = policy.squared_norm_at_start(chance)
        if policy.normaliser == 0.0:
            raise ValueError(
                f"no gradient at the start of prompts={self.prompts} of {self.population!r}"
                " to scale Adam's steps by: take more prompts or easier ones, or sgd"
            )
        return policy


@dataclass
class Moments:
    """Adam's memory: first moments by coordinate, second moment of the whole gradient."""

    common: float
    family: Float[np.ndarray, "F"]
    own: Float[np.ndarray, "M"]
    square: float = 0.0
    updates: int = 0


@dataclass
class Gradient:
    """Gradient on the modelled coordinates, and the squared norm of all of it."""

    common: float
    family: Float[np.ndarray, "F"]
    own: Float[np.ndarray, "M"]
    square: float


@dataclass
class Logits:
    """A policy whose log-odds are linear in common, family and own coordinates."""

    world: Coupled
    log_odds: Float[np.ndarray, "T"]  # at the start, data set first, then held-out prompts
    families: Int[np.ndarray, "T"]
    contrast: Float[np.ndarray, "T"]  # |D|^2 relative to its mean, h
    rng: np.random.Generator
    normaliser: float = 1.0
    common: float = 0.0
    family: Float[np.ndarray, "F"] = field(init=False)
    own: Float[np.ndarray, "M"] = field(init=False)
    memory: Moments = field(init=False)

    def __post_init__(self) -> None:
        world = self.world
        self.num_families = int(max(self.families.max() + 1, world.families))
        self.family = np.zeros(self.num_families)
        self.own = np.zeros(world.prompts if world.own else 0)
        self.memory = Moments(0.0, np.zeros_like(self.family), np.zeros_like(self.own))
        reach = np.sqrt(world.step * self.contrast)
        self.on_common = reach * np.sqrt(world.cosine_across)
        self.on_family = reach * np.sqrt(world.cosine_within - world.cosine_across)
        self.on_own = reach * np.sqrt(1.0 - world.cosine_within)
        self.pass_noise = np.full(self.contrast.size, world.pass_noise)
        self.fail_noise = np.full(self.contrast.size, world.fail_noise)
        self.scored = slice(world.prompts, None) if world.held_out else slice(0, world.prompts)

    def pass_rates(self, prompts: Int[np.ndarray, "K"]) -> Float[np.ndarray, "K"]:
        """True pass rate of each prompt now."""
        logits = self.log_odds[prompts] + self.on_common[prompts] * self.common
        logits += self.on_family[prompts] * self.family[self.families[prompts]]
        if self.world.own:
            logits += self.on_own[prompts] * self.own[prompts]
        return expit(logits)

    def accuracy(self) -> float:
        """Mean true pass rate of the held-out prompts."""
        scored = self.scored
        logits = self.log_odds[scored] + self.on_common[scored] * self.common
        logits += self.on_family[scored] * self.family[self.families[scored]]
        if self.world.own and not self.world.held_out:
            logits += self.on_own[scored] * self.own
        return float(expit(logits).mean())

    def norms(self, prompts: Int[np.ndarray, "K"]) -> Norms:
        """True score norms: E|s|^2 of a class is its variance plus its squared mean.

        The mean of |s| is taken for the root of that; the spread of |s| is not modelled.
        """
        rates, contrast = self.pass_rates(prompts), self.contrast[prompts]
        passing = self.pass_noise[prompts] + (1.0 - rates) ** 2 * contrast
        failing = self.fail_noise[prompts] + rates**2 * contrast
        return Norms(
            passing=np.sqrt(passing),
            failing=np.sqrt(failing),
            passing_square=passing,
            failing_square=failing,
            contrast=contrast,
        )

    def learn(self, batch: Segments) -> int:
        """One training step: the batch in mini-batches, one optimizer update for each."""
        learner = self.world.learner
        passing, failing = self._advantages(batch)
        weight = self._weights(batch)
        rates = self.pass_rates(batch.prompts)
        reference = batch.payload if learner.ratio == "behaviour" else rates
        updates = learner.num_updates(int(batch.rollouts.sum()))
        noises = self.pass_noise[batch.prompts], self.fail_noise[batch.prompts]
        parts = split(batch.passes, batch.rollouts - batch.passes, updates, self.rng)
        for passes, failures in zip(*parts, strict=True):
            ratio_pass = rates / np.maximum(reference, LEAST)
            ratio_fail = (1.0 - rates) / np.maximum(1.0 - reference, LEAST)
            up = passes * weight * passing * ratio_pass * learner.keeps(ratio_pass, passing)
            down = failures * weight * failing * ratio_fail * learner.keeps(ratio_fail, failing)
            pull = up * (1.0 - rates) - down * rates
            noise = noises[0] * up * passing * ratio_pass * weight
            noise += noises[1] * down * failing * ratio_fail * weight
            num = int(passes.sum() + failures.sum())
            self._update(self.gradient(batch.prompts, pull / num, noise / num**2, self.rng))
            if updates > 1:
                rates = self.pass_rates(batch.prompts)
        return updates

    def gradient(
        self,
        prompts: Int[np.ndarray, "S"],
        pull: Float[np.ndarray, "S"],
        noise: Float[np.ndarray, "S"],
        rng: np.random.Generator,
    ) -> Gradient:
        """Gradient of a mini-batch.

        Args:
            prompts: Prompt of each segment.
            pull: Coefficient of D, kappa.
            noise: Trace of the within-class noise, nu, in units of the mean |D|^2.
            rng: Draws the aligned part of the noise.
        """
        world, families = self.world, self.families[prompts]
        along = pull * np.sqrt(self.contrast[prompts])
        _, which = np.unique(prompts, return_inverse=True)
        by_prompt = np.bincount(which, along)  # a group may lie in several segments
        by_family = np.bincount(families, along, self.num_families)
        apart = (1.0 - world.cosine_within) * (by_prompt @ by_prompt)
        square = world.felt * (apart + noise.sum())
        square += world.cosine_across * along.sum() ** 2
        square += (world.cosine_within - world.cosine_across) * (by_family @ by_family)

        jitter = world.aligned * noise / self.contrast[prompts]
        on_common, on_family = self.on_common[prompts], self.on_family[prompts]
        shaken = np.bincount(families, jitter * on_family**2, self.num_families)
        draws = rng.normal(size=self.num_families + 1)
        common = pull @ on_common + draws[0] * np.sqrt(jitter @ on_common**2)
        family = np.bincount(families, pull * on_family, self.num_families)
        own = self.own[:0]
        if world.own:
            own = np.bincount(prompts, pull * self.on_own[prompts], self.own.size)
        return Gradient(float(common), family + draws[1:] * np.sqrt(shaken), own, float(square))

    def _update(self, gradient: Gradient) -> None:
        if self.world.learner.optimizer == "sgd":
            self.common += gradient.common
            self.family = self.family + gradient.family
            self.own = self.own + gradient.own
            return
        memory, (first, second) = self.memory, self.world.learner.betas
        memory.updates += 1
        memory.common += (1.0 - first) * (gradient.common - memory.common)
        memory.family = memory.family + (1.0 - first) * (gradient.family - memory.family)
        memory.own = memory.own + (1.0 - first) * (gradient.own - memory.own)
        memory.square += (1.0 - second) * (gradient.square - memory.square)
        square = memory.square / (1.0 - second**memory.updates) / self.normaliser
        if square == 0.0:
            return
        scale = 1.0 / (1.0 - first**memory.updates) / np.sqrt(square)
        self.common += scale * memory.common
        self.family = self.family + scale * memory.family
        self.own = self.own + scale * memory.own

    def _advantages(
        self, batch: Segments
    ) -> tuple[Float[np.ndarray, "S"], Float[np.ndarray, "S"]]:
        """Advantage of a passing and of a failing rollout of each segment's group."""
        index, passes, rollouts = group_totals(batch)
        passing, failing = group_advantages(self.world.learner.estimator, passes, rollouts)
        return passing[index], failing[index]

    def _weights(self, batch: Segments) -> Float[np.ndarray, "S"]:
        """Weight of a rollout relative to a mean over the batch's rollouts."""
        if self.world.learner.weighting == "rollout":
            return np.ones(batch.group.size)
        index, _, rollouts = group_totals(batch)
        return (rollouts.sum() / rollouts.size / rollouts)[index]

    def squared_norm_at_start(self, rng: np.random.Generator) -> float:
        """Mean squared norm of RLOO's gradient under uniform selection and one update.

        The same for every estimator, for under Adam the scale of advantages is immaterial.
        """
        total = 0.0
        for one in self.gradients_at_start(rng):
            total += one.square
        return total / REFERENCE_BATCHES

    def gradients_at_start(self, rng: np.random.Generator) -> Iterator[Gradient]:
        """Gradients of RLOO on batches chosen uniformly, at the policy as it is."""
        learner = self.world.learner
        for _ in range(REFERENCE_BATCHES):
            prompts = rng.integers(self.world.prompts, size=learner.groups)
            rates = self.pass_rates(prompts)
            passes = rng.binomial(learner.rollouts, rates)
            failures = learner.rollouts - passes
            up, down = group_advantages("rloo", passes, learner.rollouts)
            pull = passes * up * (1.0 - rates) - failures * down * rates
            noise = self.pass_noise[prompts] * passes * up**2
            noise += self.fail_noise[prompts] * failures * down**2
            num = learner.groups * learner.rollouts
            yield self.gradient(prompts, pull / num, noise / num**2, rng)


def independent(world: Coupled, *, step: float) -> Coupled:
    """The same world without transfer: every prompt has only a coordinate of its own."""
    return replace(world, own=True, held_out=0, cosine_within=0.0, cosine_across=0.0, step=step)
