"""Figures 6 and 10 of CurES and 3 to 5 of GVM: speed-up to the baseline's peak, by currency.

The papers count training steps alone: CurES (arXiv 2510.01037) reaches the peak MATH500
accuracy of GRPO 5.5 and of REINFORCE++ 1.75 times faster at 1.5B, 4.3 and 3.7 at 7B; GVM-RAFT
(arXiv 2505.02391) is 2 (pilot of 8) and 4 (pilot of 32) times faster. Here the same runs are
counted in steps, in rollouts with the pilot's included, and in optimizer updates; see
`sim.figures.cures_runs` for the world and for what *stated* and *scripts* mean.
"""

from collections.abc import Sequence
from math import isfinite, sqrt

import pandas as pd
from matplotlib.figure import Figure

from report.aggregate import Estimate
from report.style import HUES, Look, looks
from sim.figures.across_draw import column, columns_of, dot, factors, legend, rows
from sim.figures.cures_runs import (
    CASES,
    CONTROL,
    CURES,
    CURRENCIES,
    GVM,
    GVM_SCRIPTS,
    MODEL_ERROR,
    RELEASED,
    SCRIPTS,
    Contender,
    Races,
    races,
    steps_of,
)
from sim.figures.entry import Drawn, Entry, Value, share
from theory.published import reported

SEEDS = 10
UNITS = {"step": "training steps", "rollouts": "rollouts", "updates": "optimizer updates"}
TICKS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
PUBLISHED = Look("#000000", "|", "-")
CONTENDERS = (CURES, RELEASED, SCRIPTS, CONTROL)
PILOTS = {8: 2.0, 32: 4.0}  # GVM's Figures 3 to 5: pilot rollouts, and times fewer steps
GVM_CASE = ("1.5B", "GRPO")

Found = dict[tuple[str, str, str], Estimate]  # speed-up by row, contender, currency


def looks_of(contenders: Sequence[Contender]) -> dict[str, Look]:
    """Each contender's look by its label: its system's colour, variants told apart."""
    known = looks(["uniform", "cures", "cures-released", "gvm", "gvm-released"])
    color = HUES["cures"][0]
    special = {
        CURES.label: known["cures"],
        RELEASED.label: known["cures-released"],
        SCRIPTS.label: Look(color, "D", (0, (1, 1))),
        CONTROL.label: Look(HUES["uniform"][0], "o", (0, (1, 1))),
        "uniform": known["uniform"],
    }
    other = Look(HUES["gvm"][0], "D", (0, (1, 1)))
    fallback = {
        one.label: other if "scripts" in one.label else known["gvm"] for one in contenders
    }
    return fallback | {k: v for k, v in special.items() if k in fallback}


def draw(found: Found, published: dict[str, float], contenders: Sequence[Contender]) -> Figure:
    """A panel per currency, a row per comparison; published values where they were counted."""
    names, known = list(dict.fromkeys(row for row, _, _ in found)), looks_of(contenders)
    spread = 0.8 / len(contenders)
    with column(0.9 + 3 * (0.3 + 0.09 * len(contenders) * len(names))) as figure:
        panels = figure.subplots(len(CURRENCIES), 1, sharex=True)
        for panel, currency in zip(panels, CURRENCIES, strict=True):
            for (row, label, unit), estimate in found.items():
                if unit == currency and isfinite(estimate.value):
                    order = [one.label for one in contenders].index(label)
                    place = names.index(row) + spread * (order - (len(contenders) - 1) / 2)
                    dot(panel, estimate, place, known[label], label)
            panel.axvline(1.0, color="#555555", linewidth=0.8)
            panel.set_title(f"in {UNITS[currency]}")
            rows(panel, names)
            factors(panel, TICKS)
        for row, value in published.items():
            at = names.index(row)
            panels[0].plot(
                [value] * 2, [at - 0.45, at + 0.45], color="#000000", lw=1.6, label="published"
            )
        left, right = panels[0].get_xlim()
        panels[0].set_xlim(min(left, 0.45), max(right, 8.8))
        panels[-1].set_xlabel("speed-up to the baseline's peak (right of 1: faster)")
        legend(figure, panels, 2)
    return figure


def _table(found: Found) -> pd.DataFrame:
    """A row per comparison, contender and currency."""
    return pd.DataFrame(
        [
            {"case": row, "contender": label, "currency": currency, **columns_of(estimate)}
            for (row, label, currency), estimate in found.items()
        ]
    )


