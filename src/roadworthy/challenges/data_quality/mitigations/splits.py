"""Remedies for leaks between splits: what training must not have seen is taken out of it, test rows stay."""

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.data_quality.duplicates import first_identical
from roadworthy.challenges.data_quality.faults.rows import kept
from roadworthy.engine import mitigation, sham
from roadworthy.errors import NotApplicable
from roadworthy.subject import Subject


@mitigation(
    targets=(
        "exact_duplicates_across_splits",
        "near_duplicates_across_splits",
        "entities_across_splits",
    ),
    strengths=(1.0,),
    sham="as_many_rows_at_random",
    repairs="training_rows_copied_into_test",
)
def split_without_leaks(
    subject: Subject,
    strength: float,
    test_content_hashes: np.ndarray,
    train_content_hashes: np.ndarray,
    near_copies: np.ndarray | None = None,
    validation_content_hashes: np.ndarray | None = None,
    train_entities: np.ndarray | None = None,
    test_entities: np.ndarray | None = None,
    validation_entities: np.ndarray | None = None,
) -> Subject:
    """Split again so that nothing of the test rows is in training: no copy, no near copy, nobody in both.

    Training and validation rows that equal a test row, nearly equal it or belong to its entity are taken
    out; the test rows stay as they are, so that before and after are measured on the same ones. The
    test result usually gets worse: it was too good before.
    """
    if strength == 0.0:
        return subject
    n = len(train_content_hashes)
    leaks = {
        "train": first_identical(test_content_hashes, train_content_hashes) >= 0,
        "validation": np.zeros(0, bool),
    }
    if validation_content_hashes is not None:
        leaks["validation"] = first_identical(test_content_hashes, validation_content_hashes) >= 0
    if near_copies is not None:
        positions = near_copies[near_copies[:, 0] >= 0, 0].astype(np.int64)
        leaks["train"][positions[positions < n]] = True
        beyond = positions[positions >= n] - n
        leaks["validation"][beyond[beyond < len(leaks["validation"])]] = True
    if test_entities is not None:
        for name, entities in (("train", train_entities), ("validation", validation_entities)):
            if entities is not None:
                leaks[name] |= np.isin(entities, test_entities)
    return _without(subject, leaks)


@sham()
def as_many_rows_at_random(
    subject: Subject,
    strength: float,
    rng: Generator,
    test_content_hashes: np.ndarray,
    train_content_hashes: np.ndarray,
    near_copies: np.ndarray | None = None,
    train_entities: np.ndarray | None = None,
    test_entities: np.ndarray | None = None,
) -> Subject:
    """Take as many training rows out, drawn at random."""
    mended = split_without_leaks(
        subject,
        strength,
        test_content_hashes,
        train_content_hashes,
        near_copies,
        train_entities=train_entities,
        test_entities=test_entities,
    )
    n = len(train_content_hashes)
    out = np.zeros(n, bool)
    out[rng.choice(n, n - mended.splits["train"].n, replace=False)] = True
    return _without(subject, {"train": out})


def _without(subject: Subject, leaks: dict[str, np.ndarray]) -> Subject:
    if not any(rows.any() for rows in leaks.values()):
        raise NotApplicable("no training or validation row is in the test split too")
    for name, rows in leaks.items():
        if rows.any():
            if rows.all():
                raise NotApplicable(f"every {name} row leaks; collect rows that do not")
            subject = kept(subject, name, ~rows)
    return subject.retrained()
