"""The vLLM engine against a stand-in for vLLM; tests/vllm runs the real one."""

import os
import random
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from smallscale.rollouts import Engine
from smallscale.vllm_engine import VllmEngine, kept_luck
from tests.smallscale.test_generation import PROMPTS, tiny

COUNTS = np.array([2, 1, 0, 3])


class StandIn:
    """Takes the place of `vllm.LLM`: notes every call, and is as careless with seeds."""

    def __init__(self, **settings: object) -> None:
        self.settings = settings
        self.calls: list[Any] = []
        self.seeds: list[int] = []
        self.llm_engine = SimpleNamespace(engine_core=self)
        torch.manual_seed(0)
        np.random.seed(0)  # noqa: NPY002

    def generate(self, prompts: list[Any], params: list[Any], *, use_tqdm: bool) -> list[Any]:
        assert not use_tqdm
        self.calls.append("generate")
        self.seeds = [wish.seed for wish in params]
        torch.manual_seed(0)
        return [
            SimpleNamespace(outputs=[rollout(p, wish, j) for j in range(wish.n)])
            for p, wish in zip(prompts, params, strict=True)
        ]

    def collective_rpc(self, name: str, kwargs: dict[str, Any]) -> None:
        assert name == "reload_weights"
        assert kwargs["is_checkpoint_format"]
        weights = dict(kwargs["weights_iterator"])
        assert not any(tensor.requires_grad for tensor in weights.values())
        self.calls.append(sorted(weights))

    def apply_model(self, mend: object) -> None:
        assert callable(mend)
        self.calls.append("lm_head")

    def reset_prefix_cache(self) -> None:
        self.calls.append("reset")

    def sleep(self, level: int) -> None:
        self.calls.append(f"sleep {level}")

    def wake_up(self, tags: list[str]) -> None:
        self.calls.append(f"wake {tags[0]}")

    def shutdown(self) -> None:
        self.calls.append("shutdown")


def rollout(prompt: Any, wish: Any, j: int) -> Any:  # noqa: ANN401
    """Rollout j of a prompt: j + 1 times its first token, and the stop token if j is odd."""
    tokens = [prompt["prompt_token_ids"][0]] * (j + 1) + list(wish.stop_token_ids) * (j % 2)
    logprobs = [{t: SimpleNamespace(logprob=-t / 8), -1: None} for t in tokens]
    return SimpleNamespace(token_ids=tokens, logprobs=logprobs)


