"""Measuring again during training: what is told, and that training does not notice."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from smallscale.measurement import Measurement
from smallscale.remeasured import picture, remeasured, table
from smallscale.train import Trainer
from tests.smallscale.conftest import config
from tests.terminal import Terminal

LITTLE = {"seed": 0, "prompts": 16, "rollouts": 8, "batches": 10}


@pytest.fixture(scope="module")
def found(cache: Path) -> list[tuple[int, Measurement]]:
    run = config(steps=4, evaluate_every=1)
    return list(remeasured(run, [4, 2, 2], cache, **LITTLE))


def test_a_run_is_measured_before_it_and_at_its_steps_in_order(
    found: list[tuple[int, Measurement]],
) -> None:
    assert [step for step, _ in found] == [0, 2, 4]
    rates = [[family.pass_rate for family in one.families] for _, one in found]
    assert rates[0] != rates[1] != rates[2]


def test_training_does_not_notice_that_it_is_measured(
    cache: Path, found: list[tuple[int, Measurement]]
) -> None:
    run = config(steps=4, evaluate_every=1)
    seldom = dict(remeasured(run, [4], cache, **LITTLE))
    assert seldom == {step: one for step, one in found if step != 2}


def test_a_step_that_the_run_never_reaches_is_refused(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starved(_: Trainer, until: int) -> str:
        return f"ended before {until}"

    monkeypatch.setattr(Trainer, "run", starved)
    with pytest.raises(ValueError, match="step=2 is never reached: the run ended before 2"):
        list(remeasured(config(steps=2), [2], cache, **LITTLE))


def test_every_family_has_a_row_at_every_step(found: list[tuple[int, Measurement]]) -> None:
    rows = table(found)
    assert len(rows) == 3 * 8
    step, one = found[1]
    family = one.families[3]
    row = rows.loc[(rows["step"] == step) & (rows["family"] == family.name), :].iloc[0]
    assert row["pass_rate"] == family.pass_rate
    assert row["batch_snr"] == one.batch_snr
    told = (family.contrast, family.fail_noise, family.common, family.transfer)
    names = ["contrast", "fail_noise", "common", "transfer"]
    assert row[names].tolist() == pytest.approx(
        [np.nan if value is None else value for value in told], nan_ok=True
    )


def made(**changes: Any) -> pd.DataFrame:  # noqa: ANN401
    """Two families at two steps, the second without a product at the end."""
    known = {"step": [0, 0, 9, 9], "family": ["a", "b"] * 2, "pass_rate": [0.5, 0.8, 0.75, 0.9]}
    products = {"transfer": [4.0, 1.0, 1.0, None]}
    noise = {"batch_snr": 0.5, "felt": 0.1, "felt_low": 0.05, "felt_high": 0.2}
    return pd.DataFrame(known | products | noise | changes)


def test_the_picture_shows_the_root_of_products_over_failures() -> None:
    left = picture(made()).axes[0]
    first, start, second, _ = left.get_lines()
    assert np.asarray(first.get_xdata()) == pytest.approx([2.0, 4.0])
    assert np.asarray(first.get_ydata()) == pytest.approx([2.0, 1.0])
    assert np.asarray(start.get_xdata()) == pytest.approx([2.0])
    assert np.asarray(second.get_xdata()) == pytest.approx([5.0])


def test_what_noise_hides_is_left_out_of_the_picture() -> None:
    left = picture(made(transfer=[4.0, 1.0, -1.0, 0.5])).axes[0]
    assert np.asarray(left.get_lines()[0].get_ydata()) == pytest.approx([2.0, 0.0])
    right = picture(made(felt=[0.1, 0.1, np.nan, np.nan])).axes[1]
    assert right.get_yscale() == "log"


def test_the_command_writes_table_and_picture(
    cache: Path, tmp_path: Path, terminal: Terminal
) -> None:
    out = tmp_path / "deep"
    asked = ["--preset", "test", "--model", "test", "--prompts", "strings:length=2"]
    less = ["--steps", "1", "--fraction", "0.01", "--cache", str(cache), "--out", str(out)]
    status, said, _ = terminal("remeasure", *asked, *less)
    assert status == 0
    assert "measured 2 times" in said
    assert len(pd.read_csv(out / "remeasured.csv")) == 16
    assert (out / "remeasured.png").stat().st_size > 10_000
    status, _, complaint = terminal("remeasure", *asked, "--steps", "0", "--out", str(out))
    assert status == 2
    assert "steps=0" in complaint
