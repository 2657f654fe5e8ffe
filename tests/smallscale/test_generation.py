import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM

from smallscale.generation import Sampler, TransformersEngine, ended
from smallscale.rollouts import Engine, Rollouts
from smallscale.scoring import score
from tests.statistical import FALSE_FAIL

WORDS = 24
STOP = 3
PAD = 0
PROMPTS = [np.array(ids) for ids in ([5], [6, 7, 8, 9], [10, 11], [12] * 9)]
COUNTS = np.array([3, 1, 2, 12])


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def tiny(*, spread: float = 0.4, tied: bool = True) -> Qwen2ForCausalLM:
    """A Qwen2 of two layers whose policy is far from uniform."""
    config = Qwen2Config(
        vocab_size=WORDS,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=32,
        max_position_embeddings=40,
        tie_word_embeddings=tied,
        initializer_range=spread,
        bos_token_id=PAD,
        eos_token_id=PAD,
    )
    with torch.random.fork_rng():
        torch.manual_seed(11)
        return Qwen2ForCausalLM(config)


def engine(model: Qwen2ForCausalLM, **changes: object) -> TransformersEngine:
    settings: dict[str, Any] = {"stop": [STOP], "pad": PAD, "max_tokens": 10}
    settings.update(changes)
    return TransformersEngine(model, **settings)


def scored(model: Qwen2ForCausalLM, counts: np.ndarray, rollouts: Rollouts) -> np.ndarray:
    """What the trainer says of rollouts made prompt after prompt."""
    prompts = [PROMPTS[k] for k in np.repeat(np.arange(len(PROMPTS)), counts)]
    with torch.no_grad():
        return score(model, prompts, rollouts).logprobs.numpy()


def next_token(model: Qwen2ForCausalLM, ids: np.ndarray) -> np.ndarray:
    """The exact distribution of the token after some others."""
    with torch.no_grad():
        logits = model(input_ids=torch.from_numpy(ids[None])).logits[0, -1]
    return logits.double().softmax(-1).numpy()


def assert_drawn(tokens: np.ndarray, expected: np.ndarray) -> None:
    """Fail unless tokens may be draws from a distribution, in error at the rate FALSE_FAIL."""
    assert chance(tokens, expected) > FALSE_FAIL


def chance(tokens: np.ndarray, expected: np.ndarray) -> float:
    """The p-value of a chi-square test; words expected fewer than 10 times are one class."""
    counted = np.bincount(tokens, minlength=expected.size)
    often = expected * tokens.size >= 10
    found = np.append(counted[often], counted[~often].sum())
    wanted = np.append(expected[often], expected[~often].sum()) * tokens.size
    return float(chisquare(found, wanted * found.sum() / wanted.sum()).pvalue)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("rows", [1, 5, 256])
def test_logprobs_are_those_of_the_trainer(rows: int, compiled: bool) -> None:  # noqa: FBT001
    """Whatever the padding, the calls and the cache; and rollouts come prompt after prompt."""
    model = tiny()
    made = engine(model, rows=rows, compiled=compiled).generate(PROMPTS, COUNTS, seed=0)
    assert made.tokens.shape[0] == COUNTS.sum()
    np.testing.assert_allclose(made.logprobs, scored(model, COUNTS, made), rtol=0, atol=1e-5)
    assert (made.logprobs[made.mask] < 0).all()
    assert not made.logprobs[~made.mask].any()
    assert not made.tokens[~made.mask].any()


def test_lower_precision_is_that_of_the_training_pass() -> None:
    """Rounded alike, the two agree far better than either with the exact values."""
    model = tiny()
    made = engine(model, precision="bfloat16").generate(PROMPTS, COUNTS, 0)
    with torch.autocast("cpu", torch.bfloat16):
        alike = np.abs(scored(model, COUNTS, made) - made.logprobs).mean()
    exact = np.abs(scored(model, COUNTS, made) - made.logprobs).mean()
    assert alike < 0.5 * exact
    assert 0.0 < exact < 0.05
    assert next(model.parameters()).dtype == torch.float32


def test_first_tokens_follow_the_policy() -> None:
    model = tiny()
    rollouts = np.array([0, 4000, 0, 4000])
    made = engine(model, max_tokens=1, rows=1000).generate(PROMPTS, rollouts, seed=1)
    near, far = (next_token(model, PROMPTS[k]) for k in (1, 3))
    assert_drawn(made.tokens[:4000, 0], near)
    assert_drawn(made.tokens[4000:, 0], far)
    assert chance(made.tokens[:4000, 0], far) < FALSE_FAIL  # the control: told apart
    sharper = near**1.1 / (near**1.1).sum()
    assert chance(made.tokens[:4000, 0], sharper) < FALSE_FAIL


