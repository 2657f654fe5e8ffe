"""Every symbolic identity that `theory.proofs` states is identically zero."""

import pkgutil
from collections.abc import Callable
from importlib import import_module
from inspect import getmembers, isfunction

import pytest
import sympy as sp

from theory import proofs

MODULES = [
    import_module(f"theory.proofs.{info.name}")
    for info in pkgutil.iter_modules(proofs.__path__)
]
IDENTITIES = [
    function
    for module in MODULES
    for name, function in getmembers(module, isfunction)
    if function.__module__ == module.__name__ and not name.startswith("_")
]


def vanishes(expression: sp.Expr) -> bool:
    return sp.simplify(expression) == 0


@pytest.mark.parametrize("identity", IDENTITIES, ids=lambda f: f"{f.__module__}.{f.__name__}")
def test_identity_vanishes(identity: Callable[[], sp.Expr]) -> None:
    assert vanishes(identity())


def test_a_false_identity_does_not_vanish() -> None:
    """The control: N in place of N-1 in the variance of the gap."""
    v, N, c = proofs.v, proofs.N, proofs.k * (proofs.N - proofs.k)
    variance = proofs.binomial_mean(c**2) - proofs.binomial_mean(c) ** 2
    assert vanishes(variance - v * ((N - 1) - (4 * N - 6) * v) * N * (N - 1))
    assert not vanishes(variance - v * ((N - 1) - (4 * N - 6) * v) * N * N)


def test_binomial_means_agree_with_sums_over_outcomes() -> None:
    """The two ways in which the proofs take expectations, at one size each has."""
    polynomial = proofs.k**3 - 2 * proofs.k * proofs.N
    by_moments = proofs.binomial_mean(polynomial).subs(proofs.N, 5)
    by_outcomes = proofs.outcome_mean(polynomial.subs(proofs.N, 5), 5, mixed=False)
    assert vanishes(by_moments - by_outcomes)
