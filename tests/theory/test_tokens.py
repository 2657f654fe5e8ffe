import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.advantages import Estimator, advantages
from theory.tokens import length_mask, token_advantages, token_returns

GROUPS = np.array([0, 0, 1, 1])
REWARDS = np.array([1.0, 0.0, 1.0, 0.0])


def on_last_token(lengths: np.ndarray, width: int) -> np.ndarray:
    return (np.arange(1, width + 1) == lengths[:, None]) * REWARDS[:, None]


def test_returns_are_discounted_from_each_token_on() -> None:
    rewards = np.array([[1.0, 2.0, 4.0], [1.0, 9.0, 9.0]])
    mask = length_mask(np.array([3, 1]), 3)
    expected = [[3.0, 4.0, 4.0], [1.0, 0.0, 0.0]]
    np.testing.assert_allclose(token_returns(rewards, mask, gamma=0.5), expected)


@pytest.mark.parametrize("estimator", ["rloo", "drgrpo", "grpo", "opo", "maxrl", "raft"])
def test_every_token_has_its_rollouts_advantage(estimator: Estimator) -> None:
    lengths = np.array([1, 2, 3, 1])
    mask = length_mask(lengths, 3)
    got = token_advantages(estimator, on_last_token(lengths, 3), GROUPS, mask)
    each = advantages(estimator, REWARDS, GROUPS, lengths=lengths)
    np.testing.assert_array_equal(got, each[:, None] * mask)


@pytest.mark.parametrize("estimator", ["rpp", "rpp_baseline"])
def test_rollouts_of_one_token_whiten_as_rollouts(estimator: Estimator) -> None:
    mask = np.ones((4, 1), bool)
    got = token_advantages(estimator, REWARDS[:, None], GROUPS, mask)
    np.testing.assert_allclose(got[:, 0], advantages(estimator, REWARDS, GROUPS), atol=1e-14)


@pytest.mark.parametrize("estimator", ["rpp", "rpp_baseline"])
@given(lengths=st.lists(st.integers(1, 6), min_size=4, max_size=4))
def test_valid_tokens_are_whitened(estimator: Estimator, lengths: list[int]) -> None:
    mask = length_mask(np.array(lengths), 6)
    rewards = on_last_token(np.array(lengths), 6)
    valid = token_advantages(estimator, rewards, GROUPS, mask, eps=0.0)[mask]
    np.testing.assert_allclose([valid.mean(), valid.var(ddof=1)], [0.0, 1.0], atol=1e-12)


def test_lengthening_one_rollout_moves_another_under_reinforce_pp() -> None:
    """From (0 - 1/2)/s to (0 - 10/12)/s: tokens weigh, not rollouts."""

    def failing(length: int) -> float:
        lengths = np.array([length, 1, 1, 1])
        mask = length_mask(lengths, 9)
        return float(token_advantages("rpp", on_last_token(lengths, 9), GROUPS, mask)[1, 0])

    np.testing.assert_allclose(failing(1), -0.5 / np.sqrt(1 / 3), rtol=1e-6)
    np.testing.assert_allclose(failing(9), -10 / 12 / np.sqrt(10 / 12 * 2 / 12 * 12 / 11), 1e-6)


def test_padding_is_masked_after_whitening_unless_asked_otherwise() -> None:
    """The batch is centred on its tokens, not its rollouts: padding whitens to -mean/s."""
    lengths = np.array([3, 1, 1, 1])
    mask = length_mask(lengths, 3)
    rewards = on_last_token(lengths, 3)
    new = token_advantages("rpp_baseline", rewards, GROUPS, mask)
    old = token_advantages("rpp_baseline", rewards, GROUPS, mask, mask_whitened=False)
    np.testing.assert_array_equal(new[mask], old[mask])
    assert (new[~mask] == 0.0).all()
    scale = np.sqrt((6 * 0.25 - 6 * (1 / 6) ** 2) / 5)
    np.testing.assert_allclose(old[~mask], -(1 / 6) / scale, rtol=1e-6)


def test_lengths_beyond_the_width_are_refused() -> None:
    for length in (-1, 4):
        with pytest.raises(ValueError, match="do not fit in width=3"):
            length_mask(np.array([length]), 3)
