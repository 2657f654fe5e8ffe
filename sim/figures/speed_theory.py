"""SPEED's theorem on the SNR and where it holds; the objective that screening follows."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from report.style import FURTHER_LINES, looks
from sim.figures.entry import Drawn, Entry, Value
from sim.figures.layout import PAGE, grid, legend_below
from theory import moments, screening, snr

SIZES = (2, 3, 4, 8, 16, 24)
SPLITS = ((4, 20), (6, 18), (8, 16))
RATES = np.linspace(0.0, 1.0, 401)[1:-1]
LOW_RATES = np.geomspace(0.002, 0.5, 200)  # the objective is symmetric about 1/2
THEOREM = "SPEED, arXiv 2506.09016 (withdrawn), Theorem 3.1 (project page)"
EDGE = 0.25  # the theorem's range: p below it, or above its mirror image
LARGE = np.array([3, 4, 8, 24, 64, 1000, 100_000], float)[:, None]


def shade(place: int, among: int) -> str:
    """Colours of an ordered quantity, dark to light, for any colour vision."""
    return to_hex(colormaps["viridis"](0.85 * place / max(among - 1, 1)))


def signal_to_noise(_: float) -> Drawn:
    """SNR of RLOO and GRPO without noise, beside the bound 4Np(1-p), and their ratio to it."""
    drawing, ((absolute, *relative),) = grid(PAGE, 3.0, columns=3, sharex="all")
    frames: list[pd.DataFrame] = []
    for place, N in enumerate(SIZES):
        bound, color = snr.speed_bound(RATES, N), shade(place, len(SIZES))
        line = "-" if place % 2 == 0 else FURTHER_LINES[0]
        for panel, (name, ratio) in zip(relative, _ratios(N), strict=True):
            panel.plot(RATES, ratio / bound, color=color, linestyle=line, label=f"N = {N}")
            frames.append(_frame(N, name, ratio, bound))
        if N in (4, 24):
            absolute.plot(RATES, snr.snr_max(RATES, N), color=color, linestyle=line)
            absolute.plot(RATES, bound, color=color, linewidth=0.9, linestyle=(0, (5, 2)))
    absolute.set(title="RLOO (bound: dashed)", ylabel="SNR", yscale="log", ylim=(0.03, 600))
    absolute.set(xlabel="pass rate p", xlim=(0.0, 1.0))
    for panel, name in zip(relative, ("RLOO", "GRPO"), strict=True):
        _dress(panel, name)
    legend_below(drawing, relative[:1], columns=len(SIZES))
    edges = ", ".join(f"{float(snr.speed_bound_edge(N)):.3f} (N={N})" for N in SIZES[2:])
    return Drawn(
        figure=drawing,
        numbers=pd.concat(frames, ignore_index=True),
        values=list(_theorem()),
        remarks="Without noise within the classes, the largest SNR that any scores allow. The"
        f" bound holds for RLOO up to p = {edges}, and for N = 2 and 3 everywhere; GRPO exceeds"
        " it inside p < 1/4 (shaded).",
    )


def _ratios(N: int) -> tuple[tuple[str, Float[np.ndarray, "P"]], ...]:
    """SNR without noise, by estimator."""
    grpo = moments.moments("grpo", RATES, N).snr()
    return (("RLOO", snr.snr_max(RATES, N)), ("GRPO", grpo))


def _frame(
    N: int, name: str, ratio: Float[np.ndarray, "P"], bound: Float[np.ndarray, "P"]
) -> pd.DataFrame:
    return pd.DataFrame(
        {"estimator": name, "N": N, "pass_rate": RATES, "snr": ratio, "bound": bound}
    )


def _dress(panel: Axes, name: str) -> None:
    panel.set(title=f"{name}, over the bound", xlabel="pass rate p", ylabel="SNR / 4Np(1−p)")
    panel.set(yscale="log", ylim=(0.1, 100.0))
    panel.axhline(1.0, color="#333333", linewidth=1.0)
    for low, high in ((0.0, EDGE), (1.0 - EDGE, 1.0)):
        panel.axvspan(low, high, color="#e6e6e6", alpha=0.6, linewidth=0, zorder=0)


def _theorem() -> Iterator[Value]:
    """Theorem 3.1, and what others made of it."""
    inner = np.linspace(0.0, EDGE, 501)[1:]
    claims = (
        (
            "largest SNR / 4Np(1−p), RLOO, N ≥ 3, p ≤ 1/4",
            1.0,
            _largest(snr.snr_max(inner, LARGE), snr.speed_bound(inner, LARGE)),
            f"{THEOREM}: at most 1; tight, as the limit of large N at p = 1/4",
        ),
        (
            "pass rate up to which the bound serves every N ≥ 3",
            EDGE,
            float(snr.speed_bound_edge(LARGE).min()),
            f"{THEOREM}: p < 1/4, the widest range there is",
        ),
        (
            "SNR at p = 1e-6, N = 24",
            0.0,
            float(snr.snr_max(1e-6, 24)),
            f"{THEOREM}: vanishes as p approaches 0",
        ),
        (
            "largest SNR / 4Np(1−p), RLOO, N = 24, every p",
            1.0,
            _largest(snr.snr_max(RATES, 24), snr.speed_bound(RATES, 24)),
            "a review restates the theorem without its range; then it fails, most at p = 1/2",
        ),
        (
            "largest SNR / 4Np(1−p), GRPO, N = 24, p ≤ 1/4",
            1.0,
            _largest(moments.moments("grpo", inner, 24).snr(), snr.speed_bound(inner, 24)),
            "quoted elsewhere as holding for GRPO too; it does not",
        ),
    )
    for what, published, here, note in claims:
        yield Value(what=what, published=published, here=here, tolerance=1e-3, note=note)


def _largest(ratio: Float[np.ndarray, "*P"], bound: Float[np.ndarray, "*P"]) -> float:
    return float((ratio / bound).max())


def objective(_: float) -> Drawn:
    """F'(p), the slope of the objective that screening follows, and of one accepted group."""
    drawing, ((drawn, trained),) = grid(PAGE, 2.8, columns=2)
    for place, (n, m) in enumerate(SPLITS):
        color, line = shade(place, 4), ("-", *FURTHER_LINES)[place]
        slope = screening.objective_slope(RATES, n, m)
        drawn.plot(RATES, slope, color=color, linestyle=line, label=f"SPEED {n}+{m}")
        trained.plot(LOW_RATES, per_group(LOW_RATES, n, m), color=color, linestyle=line)
    named = looks(("uniform", "speed"))
    alone, plain = named["speed"].color, named["uniform"].color
    chance = screening.acceptance(RATES, 4)
    drawn.plot(RATES, chance, color=alone, linewidth=1.0, label="4+20, continuation only")
    for panel in (drawn, trained):
        panel.axhline(1.0, color=plain, linewidth=1.0, label="RLOO; whole-group filter")
        panel.set_xlabel("pass rate p")
    drawn.set(title="Per prompt drawn", ylabel="slope F′(p)", xlim=(0.0, 1.0), ylim=(0, 1.08))
    trained.set(title="Per group trained on", ylabel="F′(p) / P(accepted)", xscale="log")
    trained.set(xlim=(LOW_RATES[0], 0.5), ylim=(0.0, 24.0))
    legend_below(drawing, [drawn], columns=3)
    start = float(screening.objective_slope(0.0, 4, 20))
    return Drawn(
        figure=drawing,
        numbers=pd.concat([_slopes(n, m) for n, m in SPLITS], ignore_index=True),
        values=[_unbiased(start)],
        remarks=f"Screening with 4 of 24 gives prompts near p = 0 or 1 a slope of {start:.3f}"
        f" per prompt drawn, but {float(per_group(np.array([0.01]), 4, 20)[0]):.1f} at p = .01"
        " per group trained on (symmetric in p and 1 − p). Trained on the continuation alone,"
        " every group counts once.",
    )


