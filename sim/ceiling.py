r"""A coupled policy whose pass rates have a ceiling: what skills cannot mend, they leave.

Some failures are slips: differing mistakes at differing places, which no direction that prompts
share mends. With a share $\lambda$ of rollouts lost to them, whatever the skill,

$$p_i = (1 - \lambda)\,\sigma(b_i + w_i \cdot \theta), \qquad
\nabla\,\mathrm{logit}\,p_i = s_i w_i, \qquad
s_i = \frac{1 - \lambda / (1 - p_i)}{1 - \lambda}:$$

as a prompt nears the ceiling $1 - \lambda$, what remains of its failures is slips, and the part
of D that it shares with others vanishes. $|D|^2$ does not: what is no longer shared is noise to
all others. Without slips this is the policy of `sim.family_moments`.

It shows between families before any training, so $\lambda$ can be measured there (`slips`):
the product of the D of two prompts of a family is $k s^2$, its root a line in $1/(1 - p)$ that
meets 0 at $1/\lambda$. Taken for granted: one k for all families, which is where scatter comes
from, and one $\lambda$.

Axis legend: F families, T prompts of the data set and held-out ones, K of them.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit, logit

from selection.driver import Segments
from sim.family_moments import FamilyLogits

ROOM = 1e-3  # share of the ceiling that a prompt starts below it, at least
FAMILIES = 3  # that slips are estimated from, at least
NEAR = 0.5  # pass rate of the easiest family from which a ceiling is in sight


@dataclass
class CeilingLogits(FamilyLogits):
    """A policy with a ceiling; its reaches and shared parts are those where s is 1."""

    ceiling: float = 1.0
    whole: tuple[Float[np.ndarray, "T"], ...] = field(init=False)

    def settle(self) -> None:
        """Take log-odds for those of the pass rate over the ceiling, once all else is set."""
        self.log_odds = logit(beneath(expit(self.log_odds), self.ceiling) / self.ceiling)
        self.whole = (self.on_common, self.on_family, self.shared)
        self._turn()

    def pass_rates(self, prompts: Int[np.ndarray, "K"]) -> Float[np.ndarray, "K"]:
        """True pass rate of each prompt now."""
        return self._rates()[prompts]

    def accuracy(self) -> float:
        """Mean true pass rate of the held-out prompts."""
        return float(self._rates()[self.scored].mean())

    def learn(self, batch: Segments) -> int:
        """One training step, with D as it is before it."""
        self._turn()
        return super().learn(batch)

    def _rates(self) -> Float[np.ndarray, "T"]:
        common, family, _ = self.whole
        moved = common * self.common + family * self.family[self.families]
        return self.ceiling * expit(self.log_odds + moved)

    def _turn(self) -> None:
        """Bring D to the pass rates as they are."""
        left = remaining(self._rates(), self.ceiling)
        common, family, shared = self.whole
        self.on_common, self.on_family = common * left, family * left
        self.shared = shared * left**2


def beneath(rates: Float[np.ndarray, "T"], ceiling: float) -> Float[np.ndarray, "T"]:
    """Pass rates, those at a ceiling or above it put right below; a ceiling of 1 is none."""
    return np.minimum(rates, ceiling * (1.0 - ROOM)) if ceiling < 1.0 else rates


def remaining(rates: Float[np.ndarray, "T"], ceiling: float) -> Float[np.ndarray, "T"]:
    """How much of the shared part of D is left at a pass rate, s."""
    failures = np.maximum(1.0 - rates, 1.0 - ceiling)
    return (1.0 - (1.0 - ceiling) / np.where(failures > 0.0, failures, 1.0)) / ceiling


def slips(rates: Float[np.ndarray, "F"], products: Float[np.ndarray, "F"]) -> float:
    r"""$\lambda$ from the least-squares line of the root of products over 1/(1 - p).

    Zero if the line does not fall, rests on fewer than `FAMILIES` different pass rates or ends
    below `NEAR`; at most the fewest failures of any family.

    Args:
        rates: Mean pass rate of each family.
        products: Mean product of the D of two of its prompts.
    """
    known = rates < 1.0
    rates, products = rates[known], products[known]
    if np.unique(rates).size < FAMILIES or rates.max() < NEAR:
        return 0.0
    line = np.polyfit(1.0 / (1.0 - rates), np.sqrt(products), 1)
    if line[0] >= 0.0 or line[1] <= 0.0:
        return 0.0
    return float(min(-line[0] / line[1], (1.0 - rates).min()))
