"""The area under the ROC curve with DeLong's variance in n log n."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from roadworthy.errors import NotApplicable
from roadworthy.results import Evidence, Measurement
from roadworthy.statistics.distributions import GRID, quantiles_on
from roadworthy.statistics.intervals import FloatArray
from roadworthy.statistics.rates import measured


class Area(NamedTuple):
    """Area under the ROC curve and DeLong's variance of it."""

    value: float
    variance: float


def auc(
    scores: npt.ArrayLike,
    is_positive: npt.ArrayLike,
    *,
    unit: str = "area under the ROC curve",
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """How often a positive row scores above a negative one; a tie counts half.

    The interval is DeLong's on the logit scale; where no pair is out of order (or all are) that
    variance is 0 and says nothing, and Newcombe's inverted score interval is taken.

    Parameters
    ----------
    scores : (n,) array
        Larger: more likely positive.
    is_positive : (n,) bool array

    Returns
    -------
    Measurement

    Raises
    ------
    NotApplicable
        With fewer than one positive and one negative, or with scores that are not numbers.

    References
    ----------
    DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44, 837-845; Sun & Xu (2014), IEEE Signal
    Processing Letters 21, 1389-1393 (ranks); Newcombe (2006), Statistics in Medicine 25, 559-573,
    method 5.

    Examples
    --------
    Positives 3 and 1, negatives 2 and 0: of the four pairs 3 > 2, 3 > 0, 1 > 0 are in order.

    >>> auc([3, 1, 2, 0], [True, True, False, False]).value
    0.75
    """
    s, y = np.asarray(scores, np.float64).ravel(), np.asarray(is_positive, bool).ravel()
    assert s.shape == y.shape, f"scores of {s.size} rows, labels of {y.size}"
    positives, negatives = int(y.sum()), int((~y).sum())
    if min(positives, negatives) == 0:
        raise NotApplicable(
            f"{positives} positive and {negatives} negative rows; at least one of each is needed"
        )
    if np.any(np.isnan(s)):
        raise NotApplicable(f"{int(np.isnan(s).sum())} of {s.size} scores are not numbers")
    area = delong(s, y)
    ends = _score_ends if _degenerate(area, positives, negatives) else _logit_ends
    distribution = quantiles_on(GRID, lambda p: ends(area, positives, negatives, p))
    return measured(
        area.value,
        s.size,
        distribution,
        unit=unit,
        method="DeLong, logit scale" if ends is _logit_ends else "Newcombe, inverted score",
        details=details,
        evidence=evidence,
    )


def delong(scores: FloatArray, is_positive: npt.NDArray[np.bool_]) -> Area:
    """Return the area and its variance from three rankings.

    The placement of a positive is the share of negatives below it; the variance of the area is that
    of the mean placement of positives plus that of negatives.

    Examples
    --------
    Placements of 3 and 1 are 1 and 1/2, of 2 and 0 they are 1/2 and 1: variance 2 x 0.125 / 2.

    >>> delong(np.array([3.0, 1.0, 2.0, 0.0]), np.array([True, True, False, False]))
    Area(value=0.75, variance=0.125)
    """
    from scipy.stats import rankdata

    high, low = scores[is_positive], scores[~is_positive]
    together = rankdata(np.concatenate([high, low]))
    of_high = (together[: high.size] - rankdata(high)) / low.size
    of_low = 1.0 - (together[high.size :] - rankdata(low)) / high.size
    variance = 0.0
    if high.size > 1 and low.size > 1:
        variance = of_high.var(ddof=1) / high.size + of_low.var(ddof=1) / low.size
    return Area(float(of_high.mean()), float(variance))


def _degenerate(area: Area, positives: int, negatives: int) -> bool:
    return min(positives, negatives) < 2 or area.value in (0.0, 1.0) or area.variance == 0.0


def _logit_ends(area: Area, positives: int, negatives: int, probability: float) -> float:
    from scipy.special import expit, logit, ndtri

    error = np.sqrt(area.variance) / (area.value * (1.0 - area.value))
    return float(expit(logit(area.value) + ndtri(probability) * error))


def _score_ends(area: Area, positives: int, negatives: int, probability: float) -> float:
    """Solve |area - truth| = z x standard error at the truth, by Hanley & McNeil's formula."""
    from scipy.optimize import brentq
    from scipy.special import ndtri

    z = float(ndtri(probability))
    alike = (positives + negatives) / 2.0 - 1.0

    def excess(truth: float) -> float:
        spread = truth * (1.0 - truth) / (positives * negatives)
        spread *= 1.0 + alike * ((1.0 - truth) / (2.0 - truth) + truth / (1.0 + truth))
        return truth - area.value - z * np.sqrt(max(spread, 0.0))

    if z == 0.0:
        return area.value
    start, stop = (0.0, area.value) if z < 0 else (area.value, 1.0)
    if excess(start) * excess(stop) >= 0.0:
        return stop if z > 0 else start
    # brentq is typed to return float or a result object; full_output is off.
    return float(brentq(excess, start, stop, xtol=1e-12))  # type: ignore[reportArgumentType]
