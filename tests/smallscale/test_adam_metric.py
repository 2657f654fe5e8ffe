"""Gradients against scores, and the share of noise that Adam feels where it is known."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from jaxtyping import Float

from smallscale import adam_metric
from smallscale.adam_metric import Fold, batch, batch_snr, felt, felt_interval, folds, metric
from smallscale.assembly import Parts
from smallscale.geometry import coefficients, scores
from smallscale.survey import generated

Make = Callable[..., Parts]
UPDATES = 6


def made_up(
    signal: Float[np.ndarray, "P"], noise: Float[np.ndarray, "P"], batches: int, seed: int
) -> list[Fold]:
    """Folds of batches whose parts are signal plus independent Gaussian noise."""
    rng = np.random.default_rng(seed)

    def pieces() -> Float[torch.Tensor, "U P"]:
        spread = np.sqrt(UPDATES) * noise * rng.normal(size=(UPDATES, noise.size))
        return torch.from_numpy(signal + spread)

    each = batches // adam_metric.FOLDS
    return [
        adam_metric.fold_of([pieces() for _ in range(each)]) for _ in range(adam_metric.FOLDS)
    ]


def test_noise_on_the_parameters_of_the_signal_is_felt_in_full() -> None:
    """Every parameter alike is the case in which one number serves them all: chi is 1."""
    ones = np.ones(4000)
    some = made_up(0.8 * ones, ones, 200, seed=0)
    found = felt(some, UPDATES)
    assert found.batch_snr == pytest.approx(0.64, rel=0.02)
    expected = np.sqrt((1 + 1 / 0.64) / (1 + UPDATES / 0.64))
    assert found.kept == pytest.approx(expected, rel=0.01)
    assert found.share == pytest.approx(1.0, rel=0.05)


def test_noise_on_other_parameters_is_not_felt() -> None:
    """Its share of the trace is 10/11; the tenth that the signal feels is 1/11."""
    signal, noise = np.repeat([1.0, 0.0], 2000), np.repeat([1.0, np.sqrt(10.0)], 2000)
    found = felt(made_up(signal, noise, 200, seed=1), UPDATES)
    assert found.batch_snr == pytest.approx(1 / 11, rel=0.05)
    assert found.share == pytest.approx(1 / 11, rel=0.1)


def test_the_share_is_unbiased_with_few_batches_and_its_interval_covers() -> None:
    """Without extrapolation the mean would be 1.2. Of 20 intervals at 95%, less than 14 cover
    with a probability of 4e-5."""
    ones = np.ones(1000)
    some = [made_up(0.7 * ones, ones, 40, seed) for seed in range(20)]
    assert np.mean([felt(one).share for one in some]) == pytest.approx(1.0, abs=0.06)
    intervals = [felt_interval(one) for one in some]
    assert sum(low < 1.0 < high for low, high in intervals) >= 14
    assert all(low < high < 2 * low for low, high in intervals)


def test_the_metric_is_made_of_other_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    some, sizes = made_up(np.ones(9), np.ones(9), 20, seed=0), list[int]()

    def spy(rest: list[Fold], *, split: bool = False) -> torch.Tensor:
        sizes.append(len(rest))
        return metric(rest, split=split)

    monkeypatch.setattr(adam_metric, "metric", spy)
    felt(some)
    assert set(sizes[:20]) == {3}  # ten pairs of five folds, wholes and parts
    assert set(sizes[20:]) == {2}  # with one left out


def test_hidden_signal_is_told() -> None:
    """Batches whose sum is 0 have no mean gradient that could be felt."""
    some = [made_of([[1.0, 2.0], [-1.0, -2.0]]) for _ in range(5)]
    found = felt(some)
    assert found.batch_snr < 0.0
    assert np.isnan(found.share)
    assert np.isnan(felt_interval(some)).all()


def made_of(gradients: Sequence[Sequence[float]]) -> Fold:
    return adam_metric.fold_of([torch.tensor([g], dtype=torch.float64) for g in gradients])


def test_the_metric_is_over_all_folds() -> None:
    some = [made_of([[2.0, 0.0], [0.0, 0.0]]), made_of([[4.0, 0.0]])]
    assert metric(some).tolist() == pytest.approx([(20 / 3) ** -0.5, 0.0])
    assert metric(some[:1]).tolist() == pytest.approx([2**-0.5, 0.0])


def test_parts_are_noisier_than_wholes() -> None:
    some = [adam_metric.fold_of([torch.tensor([[3.0], [-1.0]]), torch.tensor([[1.0], [1.0]])])]
    assert metric(some).item() == pytest.approx(1.0)
    assert metric(some, split=True).item() == pytest.approx(3**-0.5)


def test_the_snr_of_a_batch_is_unbiased() -> None:
    some = [made_of([[3.0, 1.0], [1.0, 1.0]]), made_of([[2.0, -1.0]])]
    signal = ((3 + 1) + (6 - 1) + (2 - 1)) / 3  # products of different batches
    energy = (10 + 2 + 5) / 3
    assert batch_snr(some) == pytest.approx(signal / (energy - signal))


def test_a_batch_is_the_mean_of_its_groups(parts: Make) -> None:
    """Against scores taken one by one, weighted by what their group earned."""
    made = parts()
    found = batch(made, 3, np.random.default_rng(4))
    again = batch(made, 1, np.random.default_rng(4))
    torch.testing.assert_close(found.mean(0), again[0], rtol=1e-3, atol=1e-5)
    rng = np.random.default_rng(4)
    chosen = rng.choice(len(made.prompts), 4, replace=False)
    total = torch.zeros_like(again[0])
    for prompt, (rollouts, passed) in zip(chosen, generated(made, chosen, 8, rng), strict=True):
        weight = coefficients("rloo", passed.astype(float)[None])[0]
        total += torch.from_numpy(weight).float() @ scores(
            made.model, made.prompts.tokens[prompt], rollouts
        )
    assert total.norm() > 0.01
    torch.testing.assert_close(again[0], total / 4, rtol=1e-3, atol=1e-5)


def test_parts_share_out_the_rollouts(parts: Make) -> None:
    """Parts of 32 rollouts differ from one another, and each batch is another draw."""
    rng, made = np.random.default_rng(5), parts()
    first, second = batch(made, 4, rng), batch(made, 4, rng)
    assert first.shape[0] == 4
    assert not torch.allclose(first[0], first[1], atol=1e-4)
    assert not torch.allclose(first.mean(0), second.mean(0), atol=1e-4)


def test_batches_are_dealt_out_to_folds(parts: Make) -> None:
    found = folds(parts(groups=2), batches=12, rng=np.random.default_rng(6))
    assert [fold.batches for fold in found] == [3, 3, 2, 2, 2]
    with pytest.raises(ValueError, match="batches=9"):
        folds(parts(), batches=9, rng=np.random.default_rng(6))
