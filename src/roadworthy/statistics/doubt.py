"""The verdict on a measurement whose instrument may have failed."""

from roadworthy.results import DoubtedMeasurement, Measurement, Requirement
from roadworthy.statistics.verdicts import Judgement, judge


def judged(measurement: Measurement, requirement: Requirement, least: int = 1) -> Judgement:
    """Judge a measurement; one that is doubted may fail and does not pass.

    A search that was misled may have missed harm, while the harm that it found is there. Parameters as of `judge`.

    Examples
    --------
    >>> from roadworthy.results import AtMost, doubted
    >>> from roadworthy.statistics.rates import rate
    >>> found = doubted(rate(1, 200), ("gradients are 0",))
    >>> judged(found, AtMost(0.3, "house default")).reason_code
    'unreliable'
    """
    found = judge(measurement, requirement, least)
    is_doubted = isinstance(measurement, DoubtedMeasurement)
    if not is_doubted or found.verdict == "fail" or found.reason_code == "insufficient_n":
        return found
    reason = f"Not reliable here: {'; '.join(measurement.doubts)}. {found.reason}"
    return Judgement("inconclusive", "unreliable", reason, found.p_value, None)
