"""One training step: exact gradients first, then each promise of the learner."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any, cast, get_args

import numpy as np
import pytest
import torch
from jaxtyping import Float

import smallscale.learner
from smallscale.estimators import ESTIMATORS, estimator
from smallscale.learner import Batch, DivergedError, Learner, Metrics, learn
from smallscale.losses import Aggregation
from smallscale.metrics import staleness
from smallscale.optimization import updates_made
from smallscale.rollouts import Rollouts
from smallscale.scoring import score
from tests.smallscale.policies import Arms, Knobs, one_token, qwen, uneven_batch, weights
from theory.advantages import advantages
from theory.losses import aggregation_weights, policy_loss
from theory.tokens import token_advantages

CHANCES = np.array([1, 1, 2, 2, 2]) / 8  # of five arms, of which the second passes
WINNER = 1
EIGHTHS = np.repeat(np.arange(5), [1, 1, 2, 2, 2])  # equally likely outcomes
PLAIN: dict[str, Any] = {
    "algorithm": "sgd",
    "lr": 1.0,
    "weight_decay": 0.0,
    "max_grad_norm": None,
    "warmup_updates": 0,
}
LIMIT = 8  # tokens of a rollout


def sgd(recipe: str = "rloo", **changes: Knobs) -> Learner:
    """A learner that follows the gradient itself, at a learning rate of 1."""
    settings: dict[str, Any] = (
        PLAIN | ({} if "mini_batch" in changes else {"updates": 1}) | changes
    )
    return Learner(estimator=estimator(recipe), **settings)


def taught(
    learner: Learner, model: Knobs, batch: Batch, seed: int = 0, **rest: Knobs
) -> tuple[Metrics, torch.Tensor]:
    """Metrics of one training step, and how it moved the parameters."""
    before, rng = weights(model), np.random.default_rng(seed)
    optimizer = learner.optimizer(model)
    known: dict[str, Any] = {"step": 0, "token_limit": LIMIT} | rest
    return learn(learner, model, optimizer, batch, rng=rng, **known), weights(model) - before


# Exact gradients.


def bandit(size: int, behaviour: Float[np.ndarray, "A"] = CHANCES) -> Batch:
    """Every outcome of a group, each as often as it is likely under `CHANCES`."""
    arms = np.array(list(product(EIGHTHS, repeat=size)))
    groups = np.repeat(np.arange(len(arms)), size)
    flat = arms.ravel()
    return Batch(
        (np.zeros(1, int),) * flat.size,
        one_token(flat, np.log(behaviour[flat])),
        (flat == WINNER).astype(float),
        groups,
        np.zeros(flat.size, int),
    )


def slope_of_the_pass_rate(chances: Float[np.ndarray, "A"]) -> Float[np.ndarray, "A"]:
    """By the logits: chance of the winner times (1 for it, 0 for others, less own chance)."""
    return chances[WINNER] * ((np.arange(5) == WINNER) - chances)


def expected_grpo(size: int, p: float) -> float:
    """E sqrt(k (1 - k)) sqrt((N - 1) / N) / (p (1 - p)), over binomial k N."""
    counts = range(size + 1)
    terms = (
        math.comb(size, K) * p**K * (1 - p) ** (size - K) * math.sqrt(K * (size - K)) / size
        for K in counts
    )
    return math.sqrt((size - 1) / size) * sum(terms) / (p * (1 - p))


P = CHANCES[WINNER]
FACTORS = {  # of the gradient of the pass rate that each estimator follows on average
    "rloo": 1.0,
    "reinforce": 1.0,
    "drgrpo": 2 / 3,
    "grpo": expected_grpo(3, P),
    "maxrl": ((1 - P) - (1 - P) ** 3) / (P * (1 - P)),
}


@pytest.mark.parametrize("recipe", FACTORS)
def test_the_mean_gradient_over_all_outcomes_is_exact(recipe: str) -> None:
    """512 groups of 3 rollouts of one token, in one update."""
    model = Arms(np.log(CHANCES).tolist())
    learner = sgd(f"{recipe}:aggregation=seq-mean-token-sum")
    _, moved = taught(learner, model, bandit(3))
    expected = FACTORS[recipe] * slope_of_the_pass_rate(CHANCES)
    np.testing.assert_allclose(moved, expected, atol=2e-6)


def test_rollouts_of_another_policy_are_weighted_by_their_ratio() -> None:
    """The gradient at a new policy, exact in the mean over rollouts of an old one."""
    new = np.array([0.3, 0.25, 0.15, 0.2, 0.1])
    learner = sgd("reinforce:clip_low=inf,clip_high=inf,aggregation=token-mean")
    _, moved = taught(learner, Arms(np.log(new).tolist()), bandit(1))
    np.testing.assert_allclose(moved, slope_of_the_pass_rate(new), atol=1e-12)


# One update of a language model, against the formulas of theory.


def by_hand(
    model: Knobs, batch: Batch, learner: Learner, rows: Knobs, scale: float | None
) -> torch.Tensor:
    """What descent adds to the parameters: slope by log-probability times its own gradient."""
    recipe, mask = learner.estimator, batch.rollouts.mask
    worth = advantages(cast("Any", recipe.advantage), batch.rewards, batch.groups)
    new = score(model, batch.prompts, batch.rollouts).logprobs[torch.from_numpy(rows)]
    loss = policy_loss(
        new.detach().numpy(),
        batch.rollouts.logprobs[rows],
        np.broadcast_to(worth[rows, None], mask[rows].shape).copy(),
        mask[rows],
        aggregation=recipe.aggregation,
        clip_low=recipe.clip_low,
        clip_high=recipe.clip_high,
        dual_clip=recipe.dual_clip,
        scale=scale,
    )
    model.zero_grad()
    (new * torch.from_numpy(loss.gradient)).sum().backward()
    return -torch.cat([p.grad.flatten() for p in model.parameters()])


@pytest.mark.parametrize("mode", get_args(Aggregation))
@pytest.mark.parametrize("recipe", ["rloo", "grpo"])
def test_one_update_by_hand(mode: Aggregation, recipe: str) -> None:
    """Groups of 4, 1, 3 and 2; the constant is the token limit times the rollouts."""
    learner, model = sgd(f"{recipe}:aggregation={mode}"), qwen()
    batch = uneven_batch(model)
    expected = by_hand(qwen(), batch, learner, np.arange(10), scale=10.0 * LIMIT)
    _, moved = taught(learner, model, batch)
    assert moved.abs().max() > 1e-3
    torch.testing.assert_close(moved, expected, rtol=0, atol=1e-12)


def test_mini_batches_follow_one_another_with_the_worth_of_whole_groups() -> None:
    """Ten rollouts in updates of four, four and two; ratios refer to the generating policy."""
    learner = sgd("rloo:clip_high=0.05,clip_low=0.05", mini_batch=4, lr=0.1)
    model, other = qwen(), qwen()
    batch = uneven_batch(model)
    seen, moved = taught(learner, model, batch, seed=5)
    start = weights(other)
    for rows in learner.mini_batches(10, np.random.default_rng(5)):
        change = learner.lr * by_hand(other, batch, learner, rows, scale=None)
        torch.nn.utils.vector_to_parameters(weights(other) + change, other.parameters())
    torch.testing.assert_close(moved, weights(other) - start, rtol=0, atol=1e-12)
    assert seen.updates == len(seen.gradient_norms) == 3
    assert seen.clip_share > 0.0


@pytest.mark.parametrize("mode", get_args(Aggregation))
@pytest.mark.parametrize("micro_tokens", [1, 9, 25])
def test_micro_batches_change_nothing(mode: Aggregation, micro_tokens: int) -> None:
    recipe = f"rloo:aggregation={mode},kl=0.1"
    batch, reference = uneven_batch(qwen()), qwen(seed=3)
    pair = [
        taught(sgd(recipe, micro_tokens=size), qwen(), batch, reference=reference)
        for size in (micro_tokens, 10**6)
    ]
    (small, moved), (whole, expected) = pair
    torch.testing.assert_close(moved, expected, rtol=0, atol=1e-12)
    for key, value in whole.flat().items():
        if key not in ("staleness/rollouts", "train/micro_tokens"):
            assert small.flat()[key] == pytest.approx(value), key


def test_groups_of_one_keep_their_reward_or_are_left_out() -> None:
    """Rollout 4 is the only one of its group: without it the others move the model alike."""
    batch = uneven_batch(qwen())
    alone = replace(batch, rewards=np.where(np.arange(10) == 4, 1.0, batch.rewards))
    failed = replace(batch, rewards=np.where(np.arange(10) == 4, 0.0, batch.rewards))
    kept = [taught(sgd("rloo"), qwen(), each)[1] for each in (alone, failed)]
    left = [taught(sgd("rloo:singleton=zero"), qwen(), each)[1] for each in (alone, failed)]
    assert (kept[0] - kept[1]).abs().max() > 1e-3
    assert torch.equal(left[0], left[1])
    assert torch.equal(left[0], kept[1])


@pytest.mark.parametrize(
    ("setting", "knobs"),
    [
        ("grpo:divisor_eps=0.5", {"eps": 0.5}),
        ("maxrl:divisor_eps=0.5,singleton=zero", {"eps": 0.5, "singleton": "zero"}),
        ("rpp-baseline:divisor_eps=0.5", {"eps": 0.5}),
        ("rpp:gamma=0.5", {"gamma": 0.5}),
        ("reinforce:baseline=0.3", {"baseline": 0.3}),
    ],
)
def test_knobs_of_a_recipe_reach_its_formula(setting: str, knobs: dict[str, Any]) -> None:
    batch, recipe = uneven_batch(qwen()), estimator(setting)
    mask = batch.rollouts.mask
    last = np.arange(1, mask.shape[1] + 1) == batch.rollouts.lengths[:, None]
    rewards = batch.rewards[:, None] * last
    worth = token_advantages(
        cast("Any", recipe.advantage), rewards, batch.groups, mask, **knobs
    )
    got, _ = taught(sgd(setting), qwen(), batch)
    assert got.advantage == pytest.approx(np.abs(worth).sum() / mask.sum())


# Penalties.


def test_the_penalty_for_length_is_part_of_the_reward() -> None:
    """Limit 5 and a buffer of 0.4 times 5: rollouts of 4 tokens lose 1/2, of 5 tokens 1."""
    batch = uneven_batch(qwen())
    lost = np.clip((batch.rollouts.lengths - 3) / 2, 0.0, 1.0)
    assert set(lost) == {0.0, 0.5, 1.0}
    got = taught(sgd("grpo:overlong=0.4"), qwen(), batch, token_limit=5)
    same = taught(sgd("grpo"), qwen(), replace(batch, rewards=batch.rewards - lost))
    assert torch.equal(got[1], same[1])
    assert got[0].reward == pytest.approx((batch.rewards - lost).mean())


@pytest.mark.parametrize("kind", ["k2", "k3"])
def test_a_divergence_is_added_to_the_loss(kind: str) -> None:
    """Token means of d^2/2 and of exp(-d) + d - 1, whose slopes are d and 1 - exp(-d)."""
    batch, reference, model = uneven_batch(qwen()), qwen(seed=3), qwen()
    got, moved = taught(sgd(f"rloo:kl=0.3,kl_kind={kind}"), qwen(), batch, reference=reference)
    without, base = taught(sgd("rloo"), qwen(), batch)
    new = score(model, batch.prompts, batch.rollouts).logprobs
    with torch.no_grad():
        apart = new - score(reference, batch.prompts, batch.rollouts).logprobs
    penalty, slope = (
        (apart**2 / 2, apart)
        if kind == "k2"
        else (torch.expm1(-apart) + apart, -torch.expm1(-apart))
    )
    penalty = penalty.clamp(max=10.0)
    slope = torch.where(penalty < 10.0, slope, 0.0) if kind == "k3" else slope
    (slope * new / got.tokens).sum().backward()
    pull = torch.cat([p.grad.flatten() for p in model.parameters()])
    assert (0.3 * pull).abs().max() > 0.1
    # Norms are taken in single precision, by transformers.
    torch.testing.assert_close(moved, base - 0.3 * pull, rtol=0, atol=1e-6)
    mean = (apart**2 / 2 if kind == "k2" else penalty).sum().item() / got.tokens
    assert got.reference_kl == pytest.approx(mean)
    assert got.loss == pytest.approx(without.loss + 0.3 * mean)
    assert without.reference_kl is None


def test_a_divergence_in_the_reward_is_charged_token_by_token() -> None:
    """REINFORCE++: returns of r at the end less 0.3 d at each token, whitened over tokens."""
    batch, reference = uneven_batch(qwen()), qwen(seed=3)
    with torch.no_grad():
        other = score(reference, batch.prompts, batch.rollouts).logprobs.numpy()
    mask = batch.rollouts.mask
    last = np.arange(1, mask.shape[1] + 1) == batch.rollouts.lengths[:, None]
    charged = batch.rewards[:, None] * last - 0.3 * (batch.rollouts.logprobs - other) * mask
    sums = np.flip(np.cumsum(np.flip(charged, 1), 1), 1)
    worth = (sums - sums[mask].mean()) / np.sqrt(sums[mask].var(ddof=1) + 1e-8)
    model = qwen()
    new = score(model, batch.prompts, batch.rollouts).logprobs
    (new * torch.from_numpy(aggregation_weights("token-mean", mask) * worth)).sum().backward()
    expected = torch.cat([p.grad.flatten() for p in model.parameters()])
    _, moved = taught(sgd("rpp:kl=0.3"), qwen(), batch, reference=reference)
    torch.testing.assert_close(moved, expected, rtol=0, atol=1e-6)


# Staleness.


def test_the_age_of_rollouts_is_reported() -> None:
    groups, versions = np.array([4, 4, 4, 9, 9, 2]), np.array([3, 5, 5, 5, 5, 4])
    assert staleness(groups, versions, 5) == ({0: 4, 1: 1, 2: 1}, 1 / 3)
    batch = replace(uneven_batch(qwen()), versions=np.array([1, 1, 2, 2, 2, 2, 2, 2, 0, 2]))
    seen, _ = taught(sgd(), qwen(), batch, step=2)
    assert (seen.ages, seen.several_versions, seen.mean_age) == ({0: 7, 1: 2, 2: 1}, 2 / 4, 0.4)


def test_ratios_refer_to_the_policy_that_generated() -> None:
    batch, stale = uneven_batch(qwen()), uneven_batch(qwen(seed=1))
    fresh, _ = taught(sgd(), qwen(), batch)
    assert fresh.ratio == pytest.approx(1.0, abs=1e-12)
    assert fresh.ratio_max == pytest.approx(1.0, abs=1e-12)
    assert fresh.approx_kl == pytest.approx(0.0, abs=1e-12)
    seen, _ = taught(sgd(), qwen(), stale)
    apart = (batch.rollouts.logprobs - stale.rollouts.logprobs)[batch.rollouts.mask]
    assert seen.ratio == pytest.approx(np.exp(apart).mean())
    assert seen.ratio_max == pytest.approx(np.exp(apart).max())
    assert seen.approx_kl == pytest.approx(-apart.mean())


def test_metrics_describe_the_training_step() -> None:
    batch = uneven_batch(qwen())
    got, moved = taught(sgd(), qwen(), batch)
    with torch.no_grad():
        entropy = score(qwen(), batch.prompts, batch.rollouts).entropy.sum().item()
    worth = advantages("rloo", batch.rewards, batch.groups)
    lengths = batch.rollouts.lengths
    assert got.tokens == lengths.sum()
    assert got.entropy == pytest.approx(entropy / lengths.sum())
    assert got.advantage == pytest.approx((np.abs(worth) * lengths).sum() / lengths.sum())
    assert got.loss == pytest.approx(-(worth * lengths).sum() / lengths.sum())
    assert got.gradient_norm == pytest.approx(moved.norm().item())
    assert (got.reward, got.learning_rate) == (batch.rewards.mean(), 1.0)
    assert json.loads(json.dumps(got.flat(), allow_nan=False))["staleness/rollouts"] == {
        "0": 10
    }


def test_clipped_tokens_are_counted() -> None:
    """Ratios of 2 at advantage 1, 1/2 and 4 at -1, and 1 at 1: half clipped, a quarter dual."""
    ratios, rewards = np.array([2.0, 0.5, 4.0, 1.0]), np.array([1.0, -1.0, -1.0, 1.0])
    arms = np.zeros(4, int)
    rollouts = one_token(arms, np.log(0.2 / ratios))
    batch = Batch((np.zeros(1, int),) * 4, rollouts, rewards, np.arange(4), arms)
    got, _ = taught(sgd("reinforce:dual_clip=3"), Arms([0.0] * 5), batch)
    assert (got.clip_share, got.dual_clip_share) == (0.5, 0.25)
    assert got.loss == pytest.approx((-1.2 + 0.8 + 3.0 - 1.0) / 4)


# The optimizer.


def test_gradients_are_scaled_down_to_the_norm_asked_for() -> None:
    batch = uneven_batch(qwen())
    free, moved = taught(sgd(), qwen(), batch)
    held, scaled = taught(sgd(max_grad_norm=0.01), qwen(), batch)
    assert held.gradient_norm == pytest.approx(free.gradient_norm)
    torch.testing.assert_close(scaled, 0.01 * moved / moved.norm(), rtol=1e-3, atol=1e-12)


def test_the_first_update_of_adam_moves_every_weight_by_the_learning_rate() -> None:
    learner = Learner(updates=1, lr=1e-3, eps=1e-30, weight_decay=0.0, warmup_updates=0)
    _, moved = taught(learner, Arms([0.0] * 5), bandit(2))
    np.testing.assert_allclose(moved.abs(), 1e-3, rtol=1e-9)


@pytest.mark.parametrize("algorithm", ["adamw", "sgd"])
def test_a_run_continued_from_the_state_of_its_optimizer_is_the_same(algorithm: Knobs) -> None:
    """Three training steps of two updates in a warm-up of five, or one and then two."""
    learner = Learner(updates=2, algorithm=algorithm, lr=1e-2, warmup_updates=5)

    def advance(model: Knobs, optimizer: Knobs, steps: range) -> list[float]:
        return [
            learn(
                learner, model, optimizer, batch, step=step, rng=np.random.default_rng(step)
            ).learning_rate
            for step in steps
        ]

    batch, straight, model = uneven_batch(qwen()), qwen(), qwen()
    rates = advance(straight, learner.optimizer(straight), range(3))
    optimizer = learner.optimizer(model)
    advance(model, optimizer, range(1))
    assert updates_made(optimizer) == 2
    saved, model2 = optimizer.state_dict()["state"], qwen()
    model2.load_state_dict(model.state_dict())
    restored = learner.optimizer(model2)
    restored.load_state_dict(restored.state_dict() | {"state": saved})
    advance(model2, restored, range(1, 3))
    assert torch.equal(weights(straight), weights(model2))
    np.testing.assert_allclose(rates, [0.4e-2, 0.8e-2, 1e-2])


def legacy_state() -> str:
    """The state of numpy's global generator, which nothing may touch."""
    return str(np.random.get_state(legacy=False))  # noqa: NPY002


