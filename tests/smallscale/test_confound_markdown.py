"""The tables and verdicts that a reader of the update confound gets."""

import re
from math import inf, nan, nextafter

import pytest

from report.aggregate import UNKNOWN, Estimate
from smallscale.confound import CORE, SETTINGS, Arm
from smallscale.confound_cells import cell, count, heads, label, number, section, span, table
from smallscale.confound_costs import SIMULATED, costs, shares, summary
from smallscale.confound_hypotheses import CLAIMS, HYPOTHESES
from smallscale.confound_markdown import ruling, tables
from smallscale.confound_plots import ratios
from smallscale.confound_verdicts import verdicts
from tests.smallscale.confound_runs import D1, F6, S1, S6, U1, U6, X4, climb, study

PACES = {U1: 0.005, U6: 0.02, S1: 0.00625, S6: 0.04, D1: 0.008, X4: 0.01, F6: 0.05}


def parsed(text: str) -> dict[str, list[list[str]]]:
    """The rows of every section's table, the headings first."""
    found: dict[str, list[list[str]]] = {}
    title = ""
    for line in text.splitlines():
        if line.startswith("#"):
            title = line.lstrip("# ")
        elif line.startswith("|") and not line.startswith("|-"):
            cells = [part.strip() for part in line.split("|")[1:-1]]
            found.setdefault(title, []).append(cells)
    return found


def row(text: str, title: str, *names: str) -> list[str]:
    """The one row of a section's table that begins so, without its names."""
    (found,) = [r for r in parsed(text)[title] if tuple(r[: len(names)]) == names]
    return found[len(names) :]


@pytest.fixture(scope="module")
def shown() -> str:
    coupled = study({U1: 0.004, U6: 0.008, S6: 0.016}, seeds=2, setting="adam" + SIMULATED)
    return tables(costs([*study(PACES), *coupled]))


def first(text: str) -> str:
    return text.partition(" ")[0]


def test_the_share_of_updates(shown: str) -> None:
    title = "How much of SPEED's apparent speedup is updates"
    found = row(shown, title, "AdamW, RLOO")
    assert [first(one) for one in found] == ["3", "8.00", "4.00", "0.67", "0.67", "0.67"]
    world = row(shown, title, "AdamW, RLOO, coupled world")
    assert [first(one) for one in world] == ["2", "4.00", "2.00", "0.50", "0.50", "0.50"]


def test_costs(shown: str) -> None:
    heading, *_ = parsed(shown)["Costs: AdamW, RLOO"]
    assert heading[2:] == [
        *("steps to 0.6", "0.7", "0.8"),
        *("rollouts to 0.7", "updates to 0.7", "modelled s to 0.7"),
    ]
    runs = costs([("adam", U6, climb(U6, 0, 0.02))])
    alone = row(tables(runs), "Costs: AdamW, RLOO", "uniform, 6")
    seconds = runs["modelled"][1]
    assert alone == ["1", "5.00", "10.0", "15.0", "100", "60.0", f"{seconds:,.0f}"]
    assert "uniform, 1, 4 times the learning rate" not in str(
        parsed(shown)["Costs: AdamW, RLOO"]
    )


def test_ratios_at_as_many_updates(shown: str) -> None:
    title = "Relative to uniform selection at as many updates"
    found = row(shown, title, "AdamW, RLOO", "SPEED, 6")
    assert [first(one) for one in found] == ["3", *["0.50"] * 6]
    assert first(row(shown, title, "AdamW, RLOO", "SPEED, 1")[1]) == "0.80"
    assert not [r for r in parsed(shown)[title] if r[1].startswith("uniform")]
    assert (
        first(row(shown, f"{title}, modelled seconds", "AdamW, RLOO", "SPEED, 6")[1]) == "0.50"
    )


def test_rollouts_stand_under_rollouts() -> None:
    dear = tables(costs(study({U1: 0.005, S1: 0.01}, each={S1: 60.0})))
    title = "Relative to uniform selection at as many updates"
    found = row(dear, title, "AdamW, RLOO", "SPEED, 1")
    assert [first(one) for one in found] == ["3", *["0.50"] * 3, *["3.00"] * 3]
    assert parsed(dear)[title][0][3:] == [*heads("steps"), *heads("rollouts")]


def test_tuning(shown: str) -> None:
    title = "Does tuning the baseline close the gap?"
    quick = row(shown, title, "uniform, 1, 4 times the learning rate")
    assert [first(one) for one in quick] == ["3", *["2.00"] * 3, *["0.50"] * 3]
    assert first(row(shown, title, "SPEED, nothing kept, 6")[1]) == "10.0"
    assert row(shown, title, "SPEED, 6")[4:] == ["", "", ""]


def test_tuning_is_of_one_setting() -> None:
    others = study({U1: 0.005, U6: 0.03, S6: 0.03}, setting="sgd")
    both = parsed(tables(costs([*study(PACES), *others])))
    title = "Does tuning the baseline close the gap?"
    assert both[title] == parsed(tables(costs(study(PACES))))[title]


def test_other_ratios(shown: str) -> None:
    updates = row(shown, "Other ratios", "AdamW, RLOO", "updates of uniform, 6 : uniform, 1")
    assert first(updates[1]) == "1.50"
    kept = row(
        shown, "Other ratios", "AdamW, RLOO", "steps of SPEED, nothing kept, 6 : SPEED, 6"
    )
    assert first(kept[2]) == "0.80"


