import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.populations import (
    DATA,
    BetaRates,
    LoggedRates,
    PassCounts,
    Population,
    fit_beta,
    load_pass_counts,
    load_visits,
    population,
)
from tests.statistical import assert_mean, samples_to_detect
from theory.groups import expected_mixed, mixed_probability
from theory.screening import estimated_acceptance

SAMPLES = samples_to_detect(gap=0.01)
LOGS = ("dapo17k-1.5b", "dapo17k-7b", "dsr-sub-1.5b")
PRIORS = {LOGS[0]: (0.399, 2.477), LOGS[1]: (0.508, 2.197), LOGS[2]: (0.349, 0.707)}


def logged(name: str) -> LoggedRates:
    found = population(name)
    assert isinstance(found, LoggedRates)
    return found


def posterior_mixed(rates: LoggedRates, rollouts: int) -> float:
    """Exact share of mixed groups when prompts are drawn from a logged population."""
    (a, b), k, N = rates.prior, rates.counts.passes, rates.counts.rollouts
    return float(expected_mixed(a + k, b + N - k, rollouts).mean())


@pytest.mark.parametrize("name", LOGS)
def test_priors_are_those_of_the_maximum_likelihood_fit(name: str) -> None:
    np.testing.assert_allclose(logged(name).prior, PRIORS[name], atol=0.001)


def test_a_prior_is_recovered_from_counts_drawn_from_it() -> None:
    rng = np.random.default_rng(0)
    passes = rng.binomial(16, rng.beta(0.5, 1.5, size=100_000))
    np.testing.assert_allclose(fit_beta(PassCounts(passes, 16)), (0.5, 1.5), rtol=0.03)


@pytest.mark.parametrize("passes", [0, 4, 8])
def test_counts_without_spread_still_have_a_prior(passes: int) -> None:
    rates = LoggedRates(counts := PassCounts(np.full(10, passes), 8), fit_beta(counts))
    drawn = rates.draw(1000, np.random.default_rng(0))
    assert abs(drawn.mean() - passes / 8) < 0.02


@pytest.mark.parametrize(
    ("name", "mean", "mixed"),
    [
        ("dapo17k-1.5b", 0.1407, {4: 0.331, 24: 0.625}),
        ("dapo17k-7b", 0.1942, {4: 0.426, 24: 0.713}),
    ],
)
def test_populations_hold_what_the_log_says_without_bias(
    name: str, mean: float, mixed: dict[int, float]
) -> None:
    """Against groups drawn from the log without replacement, which need no prior.

    Within .015, the standard error that 1,000 prompts leave in a share. Two rollouts are mixed
    with chance 2p(1-p), so the first share is twice the mean variance.
    """
    rates = logged(name)
    counts = rates.counts
    a, b = rates.prior
    posterior = (a + counts.passes) / (a + b + counts.rollouts)
    np.testing.assert_allclose(counts.passes.mean() / counts.rollouts, mean, atol=5e-5)
    np.testing.assert_allclose(posterior.mean(), mean, atol=0.001)
    for rollouts in (2, 4, 8, 24):
        unbiased = estimated_acceptance(counts.passes, counts.rollouts, rollouts).mean()
        assert abs(posterior_mixed(rates, rollouts) - unbiased) < 0.015
        if rollouts in mixed:
            np.testing.assert_allclose(unbiased, mixed[rollouts], atol=5e-4)


@pytest.mark.parametrize("name", LOGS[:2])
@pytest.mark.parametrize("rollouts", [4, 8, 24])
def test_the_plug_in_trap(name: str, rollouts: int) -> None:
    """Taking k/32 for the pass rate loses mixed groups; drawing from posteriors does not."""
    rates = logged(name)
    counts = rates.counts
    plug_in = mixed_probability(counts.passes / counts.rollouts, rollouts).mean()
    unbiased = estimated_acceptance(counts.passes, counts.rollouts, rollouts).mean()
    assert plug_in < unbiased - 0.01
    assert abs(posterior_mixed(rates, rollouts) - unbiased) < (unbiased - plug_in) / 2


