"""A model that misses the rarest class, and alarms for it that are wrong."""

import numpy as np

from roadworthy.challenges.data_quality.faults.rows import target_of
from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable
from roadworthy.subject import Subject


@control(clears="rarest_class_missed")
def every_case_found(subject: Subject, rng: np.random.Generator) -> Subject:
    """Let the model be right on every test row."""
    return subject.with_given(test_correct=np.ones(len(_labels(subject)), bool))


@fault(
    breaks="rarest_class_missed",
    severities=(0.1, 0.25, 0.5, 0.75, 1.0),
    starts_from="every_case_found",
)
def rarest_class_overlooked(subject: Subject, severity: float, rng: np.random.Generator) -> Subject:
    """Let the model miss each test row of the class with the fewest training rows, with this chance."""
    if severity == 0:
        return subject
    labels = _labels(subject)
    rarest = _rarest(subject)
    missed = (labels == rarest) & (rng.random(len(labels)) < severity)
    correct = subject.given.get("test_correct")
    if correct is None:
        raise NotApplicable("the fault starts from a model that finds every case")
    return subject.with_given(
        test_correct=np.asarray(correct) & ~missed,
        planted={"rows": {"test": np.flatnonzero(missed)}},
    )


@control(clears="precision_lost_to_rarity")
def alarms_that_are_always_right(subject: Subject, rng: np.random.Generator) -> Subject:
    """Let every test row of the rare class score above every other."""
    return _with_scores(subject, 1.0, rng)


@fault(
    breaks="precision_lost_to_rarity",
    severities=(0.2, 0.4, 0.6, 0.8, 0.9, 1.0),
    starts_from="alarms_that_are_always_right",
)
def alarms_that_are_wrong(
    subject: Subject,
    severity: float,
    rng: np.random.Generator,
    prevalence: float | None = None,
) -> Subject:
    """Let only some test rows of the rare class score above all others, the rest like any row.

    With a share a of the class on top, average precision has a closed form in a and the prevalence; a is
    solved for.
    """
    if severity == 0:
        return subject
    from scipy.optimize import brentq

    labels = _labels(subject)
    v = float((labels == _asked(subject)).mean()) if prevalence is None else prevalence
    wanted = 1 - severity * (1 - v)

    def missing(a: float) -> float:
        return expected_average_precision(a, v) - wanted

    top = 0.0 if missing(0.0) >= 0 else float(np.asarray(brentq(missing, 0.0, 1.0)))
    return _with_scores(subject, top, rng)


def expected_average_precision(top: float, prevalence: float) -> float:
    """Average precision where a share of the positives ranks first and the rest at random.

    At depth t of the rest, recall is a + (1 - a) t and precision v (a + (1 - a) t) / (that + (1 - v) t).

    >>> expected_average_precision(1.0, 0.1), round(expected_average_precision(0.0, 0.1), 6)
    (1.0, 0.1)
    """
    t = (np.arange(20_000) + 0.5) / 20_000
    found = prevalence * (top + (1 - top) * t)
    precision = found / (found + (1 - prevalence) * t)
    return float(top + (1 - top) * precision.mean())


def _with_scores(subject: Subject, top: float, rng: np.random.Generator) -> Subject:
    labels = _labels(subject)
    positive = labels == _asked(subject)
    if not 2 <= positive.sum() <= len(positive) - 2:
        raise NotApplicable("the test rows need two rows of the rare class and two of the others")
    first = positive & (rng.random(len(labels)) < top)
    scores = np.where(first, 0.75, 0.25) + rng.uniform(-0.2, 0.2, len(labels))
    classes = len(subject.task.classes)
    probabilities = np.repeat((1 - scores[:, None]) / (classes - 1), classes, axis=1)
    probabilities[:, _asked(subject)] = scores
    return subject.with_given(test_probabilities=probabilities)


def _labels(subject: Subject) -> np.ndarray:
    if not subject.task.is_classification:
        raise NotApplicable("the target is a number; it has no rare class")
    return target_of(subject, "test")


def _rarest(subject: Subject) -> int:
    counts = np.bincount(target_of(subject, "train"), minlength=len(subject.task.classes))
    return int(counts.argmin())


def _asked(subject: Subject) -> int:
    positive = subject.task.positive
    return _rarest(subject) if positive is None else positive
