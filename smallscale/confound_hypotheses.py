r"""Hypotheses 5 to 9, written down before any run (docs/log.md), as claims about numbers.

How the sentences are read: "under Adam" is every setting with AdamW on the task that the log
names (`strings`, without free tokens), so RLOO and GRPO; "at matched updates" is at one update
and at six, each a claim; "that gap" of hypothesis 8 is read both ways, as that of uniform
selection at six updates and that of SPEED; its "best" multiple is the one with the largest
share to the target at hand, chosen among the same seeds, which favours it a little. Of "24 free
tokens and more", 24 is run.

The difference of two ratios (hypothesis 9) is one of different models, so it is unpaired; its
interval is put together from theirs (Zou and Donner 2008, Statistics in Medicine 27:1693):

$$ d - \sqrt{(r_0 - l_0)^2 + (u_1 - r_1)^2}, \quad d + \sqrt{(u_0 - r_0)^2 + (r_1 - l_1)^2}. $$
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from math import hypot, inf, isnan, nextafter
from types import MappingProxyType

from report.aggregate import UNKNOWN, Estimate
from smallscale.confound import BASE, DYNAMIC, SPEED, UNIFORM, Arm
from smallscale.confound_costs import Paid, explained, ratio
from smallscale.confound_verdicts import Claim

HYPOTHESES: Mapping[int, str] = MappingProxyType(
    {
        5: "Six updates divide uniform's training steps by 3.5 to 5.5 under Adam; under SGD by"
        " 5 to 6.5.",
        6: "At matched updates under Adam SPEED takes .85 to 1.05 of uniform's steps and more"
        " rollouts than uniform; dynamic sampling takes 1.5 to 2.2 of its rollouts. Under SGD"
        " SPEED takes .6 to .85 of the steps and at most as many rollouts.",
        7: "Of the logarithm of SPEED's apparent speed-up (6 updates against uniform's 1),"
        " uniform with 6 updates has at least 80%.",
        8: "One update per step at the best of 2, 4 and 8 times the learning rate closes at"
        " least half of that gap for uniform.",
        9: "Long rollouts (24 free tokens and more) favour selection: SPEED's ratio in rollouts"
        " is lower than without free tokens by .1 or more.",
    }
)
ADAM = ("adam", "grpo")


def fewer(setting: str, arm: Arm, paid: Paid, target: float) -> tuple[Estimate, int]:
    """How many times fewer training steps an arm takes than uniform selection at one."""
    return ratio(paid, setting, BASE, arm.name, target, "step")


def matched(
    setting: str, arm: Arm, currency: str, paid: Paid, target: float
) -> tuple[Estimate, int]:
    """What an arm pays relative to uniform selection at as many updates."""
    same = Arm(strategy="uniform", updates=arm.updates)
    return ratio(paid, setting, arm.name, same.name, target, currency)


def share(
    setting: str, control: Arm, arm: Arm, paid: Paid, target: float
) -> tuple[Estimate, int]:
    """The share of the logarithm of an arm's apparent speedup that a control has as well."""
    return explained(paid, setting, control.name, arm.name, target, "step")


def best(
    setting: str, controls: Sequence[Arm], arm: Arm, paid: Paid, target: float
) -> tuple[Estimate, int]:
    """The largest share that one of some controls has."""
    found = [share(setting, control, arm, paid, target) for control in controls]
    known = [one for one in found if not isnan(one[0].value)]
    unknown = UNKNOWN, max(seeds for _, seeds in found)
    return max(known, key=lambda one: one[0].value, default=unknown)


def lower(
    settings: tuple[str, str], arm: Arm, paid: Paid, target: float
) -> tuple[Estimate, int]:
    """How much lower an arm's matched ratio in rollouts is in the second setting."""
    (without, one), (with_, other) = (
        matched(setting, arm, "rollouts", paid, target) for setting in settings
    )
    return difference(without, with_), min(one, other)


def difference(first: Estimate, second: Estimate) -> Estimate:
    """The difference of two independent estimates; see the module."""
    if {first.bound, second.bound} != {"exact"}:
        return UNKNOWN
    value = first.value - second.value
    down = hypot(first.value - first.low, second.high - second.value)
    up = hypot(first.high - first.value, second.value - second.low)
    return Estimate(value, value - down, value + up)


def _five() -> Iterator[Claim]:
    told = "uniform 6, times fewer steps than uniform 1"
    for setting, least, most in (*((name, 3.5, 5.5) for name in ADAM), ("sgd", 5.0, 6.5)):
        number = partial(fewer, setting, UNIFORM[1])
        yield Claim(
            hypothesis=5, told=told, setting=setting, number=number, least=least, most=most
        )


def _six() -> Iterator[Claim]:
    for setting in ADAM:
        yield from _matched(setting, SPEED, "step", 0.85, 1.05)
        yield from _matched(setting, SPEED, "rollouts", nextafter(1.0, inf), inf)
        yield from _matched(setting, DYNAMIC, "rollouts", 1.5, 2.2)
    yield from _matched("sgd", SPEED, "step", 0.6, 0.85)
    yield from _matched("sgd", SPEED, "rollouts", -inf, 1.0)


def _seven() -> Iterator[Claim]:
    told = "share of SPEED 6's speedup in steps that uniform 6 has"
    for setting in (*ADAM, "sgd"):
        number = partial(share, setting, UNIFORM[1], SPEED[1])
        yield Claim(hypothesis=7, told=told, setting=setting, number=number, least=0.8)


def _eight() -> Iterator[Claim]:
    rates = [Arm(strategy="uniform", faster=times) for times in (2, 4, 8)]
    for name, arm in (("uniform 6", UNIFORM[1]), ("SPEED 6", SPEED[1])):
        told = f"share of {name}'s speedup in steps, uniform 1 at the best learning rate"
        number = partial(best, "adam", rates, arm)
        yield Claim(hypothesis=8, told=told, setting="adam", number=number, least=0.5)


def _nine() -> Iterator[Claim]:
    for arm in SPEED:
        pair = f"SPEED {arm.updates} : uniform {arm.updates}"
        told = f"{pair}, rollouts, how much lower than without free tokens"
        number = partial(lower, ("adam", "long"), arm)
        yield Claim(hypothesis=9, told=told, setting="long", number=number, least=0.1)


def _matched(
    setting: str, arms: Sequence[Arm], currency: str, least: float, most: float
) -> Iterator[Claim]:
    """Hypothesis 6 on one rule in one currency, at one update and at six."""
    name = "SPEED" if arms == SPEED else "dynamic"
    unit = {"step": "steps"}.get(currency, currency)
    for arm in arms:
        yield Claim(
            hypothesis=6,
            told=f"{name} {arm.updates} : uniform {arm.updates}, {unit}",
            setting=setting,
            number=partial(matched, setting, arm, currency),
            least=least,
            most=most,
        )


CLAIMS = (*_five(), *_six(), *_seven(), *_eight(), *_nine())
