"""Counts of parameters, seeded weights, and files that are whole or refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import Qwen2ForCausalLM
from transformers.utils import logging

from report.atomic import UnwritableError
from smallscale.models import (
    SHAPES,
    Shape,
    UnloadableModelError,
    configuration,
    fresh,
    load,
    parameters,
    save,
)
from smallscale.vocabulary import character_tokenizer
from tests.smallscale.stand_in import SYSTEM, stand_in

TOKENIZER = character_tokenizer("0123456789=")
SHAPE = replace(SHAPES["test"], vocabulary=len(TOKENIZER), end=TOKENIZER.eos_token_id)
IDS = torch.tensor([[1, 2, 3, 10, 4]])


def counted(shape: Shape) -> int:
    with torch.device("meta"):  # no memory for 1.5 billion
        model: Any = Qwen2ForCausalLM(configuration(shape))
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", SHAPES)
def test_parameters_of_the_shapes(name: str) -> None:
    assert parameters(SHAPES[name]) == counted(SHAPES[name])


@given(
    st.sampled_from([(2, 1), (2, 2), (4, 2), (6, 1)]),
    st.integers(1, 3),
    st.integers(1, 40),
    st.booleans(),
)
def test_parameters_of_any_shape(
    heads: tuple[int, int],
    layers: int,
    odd: int,
    tied: bool,  # noqa: FBT001 - drawn
) -> None:
    shape = Shape(
        hidden=heads[0] * 4,
        layers=layers,
        heads=heads[0],
        kv_heads=heads[1],
        intermediate=odd,
        vocabulary=odd + 3,
        tied=tied,
    )
    assert parameters(shape) == counted(shape)


def test_sizes_are_those_promised() -> None:
    assert parameters(SHAPES["qwen2.5-math-1.5b"]) == 1_543_714_304
    assert parameters(replace(SHAPES["tiny"], vocabulary=29)) == 336_096
    assert 25e6 < parameters(SHAPES["small"]) < 100e6


def test_the_configuration_of_qwen() -> None:
    told = configuration(SHAPES["qwen2.5-math-1.5b"]).to_dict()
    assert told["model_type"] == "qwen2"
    assert told["rope_parameters"] == {"rope_type": "default", "rope_theta": 10000.0}
    assert (told["rms_norm_eps"], told["tie_word_embeddings"]) == (1e-6, True)
    assert (told["eos_token_id"], told["max_position_embeddings"]) == (151643, 4096)
    assert (told["num_attention_heads"], told["num_key_value_heads"]) == (12, 2)


@pytest.mark.parametrize("change", [{"heads": 3}, {"kv_heads": 3, "heads": 4}, {"hidden": 34}])
def test_shapes_that_do_not_divide_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="heads="):
        replace(SHAPES["test"], **change)


def test_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one = fresh(SHAPE, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(7)
    two, other = fresh(SHAPE, seed=1), fresh(SHAPE, seed=2)
    assert all(map(torch.equal, one.parameters(), two.parameters()))
    assert not all(map(torch.equal, one.parameters(), other.parameters()))


def test_a_fresh_model_is_ready_for_use() -> None:
    model: Any = fresh(SHAPE, seed=0, dtype=torch.bfloat16)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert model.config._attn_implementation == "sdpa"
    assert not model.training
    assert model(input_ids=IDS).logits.shape == (1, 5, len(TOKENIZER))


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    model: Any = fresh(SHAPE, seed=0)
    save(model, TOKENIZER, tmp_path / "deep" / "model")
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"model"}
    loaded, tokenizer = load(tmp_path / "deep" / "model")
    assert all(map(torch.equal, model.parameters(), loaded.parameters()))
    assert torch.equal(model(input_ids=IDS).logits, loaded(input_ids=IDS).logits)
    assert tokenizer.encode("12=") == TOKENIZER.encode("12=")
    assert loaded.config._attn_implementation == "sdpa"
    assert loaded.config.eos_token_id == tokenizer.eos_token_id
    assert not loaded.training
    half, _ = load(str(tmp_path / "deep" / "model"), dtype=torch.bfloat16)
    assert {p.dtype for p in half.parameters()} == {torch.bfloat16}


def test_nothing_saved_is_a_pickle(tmp_path: Path) -> None:
    save(fresh(SHAPE, seed=0), TOKENIZER, tmp_path / "model")
    names = {path.suffix for path in (tmp_path / "model").iterdir()}
    assert names == {".json", ".safetensors"}


def test_saving_again_replaces_all(tmp_path: Path) -> None:
    save(fresh(SHAPE, seed=0), TOKENIZER, tmp_path / "model")
    (tmp_path / "model" / "left_over").touch()
    save(fresh(SHAPE, seed=1), TOKENIZER, tmp_path / "model")
    loaded, _ = load(tmp_path / "model")
    assert all(map(torch.equal, fresh(SHAPE, seed=1).parameters(), loaded.parameters()))
    assert not (tmp_path / "model" / "left_over").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


class FullDisk:
    def save_pretrained(self, folder: Path) -> None:
        del folder
        raise OSError(28, "No space left on device")


def test_a_failing_save_leaves_what_was_there(tmp_path: Path) -> None:
    save(fresh(SHAPE, seed=0), TOKENIZER, tmp_path / "model")
    with pytest.raises(UnwritableError, match=r"model cannot be written .*free some space"):
        save(fresh(SHAPE, seed=1), FullDisk(), tmp_path / "model")
    loaded, _ = load(tmp_path / "model")
    assert all(map(torch.equal, fresh(SHAPE, seed=0).parameters(), loaded.parameters()))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
@pytest.mark.parametrize("damage", [cut, Path.unlink])
def test_a_damaged_folder_is_refused_in_one_line(
    tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    save(fresh(SHAPE, seed=0), TOKENIZER, tmp_path / "model")
    damage(tmp_path / "model" / name)
    with pytest.raises(UnloadableModelError, match="model cannot be loaded") as caught:
        load(tmp_path / "model")
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_not_loaded(tmp_path: Path) -> None:
    model = fresh(SHAPE, seed=0)
    save(model, TOKENIZER, tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "model" / "pytorch_model.bin")
    with pytest.raises(UnloadableModelError):
        load(tmp_path / "model")


@pytest.mark.parametrize("source", [Path("a/b"), "a", "/a/b", "./a"])
def test_a_missing_folder_is_named_without_asking_the_hub(source: str | Path) -> None:
    with pytest.raises(UnloadableModelError, match=f"no model at {source}: name a folder"):
        load(source)


def test_a_hub_that_is_out_of_reach_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UnloadableModelError, match="model nobody/nothing") as caught:
        load("nobody/nothing")
    assert "\n" not in str(caught.value)


def test_progress_bars_stay_as_they_were(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    save(fresh(SHAPE, seed=0), TOKENIZER, tmp_path / "model")
    load(tmp_path / "model")
    assert logging.is_progress_bar_enabled()
    assert not capfd.readouterr().err


def test_the_stand_in_has_the_form_of_the_real_model(tmp_path: Path) -> None:
    model, tokenizer = load(stand_in(tmp_path / "model"))
    real = configuration(SHAPES["qwen2.5-math-1.5b"]).to_dict()
    small = model.config.to_dict()
    sizes = {"hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads"}
    sizes |= {"intermediate_size", "vocab_size", "layer_types"}
    ids = {"bos_token_id", "eos_token_id", "max_window_layers"}
    record = {"architectures", "dtype", "_name_or_path"}
    same = real.keys() - sizes - ids - record
    assert {key: small[key] for key in same} == {key: real[key] for key in same}
    assert model.lm_head.weight is model.model.embed_tokens.weight
    settings = json.loads((tmp_path / "model" / "generation_config.json").read_text())
    assert settings["eos_token_id"] == tokenizer.eos_token_id == tokenizer.pad_token_id
    assert not settings["do_sample"]
    assert model.config.vocab_size > len(tokenizer)  # as there: rows that no token uses


def test_the_stand_in_speaks_the_chat_template(tmp_path: Path) -> None:
    _, tokenizer = load(stand_in(tmp_path / "model"))
    messages = [{"role": "user", "content": "1+1?"}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == (
        f"<|im_start|>system\n{SYSTEM}<|im_end|>\n"
        "<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n"
    )
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert ids[0] == tokenizer.convert_tokens_to_ids("<|im_start|>") == 257
