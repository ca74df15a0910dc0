"""The remedy for wrong labels that a person looked at: what was decided is done, to no other row."""

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.data_quality.faults.rows import target_of
from roadworthy.challenges.data_quality.mitigations.labels import FAULT, TARGETS
from roadworthy.engine import mitigation, sham
from roadworthy.errors import NotApplicable
from roadworthy.subject import Subject
from roadworthy.subject.label_review import LEFT_OUT, Decided, LabelReview

NO_REVIEW = (
    "no person has decided yet: fill the column decision of the review.csv that an audit writes, and give "
    "it with --reviewed FILE"
)


@mitigation(targets=TARGETS, strengths=(1.0,), sham="the_review_dealt_to_other_rows", repairs=FAULT)
def reviewed_label_errors_mended(
    subject: Subject, strength: float, *, label_review: LabelReview | None = None
) -> Subject:
    """Leave out, or label anew, the rows whose label a person found wrong.

    Does what the review sheet says of training and validation rows, and trains anew. Rows that were kept or not
    decided are left alone, and so are all test rows: their labels are what the effect is measured by. The record rests
    on a simulated reviewer who is wrong in one decision of twenty (docs/fix.md).
    """
    if strength == 0.0:
        return subject
    return _mended(subject, _given(label_review))


@sham()
def the_review_dealt_to_other_rows(
    subject: Subject,
    strength: float,
    rng: Generator,
    *,
    label_review: LabelReview | None = None,
) -> Subject:
    """Deal the same decisions at random to rows of the same label: as many left out, as many labelled anew.

    The shares of the classes change as they do with the review; which rows they come from is luck.
    """
    if strength == 0.0:
        return subject
    dealt = {
        name: _dealt(decided, subject.splits[name].source_rows, target_of(subject, name), rng)
        for name, decided in _given(label_review).items()
        if name in subject.splits
    }
    return _mended(subject, dealt)


def _given(review: LabelReview | None) -> LabelReview:
    if review is None:
        raise NotApplicable(NO_REVIEW)
    if not any(len(decided.decisions) for decided in review.values()):
        raise NotApplicable("the review finds no training or validation label wrong")
    return review


def _dealt(
    decided: Decided, source_rows: np.ndarray, labels: np.ndarray, rng: Generator
) -> Decided:
    drawn = np.empty(len(decided.labels), np.int64)
    for label in np.unique(decided.labels):
        asked = np.flatnonzero(decided.labels == label)
        drawn[asked] = rng.choice(np.flatnonzero(labels == label), len(asked), replace=False)
    return replace(decided, source_rows=source_rows[drawn])


def _mended(subject: Subject, review: LabelReview) -> Subject:
    made = subject
    for name, decided in review.items():
        split = subject.splits.get(name)
        if split is None:
            continue
        before = target_of(subject, name)
        labels = before.copy()
        places = decided.places(split.source_rows, labels)
        is_there = places >= 0
        places, decisions = places[is_there], decided.decisions[is_there]
        relabelled = decisions != LEFT_OUT
        labels[places[relabelled]] = decisions[relabelled]
        keep = np.ones(split.n, bool)
        keep[places[~relabelled]] = False
        if name == "train" and len(np.unique(labels[keep])) < len(np.unique(before)):
            raise NotApplicable("no row of some class would be left to train on")
        changed = replace(split, target=labels)
        made = made.with_split(name, changed if keep.all() else changed.take(keep))
    return made.retrained()
