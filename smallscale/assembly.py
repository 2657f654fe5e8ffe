"""What a run is made of, put together from its configuration.

A built-in size is warm-started on its task and taken from the cache; everything else is a
folder or a hub id. From there on a tiny model and Qwen2.5-Math-1.5B take the same path.
"""

import os
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing, contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from selection import Selector
from selection.driver import Surplus
from selection.settings import SettingError, parse
from selection.strategies import Runnable, strategy
from smallscale import models, sources
from smallscale.checkpoints import saved
from smallscale.config import Config
from smallscale.estimators import estimator
from smallscale.generation import TransformersEngine
from smallscale.learner import Learner
from smallscale.pass_rates import pass_rates_exact
from smallscale.problems import Task
from smallscale.prompts import Prompts
from smallscale.rollouts import Engine, Rollouts
from smallscale.sync_check import TOLERANCES, check
from smallscale.tasks import TASKS, prompts, task
from smallscale.verifier import ExactMatch, Verifier
from smallscale.vllm_engine import VllmEngine, imported
from smallscale.warm_start import SIZES, sized, warm_start

CACHE = Path(os.environ.get("PASSBAND_CACHE", "~/.cache/passband"))
PROBE = 8  # prompts of the check after a weight sync
Exact = Callable[[Prompts], Float[np.ndarray, "M"]]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Everything that a training step works with.

    Attributes:
        config: The configuration it was made from.
        model, tokenizer: Of transformers; the model is the one that is trained.
        prompts, held_out: To train on, and to evaluate on.
        max_tokens: Limit of a rollout.
        engine: Generates.
        verifier: Judges.
        learner, optimizer: Train.
        selector: Chooses prompts.
        surplus: What becomes of complete groups beyond a batch.
        exact: The exact pass rates of prompts, for tasks that have them.
        reference: The model that a KL penalty refers to.
    """

    config: Config
    model: Any
    tokenizer: Any
    prompts: Prompts
    held_out: Prompts
    max_tokens: int
    engine: Engine
    verifier: Verifier
    learner: Learner
    optimizer: torch.optim.Optimizer
    selector: Selector[Any]
    surplus: Surplus
    exact: Exact | None = None
    reference: Any = None

    def decode(self, rollouts: Rollouts) -> list[str]:
        """The text of each rollout, without its end."""
        pairs = zip(rollouts.tokens, rollouts.lengths, strict=True)
        tokens = [row[:length].tolist() for row, length in pairs]
        return self.tokenizer.batch_decode(tokens, skip_special_tokens=True)

    def sync(self, seed: int) -> None:
        """Hand the weights to the engine and, where it keeps its own, see that they arrived."""
        self.engine.sync()
        if isinstance(self.engine, VllmEngine):
            allowed = TOLERANCES[self.config.precision]
            probe = self.prompts.tokens[:PROBE]
            check(self.engine, self.model, probe, seed=seed, tolerance=allowed)


@contextmanager
def assembled(config: Config, *, cache: Path | None = None) -> Generator[Parts]:
    """The parts of a run; processes and memory are given back at the end.

    Raises:
        ValueError: A setting is wrong or cannot be met on this machine.
        OSError: A model or a file cannot be read or written.
    """
    device, known = place(config), task_of(config)
    who, max_tokens, learner = (
        chosen(config, known),
        limit(config, known),
        learning(config, known),
    )
    data(config, known)
    if config.engine == "vllm":
        imported()  # a missing package is told before a model is made or loaded
    source = base_model(config, known, cache or CACHE.expanduser(), device)
    model, tokenizer = models.load(source, device=device)
    training, held_out = _prompts(config, known, tokenizer)
    exact = _exact(model, tokenizer) if known is not None and known.exact else None
    with ExitStack() as stack:
        verifier = stack.enter_context(_verifier(known))
        engine = _engine(config, source, model, tokenizer, max_tokens)
        stack.enter_context(closing(engine))
        yield Parts(
            config=config,
            model=model,
            tokenizer=tokenizer,
            prompts=training,
            held_out=held_out,
            max_tokens=max_tokens,
            engine=engine,
            verifier=verifier,
            learner=learner,
            optimizer=learner.optimizer(model),
            selector=who.build(config.sizes(len(training)), _oracle(training, exact)),
            surplus=who.entry.surplus,
            exact=exact,
            reference=_frozen(model) if learner.estimator.kl else None,
        )


def place(config: Config) -> str:
    """The device that a run gets.

    Raises:
        SettingError: It asks for a GPU, and there is none.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise SettingError(
            f"preset {config.preset} needs a GPU and none is visible: --set device=cpu runs it"
            " slowly, and --preset tiny-cpu is made for this machine"
        )
    if config.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return config.device


def task_of(config: Config) -> Task | None:
    """The built-in task of a run, or None where its prompts are data.

    Raises:
        SettingError: A built-in size is to be trained on data it cannot read.
    """
    if parse(config.prompts)[0] in TASKS:
        return task(config.prompts)
    if config.model in SIZES:
        raise SettingError(
            f"model={config.model} is made for a built-in task and prompts={config.prompts} is"
            f" none of {', '.join(TASKS)}: name a folder or hub id as the model"
        )
    return None


