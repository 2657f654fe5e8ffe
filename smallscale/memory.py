r"""The memory that a run will need, from its configuration alone.

With P parameters, L layers of width h, feed-forward width f, q = heads + 2 kv_heads of width
d = h/heads, vocabulary V, and n tokens in a micro-batch:

| part | bytes |
|---|---|
| weights, gradients, AdamW's two moments, in float32 | 16 P |
| weights again where the pass is in bfloat16 | 2 P |
| activations of a layer kept for the backward pass | n b (8 h + q d + 3 f), b bytes a number |
| with checkpointing | n b h L, and those of one layer |
| logits, their log-softmax and its gradient | 12 n V, of at most 2^27 logits at a time |
| keys and values | 2 L kv_heads d b a token, for each of the rollouts side by side |
| vLLM | its share of the GPU, whatever the rest |

Attention is counted as a fused kernel, which keeps no L x L matrix. Fragmentation, the CUDA
context (about 1 GB) and buffers come on top.
"""

from collections.abc import Mapping
from types import MappingProxyType

from rich.markup import escape
from rich.table import Table

from selection.settings import SettingError
from smallscale.assembly import chosen, data, learning, limit, task_of
from smallscale.config import Config
from smallscale.estimators import estimator
from smallscale.models import SHAPES, Shape, parameters
from smallscale.scoring import MOST_LOGITS
from smallscale.warm_start import SIZES

KNOWN: Mapping[str, str] = MappingProxyType(  # hub ids whose shape is known without loading
    {
        "Qwen/Qwen2.5-Math-1.5B": "qwen2.5-math-1.5b",
        "Qwen/Qwen2.5-Math-1.5B-Instruct": "qwen2.5-math-1.5b",
        "Qwen/Qwen2.5-1.5B": "qwen2.5-math-1.5b",
    }
)
GPU = 80e9  # bytes of the GPU that vLLM's share is of


def plan(config: Config) -> Table:
    """What would run, setting by setting, and the memory it needs; nothing is loaded.

    Raises:
        SettingError: A setting is wrong.
    """
    known = task_of(config)
    who = chosen(config, known)
    learning(config, known)
    data(config, known)
    rows = Table("setting", "value", title=f"{config.preset}: what would run")
    for key, value in config.dump().items():
        rows.add_row(key, escape(str(value)))
    rows.add_section()
    rows.add_row("strategy in full", escape(who.knobs(config.sizes(config.num_prompts))))
    rows.add_row("rollouts trained on", f"{config.steps * config.groups * config.rollouts:,}")
    rows.add_section()
    for part, size in memory(config, limit(config, known)).items():
        rows.add_row(part, f"{size / 1e9:,.3f} GB")
    return rows


def memory(config: Config, max_tokens: int) -> dict[str, float]:
    """Bytes by part; the last entry is what is needed at once."""
    shape = shape_of(config)
    if shape is None:
        raise SettingError(
            f"the shape of model={config.model} is not known without loading it: --dry-run"
            f" knows {', '.join((*SIZES, *KNOWN))}"
        )
    whole = config.max_prompt_tokens + max_tokens if config.model not in SIZES else max_tokens
    weights, number = parameters(shape), 2 if config.precision == "bfloat16" else 4
    states = {"adamw": 16, "sgd": 8}[config.optimizer]
    training = {
        "weights, gradients, optimizer": float(states * weights),
        "weights in bfloat16": float(2 * weights) if number == 2 else 0.0,
        "reference": float(4 * weights) if estimator(config.estimator).kl else 0.0,
        "activations": activations(shape, max(config.micro_tokens, whole), number, config),
        "logits": 12.0 * min(config.micro_tokens * shape.vocabulary, MOST_LOGITS),
    }
    if config.engine == "vllm":
        generation = {"vLLM (gpu_share of 80 GB)": config.gpu_share * GPU}
    else:
        side = min(config.rows, 4 * config.groups * config.rollouts)
        generation = {"keys and values": float(side * whole * per_token(shape, number))}
    parts = training | generation
    return parts | {"at once": at_once(training, generation)}


def at_once(training: Mapping[str, float], generation: Mapping[str, float]) -> float:
    """Training and generation take turns; weights and optimizer stay."""
    passing = training["activations"] + training["logits"]
    stay = sum(training.values()) - passing
    return stay + max(passing, sum(generation.values()))


def activations(shape: Shape, tokens: int, number: int, config: Config) -> float:
    """Bytes of what the forward pass keeps for the backward pass."""
    heads = (shape.heads + 2 * shape.kv_heads) * shape.hidden // shape.heads
    layer = tokens * number * (8 * shape.hidden + heads + 3 * shape.intermediate)
    if config.checkpointing:
        return float(tokens * number * shape.hidden * shape.layers + layer)
    return float(layer * shape.layers)


def per_token(shape: Shape, number: int) -> int:
    """Bytes of the keys and values of one token."""
    return 2 * shape.layers * shape.kv_heads * shape.hidden // shape.heads * number


def shape_of(config: Config) -> Shape | None:
    """The shape of a model that is known without loading it."""
    return SHAPES.get(KNOWN.get(config.model, config.model))
