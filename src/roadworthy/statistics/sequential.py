"""Looking again and again while data come in: e-values and confidence sequences for a rate."""

from math import exp, log
from typing import Literal

from roadworthy.errors import NotApplicable
from roadworthy.statistics.intervals import Interval


def confidence_sequence(hits: int, n: int, level: float = 0.95) -> Interval[float]:
    """Interval of a rate that holds at every n at once, however often one looks and whenever one stops.

    The rates that a bet spread evenly over all rates has not refuted: those p with
    Beta(hits + 1, n - hits + 1) / (p^hits (1 - p)^(n - hits)) below 1 / (1 - level).

    Parameters
    ----------
    hits, n : int
    level : float

    Returns
    -------
    Interval

    References
    ----------
    Robbins (1970), Annals of Mathematical Statistics 41, 1397-1409; Ville (1939).

    Examples
    --------
    No hit in 19: 1/20 < 0.05 x (1 - u)^19 is refuted, so u = 1 - (1 / (20 x 20) / 0.05)^(1/19)... that is
    (1 - u)^19 = 0.05 / 20.

    >>> low, high = confidence_sequence(0, 19)
    >>> low, round(high, 4), round(1 - (0.05 / 20) ** (1 / 19), 4)
    (0.0, 0.2705, 0.2705)
    """
    from scipy.optimize import brentq
    from scipy.special import betaln

    if n <= 0:
        raise NotApplicable("there are no examples to take a rate of; at least one is needed")
    threshold = float(betaln(hits + 1, n - hits + 1)) - log(1.0 / (1.0 - level))

    def room(p: float) -> float:
        return _log_likelihood(hits, n, p) - threshold

    def end(outside: float) -> float:
        # brentq is typed to return float or a result object; full_output is off.
        return float(brentq(room, min(outside, peak), max(outside, peak), xtol=1e-12))  # type: ignore[reportArgumentType]

    peak = hits / n
    tiny = 1e-300
    return Interval(
        0.0 if hits == 0 else end(tiny),
        1.0 if hits == n else end(1.0 - 1e-16),
    )


def e_value(
    hits: int, n: int, bound: float, direction: Literal["above", "below"] = "above"
) -> float:
    """Evidence that a rate is above (below) `bound`, to be looked at as often as one likes.

    It is what a bet of 1 would have become, placed evenly on all rates on that side, at odds that
    are fair at the bound. Where the rate is not on that side it ever reaches 20 with probability
    0.05 at most; so 1 / e is a p-value that peeking does not spoil.

    Parameters
    ----------
    hits, n : int
    bound : float
        Between 0 and 1.
    direction : {"above", "below"}

    Returns
    -------
    float

    References
    ----------
    Ville (1939); Ramdas, Grünwald, Vovk & Shafer (2023), Statistical Science 38, 576-601.

    Examples
    --------
    One trial, one hit, bound 1/2: the mean rate on (1/2, 1) is 3/4, so 0.75 / 0.5.

    >>> round(e_value(1, 1, 0.5), 4)
    1.5
    """
    from scipy.special import betaln

    assert 0.0 < bound < 1.0, f"bound {bound} is not between 0 and 1"
    if direction == "below":
        hits, bound = n - hits, 1.0 - bound
    won = float(betaln(hits + 1, n - hits + 1)) + _log_upper_share(hits, n, bound)
    logarithm = won - log(1.0 - bound) - _log_likelihood(hits, n, bound)
    return exp(min(logarithm, 700.0))


def _log_upper_share(hits: int, n: int, bound: float) -> float:
    from scipy.special import betaincc

    share = float(betaincc(hits + 1, n - hits + 1, bound))
    return log(share) if share > 0.0 else -float("inf")


def _log_likelihood(hits: int, n: int, p: float) -> float:
    from scipy.special import xlog1py, xlogy

    return float(xlogy(hits, p) + xlog1py(n - hits, -p))
