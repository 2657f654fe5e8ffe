"""vLLM for real, on a CPU: the policy it samples from is the one that is trained."""

import copy
import gc
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM

from report.record import load
from smallscale.assembly import assembled
from smallscale.config import configure
from smallscale.generation import TransformersEngine
from smallscale.models import SHAPES
from smallscale.rollouts import Rollouts
from smallscale.run_directory import RunDirectory
from smallscale.scoring import score
from smallscale.sync_check import SyncError, check
from smallscale.tasks import task
from smallscale.train import Trainer
from smallscale.vllm_engine import VllmEngine
from smallscale.warm_start import sized, warm_start
from tests.smallscale.test_generation import assert_drawn, chance, next_token
from tests.statistical import FALSE_FAIL

# vLLM and what it imports are not ours: their warnings are shown, and are no failures.
pytestmark = pytest.mark.filterwarnings("default")

Pair = tuple[VllmEngine, Qwen2ForCausalLM]
WORDS = 64
STOP = 3
PROMPTS = [np.array(ids) for ids in ([5], [6, 7, 8, 9], [10, 11], [12] * 8)]


def folder(path: Path, *, tied: bool) -> str:
    """A small model as a hub would hold it, with generation settings that ours override."""
    config = Qwen2Config(
        vocab_size=WORDS,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=128,
        max_position_embeddings=64,
        tie_word_embeddings=tied,
        bos_token_id=0,
        eos_token_id=20,
        initializer_range=0.2,  # a policy that is far from uniform
    )
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = Qwen2ForCausalLM(config)
    model.generation_config = GenerationConfig(
        do_sample=True, temperature=0.2, top_k=3, top_p=0.5, eos_token_id=[20, 21]
    )
    model.save_pretrained(path)
    return str(path)


@contextmanager
def vllm(path: Path, *, tied: bool) -> Generator[Pair]:
    """An engine and the trainer's model, loaded from one folder."""
    place = folder(path, tied=tied)
    model = Qwen2ForCausalLM.from_pretrained(place)
    engine = VllmEngine(
        place,
        model,
        stop=[STOP],
        max_tokens=12,
        max_model_len=32,
        gpu_share=0.15,
        eager=True,
    )
    try:
        yield engine, model
    finally:
        engine.close()
        gc.collect()


def scored(
    model: Qwen2ForCausalLM, prompts: list[np.ndarray], counts: np.ndarray, rollouts: Rollouts
) -> np.ndarray:
    repeated = [prompts[k] for k in np.repeat(np.arange(len(prompts)), counts)]
    with torch.no_grad():
        return score(model, repeated, rollouts).logprobs.numpy()


def move(model: Qwen2ForCausalLM) -> None:
    """A large change of all weights, as from many optimizer updates."""
    luck = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.1 * torch.randn(weights.shape, generator=luck))


@pytest.mark.parametrize("tied", [True, False])
def test_the_engine_follows_the_trainer(tied: bool, tmp_path: Path) -> None:  # noqa: FBT001
    with vllm(tmp_path, tied=tied) as (engine, model):
        assert check(engine, model, PROMPTS, seed=0) < 1e-4
        move(model)
        with pytest.raises(SyncError, match="stale"):  # the control: not yet handed over
            check(engine, model, PROMPTS, seed=0)
        engine.sync()
        assert check(engine, model, PROMPTS, seed=0) < 1e-4
        move(model)  # a second time, from weights that were handed over
        engine.sync()
        assert check(engine, model, PROMPTS, seed=1) < 1e-4


def test_global_generators_are_left_alone(tmp_path: Path) -> None:
    """Those that torch and numpy draw from; beartype draws from Python's own."""
    before = torch.get_rng_state(), repr(np.random.get_state())  # noqa: NPY002
    with vllm(tmp_path, tied=False) as (engine, _):
        engine.generate(PROMPTS, np.full(4, 2), seed=0)
        engine.sync()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert repr(np.random.get_state()) == before[1]  # noqa: NPY002


