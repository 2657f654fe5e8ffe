"""How many failures precede a number of successes, as a test with a stated error rate."""

from scipy.stats import nbinom

from tests.statistical import FALSE_FAIL


def assert_failures(failures: int, successes: int, chance: float) -> None:
    """Fail unless so many independent failures may precede so many successes.

    The tail probabilities of the negative binomial distribution are exact, so that correct
    code fails at most at the rate FALSE_FAIL.
    """
    low, high = nbinom.ppf((FALSE_FAIL / 2, 1.0 - FALSE_FAIL / 2), successes, chance)
    assert low <= failures <= high, (low, failures, high)
