"""Column addition, written out: a chain of thought whose demonstrations slip at a known rate.

The prompt `348+725+961:` is worked from the units on. A column is the running total of its
digits, beginning with what was carried; the last figure of its last total is the figure of the
sum, what is before it is carried. The rollout is

    0,8,13,14;1,5,7,13;1,4,11,20=2034

With probability 1 − p a demonstration slips once: one running total, drawn uniformly, is one
too high, or one too low, and the rest follows from it. A slip in column i changes the sum by
10^i, so a demonstration is right with probability p exactly,

    p = σ(logit π_f − slope (mean digit − 4.5)),

with log-odds of π_f that fall evenly from the shortest family to the longest. A slip is a
coin, not a misunderstanding, so RL can train it away.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from selection.checks import counts, within
from smallscale.problems import Problem


@dataclass(frozen=True, kw_only=True)
class Sums:
    """A family for each number of digits and terms, as `5x4` for four terms of five digits.

    Attributes:
        digits: Fewest and most digits of a term; all terms of a prompt have equally many.
        terms: Fewest and most terms.
        easiest, hardest: Probability π of a right demonstration in the shortest and in the
            longest family.
        slope: Log-odds lost per unit of the mean digit.
    """

    digits: tuple[int, int] = (4, 7)
    terms: tuple[int, int] = (4, 6)
    easiest: float = 0.97
    hardest: float = 0.01
    slope: float = 1.0

    def __post_init__(self) -> None:
        _bounds(1, 9, digits=self.digits)
        _bounds(2, 9, terms=self.terms)  # with ten, a running total may reach three figures
        within(1e-6, 1 - 1e-6, easiest=self.easiest, hardest=self.hardest)
        within(-5.0, 5.0, slope=self.slope)

    @property
    def families(self) -> tuple[str, ...]:
        """Every number of digits with every number of terms, shortest rollouts first."""
        pairs = [(d, n) for d in _range(self.digits) for n in _range(self.terms)]
        pairs.sort(key=lambda pair: pair[0] * (pair[1] + 1))
        return tuple(f"{d}x{n}" for d, n in pairs)

    @property
    def characters(self) -> str:
        return "0123456789+:,;" + self.mark

    @property
    def shares(self) -> Mapping[str, float]:
        return dict.fromkeys(self.families, 1 / len(self.families))

    @property
    def max_tokens(self) -> int:
        digits, terms = self.digits[1], self.terms[1]
        column = 2 + 3 * terms  # one figure carried, two per total, a sign behind each
        return digits * column + (digits + 1) + 1

    @property
    def mark(self) -> str:
        return "="

    @property
    def free(self) -> str:
        return ""

    @property
    def exact(self) -> bool:
        return False

    def draw(self, family: str, rng: np.random.Generator) -> Problem:
        digits, terms = map(int, family.split("x"))
        drawn = rng.integers(10 ** (digits - 1), 10**digits, size=terms)
        return Problem("+".join(map(str, drawn)) + ":", str(drawn.sum()), family)

    def chance(self, problem: Problem) -> float:
        families = self.families
        along = families.index(problem.family) / max(1, len(families) - 1)
        start = (1 - along) * _logit(self.easiest) + along * _logit(self.hardest)
        figures = [int(c) for c in problem.text if c.isdigit()]
        hard = sum(figures) / len(figures) - 4.5
        return 1 / (1 + math.exp(self.slope * hard - start))

    def demonstration(self, problem: Problem, rng: np.random.Generator) -> str:
        terms = problem.text.rstrip(":").split("+")
        if rng.random() < self.chance(problem):
            return worked(terms, self.mark)
        place = int(rng.integers(len(terms[0]) * len(terms)))
        return worked(terms, self.mark, slip=(place, int(rng.choice((-1, 1)))))

    def lesson(self) -> "Sums":
        return self


def worked(terms: Sequence[str], mark: str, slip: tuple[int, int] = (-1, 0)) -> str:
    """The addition of equally long terms, column by column.

    Args:
        terms: Decimal numbers of equally many figures.
        mark: What stands before the sum.
        slip: The running total that goes wrong, counted from 0, and by how much. A total
            that would fall below nothing goes wrong upwards.
    """
    columns, figures, carry = list[str](), "", 0
    for column in range(len(terms[0])):
        totals = [carry]
        for row, term in enumerate(terms):
            off = slip[1] if slip[0] == column * len(terms) + row else 0
            right = totals[-1] + int(term[-1 - column])
            totals.append(right + off if right + off >= 0 else right - off)
        columns.append(",".join(map(str, totals)))
        carry, figure = divmod(totals[-1], 10)
        figures = str(figure) + figures
    return ";".join(columns) + mark + (str(carry) if carry else "") + figures


def _bounds(lowest: int, highest: int, /, **pairs: tuple[int, int]) -> None:
    for name, (least, most) in pairs.items():
        counts(lowest, **{f"{name}[0]": least, f"{name}[1]": most})
        if not least <= most <= highest:
            raise ValueError(f"{name}={least}/{most} must be fewest/most, at most {highest}")


def _range(bounds: tuple[int, int]) -> range:
    return range(bounds[0], bounds[1] + 1)


def _logit(p: float) -> float:
    return math.log(p / (1 - p))
