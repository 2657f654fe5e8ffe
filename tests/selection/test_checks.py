"""Wrong hyperparameters are refused by name, in the check and in every strategy."""

from dataclasses import fields, replace
from inspect import unwrap
from typing import Any

import numpy as np
import pytest

from selection import Cures, DynamicSampling, Greso, Gvm, Mopps, Oracle, Speed, Uniform, checks
from tests.selection.variants import VARIANTS, rising


@pytest.mark.parametrize(
    "value", [0, -1, 1.0, 2.5, np.nan, True, np.True_, np.float64(2.0), np.int64(0), "3", None]
)
def test_a_count_is_a_whole_number_of_at_least_one(value: object) -> None:
    with pytest.raises(ValueError, match=f"n={value} must be a whole number of at least 1"):
        checks.counts(n=value)


@pytest.mark.parametrize(("least", "value"), [(1, 1), (0, 0), (2, 2), (2, checks.MOST)])
def test_a_count_may_be_the_least_or_the_most(least: int, value: int) -> None:
    checks.counts(least, n=value)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.int64, np.uint64])
def test_a_count_may_be_an_integer_of_numpy(kind: type[np.integer[Any]]) -> None:
    checks.counts(3, n=kind(3))
    with pytest.raises(ValueError, match="n=3 must be a whole number of at least 4"):
        checks.counts(4, n=kind(3))


@pytest.mark.parametrize("value", [10**7 + 1, 10**12, 10**400, np.int64(10**9)])
def test_a_count_beyond_the_most_is_a_slip(value: int) -> None:
    assert checks.MOST == 10**7
    with pytest.raises(ValueError, match=r"^n=10+1? must be at most 10,000,000$"):
        checks.counts(n=value)


@pytest.mark.parametrize("value", [-1e-9, 1.0 + 1e-9, np.nan, np.inf, True, False])
def test_a_share_lies_in_its_interval(value: float) -> None:
    with pytest.raises(ValueError, match=rf"share={value} must lie in \[0, 1\]"):
        unwrap(checks.within)(0.0, 1.0, share=value)  # without the type checks of a test run


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf, True])
def test_a_positive_number_is_finite(value: float) -> None:
    with pytest.raises(ValueError, match=f"x={value} must be positive and finite"):
        unwrap(checks.positive)(x=value)


def test_bounds_belong_to_their_interval() -> None:
    checks.within(0.0, 1.0, low=0.0, high=1.0, half=0.5)
    checks.positive(tiny=5e-324, huge=1e308)


def test_the_value_at_fault_is_named_among_many() -> None:
    with pytest.raises(ValueError, match="b=0"):
        checks.counts(a=1, b=0, c=2)


Strategy = Uniform | DynamicSampling | Speed | Greso | Mopps | Cures | Gvm | Oracle
SELECTORS: list[Strategy] = [
    Uniform(),
    DynamicSampling(prompts=4, rounds=4),
    Speed(fresh=4),
    Greso(prompts=4, share_block=8, hard_reward=0.1),
    Mopps(single=8.0),
    Cures(),
    Gvm(),
    Oracle(pass_rates=rising),
]
HYPERPARAMETERS = [
    pytest.param(selector, field.name, id=f"{type(selector).__name__}.{field.name}")
    for selector in SELECTORS
    for field in fields(selector)
    if type(getattr(selector, field.name)) in (int, float)
]
REFUSED = (ValueError, TypeError)  # the latter by the type checks of a test run


@pytest.mark.parametrize(("selector", "name"), HYPERPARAMETERS)
@pytest.mark.parametrize("wrong", [np.nan, -1, True])
def test_no_hyperparameter_is_silently_wrong(
    selector: Strategy, name: str, wrong: float
) -> None:
    with pytest.raises(REFUSED, match=name):
        replace(selector, **{name: wrong})


@pytest.mark.parametrize(("selector", "name"), HYPERPARAMETERS)
def test_counts_are_not_fractions(selector: Strategy, name: str) -> None:
    if isinstance(getattr(selector, name), int):
        with pytest.raises(REFUSED, match=name):
            replace(selector, **{name: 2.5})


WRONG: list[tuple[type, dict[str, Any], str]] = [
    (DynamicSampling, {"low": 0.6, "high": 0.4}, r"low=0\.6 must not exceed high=0\.4"),
    (Speed, {"low": 0.6, "high": 0.4}, r"low=0\.6 must not exceed high=0\.4"),
    (Mopps, {"low": 0.6, "high": 0.4}, r"low=0\.6 must not exceed high=0\.4"),
    (Mopps, {"rule": "topk"}, "rule"),
    (Mopps, {"prior": (1.0, 0.0)}, r"beta_0=0\.0"),
    (Mopps, {"prior": (np.nan, 1.0)}, "alpha_0=nan"),
    (Greso, {"easy_at": 0.5, "hard_at": 0.5}, r"hard_at=0\.5 must be below easy_at=0\.5"),
    (Greso, {"least": 0.4, "most": 0.3}, r"must lie in \[0\.4, 0\.3\]"),
    (Greso, {"explore": 0.04}, r"explore=0\.04 must lie in \[0\.05, 0\.95\]"),
    (Cures, {"rollouts": 3, "at_least": 4}, "rollouts=3 must be .* at least 4"),
    (Gvm, {"rollouts": 3, "at_least": 4}, "rollouts=3 must be .* at least 4"),
    (Gvm, {"power": 1.9}, r"power=1\.9"),
]


@pytest.mark.parametrize(("strategy", "wrong", "message"), WRONG)
def test_hyperparameters_that_contradict_each_other_are_refused(
    strategy: type, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(REFUSED, match=message):
        strategy(**wrong)


def test_every_strategy_is_its_configuration() -> None:
    """Its representation builds it again, so a record of a run can say what ran."""
    for selector in VARIANTS.values():
        if not isinstance(selector, Oracle):
            assert eval(repr(selector)) == selector
