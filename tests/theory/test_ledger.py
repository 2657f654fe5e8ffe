"""The ledger: every verdict is what its checks find, and none stands without one."""

import csv
import json
import re
from collections import Counter
from dataclasses import replace
from importlib import import_module
from inspect import getmembers, isfunction, signature
from itertools import pairwise
from pathlib import Path
from pkgutil import iter_modules
from typing import TypeAlias

import numpy as np
import pytest
from jaxtyping import Int
from scipy.special import betaln

from theory import (
    checks,
    finding,
    groups,
    ledger,
    neyman,
    published,
    screening,
    skipping,
    snr,
    tracking,
)
from theory.finding import DisagreementError, Finding, agree, everywhere, under_condition

Counts: TypeAlias = Int[np.ndarray, "M"]
ROOT = Path(__file__).parents[2]
CLAIMS = ledger.load()
CHECKED = [claim for claim in CLAIMS if claim.checks]
NAMES = sorted({name for claim in CLAIMS for name in claim.checks})


def public_checks() -> set[str]:
    """Functions of `theory.checks` that return a finding."""
    found: set[str] = set()
    for info in iter_modules(checks.__path__):
        module = import_module(f"theory.checks.{info.name}")
        for name, function in getmembers(module, isfunction):
            own = function.__module__ == module.__name__
            if own and signature(function).return_annotation is Finding:
                found.add(f"{info.name}.{name}")
    return found


@pytest.fixture(scope="module")
def outcomes() -> dict[str, ledger.Outcome]:
    return {name: ledger.attempt(name) for name in NAMES}


@pytest.mark.parametrize("claim", CHECKED, ids=lambda claim: claim.id)
def test_every_check_finds_the_recorded_verdict(
    claim: ledger.Claim, outcomes: dict[str, ledger.Outcome]
) -> None:
    for name in claim.checks:
        outcome = outcomes[name]
        assert outcome.confirms(claim), (outcome.found, outcome.error)
        assert outcome.found is not None
        assert outcome.found.evidence
        assert "nan" not in outcome.found.evidence


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_no_verdict_without_a_check_and_no_claim_without_a_reason(claim: ledger.Claim) -> None:
    assert bool(claim.checks) == (claim.verdict != "untested") == bool(claim.basis)
    assert claim.source
    assert claim.statement.endswith(".")
    assert claim.condition.endswith(".")


def test_every_check_is_used() -> None:
    assert {name.partition("[")[0] for name in NAMES} == public_checks()


def test_every_row_of_a_published_table_is_a_claim() -> None:
    """A check that takes a case is asked about each row of its table once."""
    cases = Counter(name.partition("[")[0] for name in NAMES if "[" in name)
    assert cases["speed_logs.hours_to_target"] == len(published.table("speed_table1")) == 28
    assert cases["cures_release.average"] == len(published.table("cures_table1")) == 18


def test_ids_are_unique_and_numbered_without_gaps() -> None:
    assert len({claim.id.lower() for claim in CLAIMS}) == len(CLAIMS) >= 203
    last = Counter(claim.id.rpartition("-")[0] for claim in CLAIMS)
    for claim in CLAIMS:
        name, _, number = claim.id.rpartition("-")
        assert 1 <= int(number) <= last[name], claim.id


def test_no_system_is_judged_by_one_verdict_alone() -> None:
    for system in ("SPEED", "GRESO", "MoPPS", "CurES"):
        verdicts = {claim.verdict for claim in CLAIMS if claim.system == system}
        assert {"conditional", "untested"} <= verdicts, system
    assert {claim.verdict for claim in CLAIMS} == set(ledger.VERDICTS)


def test_our_own_inferences_are_marked() -> None:
    ours = ("SPEED-58", "GRESO-34", "GRESO-35", "BASE-07", "CurES-40")
    assert [c.id for c in CLAIMS if "(added here" in c.statement] == sorted(
        ours, key=[c.id for c in CLAIMS].index
    )


