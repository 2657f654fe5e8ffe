r"""Whose gradients Adam divides a family's gradient by.

Adam's second moment is a sum over families, $\hat v = \sum_g v_g$, parameter by parameter. With
$D_f$ a family's mean gradient of log-odds and $P = \hat v^{-1/2}$, the family's move is
$\sum_k D_{fk}^2 P_k$, and if family g's gradients grow by the factor $r_g$ in square it falls,
to first order, by half of $\sum_g O_{fg} (r_g - 1)$, with

$$O_{fg} = \frac{\sum_k D_{fk}^2 P_k\, v_{gk} / \hat v_k}{\sum_k D_{fk}^2 P_k},
\qquad \sum_g O_{fg} = 1.$$

All rows alike would mean one normaliser for all parameters; the identity, one per family.
$v_g$ is measured on batches of the family's prompts alone, as many as a uniform batch has, so
that products of the means of different families are left out. $D_f^2$ is the product of D of
different prompts, which is unbiased; where too few were scored, or noise makes the sum
negative, $v_f$ stands for it, and all parameters count alike for a family that no batch moved.

Axis legend: F families, P parameters, J prompts.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from selection.checks import counts
from smallscale import adam_metric
from smallscale.assembly import Parts
from smallscale.prompts import Prompts
from smallscale.survey import BATCHES, Survey


def overlap(found: Survey, *, seed: int, batches: int = BATCHES) -> Float[np.ndarray, "F F"]:
    """The matrix O, families in the order of their names; rows sum to 1.

    Args:
        found: Scores of prompts before training.
        seed: Of the batches.
        batches: Batches per family.

    Raises:
        ValueError: `batches` is not a positive whole number.
    """
    counts(batches=batches)
    rng = np.random.default_rng(seed)
    names = sorted(set(found.parts.prompts.families))
    shares = torch.stack([second_moment(found.parts, name, batches, rng) for name in names])
    whole = shares.sum(0)
    metric = torch.where(whole > 0.0, whole.rsqrt(), 0.0)
    weights = [
        _weight(found, name, own, metric) for name, own in zip(names, shares, strict=True)
    ]
    rows = [_row(weight, shares, whole) for weight in weights]
    return torch.stack(rows).cpu().numpy()


def second_moment(
    parts: Parts, family: str, batches: int, rng: np.random.Generator
) -> Float[torch.Tensor, "P"]:
    """Mean square of what one family's prompts add to the gradient of a uniform batch."""
    mine = only(parts.prompts, family)
    share = len(mine) / len(parts.prompts)
    groups = max(1, round(share * parts.config.groups))
    fewer = replace(parts, prompts=mine, config=replace(parts.config, groups=groups))
    drawn = (adam_metric.batch(fewer, 1, rng)[0].double() for _ in range(batches))
    return share**2 * torch.stack([one.square() for one in drawn]).mean(0)


def only(prompts: Prompts, family: str) -> Prompts:
    """The prompts of one family."""
    kept = [i for i, name in enumerate(prompts.families) if name == family]
    return Prompts(
        keys=tuple(prompts.keys[i] for i in kept),
        texts=tuple(prompts.texts[i] for i in kept),
        tokens=tuple(prompts.tokens[i] for i in kept),
        answers=tuple(prompts.answers[i] for i in kept),
        families=tuple(prompts.families[i] for i in kept),
    )


def _weight(
    found: Survey,
    family: str,
    own: Float[torch.Tensor, "P"],
    metric: Float[torch.Tensor, "P"],
) -> Float[torch.Tensor, "P"]:
    """Square of the family's D at each parameter, in Adam's metric, or what stands for it."""
    known = [one.contrast.double() for one in found.scored if one.family == family]
    if len(known) > 1:
        rows = torch.stack(known)
        squares = (rows.sum(0).square() - rows.square().sum(0)) * metric
        if float(squares.sum()) > 0.0:
            return squares
    return own * metric if float(own.sum()) > 0.0 else metric


def _row(
    weight: Float[torch.Tensor, "P"],
    shares: Float[torch.Tensor, "F P"],
    whole: Float[torch.Tensor, "P"],
) -> Float[torch.Tensor, "F"]:
    """Share of each family in the second moment, weighted; noise may leave one below 0."""
    part = torch.where(whole > 0.0, shares / whole, 0.0)
    row = (part * weight).sum(1).clamp(min=0.0)
    return row / row.sum()
