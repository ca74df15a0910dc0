"""Measurements of rates: one rate, the precision that a rate implies elsewhere, a proven count."""

from roadworthy.errors import NotApplicable
from roadworthy.results import Counts, Distribution, Evidence, Fact, Measurement, Quantiles
from roadworthy.statistics.distributions import GRID, interval_of, quantiles_on
from roadworthy.statistics.intervals import exact_end


def measured(
    value: float,
    n: int,
    distribution: Distribution,
    *,
    unit: str,
    method: str,
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
    level: float = 0.95,
) -> Measurement:
    """Return a measurement whose interval is read from its distribution."""
    low, high = interval_of(distribution, level)
    return Measurement(
        float(value), low, high, int(n), unit, method, distribution, level, 1, details, evidence
    )


def rate(
    hits: float,
    n: float,
    *,
    unit: str = "share of rows",
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Share of trials that are hits, with its Clopper-Pearson interval.

    Parameters
    ----------
    hits, n : int
    unit : str
        In plain words, beginning with "share of".
    details : str
    evidence : tuple of Evidence

    Returns
    -------
    Measurement

    Raises
    ------
    NotApplicable
        Where n is 0.

    References
    ----------
    Clopper & Pearson (1934), Biometrika 26, 404-413.

    Examples
    --------
    >>> wrong = rate(0, 36, unit="share of test rows")
    >>> wrong.value, wrong.low, round(wrong.high, 4)  # 1 - 0.025 ** (1 / 36)
    (0.0, 0.0, 0.0974)
    """
    if n <= 0:
        raise NotApplicable("there are no examples to take a rate of; at least one is needed")
    counts = Counts(int(hits), int(n))
    return measured(
        counts.hits / counts.n,
        counts.n,
        counts,
        unit=unit,
        method="Clopper-Pearson",
        details=details,
        evidence=evidence,
    )


def precision_at_prevalence(
    true_alarms: int,
    positives: int,
    false_alarms: int,
    negatives: int,
    prevalence: float,
    *,
    unit: str = "share of alarms",
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Share of alarms that would be true where `prevalence` of all cases are positive.

    A test set is often richer in rare cases than the world. Precision there is
    v x recall / (v x recall + (1 - v) x false alarm rate); its log odds are a constant plus
    log recall - log false alarm rate, whose limits are combined as squares.

    Parameters
    ----------
    true_alarms, positives : int
        Alarms among the positives, and all positives.
    false_alarms, negatives : int
        Alarms among the negatives, and all negatives.
    prevalence : float
        Between 0 and 1, as expected in use.

    Returns
    -------
    Measurement

    Raises
    ------
    NotApplicable
        Without a positive, a negative, or an alarm.

    References
    ----------
    Zou & Donner (2008), Statistics in Medicine 27, 1693-1702, on the log scale, with Clopper-Pearson
    limits.

    Examples
    --------
    Recall 0.8, false alarm rate 0.05, 1 % positives: 0.008 / (0.008 + 0.0495) = 0.139.

    >>> round(precision_at_prevalence(80, 100, 5, 100, 0.01).value, 3)
    0.139
    """
    from math import exp, log, sqrt

    if min(positives, negatives) <= 0 or true_alarms + false_alarms == 0:
        raise NotApplicable(
            f"{positives} positives, {negatives} negatives and {true_alarms + false_alarms} alarms; "
            "a precision needs at least one of each"
        )

    def from_ratio(ratio: float) -> float:
        return prevalence * ratio / (prevalence * ratio + 1.0 - prevalence)

    recall, fallout = true_alarms / positives, false_alarms / negatives

    def distance(x: int, n: int, tail: float, *, upper: bool) -> float:
        end = exact_end(x, n, 1.0 - tail if upper else tail, upper=upper)
        return abs(log(end) - log(x / n)) if end > 0.0 and x > 0 else float("inf")

    def ends(probability: float) -> float:
        tail, up = min(probability, 1.0 - probability), probability >= 0.5
        if recall == 0.0 or fallout == 0.0:
            # One of the logarithms is infinite: the ratio of the two limits stands in, at half the tail each.
            best = exact_end(true_alarms, positives, 1.0 - tail / 2, upper=True)
            worst = exact_end(false_alarms, negatives, 1.0 - tail / 2, upper=True)
            least = exact_end(true_alarms, positives, tail / 2)
            fewest = exact_end(false_alarms, negatives, tail / 2)
            if up:
                return from_ratio(best / fewest) if fewest > 0.0 else 1.0
            return from_ratio(least / worst)
        apart = sqrt(
            distance(true_alarms, positives, tail, upper=up) ** 2
            + distance(false_alarms, negatives, tail, upper=not up) ** 2
        )
        return from_ratio(exp(log(recall / fallout) + (apart if up else -apart)))

    value = 1.0 if fallout == 0.0 else from_ratio(recall / fallout)
    return measured(
        value,
        positives + negatives,
        quantiles_on(GRID, ends),
        unit=unit,
        method="square-and-add of logarithms, Clopper-Pearson limits",
        details=details,
        evidence=evidence,
    )


def fact(
    value: float,
    n: int,
    *,
    unit: str,
    limit: float | None = None,
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Return a value in which no chance is involved, such as the number of exact duplicates.

    Parameters
    ----------
    value : float
    n : int
        How many things were looked at.
    unit : str
    limit : float, optional
        For a one-sided fact: `value` is proven, the truth may lie as far as `limit` (a search that
        can miss finds "at least 3"). A bound between the two then leaves the verdict open.

    Returns
    -------
    Measurement

    Examples
    --------
    >>> fact(3, 1000, unit="rows").high
    3.0
    >>> searched = fact(3, 1000, unit="rows", limit=20)
    >>> searched.low, searched.high
    (3.0, 20.0)
    """
    if n <= 0:
        raise NotApplicable("there is nothing to look at: 0 examples; at least one is needed")
    if limit is None or limit == value:
        settled = Fact(float(value))
        return measured(
            value, n, settled, unit=unit, method="fact", details=details, evidence=evidence
        )
    low, high = sorted((float(value), float(limit)))
    between = Quantiles((1e-9, 0.5 - 1e-9, 0.5 + 1e-9, 1.0 - 1e-9), (low, low, high, high))
    return measured(
        value, n, between, unit=unit, method="one-sided fact", details=details, evidence=evidence
    )
