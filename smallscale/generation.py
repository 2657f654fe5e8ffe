"""Rollouts from transformers' `generate`, with the exact log-probability of every token.

Hub models ship with settings of their own (Qwen2.5-Math with a temperature, a top-p and a
repetition penalty), which would make the policy that samples another one than the policy that
is trained. So nothing of a model's generation settings is used here: temperature is 1 and the
vocabulary is whole.

Tokens are drawn by ourselves: `generate` hands every step's logits to a logits processor,
which draws with a random generator of its own, by the Gumbel-max trick

    argmax_v (log p_v + g_v),  g_v = -log E_v,  E_v ~ Exp(1)    is v with probability p_v

notes log p of what it drew, and leaves that token as the largest, for greedy decoding to take.
Against `do_sample=True` this leaves the global generators alone, needs one pass over the
vocabulary less, and keeps one number a token where `output_scores` keeps the vocabulary: at
3,072 tokens and 152k words that is 12 kB a rollout instead of 1.9 GB. Reference: Gumbel-max in
Maddison, Tarlow and Minka, "A* Sampling", arXiv 1411.0030, section 2.

Axis legend: R rollouts, T tokens of the longest of them, K prompts, V words.
"""

import math
import warnings
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from selection.checks import counts
from smallscale.rollouts import Rollouts


