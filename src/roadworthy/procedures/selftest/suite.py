"""Whole audits of healthy subjects: how often any check of all fails where none should.

No subject can be clean of everything at once: labels cannot be as predicted and also drawn from the
probabilities. So in one audit each check sees the subject as its own control made it, with half of what is
tolerated planted, and the audit counts as false when any check fails.
"""

from collections.abc import Callable, Sequence

from roadworthy.procedures.selftest.course import Course
from roadworthy.procedures.selftest.records import SuiteBatch


def of_one_fault_each(courses: Sequence[Course]) -> list[Course]:
    """Return one course per check, as a check stands once in an audit."""
    by_check: dict[str, Course] = {}
    for course in courses:
        by_check.setdefault(course.trial.check.name, course)
    return [course for course in by_check.values() if course.healthy_rung is not None]


def audits(
    courses: Sequence[Course],
    most: int,
    repeat: Callable[[Course], bool],
    has_time: Callable[[], bool],
) -> tuple[int, dict[str, int], int]:
    """Put the healthy repetitions of all courses side by side, and make those that are lacking.

    `repeat` makes one more healthy repetition of a course and says whether that could be done.

    Returns
    -------
    n : int
        Whole audits.
    false_fails : dict of str to int
        By check.
    with_false_fail : int
        Audits in which any check failed.
    """
    false_fails = {course.trial.check.name: 0 for course in courses}
    n = with_false_fail = 0
    while courses and n < most:
        for course in courses:
            while len(course.healthy_fails) <= n:
                if not has_time() or not repeat(course):
                    return n, false_fails, with_false_fail
        failed = [c.trial.check.name for c in courses if c.healthy_fails[n]]
        for name in failed:
            false_fails[name] += 1
        with_false_fail += bool(failed)
        n += 1
    return n, false_fails, with_false_fail


def batch_of(
    n: int,
    false_fails: dict[str, int],
    with_false_fail: int,
    *,
    subject_key: str,
    seed: int,
    first: int,
) -> SuiteBatch:
    """Return these audits as a batch of a record."""
    kept = {name: count for name, count in sorted(false_fails.items()) if count}
    return SuiteBatch(subject_key, seed, first, n, with_false_fail, kept)
