"""A measurement held against a requirement: p-value, verdict, the sentence that explains it, what would decide."""

from typing import NamedTuple

from roadworthy.results import (
    Counts,
    Distribution,
    Estimate,
    Fact,
    Measurement,
    Quantiles,
    ReasonCode,
    Requirement,
    TwoCounts,
    Verdict,
)
from roadworthy.statistics.distributions import limit
from roadworthy.statistics.planning import examples_needed, holds_whatever_is_unknown
from roadworthy.statistics.wording import amount, amounts, count


class Judgement(NamedTuple):
    """A verdict and why; `p_value` is one-sided against "the requirement holds"."""

    verdict: Verdict
    reason_code: ReasonCode | None
    reason: str
    p_value: float
    examples_needed: int | None


def judge(measurement: Measurement, requirement: Requirement, least: int = 1) -> Judgement:
    """Return pass where the whole interval is on the good side, fail where all of it is on the bad side.

    Touching the bound is good. Below `least` examples nothing is decided.

    Parameters
    ----------
    measurement : Measurement
    requirement : Requirement
    least : int
        Least n of the measurement.

    Returns
    -------
    Judgement

    Examples
    --------
    >>> from roadworthy.results import AtMost
    >>> from roadworthy.statistics.rates import rate
    >>> wrong = rate(2, 40, unit="share of test rows")
    >>> judge(wrong, AtMost(0.2, "house default")).verdict  # 0.6 % to 16.9 %
    'pass'
    >>> judge(wrong, AtMost(0.1, "house default")).reason_code
    'straddles'
    """
    p = p_value(measurement, requirement)
    good_low, good_high = _good_side(measurement, requirement)
    if measurement.n < least:
        needed = examples_needed(measurement, requirement)
        enough = max(least, needed or least)
        return Judgement(
            "inconclusive",
            "insufficient_n",
            f"Only {count(measurement.n)}; this is not judged below {least:,}. "
            + in_words(measurement, requirement),
            p,
            enough,
        )
    if good_high:
        return Judgement("pass", None, in_words(measurement, requirement), p, None)
    if not good_low:
        return Judgement("fail", None, in_words(measurement, requirement), p, None)
    needed = examples_needed(measurement, requirement)
    return Judgement(
        "inconclusive",
        "straddles",
        in_words(measurement, requirement) + " " + _what_would_decide(measurement, needed),
        p,
        needed,
    )


def p_value(measurement: Measurement, requirement: Requirement) -> float:
    """One-sided p-value of "the requirement holds", tested where the quantity is on its bound.

    It is the error at which the interval's near end would just touch the bound, so that it is below
    0.025 exactly where the 95 % interval is all on the bad side.

    Parameters
    ----------
    measurement : Measurement
    requirement : Requirement

    Returns
    -------
    float
        0 or 1 for facts.

    Examples
    --------
    3 of 3 wrong where at most half may be: 0.5^3.

    >>> from roadworthy.results import AtMost
    >>> from roadworthy.statistics.rates import rate
    >>> p_value(rate(3, 3), AtMost(0.5, "house default"))
    0.125
    """
    bound = requirement.bound
    at_most = requirement.direction == "at_most"
    distribution = measurement.distribution
    match distribution:
        case Fact(value):
            return float(value <= bound if at_most else value >= bound)
        case Counts():
            return _exact(distribution, bound, at_most=at_most)
        case Estimate(estimate, error, degrees):
            if error == 0.0:
                return float(estimate <= bound if at_most else estimate >= bound)
            return _student((bound - estimate) / error * (1 if at_most else -1), degrees)
        case TwoCounts() | Quantiles():
            return _inverted(distribution, bound, at_most=at_most)


def _exact(counts: Counts, bound: float, *, at_most: bool) -> float:
    """P(as many hits or more) where the value is on the bound; (or fewer) where hits are good."""
    from scipy.special import betainc

    share = (bound - counts.offset) / counts.scale
    many_are_bad = at_most == (counts.scale > 0)
    x, n = counts.hits, counts.n
    if many_are_bad:
        if share < 0.0:
            return 0.0
        return 1.0 if x == 0 or share >= 1.0 else float(betainc(x, n - x + 1, share))
    if share > 1.0:
        return 0.0
    return 1.0 if x == n or share <= 0.0 else float(betainc(n - x, x + 1, 1.0 - share))


def _student(score: float, degrees: float | None) -> float:
    from scipy.special import ndtr, stdtr

    return float(ndtr(score) if degrees is None else stdtr(degrees, score))


def _inverted(distribution: Distribution, bound: float, *, at_most: bool) -> float:
    """Bisect for the probability whose limit is the bound, from 1e-9 to 1 - 1e-9."""

    def bad(p: float) -> bool:
        end = limit(distribution, p if at_most else 1.0 - p)
        return end > bound if at_most else end < bound

    from math import exp, log

    if bad(0.5 - 1e-12):
        # The estimate is on the bad side: p is below a half, found on the log scale.
        low, high = log(1e-9), log(0.5)
        for _ in range(50):
            middle = (low + high) / 2.0
            low, high = (low, middle) if bad(exp(middle)) else (middle, high)
        # What the stored grid cannot show is not claimed.
        smallest = distribution.probabilities[0] if isinstance(distribution, Quantiles) else 1e-9
        return max(exp(high), smallest)
    low, high = 0.5, 1.0
    for _ in range(50):
        middle = (low + high) / 2.0
        low, high = (low, middle) if bad(middle) else (middle, high)
    return high


def _good_side(measurement: Measurement, requirement: Requirement) -> tuple[bool, bool]:
    """Whether some, and whether all, of the interval is on the good side."""
    if requirement.direction == "at_most":
        return measurement.low <= requirement.bound, measurement.high <= requirement.bound
    return measurement.high >= requirement.bound, measurement.low >= requirement.bound


def in_words(measurement: Measurement, requirement: Requirement) -> str:
    """Return what was measured, with its interval, and what is allowed, as a sentence."""
    side = "at most" if requirement.direction == "at_most" else "at least"
    value, low, high, bound = amounts(
        (measurement.value, measurement.low, measurement.high, requirement.bound), measurement.unit
    )
    source = f" ({requirement.source})" if requirement.source else ""
    allowed = f"{side} {bound} is allowed{source}."
    if side == "at least":
        allowed = f"{side} {bound} is required{source}."
    whole = amount(value, measurement.unit)
    if isinstance(measurement.distribution, Fact):
        return f"Counted: {whole} ({count(measurement.n)} looked at); {allowed}"
    between = f"{measurement.level:.0%} interval {low} to {high}".replace("%", " %", 1)
    return f"Measured: {whole} ({between}, {count(measurement.n)}); {allowed}"


def _what_would_decide(measurement: Measurement, needed: int | None) -> str:
    if holds_whatever_is_unknown(measurement):
        return (
            "The interval reaches over the bound, and more examples would hardly help: it holds whatever is not known of "
            "some rows. Find that out."
        )
    if needed is None:
        return (
            "The interval reaches over the bound, and more examples would hardly help: the measured "
            "value is too close to it."
        )
    return (
        f"The interval reaches over the bound; if the measured value stays, about {needed:,} examples "
        f"would decide ({measurement.n:,} now)."
    )
