import numpy as np

from theory.bisection import last_holding


def test_each_bound_has_its_own_point() -> None:
    squares = np.array([0.0, 0.25, 2.0, 9.0])
    found = last_holding(lambda x: x**2 <= squares, 0.0, np.array([1.0, 1.0, 2.0, 2.0]))
    np.testing.assert_allclose(found, [0.0, 0.5, np.sqrt(2.0), 2.0], atol=1e-15)


def test_plain_numbers_give_an_array_of_no_axes() -> None:
    found = last_holding(lambda x: x < 0.3, 0.0, 1.0)
    assert found.shape == ()
    assert abs(found - 0.3) < 1e-15


def test_few_rounds_stay_below() -> None:
    assert last_holding(lambda x: x < 0.3, 0.0, 1.0, rounds=2) == 0.25
