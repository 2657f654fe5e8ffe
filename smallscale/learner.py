r"""The learner: how a training batch changes a language model.

A training step computes advantages on whole groups, then cuts the batch into mini-batches of
rollouts and makes one optimizer update for each. How many there are is as strong a knob as the
choice of prompts, so it is explicit: `updates` per training step, or the rollouts of a
`mini_batch`. Micro-batches, counted in tokens, bound memory alone: the weight of each token
comes from its mini-batch, so that they change no gradient.

Importance ratios are taken to the policy that generated each rollout, whose log-probabilities
came with it. Released trainers recompute them at the start of the training step, which leaves
the staleness of carried-over rollouts uncorrected; here a group whose rollouts come from
several policies (SPEED's screening and continuation) is corrected rollout by rollout, and
`Metrics` says how stale the batch was.

**Precision.** Weights, gradients and the state of AdamW are float32: at the usual learning
rate of 1e-6 an update is smaller than the spacing of bfloat16 numbers, and weights kept in
them would not move. `precision="bfloat16"` is that of the forward and backward pass.
A model of 1.54 billion parameters takes 16 bytes each, 25 GB, and 3 GB for the copy in
bfloat16, which leaves vLLM its 32 of 80 GB.

Dropout is always off, or the ratios of fresh rollouts would not be 1. No global random state
is used.

Axis legend: R rollouts, T tokens of the longest, S rollouts of a mini-batch.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from smallscale.advantages import advantages, at_end
from smallscale.estimators import Estimator
from smallscale.losses import aggregation_weights, kl_penalty, overlong_penalty, policy_loss
from smallscale.metrics import Metrics, Sums, staleness
from smallscale.optimization import Learner, descend, micro_batches
from smallscale.scoring import Scored, score
from smallscale.training_batch import Batch, DivergedError

Result = TypeVar("Result")


def learn(
    learner: Learner,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    *,
    step: int,
    rng: np.random.Generator,
    reference: nn.Module | None = None,
    token_limit: int | None = None,
) -> Metrics:
    """What one training step did; the model and the optimizer are changed in place.

    Args:
        learner: How to learn.
        model: A causal language model of transformers.
        optimizer: From `learner.optimizer(model)`; it knows the updates made so far.
        batch: Rollouts of whole groups.
        step: Training steps completed before this one.
        rng: Shuffles the rollouts into mini-batches.
        reference: The model that the divergence is taken from.
        token_limit: Most tokens a rollout may have, for estimators with a penalty for length
            or a constant length.

    Raises:
        DivergedError: If a loss or gradient is not finite, when the parameters are as the
            update before left them; or if the parameters are not, after an update.
        ValueError: If the reference or the token limit is missing, a rollout is from the
            future, or memory is short even with half of `micro_tokens`.
    """
    _check(learner.estimator, batch, step, reference, token_limit)
    modes = [module.training for module in model.modules()]
    _set_modes(model, checkpointing=learner.checkpointing)
    lesson = _Lesson(learner, model, batch, reference, token_limit)
    norms: list[float] = []
    try:
        for number, rows in enumerate(learner.mini_batches(batch.rewards.size, rng), 1):
            norms.append(lesson.update(optimizer, rows, number))
    finally:
        optimizer.zero_grad()
        for module, mode in zip(model.modules(), modes, strict=True):
            module.training = mode
    return lesson.metrics(step, norms, optimizer.param_groups[0]["lr"])


def _check(
    estimator: Estimator,
    batch: Batch,
    step: int,
    reference: nn.Module | None,
    token_limit: int | None,
) -> None:
    if estimator.kl and reference is None:
        raise ValueError(f"kl={estimator.kl:g} needs a reference model: pass it, or set kl=0")
    if estimator.needs_limit and token_limit is None:
        raise ValueError("the estimator's formula has the token limit in it: pass token_limit")
    if (newest := int(batch.versions.max())) > step:
        raise ValueError(f"a rollout of version {newest} in training step {step} is too new")


def _set_modes(model: nn.Module, *, checkpointing: bool) -> None:
    """Dropout off; recomputation, which the layers tie to being in training, as asked."""
    model.eval()
    if checkpointing:
        enable: Any = model.gradient_checkpointing_enable
        if not getattr(model, "is_gradient_checkpointing", False):
            enable({"use_reentrant": False, "preserve_rng_state": False})
        for module in model.modules():
            module.training = hasattr(module, "gradient_checkpointing")


class _Lesson:
    """A training step under way: what each token is worth, and what was seen of it so far."""

    def __init__(
        self,
        learner: Learner,
        model: nn.Module,
        batch: Batch,
        reference: nn.Module | None,
        token_limit: int | None,
    ) -> None:
        self.learner, self.model, self.batch = learner, model, batch
        self.device = next(model.parameters()).device
        self.mask = torch.from_numpy(batch.rollouts.mask)
        self.old = torch.from_numpy(batch.rollouts.logprobs)
        self.limit, self.micro_tokens = token_limit, learner.micro_tokens
        self.sums = Sums.none(self.device)
        self.reference = None
        if reference is not None and learner.estimator.kl:
            self.reference = self._with_room(lambda most: self._logprobs(reference, most))
        self.rewards = self._rewards()
        self.advantage = self._advantage()

    def update(
        self, optimizer: torch.optim.Optimizer, rows: Int[np.ndarray, "S"], number: int
    ) -> float:
        """The norm of the gradient of a mini-batch, once the parameters have followed it."""

        def gradient(micro_tokens: int) -> Sums:
            optimizer.zero_grad()
            return self._gradient(rows, micro_tokens)

        seen = self._with_room(gradient)
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        most = self.learner.max_grad_norm
        norm = float(nn.utils.clip_grad_norm_(parameters, math.inf if most is None else most))
        loss = float(seen.values[0])
        if not (math.isfinite(norm) and math.isfinite(loss)):
            raise self._diverged(number, f"has loss {loss:g} and gradient norm {norm:g}")
        self.sums = self.sums + seen
        descend(optimizer, self.learner)
        # A filter that sees nothing pass would starve, and look honest, before the next loss.
        if not bool(nn.utils.get_total_norm(parameters).isfinite()):
            raise self._diverged(number, "left parameters that are no numbers: lower lr")
        return norm

    def _diverged(self, number: int, how: str) -> DivergedError:
        return DivergedError(f"update {number} {how}", update=number, batch=self.batch)

    def metrics(self, step: int, norms: list[float], learning_rate: float) -> Metrics:
        """What the training step did."""
        tokens = int(self.batch.rollouts.lengths.sum())
        loss, *means = self.sums.values.tolist()
        ratio, approx_kl, clip, dual_clip, entropy, divergence = (x / tokens for x in means)
        ages, several = staleness(self.batch.groups, self.batch.versions, step)
        return Metrics(
            updates=len(norms),
            tokens=tokens,
            loss=loss / len(norms),
            reward=float(self.rewards.mean()),
            advantage=float(self.advantage.abs().sum()) / tokens,
            entropy=entropy,
            ratio=ratio,
            ratio_max=float(self.sums.ratio_max),
            approx_kl=approx_kl,
            clip_share=clip,
            dual_clip_share=dual_clip,
            reference_kl=None if self.reference is None else divergence,
            gradient_norms=tuple(norms),
            learning_rate=learning_rate,
            ages=ages,
            several_versions=several,
            micro_tokens=self.micro_tokens,
        )

    def _rewards(self) -> Float[torch.Tensor, "R"]:
        """Of each rollout, with the penalty for length."""
        rewards, share = torch.from_numpy(self.batch.rewards), self.learner.estimator.overlong
        if not share or self.limit is None:
            return rewards
        lengths = torch.from_numpy(self.batch.rollouts.lengths)
        buffer = share * self.limit
        return rewards + overlong_penalty(lengths, limit=self.limit, buffer=buffer)

    def _advantage(self) -> Float[torch.Tensor, "R T"]:
        """Of each token, from whole groups."""
        recipe, token_rewards = self.learner.estimator, at_end(self.rewards, self.mask)
        if self.reference is not None and recipe.kl_place == "reward":
            apart = torch.where(self.mask, self.old - self.reference, 0.0)
            token_rewards = token_rewards - recipe.kl * apart
        return advantages(
            recipe.advantage,
            token_rewards,
            torch.from_numpy(self.batch.groups),
            self.mask,
            singleton=recipe.singleton,
            eps=recipe.divisor_eps,
            baseline=recipe.baseline,
            gamma=recipe.gamma,
        )

    def _gradient(self, rows: Int[np.ndarray, "S"], micro_tokens: int) -> Sums:
        """Adds the gradient of a mini-batch to that of the parameters."""
        scale = None if self.limit is None else float(self.limit * rows.size)
        aggregation = self.learner.estimator.aggregation
        weights = aggregation_weights(aggregation, self.mask[rows], scale=scale)
        seen = Sums.none(self.device)
        for part in micro_batches(self.batch.tokens[rows], micro_tokens):
            seen = seen + self._backward(rows[part], weights[part])
        return seen

    def _backward(
        self, rows: Int[np.ndarray, "B"], weights: Float[torch.Tensor, "B T"]
    ) -> Sums:
        """Adds the gradient of a micro-batch to that of the parameters."""
        piece, recipe = self.batch.take(rows), self.learner.estimator
        width = piece.rollouts.tokens.shape[1]
        mask = self.mask[rows, :width].to(self.device)
        scored = self._scored(self.model, piece)
        new = scored.logprobs

        def beside(whole: Float[torch.Tensor, "B W"]) -> Float[torch.Tensor, "B T"]:
            return whole[:, :width].to(self.device, new.dtype)

        weight = beside(weights)
        policy = policy_loss(
            new,
            beside(self.old[rows]),
            beside(self.advantage[rows]),
            mask,
            weight,
            clip_low=recipe.clip_low,
            clip_high=recipe.clip_high,
            dual_clip=recipe.dual_clip,
        )
        loss, divergence = policy.loss, torch.zeros_like(new)
        if self.reference is not None:
            divergence = kl_penalty(recipe.kl_kind, new, beside(self.reference[rows]))
            if recipe.kl_place == "loss":
                loss = loss + recipe.kl * (weight * divergence).sum()
        loss.backward()
        return Sums.measure(
            mask,
            loss=loss,
            log_ratio=policy.log_ratio,
            clipped=policy.clipped,
            dual_clipped=policy.dual_clipped,
            entropy=scored.entropy,
            divergence=divergence.detach(),
        )

    @torch.no_grad()
    def _logprobs(self, model: nn.Module, micro_tokens: int) -> Float[torch.Tensor, "R T"]:
        """Of all tokens under a model that is not trained."""
        found = torch.zeros(self.mask.shape, dtype=torch.float64)
        for rows in micro_batches(self.batch.tokens, micro_tokens):
            piece = self.batch.take(rows)
            scored = self._scored(model, piece).logprobs.double().cpu()
            found[rows, : scored.shape[1]] = scored
        return found

    def _scored(self, model: nn.Module, piece: Batch) -> Scored:
        with torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.learner.precision == "bfloat16"
        ):
            return score(model, piece.prompts, piece.rollouts)

    def _with_room(self, work: Callable[[int], Result]) -> Result:
        """What `work` returns, with half the tokens in a micro-batch if memory is short."""
        try:
            return work(self.micro_tokens)
        except torch.OutOfMemoryError as error:
            if self.micro_tokens < self.learner.micro_tokens:
                raise self._too_large() from error
        self.micro_tokens = max(1, self.micro_tokens // 2)
        torch.cuda.empty_cache()
        try:
            return work(self.micro_tokens)
        except torch.OutOfMemoryError as error:
            raise self._too_large() from error

    def _too_large(self) -> ValueError:
        return ValueError(
            f"out of memory with micro_tokens={self.learner.micro_tokens} and with half of it:"
            " set it lower, turn checkpointing on, or leave more memory to training"
        )
