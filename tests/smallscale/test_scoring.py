from typing import Any

import numpy as np
import pytest
import torch

from smallscale import scoring
from smallscale.rollouts import Rollouts
from smallscale.scoring import score, sequences
from tests.smallscale.policies import VOCABULARY, gradient, qwen, sampled

PROMPTS = tuple(np.arange(1, 1 + size) for size in (3, 1, 5, 2))
ROLLOUTS = sampled([4, 6, 1, 3], np.random.default_rng(1))
MODEL = qwen()


def alone(row: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities and entropies of one rollout by the model's own forward pass."""
    prompt, length = PROMPTS[row], ROLLOUTS.lengths[row]
    ids = torch.from_numpy(np.concatenate([prompt, ROLLOUTS.tokens[row, :length]]))
    every = MODEL(input_ids=ids[None]).logits[0].log_softmax(-1)[prompt.size - 1 : -1]
    chosen = every.gather(1, ids[prompt.size :, None])[:, 0]
    return chosen, -(every.exp() * every).sum(-1)


@pytest.mark.parametrize("row", range(4))
def test_a_rollout_scores_as_it_would_alone(row: int) -> None:
    with torch.no_grad():
        got, (logprobs, entropy) = score(MODEL, PROMPTS, ROLLOUTS), alone(row)
    length = ROLLOUTS.lengths[row]
    for found, expected in ((got.logprobs, logprobs), (got.entropy, entropy)):
        torch.testing.assert_close(found[row, :length], expected, rtol=0, atol=1e-12)
        assert not found[row, length:].any()


def test_padding_has_no_effect_whatever_it_holds() -> None:
    noisy = np.where(ROLLOUTS.mask, ROLLOUTS.tokens, 9)
    other = Rollouts(noisy, ROLLOUTS.logprobs, ROLLOUTS.lengths, ROLLOUTS.finished)
    with torch.no_grad():
        pair = [score(MODEL, PROMPTS, rollouts).logprobs for rollouts in (ROLLOUTS, other)]
    assert torch.equal(*pair)


def test_sequences_and_where_their_rollouts_are_drawn_from() -> None:
    tokens = np.array([[8, 9], [7, 0]])
    rollouts = Rollouts(tokens, np.zeros((2, 2)), np.array([2, 1]), np.ones(2, bool))
    ids, before = sequences((np.array([1]), np.array([2, 3])), rollouts)
    assert ids.tolist() == [[1, 8, 9], [2, 3, 7]]
    assert before.tolist() == [[True, True, False], [False, True, False]]


def test_only_tokens_of_rollouts_are_projected_onto_the_vocabulary() -> None:
    seen: list[tuple[int, ...]] = []

    def note(_: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:  # noqa: ANN401
        seen.extend([tuple(inputs[0].shape), tuple(output.shape)])

    handle = MODEL.lm_head.register_forward_hook(note)
    score(MODEL, PROMPTS, ROLLOUTS)
    handle.remove()
    tokens = int(ROLLOUTS.lengths.sum())
    assert seen == [(tokens, 16), (tokens, VOCABULARY)]


def scored_and_gradient() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    model = qwen()
    got = score(model, PROMPTS, ROLLOUTS)
    (got.logprobs * torch.arange(24.0).view(4, 6)).sum().backward()
    return got.logprobs.detach(), got.entropy, gradient(model)


@pytest.mark.parametrize("tokens", [1, 5, 13, 14])
def test_pieces_make_no_difference(tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The 14 tokens projected all at once, and a few at a time."""
    whole = scored_and_gradient()
    most: list[int] = []
    project = scoring.token_scores

    def noting(head: Any, states: Any, chosen: Any) -> Any:  # noqa: ANN401
        most.append(chosen.numel())
        return project(head, states, chosen)

    monkeypatch.setattr(scoring, "MOST_LOGITS", tokens * VOCABULARY)
    monkeypatch.setattr(scoring, "token_scores", noting)
    pieces = scored_and_gradient()
    for got, expected in zip(pieces, whole, strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-12)
    assert max(most) == tokens
    assert sum(most) == (14 if tokens == 14 else 28)  # made again in the backward pass


def test_half_precision_is_normalized_in_single() -> None:
    """Rounded to bfloat16, log-probabilities would be multiples of 1/128 beyond 1."""
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        got = score(qwen(torch.float32), PROMPTS, ROLLOUTS)
    assert got.logprobs.dtype == got.entropy.dtype == torch.float32
    exact = score(MODEL, PROMPTS, ROLLOUTS).logprobs
    torch.testing.assert_close(got.logprobs.double(), exact, rtol=0, atol=0.2)
    assert (got.logprobs != got.logprobs.bfloat16().float()).any()


def test_gradients_flow_to_log_probabilities_alone() -> None:
    got = score(MODEL, PROMPTS, ROLLOUTS)
    assert got.logprobs.requires_grad
    assert not got.entropy.requires_grad


def test_what_would_be_scored_wrongly_is_refused() -> None:
    with pytest.raises(ValueError, match="no token"):
        score(MODEL, (np.zeros(0, int), *PROMPTS[1:]), ROLLOUTS)
    capped = qwen(final_logit_softcapping=30.0)
    with pytest.raises(ValueError, match="final_logit_softcapping"):
        score(capped, PROMPTS, ROLLOUTS)
