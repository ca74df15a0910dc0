"""How many examples it takes: to decide what is open, and to pass a subject that is healthy."""

from collections.abc import Callable
from math import ceil

import numpy as np

from roadworthy.results import Counts, Fact, Measurement, Requirement, TwoCounts
from roadworthy.statistics.intervals import FloatArray, exact_difference_end, exact_end, exact_limit

_MOST = 1000  # times as many examples: beyond that nobody collects them
BOUNDS = "bounds over"  # in the method of what holds whatever is not known of some rows


def holds_whatever_is_unknown(measurement: Measurement) -> bool:
    """Whether the interval covers what is not known of some rows: then more of them do not narrow it to a point."""
    return BOUNDS in measurement.method


def examples_needed(measurement: Measurement, requirement: Requirement) -> int | None:
    """How many examples in all would decide, if the measured value stays as it is.

    Exact for rates; elsewhere the interval's near half shrinks with the square root of n.

    Parameters
    ----------
    measurement : Measurement
    requirement : Requirement

    Returns
    -------
    int or None
        None where not even 1,000 times as many would, where chance plays no part, or where something is not known of
        some rows, which more rows do not tell.

    Examples
    --------
    No hit at all must show a rate below 5 %: 1 - 0.025^(1/n) <= 0.05 from n = 72 on.

    >>> from roadworthy.results import AtMost
    >>> from roadworthy.statistics.rates import rate
    >>> examples_needed(rate(0, 20), AtMost(0.05, "house default"))
    72
    """
    distribution, bound = measurement.distribution, requirement.bound
    good = (measurement.value <= bound) == (requirement.direction == "at_most")
    if isinstance(distribution, Fact) or measurement.method == "one-sided fact":
        return None
    if measurement.value == bound or holds_whatever_is_unknown(measurement):
        return None
    if isinstance(distribution, Counts):
        return _of_counts(distribution, requirement, measurement.level)
    if isinstance(distribution, TwoCounts):
        return _of_two_counts(distribution, requirement, measurement.level)
    upper = (requirement.direction == "at_most") == good
    near = measurement.high if upper else measurement.low
    ratio = abs(near - measurement.value) / abs(bound - measurement.value)
    if ratio > _MOST**0.5:
        return None
    return max(ceil(ratio**2 * measurement.n), 1)


def examples_to_pass(
    rate: float, requirement: Requirement, power: float = 0.8, level: float = 0.95
) -> int | None:
    """Least n at which a subject whose true rate is `rate` passes with probability `power`.

    Parameters
    ----------
    rate : float
        On the good side of the bound.
    requirement : Requirement
        Of a share.
    power, level : float

    Returns
    -------
    int or None
        None where a million examples are too few.

    Examples
    --------
    A truth of 0 passes "at most 5 %" as soon as no hit in n is enough: n = 72.

    >>> from roadworthy.results import AtMost
    >>> examples_to_pass(0.0, AtMost(0.05, "house default"))
    72
    """

    def enough(n: int) -> bool:
        return _chance_to_pass(rate, requirement, n, level) >= power

    low, high = 0, 8
    while not enough(high):
        low, high = high, 2 * high
        if high > 1_000_000:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _chance_to_pass(rate: float, requirement: Requirement, n: int, level: float) -> float:
    """Return the probability of a count whose interval is all on the good side; both are monotone."""
    from scipy.special import bdtr

    if requirement.direction == "at_least":
        return _chance_to_pass(
            1.0 - rate, Requirement("at_most", 1.0 - requirement.bound, ""), n, level
        )

    def too_many(hits: int) -> bool:
        return exact_end(hits, n, (1.0 + level) / 2.0, upper=True) > requirement.bound

    if too_many(0):
        return 0.0
    most = n if not too_many(n) else (_first(too_many, n) or n) - 1
    return float(bdtr(most, n, rate))


def _of_counts(counts: Counts, requirement: Requirement, level: float) -> int | None:
    share = (requirement.bound - counts.offset) / counts.scale
    rate = counts.hits / counts.n
    tail = (1.0 - level) / 2.0

    def decided(n: FloatArray, hits: FloatArray) -> np.ndarray:
        if rate < share:
            return exact_limit(hits, n, 1.0 - tail, upper=True) <= share
        return exact_limit(hits, n, tail) >= share

    most = counts.n * _MOST

    def decided_one(n: int) -> bool:
        if rate < share:
            return exact_end(rate * n, n, 1.0 - tail, upper=True) <= share
        return exact_end(rate * n, n, tail) >= share

    start = _first(decided_one, most)
    if start is None:
        return None
    # Whole numbers of hits: the first n from there at which the rounded count decides too.
    n = np.arange(
        start, min(start + 4 * ceil(1 / max(rate, 1 / counts.n)) + 4, most + 1), dtype=float
    )
    settled = np.flatnonzero(decided(n, np.round(rate * n)))
    return int(n[settled[0]]) if settled.size else start


def _of_two_counts(counts: TwoCounts, requirement: Requirement, level: float) -> int | None:
    a, b = counts.hits_a / counts.n_a, counts.hits_b / counts.n_b
    total, below = counts.n_a + counts.n_b, a - b < requirement.bound

    def decided(n: int) -> bool:
        n_a, n_b = n * counts.n_a / total, n * counts.n_b / total
        tail = (1.0 - level) / 2.0 if not below else (1.0 + level) / 2.0
        end = exact_difference_end(a * n_a, n_a, b * n_b, n_b, tail)
        return end <= requirement.bound if below else end >= requirement.bound

    return _first(decided, total * _MOST)


def _first(decided: Callable[[int], bool], most: int) -> int | None:
    """Return the first n that decides, where all above it do."""
    if not decided(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return high
