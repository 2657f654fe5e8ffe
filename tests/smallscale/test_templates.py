"""Templates: the texts letter by letter, and each special token exactly once."""

import pytest

from selection.settings import SettingError
from smallscale.templates import (
    END,
    INSTRUCTION,
    START,
    TEMPLATES,
    Prompt,
    asked,
    check,
    render,
)
from tests.smallscale.letters import MARKUP, SPECIAL, letters

PROBLEM = "What is 1+1?"
CHAT = [{"role": "user", "content": "What is 1+1? Answer in a box."}]
SYSTEM = "<|im_start|>system\nPlease reason step by step, and put your final answer within "
COT = (
    SYSTEM + "\\boxed{}.<|im_end|>\n"
    "<|im_start|>user\nWhat is 1+1?<|im_end|>\n<|im_start|>assistant\n"
)


@pytest.mark.parametrize("markup", [MARKUP, None])
def test_the_chain_of_thought_prompt_of_qwen(markup: str | None) -> None:
    """The tokenizer's markup, and ours where it has none, are the same."""
    assert render("qwen2.5-math", letters(markup=markup), PROBLEM) == COT


@pytest.mark.parametrize("markup", [MARKUP, None])
def test_a_chat_brings_its_own_instruction(markup: str | None) -> None:
    """Qwen's markup puts its system message before a chat without one, and only then."""
    tokenizer = letters(markup=markup)
    alone = render("qwen2.5-math", tokenizer, CHAT)
    assert alone == COT.replace(PROBLEM, CHAT[0]["content"])
    system = [{"role": "system", "content": "Be brief."}, *CHAT]
    text = render("qwen2.5-math", tokenizer, system)
    assert text.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat")
    assert INSTRUCTION not in text
    assert text.endswith("box.<|im_end|>\n<|im_start|>assistant\n")


def test_the_tokenizers_own_markup_is_what_counts() -> None:
    own = letters(markup="{% for m in messages %}[{{ m.role }}:{{ m.content }}]{% endfor %}")
    assert render("qwen2.5-math", own, CHAT) == f"[user:{CHAT[0]['content']}]"
    assert render("qwen2.5-math", own, "x") == f"[system:{INSTRUCTION}][user:x]"


@pytest.mark.parametrize(
    ("template", "prompt", "text"),
    [
        ("plain", PROBLEM, f"{PROBLEM}\n{INSTRUCTION}"),
        ("raw", PROBLEM, PROBLEM),
        ("plain", CHAT, CHAT[0]["content"]),
        ("raw", CHAT, CHAT[0]["content"]),
        (
            "raw",
            [{"role": "system", "content": "Be brief."}, *CHAT],
            "Be brief.\n\n" + CHAT[0]["content"],
        ),
    ],
)
def test_texts_without_chat_markup(template: str, prompt: Prompt, text: str) -> None:
    assert render(template, letters(), prompt) == text
    assert render(template, letters(begins=True), prompt) == f"<s>{text}"


def test_the_beginning_token_comes_once_however_the_tokenizer_sets_it() -> None:
    tokenizer = letters(begins=True)
    for template, times in {"qwen2.5-math": 0, "plain": 1, "raw": 1}.items():
        text = render(template, tokenizer, PROBLEM)
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert ids.count(tokenizer.bos_token_id) == times, template
    assert (
        tokenizer(PROBLEM)["input_ids"]
        == tokenizer(render("raw", tokenizer, PROBLEM), add_special_tokens=False)["input_ids"]
    )


def test_chat_markup_is_made_of_single_tokens() -> None:
    tokenizer = letters()
    ids = tokenizer(COT, add_special_tokens=False)["input_ids"]
    assert [ids.count(tokenizer.convert_tokens_to_ids(token)) for token in (START, END)] == [
        3,
        2,
    ]
    assert "".join(tokenizer.convert_ids_to_tokens(ids)) == COT


def test_what_a_chat_asks_is_what_no_system_message_says() -> None:
    assert asked("x") == "x"
    assert asked([{"role": "system", "content": "s"}, *CHAT]) == CHAT[0]["content"]
    assert asked([{"role": "system", "content": "s"}]) == ""


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_that_the_tokenizer_can_write_pass(template: str) -> None:
    check(template, letters())
    check(template, letters(markup=None))


def test_an_unknown_template_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        SettingError, match=r"template 'qwen-math': did you mean 'qwen2\.5-math'"
    ):
        check("qwen-math", letters())


def test_markup_that_would_be_spelled_out_letter_by_letter_is_refused() -> None:
    bare = letters(markup=None, special=tuple(t for t in SPECIAL if t != END))
    with pytest.raises(SettingError, match=r"no chat template and no token <\|im_end\|>: use"):
        check("qwen2.5-math", bare)
    check("plain", bare)


def test_a_chat_that_the_markup_refuses_is_told_in_one_line() -> None:
    strict = letters(markup="{{ raise_exception('no system role') }}")
    with pytest.raises(
        SettingError, match=r"refuses a prompt \(no system role\): use .*'plain'"
    ):
        render("qwen2.5-math", strict, PROBLEM)
