"""What `passband snr` leaves in its folder."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from report import atomic
from smallscale import snr_plots
from smallscale.config import Config
from smallscale.run_directory import environment
from smallscale.snr import (
    Effort,
    Findings,
    findings,
    growth,
    median,
    plain,
    ratios,
    within_rates,
)
from smallscale.survey import UnmeasurableError


def write(
    configs: Sequence[Config],
    asked: Sequence[Effort],
    *,
    seed: int,
    out: Path,
    cache: Path | None = None,
) -> str:
    """Measure every length and write `measurements.json`, the tables and the pictures.

    Returns:
        What was found, in a few lines.

    Raises:
        ValueError: A setting is wrong, or no length can be measured.
        OSError: A file cannot be written.
    """
    torch.set_num_threads(1)
    some: list[Findings] = []
    failed: dict[int, str] = {}
    for config, effort in zip(configs, asked, strict=True):
        sys.stderr.write(f"{config.model}, {config.prompts}\n")
        try:
            some.append(findings(config, effort, seed=seed, cache=cache))
        except UnmeasurableError as error:  # a result too: the other lengths are told
            failed[effort.free_tokens] = str(error)
        if some:
            _save(some, failed, seed=seed, out=out)
    if not some:
        raise UnmeasurableError(failed[asked[-1].free_tokens])
    lost = (f"{tokens} free tokens: not measured, {why}" for tokens, why in failed.items())
    return "\n".join((*_lines(some), *lost, f"results in {out}"))


def _save(some: Sequence[Findings], failed: Mapping[int, str], *, seed: int, out: Path) -> None:
    """Put everything found so far into the folder."""
    table = ratios(some)
    told = {
        "environment": environment(),
        "seed": seed,
        "ratios": table,
        "growth": growth(some, np.random.default_rng(seed)),
        "lengths": [_length(found) for found in some],
        "not measured": dict(failed),
    }
    text = json.dumps(plain(told), indent=1, ensure_ascii=False, allow_nan=False)
    atomic.write(out / "measurements.json", text + "\n")
    for name in ("prompts", "groups"):
        rows = pd.concat([getattr(found, name) for found in some], ignore_index=True)
        atomic.write(out / f"{name}.csv", rows.to_csv(index=False, float_format="%.6g"))
    snr_plots.draw(out)


def _length(found: Findings) -> dict[str, Any]:
    """All of one length: effort, constants, medians over prompts, cosines."""
    inside = within_rates(found)
    square = inside["raw_contrast"]
    return {
        "effort": asdict(found.effort),
        "measurement": asdict(found.measurement),
        "medians": {
            "|D|^2": median(square.to_numpy()),
            "V1/|D|^2": median((inside["raw_pass_noise"] / square).to_numpy()),
            "V0/|D|^2": median((inside["raw_fail_noise"] / square).to_numpy()),
            "V/|D|^2": median(inside["raw_noise"].to_numpy()),
            "V/|D|^2 in Adam's metric": median(inside["adam_noise"].to_numpy()),
            "V": median(inside[["raw_pass_noise", "raw_fail_noise"]].mean(axis=1).to_numpy()),
        },
        "cosines": found.cosines,
    }


def _lines(some: Sequence[Findings]) -> Iterator[str]:
    for found in some:
        m, middle = found.measurement, _length(found)["medians"]["V/|D|^2"]["median"]
        felt = "not seen" if m.felt is None else f"{m.felt:.2f}"
        yield (
            f"{found.effort.free_tokens} free tokens: {m.prompts} prompts, V/|D|² {middle:.3g},"
            f" cosine within families {m.cosine_within:.2f}, Adam feels {felt} of the noise"
        )
    for row in ratios(some):
        exact, limit = row["measured / exact"], row["noise-dominated / measured"]
        name = f"{row['free_tokens']:>3} free tokens, {row['estimator']}, N = {row['rollouts']}"
        told = f"measured / exact {exact['median']:.3f}"
        yield f"{name}: {told}, noise-dominated / measured {limit['median']:.3f}"
