"""GVM's curves, and the constant of its bound."""

import numpy as np

from tests.sim.figures.across_made import made, numbers_of
from theory.gvm import acceptance_bound, accepted_rollouts


def test_curves_follow_the_formula() -> None:
    numbers = numbers_of("cures-gvm-2")
    p, alpha, beta = (numbers[name].to_numpy() for name in ("accept_rate", "alpha", "beta"))
    np.testing.assert_allclose(numbers["weight"], 1 / np.sqrt(p + alpha * p ** (1 - beta)))
    assert set(zip(beta, alpha, strict=True)) == {
        (b, a) for b in (2.0, 3.5, 5.0) for a in (1e-4, 1e-3, 1e-2)
    }


def test_the_printed_constant_is_right_for_two_alone() -> None:
    """With the printed one the bound fails where all prompts are at the peak."""
    values = made("cures-gvm-2").values
    assert [value.reproduced for value in values] == [True, False, False]
    rates = np.full(10, 0.3314)
    accepted = accepted_rollouts(rates, 1000.0, 1e-3, 5.0)
    printed = acceptance_bound(rates, 1000.0, 1e-3, 5.0, values[2].published)
    ours = acceptance_bound(rates, 1000.0, 1e-3, 5.0, values[2].here)
    assert (accepted < printed).all()
    np.testing.assert_allclose(accepted, ours, rtol=1e-6)
