"""The constants of a measured world from the file of a measurement.

The file is the JSON that `smallscale.measurement` writes; the two rooms meet in it and nowhere
else. A family of which no prompt both passed and failed often enough has no scores, and one
with few may have an unbiased |D|^2 below 0; it gets those of the measured family whose start
log-odds are nearest. One with too few prompts for a cosine, or with one below 0, gets that of
all families. Other estimates beyond what a constant can be are cut there.

The ceiling of pass rates is not measured by itself; it is estimated from how products of D of a
family fall with its pass rate (`sim.ceiling.slips`).
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from selection.settings import SettingError
from sim.ceiling import slips
from sim.measured import Constants

FELT = 1 / 6  # chi where noise hid the gradient; measured on the runs of `sim.coupled`
PROMPTS = 5  # that a family's cosine is measured from, at least
ADAM, PLAIN = ("transfer", "step"), ("common", "contrast")  # a family's product and |D|^2
Family = Mapping[str, Any]
Floats = Float[np.ndarray, "F"]


def load(path: Path, **batch: int) -> Constants:
    """The constants in a measurement, which was made with this batch if one is named.

    Args:
        path: The file.
        batch: `groups` and `rollouts`; Adam's metric is not that of any other batch.

    Raises:
        SettingError: The file is no measurement, no family in it was measured, or the batch was
            another.
        FileNotFoundError: There is no such file.
    """
    try:
        told = json.loads(path.read_bytes())
        _check_batch(told, batch)
        return constants(told)
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise SettingError(f"{path} is no measurement ({reason}): measure anew") from error


def constants(told: Mapping[str, Any]) -> Constants:
    """The constants that a parsed measurement holds.

    Raises:
        KeyError: Something is missing.
        SettingError: No family was measured.
        ValueError: A number is impossible.
    """
    families: Sequence[Family] = told["families"]
    seen = [family for family in families if _measured(family)]
    if not seen:
        raise SettingError("no family was measured: measure anew, with more rollouts")
    filled = [_nearest(family, seen) for family in families]
    within, between = _cosines(told["cosine_within"], told["cosine_across"])
    plain_within, plain_between = _cosines(told["cosine_within_raw"], told["cosine_across_raw"])
    return Constants(
        families=tuple(family["name"] for family in families),
        shares=tuple(family["share"] for family in families),
        log_odds=tuple(family["log_odds"] for family in families),
        deviations=tuple(family["log_odds_spread"] for family in families),
        steps=tuple(family["step"] for family in filled),
        energies=tuple(family["contrast"] for family in filled),
        pass_noises=tuple(max(0.0, family["pass_noise"]) for family in filled),
        fail_noises=tuple(max(0.0, family["fail_noise"]) for family in filled),
        cosines=tuple(_cosine(one, ADAM, within, told["spread"]) for one in families),
        plain_cosines=tuple(
            _cosine(one, PLAIN, plain_within, told["spread"]) for one in families
        ),
        between=between,
        plain_between=plain_between,
        spread=told["spread"],
        felt=FELT if told["felt"] is None else min(1.0, told["felt"]),
        overlap=tuple(tuple(row) for row in told.get("overlap") or ()),
        ceiling=1.0 - slips(*_rates_and_products(families)),
    )


def digest(path: Path) -> str:
    """What tells a measurement from any other."""
    return sha256(path.read_bytes()).hexdigest()


def _check_batch(told: Mapping[str, Any], batch: Mapping[str, int]) -> None:
    for name, value in batch.items():
        if told.get(name, value) != value:
            raise SettingError(
                f"{name}={value} is not the batch that was measured, {told[name]}:"
                f" measure anew with --set {name}={value}"
            )


def _measured(family: Family) -> bool:
    """Whether a family has scores, and |D|^2 beyond their noise in both metrics."""
    return family["contrast"] is not None and min(family["contrast"], family["step"]) > 0.0


def _nearest(family: Family, seen: Sequence[Family]) -> Family:
    """The family itself if its scores were measured, else the one that starts nearest to it."""
    if _measured(family):
        return family
    return min(seen, key=lambda other: abs(other["log_odds"] - family["log_odds"]))


def _cosine(family: Family, names: tuple[str, str], pooled: float, spread: float) -> float:
    """Cosine of D between prompts of a family; that of all families where it is not known.

    The mean product over (E|D|)^2, which for |D|^2 of this spread is E|D|^2 exp(-spread^2 / 4).
    """
    product, square = names
    if not _shares(family, product):
        return pooled
    return min(1.0, family[product] / family[square] * exp(spread**2 / 4.0))


def _shares(family: Family, product: str) -> bool:
    """Whether the product of D of two prompts of a family is known, and positive."""
    return _measured(family) and family["prompts"] >= PROMPTS and family[product] > 0.0


def _rates_and_products(families: Sequence[Family]) -> tuple[Floats, Floats]:
    """Pass rates and products of D, in Adam's metric, where these are known."""
    seen = [family for family in families if _shares(family, "transfer")]
    rates, products = ([family[key] for family in seen] for key in ("pass_rate", "transfer"))
    return np.array(rates, float), np.array(products, float)


def _cosines(within: float, across: float | None) -> tuple[float, float]:
    """The cosine within families, and how much of it lies across; None for one family."""
    most = min(1.0, max(0.0, within))
    share = (across or 0.0) / most if most else 0.0
    return most, min(1.0, max(0.0, share))