@pytest.mark.parametrize("name", LOGS)
def test_drawn_prompts_have_the_pass_rates_of_their_population(name: str) -> None:
    rates = logged(name)
    (a, b), k, N = rates.prior, rates.counts.passes, rates.counts.rollouts
    drawn = rates.draw(SAMPLES, np.random.default_rng(0))
    total = a + b + N
    assert_mean(drawn, float(((a + k) / total).mean()))
    variance = ((a + k) * (b + N - k) / (total * (total + 1))).mean()
    assert_mean(4 * drawn * (1 - drawn), 4 * float(variance))
    for rollouts in (4, 8, 24):
        assert_mean(mixed_probability(drawn, rollouts), posterior_mixed(rates, rollouts))


def test_the_assertion_notices_observed_rates() -> None:
    """The control of the test above: a plug-in population does not pass it."""
    rates = logged("dapo17k-1.5b")
    observed = np.random.default_rng(0).choice(rates.counts.passes / 32, size=SAMPLES)
    with pytest.raises(AssertionError):
        assert_mean(mixed_probability(observed, 24), posterior_mixed(rates, 24))


def test_openr1_has_the_published_pass_at_k() -> None:
    """Read off a figure; the fit is within a hundredth of all nine points."""
    published = (0.176, 0.265, 0.375, 0.481, 0.575, 0.654, 0.718, 0.770, 0.813)
    drawn = population("openr1-1.5b").draw(SAMPLES, np.random.default_rng(0))
    for power, share in enumerate(published):
        solved = 1.0 - (1.0 - drawn) ** 2**power
        assert abs(solved.mean() - share) < 0.01
    assert_mean((drawn == 0.0).astype(float), 0.026)


@given(st.floats(0.01, 50.0), st.floats(0.01, 50.0), st.integers(0, 20))
def test_a_beta_population_is_named_by_its_parameters(a: float, b: float, seed: int) -> None:
    named = population(f"beta({a}, {b})")
    assert named == BetaRates(a=a, b=b)
    drawn = named.draw(50, np.random.default_rng(seed))
    assert ((drawn >= 0.0) & (drawn <= 1.0)).all()
    np.testing.assert_array_equal(drawn, named.draw(50, np.random.default_rng(seed)))


def test_uniform_is_beta_with_equal_unit_parameters() -> None:
    assert population("uniform") == BetaRates(a=1.0, b=1.0)
    drawn = population("beta(0.5,2)").draw(SAMPLES, np.random.default_rng(0))
    assert_mean(drawn, 0.5 / 2.5)


@pytest.mark.parametrize("name", [*LOGS, "openr1-1.5b", "uniform"])
def test_equal_seeds_draw_equal_prompts(name: str) -> None:
    def draw(rates: Population, seed: int) -> list[float]:
        return rates.draw(20, np.random.default_rng(seed)).tolist()

    assert draw(population(name), 3) == draw(population(name), 3)
    assert draw(population(name), 3) != draw(population(name), 4)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("gsm8k", "population 'gsm8k' is none of dapo17k-1.5b, .*FILE.json"),
        ("beta(0, 1)", "a=0.0 must be positive"),
        ("beta(1, nan)", "b=nan must be positive"),
        ("beta(1, two)", "' two' is not a number"),
        ("absent.json", "absent.json: No such file"),
    ],
)
def test_an_unknown_population_is_refused(name: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        population(name)


def test_the_share_never_solved_is_a_share() -> None:
    with pytest.raises(ValueError, match=r"never=1.5 must lie in \[0, 1\]"):
        BetaRates(a=1.0, b=1.0, never=1.5)


def test_committed_counts_are_the_published_ones() -> None:
    """Prompts with 0, 1, 2, ... passes of 32, from the authors' plotting script."""
    small = (
        "340 120 81 68 46 42 36 34 31 25 24 21 12 20 21 10 8 9 11 8 7 1 7 9 4 3 2 0 0 0 0 0 0"
    )
    large = (
        "258 97 68 53 51 42 40 49 31 33 33 25 32 21 19 20 26 21 18 16 8 9 9 8 8 3 0 2 0 0 0 0 0"
    )
    for name, histogram in zip(("dapo1k_1.5b", "dapo1k_7b"), (small, large), strict=True):
        counts = load_pass_counts(DATA / f"{name}.json")
        expected = [int(number) for number in histogram.split()]
        assert np.bincount(counts.passes, minlength=33).tolist() == expected


def test_committed_visits_are_the_published_ones() -> None:
    visits = load_visits()
    lengths = (visits >= 0).sum(axis=1)
    assert visits.shape == (1209, 57)
    assert (lengths.min(), lengths.max(), lengths.sum()) == (44, 57, 500 * 128)
    shares = np.bincount(visits[:, 0], minlength=9) / 1209
    published = [0.363, 0.125, 0.085, 0.075, 0.060, 0.063, 0.073, 0.079, 0.076]
    np.testing.assert_allclose(shares, published, atol=6e-4)
    for row, length in zip(visits, lengths, strict=True):
        assert (row[length:] == -1).all()


def test_a_log_of_your_own_is_a_population(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"model": "mine", "rollouts": 4, "passes": [0, 1, 4, 4]}))
    counts = load_pass_counts(str(file))
    assert (counts.passes.tolist(), counts.rollouts) == ([0, 1, 4, 4], 4)
    rates = logged(str(file))
    assert rates.prior == fit_beta(counts)
    assert abs(rates.draw(20_000, np.random.default_rng(0)).mean() - 9 / 16) < 0.02


