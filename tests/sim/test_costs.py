"""Prices against closed forms, simulation, and the timings that the presets were fitted to."""

import csv
import heapq
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from sim.costs import PRESETS, Costs
from sim.populations import DATA, load_pass_counts
from tests.statistical import assert_mean, samples_to_detect
from theory.screening import estimated_acceptance

COSTS = Costs()
EQUAL = Costs(passing_tokens=500.0, failing_tokens=500.0, max_tokens=2000)
SAMPLES = samples_to_detect(gap=0.02)


def lengths(costs: Costs, mean: float, shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Drawn lengths: lognormal, cut, and rescaled until their mean after the cut is right."""
    sigma = math.sqrt(math.log1p(costs.spread**2))
    raw = np.exp(sigma * np.random.default_rng(seed).standard_normal(shape))
    low, high = mean / 10, mean * 100
    for _ in range(60):
        scale = math.sqrt(low * high)
        short = np.minimum(scale * raw, costs.max_tokens).mean() < mean
        low, high = (scale, high) if short else (low, scale)
    return np.minimum(low * raw, costs.max_tokens)


def test_the_longest_of_one_rollout_is_the_mean_length() -> None:
    assert COSTS.decoding_steps(1, 1) == pytest.approx(600.0, rel=1e-4)
    assert COSTS.decoding_steps(1, 0) == pytest.approx(900.0, rel=1e-4)


@pytest.mark.parametrize(("rollouts", "passes"), [(2, 1), (8, 8), (8, 2), (64, 0)])
def test_the_longest_of_several_rollouts_by_simulation(rollouts: int, passes: int) -> None:
    both = np.concatenate(
        [
            lengths(COSTS, mean, (SAMPLES, number), seed=int(mean))
            for mean, number in ((900.0, rollouts - passes), (600.0, passes))
            if number
        ],
        axis=1,
    )
    assert_mean(both.max(axis=1) / 3072, COSTS.decoding_steps(rollouts, passes) / 3072)


def test_the_assertion_notices_a_shorter_tail() -> None:
    """The control of the test above."""
    drawn = lengths(COSTS, 900.0, (SAMPLES, 8)).max(axis=1) / 3072
    with pytest.raises(AssertionError):
        assert_mean(drawn, replace(COSTS, spread=0.6).decoding_steps(8, 0) / 3072)


def test_a_round_is_a_call_a_tail_and_its_tokens() -> None:
    costs = replace(COSTS, call_seconds=7.0, step_seconds=0.5, token_seconds=0.25)
    expected = 7.0 + 0.5 * costs.decoding_steps(10, 4) + 0.25 * (4 * 600 + 6 * 900)
    assert costs.generation_seconds(10, 4) == pytest.approx(expected)
    assert costs.generation_seconds(0, 0) == 0.0


def test_a_training_step_is_its_tokens_its_updates_and_the_rest() -> None:
    costs = replace(COSTS, trained_token_seconds=0.5, update_seconds=3.0, other_seconds=11.0)
    assert costs.training_seconds(10, 4, 6) == 0.5 * (4 * 600 + 6 * 900) + 3.0 * 6 + 11.0
    assert costs.training_seconds(0, 0, 0) == 11.0


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_one_large_round_is_cheaper_than_two_small_ones(one: int, other: int) -> None:
    together = COSTS.generation_seconds(one + other, 0)
    apart = COSTS.generation_seconds(one, 0) + COSTS.generation_seconds(other, 0)
    assert together <= apart + 1e-9
    assert together > COSTS.generation_seconds(one, 0)


@given(st.integers(1, 3000), st.floats(0.0, 1.0))
def test_short_rollouts_make_short_rounds(rollouts: int, share: float) -> None:
    passes = int(share * (rollouts - 1))
    fewer, more = (COSTS.generation_seconds(rollouts, k) for k in (passes, passes + 1))
    assert more < fewer


@given(st.integers(1, 400), st.integers(1, 400))
def test_a_queue_makes_rounds_longer_but_never_idle(rollouts: int, concurrency: int) -> None:
    """At least the work over the places, at most one rollout after the other."""
    costs = replace(EQUAL, concurrency=concurrency, step_seconds=1.0, token_seconds=0.0)
    wide = replace(costs, concurrency=400)
    steps = costs.generation_seconds(rollouts, 0)
    assert wide.generation_seconds(rollouts, 0) <= steps + 1e-6 or rollouts > concurrency
    assert rollouts * 500 / concurrency <= steps * (1 + 1e-4)
    assert steps <= rollouts * 500 * (1 + 1e-4)


def test_one_place_serves_one_rollout_after_the_other() -> None:
    costs = replace(EQUAL, concurrency=1, step_seconds=1.0, token_seconds=0.0)
    assert costs.generation_seconds(7, 3) == pytest.approx(7 * 500, rel=1e-4)


def test_the_queue_by_simulation() -> None:
    """Rollouts take the first free of 16 places; the formula is within a tenth of the end."""
    costs = replace(EQUAL, concurrency=16, step_seconds=1.0, token_seconds=0.0)
    for rollouts in (24, 64, 256):
        ends: list[float] = []
        for row in lengths(costs, 500.0, (400, rollouts)):
            places = [0.0] * 16
            for length in row.tolist():
                heapq.heapreplace(places, places[0] + length)
            ends.append(max(places))
        assert costs.generation_seconds(rollouts, 0) == pytest.approx(np.mean(ends), rel=0.1)


@pytest.mark.parametrize(("rollouts", "passes"), [(4, 5), (4, -1), (-1, 0)])
def test_impossible_passes_are_refused(rollouts: int, passes: int) -> None:
    complaint = f"passes={passes} must lie between 0 and rollouts={rollouts}"
    with pytest.raises(ValueError, match=complaint):
        COSTS.generation_seconds(rollouts, passes)
    with pytest.raises(ValueError, match=complaint):
        COSTS.training_seconds(rollouts, passes, 1)


@pytest.mark.parametrize(
    ("knobs", "complaint"),
    [
        ({"passing_tokens": -1.0}, "passing_tokens=-1.0 must lie between 0 and"),
        ({"failing_tokens": 3072.0}, "failing_tokens=3072.0 must lie between 0 and"),
        ({"failing_tokens": float("nan")}, "failing_tokens=nan must lie between"),
        ({"spread": 0.0}, "spread=0.0 must be positive"),
        ({"max_tokens": 0}, "max_tokens=0 must be a whole number"),
        ({"concurrency": 0}, "concurrency=0 must be a whole number"),
        ({"call_seconds": -1.0}, "call_seconds=-1.0 must lie in"),
        ({"step_seconds": -0.1}, "step_seconds=-0.1 must lie in"),
        ({"token_seconds": float("nan")}, "token_seconds=nan must lie in"),
        ({"trained_token_seconds": -1.0}, "trained_token_seconds=-1.0 must lie in"),
        ({"update_seconds": float("inf")}, "update_seconds=inf must lie in"),
        ({"other_seconds": -2.0}, "other_seconds=-2.0 must lie in"),
    ],
)
def test_a_bad_knob_is_refused(knobs: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Costs(**knobs)  # pyright: ignore[reportArgumentType]


def test_a_negative_number_of_updates_is_refused() -> None:
    with pytest.raises(ValueError, match="updates=-1 must not be negative"):
        COSTS.training_seconds(4, 2, -1)


def test_presets_have_names() -> None:
    assert Costs.preset("speed-7b") == Costs()
    assert {name: Costs.preset(name) for name in PRESETS} == PRESETS
    with pytest.raises(ValueError, match="preset 'h100' is none of speed-7b, "):
        Costs.preset("h100")


# What the presets were fitted to. A setting is a training step: rounds per step, rollouts in a
# round, updates; 384 rollouts are trained on. Four of ten pass, as the module assumes.

Setting = tuple[float, int, int]
RLOO: Setting = (1.0, 16 * 24, 1)
DAPO: Setting = (1.0, 64 * 24, 1)  # a full round of 64 prompts holds more than 16 mixed groups


def passes(rollouts: int) -> int:
    return round(0.4 * rollouts)


def published(system: str, model: str, quantity: str) -> list[tuple[str, str, float]]:
    """Data set, run and value of every published timing of that kind."""
    with (DATA / "published_timings.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["model"] == model]
    return [
        (row["data"], row["run"], float(row["value"]))
        for row in rows
        if (row["system"], row["quantity"]) == (system, quantity)
    ]


def speed(size: str, screening: int) -> Setting:
    """SPEED in its steady state: 64 prompts screened a round, the accepted ones continued."""
    counts = load_pass_counts(DATA / f"dapo1k_{size}.json")
    accepted = 64 * float(estimated_acceptance(counts.passes, 32, screening).mean())
    round_rollouts = round(64 * screening + accepted * (24 - screening))
    return 16 / accepted, round_rollouts, 24 // screening


def setting(size: str, data: str, run: str) -> Setting | None:
    """The setting of a published run; None for SPEED on data of unknown pass rates."""
    if not run.startswith("SPEED"):
        return DAPO if run == "DAPO" else RLOO
    if size == "1.5b" and data != "DAPO-17k":
        return None
    screening = int(run.split()[1].split("+", maxsplit=1)[0]) if "+" in run else 4
    return speed(size, screening)


def step_seconds(costs: Costs, each: Setting) -> float:
    rounds, rollouts, updates = each
    generation = rounds * costs.generation_seconds(rollouts, passes(rollouts))
    return generation + costs.training_seconds(384, passes(384), updates)


def timed(size: str) -> list[tuple[Setting, float]]:
    """Settings and published seconds per training step of one model size."""
    rows = published("SPEED", f"Qwen2.5-Math-{size.upper()}", "step_seconds")
    found = [(setting(size, data, run), seconds) for data, run, seconds in rows]
    return [(each, seconds) for each, seconds in found if each]


@pytest.mark.parametrize(("size", "rows", "error"), [("7b", 10, 0.09), ("1.5b", 6, 0.03)])
def test_speed_presets_predict_the_published_training_steps(
    size: str, rows: int, error: float
) -> None:
    timings = timed(size)
    assert len(timings) == rows
    costs = Costs.preset(f"speed-{size}")
    for each, seconds in timings:
        assert step_seconds(costs, each) == pytest.approx(seconds, rel=error)


def split_7b() -> list[float]:
    kinds = ("inference_seconds", "training_seconds")
    return [published("SPEED", "Qwen2.5-Math-7B", kind)[0][2] for kind in kinds]


def test_speed_7b_predicts_the_published_split() -> None:
    inference, training = split_7b()
    assert (inference, training) == (71.5, 31.9)
    assert COSTS.generation_seconds(384, 154) == pytest.approx(inference, rel=0.01)
    assert COSTS.training_seconds(384, 154, 1) == pytest.approx(training, rel=0.01)


def prices(costs: Costs) -> np.ndarray:
    return np.array(
        [
            costs.step_seconds,
            costs.token_seconds,
            costs.trained_token_seconds,
            costs.update_seconds,
        ]
    )


def amounts(each: Setting) -> list[float]:
    """What each of the four prices is multiplied by in one training step."""
    rounds, rollouts, updates = each
    steps = rounds * COSTS.decoding_steps(rollouts, passes(rollouts))
    generated = rounds * COSTS.tokens(rollouts, passes(rollouts))
    return [steps, generated, COSTS.tokens(384, 154), float(updates)]


@pytest.mark.parametrize("size", ["7b", "1.5b"])
def test_speed_presets_are_the_least_squares_fit(size: str) -> None:
    """Of relative errors, with no price below zero; presets are rounded to three digits."""
    rows = [(amounts(each), seconds) for each, seconds in timed(size)]
    if size == "7b":
        inference, training = split_7b()
        rloo = amounts(RLOO)
        rows += [([*rloo[:2], 0.0, 0.0], inference), ([0.0, 0.0, *rloo[2:]], training)]
    design = np.array([amount for amount, _ in rows])
    relative = design / np.array([seconds for _, seconds in rows])[:, None]
    scale = relative.max(axis=0)
    fitted = nnls(relative / scale, np.ones(len(rows)))[0] / scale
    np.testing.assert_allclose(
        prices(Costs.preset(f"speed-{size}")), fitted, rtol=0.01, atol=1e-9
    )


def test_a_price_per_rollout_alone_is_told_apart() -> None:
    """The control: time proportional to rollouts misses DAPO's training step by a factor."""
    naive = replace(COSTS, step_seconds=0.0, token_seconds=71.5 / COSTS.tokens(384, 154))
    assert step_seconds(naive, DAPO) > 2.0 * 129.9


GRESO = [  # model, preset, rollouts per full round, trained rollouts, updates, error
    ("Qwen2.5-Math-1.5B", "greso-1.5b", 384 * 8, 256 * 8, 4, 0.20),
    ("Qwen2.5-Math-7B", "greso-7b", 384 * 8, 256 * 8, 4, 0.08),
    ("R1-Distill-Qwen-1.5B", "greso-r1-1.5b", 192 * 8, 128 * 8, 2, 0.01),
]


def of_run(model: str, quantity: str) -> dict[str, float]:
    rows = published("GRESO", model, quantity)
    return {run: value for data, run, value in rows if data == "DAPO+MATH"}


@pytest.mark.parametrize(("model", "preset", "size", "trained", "updates", "error"), GRESO)
def test_greso_presets_predict_the_published_hours(
    model: str, preset: str, size: int, trained: int, updates: int, error: float
) -> None:
    """Rollout hours of both runs within the error; 1,000 training steps within 11 %."""
    costs = Costs.preset(preset)
    a_round = costs.generation_seconds(size, passes(size))
    a_step = costs.training_seconds(trained, passes(trained), updates)
    logs: list[float] = []
    for run, millions in of_run(model, "rollouts_millions").items():
        hours = millions * 1e6 / size * a_round / 3600
        assert hours == pytest.approx(of_run(model, "rollout_hours")[run], rel=error)
        logs.append(math.log(hours / of_run(model, "rollout_hours")[run]))
        rest = of_run(model, "training_hours")[run] + of_run(model, "other_hours")[run]
        assert a_step * 1000 / 3600 == pytest.approx(rest, rel=0.11)
    assert abs(sum(logs)) < 0.005
    assert costs.other_seconds == pytest.approx(
        3.6 * math.prod(of_run(model, "other_hours").values()) ** 0.5, rel=0.01
    )


def test_published_hours_add_up() -> None:
    for model, *_ in GRESO:
        parts = [of_run(model, f"{part}_hours") for part in ("training", "other", "rollout")]
        for run, total in of_run(model, "total_hours").items():
            assert sum(part[run] for part in parts) == pytest.approx(total, abs=0.11)


@pytest.mark.parametrize("preset", ["greso-7b", "greso-1.5b", "greso-r1-1.5b"])
def test_greso_presets_share_the_decoding_step_of_speed(preset: str) -> None:
    size = "7b" if preset.endswith("7b") else "1.5b"
    shared = Costs.preset(f"speed-{size}")
    costs = Costs.preset(preset)
    assert (costs.step_seconds, costs.update_seconds) == (
        shared.step_seconds,
        shared.update_seconds,
    )
