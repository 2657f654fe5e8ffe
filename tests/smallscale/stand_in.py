"""A stand-in for Qwen2.5-Math-1.5B: every file and field as the hub has them, but small.

`stand_in(folder)` saves a randomly initialised model with the fields of its configuration
(tied embeddings, no sliding window, end 151643 scaled down to the vocabulary), a byte-level
tokenizer with its special tokens and its chat template, and its generation settings. What is
loaded from there passes through exactly the code that loads the real one.

The fields are those of huggingface.co/Qwen/Qwen2.5-Math-1.5B as far as public sources quote
them: `SHAPES["qwen2.5-math-1.5b"]`, `bos_token_id` and `eos_token_id` the id of <|endoftext|>,
`max_window_layers` 21, greedy generation of at most 2048 tokens.
"""

from dataclasses import replace
from pathlib import Path

from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen2ForCausalLM

from smallscale.models import SHAPES, configuration, fresh, save

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
SYSTEM = r"Please reason step by step, and put your final answer within \boxed{}."
CHAT = (
    "{% if messages[0]['role'] != 'system' %}"
    "<|im_start|>system\n" + SYSTEM + "<|im_end|>\n"
    "{% endif %}"
    "{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level tokenizer without merges: 256 bytes, then the three special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token=SPECIAL[0],
        pad_token=SPECIAL[0],
        additional_special_tokens=list(SPECIAL[1:]),
        model_max_length=SHAPES["qwen2.5-math-1.5b"].positions,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT,
    )


def stand_in(folder: Path, *, seed: int = 0) -> Path:
    """The folder, now holding the stand-in; `smallscale.models.load` reads it."""
    tokenizer = byte_tokenizer()
    end = tokenizer.convert_tokens_to_ids(SPECIAL[0])
    assert isinstance(end, int)
    small = {"hidden": 24, "layers": 2, "heads": 6, "kv_heads": 1, "intermediate": 140}
    shape = replace(
        SHAPES["qwen2.5-math-1.5b"], **small, vocabulary=len(tokenizer) + 5, end=end
    )
    model: Qwen2ForCausalLM = fresh(shape, seed=seed)
    model.config.bos_token_id = end
    model.config.max_window_layers = 21
    model.generation_config = GenerationConfig(
        bos_token_id=end, eos_token_id=end, do_sample=False, max_new_tokens=2048
    )
    assert model.config.to_dict().keys() == configuration(shape).to_dict().keys()
    save(model, tokenizer, folder)
    return folder
