"""Transformations of short strings, demonstrated right with a known probability.

Eight families change a string of symbols: `R1234:` asks for it reversed. A demonstration of a
problem of family f whose first symbol has the value x in 0..9 is right with probability

    σ(logit π_f + slope (x − 4.5)),

and otherwise goes astray at one symbol, drawn uniformly: that one is wrong, those after it are
drawn at random. So a model that has seen them knows every transformation, also those that it
hardly ever finishes, and RL can sharpen that: what no demonstration shows, RL of a model this
small does not find. With π from .985 to .002 the pass rates start U-shaped.

Two other mistakes were tried and dropped. With one symbol wrong and the rest right, the model
took symbols for independent and started at .2 where it should at .002. With the whole answer
of another family, pass rates started as stated, but those below .1 never rose.

The sets of families share nothing but this scheme, so that a prediction fitted to one can be
tested on another. Free tokens, letters drawn uniformly before the answer, lengthen rollouts
without changing the problem: what they add to a gradient is noise.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Literal

import numpy as np

from selection.checks import counts, within
from smallscale.problems import Problem

Values = tuple[int, ...]
Change = Callable[[Values], Values]

FREE = "klmnopqrstuvwxyz"  # no symbol of an answer
CHANCES = (
    0.985,
    0.96,
    0.9,
    0.7,
    0.35,
    0.08,
    0.03,
    0.002,
)  # π of the families of a set, in order
POOLS: Mapping[str, tuple[float, ...]] = MappingProxyType(  # shares, in the order of CHANCES
    {
        "even": (0.125,) * 8,
        "hard": (0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.3, 0.0),
        "two-sided": (0.15, 0.15, 0.05, 0.05, 0.1, 0.25, 0.25, 0.0),
        "easy": (0.2, 0.2, 0.2, 0.2, 0.2, 0.0, 0.0, 0.0),
    }
)


def _halves_swapped(x: Values) -> Values:
    return x[len(x) // 2 :] + x[: len(x) // 2]


def _neighbours_swapped(x: Values) -> Values:
    return tuple(x[i ^ 1] if i ^ 1 < len(x) else x[i] for i in range(len(x)))


def _totals(x: Values) -> Values:
    return tuple(sum(x[: i + 1]) % 10 for i in range(len(x)))


def _differences(x: Values) -> Values:
    return x[:1] + tuple((b - a) % 10 for a, b in pairwise(x))


DIGITS: Mapping[str, Change] = MappingProxyType(  # from the most often right to the least
    {
        "copied": lambda x: x,
        "left": lambda x: x[1:] + x[:1],
        "reversed": lambda x: x[::-1],
        "halves": _halves_swapped,
        "plus": lambda x: tuple((v + 3) % 10 for v in x),
        "negated": lambda x: tuple(9 - v for v in x),
        "sorted": lambda x: tuple(sorted(x)),
        "doubled": lambda x: tuple(2 * v % 10 for v in x),
    }
)
LETTERS: Mapping[str, Change] = MappingProxyType(
    {
        "onward": lambda x: x[-1:] + x[:-1],
        "before": lambda x: tuple((v - 1) % 10 for v in x),
        "pairs": _neighbours_swapped,
        "ends": lambda x: x[-1:] + x[1:-1] + x[:1],
        "tripled": lambda x: tuple(3 * v % 10 for v in x),
        "falling": lambda x: tuple(sorted(x, reverse=True)),
        "gaps": _differences,
        "summed": _totals,
    }
)
SIGNS: Mapping[str, Change] = MappingProxyType(
    {
        "mirrored": lambda x: x[: -(-len(x) // 2)] + x[: len(x) // 2][::-1],
        "inner": lambda x: x[:1] + x[1:-1][::-1] + x[-1:],
        "flipped": lambda x: tuple(v ^ 1 for v in x),
        "complement": lambda x: tuple((5 - v) % 10 for v in x),
        "risen": lambda x: tuple((v + i) % 10 for i, v in enumerate(x)),
        "highest": lambda x: tuple(max(x[: i + 1]) for i in range(len(x))),
        "apart": lambda x: tuple((v - x[0]) % 10 for v in x),
        "sevenfold": lambda x: tuple(7 * v % 10 for v in x),
    }
)
SETS: Mapping[str, tuple[str, Mapping[str, Change]]] = MappingProxyType(
    {
        "digits": ("0123456789", DIGITS),
        "letters": ("abcdefghij", LETTERS),
        "signs": ("!#$%&*+-/?", SIGNS),
    }
)


@dataclass(frozen=True, kw_only=True)
class Strings:
    """A set of eight families.

    Attributes:
        symbols: The set: what the strings are made of, and what is done to them.
        length: Symbols of a string.
        free_tokens: Letters that a rollout puts before its answer, and a mark with them.
        pool: How many prompts are of which family; the demonstrations are even in any case.
        slope: Change of a demonstration's log-odds per unit of the first symbol's value.
    """

    symbols: Literal["digits", "letters", "signs"] = "digits"
    length: int = 4
    free_tokens: int = 0
    pool: Literal["even", "hard", "two-sided", "easy"] = "even"
    slope: float = 0.35

    def __post_init__(self) -> None:
        counts(2, length=self.length)
        counts(0, free_tokens=self.free_tokens)
        within(-5.0, 5.0, slope=self.slope)

    @property
    def families(self) -> Mapping[str, Change]:
        """What is done to a string, by name."""
        return SETS[self.symbols][1]

    @property
    def characters(self) -> str:
        codes = "".join(name[0].upper() for name in self.families)
        shown = codes + SETS[self.symbols][0] + ":"
        return shown + self.mark + self.free if self.free_tokens else shown

    @property
    def shares(self) -> Mapping[str, float]:
        return dict(zip(self.families, POOLS[self.pool], strict=True))

    @property
    def max_tokens(self) -> int:
        return self.length + 1 + (self.free_tokens + 1) * (self.free_tokens > 0)

    @property
    def mark(self) -> str:
        return "="

    @property
    def free(self) -> str:
        return FREE * (self.free_tokens > 0)

    @property
    def exact(self) -> bool:
        return self.free_tokens == 0

    def draw(self, family: str, rng: np.random.Generator) -> Problem:
        values = tuple(map(int, rng.integers(10, size=self.length)))
        text = family[0].upper() + self._spell(values) + ":"
        return Problem(text, self._spell(self.families[family](values)), family)

    def chance(self, problem: Problem) -> float:
        start = CHANCES[list(self.families).index(problem.family)]
        first = SETS[self.symbols][0].index(problem.text[1])
        log_odds = math.log(start / (1.0 - start)) + self.slope * (first - 4.5)
        return 1.0 / (1.0 + math.exp(-log_odds))

    def demonstration(self, problem: Problem, rng: np.random.Generator) -> str:
        answer = problem.answer
        if rng.random() >= self.chance(problem):
            answer = self._astray(answer, rng)
        if not self.free_tokens:
            return answer
        free = "".join(FREE[i] for i in rng.integers(len(FREE), size=self.free_tokens))
        return free + self.mark + answer

    def lesson(self) -> "Strings":
        return replace(self, pool="even")

    def _spell(self, values: Values) -> str:
        return "".join(SETS[self.symbols][0][v] for v in values)

    def _astray(self, answer: str, rng: np.random.Generator) -> str:
        """The answer up to a symbol, another symbol there, and any symbols after it."""
        symbols, place = SETS[self.symbols][0], int(rng.integers(len(answer)))
        drawn = rng.integers(10, size=len(answer) - place)
        drawn[0] = (symbols.index(answer[place]) + rng.integers(1, 10)) % 10
        return answer[:place] + "".join(symbols[v] for v in drawn)
