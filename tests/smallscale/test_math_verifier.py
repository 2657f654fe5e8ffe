"""Boxed answers as mathematics: equal forms, the last box, and answers that mean harm."""

import time
from collections.abc import Generator
from pathlib import Path

import math_verify
import numpy as np
import pytest
import sympy
from sympy.parsing import sympy_parser

from smallscale import math_verifier
from smallscale.math_verifier import Judge, MathVerifier, boxed, number, refuse

SLOW = (  # each takes minutes or more
    "9^{9^{9^9}}",
    "10000000!",
    r"\binom{10^9}{10^8}",
    "{" * 40 + "5" + "}" * 40,
)
HOSTILE = {  # reason: answers
    "timeout": SLOW,
    "too long": ("{" * 50_000 + "5" + "}" * 50_000, "5" * 2_001),
    "no answer": ("{" * 100_000, "", " "),
    "control characters": ("\x1b[31m5\x1b[0m", "5\x00", "\ud800"),
    "parser error": (r"\sin(", "f(open.x)", "5.", "]["),
}


def box(answer: str) -> str:
    return rf"so it is \boxed{{{answer}}}."


@pytest.fixture(scope="module")
def verifier() -> Generator[MathVerifier]:
    with MathVerifier(workers=2) as shared:
        shared.score([box("1")] * 2, ["1"] * 2)
        yield shared


EQUAL = [
    (r"\frac12", "0.5"),
    ("1/2", r"\frac{1}{2}"),
    (r"\dfrac{2}{4}", r"\frac12"),
    ("0.5", "$\\frac{1}{2}$"),
    (r"\{2, 1\}", r"\{1,2\}"),
    (r"\left\{ 1, 2 \right\}", r"\{1,2\}"),
    (r"\left[0,1\right)", "[0,1)"),
    (r"10\text{ cm}", "10"),
    ("1,234", "1234"),
    ("(x+1)^2", "x^2+2x+1"),
    ("x = 5", "5"),
    (r"\text{Evelyn}", r"\text{Evelyn}"),
    ("0.333333", r"\frac13"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
    (r"\fbox{7}", "7"),
    ("7", r"Thus \boxed{7}"),
    ("f(x)=x^2", "f(x)=x^2"),
]
UNEQUAL = [
    (r"\frac12", "0.51"),
    ("5", "-5"),
    ("(1,2)", "(2,1)"),
    ("[0,1]", "[0,1)"),
    (r"\{1,2,3\}", r"\{1,2\}"),
    ("x+1", "x-1"),
    (r"\text{Eve}", r"\text{Evelyn}"),
]


def test_equal_forms_pass_and_others_fail(verifier: MathVerifier) -> None:
    rollouts, answers = zip(*[(box(a), b) for a, b in EQUAL + UNEQUAL], strict=True)
    scores = verifier.score(rollouts, answers)
    expected = [True] * len(EQUAL) + [False] * len(UNEQUAL)
    assert scores.passed.tolist() == expected, list(zip(answers, scores.passed, strict=True))
    assert scores.passed.dtype == bool
    assert not scores.faults


def test_the_last_box_counts_and_a_box_there_must_be(verifier: MathVerifier) -> None:
    """Control: math-verify alone passes all but the first of those that fail here."""
    verdicts = {
        r"\boxed{4} no, \boxed{5}": True,
        r"\boxed{5} no, \boxed{4}": False,
        r"\boxed{5} no, \boxed{4": False,
        r"The final answer is $5$. I hope it is correct.": False,
        "5": False,
        "": False,
        r"\boxed{\boxed{5}}": True,
        r"\boxed {5}": True,
    }
    scores = verifier.score(list(verdicts), ["5"] * len(verdicts))
    assert scores.passed.tolist() == list(verdicts.values())
    assert scores.faults == {"no answer": 4}


def test_neighbouring_boxes_are_no_set(verifier: MathVerifier) -> None:
    scores = verifier.score([r"\boxed{1}, \boxed{2}"] * 2, [r"\{1,2\}", "2"])
    assert scores.passed.tolist() == [False, True]


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (r"\boxed{\frac{1}{2}} }", r"\frac{1}{2}"),
        (r"\boxed{\left\{ x \right.}", r"\left\{ x \right."),
        (r"\boxed{a \\} b}", r"a \\"),
        (r"\boxed{ 5 }", "5"),
        (r"\boxed{5", ""),
        (r"\boxedx{5}", ""),
    ],
)
def test_what_stands_in_a_box(text: str, content: str) -> None:
    assert boxed(text) == content


