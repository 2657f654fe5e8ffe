"""Whether a range that was written down before a run holds the number that came of it.

A claim is about every target of `TARGETS`, and its verdict follows from 95% intervals alone:

| verdict | when |
|---|---|
| refuted | to some target the whole interval lies outside the range |
| confirmed | to every target the whole interval lies inside the range, ends included |
| undecided | neither; `how` says which end is crossed and where the point lies |
| not run | no seed has all the runs that the number needs |

A hypothesis of several claims is refuted if one of them is, confirmed if all are, not run if
none was, and undecided otherwise. Intervals are not widened for their number, and targets of
one run are not independent. A point without an interval, as of one seed, decides nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isnan
from typing import Literal

import pandas as pd

from report.aggregate import Estimate
from smallscale.confound import TARGETS
from smallscale.confound_costs import Paid, Row, indexed

Verdict = Literal["confirmed", "refuted", "undecided", "not run"]
Place = Literal["inside", "below", "above", "across", "unknown"]
Number = Callable[[Paid, float], tuple[Estimate, int]]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A number that a hypothesis holds to lie in a range.

    Attributes:
        hypothesis: Its number in the log.
        told: What the number is.
        setting: Where it is measured.
        number: It, from the costs, for a target; and how many seeds it is of.
        least: Lower end of the range.
        most: Upper end.
    """

    hypothesis: int
    told: str
    setting: str
    number: Number
    least: float = -inf
    most: float = inf

    def rows(self, paid: Paid) -> Iterator[Row]:
        """A row per target: the number, where it lies, and the claim's verdict."""
        found = {target: self.number(paid, target) for target in TARGETS}
        ran = {target: one for target, (one, seeds) in found.items() if seeds}
        places: dict[float, Place]
        places = {to: place(one, self.least, self.most) for to, one in ran.items()}
        said: Row = {"hypothesis": self.hypothesis, "claim": self.told, "setting": self.setting}
        said |= {"least": self.least, "most": self.most}
        judged: Row = {"verdict": verdict([*places.values()]), "how": self._how(ran)}
        for target, (one, seeds) in found.items():
            number: Row = {"value": one.value, "low": one.low, "high": one.high}
            number |= {"bound": one.bound, "place": places.get(target, "not run")}
            yield {**said, "target": target, "seeds": seeds, **number, **judged}

    def _how(self, ran: Mapping[float, Estimate]) -> str:
        """What keeps the claim from being confirmed, target by target."""
        told = {target: self._against(one) for target, one in ran.items()}
        reasons = set(told.values())
        if len(reasons) == 1:
            return " ".join(f"always {why}" for why in reasons if why)
        return "; ".join(f"to {target:g} {why}" for target, why in told.items() if why)

    def _against(self, one: Estimate) -> str:
        where = place(one, self.least, self.most)
        if where == "inside":
            return ""
        if where in ("below", "above"):
            return where
        point = place(Estimate(one.value, one.value, one.value), self.least, self.most)
        if where == "unknown":
            return f"point {point}, no interval"
        beyond = {"below": one.low < self.least, "above": one.high > self.most}
        ends = " and ".join(side for side, reached in beyond.items() if reached)
        return f"point {point}, interval reaches {ends}"


def place(one: Estimate, least: float, most: float) -> Place:
    """Where an interval lies: inside or outside a range, across one of its ends."""
    if isnan(one.value) or isnan(one.low):
        return "unknown"
    if one.high < least:
        return "below"
    if one.low > most:
        return "above"
    return "inside" if least <= one.low and one.high <= most else "across"


def verdict(places: Sequence[Place]) -> Verdict:
    """The verdict on a claim, from where its intervals lie; see the module."""
    if not places:
        return "not run"
    if "below" in places or "above" in places:
        return "refuted"
    return "confirmed" if set(places) == {"inside"} else "undecided"


def together(verdicts: Sequence[str]) -> Verdict:
    """The verdict on a hypothesis, from those on its claims."""
    if "refuted" in verdicts:
        return "refuted"
    if set(verdicts) == {"confirmed"}:
        return "confirmed"
    return "not run" if set(verdicts) == {"not run"} else "undecided"


def verdicts(runs: pd.DataFrame, claims: Sequence[Claim]) -> pd.DataFrame:
    """One row per claim and target: the number, its range and its interval, the verdict.

    Args:
        runs: A row per run and target, see `confound_costs.costs`.
        claims: What is claimed of them.
    """
    paid = indexed(runs)
    return pd.DataFrame([row for claim in claims for row in claim.rows(paid)])


def wholes(found: pd.DataFrame) -> dict[int, Verdict]:
    """The verdict on every hypothesis.

    Args:
        found: A row per claim and target, see `verdicts`.
    """
    said: dict[int, list[str]] = {}
    for row in found.to_dict("records"):
        said.setdefault(row["hypothesis"], []).append(row["verdict"])
    return {hypothesis: together(claims) for hypothesis, claims in said.items()}
