"""The prompts of a run, from a file or from a named data set of the hub.

Nothing is dropped in silence. Rows that make no prompt are counted by the first of these
reasons that applies, so that rows = prompts + all that is left out:

1. the problem is empty, the answer is empty, or a solution has no boxed answer;
2. an earlier row has the same prompt (with the same answer or with another), or the same key
   for another prompt: the earlier row is kept;
3. the text, template included, is longer than the limit or has no tokens, or holds what the
   tokenizer does not know.

Duplicates are sought before anything is tokenized: the second copy of a prompt that is too
long is a duplicate.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from selection.checks import counts
from selection.settings import SettingError
from smallscale.hub import fetched
from smallscale.prompts import Prompts
from smallscale.rows import Row, stored
from smallscale.templates import DEFAULT, asked, check, render

AT_ONCE = 1_000  # prompts tokenized together: a fast tokenizer keeps far more than the ids

Tokenized = tuple[Row, str, Int[np.ndarray, "_"]]


def load(
    source: str,
    tokenizer: Any,  # noqa: ANN401
    *,
    template: str = DEFAULT,
    max_prompt_tokens: int,
) -> Prompts:
    """The prompts of a data set, in its order, and the count of rows that make none.

    Args:
        source: The path of a .jsonl or .parquet file, or a name in `smallscale.hub.HUB`.
        tokenizer: A tokenizer of transformers.
        template: A name in `smallscale.templates.TEMPLATES`.
        max_prompt_tokens: The longest prompt that is kept, template included, in tokens.

    Raises:
        ValueError: The source, the template or the limit is wrong, a row cannot be read, or no
            row makes a prompt.
        OSError: The file cannot be read.
    """
    counts(max_prompt_tokens=max_prompt_tokens)
    check(template, tokenizer)
    left_out: Counter[str] = Counter()
    fresh = list(_fresh(_rows(source), left_out))
    texts = [render(template, tokenizer, row.prompt) for row in fresh]
    kept = list(_fitting(fresh, texts, tokenizer, max_prompt_tokens, left_out))
    if not kept:
        raise SettingError(f"{source} has no usable prompt: {_counted(left_out) or 'no rows'}")
    return Prompts(
        keys=tuple(row.key for row, _, _ in kept),
        texts=tuple(text for _, text, _ in kept),
        tokens=tuple(tokens for _, _, tokens in kept),
        answers=tuple(row.answer or "" for row, _, _ in kept),
        families=tuple(row.family for row, _, _ in kept),
        left_out=dict(left_out),
    )


def summary(prompts: Prompts) -> str:
    """One line for the console: how many prompts there are, how long, and what is left out."""
    sizes = [tokens.size for tokens in prompts.tokens]
    plural = "s" if len(prompts) > 1 else ""
    line = f"{len(prompts):,} prompt{plural} of {min(sizes):,} to {max(sizes):,} tokens"
    lacking = sum(prompts.left_out.values())
    if not lacking:
        return f"{line}; none of the rows left out"
    of = f"{lacking:,} of {len(prompts) + lacking:,} rows"
    return f"{line}; left out {of}: {_counted(prompts.left_out)}"


def _rows(source: str) -> Iterator[Row]:
    path = Path(source)
    return stored(path) if path.suffix else fetched(source)


def _fresh(rows: Iterable[Row], left_out: Counter[str]) -> Iterator[Row]:
    """The rows with a problem and an answer that no earlier one has."""
    answers: dict[str, str | None] = {}
    keys: set[str] = set()
    for row in rows:
        reason = _lack(row)
        if not reason and row.content in answers:
            same = answers[row.content] == row.answer
            reason = "duplicate prompt" if same else "duplicate prompt with another answer"
        elif not reason and row.key in keys:
            reason = "duplicate key"
        if reason:
            left_out[reason] += 1
            continue
        answers[row.content] = row.answer
        keys.add(row.key)
        yield row


def _lack(row: Row) -> str:
    """What a row lacks to be a prompt; empty if nothing."""
    if not asked(row.prompt).strip():
        return "empty problem"
    if row.answer is None:
        return "no boxed answer in the solution"
    return "" if row.answer else "empty answer"


def _fitting(
    rows: list[Row],
    texts: list[str],
    tokenizer: Any,  # noqa: ANN401
    limit: int,
    left_out: Counter[str],
) -> Iterator[Tokenized]:
    """The rows whose texts are at most `limit` known tokens."""
    for start in range(0, len(rows), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        many = tokenizer(texts[part], add_special_tokens=False, verbose=False)["input_ids"]
        for row, text, ids in zip(rows[part], texts[part], many, strict=True):
            reason = _misfit(ids, tokenizer.unk_token_id, limit)
            if reason:
                left_out[reason] += 1
            else:
                yield row, text, np.array(ids, np.int64)


def _misfit(ids: list[int], unknown: int | None, limit: int) -> str:
    """Why tokens make no prompt; empty if they do."""
    if len(ids) > limit:
        return f"longer than {limit} tokens"
    if not ids:
        return "empty problem"
    return "unknown to the tokenizer" if unknown in ids else ""


def _counted(left_out: Mapping[str, int]) -> str:
    """The reasons, the most frequent first."""
    ranked = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{rows:,} {reason}" for reason, rows in ranked)
