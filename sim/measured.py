r"""The coupled world with the constants of a real policy, measured before it is trained.

What is measured, by family f of prompts that share a skill: its share of the data set, mean and
standard deviation of its start log-odds, $a_f$ (the learning rate times $|D|^2$ in Adam's
metric: what one update moves), $|D|^2_f$ (in the metric of the plain gradient: what the second
moment is made of), within-class noise $V_1, V_0$ in the same, and the cosine $c_f$ of D between
its prompts in both metrics; and for all, the share $\rho$ of what a family shares that lies
across all families, the spread of $\ln |D|^2$ within a family, the share $\chi$ of the noise
trace that Adam feels, and the ceiling of pass rates. Equations are those of `sim.coupled`, with
what measured constants allow:

* $w_i$ has length $\sqrt{a_f h_i}$ and Adam's cosines, while the second moment is made of
  $|D|^2_f h_i$ and plain cosines; the world with one step takes the two for proportional.
* Each family has a normaliser of its own (`sim.family_moments`).
* What prompts share fades as they near the ceiling (`sim.ceiling`).

The prompts are the same in every run, as in a real one: whole shares, and log-odds at the
quantiles of a normal distribution. Only luck differs between seeds.

Departures: the common coordinate keeps one normaliser; h is the same in both metrics; a prompt
has no coordinate of its own, so what only memory of a prompt would gain is not seen.

Axis legend: F families, M prompts of one set, T of the data set and the held-out ones.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit, ndtri

from selection.checks import counts, within
from sim.ceiling import CeilingLogits, beneath, remaining
from sim.coupled import Coupled
from sim.learner import Learner
from sim.world import Progress

Floats = tuple[float, ...]
TUPLES = (
    "shares",
    "log_odds",
    "deviations",
    "steps",
    "energies",
    "pass_noises",
    "fail_noises",
    "cosines",
    "plain_cosines",
)


@dataclass(frozen=True, kw_only=True)
class Constants:
    """What was measured before training; tuples have an entry per family.

    Attributes:
        families: Names.
        shares: Shares of the data set.
        log_odds: Mean start log-odds.
        deviations: Standard deviations of the start log-odds.
        steps: Learning rate times |D|^2 in the metric of the optimizer, a_f.
        energies: |D|^2 in the metric of the plain gradient.
        pass_noises: V_1, in the unit of `energies`.
        fail_noises: V_0, likewise.
        cosines: Cosine of D between two prompts of the family in Adam's metric, c_f.
        plain_cosines: The same in the metric of the plain gradient.
        between: Share of that which is common to all families, rho, in Adam's metric.
        plain_between: The same in the metric of the plain gradient.
        spread: Standard deviation of ln |D|^2 within a family.
        felt: Share of the noise trace that Adam's second moment feels, chi.
        aligned: Share of the noise trace along the modelled coordinates, omega.
        overlap: Rows of O, each summing to 1; if empty no family divides another.
        ceiling: Pass rate that shared skill can reach at most, 1 - lambda.
    """

    families: tuple[str, ...]
    shares: Floats
    log_odds: Floats
    deviations: Floats
    steps: Floats
    energies: Floats
    pass_noises: Floats
    fail_noises: Floats
    cosines: Floats
    plain_cosines: Floats
    between: float
    plain_between: float
    spread: float
    felt: float
    aligned: float = 0.03
    overlap: tuple[Floats, ...] = ()
    ceiling: float = 1.0

    def __post_init__(self) -> None:
        counts(families=len(self.families))
        for name in TUPLES:
            _check(name, getattr(self, name), len(self.families), signed=name == "log_odds")
        for row in self.overlap:
            _check("row of overlap", row, len(self.families))
            _check_sum("row of overlap", row)
        if self.overlap and len(self.overlap) != len(self.families):
            raise ValueError(f"overlap has {len(self.overlap)} rows, not one per family")
        _check_sum("shares", self.shares)
        within(0.0, 1.0, between=self.between, plain_between=self.plain_between)
        within(0.0, 1.0, cosines=max(self.cosines), plain_cosines=max(self.plain_cosines))
        within(0.0, 10.0, spread=self.spread)
        within(0.1, 1.0, ceiling=self.ceiling)
        if min(*self.steps, *self.energies) <= 0.0:
            raise ValueError("steps and energies must be positive for every family")

    @property
    def energy(self) -> float:
        """Mean |D|^2 over the data set: the unit of noise in the world."""
        return float(np.dot(self.shares, self.energies))

    @property
    def step(self) -> float:
        """Mean a over the data set."""
        return float(np.dot(self.shares, self.steps))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A world of measured constants.

    Attributes:
        constants: What was measured.
        prompts: Prompts in the data set, M.
        held_out: Prompts that accuracy is measured on.
        learner: Estimator, optimizer, mini-batches.
    """

    constants: Constants
    prompts: int = 2000
    held_out: int = 256
    learner: Learner = field(default_factory=Learner)

    def __post_init__(self) -> None:
        counts(prompts=self.prompts, held_out=self.held_out)
        _ = self.knobs

    @property
    def progress(self) -> Progress:
        """The mean pass rate of held-out prompts."""
        return "accuracy"

    @property
    def knobs(self) -> Coupled:
        """The knobs of the coupled world that all families share."""
        known = self.constants
        return Coupled(
            prompts=self.prompts,
            held_out=self.held_out,
            families=len(known.families),
            step=known.step,
            felt=known.felt,
            aligned=known.aligned,
            learner=self.learner,
        )

    def begin(self, rng: np.random.Generator) -> CeilingLogits:
        """A policy at the start of training; `rng` draws mini-batches and noise.

        Raises:
            ValueError: Under Adam, if no group teaches anything at the start.
        """
        chance, training = rng.spawn(2)
        known = self.constants
        family, log_odds, height = drawn(known, (self.prompts, self.held_out))
        scale = np.exp(known.spread * height - known.spread**2 / 2)
        contrast = scale * np.array(known.energies)[family] / known.energy
        policy = CeilingLogits(self.knobs, log_odds, family, contrast, training)
        policy.pass_noise = np.array(known.pass_noises)[family] / known.energy
        policy.fail_noise = np.array(known.fail_noises)[family] / known.energy
        policy.overlap = np.array(known.overlap) if known.overlap else policy.overlap
        policy.between, policy.ceiling = known.plain_between, known.ceiling
        whole = 1.0 / self._remaining(family, log_odds) ** 2
        policy.shared = contrast * np.array(known.plain_cosines)[family] * whole
        reach = scale * (np.array(known.steps) * known.cosines)[family] * whole
        policy.on_common = np.sqrt(reach * known.between)
        policy.on_family = np.sqrt(reach * (1.0 - known.between))
        policy.settle()
        if self.learner.optimizer == "adam":
            policy.normaliser = policy.squared_norm_at_start(chance)
        return policy

    def _remaining(
        self, family: Int[np.ndarray, "T"], log_odds: Float[np.ndarray, "T"]
    ) -> Float[np.ndarray, "T"]:
        """How much of D is left, s, at the start, where it was measured: a mean by family."""
        ceiling = self.constants.ceiling
        left = remaining(beneath(expit(log_odds), ceiling), ceiling)
        return (np.bincount(family, left) / np.maximum(np.bincount(family), 1))[family]


