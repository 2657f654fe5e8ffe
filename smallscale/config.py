"""The configuration of a run, and the presets it starts from.

A preset is a whole configuration; `--set key=value` changes it. Sizes of `qwen2.5-math-1.5b`
are SPEED's published ones (arXiv 2506.09016 and Zanette-Labs/speed-rl @ 80e47b5): 16 groups of
24 rollouts, 3,072 tokens, lr 1e-6. The releases differ in the optimizer updates they make of a
training step (SPEED 6, its baseline 1): here `updates` is the same whatever the strategy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Literal

from selection.checks import counts, positive, within
from selection.settings import SettingError, change, nearest
from selection.strategies import Sizes

EngineName = Literal["transformers", "vllm"]
Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["float32", "bfloat16"]
Optimizer = Literal["adamw", "sgd"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that the numbers of a run depend on.

    Attributes:
        preset: The preset it started from.
        label: Name in comparisons; empty for the strategy's.
        strategy: A strategy setting (`passband strategies` lists them).
        estimator: An advantage estimator and its loss.
        seed: Of the luck of the run: prompts, rollouts, choices.
        model: A shape made from scratch and warm-started, a folder, or a hub id.
        prompts: A built-in task, a JSONL or Parquet file, or a data set by name.
        held_out: Prompts of the evaluation; empty for a task's own held-out ones.
        template: How a problem is put to the model; built-in tasks have none.
        num_prompts: Prompts of a built-in task, M.
        num_held_out: Held-out prompts, at most.
        max_prompt_tokens: Longer prompts are left out and counted.
        max_tokens: Limit of a rollout; 0 for the built-in task's own.
        steps: Training steps.
        groups: Groups per training batch, B.
        rollouts: Rollouts per group, N.
        max_orders: Orders that may be spent on one training batch.
        updates: Optimizer updates per training step; 0 where `mini_batch` says.
        mini_batch: Rollouts per optimizer update; 0 where `updates` says.
        optimizer: AdamW or SGD.
        lr: Learning rate.
        weight_decay: Of AdamW.
        max_grad_norm: Gradients are scaled down to this norm; 0 for never.
        warmup_updates: Optimizer updates over which the learning rate rises linearly.
        micro_tokens: Tokens, padding included, of one forward and backward pass.
        precision: Of the forward and backward pass.
        checkpointing: Whether activations are recomputed rather than kept.
        engine: What generates.
        rows: Rollouts generated side by side at most, by the transformers engine.
        compiled: Whether its decoding is compiled, on a GPU.
        gpu_share: Share of GPU memory that vLLM may take.
        device: Where it runs; auto takes the GPU if there is one.
        evaluate_every: Training steps between evaluations.
        evaluation_rollouts: Rollouts per held-out prompt, unless pass rates are exact.
        checkpoint_every: Training steps between checkpoints.
        show_every: Training steps between rollouts written out for a person to read.
        target: Held-out pass rate that comparisons measure the way to.
    """

    preset: str
    label: str = ""
    strategy: str = "uniform"
    estimator: str = "rloo"
    seed: int = 0
    model: str = "tiny"
    prompts: str = "strings"
    held_out: str = ""
    template: str = "qwen2.5-math"
    num_prompts: int = 2000
    num_held_out: int = 256
    max_prompt_tokens: int = 1024
    max_tokens: int = 0
    steps: int = 100
    groups: int = 16
    rollouts: int = 16
    max_orders: int = 100
    updates: int = 1
    mini_batch: int = 0
    optimizer: Optimizer = "adamw"
    lr: float = 1e-4
    weight_decay: float = 0.0
    max_grad_norm: float = 0.0
    warmup_updates: int = 0
    micro_tokens: int = 4096
    precision: Precision = "float32"
    checkpointing: bool = False
    engine: EngineName = "transformers"
    rows: int = 1024
    compiled: bool = False
    gpu_share: float = 0.4
    device: Device = "auto"
    evaluate_every: int = 5
    evaluation_rollouts: int = 8
    checkpoint_every: int = 25
    show_every: int = 10
    target: float = 0.7

    def __post_init__(self) -> None:
        counts(
            steps=self.steps,
            groups=self.groups,
            rollouts=self.rollouts,
            max_orders=self.max_orders,
            num_prompts=self.num_prompts,
            num_held_out=self.num_held_out,
            max_prompt_tokens=self.max_prompt_tokens,
            micro_tokens=self.micro_tokens,
            rows=self.rows,
            evaluate_every=self.evaluate_every,
            evaluation_rollouts=self.evaluation_rollouts,
            checkpoint_every=self.checkpoint_every,
            show_every=self.show_every,
        )
        counts(
            0,
            seed=self.seed,
            max_tokens=self.max_tokens,
            updates=self.updates,
            mini_batch=self.mini_batch,
            warmup_updates=self.warmup_updates,
        )
        if not self.label.isprintable():
            raise SettingError(f"label={self.label!r} must be printable text")
        positive(lr=self.lr)
        within(0.0, 1.0, target=self.target, gpu_share=self.gpu_share)
        within(0.0, 1e9, weight_decay=self.weight_decay, max_grad_norm=self.max_grad_norm)
        if bool(self.updates) == bool(self.mini_batch):
            raise SettingError(
                f"updates={self.updates} and mini_batch={self.mini_batch}: set one of them,"
                " and the other to 0"
            )

    @property
    def name(self) -> str:
        """What the run is called among others."""
        return self.label or self.strategy

    @property
    def world(self) -> str:
        """What runs have in common that are compared with one another."""
        return f"{self.model}, {self.prompts}, {self.estimator}"

    def sizes(self, num_prompts: int) -> Sizes:
        """What a strategy is made at."""
        return Sizes(
            groups=self.groups, rollouts=self.rollouts, prompts=num_prompts, steps=self.steps
        )

    def dump(self) -> dict[str, str | int | float | bool]:
        """The configuration as plain values."""
        return asdict(self)


