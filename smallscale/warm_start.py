"""The base model of a built-in task: trained supervised on its demonstrations, and kept.

Cross-entropy on the tokens of the demonstrations, the end included and the prompt not; AdamW
with a linear rise and a linear fall of the learning rate. Free tokens, which no training can
foretell, count together as much as all others together: token by token, two dozen of them a
demonstration bury the answer, and 1,200 updates teach nothing but letters. Every demonstration
is drawn afresh, of training and of held-out prompts alike, so that the model shows each with
the probability that the task states and remembers no single label.

A checkpoint is kept under the hash of everything that shaped it, the source of these modules
included. On a CPU with one thread the same configuration gives the same bits; a checkpoint
made on a GPU, where matrix products run in bfloat16, serves a CPU as well, though its bits are
its own.

Axis legend: R demonstrations, L tokens of the longest of them with its prompt.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from tqdm import tqdm

from report import atomic
from selection.checks import counts, positive
from selection.settings import nearest
from smallscale import models
from smallscale.models import SHAPES, Shape
from smallscale.problems import Task
from smallscale.strings import Strings
from smallscale.vocabulary import character_tokenizer

SEAL = "warm_start.json"
SOURCES = ("models", "problems", "strings", "sums", "vocabulary", "warm_start")
RISE = 0.05  # share of the optimizer updates in which the learning rate rises
BETAS = (0.9, 0.98)


@dataclass(frozen=True, kw_only=True)
class WarmStart:
    """A warm start's configuration.

    Attributes:
        shape: The model; its vocabulary and its end are the task's.
        task: Whose demonstrations it is shown.
        updates: Optimizer updates.
        demonstrations: Shown per update.
        learning_rate: The highest.
        seed: Of the weights and of the demonstrations.
    """

    shape: Shape = SHAPES["tiny"]
    task: Task = field(default_factory=Strings)
    updates: int = 1200
    demonstrations: int = 128
    learning_rate: float = 2e-3
    seed: int = 0

    def __post_init__(self) -> None:
        counts(updates=self.updates, demonstrations=self.demonstrations)
        counts(0, seed=self.seed)
        positive(learning_rate=self.learning_rate)

    @property
    def name(self) -> str:
        """A name for its folder, with a hash of all that shapes the model."""
        here = Path(__file__).parent
        sources = [(here / f"{module}.py").read_bytes() for module in SOURCES]
        lesson: Any = self.task.lesson()
        told = {**vars(self), "shape": asdict(self.shape), "task": asdict(lesson)}
        text = json.dumps([type(lesson).__name__, told], sort_keys=True).encode()
        digest = hashlib.sha256(b"\0".join([text, *sources])).hexdigest()
        return f"{type(lesson).__name__.lower()}-{digest[:16]}"


SIZES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "test": {"updates": 400, "demonstrations": 64, "learning_rate": 1e-2},
        "tiny": {"updates": 1200, "demonstrations": 128, "learning_rate": 2e-3},
        "small": {"updates": 2000, "demonstrations": 256, "learning_rate": 1e-3},
    }
)


def sized(size: str, task: Task, *, seed: int = 0) -> WarmStart:
    """The warm start that suits a model of this size.

    Raises:
        SettingError: There is no such size.
    """
    if size not in SIZES:
        raise nearest(size, list(SIZES), "size of a built-in model")
    return WarmStart(shape=SHAPES[size], task=task, seed=seed, **SIZES[size])


def warm_start(
    config: WarmStart,
    cache: Path,
    *,
    device: str | torch.device = "cpu",
    progress: bool = True,
) -> Path:
    """The folder of the trained model and its tokenizer, made unless it is there and whole.

    Args:
        config: What to make.
        cache: Folder of all warm starts; made if missing.
        device: Where to train.
        progress: Whether to show it.

    Raises:
        UnwritableError: The cache cannot be written.
        FloatingPointError: The training diverged.
    """
    folder = cache / config.name
    if not whole(folder):
        model, tokenizer = trained(config, device=device, progress=progress)
        atomic.folder(cache)
        models.save(model, tokenizer, folder)
        atomic.write(folder / SEAL, json.dumps(_sums(folder), indent=1, sort_keys=True))
    return folder


def whole(folder: Path) -> bool:
    """Whether a folder holds a warm start with every byte that was saved."""
    try:
        sealed = json.loads((folder / SEAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return sealed == _sums(folder)


def trained(
    config: WarmStart, *, device: str | torch.device = "cpu", progress: bool = True
) -> tuple[Any, Any]:
    """Model and tokenizer of a warm start, not kept anywhere.

    Raises:
        FloatingPointError: The loss is no number any more.
    """
    task = config.task.lesson()
    tokenizer = character_tokenizer(task.characters, positions=config.shape.positions)
    end = tokenizer.eos_token_id
    shape = replace(config.shape, vocabulary=len(tokenizer), end=end, pad=end)
    model = models.fresh(shape, seed=config.seed, device=device).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, betas=BETAS, weight_decay=0.0
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: pace(n, config.updates))
    rng = np.random.default_rng(config.seed)
    lesson = Lesson(task, tokenizer)
    loss = torch.tensor(torch.inf)
    for _ in tqdm(range(config.updates), desc="warm start", disable=None if progress else True):
        loss = demonstration_loss(model, *lesson.draw(config.demonstrations, rng))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    if not bool(loss.isfinite()):
        raise FloatingPointError(f"the warm start diverged at {config.learning_rate=}")
    return model.eval(), tokenizer


class Lesson:
    """Demonstrations of a task as tokens."""

    def __init__(self, task: Task, tokenizer: Any) -> None:  # noqa: ANN401
        self.task = task
        self.end = int(tokenizer.eos_token_id)
        # Thousands of short texts an update: a look-up is 20 times as fast as the tokenizer.
        self.ids = {c: int(tokenizer.convert_tokens_to_ids(c)) for c in task.characters}

    def draw(
        self, num: int, rng: np.random.Generator
    ) -> tuple[Int[np.ndarray, "R L"], Bool[np.ndarray, "2 R L"]]:
        """Sequences padded on the right with the end, and which tokens are to be learned.

        Those of the answer and its working first, free ones second.
        """
        families = list(self.task.shares)
        drawn = [
            self.task.draw(families[i], rng) for i in rng.integers(len(families), size=num)
        ]
        texts = [(p.text, self.task.demonstration(p, rng)) for p in drawn]
        longest = max(len(prompt) + len(text) for prompt, text in texts) + 1
        ids = np.full((num, longest), self.end)
        shown = np.zeros((num, longest), bool)
        for row, (prompt, text) in enumerate(texts):
            total = len(prompt) + len(text)
            ids[row, :total] = [self.ids[c] for c in prompt + text]
            shown[row, len(prompt) : total + 1] = True
        free = np.isin(ids, [self.ids[c] for c in self.task.free])
        return ids, np.stack([shown & ~free, shown & free])


def demonstration_loss(
    model: Any,  # noqa: ANN401
    ids: Int[np.ndarray, "R L"],
    learned: Bool[np.ndarray, "2 R L"],
) -> Float[torch.Tensor, ""]:
    """Mean cross-entropy of the answers' tokens, and that of the free ones if there are any."""
    device = next(model.parameters()).device
    inputs = torch.from_numpy(ids).to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        logits = model(input_ids=inputs[:, :-1], use_cache=False).logits
    logits, loss = logits.float().flatten(0, 1), torch.zeros((), device=device)
    for kind in learned[learned.any((1, 2))]:
        targets = inputs.masked_fill(~torch.from_numpy(kind).to(device), -100)[:, 1:]
        loss = loss + torch.nn.functional.cross_entropy(logits, targets.flatten())
    return loss


def pace(update: int, updates: int) -> float:
    """Share of the highest learning rate that an update uses."""
    return min((update + 1) / max(1.0, RISE * updates), 1.0 - update / updates)


def _sums(folder: Path) -> dict[str, str]:
    """Name -> hash of each file but the seal."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != SEAL)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
