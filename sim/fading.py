r"""A coupled policy whose easy prompts become hard to improve: |D|^2 fades as p nears 1.

What remains of a family's failures once most rollouts pass is idiosyncratic: differing mistakes
at differing places, which no one direction mends. Before training it shows between families:
the easier one starts, the smaller its |D|^2. So above log-odds $y_0$, the larger of a prompt's
own start and 0,

$$|D|^2(y) = |D|^2\,e^{-\beta (y - y_0)}, \qquad
y = y_0 + \tfrac{2}{\beta} \ln\bigl(1 + \tfrac{\beta}{2} u\bigr),$$

with u what log-odds that are linear in the parameters would have beyond $y_0$, since
$dy/du = |D|(y) / |D|$. $\beta$, the `fade`, is the slope of $-\ln a_f$ over start log-odds
among families that start above 0 (`slope`). Below $y_0$, and with $\beta = 0$, nothing changes.

Axis legend: T prompts of the data set and held-out ones, K of them, S segments.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from scipy.special import expit

from selection.driver import Segments
from sim.family_moments import FamilyLogits


@dataclass
class FadingLogits(FamilyLogits):
    """A policy with a fade; its reaches and contrasts are those of the policy as it is."""

    fade: float = 0.0
    whole: tuple[Float[np.ndarray, "T"], ...] = field(init=False)

    def settle(self) -> None:
        """Keep reaches and contrasts as they are at y_0; to be called once they are set."""
        self.whole = (self.on_common, self.on_family, self.contrast)

    def pass_rates(self, prompts: Int[np.ndarray, "K"]) -> Float[np.ndarray, "K"]:
        """True pass rate of each prompt now."""
        return expit(self._log_odds()[0][prompts])

    def accuracy(self) -> float:
        """Mean true pass rate of the held-out prompts."""
        return float(expit(self._log_odds()[0][self.scored]).mean())

    def learn(self, batch: Segments) -> int:
        """One training step, with |D| as it is before it."""
        remaining = self._log_odds()[1]
        common, family, contrast = self.whole
        self.on_common, self.on_family = common * remaining, family * remaining
        self.contrast = contrast * remaining**2
        return super().learn(batch)

    def _log_odds(self) -> tuple[Float[np.ndarray, "T"], Float[np.ndarray, "T"]]:
        """Log-odds of all prompts, and |D| of each relative to its start."""
        common, family, _ = self.whole
        linear = self.log_odds + common * self.common + family * self.family[self.families]
        if self.fade == 0.0:
            return linear, np.ones_like(linear)
        turn = np.maximum(self.log_odds, 0.0)
        beyond = 1.0 + self.fade / 2.0 * np.maximum(linear - turn, 0.0)
        return np.minimum(linear, turn) + 2.0 / self.fade * np.log(beyond), 1.0 / beyond


def slope(log_odds: Float[np.ndarray, "F"], steps: Float[np.ndarray, "F"]) -> float:
    """Least-squares slope of -ln a_f over start log-odds above 0; 0 if it is not positive."""
    easy = log_odds > 0.0
    if int(easy.sum()) < 3:
        return 0.0
    return max(0.0, -float(np.polyfit(log_odds[easy], np.log(steps[easy]), 1)[0]))
