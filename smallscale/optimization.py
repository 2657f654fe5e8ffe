"""How the learner descends: estimator, optimizer, mini-batches and micro-batches.

The learning rate rises linearly over the first updates and is constant from then on. It
follows from the number of updates made, which the state of the optimizer knows, so that a run
continued from a checkpoint continues it exactly.

Axis legend: S rollouts of a mini-batch, B of a micro-batch.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Int
from torch import nn

from selection.checks import counts, positive, within
from smallscale.estimators import ESTIMATORS, Estimator

Algorithm = Literal["adamw", "sgd"]
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, kw_only=True)
class Learner:
    """Estimator, optimizer and mini-batches. Defaults are those of SPEED's scripts.

    Attributes:
        estimator: Advantage and loss.
        updates: Optimizer updates per training step, of equally many rollouts up to one.
        mini_batch: Rollouts per optimizer update instead; the last may have fewer.
        algorithm: "adamw", or "sgd" without momentum.
        lr: Learning rate.
        betas: Adam's decay rates.
        eps: Adam's addition to the divisor.
        weight_decay: Decay of the weights per update, in units of the learning rate.
        max_grad_norm: Gradients are scaled down to this norm; None for never.
        warmup_updates: Optimizer updates over which the learning rate rises linearly; it is
            constant from then on.
        micro_tokens: Tokens, padding included, of one forward and backward pass; a rollout
            that has more goes alone.
        checkpointing: Whether activations are recomputed rather than kept.
        precision: Of the forward and backward pass.
    """

    estimator: Estimator = ESTIMATORS["rloo"]
    updates: int | None = None
    mini_batch: int | None = None
    algorithm: Algorithm = "adamw"
    lr: float = 1e-6
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.1
    max_grad_norm: float | None = 1.0
    warmup_updates: int = 10
    micro_tokens: int = 16384
    checkpointing: bool = False
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        if (self.updates is None) == (self.mini_batch is None):
            raise ValueError(
                f"updates={self.updates} and mini_batch={self.mini_batch}: set one of them"
            )
        counts(**{"updates" if self.mini_batch is None else "mini_batch": self._size})
        counts(micro_tokens=self.micro_tokens)
        counts(0, warmup_updates=self.warmup_updates)
        positive(lr=self.lr, eps=self.eps)
        within(0.0, math.nextafter(1.0, 0.0), beta1=self.betas[0], beta2=self.betas[1])
        within(0.0, 1e6, weight_decay=self.weight_decay)
        if self.max_grad_norm is not None:
            positive(max_grad_norm=self.max_grad_norm)
        for name, kind in {"algorithm": Algorithm, "precision": Precision}.items():
            if getattr(self, name) not in get_args(kind):
                known = ", ".join(get_args(kind))
                raise ValueError(f"{name}={getattr(self, name)!r} is none of {known}")

    @property
    def _size(self) -> int | None:
        return self.updates if self.mini_batch is None else self.mini_batch

    def optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """The optimizer of a model's parameters.

        Raises:
            ValueError: If a parameter is of less than single precision.
        """
        parameters = [p for p in model.parameters() if p.requires_grad]
        for dtype in {p.dtype for p in parameters} - {torch.float32, torch.float64}:
            raise ValueError(
                f"weights are {dtype}, which updates of lr={self.lr:g} would not move:"
                " load the model in float32 and set precision"
            )
        if self.algorithm == "sgd":
            return torch.optim.SGD(parameters, self.lr, weight_decay=self.weight_decay)
        return torch.optim.AdamW(
            parameters,
            self.lr,
            betas=self.betas,
            eps=self.eps,
            weight_decay=self.weight_decay,
            fused=True,  # without the temporaries, as large as the weights, of the default
        )

    def mini_batches(
        self, rollouts: int, rng: np.random.Generator
    ) -> list[Int[np.ndarray, "S"]]:
        """Rows of each optimizer update: the rollouts shuffled and cut."""
        rows = rng.permutation(rollouts)
        if self.updates is not None:
            return np.array_split(rows, min(self.updates, rollouts))
        size = self.mini_batch or rollouts
        return [rows[start : start + size] for start in range(0, rollouts, size)]

    def rate(self, made: int) -> float:
        """Learning rate of an update, given the updates made before it in the whole run."""
        return self.lr * min(1.0, (made + 1) / max(1, self.warmup_updates))


def updates_made(optimizer: torch.optim.Optimizer) -> int:
    """Optimizer updates since the run began, as its state, and thus a checkpoint, knows."""
    first = optimizer.param_groups[0]["params"][0]
    return int(optimizer.state[first].get("step", 0)) if first in optimizer.state else 0


def micro_batches(
    tokens: Int[np.ndarray, "S"], micro_tokens: int
) -> Iterator[Int[np.ndarray, "B"]]:
    """Rows of each micro-batch, longest first: rows times the longest is at most the limit."""
    order, start = np.argsort(-tokens, kind="stable"), 0
    while start < order.size:
        rows = max(1, micro_tokens // int(tokens[order[start]]))
        yield order[start : start + rows]
        start += rows


def descend(optimizer: torch.optim.Optimizer, learner: Learner) -> None:
    """Make one optimizer update, at the learning rate of its number in the run.

    Raises:
        ValueError: If memory does not suffice for the optimizer's state.
    """
    made = updates_made(optimizer)
    for group in optimizer.param_groups:
        group["lr"] = learner.rate(made)
    try:
        optimizer.step()
    except torch.OutOfMemoryError as error:
        raise ValueError(
            "out of memory for the optimizer's state, 8 bytes per parameter under adamw:"
            " leave more memory to training"
        ) from error
    if learner.algorithm == "sgd":  # AdamW counts its updates in its state, and SGD has none
        first = optimizer.param_groups[0]["params"][0]
        optimizer.state[first]["step"] = torch.tensor(made + 1.0)