def per_group(
    rates: Float[np.ndarray, "P"], screen: int, extend: int
) -> Float[np.ndarray, "P"]:
    """F'(p) over the chance to be accepted: the slope per group trained on."""
    slope = screening.objective_slope(rates, screen, extend)
    return slope / screening.acceptance(rates, screen)


def _slopes(screen: int, extend: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "screening": screen,
            "continuation": extend,
            "pass_rate": RATES,
            "per_prompt": screening.objective_slope(RATES, screen, extend),
            "per_trained_group": per_group(RATES, screen, extend),
            "continuation_only_per_prompt": screening.acceptance(RATES, screen),
        }
    )


def _unbiased(start: float) -> Value:
    return Value(
        what="least slope F′ of the objective, SPEED 4+20 with RLOO",
        published=1.0,
        here=start,
        tolerance=1e-9,
        note="SPEED, abstract: integrates with any RL algorithm, read as leaving its objective"
        " alone. But screening rollouts are trained on because of how they came out: at p = 0"
        " the slope is N_init/N",
    )


FIGURES: dict[str, Entry] = {
    "speed-snr": Entry(
        paper="SPEED",
        title="Signal-to-noise ratio against pass rate, and the range of its bound",
        source=THEOREM,
        how="exact formula",
        seconds=1.5,
        make=signal_to_noise,
    ),
    "speed-objective": Entry(
        paper="SPEED",
        title="The objective that screening follows: its slope against pass rate",
        source="SPEED, arXiv 2506.09016 (withdrawn), Algorithm 1; no figure in print",
        how="exact formula",
        make=objective,
    ),
}