def test_later_tokens_follow_the_policy_and_do_not_depend_on_earlier_luck() -> None:
    model = tiny()
    made = engine(model, stop=[], max_tokens=2).generate(PROMPTS[:1], np.array([8000]), seed=2)
    first = np.bincount(made.tokens[:, 0]).argmax()
    after = made.tokens[made.tokens[:, 0] == first, 1]
    assert after.size > 500
    assert_drawn(after, next_token(model, np.append(PROMPTS[0], first)))


def test_generation_settings_of_a_model_are_ignored_and_kept(tmp_path: Path) -> None:
    """Loaded as from a hub, with settings as Qwen2.5-Math has them and worse."""
    plain = tiny()
    expected = engine(plain).generate(PROMPTS, COUNTS, seed=3)
    plain.generation_config = GenerationConfig(
        do_sample=True,
        temperature=0.3,
        top_k=2,
        top_p=0.5,
        repetition_penalty=1.5,
        max_length=12,
        min_new_tokens=9,
        eos_token_id=[5, 6],
        bad_words_ids=[[7]],
    )
    plain.save_pretrained(tmp_path)
    model = Qwen2ForCausalLM.from_pretrained(tmp_path)
    model.config.use_cache = False  # as for training
    before = model.generation_config.to_dict()
    assert before["top_k"] == 2
    made = engine(model.train()).generate(PROMPTS, COUNTS, seed=3)
    np.testing.assert_array_equal(made.tokens, expected.tokens)
    np.testing.assert_array_equal(made.logprobs, expected.logprobs)
    assert model.generation_config.to_dict() == before
    assert model.training
    assert not model.config.use_cache


def test_dropout_is_off_and_the_mode_restored_even_if_generation_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = tiny().train()

    def fail(*_: object, **__: object) -> None:
        assert not model.training
        raise KeyError

    monkeypatch.setattr(model, "generate", fail)
    with pytest.raises(KeyError):
        engine(model).generate(PROMPTS, COUNTS, seed=0)
    assert model.training
    assert not engine(tiny().eval()).model.training


def test_where_rollouts_end() -> None:
    made = engine(tiny()).generate(PROMPTS, np.full(4, 50), seed=4)
    last = made.tokens[np.arange(200), made.lengths - 1]
    np.testing.assert_array_equal(made.finished, last == STOP)
    assert 20 < made.finished.sum() < 180
    assert (made.lengths[~made.finished] == 10).all()
    inner = np.arange(made.tokens.shape[1]) < made.lengths[:, None] - 1
    assert not (made.tokens[inner] == STOP).any()
    assert (made.tokens[inner] == PAD).any()  # the pad token ends nothing


def test_without_stop_tokens_all_run_to_the_limit() -> None:
    made = engine(tiny(), stop=[]).generate(PROMPTS, COUNTS, seed=4)
    assert (made.lengths == 10).all()
    assert not made.finished.any()


def test_rollouts_end_at_the_first_of_several_stop_tokens() -> None:
    tokens = np.array([[1, 8, 9], [9, 8, 1], [1, 1, 1], [1, 1, 8]])
    made = ended(tokens, np.full((4, 3), -1.0), [8, 9])
    np.testing.assert_array_equal(made.tokens, [[1, 8, 0], [9, 0, 0], [1, 1, 1], [1, 1, 8]])
    np.testing.assert_array_equal(made.logprobs, -1.0 * (made.tokens > 0))
    np.testing.assert_array_equal(made.lengths, [2, 1, 3, 3])
    np.testing.assert_array_equal(made.finished, [True, True, False, True])
    assert ended(tokens[:2], np.zeros((2, 3)), [8, 9]).tokens.shape == (2, 2)


def test_seeds_decide() -> None:
    one = engine(tiny(), rows=8)
    first, again, other = (one.generate(PROMPTS, np.full(4, 8), seed=s) for s in (5, 5, 6))
    np.testing.assert_array_equal(first.tokens, again.tokens)
    np.testing.assert_array_equal(first.logprobs, again.logprobs)
    assert not np.array_equal(first.tokens[:, 0], other.tokens[:, 0])


