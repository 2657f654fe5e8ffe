from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from report.currencies import CURRENCIES
from report.numerals import Tone, amount, digits, times, tone
from report.summary import summarize
from report.tables import Grid, grid, table
from tests.report.runs import columns, run, trio

SECONDS, ROLLOUTS = CURRENCIES[-1], CURRENCIES[1]
RECORDS = [
    *trio(),
    *(run("speed-as-released", seed, speed=2.0 - seed / 3, price=2.5) for seed in range(3)),
    *(run("stuck", seed, speed=0.1) for seed in range(3)),
]
SUMMARY = summarize(RECORDS)


def cells(shown: Grid) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in shown.texts}


TUNED = "mopps:target=0.4,memory=0.9,discount=0.25"


def printed(width: int) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as lines:
        console.print(table(SUMMARY, "hill", width=width))
    return lines.get().splitlines()


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (1234.5, "1230"), (999.6, "1000"), (0.01234, "0.0123"), (5e-5, "0.00005")],
)
def test_digits_are_three_and_never_exponential(value: float, shown: str) -> None:
    assert digits(value) == shown


@pytest.mark.parametrize(
    ("value", "seconds", "count"),
    [
        (0.0, "0 s", "0"),
        (119.0, "119 s", "119"),
        (120.0, "2 min", "120"),
        (999.0, "16.6 min", "999"),
        (1000.0, "16.7 min", "1k"),
        (5000.0, "83.3 min", "5k"),
        (7200.0, "2 h", "7.2k"),
        (1.5e6, "417 h", "1.5M"),
        (2e9, "556000 h", "2G"),
        (inf, "∞ h", "∞G"),
    ],
)
def test_amounts_have_a_unit_that_fits(value: float, seconds: str, count: str) -> None:
    assert (amount(value, SECONDS), amount(value, ROLLOUTS)) == (seconds, count)


def test_ratios_show_their_bounds() -> None:
    assert times(0.625) == "0.62"
    assert times(12.34) == "12.3"
    assert times(2.0, "at least") == "≥ 2.00"
    assert times(0.5, "at most") == "≤ 0.50"
    assert times(nan, "unknown") == "–"
    assert times(inf) == "∞"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.5, 0.9, "cheaper"),
        (1.1, inf, "dearer"),
        (0.9, 1.0, "even"),
        (1.0, 1.2, "even"),
        (nan, nan, "even"),
    ],
)
def test_tone_is_the_side_of_one(low: float, high: float, expected: Tone) -> None:
    assert tone(low, high) == expected


def test_cells_say_what_the_summary_says() -> None:
    shown = cells(grid(SUMMARY, "hill"))
    assert list(shown) == ["uniform", "mopps", "speed-as-released", "stuck", "oracle"]
    assert shown["mopps"][0] == "0.80\n[0.80, 0.80]"
    assert shown["stuck"][1] == "≥ 2.38\n0/3 reach"
    assert shown["uniform"][0] == "8.41\n[5.54, 12.8]"
    assert shown["uniform"][5] == "12.6 min\n[8.3, 19.2]"
    assert [row[-2] for row in shown.values()] == ["50%\n[50, 50]"] * 5
    assert [row[-1] for row in shown.values()][1:] == ["40%", "−162%", "–", "100%"]


def test_a_gain_of_nothing_has_no_sign() -> None:
    speeds = {"uniform": 1.0, "mopps": 0.999, "oracle": 2.0}
    records = [run(n, seed, speed=x) for n, x in speeds.items() for seed in range(2)]
    shown = cells(grid(summarize(records), "hill"))
    assert (shown["uniform"][-1], shown["mopps"][-1]) == ("0%", "0%")


def test_tones_follow_the_intervals() -> None:
    rows = {row[0].text: [cell.tone for cell in row[1:7]] for row in grid(SUMMARY, "hill").rows}
    assert rows["uniform"] == ["even"] * 6
    assert rows["mopps"] == ["cheaper"] * 6
    assert rows["stuck"] == ["dearer"] * 6
    assert rows["speed-as-released"][0] == "even"


def test_notes_say_why_an_oracle_gain_is_missing() -> None:
    note = grid(SUMMARY, "hill").note
    assert "3 seeds" in note
    assert "No oracle gain for stuck: some seed never reached the target" in note
    lonely = grid(summarize([run(), run("mopps")]), "hill").note
    assert "1 seed." in lonely
    assert "No oracle gain: no oracle." in lonely


def test_one_seed_shows_no_interval() -> None:
    shown = cells(grid(summarize(trio(seeds=1)), "hill"))
    assert not any("[" in cell for row in shown.values() for cell in row)


@pytest.mark.parametrize(("width", "whole"), [(120, True), (80, False)])
def test_a_table_fits_its_terminal_without_breaking_a_word(width: int, *, whole: bool) -> None:
    lines = printed(width)
    assert max(map(cell_len, map(str.rstrip, lines))) <= width
    text = "\n".join(lines)
    for word in ("speed-as-released", "rollouts", "updates", "oracle", "≥ 2.38"):
        assert word in text
    assert ("[0.80, 0.80]" in text) == whole
    assert "[0.80," in text


@pytest.mark.parametrize("width", [120, 80])
def test_a_long_name_is_folded_and_nothing_else(width: int) -> None:
    summary = summarize([*RECORDS, *(run(TUNED, seed) for seed in range(3))])
    console = Console(width=width, color_system=None)
    with console.capture() as lines:
        console.print(table(summary, "hill", width=width))
    for word in (
        "speed-as-released",
        "rollouts",
        "updates",
        "≥ 2.38",
        "[0.80,",
        "mopps:target=0.4",
    ):
        assert word in lines.get()
    for whole in ("[0.80, 0.80]", "mopps:target=0.4,memory=0"):
        assert (whole in lines.get()) == (width == 120)


def test_a_table_too_wide_for_its_terminal_still_loses_no_column() -> None:
    lines = printed(50)
    assert max(map(cell_len, map(str.rstrip, lines))) <= 50
    assert sum("%" in line for line in lines) >= 5


def test_an_unknown_world_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no world dale: \['hill'\]"):
        grid(SUMMARY, "dale")


def test_a_run_of_other_progress_says_so() -> None:
    signal = [replace(one, progress="signal_realised", target=30.0) for one in RECORDS[:9]]
    title = grid(summarize(signal), "hill").title
    assert title == (
        "hill: cost of learning signal (sum of K(N−K)/(N−1)) ≥ 30, relative to uniform"
    )
    assert np.isclose(columns(1.0)["signal_realised"][5], 30.0)
