"""One token per character, there and back, also from disk."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from smallscale.tasks import TASKS
from smallscale.vocabulary import END, character_tokenizer

CHARACTERS = "01 .=+a:\n"
TOKENIZER: Any = character_tokenizer(CHARACTERS)


@given(st.text(alphabet=CHARACTERS, min_size=1))
def test_text_comes_back_unchanged(text: str) -> None:
    ids = TOKENIZER.encode(text)
    assert ids == [CHARACTERS.index(c) for c in text]
    assert TOKENIZER.decode(ids) == text
    end = TOKENIZER.eos_token_id
    assert TOKENIZER.decode([*ids, end], skip_special_tokens=True) == text


def test_the_end_pads_and_is_the_last_token() -> None:
    assert len(TOKENIZER) == len(CHARACTERS) + 1
    assert TOKENIZER.eos_token_id == TOKENIZER.pad_token_id == len(CHARACTERS)
    assert TOKENIZER.decode([len(CHARACTERS)]) == END


def test_a_saved_tokenizer_is_the_same(tmp_path: Path) -> None:
    TOKENIZER.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "1 +0.\n= a:"
    assert loaded.encode(text) == TOKENIZER.encode(text)
    assert loaded.decode(loaded.encode(text)) == text
    assert len(loaded) == len(TOKENIZER)
    assert (loaded.eos_token_id, loaded.pad_token_id) == (len(CHARACTERS),) * 2
    assert loaded.model_max_length == TOKENIZER.model_max_length == 4096


def test_an_unknown_character_is_refused() -> None:
    with pytest.raises(Exception, match="UNK"):  # tokenizers raises nothing narrower
        TOKENIZER.encode("7")


@pytest.mark.parametrize("characters", ["", "aba"])
def test_bad_alphabets_are_refused(characters: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(characters))):
        character_tokenizer(characters)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_an_alphabet(name: str) -> None:
    assert len(character_tokenizer(TASKS[name].characters)) == len(TASKS[name].characters) + 1
