r"""What a run costs in seconds: rollouts become tokens, tokens become time.

Rollouts are not seconds. A round of generation ends with its longest rollout, so a round has a
price of its own, however few rollouts it holds; and it has a throughput, since every token of
every rollout is paid for. Training pays per token trained on and per optimizer update. With R
rollouts, k of them passes, in one round:

$$
\text{generation} = t_\text{call} + t_\text{step}\,E[\max_{j \le R} L_j]
                    + t_\text{token} \textstyle\sum_j E[L_j], \qquad
\text{training} = t_\text{trained} \sum_j E[L_j] + t_\text{update} U + t_\text{other}.
$$

The lengths L of passing and of failing rollouts are lognormal, each with its mean, and cut at
`max_tokens` like those of a real run. At most C rollouts decode at once; those beyond
C wait for a place, which adds (R - C) E[L] / C decoding steps (all places stay busy until the
queue is empty). Prompt tokens are not counted: many rollouts share one.

Presets, each on the machines of its source (`sim/data/published_timings.csv`; the tests fit
the numbers below to that file again):

* `speed-7b`, `speed-1.5b` (SPEED, arXiv:2506.09016, withdrawn by its authors; 4 GPUs). The
  7B split of 71.5 s generation and 31.9 s training per 384 rollouts, with the seconds per
  training step of runs that generate 384 rollouts a round (RLOO, GRPO), 1,536 (DAPO) or have
  fewer rounds than training steps (SPEED), identifies `step_seconds`, `token_seconds` and both
  prices of training up to the lengths. Two things behind that are inferred: DAPO's rounds held
  64 prompts, as in its later scripts (rounds of 16 would take 35 % longer than published), and
  SPEED accepted what the authors' pass counts from before training imply. Fitted to 3 % (1.5B,
  where an update costs nothing that can be told from zero) and 9 % (7B, where SPEED with RLOO
  took longer than SPEED with DAPO, which this model cannot explain).
* `greso-1.5b`, `greso-r1-1.5b`, `greso-7b` (GRESO, arXiv:2506.02177, Tables 1 and 2; 4, 8 and
  8 H100). One number per model, the seconds of a full round (3,072 rollouts; R1 1,536), and
  one per training step for training and for everything else. The split of a round is assumed:
  a decoding step takes what `speed-1.5b` and `speed-7b` take. Rollout hours of both runs
  within 1 % (R1), 8 % (7B) and 20 % (1.5B): at 1.5B, GRESO took 1.42 times as long per rollout
  as its baseline, in rounds of the same size. Selected prompts with longer rollouts would
  explain that; no count of rollouts can.

Assumed throughout, because nothing is published: mean lengths and their spread, that 4 of 10
rollouts pass, 1,024 places per GPU, and no seconds per call besides those of the longest
rollout. From 100 rollouts on that one comes within a tenth of `max_tokens`, so the published
rounds cannot tell the two apart; a round of 10 rollouts would.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.optimize import root_scalar
from scipy.special import log_ndtr, ndtr

from selection.checks import counts, positive, within

GRID = 512  # cells of the integral over lengths: an error below a thousandth of `max_tokens`


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Prices of generation and training; the defaults are the preset `speed-7b`.

    Attributes:
        passing_tokens: Mean length of a passing rollout, cut at `max_tokens`.
        failing_tokens: Mean length of a failing rollout, likewise.
        spread: Standard deviation of lengths over their mean, before the cut.
        max_tokens: Length at which a rollout is cut.
        call_seconds: Seconds per round of generation, before the first token.
        step_seconds: Seconds per decoding step, which adds a token to every rollout.
        token_seconds: Seconds per generated token on top.
        concurrency: Rollouts that decode at once; more wait.
        trained_token_seconds: Seconds per token trained on.
        update_seconds: Seconds per optimizer update.
        other_seconds: Seconds per training step for all else (transfer, logging, validation).
    """

    passing_tokens: float = 600.0
    failing_tokens: float = 900.0
    spread: float = 0.7
    max_tokens: int = 3072
    call_seconds: float = 0.0
    step_seconds: float = 0.0204
    token_seconds: float = 2.89e-5
    concurrency: int = 4096
    trained_token_seconds: float = 9.52e-5
    update_seconds: float = 3.32
    other_seconds: float = 0.0

    def __post_init__(self) -> None:
        counts(max_tokens=self.max_tokens, concurrency=self.concurrency)
        positive(spread=self.spread)
        for name in ("passing_tokens", "failing_tokens"):
            mean = getattr(self, name)
            if not 0.0 < mean < self.max_tokens:
                raise ValueError(f"{name}={mean} must lie between 0 and {self.max_tokens=}")
        for name in self.__dataclass_fields__:
            if name.endswith("_seconds"):
                within(0.0, 1e9, **{name: getattr(self, name)})

    @classmethod
    def preset(cls, name: str) -> "Costs":
        """The prices fitted to a published system; the names are the keys of `PRESETS`.

        Raises:
            ValueError: If there is no such preset.
        """
        if name not in PRESETS:
            raise ValueError(f"preset {name!r} is none of {', '.join(PRESETS)}")
        return PRESETS[name]

    def tokens(self, rollouts: int, passes: int) -> float:
        """Expected tokens of rollouts of which some pass.

        Raises:
            ValueError: If there are more passes than rollouts, or fewer than none.
        """
        if not 0 <= passes <= rollouts:
            raise ValueError(f"{passes=} must lie between 0 and {rollouts=}")
        return passes * self.passing_tokens + (rollouts - passes) * self.failing_tokens

    def decoding_steps(self, rollouts: int, passes: int) -> float:
        """Expected decoding steps of one round: the length of its longest rollout, or more.

        Raises:
            ValueError: If there are more passes than rollouts, or fewer than none.
        """
        queued = max(0, rollouts - self.concurrency)
        share = 1.0 - queued / max(rollouts, 1)
        passing, failing = self._log_shorter
        shorter = np.exp(share * (passes * passing + (rollouts - passes) * failing))
        longest = self.max_tokens * (1.0 - float(shorter.sum()) / GRID)
        return longest + (1.0 - share) * self.tokens(rollouts, passes) / self.concurrency

    def generation_seconds(self, rollouts: int, passes: int) -> float:
        """Seconds of one round of generation; an empty round is not called.

        Raises:
            ValueError: If there are more passes than rollouts, or fewer than none.
        """
        tokens = self.tokens(rollouts, passes)
        if rollouts == 0:
            return 0.0
        decoding = self.step_seconds * self.decoding_steps(rollouts, passes)
        return self.call_seconds + decoding + self.token_seconds * tokens

    def training_seconds(self, rollouts: int, passes: int, updates: int) -> float:
        """Seconds of one training step on these rollouts, without generation.

        Raises:
            ValueError: If there are more passes than rollouts, or fewer than none, or if
                `updates` is negative.
        """
        if updates < 0:
            raise ValueError(f"{updates=} must not be negative")
        trained = self.trained_token_seconds * self.tokens(rollouts, passes)
        return trained + self.update_seconds * updates + self.other_seconds

    @cached_property
    def _log_shorter(self) -> tuple[Float[np.ndarray, "512"], Float[np.ndarray, "512"]]:
        """Log probability that a passing and a failing rollout end before each length."""
        lengths = (np.arange(GRID) + 0.5) * self.max_tokens / GRID
        sigma = math.sqrt(math.log1p(self.spread**2))
        passing, failing = (
            log_ndtr((np.log(lengths) - self._median(mean, sigma)) / sigma)
            for mean in (self.passing_tokens, self.failing_tokens)
        )
        return passing, failing

    def _median(self, mean: float, sigma: float) -> float:
        """Log median of lengths whose mean is `mean` once they are cut at `max_tokens`."""
        cut = math.log(self.max_tokens)

        def excess(median: float) -> float:
            z = (cut - median) / sigma
            whole = math.exp(median + sigma**2 / 2) * ndtr(z - sigma)
            return float(whole + self.max_tokens * ndtr(-z)) - mean

        bracket = (math.log(mean) - sigma**2, cut + 10.0 * sigma)
        return float(root_scalar(excess, bracket=bracket).root)


_SPEED_7B = Costs()
_SPEED_1_5B = Costs(
    step_seconds=0.0192,
    token_seconds=2.45e-5,
    trained_token_seconds=3.37e-5,
    update_seconds=0.0,
)
PRESETS = {
    "speed-7b": _SPEED_7B,
    "speed-1.5b": _SPEED_1_5B,
    "greso-7b": replace(
        _SPEED_7B,
        max_tokens=2560,
        concurrency=8192,
        token_seconds=2.95e-5,
        trained_token_seconds=2.85e-5,
        other_seconds=22.3,
    ),
    "greso-1.5b": replace(
        _SPEED_1_5B,
        max_tokens=2560,
        token_seconds=0.911e-5,
        trained_token_seconds=1.91e-5,
        other_seconds=13.5,
    ),
    "greso-r1-1.5b": replace(
        _SPEED_1_5B,
        passing_tokens=2500.0,
        failing_tokens=4000.0,
        max_tokens=6144,
        concurrency=8192,
        token_seconds=1.83e-5,
        trained_token_seconds=0.666e-5,
        other_seconds=13.1,
    ),
}
