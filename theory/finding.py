"""What a check of a published claim finds: a verdict that numbers decided, and those numbers.

A claim *holds* if it is true wherever it is claimed. It is *conditional* if it is true under a
condition that its text drops, and false outside. It *fails* if a case within the range that it
names, and in which it is put to use, refutes it, even if it is true elsewhere. Every claim is
judged with the hypotheses that its source states, as far as it was read. A check that cannot
trust its own numbers, because two derivations of one of them disagree, raises instead of
finding anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Real

Verdict = Literal["holds", "conditional", "fails", "untested"]
Truth: TypeAlias = Bool[np.ndarray, "..."] | Sequence[bool | np.bool_] | np.bool_ | bool
Values: TypeAlias = Real[np.ndarray, "..."] | Sequence[float] | np.number | float | int


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        verdict: As its numbers decide.
        evidence: Those numbers, in a line or two.
    """

    verdict: Verdict
    evidence: str


class DisagreementError(ArithmeticError):
    """Two derivations of the same number disagree: the check proves nothing."""


def everywhere(claimed: Truth, evidence: str) -> Finding:
    """The finding on a claim stated without a condition.

    Args:
        claimed: Whether the statement is true, for each of the cases it covers.
        evidence: The numbers.
    """
    return Finding("holds" if _all(claimed) else "fails", evidence)


def under_condition(inside: Truth, outside: Truth, evidence: str) -> Finding:
    """The finding on a claim that a condition may separate from its counterexamples.

    Args:
        inside: Whether the statement is true, for each case that meets the condition.
        outside: The same for cases that do not. None false means that no condition is needed.
        evidence: The numbers.
    """
    if not _all(inside):
        return Finding("fails", evidence)
    return Finding("holds" if _all(outside) else "conditional", evidence)


def _all(cases: Truth) -> bool:
    """Whether all are true, and there is one."""
    each = cases if isinstance(cases, Sequence) else np.ravel(cases)
    if not len(each):
        raise DisagreementError("there is no case to decide by")
    return all(each)


def agree(one: Values, other: Values, tolerance: float = 1e-9) -> None:
    """Insist that two derivations give the same numbers.

    Args:
        one: Some numbers.
        other: What should equal them.
        tolerance: Largest difference, relative to the larger of 1 and the number.

    Raises:
        DisagreementError: If they do not.
    """
    first, second = np.broadcast_arrays(np.asarray(one, float), np.asarray(other, float))
    if not np.allclose(first, second, rtol=tolerance, atol=tolerance):
        worst = np.unravel_index(np.abs(first - second).argmax(), first.shape)
        raise DisagreementError(f"{first[worst]:.6g} and {second[worst]:.6g} should be equal")
