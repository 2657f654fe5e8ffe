"""The ledger: published claims, the verdict on each, and the checks that establish it.

A claim is a sentence that a paper, its page or its released code puts forward, in the words
of this project, with a verdict and what bounds it: the condition, the counterexample, or for
an untested claim the reason and what would test it. Verdicts other than *untested* rest on
checks, pure functions of `theory.checks` that recompute the verdict from numbers. Nothing is
called true because someone said so. Where a text had to be interpreted, the statement says
"read as"; where it is our inference and nobody's sentence, "added here".

What a check can establish differs, and each claim says which it is:

- `derivation`: the statement itself, by exact results of `theory`;
- `arithmetic`: that reported numbers agree with each other; not that they are true;
- `logs`: that the authors' own logs or counts give the reported numbers; nothing was re-run;
- `release`: what rules or constants of released code come to, the commit being named.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Literal, cast, get_args

from theory.finding import Finding, Verdict
from theory.published import table

Basis = Literal["derivation", "arithmetic", "logs", "release", ""]
BASES = {
    "derivation": "re-derived here",
    "arithmetic": "arithmetic on reported numbers, which are not themselves tested",
    "logs": "recomputed from the authors' logs, nothing was re-run",
    "release": "rules or constants of released code, evaluated here",
}
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True)
class Claim:
    """A published claim.

    Attributes:
        id: System and number.
        system: Whose claim it is.
        source: Where it is made.
        statement: What is claimed.
        value: The number claimed, if any.
        unit: Of the value.
        verdict: What its checks find, or untested.
        condition: The condition, the counterexample, or why it is untested.
        basis: What kind of check it is; see the module.
        checks: Names for `run`.
    """

    id: str
    system: str
    source: str
    statement: str
    value: str
    unit: str
    verdict: Verdict
    condition: str
    basis: Basis
    checks: tuple[str, ...]


@cache
def load() -> tuple[Claim, ...]:
    """All claims, in the order of the table.

    Raises:
        ValueError: If a row names no verdict or basis that there is.
    """
    return tuple(_claim(row) for row in table("claims"))


def _claim(row: dict[str, str]) -> Claim:
    if row["verdict"] not in VERDICTS or row["basis"] not in get_args(Basis):
        raise ValueError(f"{row['id']}: no verdict {row['verdict']!r} on {row['basis']!r}")
    return Claim(
        **{key: row[key] for key in ("id", "system", "source", "statement", "value", "unit")},
        verdict=row["verdict"],
        condition=row["condition"],
        basis=cast("Basis", row["basis"]),
        checks=tuple(filter(None, row["checks"].split("; "))),
    )


def lookup(name: str) -> Claim:
    """The claim of an id, whatever its case.

    Raises:
        ValueError: If there is none, with the nearest id.
    """
    known = {claim.id.lower(): claim for claim in load()}
    if name.lower() not in known:
        raise unknown("claim", name, [claim.id for claim in load()])
    return known[name.lower()]


def unknown(kind: str, wrong: str, known: list[str]) -> ValueError:
    """The refusal of a name, with the nearest that there is."""
    lowered = {name.lower(): name for name in known}
    close = get_close_matches(wrong.lower(), lowered, n=1)
    few = ", ".join(known) if len(known) < 30 else f"{known[0]} to {known[-1]}"
    hint = f"did you mean {lowered[close[0]]!r}?" if close else f"there are {few}"
    return ValueError(f"unknown {kind} {wrong!r}: {hint}")


def resolve(name: str) -> Callable[[], Finding]:
    """The check of a name: `module.function`, or `module.function[case]`.

    Raises:
        ValueError: If there is no such check.
    """
    path, bracket, case = name.removesuffix("]").partition("[")
    module, _, function = path.partition(".")
    try:
        check = getattr(import_module(f"theory.checks.{module}"), function)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"no check {name!r}: {error}") from error
    return (lambda: check(case)) if bracket else check


def run(name: str) -> Finding:
    """What a check finds now.

    Raises:
        ValueError: If there is no such check.
        DisagreementError: If two derivations within it disagree.
    """
    return resolve(name)()


@dataclass(frozen=True)
class Outcome:
    """A check that was run.

    Attributes:
        check: Its name.
        found: What it found; nothing if it raised.
        error: What it raised, in words.
    """

    check: str
    found: Finding | None
    error: str = ""

    def confirms(self, claim: Claim) -> bool:
        """Whether it found the verdict that is recorded."""
        return self.found is not None and self.found.verdict == claim.verdict


def attempt(name: str) -> Outcome:
    """The outcome of a check; whatever it raises is an outcome too."""
    try:
        return Outcome(name, run(name))
    except Exception as error:  # noqa: BLE001 - one broken check must not hide the others
        return Outcome(name, None, f"{type(error).__name__}: {error}")