def test_absolute_times_of_both_kinds(shown: str) -> None:
    found = row(shown, "Network and coupled world: uniform, 1", "AdamW, RLOO")
    network, world = (float(first(found[place])) for place in (1, 4))
    assert world / network == pytest.approx(1.25, rel=0.06)  # geometric means of 3 and 2 seeds


def test_numbers_are_those_of_the_csv_files() -> None:
    extra = ((U1, 5, 0.005), (U6, 5, 0.02), (S6, 5, 0.03), (U1, 9, 0.005), (S6, 9, 0.03))
    more = [("adam", arm, climb(arm, seed, pace)) for arm, seed, pace in extra]
    runs = costs([*study(PACES), *more])
    text, full = tables(runs), summary(runs).set_index(["arm", "currency", "target"])
    one = full.loc[(S6.name, "step", 0.8), :]
    found = row(
        text, "Relative to uniform selection at as many updates", "AdamW, RLOO", "SPEED, 6"
    )
    assert found[0] == "4"
    assert found[3] == (
        f"{one['matched']:.2f} [{one['matched_low']:.2f}, {one['matched_high']:.2f}]"
    )
    share = shares(runs).set_index(["arm", "target"]).loc[(S6.name, 0.8), :]
    told = row(text, "How much of SPEED's apparent speedup is updates", "AdamW, RLOO")
    assert told[0] == "4 to 5"
    assert told[-1].startswith(f"{share['share']:.2f} [{share['share_low']:.2f}")


def test_what_was_not_run_is_left_out() -> None:
    text = tables(costs(study({U1: 0.005}, setting="sgd")))
    assert list(parsed(text)) == ["Costs: SGD, RLOO"]
    assert set(parsed(tables(costs(study({X4: 0.01}))))) == {
        "Does tuning the baseline close the gap?"
    }
    assert not [t for t in parsed(tables(costs(study({U1: 0.005, S6: 0.03})))) if "tuning" in t]
    assert ratios(costs(study({X4: 0.01}))).axes  # a picture without pairs is no failure
    rows = ratios(costs(study({U1: 0.005, U6: 0.02, S6: 0.03}))).axes[0].get_yticklabels()
    shown = ["SPEED 6 : uniform 1", "uniform 6 : uniform 1", "SPEED 6 : uniform 6"]
    assert [label.get_text() for label in rows] == shown


def test_a_run_that_never_arrives_is_a_bound() -> None:
    text = tables(costs([("grpo", U1, climb(U1, 0, 0.01, top=0.65))]))
    found = row(text, "Costs: AdamW, GRPO", "uniform, 1")
    assert found[:4] == ["1", "10.0", "≥ 119", "≥ 119"]


def test_verdicts_quote_judge_and_count() -> None:
    text = ruling(verdicts(costs(study(PACES)), CLAIMS))
    for hypothesis, said in HYPOTHESES.items():
        assert re.search(rf"## Hypothesis {hypothesis}: .+\n\n> {re.escape(said)}\n\n\|", text)
    seven = row(
        text,
        "Hypothesis 7: refuted",
        "share of SPEED 6's speedup in steps that uniform 6 has",
        "AdamW, RLOO",
    )
    assert seven[:2] == ["at least 0.8", "3"]
    assert first(seven[2]) == "0.67"
    assert seven[-1] == "refuted (always below)"
    eight = parsed(text)["Hypothesis 8: refuted"]
    assert len(eight) == 1 + 2
    assert "## Hypothesis 9: not run" in text


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Estimate(1.0, 1.0, 1.0), "1.00"),
        (Estimate(0.866, 0.8449, 0.8951), "0.87 [0.84, 0.90]"),
        (Estimate(9.996, 9.98, 11.04), "10.0 [9.98, 11.0]"),
        (Estimate(99.96, 95.0, 2803.4), "100 [95.0, 2,803]"),
        (Estimate(1.5, nan, nan), "1.50"),
        (Estimate(119.0, 60.0, inf, "at least"), "≥ 119 [60.0, ∞]"),
        (Estimate(0.5, 0.0, 0.75, "at most"), "≤ 0.50 [0.00, 0.75]"),
        (UNKNOWN, "–"),
    ],
)
def test_cells(found: Estimate, text: str) -> None:
    assert cell(found) == text


def test_small_pieces() -> None:
    assert number(-0.001) == "0.00"
    assert [count([10, 10]), count([2, 1, 1])] == ["10", "1 to 2"]
    assert span(0.85, 1.05) == "0.85 to 1.05"
    assert span(-inf, 1.0) == "at most 1"
    assert [span(0.8, inf), span(nextafter(1.0, inf), inf)] == ["at least 0.8", "more than 1"]
    assert heads("") == ["to 0.6", "0.7", "0.8"]
    assert (table(["a"], []), section("a", "")) == ("", "")
    assert (
        section("a", table(["x", "y"], [["1", "2"]]))
        == "## a\n\n| x | y |\n|---|---|\n| 1 | 2 |"
    )


def test_every_arm_has_a_label_of_its_own() -> None:
    for setting in SETTINGS.values():
        labels = [label(arm) for arm in setting.arms]
        assert len(set(labels)) == len(labels)
    assert [label(arm) for arm in CORE[:4]] == [
        "uniform, 1",
        "uniform, 6",
        "SPEED, 1",
        "SPEED, 6",
    ]
    assert label(Arm(strategy="uniform", faster=8)) == "uniform, 1, 8 times the learning rate"