@pytest.mark.parametrize("name", ["claims", "reported"])
def test_tables_are_in_the_order_and_shape_that_csv_gives(name: str) -> None:
    with (ROOT / "theory" / "data" / f"{name}.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert {len(row) for row in rows} == {len(rows[0])}


def test_lookup_ignores_case_and_suggests_the_nearest() -> None:
    assert ledger.lookup("speed-04").id == "SPEED-04"
    with pytest.raises(ValueError, match="unknown claim 'SPED-04': did you mean 'SPEED-04'"):
        ledger.lookup("SPED-04")
    with pytest.raises(ValueError, match="unknown claim 'x': there are SPEED-01 to"):
        ledger.lookup("x")


@pytest.mark.parametrize("name", ["nowhere.f", "speed.nothing", "speed", ""])
def test_a_check_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no check"):
        ledger.run(name)


def test_what_a_check_raises_is_an_outcome_that_confirms_nothing() -> None:
    outcome = ledger.attempt("cures_release.average[no such row]")
    assert outcome.found is None
    assert outcome.error.startswith("ValueError: ")
    assert not any(outcome.confirms(claim) for claim in CLAIMS)


def test_verdicts_follow_from_the_cases() -> None:
    assert everywhere(np.array([True, True]), "").verdict == "holds"
    assert everywhere(np.array([True, False]), "").verdict == "fails"
    assert (
        under_condition(np.array([True]), outside=False, evidence="").verdict == "conditional"
    )
    assert under_condition(inside=True, outside=True, evidence="").verdict == "holds"
    assert under_condition(inside=[True, False], outside=True, evidence="").verdict == "fails"


def test_no_verdict_from_no_case() -> None:
    with pytest.raises(DisagreementError, match="no case"):
        everywhere(np.array([], bool), "")


def test_disagreeing_derivations_are_named() -> None:
    agree(np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-12]))
    with pytest.raises(DisagreementError, match=r"2 and 2\.5 should be equal"):
        agree(np.array([1.0, 2.0]), np.array([1.0, 2.5]))


def test_a_wrong_verdict_is_noticed(outcomes: dict[str, ledger.Outcome]) -> None:
    claim = ledger.lookup("SPEED-04")
    assert outcomes[claim.checks[0]].confirms(claim)
    lies: tuple[finding.Verdict, ...] = ("holds", "conditional", "untested")
    for verdict in lies:
        assert not outcomes[claim.checks[0]].confirms(replace(claim, verdict=verdict))