def test_a_run_of_five_training_steps(tmp_path: Path) -> None:
    """Put together from a folder, trained and synced as the command does it."""
    # vLLM's attention on a CPU takes heads of 32, and the smallest built-in size has 16.
    shape = replace(SHAPES["test"], heads=1, kv_heads=1)
    recipe = replace(sized("test", task("strings")), shape=shape, updates=40)
    model = str(warm_start(recipe, tmp_path / "cache", progress=False))
    changes = {"steps": 5, "engine": "vllm", "gpu_share": "0.15", "model": model}
    changes |= {"lr": "0.01", "weight_decay": "0.5"}  # moves weights whatever the rewards are
    config = configure("test", changes)
    with assembled(config) as parts:
        assert isinstance(parts.engine, VllmEngine)
        start = copy.deepcopy(parts.model)
        folder = RunDirectory(tmp_path / "run")
        folder.begin(config)
        assert Trainer.begin(parts, folder).run() == "finished 5 training steps"
        probe = parts.prompts.tokens[:8]
        assert check(parts.engine, parts.model, probe, seed=0) < 1e-4
        with pytest.raises(SyncError):  # the control: training moved the weights
            check(parts.engine, start, probe, seed=0)
    record = load(tmp_path / "run" / "record.json")
    assert record.columns["step"].tolist() == [0, 5]
    assert record.columns["updates"].tolist() == [0, 5]
    assert record.columns["rollouts"].tolist() == [0, 5 * config.groups * config.rollouts]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Generator[Pair]:
    """An engine for the tests that leave weights alone, which come last: closing any
    engine ends what all engines of a process share.
    """
    with vllm(tmp_path_factory.mktemp("shared"), tied=True) as pair:
        yield pair


def test_uneven_counts_and_exact_logprobs(shared: Pair) -> None:
    engine, model = shared
    counts = np.array([3, 1, 0, 40])
    made = engine.generate(PROMPTS, counts, seed=3)
    assert made.tokens.shape[0] == 44
    exact = scored(model, PROMPTS, counts, made)
    np.testing.assert_allclose(made.logprobs, exact, rtol=0, atol=1e-4)


def test_where_a_rollout_ends(shared: Pair) -> None:
    """At our stop token, and at neither of the model's own."""
    made = shared[0].generate(PROMPTS, np.full(4, 100), seed=4)
    last = made.tokens[np.arange(400), made.lengths - 1]
    np.testing.assert_array_equal(made.finished, last == STOP)
    np.testing.assert_array_equal(made.lengths[~made.finished], 12)
    assert 0 < made.finished.sum() < 400
    inner = made.tokens[np.arange(12) < made.lengths[:, None] - 1]
    assert STOP not in inner
    assert {20, 21} <= set(inner.tolist())


def test_seeds_decide(shared: Pair) -> None:
    counts = np.full(4, 5)
    first, again, other = (shared[0].generate(PROMPTS, counts, seed=s) for s in (8, 8, 9))
    np.testing.assert_array_equal(first.tokens, again.tokens)
    np.testing.assert_array_equal(first.logprobs, again.logprobs)
    assert not np.array_equal(first.tokens[:, 0], other.tokens[:, 0])
    assert np.unique(first.tokens[:5], axis=0).shape[0] == 5  # luck of their own


def test_both_engines_sample_the_same_policy(shared: Pair) -> None:
    """First tokens of each are draws from the exact distribution."""
    engine, model = shared
    ours = TransformersEngine(model, stop=[STOP], pad=0, max_tokens=1)
    exact = next_token(model, PROMPTS[1])
    for one in (engine, ours):
        made = one.generate(PROMPTS[1:2], np.array([2000]), seed=5)
        assert_drawn(made.tokens[:, 0], exact)
        assert chance(made.tokens[:, 0], next_token(model, PROMPTS[0])) < FALSE_FAIL  # control