@pytest.fixture
def _vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the package, computing on a CPU."""
    here = SimpleNamespace(current_platform=SimpleNamespace(is_cpu=lambda: True))
    package = SimpleNamespace(LLM=StandIn, SamplingParams=SimpleNamespace, TokensPrompt=dict)
    monkeypatch.setitem(sys.modules, "vllm", package)
    monkeypatch.setitem(sys.modules, "vllm.platforms", here)
    monkeypatch.delenv("VLLM_ENABLE_V1_MULTIPROCESSING", raising=False)


def made(
    *, tied: bool = True, colocated: bool = False, max_model_len: int = 30
) -> tuple[VllmEngine, StandIn]:
    engine = VllmEngine(
        "folder",
        tiny(tied=tied),
        stop=[3],
        max_tokens=10,
        max_model_len=max_model_len,
        colocated=colocated,
    )
    return engine, engine.llm


def test_without_vllm_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ValueError, match=r'pip install "passband\[vllm\]"') as refusal:
        made()
    assert "\n" not in str(refusal.value)


@pytest.mark.usefixtures("_vllm")
def test_where_vllm_cannot_start_its_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("Failed to infer device type\nand much more")

    monkeypatch.setattr(sys.modules["vllm"], "LLM", fail)
    with pytest.raises(ValueError, match="Failed to infer device type") as refusal:
        made()
    assert "\n" not in str(refusal.value)


@pytest.mark.usefixtures("_vllm")
def test_what_vllm_is_started_with() -> None:
    engine, llm = made(colocated=True)
    assert isinstance(engine, Engine)
    assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    expected = {
        "model": "folder",
        "dtype": "float32",
        "max_model_len": 30,
        "enable_sleep_mode": True,
        "generation_config": "vllm",
        "logprobs_mode": "processed_logprobs",
    }
    assert expected.items() <= llm.settings.items()


@pytest.mark.usefixtures("_vllm")
def test_rollouts_come_prompt_after_prompt() -> None:
    engine, _ = made()
    rollouts = engine.generate(PROMPTS, COUNTS, seed=0)
    expected = [[5, 0, 0], [5, 5, 3], [6, 0, 0], [12, 0, 0], [12, 12, 3], [12, 12, 12]]
    np.testing.assert_array_equal(rollouts.tokens, expected)
    np.testing.assert_array_equal(rollouts.logprobs, -np.array(expected) / 8)
    np.testing.assert_array_equal(rollouts.lengths, [1, 3, 1, 1, 3, 3])
    np.testing.assert_array_equal(rollouts.finished, [0, 1, 0, 0, 1, 0])


@pytest.mark.usefixtures("_vllm")
def test_prompts_have_seeds_of_their_own_that_a_seed_decides() -> None:
    engine, llm = made()
    drawn: list[list[int]] = []
    for seed in (1, 1, 2):
        engine.generate(PROMPTS, COUNTS, seed=seed)
        drawn.append(llm.seeds)
    assert drawn[0] == drawn[1]
    assert len({*drawn[0], *drawn[2]}) == 6
    assert all(0 <= seed < 2**62 for seed in drawn[0])


@pytest.mark.usefixtures("_vllm")
@pytest.mark.parametrize("tied", [True, False])
def test_a_sync_hands_over_all_weights_and_empties_the_cache(tied: bool) -> None:  # noqa: FBT001
    engine, llm = made(tied=tied)
    engine.sync()
    weights, *rest = llm.calls
    assert weights == sorted(name for name, _ in tiny(tied=tied).named_parameters())
    assert ("lm_head.weight" in weights) is not tied
    assert rest == ["lm_head"] * tied + ["reset"]


@pytest.mark.usefixtures("_vllm")
def test_only_the_cpu_build_needs_its_lm_head_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = SimpleNamespace(is_cpu=lambda: False)
    monkeypatch.setattr(sys.modules["vllm.platforms"], "current_platform", gpu)
    engine, llm = made()
    engine.sync()
    assert "lm_head" not in llm.calls


@pytest.mark.usefixtures("_vllm")
@pytest.mark.parametrize("woken_by", ["sync", "generate"])
def test_waking_makes_room_for_weights_then_fills_it_then_the_cache(woken_by: str) -> None:
    engine, llm = made(tied=False, colocated=True)
    engine.sleep()
    engine.sleep()
    assert llm.calls == ["sleep 2"]
    if woken_by == "sync":
        engine.sync()
    engine.generate(PROMPTS, COUNTS, seed=0)
    assert [call if isinstance(call, str) else "weights" for call in llm.calls[1:]] == [
        "wake weights",
        "weights",
        "wake kv_cache",
        "reset",
        "generate",
    ]
    assert not engine.asleep


@pytest.mark.usefixtures("_vllm")
def test_an_engine_with_a_gpu_of_its_own_stays_awake() -> None:
    engine, llm = made(colocated=False)
    engine.sleep()
    assert llm.calls == []


@pytest.mark.usefixtures("_vllm")
def test_global_generators_are_left_alone() -> None:
    torch.manual_seed(2)  # not the state that the stand-in leaves
    np.random.seed(2)  # noqa: NPY002
    before = torch.get_rng_state(), repr(np.random.get_state())  # noqa: NPY002
    engine, _ = made()
    engine.generate(PROMPTS, COUNTS, seed=0)
    engine.sync()
    engine.close()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert repr(np.random.get_state()) == before[1]  # noqa: NPY002


def careless() -> None:
    with kept_luck():
        torch.manual_seed(1)
        np.random.seed(1)  # noqa: NPY002
        random.seed(1)
        raise KeyError


def test_luck_is_kept_even_if_something_fails() -> None:
    states = torch.get_rng_state(), repr(np.random.get_state()), random.getstate()  # noqa: NPY002
    with pytest.raises(KeyError):
        careless()
    assert torch.equal(torch.get_rng_state(), states[0])
    assert repr(np.random.get_state()) == states[1]  # noqa: NPY002
    assert random.getstate() == states[2]


@pytest.mark.usefixtures("_vllm")
def test_what_cannot_be_generated_is_refused() -> None:
    engine, llm = made()
    with pytest.raises(ValueError, match="30 positions"):
        engine.generate([np.ones(21, int)], np.array([1]), seed=0)
    engine.close()
    assert llm.calls == ["shutdown"]


@pytest.mark.usefixtures("_vllm")
def test_no_more_is_planned_for_than_the_model_has_positions() -> None:
    _, llm = made(max_model_len=100)
    assert llm.settings["max_model_len"] == 40
