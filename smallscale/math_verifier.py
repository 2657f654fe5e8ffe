r"""Whether a rollout's last boxed answer equals the expected one, by math-verify.

Model output is hostile: `9^{9^{9^9}}` takes for ever, thirty nested braces take minutes, some
answers crash the parser. So answers are judged in worker processes that can be killed
(`smallscale.workers`), and whatever keeps an answer from being judged scores 0 and is counted:

    no answer           no closed, non-empty \boxed{...}; a rollout cut short has none
    control characters  such as escape sequences of a terminal
    too long            more than 2,000 characters
    parser error        the answer is no mathematics, or comparing it failed
    timeout, memory, crashed worker
    unparsable answer   the expected answer cannot be read: mend the data set

The last box is taken out here and is all that is looked at: math-verify alone would fall back
on an earlier box, join neighbouring ones to a set, and accept "answer: $5$" without a box.

Nothing is evaluated. math-verify reads numbers by way of sympy's `parse_expr`, that is, of
`eval`; in the workers a reader of plain numbers takes its place, and `eval` is refused.

math-verify is generous: to an expected 10 it accepts 10\%, 10 cm and x = 10.

Reference: Kydlicek, "Math-Verify", https://github.com/huggingface/Math-Verify, version 0.9.
"""

import logging
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from smallscale.verifier import Scores
from smallscale.workers import Workers

RIGHT, WRONG = "right", "wrong"
NO_ANSWER = "no answer"
CONTROL = "control characters"
TOO_LONG = "too long"
PARSER_ERROR = "parser error"
UNPARSABLE = "unparsable answer"

LONGEST = 2_000  # characters of an answer; those of competition mathematics have below 300
BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
BRACE = re.compile(r"\\.|[{}]", re.DOTALL)  # an escaped brace counts as no brace
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
MEND = 'pip install "passband[train]"'

Pair = tuple[str, str]
# They make sympy build its tables, which takes longer than an answer may, and import its units,
# which evaluates text of its own; so they come before `eval` is refused.
WARMING: tuple[Pair, ...] = (
    (r"\frac{1}{2}", "0.5"),
    ("(x+1)^2", "x^2+2x+1"),
    (r"\sin(2x)", r"2\sin(x)\cos(x)"),
    (r"[0,1)\cup\{2\}", r"[0,1)\cup\{3\}"),
)


class MathVerifier:
    """A verifier that compares boxed answers as mathematics.

    Args:
        workers: Answers judged at the same time, each in a process of about 100 MB; one more
            process stands by.
        seconds: Wall-clock limit of one answer.
        megabytes: Memory that one answer may take (Linux only).

    Raises:
        ValueError: math-verify is not installed, or a limit is no positive number.
    """

    def __init__(self, *, workers: int = 2, seconds: float = 0.9, megabytes: int = 512) -> None:
        if find_spec("math_verify") is None:
            raise ValueError(f"math-verify is not installed: {MEND}")
        self._workers = Workers(
            comparison, workers=workers, seconds=seconds, megabytes=megabytes
        )

    def score(self, rollouts: Sequence[str], answers: Sequence[str]) -> Scores:
        """See `Verifier`; the verdicts do not depend on the number of workers.

        Raises:
            WorkerError: the workers do not start.
        """
        given = [boxed(rollout) for rollout in rollouts]
        words = [screened(text) for text in given]
        pairs = [
            (text, answer)
            for text, answer, word in zip(given, answers, words, strict=True)
            if not word
        ]
        judged = iter(self._workers.map(pairs))
        words = [word or next(judged) for word in words]
        faults = Counter(word for word in words if word not in (RIGHT, WRONG))
        return Scores(np.array([word == RIGHT for word in words], bool), faults)

    def __enter__(self) -> "MathVerifier":  # noqa: PYI034 - beartype takes no Self
        self._workers.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._workers.close()


def boxed(text: str) -> str:
    """What stands in the last box of a text; empty if there is none or it is not closed."""
    starts = [box.end() for box in BOX.finditer(text)]
    depth = 1
    for brace in BRACE.finditer(text, starts[-1]) if starts else ():
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            return text[starts[-1] : brace.start()].strip()
    return ""


def screened(given: str) -> str:
    """Why an answer need not be judged; empty if it must."""
    if not given:
        return NO_ANSWER
    if len(given) > LONGEST:
        return TOO_LONG
    return CONTROL if CONTROLS.search(given) else ""


def expected(answer: str) -> str:
    """The expected answer without a box or dollar signs around it."""
    return boxed(answer) or answer.strip().strip("$").strip()


def comparison() -> Callable[[Pair], str]:
    """The judge of pairs of given and expected answer; made and used in a worker.

    Raises:
        ImportError: math-verify or what it needs does not load.
    """
    try:
        import math_verify  # noqa: PLC0415 - slow, and needed in workers alone
        from sympy.parsing import sympy_parser  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(f"math-verify does not load ({error}): {MEND}") from error
    logging.disable()  # math-verify logs the answers
    judge = Judge(math_verify)
    for pair in WARMING:
        judge(pair)
    sympy_parser.parse_expr = number  # where `sympify` looks it up, each time
    sympy_parser.eval_expr = refuse  # what every other way to `parse_expr` ends in
    return judge


def number(text: str, **_: object) -> Any:  # noqa: ANN401 - sympy has no types
    """The sympy number that a text of digits stands for.

    Raises:
        ValueError: the text is anything else.
    """
    import sympy  # noqa: PLC0415

    if not NUMBER.fullmatch(text):
        raise ValueError(f"no number: {text!r}")
    return sympy.Integer(text) if text.isdecimal() else sympy.Float(text)


def refuse(*_: object) -> None:
    """Stands where sympy would evaluate text as Python."""
    raise ValueError("text is not evaluated")


class Judge:
    """Compares a given with an expected answer."""

    def __init__(self, math_verify: Any) -> None:  # noqa: ANN401
        self._verify = math_verify.verify
        self._parse = math_verify.parse
        self._boxes = [
            math_verify.LatexExtractionConfig(
                boxed_match_priority=0, try_extract_without_anchor=False
            )
        ]
        self._expected = lru_cache(4096)(self._read)

    def __call__(self, pair: Pair) -> str:
        """RIGHT, WRONG, or what kept the answer from being judged."""
        given, answer = pair
        try:
            wanted = self._expected(expected(answer))
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - the parser raises whatever it likes
            wanted = []
        if not wanted:
            return UNPARSABLE
        try:
            return self._compare(wanted, self._read(given))
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001
            return PARSER_ERROR

    def _read(self, answer: str) -> list[Any]:
        """An answer as mathematics, if it is any, and last as normalised text.

        Limits are the worker's, so those of math-verify are off.
        """
        return self._parse(
            rf"\boxed{{{answer}}}",
            self._boxes,
            extraction_mode="first_match",
            parsing_timeout=None,
            raise_on_error=True,
        )

    def _compare(self, wanted: list[Any], given: list[Any]) -> str:
        if given and given[-1] == wanted[-1]:
            return RIGHT
        if len(given) < 2:
            return PARSER_ERROR
        same = self._verify(wanted, given, timeout_seconds=None, raise_on_error=True)
        return RIGHT if same else WRONG
