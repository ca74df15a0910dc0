"""The two-sided p-value of "no difference", from the distribution that intervals are read from."""

from roadworthy.results import AtLeast, AtMost, Estimate, Fact, Measurement, Quantiles
from roadworthy.statistics import limit, p_value

NORMAL_97_5 = 1.959963984540054


def two_sided(difference: Measurement) -> float | None:
    """Return the p-value of a true difference of 0; None where nothing is left to chance.

    Below 0.05 exactly where the 95 % interval leaves out 0. What a bootstrap has too few resamples to show is
    read from the distance of its near limit, as if that were 1.96 standard errors.
    """
    distribution = difference.distribution
    if isinstance(distribution, Fact):
        return None
    if isinstance(distribution, Estimate) and distribution.standard_error == 0.0:
        return None
    if difference.value == 0.0:
        return 1.0
    sides = p_value(difference, AtMost(0.0, "")), p_value(difference, AtLeast(0.0, ""))
    p = min(sides)
    if isinstance(distribution, Quantiles) and p <= distribution.probabilities[0] * 1.001:
        p = min(p, _extended(difference))
    return min(1.0, 2.0 * p)


def _extended(difference: Measurement) -> float:
    from scipy.special import ndtr

    near = limit(difference.distribution, 0.025 if difference.value > 0 else 0.975)
    error = abs(difference.value - near) / NORMAL_97_5
    return float(ndtr(-abs(difference.value) / error)) if error > 0.0 else 0.0