def test_luck_is_the_generators_alone() -> None:
    learner = Learner(updates=3, lr=1e-2, checkpointing=True)
    torch_state, numpy_state = torch.get_rng_state(), legacy_state()
    batch = uneven_batch(qwen())
    runs = [taught(learner, qwen(), batch, seed=seed)[1] for seed in (1, 1, 2)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert legacy_state() == numpy_state


# Memory.


def counted(model: Knobs) -> list[int]:
    """A list that grows whenever the first layer begins to run."""
    calls: list[int] = []
    model.model.layers[0].mlp.register_forward_pre_hook(lambda *_: calls.append(1))
    return calls


def test_checkpointing_recomputes_and_changes_nothing() -> None:
    batch = uneven_batch(qwen())
    moved: list[torch.Tensor] = []
    for checkpointing, runs in ((False, 1), (True, 2)):
        model = qwen()
        calls = counted(model)
        for _ in range(2):  # switched on once, however many training steps follow
            calls.clear()
            moved.append(taught(sgd(checkpointing=checkpointing), model, batch)[1])
            assert len(calls) == runs
    torch.testing.assert_close(moved[0], moved[2], rtol=0, atol=1e-12)
    torch.testing.assert_close(moved[1], moved[3], rtol=0, atol=1e-12)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_dropout_is_off_and_modes_are_left_as_they_were(checkpointing: bool) -> None:  # noqa: FBT001
    model = qwen(attention_dropout=0.5)
    batch = uneven_batch(model)
    model.train()
    got, _ = taught(sgd(checkpointing=checkpointing), model, batch)
    assert got.ratio_max == pytest.approx(1.0, abs=1e-12)
    assert all(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_half_precision_is_that_of_the_passes_alone() -> None:
    batch, model = uneven_batch(qwen()), qwen(torch.float32)
    got, moved = taught(sgd(precision="bfloat16"), model, batch)
    _, exact = taught(sgd(), qwen(torch.float32), batch)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert got.ratio_max > 1.001
    distance = ((moved - exact).norm() / exact.norm()).item()
    assert 1e-4 < distance < 0.2


class Full:
    """Stands for a GPU whose memory ends at the calls listed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *calls: int) -> None:
        self.calls, self.seen = set(calls), 0
        self.tokens: list[int] = []  # of each call, where it had several rollouts
        monkeypatch.setattr(smallscale.learner, "score", self)

    def __call__(self, model: Knobs, prompts: Knobs, rollouts: Rollouts) -> Knobs:
        self.seen += 1
        widest = max(p.size + n for p, n in zip(prompts, rollouts.lengths, strict=True))
        self.tokens.append(int(widest) * len(prompts) * (len(prompts) > 1))
        if self.seen in self.calls:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return score(model, prompts, rollouts)


@pytest.mark.parametrize("call", [1, 2, 4])
def test_an_update_that_runs_out_of_memory_is_made_again(
    call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the first micro-batch of the first update, its second, or in the second update."""
    learner, batch = sgd(updates=2, micro_tokens=20), uneven_batch(qwen())
    whole, expected = taught(learner, qwen(), batch)
    full = Full(monkeypatch, call)
    got, moved = taught(learner, qwen(), batch)
    torch.testing.assert_close(moved, expected, rtol=0, atol=1e-12)
    assert (whole.micro_tokens, got.micro_tokens) == (20, 10)
    assert got.ratio == pytest.approx(whole.ratio)
    assert max(full.tokens[:call]) > 10 >= max(full.tokens[call:])


def test_the_reference_too_is_scored_in_smaller_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    learner, batch = sgd("rloo:kl=0.1", micro_tokens=40), uneven_batch(qwen())
    full = Full(monkeypatch, 1)
    got, _ = taught(learner, qwen(), batch, reference=qwen(seed=3))
    assert (full.seen > 1, got.micro_tokens) == (True, 20)


@pytest.mark.parametrize("calls", [(1, 2), (1, 9)])
def test_memory_that_stays_short_is_one_line(
    calls: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    Full(monkeypatch, *calls)
    with pytest.raises(ValueError, match="micro_tokens=20 and with half of it") as caught:
        taught(sgd(updates=2, micro_tokens=20), qwen(), uneven_batch(qwen()))
    assert "\n" not in str(caught.value)


# What goes wrong.


def test_a_loss_that_is_not_finite_changes_no_parameter() -> None:
    """The rollout with the bad number is in the third update; the first two stand."""
    learner, batch = sgd(mini_batch=4, lr=0.1), uneven_batch(qwen())
    third = learner.mini_batches(10, np.random.default_rng(0))[2]
    logprobs = batch.rollouts.logprobs.copy()
    logprobs[third[0], 0] = np.nan
    bad = replace(batch, rollouts=replace(batch.rollouts, logprobs=logprobs))
    model, other = qwen(), qwen()
    with pytest.raises(DivergedError, match="update 3 has loss nan") as caught:
        taught(learner, model, bad)
    assert caught.value.update == 3
    assert caught.value.batch is bad
    for rows in learner.mini_batches(10, np.random.default_rng(0))[:2]:
        change = learner.lr * by_hand(other, batch, learner, rows, scale=None)
        torch.nn.utils.vector_to_parameters(weights(other) + change, other.parameters())
    torch.testing.assert_close(weights(model), weights(other), rtol=0, atol=1e-12)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_gradient_that_is_not_finite_changes_no_parameter() -> None:
    """A finite loss whose gradient overflows."""
    model = Arms([0.0] * 5)
    model.head.weight.register_hook(lambda slope: slope * math.inf)
    with pytest.raises(DivergedError, match="gradient norm"):
        taught(sgd(), model, bandit(2))
    assert not model.logits.any()


def refused(message: str, act: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=message):
        act()


def test_what_is_missing_or_impossible_is_refused() -> None:
    model = qwen()
    batch = uneven_batch(model)
    refused("pass token_limit", lambda: taught(sgd("dapo"), model, batch, token_limit=None))
    refused("pass token_limit", lambda: taught(sgd("drgrpo"), model, batch, token_limit=None))
    refused("needs a reference", lambda: taught(sgd("rloo:kl=0.1"), model, batch))
    refused("version 0 in training step -1", lambda: taught(sgd(), model, batch, step=-1))
    refused("rewards must be finite", lambda: replace(batch, rewards=np.full(10, np.nan)))
    refused("prompts has 9 entries", lambda: replace(batch, prompts=batch.prompts[1:]))


def test_a_batch_is_saved_as_plain_arrays() -> None:
    batch = uneven_batch(qwen())
    arrays = batch.arrays()
    assert all(len(array) == 10 for array in arrays.values())
    for row, prompt in enumerate(batch.prompts):
        assert arrays["prompts"][row, : prompt.size].tolist() == prompt.tolist()
        assert (arrays["prompts"][row, prompt.size :] == -1).all()
    np.testing.assert_array_equal(arrays["logprobs"], batch.rollouts.logprobs)


@pytest.mark.parametrize("recipe", ESTIMATORS)
def test_every_recipe_raises_the_chance_of_what_passed(recipe: str) -> None:
    batch = bandit(2)
    model = Arms(np.log(CHANCES).tolist())
    got, _ = taught(sgd(recipe, lr=0.1), model, batch)
    chances = np.exp(model.logits) / np.exp(model.logits).sum()
    assert chances[WINNER] > P
    assert got.updates == 1