def test_hostile_answers_score_0_by_reason_and_delay_nobody(verifier: MathVerifier) -> None:
    """Ordinary answers stand before, between and after. Each slow one holds one of two
    workers for less than a second; the bound is twice that for all, for busy machines."""
    hostile = [answer for answers in HOSTILE.values() for answer in answers]
    rollouts = [box("5")] * 20
    for answer in hostile:
        rollouts += [box(answer)] + [box("5")] * 5
    start = time.monotonic()
    scores = verifier.score(rollouts, ["5"] * len(rollouts))
    elapsed = time.monotonic() - start
    expected = [True] * 20 + ([False] + [True] * 5) * len(hostile)
    assert scores.passed.tolist() == expected
    assert scores.faults == {reason: len(answers) for reason, answers in HOSTILE.items()}
    assert elapsed < len(SLOW) + 1, elapsed


def test_an_answer_that_takes_memory(verifier: MathVerifier) -> None:
    """3 GB of zeros at once, were they granted; which limit is met first is the machine's."""
    rollouts = [box("5"), box(r"\operatorname{zeros}(20000,20000)"), box("5")]
    scores = verifier.score(rollouts, ["5"] * 3)
    assert scores.passed.tolist() == [True, False, True]
    assert sum(scores.faults.values()) == 1
    assert set(scores.faults) <= {"memory", "timeout"}


def test_expected_answers_that_cannot_be_read_are_reported(verifier: MathVerifier) -> None:
    scores = verifier.score([box("5")] * 4, ["", "$", "}{", "5"])
    assert scores.passed.tolist() == [False, False, False, True]
    assert scores.faults == {"unparsable answer": 3}


def test_verdicts_do_not_depend_on_the_number_of_workers(verifier: MathVerifier) -> None:
    rollouts = [box(str(n % 7)) if n % 5 else "none" for n in range(300)]
    answers = [str(n % 3) for n in range(300)]
    expected = [n % 5 > 0 and n % 7 == n % 3 for n in range(300)]
    shared = verifier.score(rollouts, answers)
    with MathVerifier(workers=1) as alone:
        single = alone.score(rollouts, answers)
    np.testing.assert_array_equal(shared.passed, expected)
    np.testing.assert_array_equal(single.passed, expected)
    assert shared.faults == single.faults == {"no answer": 60}


def test_nothing_to_score(verifier: MathVerifier) -> None:
    scores = verifier.score([], [])
    assert scores.passed.shape == (0,)
    assert scores.passed.dtype == bool


def test_uneven_columns_are_refused(verifier: MathVerifier) -> None:
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        verifier.score([box("1"), box("2")], ["1"])


def test_model_output_is_not_evaluated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In this process, with the doors locked as in a worker; the control has them open."""
    seen: list[str] = []
    door = sympy_parser.eval_expr

    def watched(code: str, *others: dict[str, object]) -> object:
        seen.append(code)
        return door(code, *others)

    evil = f"__import__('pathlib').Path('{tmp_path}/evil').touch()"
    answers = ["1/2", rf"\text{{{evil}}}", evil, f"f({evil})", rf"\gcd({evil},2)"]
    with monkeypatch.context() as patch:
        patch.setattr(sympy_parser, "eval_expr", watched)
        Judge(math_verify)(("12/35", "0.25"))
        assert any("35" in code for code in seen)
        seen.clear()
        patch.setattr(sympy_parser, "parse_expr", number)
        for answer in answers:
            Judge(math_verify)((answer, "0.25"))
        assert not seen
        patch.setattr(sympy_parser, "eval_expr", refuse)
        with pytest.raises(ValueError, match="text is not evaluated"):
            sympy_parser.eval_expr("1+1", {}, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["0", "12", "3.25", ".5", "3.", "00.10", "9" * 400])
def test_numbers_are_read_as_sympy_reads_them(text: str) -> None:
    expected = sympy.parse_expr(text)
    assert number(text) == expected
    assert type(number(text)) is type(expected)


@pytest.mark.parametrize("text", ["", "x", "1+1", "1e3", "-1", "1_0", "٣", "f(1)", "1\n", "."])
def test_what_is_no_plain_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no number"):
        number(text)


def test_workers_lock_both_doors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sympy_parser, "parse_expr", sympy_parser.parse_expr)
    monkeypatch.setattr(sympy_parser, "eval_expr", sympy_parser.eval_expr)
    monkeypatch.setattr(math_verifier.logging, "disable", lambda: None)
    judge = math_verifier.comparison()
    assert sympy_parser.parse_expr is number
    assert sympy_parser.eval_expr is refuse
    assert judge(("1/2", "0.5")) == "right"


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(math_verifier, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r'^math-verify is not .*: pip install "passband\[tr'):
        MathVerifier()
