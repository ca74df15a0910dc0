"""Published data with a known defect: what a natural fault returns."""

from dataclasses import dataclass
from typing import Literal

from roadworthy.subject.subject import Subject

Verdict = Literal["pass", "fail", "inconclusive", "not_run", "error", "note"]
"""As in the results, which this room does not know."""


@dataclass(frozen=True, eq=False)
class Natural:
    """A subject whose ground truth is published, and what the check must say of it.

    Parameters
    ----------
    subject : Subject
    verdict : frozenset of Verdict
        Verdicts that agree with the ground truth ({"fail"}, or {"inconclusive", "fail"} where the
        defect is too small for the bound to be decided).
    where : str
        The ground truth in a sentence, with its numbers.
    source : str
        Who published the defect.
    """

    subject: Subject
    verdict: frozenset[Verdict]
    where: str
    source: str
