"""The summaries of `passband snr` by hand, and the command end to end."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from selection.settings import SettingError
from smallscale import snr_results
from smallscale.measurement import Measurement
from smallscale.snr import (
    Effort,
    Findings,
    configuration,
    efforts,
    findings,
    growth,
    median,
    plain,
    ratios,
)
from smallscale.survey import UnmeasurableError
from tests.terminal import Terminal

LEAST = ("snr", "--preset", "test", "--lengths", "0", "--fraction", "0.01")


@pytest.mark.parametrize(("n", "low", "high"), [(6, 0, 5), (8, 0, 7), (20, 5, 14), (9, 1, 7)])
def test_median_intervals_are_order_statistics(n: int, low: int, high: int) -> None:
    """Ranks of tables for the sign test: 1 and 6 of 6, 6 and 15 of 20, 2 and 8 of 9."""
    found = median(np.random.default_rng(0).permutation(np.arange(n) / 1.0))
    assert (found["median"], found["low"], found["high"]) == ((n - 1) / 2, low, high)
    assert found["prompts"] == n


def test_medians_of_little() -> None:
    assert median(np.array([1.0, 2.0, 9.0, np.nan])) == {
        "median": 2.0, "low": None, "high": None, "prompts": 3,
    }  # fmt: skip
    assert median(np.array([np.nan]))["median"] is None
    assert median(np.array([1.0, np.inf, np.inf]))["median"] == np.inf


NOTHING = Measurement(
    model="", task="", lr=0.0, groups=0, rollouts=0, seed=0, prompts=0, scored=0, batches=0,
    tokens=0.0, cosine_within=0.0, cosine_across=None, cosine_within_raw=0.0,
    cosine_across_raw=None, step=0.0, spread=0.0, pass_noise=0.0, fail_noise=0.0,
    pass_noise_adam=0.0, fail_noise_adam=0.0, felt=None, felt_low=None, felt_high=None,
    kept=None, batch_snr=0.0, families=(),
)  # fmt: skip
EMPTY = pd.DataFrame()


def found(
    free_tokens: int, *, prompts: pd.DataFrame = EMPTY, groups: pd.DataFrame = EMPTY
) -> Findings:
    effort = Effort(free_tokens=free_tokens, prompts=1, scored=1, grouped=1, batches=1)
    return Findings(
        effort=effort, measurement=NOTHING, prompts=prompts, groups=groups, cosines={}
    )


def noisy(free_tokens: int, noise: list[float], pass_rates: float | list[float]) -> Findings:
    frame = pd.DataFrame({"raw_noise": noise, "pass_rate": pass_rates})
    return found(free_tokens, prompts=frame)


def test_growth_is_a_slope_through_medians() -> None:
    some = [noisy(k, [0.7 * k + e for e in (0.9, 1.0, 1.1)], 0.5) for k in (0, 10, 30)]
    told = growth(some, np.random.default_rng(1))
    assert told["slope"]["value"] == pytest.approx(0.7)
    assert 0.69 < told["slope"]["low"] < 0.7 < told["slope"]["high"] < 0.71
    assert [s["value"] for s in told["steps"]] == pytest.approx([0.7, 0.7])
    assert [n["median"] for n in told["noise"]] == pytest.approx([1.0, 8.0, 22.0])
    assert "slope" not in growth(some[:1], np.random.default_rng(1))


def test_growth_leaves_extreme_pass_rates_out() -> None:
    one = noisy(0, [1.0, 2.0, 900.0], [0.5, 0.5, 0.99])
    assert growth([one], np.random.default_rng(1))["noise"][0]["median"] == 1.5


def test_ratios_are_medians_over_prompts() -> None:
    groups = pd.DataFrame(
        {
            "estimator": "rloo", "rollouts": 4, "snr": [1.0, 2.0, 0.0],
            "exact": [1.0, 1.0, 1.0], "noise_dominated": [3.0, 3.0, 3.0],
        }
    )  # fmt: skip
    (row,) = ratios([found(6, groups=groups)])
    assert (row["free_tokens"], row["estimator"], row["rollouts"]) == (6, "rloo", 4)
    assert row["measured / exact"]["median"] == 1.0
    assert row["noise-dominated / measured"]["median"] == 3.0
    assert row["noise-dominated / exact"]["median"] == 3.0


def test_lengths_are_settings_of_the_task() -> None:
    assert configuration("tiny-cpu", {}, 0).prompts == "strings"
    assert configuration("tiny-cpu", {}, 6).prompts == "strings:free_tokens=6"
    changed = {"prompts": "letters:pool=hard", "lr": "0.1"}
    made = configuration("tiny-cpu", changed, 24)
    assert (made.prompts, made.lr) == ("letters:pool=hard,free_tokens=24", 0.1)
    assert configuration("tiny-cpu", {"prompts": "signs"}, 1).prompts == "signs:free_tokens=1"
    assert configuration("tiny-cpu", {"prompts": "sums"}, 0).prompts == "sums"
    with pytest.raises(SettingError, match="sums have no free tokens"):
        configuration("tiny-cpu", {"prompts": "sums"}, 6)


def test_efforts_are_scaled_and_ascending() -> None:
    few = efforts([24, 0, 7, 24], 0.5)
    assert [e.free_tokens for e in few] == [0, 7, 24]
    assert few[0].prompts == 36
    assert few[0].scored == 32
    assert few[1].prompts == efforts([6], 0.5)[0].prompts
    least = efforts([0], 1e-9)[0]
    assert (least.prompts, least.scored, least.grouped, least.batches) == (16, 8, 72, 10)
    with pytest.raises(SettingError, match="no lengths"):
        efforts([], 1.0)
    with pytest.raises(ValueError, match="free_tokens=-1"):
        efforts([-1], 1.0)
    with pytest.raises(ValueError, match="fraction=0"):
        efforts([0], 0.0)


def test_json_has_no_infinities() -> None:
    told = {"a": [np.inf, np.float64(1.5), np.int64(2)], 3: {"b": (float("nan"), "x", None)}}
    assert plain(told) == {"a": [None, 1.5, 2], "3": {"b": [None, "x", None]}}


def test_the_command_leaves_its_results(
    terminal: Terminal, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smallscale.snr.DEALS", 2)
    out = tmp_path / "out"
    status, said, complained = terminal(*LEAST, "--out", str(out), "--cache", str(cache))
    assert status == 0, complained
    assert "0 free tokens, rloo, N = 24: measured / exact" in said
    pictures = {"snr.png", "formulas.png", "length.png", "cosines.png"}
    found = {path.name for path in out.iterdir()}
    assert found == {"measurements.json", "prompts.csv", "groups.csv", *pictures}
    for name in pictures:
        assert (out / name).read_bytes()[1:4] == b"PNG"
    (effort,) = efforts([0], 0.01)
    again = findings(configuration("test", {}, 0), effort, seed=0, cache=cache)
    for name in ("prompts", "groups"):
        text = getattr(again, name).to_csv(index=False, float_format="%.6g")
        assert (out / f"{name}.csv").read_text() == text
    text = (out / "measurements.json").read_text()
    assert str(tmp_path) not in text
    told = json.loads(text)
    assert told["environment"]["torch"]
    assert told["lengths"][0]["measurement"]["pass_noise"] == pytest.approx(0.0, abs=1e-5)
    groups = pd.read_csv(out / "groups.csv")
    prompts = pd.read_csv(out / "prompts.csv").set_index("prompt")
    assert set(groups["rollouts"]) == {2, 4, 8, 16, 24}
    assert set(groups["prompt"]) <= set(prompts.index)
    assert (groups["exact"].to_numpy() > 0).all()
    two = groups.loc[groups["rollouts"].eq(2), :]  # where GRPO is RLOO, scaled
    rloo, grpo = (two.loc[two["estimator"].eq(name), "exact"] for name in ("rloo", "grpo"))
    assert rloo.to_numpy() == pytest.approx(grpo.to_numpy())


def test_prompts_of_extreme_pass_rates_make_no_groups(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smallscale.snr.RATES", (0.5, 0.5))
    (effort,) = efforts([0], 0.01)
    with pytest.raises(
        UnmeasurableError, match="no prompt of strings:length=2 has a pass rate"
    ):
        findings(configuration("test", {}, 0), effort, seed=0, cache=cache)


def test_a_length_that_cannot_be_measured_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> Findings:
        raise UnmeasurableError("nothing passes")

    monkeypatch.setattr(snr_results, "findings", never)
    with pytest.raises(UnmeasurableError, match="nothing passes"):
        snr_results.write(
            [configuration("test", {}, 0)], efforts([0], 1.0), seed=0, out=tmp_path
        )
    kept = noisy(0, [1.0], 0.5)
    monkeypatch.setattr(
        snr_results, "findings", lambda _, effort, **__: never() if effort.free_tokens else kept
    )
    told: list[dict[int, str]] = []
    monkeypatch.setattr(snr_results, "_save", lambda _, failed, **__: told.append(dict(failed)))
    monkeypatch.setattr(snr_results, "_lines", lambda _: iter(["lines"]))
    configs = [configuration("test", {}, k) for k in (0, 9)]
    said = snr_results.write(configs, efforts([0, 9], 1.0), seed=0, out=tmp_path)
    assert told == [{}, {9: "nothing passes"}]
    assert said.startswith("lines\n9 free tokens: not measured, nothing passes\nresults in ")


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("--set", "prompts=sums"), "prompts=sums have no free tokens"),
        (("--fraction", "0"), "fraction=0.0"),
        (("--set", "steps"), "--set 'steps' must be key=value"),
    ],
)
def test_bad_settings_are_one_line(
    terminal: Terminal, tmp_path: Path, args: tuple[str, ...], line: str
) -> None:
    status, _, complained = terminal("snr", *args, "--out", str(tmp_path / "out"))
    assert status == 2
    assert line in complained
    assert complained.count("\n") == 1
    assert not (tmp_path / "out").exists()
