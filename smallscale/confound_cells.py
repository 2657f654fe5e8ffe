"""Names, numbers and tables of the update confound as Markdown has them."""

from collections.abc import Iterable, Sequence
from math import inf, isinf, isnan

from report.aggregate import Estimate
from report.numerals import ABSENT
from smallscale.confound import SETTINGS, TARGETS, Arm
from smallscale.confound_costs import SIMULATED

RULES = {
    "uniform": "uniform",
    "speed-released": "SPEED",
    "dynamic": "dynamic",
    "speed": "SPEED, nothing kept",
}
SIGNS = {"at least": "≥ ", "at most": "≤ "}


def told(setting: str) -> str:
    """What a setting is called, coupled worlds with the setting they stand for."""
    name = SETTINGS[setting.removesuffix(SIMULATED)].told
    return f"{name}, coupled world" if setting.endswith(SIMULATED) else name


def label(arm: Arm) -> str:
    """Rule and updates, and the multiple of the learning rate where it is not 1."""
    tuned = f", {arm.faster} times the learning rate" if arm.faster != 1 else ""
    return f"{RULES[arm.strategy]}, {arm.updates}{tuned}"


def cell(found: Estimate) -> str:
    """A number with its interval, if it has one; a bound with its sign."""
    if isnan(found.value):
        return ABSENT
    shown = SIGNS.get(found.bound, "") + number(found.value)
    if found.low == found.value == found.high:
        return shown
    return shown if isnan(found.low) else f"{shown} [{number(found.low)}, {number(found.high)}]"


def number(value: float) -> str:
    """Two decimals, fewer from 10 on."""
    if isinf(value):
        return "∞"
    places = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:z,.{places}f}"


def span(least: float, most: float) -> str:
    """A range in words; an end a hair above a round number is exclusive."""
    if most == inf:
        return f"{'at least' if least == round(least, 9) else 'more than'} {least:g}"
    return f"at most {most:g}" if least == -inf else f"{least:g} to {most:g}"


def count(seeds: Iterable[int]) -> str:
    """How many seeds a row is of."""
    there = sorted(set(seeds))
    return f"{there[0]} to {there[-1]}" if len(there) > 1 else f"{there[0]}"


def heads(unit: str) -> list[str]:
    """Headings of a number to every target."""
    first, *others = TARGETS
    return [f"{unit} to {first:g}".strip(), *(f"{target:g}" for target in others)]


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, or nothing where there are no rows."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    top = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    return "\n".join([*top, *lines]) if lines else ""


def section(title: str, body: str) -> str:
    """A heading and what is under it, or nothing."""
    return f"## {title}\n\n{body}" if body else ""
