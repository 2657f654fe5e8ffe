"""Named recipes: an advantage estimator with the loss that its source pairs it with.

| recipe | advantage | aggregation | clip | dual clip | besides |
|---|---|---|---|---|---|
| `rloo` | leave-one-out | token-mean | 0.2, 0.2 | 10 | |
| `grpo` | divided by the deviation | seq-mean-token-mean | 0.2, 0.2 | | |
| `drgrpo` | group mean | seq-mean-token-sum-norm | 0.2, 0.2 | | |
| `reinforce` | reward | seq-mean-token-sum | 0.2, 0.2 | | |
| `rpp` | whitened | token-mean | 0.2, 0.2 | | KL in the reward, if any |
| `rpp-baseline` | group mean, whitened | token-mean | 0.2, 0.2 | | KL as a k2 loss, if any |
| `dapo` | as `grpo` | token-mean | 0.2, 0.28 | 10 | soft overlong penalty |
| `maxrl` | divided by the mean | token-mean | 0.2, 0.2 | 3 | |
| `opo` | mean weighted by length | token-mean | 0.2, 0.2 | 3 | |
| `raft` | positive part | token-mean | 0.2, 0.2 | 3 | |

Departures: the KL term is off in every recipe, as in the runs this project compares, and `kl`
turns it on (GRPO's paper has 0.04 of k3 as a loss). DAPO's fourth change, dynamic sampling, is
a selection strategy. `seq-mean-token-sum-norm` divides by the rollouts of the mini-batch times
the token limit, as huggingface/trl @ f2cd57710 does and volcengine/verl @ b178a3cd does not
(it leaves the rollouts out), so that the size of an update does not grow with the mini-batch.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from selection.checks import positive, within
from selection.settings import change, nearest, parse
from smallscale.advantages import Advantage, Singleton
from smallscale.losses import Aggregation

Place = Literal["loss", "reward"]
LossPenalty = Literal["k2", "k3"]  # as losses k1 has no mean gradient and abs not that of a KL


@dataclass(frozen=True, kw_only=True)
class Estimator:
    """How rewards become a loss.

    Attributes:
        summary: What it is, in a line.
        source: Where it is from.
        advantage: Advantage estimator.
        aggregation: How the losses of tokens become that of a mini-batch.
        clip_low: Ratios are clipped to at least 1 - clip_low; inf for no clipping.
        clip_high: Ratios are clipped to at most 1 + clip_high; inf for no clipping.
        dual_clip: Bound of the loss in units of a negative advantage; inf for none.
        overlong: Share of the token limit over which the penalty for length builds up; 0 for
            no penalty.
        kl: Coefficient of the divergence from a reference model; 0 for none.
        kl_kind: Estimate of the divergence where it is part of the loss.
        kl_place: Whether the divergence is a loss, or k1 of each token taken off its reward.
        singleton: What a group of one gets, its raw reward or 0.
        divisor_eps: Added to the divisor, or to the variance under whitening; none for the
            released value.
        baseline: Of the advantage `reinforce`.
        gamma: Discount per token, of the advantage `rpp`.
    """

    summary: str
    source: str
    advantage: Advantage
    aggregation: Aggregation = "token-mean"
    clip_low: float = 0.2
    clip_high: float = 0.2
    dual_clip: float = math.inf
    overlong: float = 0.0
    kl: float = 0.0
    kl_kind: LossPenalty = "k3"
    kl_place: Place = "loss"
    singleton: Singleton = "raw"
    divisor_eps: float | None = None
    baseline: float = 0.0
    gamma: float = 1.0

    def __post_init__(self) -> None:
        for name, kind in CHOICES.items():
            if getattr(self, name) not in get_args(kind):
                known = ", ".join(get_args(kind))
                raise ValueError(f"{name}={getattr(self, name)!r} is none of {known}")
        if not (self.clip_low > 0.0 and self.clip_high > 0.0):
            raise ValueError(
                f"clip_low={self.clip_low} and clip_high={self.clip_high} must be positive"
            )
        if self.clip_low > 1.0 and self.clip_low != math.inf:
            raise ValueError(f"clip_low={self.clip_low} must lie in (0, 1], or be inf")
        if not self.dual_clip > 1.0:
            raise ValueError(f"dual_clip={self.dual_clip} must be greater than 1")
        within(0.0, 1.0, overlong=self.overlong, gamma=self.gamma)
        within(0.0, 1e6, kl=self.kl)
        within(-1e6, 1e6, baseline=self.baseline)
        if self.divisor_eps is not None:
            positive(divisor_eps=self.divisor_eps)

    @property
    def needs_limit(self) -> bool:
        """Whether the token limit of rollouts is part of its formula."""
        return self.overlong > 0.0 or self.aggregation == "seq-mean-token-sum-norm"


CHOICES = {
    "advantage": Advantage,
    "aggregation": Aggregation,
    "kl_kind": LossPenalty,
    "kl_place": Place,
    "singleton": Singleton,
}

ESTIMATORS: dict[str, Estimator] = {
    "rloo": Estimator(
        summary="reward less the mean of the group's other rollouts",
        source="arXiv:2402.14740; loss as in Zanette-Labs/speed-rl @ 80e47b5",
        advantage="rloo",
        dual_clip=10.0,
    ),
    "grpo": Estimator(
        summary="reward standardized within the group, each rollout weighing the same",
        source="arXiv:2402.03300",
        advantage="grpo",
        aggregation="seq-mean-token-mean",
    ),
    "drgrpo": Estimator(
        summary="reward less the group's mean, summed over tokens, divided by a constant",
        source="arXiv:2503.20783",
        advantage="drgrpo",
        aggregation="seq-mean-token-sum-norm",
    ),
    "reinforce": Estimator(
        summary="the reward itself, less a fixed baseline",
        source="Williams 1992; clipped like the others",
        advantage="reinforce",
        aggregation="seq-mean-token-sum",
    ),
    "rpp": Estimator(
        summary="REINFORCE++: returns whitened over the tokens of the batch",
        source="arXiv:2501.03262",
        advantage="rpp",
        kl_place="reward",
    ),
    "rpp-baseline": Estimator(
        summary="REINFORCE++-baseline: reward less the group's mean, whitened over the tokens",
        source="arXiv:2501.03262",
        advantage="rpp_baseline",
        kl_kind="k2",
    ),
    "dapo": Estimator(
        summary="GRPO's advantage, clip-higher, token-mean loss, soft overlong penalty",
        source="arXiv:2503.14476; dual clip as in verl's script",
        advantage="grpo",
        clip_high=0.28,
        dual_clip=10.0,
        overlong=0.2,  # 4,096 of 20,480 tokens
    ),
    "maxrl": Estimator(
        summary="reward less the group's mean, divided by that mean",
        source="arXiv:2602.02710; loss by the defaults of volcengine/verl @ b178a3cd",
        advantage="maxrl",
        dual_clip=3.0,
    ),
    "opo": Estimator(
        summary="reward less the group's mean weighted by length",
        source="arXiv:2505.23585; loss by the defaults of volcengine/verl @ b178a3cd",
        advantage="opo",
        dual_clip=3.0,
    ),
    "raft": Estimator(
        summary="imitation of the rollouts that passed",
        source="ZexuSun/CurES @ eccf298; loss by the defaults of volcengine/verl @ b178a3cd",
        advantage="raft",
        dual_clip=3.0,
    ),
}


def estimator(setting: str) -> Estimator:
    """The recipe that a setting such as `grpo` or `dapo:clip_high=0.3,kl=0.001` names.

    Raises:
        SettingError: The name or a key is unknown, or a value is wrong.
    """
    name, changes = parse(setting)
    if name not in ESTIMATORS:
        raise nearest(name, list(ESTIMATORS), "estimator")
    return change(ESTIMATORS[name], changes)
