"""Prompt templates: from a problem, or a chat, to the text that a model reads.

A template is named in a run's settings, because it decides what is measured: the same model
scores very differently with and without its chat markup.

- `qwen2.5-math`: the chain-of-thought prompt of Qwen2.5-Math (Yang et al., arXiv 2409.12122):
  its system message, then the problem as the user's. SPEED's scripts train with the chat
  template on.
- `plain`: no chat markup; the problem, and the same instruction on a line of its own.
- `raw`: the problem alone, for tasks whose prompts are complete as they are.

A row that is a chat already (verl's schema) brings its own instruction, and none is added: the
first template applies the tokenizer's markup to it, the other two join what its messages say.
Qwen2.5-Math's own markup puts its system message before a chat that has none.

Texts are complete: they are tokenized without further special tokens, so that none comes twice.
Without chat markup a text begins with the token that the tokenizer begins every text with.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from jinja2 import TemplateError

from selection.settings import SettingError, nearest

INSTRUCTION = r"Please reason step by step, and put your final answer within \boxed{}."
START, END = "<|im_start|>", "<|im_end|>"
TEMPLATES: Mapping[str, str] = MappingProxyType(
    {
        "qwen2.5-math": "chat markup, with the system message of Qwen2.5-Math",
        "plain": "no chat markup; the problem, then the instruction of Qwen2.5-Math",
        "raw": "the problem alone",
    }
)
DEFAULT = "qwen2.5-math"

Message = Mapping[str, str]  # role and content
Prompt = str | Sequence[Message]  # a problem or a chat


def check(template: str, tokenizer: Any) -> None:  # noqa: ANN401
    """Nothing, if the template exists and the tokenizer can write it.

    Raises:
        SettingError: There is no such template, or the tokenizer has no chat markup.
    """
    if template not in TEMPLATES:
        raise nearest(template, list(TEMPLATES), "template")
    if template == DEFAULT and not tokenizer.chat_template:
        missing = {START, END} - set(tokenizer.get_vocab())
        if missing:
            raise SettingError(
                f"the tokenizer has no chat template and no token {min(missing)}: "
                "use template 'plain' or 'raw'"
            )


def render(template: str, tokenizer: Any, prompt: Prompt) -> str:  # noqa: ANN401
    """The text that a model reads; tokenize it without adding special tokens.

    Args:
        template: A name in `TEMPLATES` that `check` lets pass.
        tokenizer: A tokenizer of transformers.
        prompt: A problem, or the messages of a chat.

    Raises:
        SettingError: The tokenizer's chat template refuses the messages.
    """
    if template == DEFAULT:
        return _chat(tokenizer, prompt)
    text = prompt if isinstance(prompt, str) else _joined(prompt)
    if template == "plain" and isinstance(prompt, str):
        text = f"{prompt}\n{INSTRUCTION}"
    return _beginning(tokenizer) + text


def asked(prompt: Prompt) -> str:
    """What a prompt asks: the problem, or all that a chat says but for system messages."""
    if isinstance(prompt, str):
        return prompt
    return _joined([message for message in prompt if message["role"] != "system"])


def _joined(messages: Sequence[Message]) -> str:
    return "\n\n".join(message["content"] for message in messages)


def _chat(tokenizer: Any, prompt: Prompt) -> str:  # noqa: ANN401
    system = {"role": "system", "content": INSTRUCTION}
    if isinstance(prompt, str):
        messages = [system, {"role": "user", "content": prompt}]
    else:
        messages = [dict(message) for message in prompt]
    if not tokenizer.chat_template:
        return _chatml(messages if messages[0]["role"] == "system" else [system, *messages])
    try:
        return tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
    except TemplateError as error:
        raise SettingError(
            f"the tokenizer's chat template refuses a prompt ({error}): use template 'plain'"
        ) from error


def _chatml(messages: Sequence[Message]) -> str:
    """A chat in the markup of Qwen, up to where the model's turn begins."""
    turns = [f"{START}{m['role']}\n{m['content']}{END}\n" for m in messages]
    return "".join(turns) + f"{START}assistant\n"


def _beginning(tokenizer: Any) -> str:  # noqa: ANN401
    """The token that the tokenizer puts before every text, if it does so."""
    first = tokenizer("")["input_ids"][:1]
    return tokenizer.bos_token if first and first[0] == tokenizer.bos_token_id else ""
