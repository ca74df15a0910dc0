"""The largest of many numbers of which most are far below it: corrected for those alone that could be it."""

from collections.abc import Sequence

import numpy as np

from roadworthy.errors import NotApplicable
from roadworthy.results import Evidence, Measurement
from roadworthy.statistics.distributions import GRID, limit, quantiles_on
from roadworthy.statistics.rates import measured

SCREENED = 0.1  # of the error of a lower end, spent on leaving numbers out


def largest_of_many(
    measurements: Sequence[Measurement],
    *,
    unit: str | None = None,
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Return the largest of several numbers, corrected for those that are not plainly smaller.

    As `largest_of`, but sharper where most of many are small. "None is above d" is refuted in two steps: a tenth of the error goes
    to leave out the numbers whose upper end is below d, the rest is shared by those that stay. The lower end is the largest d
    up to which every claim is refuted. The upper end is the largest upper end, as there.

    Parameters
    ----------
    measurements : sequence of Measurement

    Returns
    -------
    Measurement
        Its `n` is that of the number which is the largest.

    Raises
    ------
    NotApplicable
        Without measurements.

    References
    ----------
    Romano, Shaikh & Wolf (2014), Econometrica 82, 1979-2002 (two steps); Bonferroni in either.

    Examples
    --------
    Of 50 rates 49 are 0 of 200: an upper end of 0.06 leaves them out, and 60 of 200 is nearly alone.

    >>> from roadworthy.statistics import largest_of, rate
    >>> many = [rate(60, 200), *(rate(0, 200) for _ in range(49))]
    >>> low = [round(m.low, 3) for m in (largest_of(many), largest_of_many(many), many[0])]
    >>> low
    [0.2, 0.236, 0.237]
    """
    if not measurements:
        raise NotApplicable("there is no number to take the extreme of; at least one is needed")
    chosen = max(measurements, key=lambda m: m.value)
    kinds = list(
        {m.distribution: m for m in measurements}.values()
    )  # of many small rates few differ
    place = {m.distribution: i for i, m in enumerate(kinds)}
    shared = np.bincount([place[m.distribution] for m in measurements])

    def at(probability: float, of: np.ndarray) -> np.ndarray:
        return np.array([limit(kinds[i].distribution, probability) for i in of.tolist()])

    def ends(probability: float) -> float:
        every = np.arange(len(kinds))
        if probability >= 0.5:
            return float(at(probability, every).max())
        left_out = SCREENED * probability
        high = at(1.0 - left_out / len(measurements), every)
        low, stay = -np.inf, every
        while True:
            tail = (probability - left_out) / int(shared[stay].sum())
            higher = max(low, float(at(tail, stay).max()))
            left = stay[high[stay] >= higher]
            if higher <= low or len(left) == len(stay) or len(left) == 0:
                return higher
            low, stay = higher, left

    return measured(
        chosen.value,
        chosen.n,
        quantiles_on(GRID, ends),
        unit=chosen.unit if unit is None else unit,
        method=f"largest of {len(measurements)} in two steps, each {chosen.method}",
        details=details,
        evidence=evidence,
    )
