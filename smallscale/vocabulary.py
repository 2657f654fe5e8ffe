"""A tokenizer with one token per character, for the built-in tasks.

One special token ends a rollout and pads as well, as in the base models of Qwen2.5-Math: every
other token that a model can draw shows in the decoded text.
"""

from tokenizers import Regex, Tokenizer, decoders
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import PreTrainedTokenizerFast

END = "<end>"


def character_tokenizer(characters: str, *, positions: int = 4096) -> PreTrainedTokenizerFast:
    """A tokenizer whose tokens are these characters, in order, and the end after them.

    Decoding gives the text back unchanged; a character it does not know is refused by its
    `encode` rather than dropped.

    Args:
        characters: Each once.
        positions: Tokens that its models hold.

    Raises:
        ValueError: There is no character, or one comes twice.
    """
    if not characters or len(set(characters)) < len(characters):
        raise ValueError(f"characters={characters!r} must hold each character once")
    names = [*characters, END]
    core = Tokenizer(WordLevel({name: i for i, name in enumerate(names)}))
    core.pre_tokenizer = Split(Regex(r"[\s\S]"), "isolated")
    core.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token=END,
        pad_token=END,
        model_max_length=positions,
        clean_up_tokenization_spaces=False,
    )
