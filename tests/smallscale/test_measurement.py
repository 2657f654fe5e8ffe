"""The constants of a real, tiny run: against its exact pass rates, and kept whole on disk."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from smallscale.assembly import Parts
from smallscale.geometry import scores
from smallscale.measurement import Measurement, measure, summary
from smallscale.pass_rates import rollouts_of
from smallscale.survey import balanced, generated, survey

Make = Callable[..., Parts]
LITTLE = {"prompts": 16, "rollouts": 16, "batches": 10}


def test_constants_are_those_of_the_run(parts: Make) -> None:
    made = parts()
    before = {k: v.clone() for k, v in made.model.state_dict().items()}
    found = measure(made, seed=3, **LITTLE)
    assert all(torch.equal(v, before[k]) for k, v in made.model.state_dict().items())
    assert found == measure(made, seed=3, **LITTLE)
    assert (found.lr, found.groups, found.rollouts, found.batches) == (3e-4, 4, 8, 10)
    assert found.pass_noise == pytest.approx(0.0, abs=1e-5)  # one answer passes
    assert found.fail_noise > 0.1
    assert found.step > 0.0
    assert found.cosine_across is not None
    assert found.cosine_within > found.cosine_across
    assert sum(family.share for family in found.families) == pytest.approx(1.0)
    assert sum(family.prompts for family in found.families) == found.prompts <= 16
    assert made.exact is not None
    rates, families = made.exact(made.prompts), np.array(made.prompts.families)
    for family in found.families:
        odds = np.log(rates / (1 - rates))[families == family.name]
        assert family.log_odds == pytest.approx(odds.mean())
        assert family.log_odds_spread == pytest.approx(odds.std(ddof=1))
    steps = [f.step for f in found.families if f.step is not None]
    assert min(steps) < found.step < max(steps)


def test_the_contrast_is_the_gradient_of_the_log_odds(parts: Make) -> None:
    """Where one answer passes, D is its score over 1-p: exact, and so without the mean of the
    failing rollouts. On average over prompts, whose errors are independent."""
    made = parts()
    found = survey(made, seed=5, prompts=32, rollouts=32, batches=10)
    shares: list[float] = []
    for one in found.scored:
        answer = rollouts_of((made.prompts.answers[one.prompt],), made.tokenizer)
        score = scores(made.model, made.prompts.tokens[one.prompt], answer)[0]
        exact = score / (1.0 - one.pass_rate)
        shares.append(float(one.contrast @ exact / (exact @ exact)))
    assert len(shares) > 10
    assert np.median(shares) == pytest.approx(1.0, abs=0.1)


def test_weights_follow_the_pool_and_the_variance(parts: Make) -> None:
    found = survey(parts(prompts="strings:length=2,pool=hard"), seed=6, **LITTLE)
    weights, rates = found.weights(), found.column("pass_rate")
    assert weights.sum() == pytest.approx(1.0)
    names = [one.family for one in found.scored]
    pool = found.parts.prompts.families
    expected = np.array([pool.count(n) / names.count(n) for n in names]) * rates * (1 - rates)
    assert weights == pytest.approx(expected / expected.sum())
    told = summary(found)
    mean = weights @ found.column("adam.contrast")
    assert told.step == pytest.approx(3e-4 * mean)
    ratio = (weights @ found.column("raw.fail_noise")) / (
        weights @ found.column("raw.contrast")
    )
    assert told.fail_noise == pytest.approx(ratio)


def test_what_a_family_shares_is_the_mean_product_over_pairs(parts: Make) -> None:
    found = survey(parts(), seed=9, prompts=32, rollouts=16, batches=10)
    for family in summary(found).families:
        some = [one.contrast for one in found.scored if one.family == family.name]
        pairs = [(a, b) for i, a in enumerate(some) for b in some[:i]]
        if not pairs:
            assert (family.common, family.transfer) == (None, None)
            continue
        common = np.mean([float(a @ b) for a, b in pairs])
        transfer = 3e-4 * np.mean([float(a @ (found.metric * b)) for a, b in pairs])
        assert family.common == pytest.approx(common, rel=1e-4)
        assert family.transfer == pytest.approx(transfer, rel=1e-4)


def test_outcomes_are_balanced() -> None:
    passed = np.array([True, False, False, True, True, False, False])
    assert balanced(passed, 4).tolist() == [0, 1, 2, 3]
    assert balanced(passed, 7).tolist() == [0, 1, 2, 3, 4, 5]
    assert balanced(passed, 100).tolist() == list(range(7))


def test_rollouts_are_given_to_their_prompts(parts: Make) -> None:
    made = parts()
    assert made.exact is not None
    rates = made.exact(made.prompts)
    chosen = np.array([int(np.argmin(rates)), int(np.argmax(rates))])
    low, high = generated(made, chosen, 200, np.random.default_rng(7))
    for (rollouts, passed), rate in zip((low, high), rates[chosen], strict=True):
        assert rollouts.lengths.size == passed.size == 200
        assert passed.mean() == pytest.approx(rate, abs=0.18)  # five standard deviations


def test_a_measurement_survives_a_file(parts: Make, tmp_path: Path) -> None:
    found = replace(measure(parts(), seed=8, **LITTLE), felt=None)
    found.save(tmp_path / "m.json")
    assert Measurement.load(tmp_path / "m.json") == found
    told = json.loads((tmp_path / "m.json").read_text())
    del told["step"]
    (tmp_path / "m.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match=r"m\.json holds no measurement"):
        Measurement.load(tmp_path / "m.json")


@pytest.mark.parametrize(
    ("less", "told"),
    [
        ({"prompts": 1}, "prompts=1"),
        ({"rollouts": 3}, "rollouts=3"),
        ({"prompts": 4}, "give more"),
    ],
)
def test_too_little_is_refused(parts: Make, less: dict[str, int], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        measure(parts(), seed=9, **(LITTLE | less))
