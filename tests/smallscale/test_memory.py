"""Memory by closed form, against published sizes and a model that exists."""

import pytest
import torch

from selection.settings import SettingError
from smallscale import memory, models
from smallscale.config import PRESETS
from smallscale.models import SHAPES, parameters
from tests.smallscale.conftest import config

QWEN = SHAPES["qwen2.5-math-1.5b"]


def test_keys_and_values_of_a_token_of_qwen() -> None:
    """28 layers, 2 key-value heads of 128, keys and values, 2 bytes: 28.7 kB."""
    assert memory.per_token(QWEN, 2) == 28 * 2 * 128 * 2 * 2


def test_training_qwen_takes_sixteen_bytes_a_parameter() -> None:
    parts = memory.memory(PRESETS["qwen2.5-math-1.5b"], 3072)
    assert parts["weights, gradients, optimizer"] == 16 * parameters(QWEN)
    assert parts["weights in bfloat16"] == 2 * parameters(QWEN)
    assert parts["vLLM (gpu_share of 80 GB)"] == pytest.approx(0.4 * 80e9)
    assert 40e9 < parts["at once"] < 80e9


def test_activations_bound_what_autograd_keeps() -> None:
    """Bytes saved for the backward pass of a real model, counted tensor by tensor."""
    shape = SHAPES["tiny"]
    model = models.fresh(shape, seed=0).train()
    seen: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    ids = torch.randint(shape.vocabulary, (8, 64), generator=torch.Generator().manual_seed(0))
    with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
        model.model(input_ids=ids, use_cache=False)
    kept = sum(size for place, size in seen.items() if place not in weights)
    told = memory.activations(shape, ids.numel(), 4, config(model="tiny"))
    assert 0.5 < told / kept < 2.0


def test_checkpointing_keeps_a_layer_and_the_states_between() -> None:
    kept = memory.activations(QWEN, 1000, 2, config())
    recomputed = memory.activations(QWEN, 1000, 2, config(checkpointing="true"))
    assert recomputed == 1000 * 2 * 1536 * 28 + kept / 28


def test_generation_and_training_take_turns() -> None:
    training = {
        "weights, gradients, optimizer": 10.0,
        "weights in bfloat16": 1.0,
        "activations": 4.0,
        "logits": 2.0,
    }
    assert memory.at_once(training, {"keys and values": 5.0}) == 17.0
    assert memory.at_once(training, {"keys and values": 7.0}) == 18.0


def test_a_model_of_unknown_shape_is_not_guessed_at() -> None:
    with pytest.raises(SettingError, match="not known without loading"):
        memory.memory(config(model="someone/else"), 100)
