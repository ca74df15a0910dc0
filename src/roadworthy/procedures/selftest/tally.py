"""What is kept of the repetitions of one control: counts that add up, and the rates read from them."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from math import sqrt

from roadworthy.procedures.selftest.stopping import (
    DETECTED_HARMFUL,
    FALSE_FAIL_AT_BOUND,
    FALSE_FAIL_HEALTHY,
    FALSE_PASS_AT_BOUND,
    FALSE_PASS_HARMFUL,
    PASS_HEALTHY,
    Mark,
)
from roadworthy.results import Verdict
from roadworthy.statistics import Interval, clopper_pearson

# An exact value and the truth that it was planted as may differ in the last digits.
TOLERANCE = 1e-9

FAIL_MARKS = (FALSE_FAIL_AT_BOUND, FALSE_FAIL_HEALTHY, DETECTED_HARMFUL)
PASS_MARKS = (FALSE_PASS_AT_BOUND, FALSE_PASS_HARMFUL, PASS_HEALTHY)


@dataclass(frozen=True)
class Repetition:
    """One planting and what the check said of it.

    Parameters
    ----------
    verdict : Verdict
    estimate, low, high : float or None
        None where nothing was measured.
    truth : float
        The planted value: the severity, or what the fault says that it planted.
    localised : float or None
        Share of the planted rows or columns that the check named; None where it names none by design
        or the fault planted nowhere in particular.
    seconds : float
    seed : int
        What the generator of this repetition was made from.
    n : int or None
    unit : str
    is_fact : bool
        These three of the measurement.
    reason : str
        Why nothing was measured, or the last line of the traceback.
    """

    verdict: Verdict
    estimate: float | None
    low: float | None
    high: float | None
    truth: float
    localised: float | None
    seconds: float
    seed: int
    n: int | None = None
    unit: str = ""
    is_fact: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Tally:
    """Counts and sums over the repetitions of one severity; two tallies of different repetitions add up.

    Parameters
    ----------
    n : int
        Repetitions; the sum of the five counts that follow.
    passes, fails, undecided, not_run, errors : int
    measured : int
        Repetitions with an estimate: the denominator of what follows.
    truth_sum, error_sum, square_sum : float
        Of the truths, of estimate - truth, and of its square.
    above, below : int
        Intervals that lie wholly above, or below, the truth.
    localised_sum : float
    localised_n : int
    seconds : float
    """

    n: int = 0
    passes: int = 0
    fails: int = 0
    undecided: int = 0
    not_run: int = 0
    errors: int = 0
    measured: int = 0
    truth_sum: float = 0.0
    error_sum: float = 0.0
    square_sum: float = 0.0
    above: int = 0
    below: int = 0
    localised_sum: float = 0.0
    localised_n: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Tally") -> "Tally":
        """Return the tally of both, which must be of different repetitions."""
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Tally)))

    @property
    def truth(self) -> float | None:
        """Mean planted value."""
        return self.truth_sum / self.measured if self.measured else None

    @property
    def bias(self) -> float | None:
        """Mean of estimate - truth."""
        return self.error_sum / self.measured if self.measured else None

    @property
    def bias_error(self) -> float | None:
        """Standard error of the bias; None below two repetitions."""
        if self.measured < 2:
            return None
        spread = self.square_sum - self.error_sum**2 / self.measured
        return sqrt(max(0.0, spread) / (self.measured - 1) / self.measured)

    @property
    def coverage(self) -> float | None:
        """Share of the measured intervals that contain the truth."""
        covered = self.measured - self.above - self.below
        return covered / self.measured if self.measured else None

    @property
    def localisation(self) -> float | None:
        """Mean share of the planted rows or columns that were named."""
        return self.localised_sum / self.localised_n if self.localised_n else None

    def hits(self, mark: Mark) -> int:
        """Return how many repetitions show the event of `mark`."""
        assert mark in FAIL_MARKS or mark in PASS_MARKS, mark.name
        return self.fails if mark in FAIL_MARKS else self.passes

    def rate(self, mark: Mark) -> float | None:
        """Return the share of repetitions that show the event of `mark`."""
        return self.hits(mark) / self.n if self.n else None

    def interval(self, mark: Mark) -> Interval:
        """Return the 95 % Clopper-Pearson interval of that share."""
        return clopper_pearson(self.hits(mark), self.n)


def tally_of(repetition: Repetition) -> Tally:
    """Return the tally of one repetition."""
    verdict = repetition.verdict
    counts = Tally(
        n=1,
        passes=int(verdict == "pass"),
        fails=int(verdict == "fail"),
        undecided=int(verdict in ("inconclusive", "note")),
        not_run=int(verdict == "not_run"),
        errors=int(verdict == "error"),
        localised_sum=repetition.localised or 0.0,
        localised_n=int(repetition.localised is not None),
        seconds=repetition.seconds,
    )
    if repetition.estimate is None or repetition.low is None or repetition.high is None:
        return counts
    truth = repetition.truth
    error = repetition.estimate - truth
    slack = TOLERANCE * max(1.0, abs(truth))
    return counts + Tally(
        measured=1,
        truth_sum=truth,
        error_sum=error,
        square_sum=error**2,
        above=int(repetition.low > truth + slack),
        below=int(repetition.high < truth - slack),
    )


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of tallies of different repetitions."""
    result = Tally()
    for tally in tallies:
        result = result + tally
    return result
