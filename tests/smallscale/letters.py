"""A tokenizer of single characters, with chat markup like that of Qwen2.5-Math."""

from typing import Any

from tokenizers import Tokenizer, models, processors
from transformers import PreTrainedTokenizerFast

from smallscale.templates import END, INSTRUCTION, START

SPECIAL = ("<|endoftext|>", "<unk>", "<s>", START, END)
CHARACTERS = ("\n", *map(chr, range(32, 127)))
BACKSLASHED = INSTRUCTION.replace("\\", "\\\\")
MARKUP = (
    "{% if messages[0].role != 'system' %}"
    f"{START}system\n{{{{ '{BACKSLASHED}' }}}}{END}\n"
    "{% endif %}{% for message in messages %}"
    f"{START}{{{{ message.role }}}}\n{{{{ message.content }}}}{END}\n"
    f"{{% endfor %}}{{% if add_generation_prompt %}}{START}assistant\n{{% endif %}}"
)


def letters(
    *,
    markup: str | None = MARKUP,
    special: tuple[str, ...] = SPECIAL,
    unknown: str | None = "<unk>",
    begins: bool = False,
) -> Any:  # noqa: ANN401
    """A tokenizer of ASCII characters; `begins` has every text begin with <s>."""
    vocabulary = {token: i for i, token in enumerate((*special, *CHARACTERS))}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token=unknown))
    if begins:
        core.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", vocabulary["<s>"])]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|endoftext|>",
        bos_token="<s>",
        unk_token=unknown,
        additional_special_tokens=[token for token in special if token in (START, END)],
    )
    tokenizer.chat_template = markup
    return tokenizer
