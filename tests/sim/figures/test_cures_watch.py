"""CurES watched: it decides as if it were not, and what is noted is what happened."""

import numpy as np
import pytest

from sim.figures.cures_allocation import RATES, deviations
from sim.figures.cures_runs import CURES, RELEASED, Contender, planned
from sim.figures.cures_watch import CASE, Seen, watch
from sim.run import simulate
from tests.sim.figures.across_made import numbers_of


@pytest.fixture(scope="module", params=[CURES, RELEASED], ids=lambda one: one.label)
def watched(request: pytest.FixtureRequest) -> tuple[Contender, Seen]:
    return request.param, watch(request.param, 0)


def test_fifteen_iterations_are_seen(watched: tuple[Contender, Seen]) -> None:
    contender, seen = watched
    assert all(each.size == 320 for each in seen.rates)
    assert {one.iteration for one in seen.allocated} == set(range(1, seen.iterations + 1))
    assert len(seen.allocated) == 150
    assert seen.iterations >= 15  # the release asks again where a batch got nothing
    if contender is CURES:
        assert seen.iterations == len(seen.rates) == len(seen.beliefs) == 15
        assert [one.iteration for one in seen.allocated] == np.repeat(range(1, 16), 10).tolist()


def test_watching_changes_nothing(watched: tuple[Contender, Seen]) -> None:
    """All rollouts of the unwatched run are those noted, and its pilots'."""
    contender, seen = watched
    columns = simulate(planned(contender, *CASE), 0)
    noted = sum(int(one.rollouts.sum()) for one in seen.allocated)
    assert columns["rollouts"][-1] == noted + seen.iterations * 320 * 4


def test_beliefs_follow_pass_rates(watched: tuple[Contender, Seen]) -> None:
    """The paper's are updated; the release's are the pilot's, six values at most."""
    contender, seen = watched
    for belief, rate in zip(seen.beliefs[:8], seen.rates[:8], strict=True):
        assert np.corrcoef(belief, rate)[0, 1] > 0.6
        assert ((belief > 0) & (belief < 1)).all()
    if contender is RELEASED:
        assert set(np.unique(seen.beliefs[0] * 6).round(9)) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    else:
        assert np.unique(seen.beliefs[0]).size > 20


def test_violins_drift_to_one() -> None:
    numbers = numbers_of("cures-3")
    means = numbers.groupby(["kind", "iteration"])["mean"].first()
    for kind in ("believed", "true"):
        assert means[kind, 1] < 0.35
        assert means[kind, 15] > 0.7
    assert numbers.groupby("kind").size().tolist() == [15 * 11, 15 * 11]
    ends = numbers[numbers["quantile"] == 1.0].set_index(["kind", "iteration"])["pass_rate"]
    assert ends["believed", 1] < 1.0  # a Beta mean never is
    assert ends["true", 15] > 0.99


def test_sigma_has_a_dip_without_noise_and_the_code_a_shallow_one() -> None:
    curves, half = deviations(), RATES.size // 2
    v = RATES * (1 - RATES)
    np.testing.assert_allclose(
        curves["V/|D|² = 0"], np.sqrt(v) * np.abs(1 - 2 * RATES), atol=1e-12
    )
    np.testing.assert_allclose(curves["code, V = 0"], np.sqrt(v) * (1 - 2 * v), atol=1e-12)
    assert curves["code, V = 0"][half] == pytest.approx(0.25)
    assert curves["V/|D|² = 100"].argmax() == half
    assert curves["V/|D|² = 0.5"].argmax() != half


def test_allocation_is_a_flat_bell_in_a_run() -> None:
    numbers = numbers_of("cures-4")
    run = numbers[numbers["part"] == CURES.label].set_index(["curve", "pass_rate"])["rollouts"]
    first = run["iteration 1"]
    assert 1.05 < first[0.45] / first[0.05] < 2.28
    released = numbers[numbers["part"] == RELEASED.label]["rollouts"]
    assert np.nanmin(released) > 10.0  # what agreeing pilots do not get goes to the others
