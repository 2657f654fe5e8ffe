"""How fast a model of given shape generates and trains, beside what the device could at most.

Both bounds are measured in the same run, so that a figure is a ratio to this very device:

- a decoding step reads every weight, and the keys and values of every rollout, once:
  tokens/s <= rows / (bytes read / bandwidth), with the bandwidth of a large copy;
- training takes 6 multiplications and additions per parameter and token (forward 2, backward
  4; attention on top): tokens/s <= matrix rate / 6 P, with the rate of a large product.

Weights are random: what is measured does not depend on them.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from smallscale import models
from smallscale.generation import TransformersEngine
from smallscale.learner import Batch, Learner, learn
from smallscale.memory import per_token
from smallscale.models import Shape, parameters
from smallscale.rollouts import Rollouts


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What is measured.

    Attributes:
        shape: Of the model.
        prompt_tokens: Tokens of every prompt.
        new_tokens: Tokens of every rollout.
        widths: Rollouts generated side by side.
        train_rollouts: Rollouts of the training step.
        micro_tokens: Of its micro-batches.
        matrix: Rows and columns of the product that measures the matrix rate.
        copied: Bytes of the copy that measures the bandwidth.
    """

    shape: Shape
    prompt_tokens: int = 128
    new_tokens: int = 128
    widths: tuple[int, ...] = (16, 64, 256)
    train_rollouts: int = 64
    micro_tokens: int = 16384
    matrix: int = 8192
    copied: int = 2**31


@dataclass(frozen=True, kw_only=True)
class Generation:
    """Generation at one width: rollout tokens per second, and the most there could be."""

    width: int
    compiled: bool
    seconds: float
    tokens_per_second: float
    bound: float


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training step: tokens per second, prompts included, and the most there could be."""

    seconds: float
    tokens_per_second: float
    bound: float
    peak_gb: float


def measure(
    sizes: Sizes,
    device: str,
    *,
    compiled: Sequence[bool] = (False,),
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Every measurement, as plain values for JSON."""
    bandwidth, rate = copy_rate(sizes.copied, device), matrix_rate(sizes.matrix, device)
    say(f"bandwidth {bandwidth / 1e9:,.1f} GB/s, matrix rate {rate / 1e12:,.2f} TFLOP/s")
    model: Any = models.fresh(sizes.shape, seed=0, device=device)
    trained = training(sizes, model, rate)
    say(f"training {trained.tokens_per_second:,.0f} tokens/s, at most {trained.bound:,.0f}")
    model = model.to(dtype=torch.bfloat16 if device == "cuda" else torch.float32)
    made = [
        generation(sizes, model, width, bandwidth, compiled=how)
        for how in compiled
        for width in sizes.widths
    ]
    for one in made:
        how = "compiled" if one.compiled else "plain"
        rates = f"{one.tokens_per_second:,.0f} tokens/s, at most {one.bound:,.0f}"
        say(f"generation of {one.width} rollouts, {how}: {rates}")
    return {
        "parameters": parameters(sizes.shape),
        "bandwidth_bytes_per_second": bandwidth,
        "matrix_flops_per_second": rate,
        "generation": [asdict(one) for one in made],
        "training": asdict(trained),
    }


def copy_rate(size: int, device: str) -> float:
    """Bytes read and written per second by a copy."""
    source = torch.empty(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2.0 * size / best(lambda: target.copy_(source), device)


def matrix_rate(rows: int, device: str) -> float:
    """Multiplications and additions per second of a square product, as training has them."""
    kind = torch.bfloat16 if device == "cuda" else torch.float32
    one = torch.ones(rows, rows, dtype=kind, device=device)
    return 2.0 * rows**3 / best(lambda: one @ one, device)


def generation(
    sizes: Sizes,
    model: Any,  # noqa: ANN401
    width: int,
    bandwidth: float,
    *,
    compiled: bool,
) -> Generation:
    """Seconds and rates of one call, after one that compiles and warms up."""
    device = next(model.parameters()).device.type
    engine = TransformersEngine(
        model, stop=(), pad=0, max_tokens=sizes.new_tokens, rows=width, compiled=compiled
    )
    prompt = np.ones(sizes.prompt_tokens, np.int64)
    one = best(lambda: engine.generate([prompt], np.array([width]), 0), device, times=2)
    number = next(model.parameters()).element_size()
    weights = parameters(sizes.shape) * number
    context = sizes.prompt_tokens + sizes.new_tokens / 2
    cache = width * context * per_token(sizes.shape, number)
    return Generation(
        width=width,
        compiled=compiled,
        seconds=one,
        tokens_per_second=width * sizes.new_tokens / one,
        bound=width * bandwidth / (weights + cache),
    )


def training(sizes: Sizes, model: Any, rate: float) -> Training:  # noqa: ANN401
    """Seconds and rates of one optimizer update on rollouts of random tokens."""
    device = next(model.parameters()).device.type
    learner = Learner(
        updates=1,
        micro_tokens=sizes.micro_tokens,
        checkpointing=sizes.shape.layers > 20,
        precision="bfloat16" if device == "cuda" else "float32",
    )
    optimizer, batch = learner.optimizer(model), random_batch(sizes)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()

    def step() -> None:
        learn(learner, model, optimizer, batch, step=0, rng=np.random.default_rng(0))

    seconds = best(step, device, times=2)
    tokens = int(batch.tokens.sum())
    return Training(
        seconds=seconds,
        tokens_per_second=tokens / seconds,
        bound=rate / (6.0 * parameters(sizes.shape)),
        peak_gb=torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else 0.0,
    )


def random_batch(sizes: Sizes) -> Batch:
    """Rollouts of random tokens, every second of which passed."""
    rng, rows = np.random.default_rng(0), sizes.train_rollouts
    tokens = rng.integers(sizes.shape.vocabulary, size=(rows, sizes.new_tokens))
    return Batch(
        prompts=(np.ones(sizes.prompt_tokens, np.int64),) * rows,
        rollouts=Rollouts(
            tokens,
            np.full(tokens.shape, -np.log(sizes.shape.vocabulary)),
            np.full(rows, sizes.new_tokens),
            np.ones(rows, bool),
        ),
        rewards=(np.arange(rows) % 2).astype(float),
        groups=np.arange(rows) // 8,
        versions=np.zeros(rows, int),
    )


def best(work: Callable[[], object], device: str, *, times: int = 5) -> float:
    """Seconds of the quickest of several turns, after one that does not count."""
    spent: list[float] = []
    for _ in range(times + 1):
        start = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        spent.append(time.perf_counter() - start)
    return min(spent[1:])
