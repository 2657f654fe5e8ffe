"""The command `passband snr`; what needs torch is imported when it runs."""

import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from report import outputs
from selection.checks import counts
from smallscale.cli import changes


@dataclass(frozen=True, kw_only=True)
class Snr:
    """Measure the gradient geometry of a language model, and the SNR of its groups.

    Example: `passband snr --seed 0 --out docs/results/snr`. Writes `measurements.json`,
    `prompts.csv`, `groups.csv` and pictures.

    Attributes:
        seed: Of every batch and rollout.
        out: Folder for the results.
        lengths: Free tokens before the answer; a model is warm-started for each.
        fraction: Share of the prompts, rollouts and batches.
        preset: Where model, learning rate and batch are from.
        set: Changes of the preset, key=value.
        cache: Folder of warm-started models.
    """

    seed: int = 0
    out: Path = Path("out/snr")
    lengths: tuple[int, ...] = (0, 6, 24, 96)
    fraction: float = 1.0
    preset: str = "tiny-cpu"
    set: tuple[str, ...] = ()
    cache: Path | None = None

    def run(self) -> None:
        """Measure, write the results and print the ratios."""
        counts(0, seed=self.seed)
        snr = import_module("smallscale.snr")
        asked = snr.efforts(self.lengths, self.fraction)
        given = changes(self.set, {})
        configs = [snr.configuration(self.preset, given, e.free_tokens) for e in asked]
        outputs.prepare(self.out)
        results = import_module("smallscale.snr_results")
        told = results.write(configs, asked, seed=self.seed, out=self.out, cache=self.cache)
        sys.stdout.write(f"{told}\n")
