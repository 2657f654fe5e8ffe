r"""A coupled policy whose families have cosines, second moments and normalisers of their own.

Adam divides each parameter by the root of its own second moment. Where the gradients of two
skills live in different parameters, one normaliser for all lets a family that takes off slow
all others down, and real ones are not. So second moments are kept by family,

$$
G_f^2 = \chi \sum_{j \in f} [\kappa_j^2 (|D_j|^2 - u_j^2) + \nu_j]
    + \bigl(\sum_{j \in f} \kappa_j u_j\bigr)^2,
$$

with $u_j^2$ the part of $|D_j|^2$ that prompts of the family share ($c_f |D_j|^2$ for a cosine
$c_f$ of its own), of which a share $\rho$ is common to all families. Family f is divided by the
root of $q_f = \sum_g O_{fg} \hat v_g / E_0 G_g^2$. Row f of the overlap matrix O says whose
gradients make up the second moment of the parameters that family f moves. The common coordinate
is divided by what all of them share, as in `sim.coupled`.

Axis legend: F families, S segments.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from sim.coupled import REFERENCE_BATCHES, Gradient, Logits


@dataclass
class FamilyGradient(Gradient):
    """A gradient, and the squared norm of each family's share of it."""

    squares: Float[np.ndarray, "F"] = field(default_factory=lambda: np.zeros(0))


@dataclass
class FamilyLogits(Logits):
    """A policy with a normaliser per family; without an overlap, each family has its own."""

    overlap: Float[np.ndarray, "F F"] = field(default_factory=lambda: np.zeros((0, 0)))
    between: float = 0.0  # rho
    shared: Float[np.ndarray, "T"] = field(init=False)  # u^2, in the units of `contrast`
    normalisers: Float[np.ndarray, "F"] = field(init=False)
    squares: Float[np.ndarray, "F"] = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.shared = np.zeros(self.contrast.size)
        self.normalisers = np.ones(self.num_families)
        self.squares = np.zeros(self.num_families)
        if not self.overlap.size:
            self.overlap = np.eye(self.num_families)

    def gradient(
        self,
        prompts: Int[np.ndarray, "S"],
        pull: Float[np.ndarray, "S"],
        noise: Float[np.ndarray, "S"],
        rng: np.random.Generator,
    ) -> FamilyGradient:
        """Gradient of a mini-batch; arguments as in `sim.coupled`."""
        moves, F = super().gradient(prompts, pull, noise, rng), self.num_families
        different, which = np.unique(prompts, return_inverse=True)
        own = np.bincount(which, pull, different.size) ** 2
        own *= np.maximum(self.contrast - self.shared, 0.0)[different]
        apart = np.bincount(self.families[different], own, F)
        apart = self.world.felt * (apart + np.bincount(self.families[prompts], noise, F))
        along = pull * np.sqrt(self.shared[prompts])
        together = np.bincount(self.families[prompts], along, F)
        whole = self.between * together.sum() ** 2 + (1.0 - self.between) * together @ together
        square, squares = float(apart.sum() + whole), apart + together**2
        return FamilyGradient(moves.common, moves.family, moves.own, square, squares)

    def squared_norm_at_start(self, rng: np.random.Generator) -> float:
        """Mean squared norm under uniform selection; those of families are kept as well."""
        total, by_family = 0.0, np.zeros(self.num_families)
        for one in self.gradients_at_start(rng):
            assert isinstance(one, FamilyGradient)
            total += one.square
            by_family += one.squares
        self.normalisers = by_family / REFERENCE_BATCHES
        return total / REFERENCE_BATCHES

    def _update(self, gradient: Gradient) -> None:
        before = self.family
        super()._update(gradient)
        if self.world.learner.optimizer == "sgd":
            return
        assert isinstance(gradient, FamilyGradient)
        memory, (first, second) = self.memory, self.world.learner.betas
        self.squares = self.squares + (1.0 - second) * (gradient.squares - self.squares)
        hat = self.squares / (1.0 - second**memory.updates)
        still = self.normalisers == 0.0  # a family without prompts, or without a mixed group
        relative = np.where(still, 1.0, hat / np.where(still, 1.0, self.normalisers))
        divisor = np.sqrt(self.overlap @ relative)
        scale = 1.0 / (1.0 - first**memory.updates)
        moved = np.divide(
            scale * memory.family, divisor, out=np.zeros_like(divisor), where=divisor > 0.0
        )
        self.family = before + moved
