"""By how much a way to choose rows for labelling beats chance, over paired repetitions."""

from collections.abc import Mapping

import numpy as np

from roadworthy.results import Estimate, Evidence, Measurement
from roadworthy.statistics import interval_of
from roadworthy.statistics.rates import measured

STRATEGIES = ("margin", "core-set")


def strategies_in(lifts: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """Return which strategies were compared with chance."""
    return tuple(name for name in STRATEGIES if name in lifts)


def lift_of(
    lifts: Mapping[str, np.ndarray],
    strategy: str,
    *,
    unit: str,
    details: str = "",
    evidence: tuple[Evidence, ...] = (),
) -> Measurement:
    """Return the mean of error by chance minus error by a strategy, with as many labels.

    Student's t over pairs. Their labelled rows come from one pool and overlap, so 1 / s becomes
    1 / s + q / (1 - q) with the mean share q of the pool that is labelled, after Nadeau & Bengio (2003, Machine
    Learning 52, equation 9); the chance in the test rows, which all pairs share, is added.
    """
    pairs = (lifts["random"] - lifts[strategy])[:, 1:].mean(axis=1)  # (s,)
    of_rows = lifts[f"{strategy}_rows"]  # (n,)
    share = float(lifts["labelled"][1:].mean() / lifts["pool"])
    s = len(pairs)
    repeated = float(pairs.var(ddof=1)) * (1.0 / s + share / (1.0 - share))
    error = float(np.sqrt(repeated + of_rows.var(ddof=1) / len(of_rows)))
    return measured(
        float(pairs.mean()),
        s,
        Estimate(float(pairs.mean()), error, s - 1.0),
        unit=unit,
        method="paired t, corrected for overlap (Nadeau-Bengio)",
        details=details,
        evidence=evidence,
    )


def shown_to_help(lifts: Mapping[str, np.ndarray]) -> str | None:
    """Return the strategy that beats chance beyond doubt, the surest where there are two; else None.

    Its lower bound must be above 0 at the level that two comparisons ask for (Bonferroni).
    """
    names = strategies_in(lifts)
    lows = {name: adjusted(lift_of(lifts, name, unit=""), len(names))[0] for name in names}
    best = max(lows, key=lambda name: lows[name])
    return best if lows[best] > 0.0 else None


def adjusted(lift: Measurement, comparisons: int) -> tuple[float, float]:
    """Return the interval at 1 - .05 / comparisons."""
    low, high = interval_of(lift.distribution, 1.0 - 0.05 / comparisons)
    return low, high