class TransformersEngine:
    """An engine that samples from the trainer's own model, so that nothing needs a sync.

    Equal seeds and equal calls give equal rollouts for the same `rows`; on a CPU to the bit.

    Attributes:
        rows: Rollouts generated side by side at most; halved when memory runs out.
    """

    def __init__(
        self,
        model: Any,  # noqa: ANN401
        *,
        stop: Iterable[int],
        pad: int,
        max_tokens: int,
        rows: int = 256,
        compiled: bool = False,
        precision: str = "float32",
    ) -> None:
        """An engine for a causal language model of transformers.

        Args:
            model: The model that is trained.
            stop: Tokens that end a rollout; without any, all run to `max_tokens`.
            pad: A token to fill up with; it is never attended to and never returned.
            max_tokens: Limit of a rollout, without its prompt.
            rows: Rollouts generated side by side at most.
            compiled: Whether decoding uses a cache of fixed size, which transformers compiles
                on a GPU.
            precision: `bfloat16` generates as training in it computes: weights stay float32.

        Raises:
            ValueError: A count is below 1.
        """
        counts(max_tokens=max_tokens, rows=rows)
        self.model = model
        self.stop = sorted(set(stop))
        self.pad = pad
        self.max_tokens = max_tokens
        self.rows = rows
        self.compiled = compiled
        self.precision = precision

    def generate(
        self, prompts: Sequence[Int[np.ndarray, "_"]], rollouts: Int[np.ndarray, "K"], seed: int
    ) -> Rollouts:
        """See `Engine`.

        Raises:
            ValueError: Nothing is asked for, a prompt is empty or too long for the model, or
                memory does not suffice for half of `rows` either.
        """
        limit = self.model.config.max_position_embeddings
        check_order(prompts, rollouts, max_tokens=self.max_tokens, limit=limit)
        each = np.repeat(np.arange(len(prompts)), rollouts)
        try:
            return self._generate(prompts, each, seed)
        except torch.OutOfMemoryError:
            self.rows = max(1, self.rows // 2)
        self._free()  # out here, where the failed call's frames are gone with their tensors
        try:
            return self._generate(prompts, each, seed)
        except torch.OutOfMemoryError as error:
            raise ValueError(
                f"out of memory generating rows={self.rows} rollouts of up to"
                f" max_tokens={self.max_tokens} side by side: lower rows or max_tokens"
            ) from error

    def sync(self) -> None:
        """Nothing: the weights are shared."""

    def sleep(self) -> None:
        """Nothing: it has no memory of its own."""

    def close(self) -> None:
        """Nothing: the model is the trainer's."""

    def _free(self) -> None:
        """Memory handed back, and a word on what changes from here on."""
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        warnings.warn(
            f"out of memory while generating: going on with rows={self.rows}",
            RuntimeWarning,
            stacklevel=3,
        )

    def _generate(
        self, prompts: Sequence[Int[np.ndarray, "_"]], each: Int[np.ndarray, "R"], seed: int
    ) -> Rollouts:
        """One rollout of each prompt named, in calls of prompts about equally long."""
        sizes = np.array([prompt.size for prompt in prompts])
        order = np.argsort(sizes[each], kind="stable")
        starts = range(0, order.size, self.rows)
        seeds = np.random.SeedSequence(seed).generate_state(len(starts), np.uint64).tolist()
        parts: list[Rollouts] = []
        with sampling(self.model):
            for start, own in zip(starts, seeds, strict=True):
                side_by_side = each[order[start : start + self.rows]]
                parts.append(self._call([prompts[k] for k in side_by_side], own))
        return Rollouts.join(parts).take(np.argsort(order))

    def _call(self, prompts: list[Int[np.ndarray, "_"]], seed: int) -> Rollouts:
        """One rollout of each prompt, from one call of `generate`."""
        device = next(self.model.parameters()).device
        width = max(prompt.size for prompt in prompts)
        asked = len(prompts)
        if self.compiled:  # few sizes, for each is compiled
            prompts = prompts + prompts[-1:] * (self._rounded(asked) - asked)
        ids = np.full((len(prompts), width), self.pad)
        seen = np.zeros(ids.shape, np.int64)
        for row, prompt in enumerate(prompts):  # on the left: rollouts begin in one column
            ids[row, width - prompt.size :] = prompt
            seen[row, width - prompt.size :] = 1
        sampler = Sampler(torch.Generator(device).manual_seed(seed))
        lower = self.precision == "bfloat16"
        with torch.autocast(device.type, torch.bfloat16, enabled=lower):
            output = self.model.generate(
                input_ids=torch.from_numpy(ids).to(device),
                attention_mask=torch.from_numpy(seen).to(device),
                generation_config=self._settings(),
                logits_processor=LogitsProcessorList([sampler]),
            )
        logprobs = sampler.logprobs[:asked]
        tokens = output[:asked, width : width + logprobs.shape[1]]
        return ended(tokens.cpu().numpy(), logprobs.cpu().numpy(), self.stop)

    def _rounded(self, rows: int) -> int:
        """The next power of two, within the limit."""
        return min(self.rows, 2 ** math.ceil(math.log2(rows)))

    def _settings(self) -> GenerationConfig:
        """Settings under which `generate` takes what the sampler drew."""
        return GenerationConfig(
            do_sample=False,
            max_new_tokens=self.max_tokens,
            eos_token_id=self.stop or None,
            pad_token_id=self.pad,
            use_cache=True,
            cache_implementation="static" if self.compiled else None,
        )


class Sampler(LogitsProcessor):
    """Draws every step's tokens and keeps their log-probabilities, a number a token."""

    def __init__(self, luck: torch.Generator) -> None:
        self.luck = luck
        self.steps: list[Float[torch.Tensor, "R 1"]] = []

    def __call__(  # pyright: ignore[reportIncompatibleMethodOverride] - theirs is float32 on a CPU alone
        self,
        input_ids: Int[torch.Tensor, "R L"],  # noqa: ARG002 - transformers passes it
        scores: Float[torch.Tensor, "R V"],
    ) -> Float[torch.Tensor, "R V"]:
        """Scores whose largest is the token drawn."""
        logprobs = scores.log_softmax(-1)
        gumbel = torch.empty_like(logprobs).exponential_(generator=self.luck).log_().neg_()
        drawn = gumbel.add_(logprobs).argmax(-1, keepdim=True)
        self.steps.append(logprobs.gather(-1, drawn))
        return logprobs.scatter_(-1, drawn, 1.0)  # above every log-probability

    @property
    def logprobs(self) -> Float[torch.Tensor, "R T"]:
        """Of all tokens drawn so far, in nats."""
        return torch.cat(self.steps, -1)


@contextmanager
def sampling(model: Any) -> Generator[None]:  # noqa: ANN401
    """A context in which a model evaluates, and its own generation settings are out of force.

    `generate` fills whatever its settings leave open from the model's.
    """
    training, settings = model.training, model.generation_config
    model.eval()
    model.generation_config = GenerationConfig()
    try:
        yield
    finally:
        model.train(training)
        model.generation_config = settings


def ended(
    tokens: Int[np.ndarray, "R T"], logprobs: Float[np.ndarray, "R T"], stop: Sequence[int]
) -> Rollouts:
    """Rollouts cut after their first stop token, in arrays as wide as the longest."""
    stops = np.isin(tokens, stop)
    finished = np.asarray(stops.any(1))
    lengths = np.where(finished, stops.argmax(1) + 1, tokens.shape[1])
    inside = np.arange(tokens.shape[1]) < lengths[:, None]
    whole = Rollouts(
        np.where(inside, tokens, 0), np.where(inside, logprobs, 0.0), lengths, finished
    )
    return whole.take(slice(None))


def check_order(
    prompts: Sequence[Int[np.ndarray, "_"]],
    rollouts: Int[np.ndarray, "K"],
    *,
    max_tokens: int,
    limit: int,
) -> None:
    """Refuse what no engine can generate, with what would mend it.

    Args:
        prompts: Token ids of K prompts.
        rollouts: How many rollouts of each.
        max_tokens: Limit of a rollout.
        limit: Tokens that a prompt and its rollout may have together.

    Raises:
        ValueError: A prompt is empty or too long, or no rollout is asked for.
    """
    if len(prompts) != rollouts.size or rollouts.min(initial=0) < 0 or rollouts.sum() < 1:
        raise ValueError(
            f"rollouts={rollouts.tolist()} for {len(prompts)} prompts: give each a count of 0"
            " or more, and at least one rollout in all"
        )
    sizes = [prompt.size for prompt in prompts]
    if min(sizes) < 1:
        raise ValueError(f"prompt {sizes.index(0)} is empty: leave it out")
    if max(sizes) + max_tokens > limit:
        raise ValueError(
            f"a prompt of {max(sizes)} tokens and max_tokens={max_tokens} exceed the {limit}"
            " positions of the model: lower max_tokens or leave the prompt out"
        )
