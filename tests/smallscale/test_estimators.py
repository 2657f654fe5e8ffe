import math

import pytest

from selection.settings import SettingError
from smallscale.estimators import ESTIMATORS, estimator


def test_dapo_is_grpo_with_three_changes() -> None:
    """The fourth, dynamic sampling, chooses prompts."""
    dapo, grpo = ESTIMATORS["dapo"], ESTIMATORS["grpo"]
    assert dapo.advantage == grpo.advantage == "grpo"
    assert (dapo.clip_low, dapo.clip_high, dapo.aggregation) == (0.2, 0.28, "token-mean")
    assert dapo.overlong * 20480 == 4096
    assert (grpo.clip_high, grpo.aggregation, grpo.overlong) == (0.2, "seq-mean-token-mean", 0)


def test_no_recipe_needs_a_reference_unless_asked() -> None:
    assert not any(recipe.kl for recipe in ESTIMATORS.values())
    assert {name for name, recipe in ESTIMATORS.items() if recipe.needs_limit} == {
        "dapo",
        "drgrpo",
    }


def test_a_setting_names_and_changes_a_recipe() -> None:
    assert estimator("rloo") == ESTIMATORS["rloo"]
    changed = estimator(
        "rloo:aggregation=seq-mean-token-sum,clip_high=inf,kl=0.05,singleton=zero"
    )
    assert changed.aggregation == "seq-mean-token-sum"
    assert (changed.clip_high, changed.kl, changed.singleton) == (math.inf, 0.05, "zero")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("rlo", "did you mean 'rloo'"),
        ("rloo:clip=1", "unknown key"),
        ("rloo:clip_low=0", "clip_low=0"),
        ("rloo:clip_low=1.5", r"clip_low=1.5 must lie in \(0, 1\]"),
        ("rloo:clip_high=nan", "clip_high=nan"),
        ("rloo:dual_clip=1", "dual_clip=1.0"),
        ("rloo:overlong=2", "overlong=2.0"),
        ("rloo:gamma=-1", "gamma=-1.0"),
        ("rloo:kl=-1", "kl=-1.0"),
        ("rloo:kl_kind=k1", "kl_kind='k1'"),
        ("rloo:baseline=nan", "baseline=nan"),
        ("rloo:advantage=ppo", "advantage='ppo'"),
        ("rloo:divisor_eps=0", "divisor_eps=0.0"),
    ],
)
def test_what_makes_no_sense_is_refused(setting: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        estimator(setting)
