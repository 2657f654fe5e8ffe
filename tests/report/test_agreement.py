"""Predictions held against runs whose ratios are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection

from report import agreement
from report.agreement_cli import Judge, records
from report.agreement_plot import agreement_plot
from report.plots import png
from report.record import Record
from tests.report.runs import run, trio
from tests.terminal import Terminal

COUNTABLE = ["step", "rollouts", "trained_rollouts", "updates", "rounds"]


def predicted(**ratios: tuple[float, float, float]) -> pd.DataFrame:
    """Predictions of the target .3 in every countable currency: low, ratio, high."""
    rows = [
        {"strategy": name, "currency": currency, "target": 0.3, "low": a, "ratio": b, "high": c}
        for name, (a, b, c) in ratios.items()
        for currency in COUNTABLE
    ]
    return pd.DataFrame(rows)


def table(*rows: tuple[str, float, float, float, float]) -> pd.DataFrame:
    """Strategies with a predicted ratio, and a measured one with its interval."""
    cells = [
        {"strategy": name, "currency": "step", "target": 0.3, "bound": "exact"}
        | {"predicted": p, "measured_low": low, "measured": m, "measured_high": high}
        for name, p, low, m, high in rows
    ]
    return pd.DataFrame(cells)


def test_measured_ratios_are_those_of_the_runs_at_every_target() -> None:
    """Mopps takes 8 steps for 10, whatever the target and the luck of the seed."""
    found = agreement.measured(trio(), [0.3, 0.35])
    mopps = found.loc[found["strategy"] == "mopps", :]
    assert mopps["currency"].tolist() == COUNTABLE * 2
    assert mopps["target"].tolist() == [0.3] * 5 + [0.35] * 5
    assert mopps["measured"].to_numpy() == pytest.approx(0.8, rel=1e-12)
    assert mopps["measured_low"].to_numpy() == pytest.approx(0.8, rel=1e-9)
    assert set(found["strategy"]) == {"mopps", "oracle"}
    assert found["seeds"].tolist() == [3] * 20


def test_a_target_that_is_never_reached_is_a_bound_and_is_not_judged() -> None:
    found = agreement.measured(trio(), [0.43])  # uniform ends at .40, .44 and .48
    both = agreement.agreement(predicted(mopps=(0.1, 0.8, 9.0)).assign(target=0.43), found)
    assert set(both["bound"]) == {"at most"}
    assert both[["error", "inside", "close"]].isna().to_numpy().all()
    verdict = agreement.verdicts(both, agreement.rankings(both))
    assert verdict["ratios"].tolist() == [0] * 6
    assert np.isnan(verdict["rms"]).all()


def test_runs_of_two_worlds_are_refused() -> None:
    with pytest.raises(ValueError, match="several worlds"):
        agreement.measured([*trio("hill"), *trio("lake")], [0.3])


@pytest.mark.parametrize(
    ("ratio", "close"), [(0.9201, False), (0.9199, True), (0.6801, True), (0.6799, False)]
)
def test_close_is_within_15_percent_of_what_was_measured(ratio: float, close: bool) -> None:  # noqa: FBT001
    both = agreement.agreement(
        predicted(mopps=(0.1, ratio, 2.0)), agreement.measured(trio(), [0.3])
    )
    assert both["strategy"].tolist() == ["mopps"] * 5
    assert both["error"].to_numpy() == pytest.approx(np.log(ratio / 0.8), rel=1e-9)
    assert both["close"].tolist() == [close] * 5
    assert both["inside"].tolist() == [True] * 5


@pytest.mark.parametrize(
    ("low", "high", "inside"), [(0.79, 0.81, True), (0.81, 0.9, False), (0.7, 0.79, False)]
)
def test_inside_is_the_measured_ratio_in_the_predicted_interval(
    low: float,
    high: float,
    inside: bool,  # noqa: FBT001
) -> None:
    both = agreement.agreement(
        predicted(mopps=(low, (low + high) / 2, high)), agreement.measured(trio(), [0.3])
    )
    assert both["inside"].tolist() == [inside] * 5


def test_predictions_of_other_strategies_have_nothing_to_be_held_to() -> None:
    with pytest.raises(ValueError, match="share no strategy"):
        agreement.agreement(predicted(greso=(0.5, 1, 2)), agreement.measured(trio(), [0.3]))


def test_pairs_are_judged_only_where_measured_intervals_are_apart() -> None:
    """a and b overlap, and b and the baseline; a is below 1, c above all."""
    found = agreement.rankings(
        table(
            ("a", 1.1, 0.7, 0.8, 0.9), ("b", 0.9, 0.85, 0.95, 1.05), ("c", 1.5, 1.3, 1.4, 1.6)
        )
    )
    pairs = {(p["cheaper"], p["dearer"]): p["agree"] for p in found.to_dict("records")}
    assert pairs == {
        ("a", "uniform"): False,
        ("uniform", "c"): True,
        ("a", "c"): True,
        ("b", "c"): True,
    }
    gaps = found.set_index(["cheaper", "dearer"]).loc[("a", "c")]
    assert gaps["gap"] == pytest.approx(np.log(1.4 / 0.8))
    assert gaps["predicted_gap"] == pytest.approx(np.log(1.5 / 1.1))


def test_intervals_that_touch_and_ratios_that_are_bounds_make_no_pair() -> None:
    touching = table(("a", 1.0, 0.8, 0.9, 1.0), ("b", 1.0, 1.0, 1.2, 1.3))
    assert agreement.rankings(touching).empty
    bound = table(("a", 1.0, 0.1, 0.2, 0.3)).assign(bound="at most")
    assert agreement.rankings(bound).empty


def test_a_prediction_that_does_not_tell_a_pair_apart_is_wrong_on_it() -> None:
    found = agreement.rankings(table(("a", 1.0, 0.7, 0.8, 0.9)))
    assert found["agree"].tolist() == [False]


def test_verdicts_by_currency_and_over_all() -> None:
    both = table(("a", 0.8, 0.7, 0.8, 0.9), ("b", 1.2, 1.4, 1.5, 1.6)).assign(
        error=[0.0, np.log(0.8)], inside=[True, False], close=[True, False]
    )
    other = both.assign(currency="rollouts", error=[0.1, 0.0], inside=True, close=True)
    together = pd.concat([both, other], ignore_index=True)
    found = agreement.verdicts(together, agreement.rankings(both)).set_index("currency")
    assert found.index.tolist() == ["step", "rollouts", "all"]
    step, every = found.loc["step"], found.loc["all"]
    assert (step["ratios"], step["close"], step["inside"]) == (2, 1, 1)
    assert step["rms"] == pytest.approx(abs(np.log(0.8)) / np.sqrt(2))
    assert step["worst"] == pytest.approx(np.log(0.8))
    assert (step["pairs"], step["agree"]) == (3, 3)
    assert (every["ratios"], every["close"], every["inside"], every["pairs"]) == (4, 3, 3, 3)
    assert every["rms"] == pytest.approx(np.sqrt((np.log(0.8) ** 2 + 0.01) / 4))
    assert found.loc["rollouts"]["pairs"] == 0


def folder_of_runs(folder: Path, runs: list[Record]) -> Path:
    for place, one in enumerate(runs):
        inside = folder / "runs" / str(place)
        inside.mkdir(parents=True)
        one.save(inside / "record.json")
    return folder


def test_the_command_prints_and_writes_what_it_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    runs = folder_of_runs(tmp_path / "study", trio())
    both = predicted(mopps=(0.7, 0.82, 0.9), oracle=(0.8, 0.9, 1.0))
    both.to_csv(tmp_path / "predictions.csv", index=False)
    out = tmp_path / "out"
    status, said, complaint = Terminal(monkeypatch, capsys)(
        "judge", str(tmp_path), str(runs), "--out", str(out)
    )
    assert (status, complaint) == (0, "")
    assert "+2%" in said
    assert "+80%" in said
    assert "5 of 10" in said
    written = pd.read_csv(out / "agreement.csv")
    assert written["inside"].tolist() == [True] * 5 + [False] * 5
    assert len(pd.read_csv(out / "ranking.csv")) == 15
    assert pd.read_csv(out / "verdict.csv")["agree"].tolist() == [2] * 5 + [10]
    paid = pd.read_csv(out / "runs.csv")
    assert paid["strategy"].tolist() == ["mopps"] * 3 + ["oracle"] * 3 + ["uniform"] * 3
    assert paid["step"].to_numpy()[-3:] == pytest.approx(10.0 / np.array([1.0, 1.2, 1.4]))
    assert paid["rollouts"].to_numpy() == pytest.approx(64 * paid["step"].to_numpy())
    assert (out / "agreement.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no record\.json"):
        records([tmp_path])


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        (predicted(a=(0.5, 1, 2)).drop(columns="low"), "lacks the columns"),
        (predicted(a=(1.5, 1, 2)), "low <= ratio"),
        (predicted(a=(-1.0, 1, 2)), "0 < low"),
        (predicted(a=(0.5, np.nan, 2)), "low <= ratio"),
        (pd.concat([predicted(a=(0.5, 1, 2))] * 2), "twice"),
    ],
)
def test_a_file_that_predicts_nothing_sensible_is_refused(
    tmp_path: Path, frame: pd.DataFrame, complaint: str
) -> None:
    frame.to_csv(tmp_path / "predictions.csv", index=False)
    with pytest.raises(ValueError, match=complaint):
        Judge(predicted=tmp_path, runs=(tmp_path,)).run()


def test_the_picture_has_a_panel_per_countable_currency_and_every_point() -> None:
    luck = [replace(one, target=0.3) for one in trio()]
    noisy = [*luck, *(run("greso", seed, speed=0.9 + 0.2 * seed) for seed in range(3))]
    both = agreement.agreement(
        predicted(mopps=(0.7, 0.82, 0.9), greso=(1.0, 1.1, 1.3)),
        agreement.measured(noisy, [0.3]),
    )
    figure = agreement_plot(both)
    titled = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert len(titled) == 5
    for axes in titled:
        drawn = [line for line in axes.lines if str(line.get_marker()) not in "None|_"]
        points = [np.asarray(line.get_xydata(), float)[0] for line in drawn]
        assert {round(float(y), 2) for _, y in points} == {0.82, 1.1}
        assert min(x for x, _ in points) == pytest.approx(0.8)
        assert len(points) == 2
        (band,) = (x for x in axes.collections if isinstance(x, PolyCollection))
        top = band.get_paths()[0].get_extents().y1  # at the right edge
        assert top == pytest.approx(1.15 * axes.get_xlim()[1])
        low, high = axes.get_xlim()
        assert low < 0.7
        assert high > 1.3
    box = figure.axes[-1].get_legend()
    assert box is not None
    legend = {text.get_text() for text in box.get_texts()}
    assert {"mopps", "greso", "target 0.3", "within 15%"} <= legend
    assert png(figure) == png(agreement_plot(both))
