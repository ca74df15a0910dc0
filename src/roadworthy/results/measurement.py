"""A measured number with everything needed to judge it again: interval, method, and its distribution."""

from dataclasses import dataclass, fields
from math import isfinite
from typing import Any, Literal

from roadworthy.results.evidence import Evidence


@dataclass(frozen=True)
class Counts:
    """`hits` of `n` independent trials; its interval is Clopper-Pearson. value = offset + scale x rate."""

    hits: int
    n: int
    scale: float = 1.0
    offset: float = 0.0
    kind: Literal["counts"] = "counts"


@dataclass(frozen=True)
class TwoCounts:
    """Difference of two independent rates, hits_a/n_a - hits_b/n_b; its interval is Newcombe's method 10."""

    hits_a: int
    n_a: int
    hits_b: int
    n_b: int
    kind: Literal["two_counts"] = "two_counts"


@dataclass(frozen=True)
class Estimate:
    """A mean-like estimate with standard error; Student's t with `degrees_of_freedom` (None: normal)."""

    estimate: float
    standard_error: float
    degrees_of_freedom: float | None = None
    kind: Literal["estimate"] = "estimate"


@dataclass(frozen=True)
class Quantiles:
    """A distribution kept as its quantile function on a grid: any other interval is read off it.

    For bootstrap replicates, inverted tests and simulated nulls. `probabilities` ascend within
    (0, 1), `values` do not descend; the interval at level L lies between the (1-L)/2 and (1+L)/2
    points (a confidence distribution).
    """

    probabilities: tuple[float, ...]
    values: tuple[float, ...]
    kind: Literal["quantiles"] = "quantiles"


@dataclass(frozen=True)
class Fact:
    """No chance is involved (an exact duplicate, an impossible code): the value is its own interval."""

    value: float
    kind: Literal["fact"] = "fact"


Distribution = Counts | TwoCounts | Estimate | Quantiles | Fact


@dataclass(frozen=True)
class Measurement:
    """A quantity of the subject as measured.

    Parameters
    ----------
    value, low, high : float
        Point estimate and two-sided interval, finite, in `unit`; low <= high.
    n : int
        The metric's own denominator (rows of the class for a recall, pairs for a paired change).
    unit : str
        In plain words: "share of rows", "share of test rows", "nats per row".
    method : str
        Of the interval: "Clopper-Pearson", "Newcombe", "inverted bootstrap", "fact".
    distribution : Distribution
        What the interval was read from; another level or bound needs no recomputation.
    level : float
        Confidence level of the interval.
    seeds : int
        Number of trainings behind the number.
    details : str
        One or two plain sentences with the names and numbers that this measurement found.
    evidence : tuple of Evidence
    """

    value: float
    low: float
    high: float
    n: int
    unit: str
    method: str
    distribution: Distribution
    level: float = 0.95
    seeds: int = 1
    details: str = ""
    evidence: tuple[Evidence, ...] = ()

    def __post_init__(self) -> None:
        assert all(isfinite(v) for v in (self.value, self.low, self.high)), (
            f"not finite: {self.value}, {self.low}, {self.high}"
        )
        assert self.low <= self.high, f"empty interval: {self.low} to {self.high}"


@dataclass(frozen=True)
class DoubtedMeasurement(Measurement):
    """A measurement that may have missed harm: it never passes.

    Parameters
    ----------
    doubts : tuple of str
        Sentences without a full stop that say why the harm may be larger than it was found to be.
    """

    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class ShortMeasurement(DoubtedMeasurement):
    """A measurement of which a part had too few examples to be judged: it never passes either, but more of them would help.

    The doubts name the part.
    """


def doubted(measurement: Measurement, doubts: tuple[str, ...]) -> Measurement:
    """Return the measurement with reasons to doubt it; itself where there is none."""
    if not doubts:
        return measurement
    # Any: the values of its fields, by name
    known: dict[str, Any] = {f.name: getattr(measurement, f.name) for f in fields(measurement)}
    known["doubts"] = doubts
    return DoubtedMeasurement(**known)


def short_of_examples(measurement: Measurement, parts: tuple[str, ...]) -> Measurement:
    """Return the measurement with sentences on the parts that have too few examples; itself where there is none."""
    if not parts:
        return measurement
    whole = doubted(measurement, parts)
    # Any: the values of its fields, by name
    known: dict[str, Any] = {f.name: getattr(whole, f.name) for f in fields(whole)}
    return ShortMeasurement(**known)
