"""Prompts from rows: each reason by hand, that every row is accounted for, and stable keys."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.settings import SettingError
from smallscale.prompts import Prompts
from smallscale.sources import load, summary
from smallscale.templates import INSTRUCTION
from tests.smallscale.letters import letters

LETTERS = letters()
LIMIT = 12
REASONS = {
    "empty problem",
    "empty answer",
    "duplicate prompt",
    "duplicate prompt with another answer",
    "duplicate key",
    f"longer than {LIMIT} tokens",
    "unknown to the tokenizer",
}


def row(problem: object, answer: object = "1", **more: object) -> dict[str, object]:
    return {"problem": problem, "answer": answer, **more}


def loaded(folder: Path, *rows: Mapping[str, object], **changes: Any) -> Prompts:  # noqa: ANN401
    path = folder / "sums.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    settings: dict[str, Any] = {
        "tokenizer": LETTERS,
        "template": "raw",
        "max_prompt_tokens": LIMIT,
        **changes,
    }
    return load(str(path), **settings)


def test_prompts_by_hand(tmp_path: Path) -> None:
    prompts = loaded(tmp_path, row("1+1=", 2, id="a"), row("10+10=", "20", id=7))
    assert prompts.keys == ("a", "7")
    assert prompts.texts == ("1+1=", "10+10=")
    assert prompts.answers == ("2", "20")
    assert prompts.families == ("sums", "sums")
    assert prompts.left_out == {}
    pieces = [LETTERS.convert_ids_to_tokens(tokens.tolist()) for tokens in prompts.tokens]
    assert pieces == [list("1+1="), list("10+10=")]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([row(" ")], "empty problem"),
        ([row(" ", id="k")], "empty problem"),
        ([row(None)], "empty problem"),
        (
            [row([{"role": "system", "content": "s"}, {"role": "user", "content": "\n"}])],
            "empty problem",
        ),
        ([row([])], "empty problem"),
        ([row("x", "")], "empty answer"),
        ([row("x", None)], "empty answer"),
        ([row("kept")], "duplicate prompt"),
        ([row("kept", id="k")], "duplicate prompt"),
        ([row("kept", id="other")], "duplicate prompt"),
        ([row("kept", "2")], "duplicate prompt with another answer"),
        ([row("x", id="k")], "duplicate key"),
        ([row("x" * 13)], "longer than 12 tokens"),
        ([row("\u00e9")], "unknown to the tokenizer"),
    ],
)
def test_what_makes_no_prompt_is_counted_by_its_reason(
    tmp_path: Path, rows: list[dict[str, object]], reason: str
) -> None:
    prompts = loaded(tmp_path, row("kept", id="k"), *rows)
    assert prompts.keys == ("k",)
    assert prompts.answers == ("1",)
    assert prompts.left_out == {reason: 1}


def test_the_limit_is_the_longest_that_is_kept(tmp_path: Path) -> None:
    assert len(loaded(tmp_path, row("x" * 12))) == 1
    prompts = loaded(tmp_path, row("x"), row("y" * 12), max_prompt_tokens=11)
    assert prompts.left_out == {"longer than 11 tokens": 1}


def test_the_limit_counts_the_template(tmp_path: Path) -> None:
    size = len(f"1+1=\n{INSTRUCTION}")
    assert (
        loaded(tmp_path, row("1+1="), template="plain", max_prompt_tokens=size).tokens[0].size
        == size
    )
    with pytest.raises(SettingError, match=f"1 longer than {size - 1} tokens"):
        loaded(tmp_path, row("1+1="), template="plain", max_prompt_tokens=size - 1)


def test_a_row_that_is_left_out_early_holds_no_place(tmp_path: Path) -> None:
    """The id of a row without an answer is free; one that is too long is still a prompt."""
    prompts = loaded(tmp_path, row("x", "", id="a"), row("x", "3", id="a"))
    assert (prompts.keys, prompts.answers) == (("a",), ("3",))
    prompts = loaded(tmp_path, row("x"), row("y" * 13), row("y" * 13))
    assert prompts.left_out == {"longer than 12 tokens": 1, "duplicate prompt": 1}


def test_a_text_of_no_tokens_is_empty(tmp_path: Path) -> None:
    """A tokenizer without a token for what it does not know skips it."""
    silent = letters(unknown=None)
    prompts = loaded(tmp_path, row("x"), row("\u00e9"), tokenizer=silent)
    assert prompts.left_out == {"empty problem": 1}


def test_special_tokens_come_once(tmp_path: Path) -> None:
    prompts = loaded(tmp_path, row("1+1="), tokenizer=letters(begins=True))
    assert prompts.texts == ("<s>1+1=",)
    assert prompts.tokens[0].size == 5


def test_chat_rows_of_verl_go_through_the_markup(tmp_path: Path) -> None:
    chat = {
        "data_source": "dapo",
        "prompt": [{"role": "user", "content": "1+1?"}],
        "reward_model": {"style": "rule", "ground_truth": "2"},
        "extra_info": {"split": "train", "index": 3},
    }
    prompts = loaded(tmp_path, chat, template="qwen2.5-math", max_prompt_tokens=500)
    assert (prompts.keys, prompts.families) == (("dapo/3",), ("dapo",))
    (text,) = prompts.texts
    assert text.endswith("<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n")
    assert text.count(INSTRUCTION) == 1


def test_more_prompts_than_are_tokenized_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smallscale.sources.AT_ONCE", 3)
    numbers = [f"{i}+{i}=" for i in range(8)]
    prompts = loaded(tmp_path, *map(row, numbers))
    spelled = ["".join(LETTERS.convert_ids_to_tokens(t.tolist())) for t in prompts.tokens]
    assert spelled == list(prompts.texts) == numbers


def test_solutions_without_a_box_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"problem": "p", "solution": "so \\boxed{7}"},
        {"problem": "q", "solution": "so 7"},
        {"problem": "r", "solution": "\\boxed{ }"},
    ]
    stand_in = SimpleNamespace(load_dataset=lambda *_, **__: rows)
    monkeypatch.setitem(sys.modules, "datasets", stand_in)  # pyright: ignore[reportArgumentType]
    prompts = load("numinamath", LETTERS, template="raw", max_prompt_tokens=LIMIT)
    assert prompts.answers == ("7",)
    assert prompts.left_out == {"no boxed answer in the solution": 1, "empty answer": 1}


PROBLEMS = st.one_of(
    st.sampled_from(["", " ", "1+1=", "2+2=", "x" * 13, "\u00e9"]), st.text(max_size=14)
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"problem": PROBLEMS, "answer": st.sampled_from(["", "1", 2, None])},
        optional={"id": st.sampled_from(["a", "b", 3, None])},
    ),
    min_size=1,
    max_size=12,
)


@given(ROWS)
def test_every_row_is_a_prompt_or_counted(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    prompts = loaded(tmp_path_factory.getbasetemp(), row("sure", id="sure"), *rows)
    assert set(prompts.left_out) <= REASONS
    assert len(prompts) + sum(prompts.left_out.values()) == 1 + len(rows)
    assert len(set(prompts.texts)) == len(prompts)
    assert all(prompts.answers)


@given(st.permutations([f"{i}+{i}=" for i in range(6)]))
def test_keys_do_not_hang_on_the_order_of_rows(
    tmp_path_factory: pytest.TempPathFactory, problems: list[str]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    prompts = loaded(folder, *map(row, problems))
    plain = loaded(folder, *map(row, sorted(problems)), template="plain", max_prompt_tokens=500)
    assert prompts.texts == tuple(problems)
    assert dict(zip(problems, prompts.keys, strict=True)) == dict(
        zip(sorted(problems), plain.keys, strict=True)
    )


def test_a_source_without_a_usable_prompt_is_refused_with_the_counts(tmp_path: Path) -> None:
    with pytest.raises(SettingError) as refused:
        loaded(tmp_path, row(" "), row("x", ""), row("y", ""))
    path = tmp_path / "sums.jsonl"
    assert str(refused.value) == f"{path} has no usable prompt: 2 empty answer, 1 empty problem"
    with pytest.raises(SettingError, match=r"sums\.jsonl has no usable prompt: no rows"):
        loaded(tmp_path)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"template": "row"}, "unknown template 'row': did you mean 'raw'"),
        ({"max_prompt_tokens": 0}, "max_prompt_tokens=0 must be a whole number of at least 1"),
    ],
)
def test_wrong_settings_are_refused(
    tmp_path: Path, changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        loaded(tmp_path, row("x"), **changes)


def test_sources_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="unknown data set 'math50': did you mean 'math500'"):
        load("math50", LETTERS, max_prompt_tokens=9)
    with pytest.raises(SettingError, match=r"x\.json must be named"):
        load("x.json", LETTERS, max_prompt_tokens=9)
    with pytest.raises(FileNotFoundError):
        load(str(tmp_path / "x.jsonl"), LETTERS, max_prompt_tokens=9)


def test_the_summary_is_one_line(tmp_path: Path) -> None:
    prompts = loaded(tmp_path, row("1+1="), row("10+10="))
    assert summary(prompts) == "2 prompts of 4 to 6 tokens; none of the rows left out"
    prompts = loaded(tmp_path, row("1+1="), row("x", ""), row("y", ""), row("x" * 13))
    assert summary(prompts) == (
        "1 prompt of 4 to 4 tokens; left out 3 of 4 rows: "
        "2 empty answer, 1 longer than 12 tokens"
    )
