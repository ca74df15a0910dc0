"""The verdict on a measurement that may have missed harm: its instrument failed, or a part had too few examples."""

from roadworthy.results import DoubtedMeasurement, Measurement, Requirement, ShortMeasurement
from roadworthy.statistics.verdicts import Judgement, in_words, judge


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
    if not isinstance(measurement, DoubtedMeasurement) or found.verdict == "fail":
        return found
    doubts, is_short = "; ".join(measurement.doubts), found.reason_code == "insufficient_n"
    # So many examples more would decide nothing: the doubt would remain.
    said = found.reason if is_short else in_words(measurement, requirement)
    if isinstance(measurement, ShortMeasurement):
        reason = f"Too few for a pass: {doubts}. {said}"
        return Judgement("inconclusive", "insufficient_n", reason, found.p_value, None)
    if is_short:
        return found
    reason = f"Not reliable here: {doubts}. {said}"
    return Judgement("inconclusive", "unreliable", reason, found.p_value, None)