def drawn(
    known: Constants, sizes: tuple[int, ...]
) -> tuple[Int[np.ndarray, "T"], Float[np.ndarray, "T"], Float[np.ndarray, "T"]]:
    """Family, start log-odds and standard normal height of |D|^2 of each prompt.

    Nothing is left to chance but the pairing: a set of each size has every family in its share,
    and in each family log-odds and heights at the quantiles of a normal distribution, shuffled
    against one another by a seed of their own.
    """
    rng = np.random.default_rng(0)
    parts: list[Float[np.ndarray, "3 M"]] = []
    for size in sizes:
        for family, num in enumerate(_whole(known.shares, size)):
            quantiles = ndtri((np.arange(num) + 0.5) / max(num, 1))
            log_odds = known.log_odds[family] + known.deviations[family] * quantiles
            parts.append(np.stack([np.full(num, family), log_odds, rng.permutation(quantiles)]))
    family, log_odds, height = np.concatenate(parts, axis=1)
    return family.astype(int), log_odds, height


def _whole(shares: Floats, num: int) -> Int[np.ndarray, "F"]:
    """`num` dealt out in these shares: whole numbers, the largest remainders rounded up."""
    exact = np.array(shares) * num
    whole = np.floor(exact + 1e-9).astype(int)
    whole[np.argsort(whole - exact, kind="stable")[: num - whole.sum()]] += 1
    return whole


def _check(name: str, values: Floats, num: int, *, signed: bool = False) -> None:
    if len(values) != num:
        raise ValueError(
            f"{name} has {len(values)} entries, not one for each of {num} families"
        )
    if not np.isfinite(values).all() or (not signed and min(values) < 0.0):
        raise ValueError(f"{name}={values} must be finite and, log-odds aside, not negative")


def _check_sum(name: str, values: Floats) -> None:
    if abs(sum(values) - 1.0) > 1e-5:
        raise ValueError(f"{name}={values} must sum to 1")