PRESETS: Mapping[str, Config] = MappingProxyType(
    {
        "test": Config(
            preset="test",
            model="test",
            prompts="strings:length=2",
            num_prompts=200,
            num_held_out=40,
            steps=10,
            groups=4,
            rollouts=8,
            lr=3e-4,
            evaluate_every=5,
            checkpoint_every=5,
            device="cpu",
        ),
        "tiny-cpu": Config(preset="tiny-cpu", lr=5e-5, device="cpu"),
        "small-gpu": Config(
            preset="small-gpu",
            model="small",
            prompts="sums",
            steps=60,
            lr=2e-5,
            max_grad_norm=1.0,
            micro_tokens=65536,
            precision="bfloat16",
            compiled=True,
            device="cuda",
            evaluation_rollouts=4,
        ),
        "qwen2.5-math-1.5b": Config(
            preset="qwen2.5-math-1.5b",
            model="Qwen/Qwen2.5-Math-1.5B",
            prompts="dapo17k",
            held_out="math500",
            num_held_out=500,
            max_tokens=3072,
            steps=200,
            groups=16,
            rollouts=24,
            lr=1e-6,
            weight_decay=0.1,
            max_grad_norm=1.0,
            micro_tokens=16384,
            precision="bfloat16",
            checkpointing=True,
            engine="vllm",
            device="cuda",
            evaluate_every=10,
            evaluation_rollouts=1,
            checkpoint_every=20,
        ),
    }
)


def configure(preset: str, changes: Mapping[str, str | int]) -> Config:
    """A preset with changes, given as text.

    Raises:
        SettingError: The preset or a key is unknown, or a value is wrong.
    """
    if preset not in PRESETS:
        raise nearest(preset, list(PRESETS), "preset")
    if "preset" in changes:
        raise SettingError("preset cannot be changed by --set: name another with --preset")
    return change(PRESETS[preset], {key: str(value) for key, value in changes.items()})


def changes(texts: Sequence[str], given: Mapping[str, str | int]) -> dict[str, str | int]:
    """Changes of a preset: those of `--set`, and those that options of their own give.

    Raises:
        SettingError: One is not of the form key=value, or a key is given twice.
    """
    found = dict(given)
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise SettingError(f"--set {text!r} must be key=value")
        if key in found:
            raise SettingError(f"{key} is given twice: once is by --set {text}")
        found[key] = value
    return found