@pytest.mark.parametrize("name", ["mine.JSON", "Mine.Json", "my log.json"])
def test_a_log_is_known_by_its_ending_in_any_case(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(json.dumps({"rollouts": 4, "passes": [0, 1, 4]}))
    assert logged(str(tmp_path / name)).counts.passes.tolist() == [0, 1, 4]


def test_a_log_may_lie_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.json").write_text(json.dumps({"rollouts": 4, "passes": [0, 1, 4]}))
    assert logged("~/mine.json").counts.passes.tolist() == [0, 1, 4]
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path}/absent.json: No such file")):
        population("~/absent.json")


def test_a_log_is_read_again_after_it_changed(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    for passes in ([0, 1, 2], [3, 4, 4]):
        file.write_text(json.dumps({"rollouts": 4, "passes": passes}))
        assert logged(str(file)).counts.passes.tolist() == passes


def nothing(file: Path) -> None:
    file.unlink(missing_ok=True)


def text(content: str | dict[str, Any]) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        file.write_text(content if isinstance(content, str) else json.dumps(content))

    return write


@pytest.mark.parametrize(
    ("write", "complaint"),
    [
        (nothing, "No such file"),
        (Path.mkdir, "Is a directory"),
        (text(""), "not JSON"),
        (lambda file: file.write_bytes(b"\xff\xfe\x00"), "not JSON"),
        (text("rollouts: 8"), "not JSON"),
        (text("[" * 100_000), "not JSON"),
        (text('{"a":' * 100_000), "not JSON"),
        (text("[1, 2]"), "not of the form"),
        (text({"rollouts": 8}), "not of the form"),
        (text({"rollouts": 8, "passes": []}), r"passes=\[\]"),
        (text({"rollouts": 8, "passes": {"0": 1}}), r"passes=\{'0': 1\}"),
        (text({"rollouts": 1, "passes": [1]}), "rollouts=1;"),
        (text({"rollouts": 8.0, "passes": [1]}), r"rollouts=8\.0;"),
        (text({"rollouts": True, "passes": [1]}), "rollouts=True;"),
        (text({"rollouts": 8, "passes": [1, 9]}), r"passes\[1\]=9; .* 0 to 8"),
        (text({"rollouts": 8, "passes": [1, -1]}), r"passes\[1\]=-1"),
        (text({"rollouts": 8, "passes": [0.5]}), r"passes\[0\]=0\.5"),
        (text({"rollouts": 8, "passes": [float("nan")]}), r"passes\[0\]=nan"),
        (text({"rollouts": 8, "passes": [[1]]}), r"passes\[0\]=\[1\]"),
        (text({"rollouts": 8, "passes": [True]}), r"passes\[0\]=True"),
    ],
)
def test_a_bad_log_is_refused_in_one_line(
    write: Callable[[Path], None], complaint: str, tmp_path: Path
) -> None:
    file = tmp_path / "bad.json"
    write(file)
    with pytest.raises(ValueError, match=complaint) as refusal:
        load_pass_counts(file)
    assert str(refusal.value).startswith(str(file))
    assert "\n" not in str(refusal.value)
