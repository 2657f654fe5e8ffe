"""Exact pass rates against products of conditional probabilities, and all rollouts at once."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from smallscale.models import SHAPES, fresh
from smallscale.pass_rates import pass_rates_exact, rollouts_of
from smallscale.prompts import Prompts
from smallscale.vocabulary import character_tokenizer

TOKENIZER = character_tokenizer("ab:")
END = len(TOKENIZER) - 1
MODEL: Any = fresh(
    replace(SHAPES["test"], vocabulary=len(TOKENIZER)), seed=0, dtype=torch.float64
)


def asked(texts: list[str], answers: list[str]) -> Prompts:
    return Prompts(
        keys=tuple(f"{i}" for i in range(len(texts))),
        texts=tuple(texts),
        tokens=tuple(np.array(TOKENIZER.encode(text)) for text in texts),
        answers=tuple(answers),
        families=("",) * len(texts),
    )


def test_a_pass_rate_is_a_product_of_conditionals() -> None:
    """Each prompt alone, token by token, without padding."""
    texts, answers = ["a:", "abba:", "b"], ["ab", "b", "bab"]
    rates = pass_rates_exact(MODEL, asked(texts, answers), TOKENIZER, chunk=2)
    for text, answer, rate in zip(texts, answers, rates, strict=True):
        ids, expected = TOKENIZER.encode(text), 1.0
        for token in [*TOKENIZER.encode(answer), END]:
            logits = MODEL(input_ids=torch.tensor([ids])).logits[0, -1].detach()
            expected *= float(logits.softmax(-1)[token])
            ids.append(token)
        assert rate == pytest.approx(expected, rel=1e-5)


def test_all_short_rollouts_together_have_probability_one() -> None:
    """Of one token and the end or of the end alone; what is left starts with two tokens."""
    short = ["", *"ab:"]
    rates = pass_rates_exact(MODEL, asked(["a:"] * 4, short), TOKENIZER)
    pairs = ["".join(pair) for pair in product("ab:", repeat=2)]
    longer = pass_rates_exact(MODEL, asked(["a:"] * 9, pairs), TOKENIZER)
    ids = torch.tensor([TOKENIZER.encode("a:" + pair) for pair in pairs])
    last = MODEL(input_ids=ids).logits[:, -1].softmax(-1)[:, END]
    started = longer / last.detach().numpy()  # probability of the pair, however it goes on
    assert rates.sum() + started.sum() == pytest.approx(1.0, abs=1e-5)


def test_texts_as_rollouts() -> None:
    rollouts = rollouts_of(("ab", "", "b:a"), TOKENIZER)
    assert rollouts.tokens.tolist() == [[0, 1, END, 0], [END, 0, 0, 0], [1, 2, 0, END]]
    assert rollouts.lengths.tolist() == [3, 1, 4]
    assert rollouts.finished.all()
    assert not rollouts.logprobs.any()
