"""SPEED: screen every prompt with a few rollouts, continue only those that may teach.

A fresh prompt gets N_init screening rollouts. It is held if they disagree (more generally, if
the observed pass rate lies in a band), and then gets N_cont continuation rollouts; the group
trained on has all N_init + N_cont. A prompt that is screened out is not retried before the
next pass.

Reference: Zhang et al., "SPEED-RL: Faster Training of Reasoning Models via Online Curriculum
Learning", arXiv 2506.09016 (withdrawn by its authors in v3), and Zanette-Labs/speed-rl @
80e47b5, `verl/trainer/ppo/data_controller.py`. The two differ in how orders are made up:

- `paper` (Algorithm 1): screen until enough prompts are held, then continue them, all under
  one policy. An order screens just as many prompts as are still missing, which costs exactly
  the rollouts of the sequential algorithm. A pass over the data set ends with the continuation
  of what it held, so that a data set smaller than the batch serves it too.
- `released`: one order screens 64 fresh prompts and continues whatever the last one held, so
  that screening and continuation share an inference call. What a call yields beyond the batch
  is kept (the driver's `surplus="keep"`); its rollouts age meanwhile.

Departures from the release: phases are told apart by which prompts are held rather than by
counting rollouts, so N_init = N_cont and any other pair work (there N_cont must be a multiple
of N_init, and equality corrupts the batch); every held prompt is continued (there those beyond
a multiple of the GPUs wait); prompts drawn while training are not thrown away.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from selection.acceptance import check_band, in_band
from selection.checks import counts
from selection.epochs import Epochs
from selection.membership import among
from selection.protocol import DROP, HOLD, TRAIN, Order, Outcome


@dataclass(frozen=True)
class Screening:
    """Place in the data set, and the prompts that await continuation, oldest first."""

    epochs: Epochs
    held: Int[np.ndarray, "H"]


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Two-phase selection.

    Attributes:
        screen: Rollouts per screened prompt, N_init.
        extend: Further rollouts per held prompt, N_cont.
        fresh: Prompts screened per order; None screens as many as are missing.
        fused: Whether an order continues held prompts while it screens fresh ones; if not,
            it does either, and continues once enough are held.
        low, high: Bounds of the screening pass rate for which a prompt is held, if it is
            mixed as well.
    """

    screen: int = 4
    extend: int = 20
    fresh: int | None = None
    fused: bool = False
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        check_band(self.low, self.high)
        counts(2, screen=self.screen)
        counts(extend=self.extend)
        if self.fresh is not None:
            counts(fresh=self.fresh)

    @classmethod
    def paper(cls, *, screen: int = 4, extend: int = 20) -> "Speed":
        """Algorithm 1: screen, then continue, under one policy and without surplus."""
        return cls(screen=screen, extend=extend)

    @classmethod
    def released(cls, *, screen: int = 4, extend: int = 20, fresh: int = 64) -> "Speed":
        """Fused orders of 64 fresh prompts, as in the authors' scripts."""
        return cls(screen=screen, extend=extend, fresh=fresh, fused=True)

    def init(self, num_prompts: int) -> Screening:
        return Screening(Epochs.before(num_prompts), np.zeros(0, int))

    def ask(
        self, state: Screening, wanted: int, rng: np.random.Generator
    ) -> tuple[Screening, Order]:
        if self.fused:
            epochs, fresh = self._screened(state, self.fresh or wanted, rng)
            return Screening(epochs, state.held), self._order(fresh, state.held)
        lacking = wanted - state.held.size
        pass_is_over = state.epochs.left == 0 and state.held.size > 0
        if lacking <= 0 or pass_is_over:
            return state, self._order(state.held[:0], state.held[:wanted])
        num_fresh = self.fresh or min(lacking, state.epochs.left or lacking)
        epochs, fresh = self._screened(state, num_fresh, rng)
        continued = state.held[:0] if fresh.size else state.held  # all that came is held
        return Screening(epochs, state.held), self._order(fresh, continued)

    def tell(
        self, state: Screening, order: Order, outcome: Outcome
    ) -> tuple[Screening, Int[np.ndarray, "K"]]:
        continued = among(order.prompts, state.held)
        accepted = in_band(order, outcome, low=self.low, high=self.high)
        verdicts = np.where(continued, TRAIN, np.where(accepted, HOLD, DROP))
        waiting = state.held
        if continued.any():
            waiting = waiting[~among(waiting, order.prompts)]
        held = np.concatenate((waiting, order.prompts[verdicts == HOLD]))
        return Screening(state.epochs, held), verdicts

    def _screened(
        self, state: Screening, num_fresh: int, rng: np.random.Generator
    ) -> tuple[Epochs, Int[np.ndarray, "F"]]:
        """Fresh prompts of the pass, without those already held."""
        epochs, fresh = state.epochs.draw(num_fresh, rng, besides=state.held)
        return epochs, fresh[~among(fresh, state.held)]

    def _order(self, fresh: Int[np.ndarray, "F"], held: Int[np.ndarray, "H"]) -> Order:
        """An order that screens some prompts and continues others."""
        rollouts = np.repeat((self.screen, self.extend), (fresh.size, held.size))
        return Order(np.concatenate((fresh, held)), rollouts)
