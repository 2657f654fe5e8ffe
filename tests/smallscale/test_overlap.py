"""Whose gradients Adam divides by: on gradients whose parameters are known."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from smallscale import adam_metric
from smallscale.assembly import Parts
from smallscale.geometry import Geometry
from smallscale.overlap import only, overlap, second_moment
from smallscale.survey import Scored, Survey

Make = Callable[..., Parts]
P = 4


def prompt(family: str, contrast: list[float]) -> Scored:
    """A scored prompt of whom only D matters."""
    nothing = Geometry(1.0, 0.0, 0.0)
    return Scored(
        prompt=0,
        family=family,
        pass_rate=0.5,
        tokens=3.0,
        raw=nothing,
        adam=nothing,
        contrast=torch.tensor(contrast),
    )


def survey(made: Parts, contrasts: dict[str, list[list[float]]]) -> Survey:
    scored = tuple(prompt(name, row) for name, rows in contrasts.items() for row in rows)
    return Survey(
        parts=made,
        seed=0,
        rollouts=4,
        families=made.prompts.families,
        rates=np.full(len(made.prompts), 0.5),
        scored=scored,
        folds=(),
        metric=torch.ones(P),
    )


@pytest.fixture
def gradients(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[float]]:
    """The gradient of every batch by its family; 0 unless a test says otherwise."""
    known: dict[str, list[float]] = {}

    def batch(parts: Parts, updates: int, rng: np.random.Generator) -> torch.Tensor:
        assert updates == 1
        assert len(set(parts.prompts.families)) == 1
        sign = 1.0 if rng.random() < 0.5 else -1.0  # squares alone matter
        return sign * torch.tensor([known.get(parts.prompts.families[0], [0.0] * P)])

    monkeypatch.setattr(adam_metric, "batch", batch)
    return known


def names(made: Parts) -> list[str]:
    return sorted(set(made.prompts.families))


def test_families_on_parameters_of_their_own_do_not_overlap(
    parts: Make, gradients: dict[str, list[float]]
) -> None:
    made = parts()
    first, second = names(made)[:2]
    gradients |= {first: [2.0, 0.0, 0.0, 0.0], second: [0.0, 0.5, 0.0, 0.0]}
    found = overlap(
        survey(made, {first: [[1.0, 0, 0, 0]] * 2, second: [[0, 1.0, 0, 0]] * 2}), seed=0
    )
    assert found[:2, :2] == pytest.approx(np.eye(2))


def test_shares_are_weighted_by_the_square_of_d_in_adam_s_metric(
    parts: Make, gradients: dict[str, list[float]]
) -> None:
    """Parameter 0: 4 to 1 for the first; parameter 1: 1 to 4. D of the first is (2, 1)."""
    made = parts()
    first, second = names(made)[:2]
    gradients |= {first: [2.0, 1.0, 0.0, 0.0], second: [1.0, 2.0, 0.0, 0.0]}
    rows = {first: [[2.0, 1.0, 0, 0], [2.0, 1.0, 0, 0]], second: [[0, 1.0, 0, 0]] * 2}
    found = overlap(survey(made, rows), seed=0, batches=3)
    assert found[0, 0] == pytest.approx((4 * 0.8 + 1 * 0.2) / 5)  # P is the same at both
    assert found[1, 0] == pytest.approx(0.2)
    assert found[1, 1] == pytest.approx(0.8)
    assert found.sum(1) == pytest.approx(1.0)
    assert found[2, :2] == pytest.approx(0.5)  # no batch moved it: parameters count alike


def test_the_square_of_d_is_a_product_of_different_prompts(
    parts: Make, gradients: dict[str, list[float]]
) -> None:
    """What only one prompt has at parameter 1 is noise and weighs nothing."""
    made = parts()
    first, second = names(made)[:2]
    gradients |= {first: [1.0, 0.0, 0.0, 0.0], second: [0.0, 1.0, 0.0, 0.0]}
    rows = {first: [[1.0, 9.0, 0, 0], [1.0, 0, 0, 0]], second: [[0, 1.0, 0, 0]] * 2}
    assert overlap(survey(made, rows), seed=0, batches=2)[0, 0] == pytest.approx(1.0)


def test_where_d_is_unknown_the_second_moment_stands_for_it(
    parts: Make, gradients: dict[str, list[float]]
) -> None:
    made = parts()
    first, second = names(made)[:2]
    gradients |= {first: [1.0, 2.0, 0.0, 0.0], second: [0.0, 2.0, 0.0, 0.0]}
    opposite = [[1.0, 0, 0, 0], [-1.0, 0, 0, 0]]
    for rows in ({}, {first: [[1.0, 0, 0, 0]]}, {first: opposite}):
        found = overlap(survey(made, rows), seed=0, batches=2)
        weights = np.array([1.0 / 1.0, 4.0 / np.sqrt(8.0)])  # v_f P, up to a factor
        expected = (weights * [1.0, 0.5]).sum() / weights.sum()
        assert found[0, 0] == pytest.approx(expected)


def test_the_second_moment_of_a_family_is_that_of_its_share_of_a_batch(
    parts: Make, gradients: dict[str, list[float]]
) -> None:
    made = parts()
    name = names(made)[0]
    gradients[name] = [3.0, 0.0, 0.0, 0.0]
    share = made.prompts.families.count(name) / len(made.prompts)
    found = second_moment(made, name, 5, np.random.default_rng(0))
    assert found.tolist() == pytest.approx([9.0 * share**2, 0.0, 0.0, 0.0])


def test_only_keeps_the_prompts_of_one_family(parts: Make) -> None:
    made = parts()
    name = names(made)[3]
    kept = only(made.prompts, name)
    assert set(kept.families) == {name}
    assert len(kept) == made.prompts.families.count(name)
    where = made.prompts.keys.index(kept.keys[-1])
    assert kept.answers[-1] == made.prompts.answers[where]
    assert (kept.tokens[-1] == made.prompts.tokens[where]).all()


def test_rows_of_a_real_model_sum_to_one(parts: Make) -> None:
    made = parts()
    found = overlap(survey(made, {}), seed=0, batches=2)
    assert found.shape == (8, 8)
    assert found.sum(1) == pytest.approx(1.0)
    assert (found >= 0.0).all()
