"""Language models of the Qwen2 architecture: made from a shape, loaded and saved.

Weights travel as safetensors and tokenizers as JSON: nothing that is loaded is executed.
"""

import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config, Qwen2ForCausalLM
from transformers.utils import logging

from report import atomic


class UnloadableModelError(OSError):
    """A model that cannot be loaded; the message names it and the mend."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The sizes that make a Qwen2 model.

    Attributes:
        hidden: Width of the residual stream.
        layers: Blocks.
        heads, kv_heads: Attention heads, and those of keys and values that they share.
        intermediate: Width of the feed-forward part.
        vocabulary: Tokens; that of the tokenizer where a task brings its own.
        positions: Longest sequence, in tokens.
        tied: Whether the output layer is the embedding.
        rope_theta: Base of the rotary frequencies.
        norm_eps: Added to the mean square in the norms.
        end, pad: Token ids that end a sequence and pad it.
    """

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    intermediate: int
    vocabulary: int = 32
    positions: int = 512
    tied: bool = True
    rope_theta: float = 10000.0
    norm_eps: float = 1e-6
    end: int | None = None
    pad: int | None = None

    def __post_init__(self) -> None:
        if self.hidden % (2 * self.heads) or self.heads % self.kv_heads:
            raise ValueError(
                f"hidden={self.hidden} must be an even multiple of heads={self.heads},"
                f" and heads a multiple of kv_heads={self.kv_heads}"
            )


SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "test": Shape(hidden=32, layers=2, heads=2, kv_heads=1, intermediate=64),
        "tiny": Shape(hidden=96, layers=3, heads=4, kv_heads=4, intermediate=256),
        "small": Shape(hidden=512, layers=10, heads=8, kv_heads=2, intermediate=1536),
        # huggingface.co/Qwen/Qwen2.5-Math-1.5B, config.json: for counts and for stand-ins
        "qwen2.5-math-1.5b": Shape(
            hidden=1536,
            layers=28,
            heads=12,
            kv_heads=2,
            intermediate=8960,
            vocabulary=151936,
            positions=4096,
            end=151643,
        ),
    }
)


def parameters(shape: Shape) -> int:
    """Number of parameters of a model of this shape.

    Per layer: queries and outputs, keys and values with the biases of the three that have
    one, the three matrices of the feed-forward part, two norms.
    """
    h, kv = shape.hidden, shape.hidden // shape.heads * shape.kv_heads
    attention = 2 * h * h + h + 2 * (h * kv + kv)
    layer = attention + 3 * h * shape.intermediate + 2 * h
    return (1 if shape.tied else 2) * shape.vocabulary * h + shape.layers * layer + h


def configuration(shape: Shape) -> Qwen2Config:
    """The shape in the words of transformers."""
    return Qwen2Config(
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        intermediate_size=shape.intermediate,
        vocab_size=shape.vocabulary,
        max_position_embeddings=shape.positions,
        tie_word_embeddings=shape.tied,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        rms_norm_eps=shape.norm_eps,
        bos_token_id=None,
        eos_token_id=shape.end,
        pad_token_id=shape.pad,
    )


def fresh(
    shape: Shape,
    *,
    seed: int,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> Qwen2ForCausalLM:
    """A model with random weights, equal on every device; global generators are left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model: Any = Qwen2ForCausalLM(configuration(shape))
    model.set_attn_implementation("sdpa")
    return model.to(device=device, dtype=dtype).eval()


def load(
    source: str | Path,
    *,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> tuple[Any, Any]:
    """Model and tokenizer of a local folder or, for text like `owner/name`, of the hub.

    Raises:
        UnloadableModelError: It is not there, cannot be fetched, or is not whole.
    """
    where = str(source)
    named = isinstance(source, str) and where.count("/") == 1 and where[0] not in "./~"
    if not named and not Path(where).is_dir():
        raise UnloadableModelError(f"no model at {where}: name a folder or a hub id owner/name")
    try:
        with _no_bars():
            tokenizer = AutoTokenizer.from_pretrained(where, trust_remote_code=False)
            model: Any = AutoModelForCausalLM.from_pretrained(
                where,
                dtype=dtype,
                attn_implementation="sdpa",
                use_safetensors=True,
                trust_remote_code=False,
            )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UnloadableModelError(
            f"model {where} cannot be loaded ({reason}): fetch it again, or name another folder"
        ) from error
    if len(tokenizer) <= len(tokenizer.all_special_tokens):  # what a missing file gives
        raise UnloadableModelError(f"model {where} cannot be loaded: no tokenizer is with it")
    return model.to(device).eval(), tokenizer


def save(model: Any, tokenizer: Any, folder: Path) -> None:  # noqa: ANN401
    """Put model and tokenizer into `folder`, whole or not at all; what was there is replaced.

    Raises:
        UnwritableError: There is no room, or something else in the way.
    """
    atomic.folder(folder.parent)
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.draft")
    former = folder.with_name(f".{folder.name}.{os.getpid()}.former")
    with atomic.naming(folder):
        try:
            with _no_bars():
                model.save_pretrained(draft)
                tokenizer.save_pretrained(draft)
            if folder.exists():
                folder.replace(former)  # no file system replaces a full folder in one step
            draft.replace(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
            shutil.rmtree(former, ignore_errors=True)


@contextmanager
def _no_bars() -> Generator[None]:
    """A context without the bars of transformers: one per file drowns the run's own."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