def base_model(config: Config, known: Task | None, cache: Path, device: str) -> str:
    """Where the model is: a folder, that of a run's newest checkpoint too, or a hub id."""
    if config.model not in SIZES:
        places = saved(Path(config.model) / "checkpoints")
        return str(places[-1] / "model") if places else config.model
    assert known is not None, "a built-in size has a built-in task"
    return str(warm_start(sized(config.model, known), cache, device=device))


def chosen(config: Config, known: Task | None) -> Runnable:
    """The strategy, if runs of a model have what it is told.

    Raises:
        SettingError: It needs true pass rates or score norms, which there are none of.
    """
    who = strategy(config.strategy, config.sizes(config.num_prompts))
    if who.entry.norms:
        raise SettingError(
            f"{config.strategy} needs the score norm of every rollout, which runs"
            " of a model do not measure: take it without norms, or simulate"
        )
    if parse(config.strategy)[0] == "oracle" and not (known is not None and known.exact):
        raise SettingError(
            f"oracle needs true pass rates, and prompts={config.prompts} have none: take"
            " another strategy, or prompts=strings"
        )
    return who


def limit(config: Config, known: Task | None) -> int:
    """Limit of a rollout in tokens.

    Raises:
        SettingError: Data sets do not set one themselves.
    """
    if config.max_tokens:
        return config.max_tokens
    if known is None:
        raise SettingError(f"max_tokens=0 for prompts={config.prompts}: set the limit")
    return known.max_tokens


def _prompts(config: Config, known: Task | None, tokenizer: Any) -> tuple[Prompts, Prompts]:  # noqa: ANN401
    """Prompts to train on, and held-out ones; the seed of a run decides neither."""
    if known is not None:
        return (
            prompts(known, config.num_prompts, seed=0, split="training", tokenizer=tokenizer),
            prompts(known, config.num_held_out, seed=1, split="held-out", tokenizer=tokenizer),
        )
    training, held_out = (
        sources.load(
            source,
            tokenizer,
            template=config.template,
            max_prompt_tokens=config.max_prompt_tokens,
        )
        for source in (config.prompts, config.held_out)
    )
    return training, held_out.first(config.num_held_out)


def _verifier(known: Task | None) -> Verifier:
    if known is not None:
        return ExactMatch(known.mark)
    from smallscale.math_verifier import MathVerifier  # noqa: PLC0415 - tasks do without

    return MathVerifier()


def data(config: Config, known: Task | None) -> None:
    """See that there are prompts to evaluate on.

    Raises:
        SettingError: Data sets have none of their own.
    """
    if known is None and not config.held_out:
        raise SettingError(f"prompts={config.prompts} need held_out prompts: name some")


def learning(config: Config, known: Task | None) -> Learner:
    """How the run learns.

    A built-in task's own limit is the length of its answers, so that a penalty for coming
    near the limit would punish what is right: there is none, unless `max_tokens` sets a limit.

    Raises:
        ValueError: The estimator is unknown, or a setting is wrong.
    """
    how = estimator(config.estimator)
    if known is not None and not config.max_tokens:
        how = replace(how, overlong=0.0)
    return Learner(
        estimator=how,
        updates=config.updates or None,
        mini_batch=config.mini_batch or None,
        algorithm=config.optimizer,
        lr=config.lr,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm or None,
        warmup_updates=config.warmup_updates,
        micro_tokens=config.micro_tokens,
        checkpointing=config.checkpointing,
        precision=config.precision,
    )


def _engine(config: Config, source: str, model: Any, tokenizer: Any, max_tokens: int) -> Engine:  # noqa: ANN401
    stop = end_tokens(model, tokenizer)
    if config.engine == "transformers":
        return TransformersEngine(
            model,
            stop=stop,
            pad=tokenizer.pad_token_id,
            max_tokens=max_tokens,
            rows=config.rows,
            compiled=config.compiled,
            precision=config.precision,
        )
    return VllmEngine(
        source,
        model,
        stop=stop,
        max_tokens=max_tokens,
        max_model_len=config.max_prompt_tokens + max_tokens,
        rows=config.rows,
        gpu_share=config.gpu_share,
        precision=config.precision,
        colocated=torch.cuda.is_available(),
    )


def end_tokens(model: Any, tokenizer: Any) -> set[int]:  # noqa: ANN401
    """Tokens that end a rollout: those the tokenizer and the model's settings name."""
    told = model.generation_config.eos_token_id
    named = told if isinstance(told, list) else [told]
    return {int(token) for token in (*named, tokenizer.eos_token_id) if token is not None}


def _frozen(model: Any) -> Any:  # noqa: ANN401
    """The model as it is now, for good."""
    copy = deepcopy(model)
    for parameter in copy.parameters():
        parameter.requires_grad = False
    return copy


def _exact(model: Any, tokenizer: Any) -> Exact:  # noqa: ANN401
    return lambda some: pass_rates_exact(model, some, tokenizer)


def _oracle(
    training: Prompts, exact: Exact | None
) -> Callable[[Int[np.ndarray, "K"]], Float[np.ndarray, "K"]]:
    """The pass rates that the oracle is told, under the policy as it is."""

    def rates(chosen: Int[np.ndarray, "K"]) -> Float[np.ndarray, "K"]:
        if exact is None:
            raise SettingError("oracle needs true pass rates, and there are none")
        return exact(training)[chosen]

    return rates
