"""When enough repetitions have been made: marks, and decisions that hold however often one looks.

A repetition costs time, so a control is stopped as soon as its rate is decided against its mark.
Looking after every few repetitions would spoil a fixed-n test (30 looks at a true null of 5 % reject in 18 %
of runs); the mixture e-values below keep their error rate at any number of looks, and records that grow over
many runs may be judged at any time.
"""

from dataclasses import dataclass
from math import inf, log
from typing import Literal

Decision = Literal["reached", "missed", "open"]

ERROR_RATE = 0.025
"""Of either wrong decision about one mark, over all looks together."""


@dataclass(frozen=True)
class Mark:
    """What the rate of an event over repetitions must keep.

    Parameters
    ----------
    name : str
        As in `roadworthy.results.Record`, where it has such a field.
    event : str
        What is counted, in words.
    direction : {"at_most", "at_least"}
    rate : float
        The mark: it is missed when the rate is shown to lie on its other side.
    shown : float
        The mark is reached when the estimate keeps `rate` and the true rate is shown to keep `shown`.
        The two are equal but at the bound, where an exact interval *sits on* the mark of 2.5 %:
        no number of repetitions could show it to lie below.
    """

    name: str
    event: str
    direction: Literal["at_most", "at_least"]
    rate: float
    shown: float


FALSE_FAIL_AT_BOUND = Mark(
    "false_fail_at_bound", "false fails at the bound", "at_most", 0.025, 0.05
)
FALSE_PASS_AT_BOUND = Mark(
    "false_pass_at_bound", "false passes at the bound", "at_most", 0.025, 0.05
)
FALSE_FAIL_HEALTHY = Mark(
    "false_fail_healthy", "false fails on healthy subjects", "at_most", 0.025, 0.025
)
PASS_HEALTHY = Mark("pass_healthy", "passes on healthy subjects", "at_least", 0.80, 0.80)
DETECTED_HARMFUL = Mark("detected_harmful", "harmful faults found", "at_least", 0.95, 0.95)
FALSE_PASS_HARMFUL = Mark("false_pass_harmful", "harmful faults passed", "at_most", 0.025, 0.025)
ANY_FALSE_FAIL = Mark("any_false_fail", "healthy audits with a false fail", "at_most", 0.05, 0.05)


def decide(mark: Mark, hits: int, n: int) -> Decision:
    """Say whether `hits` events in `n` repetitions reach the mark, miss it, or leave it open.

    Parameters
    ----------
    mark : Mark
    hits, n : int

    Returns
    -------
    {"reached", "missed", "open"}
        Over all looks at one growing control, a mark that is kept is called missed, and a rate on the wrong
        side of `shown` is called reached, with probability 2.5 % at most.

    Examples
    --------
    >>> decide(FALSE_FAIL_HEALTHY, 0, 100), decide(FALSE_FAIL_HEALTHY, 0, 200)
    ('open', 'reached')
    >>> decide(DETECTED_HARMFUL, 80, 100)
    'missed'
    """
    assert 0 <= hits <= n, f"{hits} of {n}"
    rate, shown = mark.rate, mark.shown
    if mark.direction == "at_least":
        hits, rate, shown = n - hits, 1 - rate, 1 - shown
    threshold = -log(ERROR_RATE)
    if log_evidence_above(hits, n, rate) >= threshold:
        return "missed"
    if hits <= rate * n and log_evidence_below(hits, n, shown) >= threshold:
        return "reached"
    return "open"


def log_evidence_above(hits: int, n: int, rate: float) -> float:
    """Log e-value against "the rate is `rate` or less": uniform mixture over the rates above.

    Each likelihood ratio of a rate above against `rate` has mean 1 at most under every smaller rate, so the
    mixture is a supermartingale and exceeds 1/a with probability a at most, ever (Ville 1939; Robbins 1970).
    """
    return _log_mixture(n - hits, n, 1 - rate, 1.0) - _log_likelihood(hits, n, rate)


def log_evidence_below(hits: int, n: int, rate: float) -> float:
    """Log e-value against "the rate is `rate` or more": a mixture that expects about a third of it.

    With Beta(1, 2/rate) cut off at `rate`, 0 hits decide against 2.5 % after 188 repetitions; a fixed-n
    test needs 146, the uniform mixture 212.
    """
    return _log_mixture(hits, n, rate, 2 / rate) - _log_likelihood(hits, n, rate)


def _log_mixture(hits: int, n: int, rate: float, b: float) -> float:
    """Log of the mean likelihood of `hits` under Beta(1, b) cut off above `rate`."""
    from scipy.special import betainc, betaln

    share = float(betainc(1 + hits, b + n - hits, rate))
    if share <= 0:
        return -inf
    whole = float(betaln(1, b)) + log(float(betainc(1, b, rate)))
    return float(betaln(1 + hits, b + n - hits)) + log(share) - whole


def _log_likelihood(hits: int, n: int, rate: float) -> float:
    return hits * log(rate) + (n - hits) * log(1 - rate)