def _keep(found: Found, row: str, labels: Sequence[str], ran: Sequence[Races]) -> None:
    for label, race in zip(labels, ran, strict=True):
        for currency in CURRENCIES:
            found[row, label, currency] = race.speedup(currency)


def tolerance(estimate: Estimate) -> float:
    """Of a ratio: the world's error, and half the width of the seeds' interval."""
    if not (0.0 < estimate.low < estimate.high < float("inf")):
        return MODEL_ERROR
    return MODEL_ERROR + sqrt(estimate.high / estimate.low) - 1.0


def cures(fraction: float) -> Drawn:
    """CurES's Figures 6 and 10, in three currencies."""
    seeds, found = share(fraction, SEEDS), Found()
    for model, estimator in CASES:
        ran = races(list(CONTENDERS), (model, estimator), seeds, steps_of(fraction))
        _keep(found, f"{model} {estimator}", [one.label for one in CONTENDERS], ran)
    printed = {f"{m} {e}": reported(f"cures.steps_{m.lower()}_{e.lower()}") for m, e in CASES}
    values = [_value(row, SCRIPTS, value, found) for row, value in printed.items()]
    values += [_value(row, CURES, value, found) for row, value in printed.items()]
    return Drawn(
        figure=draw(found, printed, CONTENDERS),
        numbers=_table(found),
        values=values,
        remarks=_moral(found),
    )


def _value(row: str, one: Contender, published: float, found: Found) -> Value:
    estimate = found[row, one.label, "step"]
    return Value(
        what=f"{row}: speed-up in training steps, {one.label}",
        published=published,
        here=estimate.value,
        tolerance=tolerance(estimate),
        against="ratio",
        note="one seed, MATH500; here a world fitted to other runs: 15 % for it, and half the "
        "interval over seeds" + ("" if estimate.bound == "exact" else f"; {estimate.bound}"),
    )


def _range(found: Found, label: str, currency: str) -> str:
    values = [
        e.value for (_, who, unit), e in found.items() if (who, unit) == (label, currency)
    ]
    return f"{min(values):.2g} to {max(values):.2g}"


def _moral(found: Found) -> str:
    paths = [
        f"{one.label}: {_range(found, one.label, 'step')} in steps, "
        f"{_range(found, one.label, 'rollouts')} in rollouts, "
        f"{_range(found, one.label, 'updates')} in updates"
        for one in CONTENDERS
    ]
    return (
        "Speed-up over GRPO or REINFORCE++ across the four settings. " + "; ".join(paths) + "."
    )


def gvm(fraction: float) -> Drawn:
    """GVM's Figures 3 to 5, in three currencies."""
    seeds, found = share(fraction, SEEDS), Found()
    for pilot in PILOTS:
        pair = [
            Contender(one.label, f"{one.strategy}:pilot={pilot}", one.updates)
            for one in (GVM, GVM_SCRIPTS)
        ]
        ran = races(pair, GVM_CASE, seeds, steps_of(fraction))
        _keep(found, f"pilot {pilot}", [one.label for one in pair], ran)
    printed = {f"pilot {pilot}": value for pilot, value in PILOTS.items()}
    return Drawn(
        figure=draw(found, printed, (GVM, GVM_SCRIPTS)),
        numbers=_table(found),
        values=[_value(row, GVM_SCRIPTS, value, found) for row, value in printed.items()],
        remarks="Speed-up over GRPO at 1.5B. "
        + "; ".join(
            f"{row}, {one.label}: "
            + ", ".join(
                f"{found[row, one.label, c].value:.2g} in {UNITS[c]}" for c in CURRENCIES
            )
            for row in printed
            for one in (GVM, GVM_SCRIPTS)
        )
        + ".",
    )


FIGURES: dict[str, Entry] = {
    "cures-6": Entry(
        paper="CurES",
        title="Speed-up to the baseline's peak in steps, rollouts and optimizer updates",
        source="Figures 6 and 10, arXiv 2510.01037",
        how="simulation",
        seconds=12.0,
        make=cures,
    ),
    "cures-gvm-3": Entry(
        paper="CurES",
        title="GVM's speed-up to GRPO's peak in steps, rollouts and optimizer updates",
        source="Figures 3 to 5, arXiv 2505.02391 (GVM-RAFT)",
        how="simulation",
        seconds=4.0,
        make=gvm,
    ),
}