def test_calls_have_luck_of_their_own() -> None:
    """The same prompt in two calls does not give the same rollouts twice."""
    made = engine(tiny(), rows=16, stop=[]).generate(PROMPTS[:1], np.array([32]), seed=7)
    assert not np.array_equal(made.tokens[:16], made.tokens[16:])
    assert np.unique(made.tokens, axis=0).shape[0] > 16


def test_global_generators_are_left_alone() -> None:
    """Those that torch and numpy draw from; beartype draws from Python's own."""
    before = torch.get_rng_state(), repr(np.random.get_state())  # noqa: NPY002
    engine(tiny()).generate(PROMPTS, COUNTS, seed=8)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert repr(np.random.get_state()) == before[1]  # noqa: NPY002


def test_a_sampler_takes_what_it_notes() -> None:
    """Also where one word is all but certain, or impossible."""
    sampler = Sampler(torch.Generator().manual_seed(0))
    scores = torch.tensor([[0.0, 80.0, 0.0], [0.0, 0.0, -torch.inf]]).repeat(50, 1)
    drawn = sampler(torch.zeros(100, 1, dtype=torch.long), scores).argmax(-1)
    assert (drawn[::2] == 1).all()
    assert set(drawn[1::2].tolist()) == {0, 1}
    exact = scores.log_softmax(-1).gather(-1, drawn[:, None])
    torch.testing.assert_close(sampler.logprobs, exact, rtol=0, atol=0)


def test_out_of_memory_halves_the_rows_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = tiny()
    whole = model.generate
    most = 8

    def limited(*, input_ids: torch.Tensor, **rest: object) -> object:
        if input_ids.shape[0] > most:
            raise torch.OutOfMemoryError
        return whole(input_ids=input_ids, **rest)

    monkeypatch.setattr(model, "generate", limited)
    ours = engine(model, rows=16)
    with pytest.warns(RuntimeWarning, match="rows=8"):
        made = ours.generate(PROMPTS, COUNTS, seed=9)
    expected = engine(tiny(), rows=8).generate(PROMPTS, COUNTS, seed=9)
    np.testing.assert_array_equal(made.tokens, expected.tokens)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours.generate(PROMPTS, COUNTS, seed=9)  # what was learned is kept
    most = 3
    with (
        pytest.warns(RuntimeWarning, match="rows=4"),
        pytest.raises(ValueError, match=r"rows=4 .* max_tokens=10 .* lower rows"),
    ):
        ours.generate(PROMPTS, COUNTS, seed=9)


def test_compiled_calls_have_few_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = tiny()
    whole = model.generate
    seen: list[int] = []

    def watched(*, input_ids: torch.Tensor, **rest: object) -> object:
        seen.append(input_ids.shape[0])
        return whole(input_ids=input_ids, **rest)

    monkeypatch.setattr(model, "generate", watched)
    for rollouts in (1, 3, 5, 11, 12):
        counts = np.array([rollouts])
        made = engine(model, rows=11, compiled=True).generate(PROMPTS[:1], counts, seed=0)
        assert made.tokens.shape[0] == rollouts
    assert seen == [1, 4, 8, 11, 11, 1]


@pytest.mark.parametrize(
    ("prompts", "rollouts", "message"),
    [
        (PROMPTS, [1, 1], r"rollouts=\[1, 1\] for 4 prompts"),
        (PROMPTS[:2], [2, -1], "0 or more"),
        (PROMPTS[:2], [0, 0], "at least one rollout"),
        ([], [], "at least one rollout"),
        ([PROMPTS[0], np.zeros(0, int)], [1, 1], "prompt 1 is empty"),
        ([np.ones(31, int)], [1], "31 tokens and max_tokens=10 exceed the 40 positions"),
    ],
)
def test_what_cannot_be_generated_is_refused(
    prompts: list[np.ndarray], rollouts: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        engine(tiny()).generate(prompts, np.array(rollouts, int), seed=0)


def test_the_longest_prompt_that_fits_is_taken() -> None:
    made = engine(tiny()).generate([np.ones(30, int)], np.array([1]), seed=0)
    assert made.lengths[0] <= 10


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"max_tokens": 0}])
def test_counts_are_checked(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}=0"):
        engine(tiny(), **wrong)


def test_an_engine_of_shared_weights_follows_by_itself() -> None:
    model = tiny()
    ours = engine(model)
    assert isinstance(ours, Engine)
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(0.5)
    ours.sleep()
    ours.sync()
    made = ours.generate(PROMPTS, COUNTS, seed=1)
    np.testing.assert_allclose(made.logprobs, scored(model, COUNTS, made), rtol=0, atol=1e-5)
    ours.close()