# A formula, a wrong one in its place, and a check that must then no longer confirm its claim.
MUTATIONS = {
    "N for N-1 in the largest SNR": (
        (snr, "snr_max"),
        lambda p, N: N * N * p * (1 - p) / (N - (4 * N - 6) * p * (1 - p)),
        "speed.bound_within_the_outer_quarters",
    ),
    "N for N-1 in a gain": (
        (snr, "gain_per_rollout"),
        lambda p, N: p * (1 - p) / (1 + p * (1 - p) * (N - 2) * (N - 3) / N),
        "speed.utility_per_rollout",
    ),
    "a sign in the guarantee": (
        (snr, "guaranteed_gain"),
        lambda s, step=1.0, L=1.0: step * (1 - L * step / 2 * (1 - 1 / s)),
        "speed.one_step_guarantee",
    ),
    "the objective's slope left out": (
        (screening, "objective_slope"),
        lambda p, _n, _m: np.ones_like(np.asarray(p, float)),
        "speed_training.trained_objective",
    ),
    "fresh rollouts for trained groups": (
        (screening, "estimated_weight"),
        lambda K, R, n, _m: (
            screening.estimated_acceptance(K, R, n) * K * (R - K) / (R * (R - 1.0))
        ),
        "speed_training.norm_by_screening",
    ),
    "the deviation without its class gap": (
        (neyman, "rollout_deviation"),
        lambda p, _D2, V1, V0: np.sqrt(p * (1 - p) * ((1 - p) * V1 + p * V0)),
        "cures_allocation.rollout_variance",
    ),
    "a floor forgotten": (
        (skipping, "visit_rate"),
        lambda w, p_e, _f=0.0: np.maximum(1 - np.asarray(w) / p_e, 0.0),
        "greso.reachable",
    ),
    "beliefs that never fade": (
        (tracking, "update"),
        lambda a, b, K, N, _memory, _a0=1.0, _b0=1.0: (a + K, b + N - K),
        "mopps.belief_update",
    ),
    "zero-variance groups of passes only": (
        (groups, "mixed_probability"),
        lambda p, N: 1 - np.asarray(p) ** N,
        "base.dropping_keeps_direction",
    ),
    "agreement taken for granted": (
        (finding, "_all"),
        lambda _cases: True,
        "speed.bound_for_every_rate",
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_wrong_formula_turns_a_check_red(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (module, function), wrong, check = MUTATIONS[name]
    (claim,) = (claim for claim in CLAIMS if check in claim.checks)
    assert ledger.attempt(check).confirms(claim)
    monkeypatch.setattr(module, function, wrong)
    assert not ledger.attempt(check).confirms(claim)


def test_the_counts_are_those_of_the_simulator() -> None:
    """theory and sim each hold the data they need; the numbers are the same."""
    for model in ("1.5B", "7B"):
        raw = json.loads((ROOT / "sim" / "data" / f"dapo1k_{model.lower()}.json").read_text())
        assert sorted(raw["passes"]) == published.dapo1k_passes(model).tolist()


def test_the_trajectory_counts_are_those_of_the_simulator() -> None:
    visits = json.loads((ROOT / "sim/data/dsr_sub_1.5b_visits.json").read_text())["visits"]
    pairs = Counter((a, b) for line in visits for a, b in pairwise(line))
    counted = [[pairs[str(a), str(b)] for b in range(9)] for a in range(9)]
    assert published.dsr_transitions().tolist() == counted
    zero = np.array([[passes in "08" for passes in line[:44]] for line in visits])
    for row in published.table("dsr_sub_consistency"):
        visit = int(row["visit"]) - 1
        now, before = zero[:, visit], zero[:, :visit].any(axis=1)
        found = [int(now.sum()), int(before.sum()), int((now & before).sum())]
        assert found == [int(row[key]) for key in ("now", "any_previous", "both")]


def test_the_streak_counts_are_those_of_the_simulator() -> None:
    visits = json.loads((ROOT / "sim/data/dsr_sub_1.5b_visits.json").read_text())["visits"]
    ended: Counter[tuple[str, int, bool]] = Counter()
    for line in visits:
        for end in range(1, len(line)):
            streak = len(line[:end]) - len(line[:end].rstrip(line[end - 1]))
            ended[line[end - 1], streak, line[end] == line[end - 1]] += 1
    for row in published.table("dsr_sub_streaks"):
        kind, streak = {"all_fail": "0", "all_pass": "8"}[row["class"]], int(row["streak"])
        again, other = ended[kind, streak, True], ended[kind, streak, False]
        assert (again + other, again) == (int(row["visits"]), int(row["same_again"]))


def test_unknown_published_numbers_are_refused() -> None:
    with pytest.raises(KeyError, match=r"speed\.nothing"):
        published.reported("speed.nothing")
    with pytest.raises(KeyError):
        published.speed_curve(("70B", "NuminaMath", "RLOO", "base"))


def test_the_fitted_populations_are_the_likeliest_nearby() -> None:
    for model, (alpha, beta) in published.FITTED.items():
        counts = published.dapo1k_passes(model)

        def likelihood(a: float, b: float, counts: Counts = counts) -> float:
            return float((betaln(a + counts, b + 32 - counts) - betaln(a, b)).mean())

        best = likelihood(alpha, beta)
        for factor in (0.95, 1.05):
            assert likelihood(alpha * factor, beta) < best
            assert likelihood(alpha, beta * factor) < best


def test_findings_name_claims_that_are_not_untested() -> None:
    """Each finding ends with a command; what it names has been checked."""
    text = (ROOT / "docs" / "findings.md").read_text()
    commands = re.findall(r"^`passband claims ([^`]+)`$", text, re.MULTILINE)
    assert len(commands) == 10 == text.count("\n## ") - 1
    for command in commands:
        for name in command.split():
            assert ledger.lookup(name).verdict != "untested", name
