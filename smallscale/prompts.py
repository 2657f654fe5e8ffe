"""The prompts of a run: what the model is asked, and the answers that a verifier expects."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np
from jaxtyping import Int


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """M prompts, tokenized.

    Attributes:
        keys: A name for each prompt that stays the same from run to run; all distinct.
        texts: What the model reads, template included.
        tokens: The same, as token ids.
        answers: What a verifier compares a rollout's answer with.
        families: The kind of each prompt, for reports: a task family or a data source.
        left_out: Rows of the source that are no prompts here, counted by reason.
    """

    keys: tuple[str, ...]
    texts: tuple[str, ...]
    tokens: tuple[Int[np.ndarray, "_"], ...]  # of any lengths
    answers: tuple[str, ...]
    families: tuple[str, ...]
    left_out: Mapping[str, int] = field(default_factory=dict[str, int])

    def __post_init__(self) -> None:
        sizes = {len(column) for column in (self.texts, self.tokens, self.answers)}
        if sizes != {len(self.keys)} or len(self.families) != len(self.keys):
            raise ValueError(f"columns of {sizes} entries for {len(self.keys)} prompts")
        if len(set(self.keys)) < len(self.keys):
            raise ValueError("two prompts have the same key")

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def digest(self) -> str:
        """What tells these prompts, in this order, from any others."""
        told = sha256()
        for key, tokens, answer in zip(self.keys, self.tokens, self.answers, strict=True):
            told.update(repr((key, tokens.tolist(), answer)).encode())
        return told.hexdigest()[:16]

    def first(self, most: int) -> "Prompts":
        """The first of the prompts, at most so many."""
        return replace(
            self,
            keys=self.keys[:most],
            texts=self.texts[:most],
            tokens=self.tokens[:most],
            answers=self.answers[:most],
            families=self.families[:most],
        )
