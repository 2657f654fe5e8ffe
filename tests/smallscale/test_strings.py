"""String families by hand, and the probability that a demonstration is right."""

import math
import re
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from smallscale.problems import Problem
from smallscale.strings import CHANCES, DIGITS, FREE, LETTERS, POOLS, SETS, SIGNS, Strings
from tests.statistical import assert_mean, samples_to_detect

BY_HAND = {
    "copied": "1730",
    "left": "7301",
    "reversed": "0371",
    "halves": "3017",
    "plus": "4063",
    "negated": "8269",
    "sorted": "0137",
    "doubled": "2460",
    "onward": "0173",
    "before": "0629",
    "pairs": "7103",
    "ends": "0731",
    "tripled": "3190",
    "falling": "7310",
    "gaps": "1667",
    "summed": "1811",
    "mirrored": "1771",
    "inner": "1370",
    "flipped": "0621",
    "complement": "4825",
    "risen": "1853",
    "highest": "1777",
    "apart": "0629",
    "sevenfold": "7910",
}
SYMBOLS = {"digits": "0123456789", "letters": "abcdefghij", "signs": "!#$%&*+-/?"}


@pytest.mark.parametrize("family", BY_HAND)
def test_families_by_hand(family: str) -> None:
    change = {**DIGITS, **LETTERS, **SIGNS}[family]
    assert "".join(map(str, change((1, 7, 3, 0)))) == BY_HAND[family]


def test_no_two_families_do_the_same() -> None:
    rng = np.random.default_rng(0)
    strings = [tuple(map(int, row)) for row in rng.integers(10, size=(50, 4))]
    every = [change for _, families in SETS.values() for change in families.values()]
    for one, other in combinations(every, 2):
        same = sum(one(x) == other(x) for x in strings)
        assert same < 10


@pytest.mark.parametrize("symbols", SETS)
def test_problems_and_their_answers(symbols: str) -> None:
    task = Strings(symbols=symbols)  # pyright: ignore[reportArgumentType]
    rng = np.random.default_rng(0)
    for family, change in task.families.items():
        problem = task.draw(family, rng)
        given = f"{family[0].upper()}[{re.escape(SYMBOLS[symbols])}]{{4}}:"
        assert re.fullmatch(given, problem.text)
        values = tuple(SYMBOLS[symbols].index(c) for c in problem.text[1:-1])
        assert problem.answer == "".join(SYMBOLS[symbols][v] for v in change(values))
        assert problem.family == family
        assert set(problem.text + problem.answer) <= set(task.characters)


@pytest.mark.parametrize("first", range(10))
def test_chance_by_hand(first: int) -> None:
    """Odds of .9 are 9; they are multiplied by e^(slope (first - 4.5))."""
    odds = 9 * math.exp(0.2 * (first - 4.5))
    expected = odds / (1 + odds)
    digits = Problem(f"R{first}999:", f"999{first}", "reversed")
    assert Strings(slope=0.2).chance(digits) == pytest.approx(expected, rel=1e-12)
    letter = SYMBOLS["letters"][first]
    letters = Problem(f"P{letter}aab:", f"a{letter}ba", "pairs")
    assert Strings(symbols="letters", slope=0.2).chance(letters) == pytest.approx(expected)


def test_the_spread_of_chances_is_u_shaped() -> None:
    task = Strings()
    texts = [(f, f"{f[0].upper()}{d}000:") for f in task.families for d in range(10)]
    chances = np.array([task.chance(Problem(text, "", family)) for family, text in texts])
    assert (chances < 0.1).mean() > 0.28
    assert (chances > 0.9).mean() > 0.28
    assert chances.mean() == pytest.approx(0.495, abs=0.01)
    assert chances.min() < 0.002
    assert chances.max() > 0.995


@pytest.mark.parametrize("free_tokens", [0, 3])
@pytest.mark.parametrize("family", ["halves", "plus", "negated"])
def test_demonstrations_are_right_as_often_as_stated(family: str, free_tokens: int) -> None:
    task, rng = Strings(free_tokens=free_tokens), np.random.default_rng(0)
    problem = Problem(f"{family[0].upper()}3456:", "3333", family)
    shown = [task.demonstration(problem, rng) for _ in range(samples_to_detect(0.05))]
    right = np.array([text.rpartition("=")[2] == "3333" for text in shown], float)
    assert_mean(right, task.chance(problem))


@pytest.mark.parametrize("symbols", SETS)
def test_a_wrong_demonstration_goes_astray_at_a_uniform_place(symbols: str) -> None:
    """After it a symbol is right once in ten, and each other one as often."""
    task, rng = Strings(symbols=symbols, slope=0.0), np.random.default_rng(0)  # pyright: ignore[reportArgumentType]
    right = SYMBOLS[symbols][3:7]
    problem = Problem(f"X{right}:", right, list(task.families)[7])
    shown = [task.demonstration(problem, rng) for _ in range(6000)]
    places = [next((i for i in range(4) if text[i] != right[i]), 4) for text in shown]
    for place in range(4):
        assert_mean(np.equal(places, place).astype(float), (1 - CHANCES[7]) / 4)
    first = [text[0] for text, place in zip(shown, places, strict=True) if place == 0]
    assert set(first) == set(SYMBOLS[symbols]) - {right[0]}
    after = [text[3] for text, place in zip(shown, places, strict=True) if place < 3]
    for symbol in SYMBOLS[symbols]:
        assert_mean(np.array([s == symbol for s in after], float), 0.1)


def test_free_tokens_are_uniform_letters_before_the_mark() -> None:
    task, rng = Strings(free_tokens=5), np.random.default_rng(0)
    problem = task.draw("copied", rng)
    shown = [task.demonstration(problem, rng) for _ in range(2000)]
    assert all(re.fullmatch(f"[{FREE}]{{5}}=[0-9]{{4}}", text) for text in shown)
    assert {len(text) + 1 for text in shown} == {task.max_tokens}
    counted = Counter("".join(text[:5] for text in shown))
    for letter in FREE:  # 16 assertions of 10,000 letters
        assert_mean(np.repeat([1.0, 0.0], (counted[letter], 10_000 - counted[letter])), 1 / 16)
    assert set("".join(shown)) <= set(task.characters)


def test_a_rollout_without_free_tokens_is_the_answer_alone() -> None:
    assert Strings().exact
    assert Strings(length=3).max_tokens == 4
    assert "=" not in Strings().characters  # nothing can stand before the answer
    assert not Strings(free_tokens=1).exact
    assert Strings(free_tokens=1).max_tokens == 7


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("symbols", SETS)
def test_shares_of_a_pool(pool: str, symbols: str) -> None:
    task = Strings(symbols=symbols, pool=pool)  # pyright: ignore[reportArgumentType]
    assert list(task.shares.values()) == list(POOLS[pool])
    assert sum(task.shares.values()) == pytest.approx(1)
    assert task.lesson() == Strings(symbols=task.symbols)


def test_pools_differ_as_named() -> None:
    means = {pool: float(np.dot(shares, CHANCES)) for pool, shares in POOLS.items()}
    assert means["hard"] < 0.3 < means["two-sided"] < means["even"] < 0.6 < means["easy"]


@pytest.mark.parametrize(
    "knobs", [{"length": 1}, {"free_tokens": -1}, {"slope": math.nan}, {"slope": 9.0}]
)
def test_bad_knobs_are_refused_by_name(knobs: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(knobs))}="):
        Strings(**knobs)  # pyright: ignore[reportArgumentType]
