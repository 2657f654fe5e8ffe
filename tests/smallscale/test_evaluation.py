"""Pass rates of held-out prompts: exact where they can be, close to it where sampled."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.stats import binom

from smallscale.assembly import Parts
from smallscale.evaluation import evaluate, pass_rates

Make = Callable[..., Parts]


def test_exact_and_sampled_pass_rates_agree(parts: Make) -> None:
    """Passes of 40 prompts x 100 rollouts, each within a two-sided 1e-6 of its binomial."""
    made = parts()
    exact = pass_rates(made, made.held_out, 100, seed=0)
    assert made.exact is not None
    sampled = pass_rates(replace(made, exact=None), made.held_out, 100, seed=0)
    passes = (sampled * 100).round()
    assert (binom.cdf(passes, 100, exact) > 1e-6).all()
    assert (binom.sf(passes - 1, 100, exact) > 1e-6).all()
    assert sampled.std() > 0


def test_families_average_to_the_whole(parts: Make) -> None:
    made = parts()
    found = evaluate(made, seed=0)
    families = np.array(made.held_out.families)
    whole = sum(found[f"evaluation/{f}"] * (families == f).sum() for f in set(families))
    np.testing.assert_allclose(whole / families.size, found["evaluation/accuracy"])
    rates = pass_rates(made, made.held_out, 1, seed=0)
    first = families[0]
    own = rates[families == first].mean()
    np.testing.assert_allclose(found[f"evaluation/{first}"], own)


def test_equal_seeds_give_equal_estimates(parts: Make) -> None:
    made = replace(parts(), exact=None)
    assert evaluate(made, seed=3) == evaluate(made, seed=3)
