"""A subject in which other rows stand in the place of the test rows: validation, proof, or some of them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from roadworthy.procedures.paired.again import length, taken
from roadworthy.subject import Subject

TEST = "test_"


def with_test_rows_of(subject: Subject, split: str) -> Subject:
    """Return the subject measured on the rows of another split; sealed rows are in no other place."""
    prefix = f"{split}_"
    splits = {n: s for n, s in subject.splits.items() if n != "proof"}
    own = {TEST + n.removeprefix(prefix): v for n, v in _given(subject, prefix).items()}
    others = {n: v for n, v in subject.given.items() if not n.startswith((TEST, "proof_"))}
    return replace(
        subject,
        splits={**splits, "test": subject.splits[split]},
        given={**others, **own},
    )


def with_some_test_rows(subject: Subject, rows: np.ndarray) -> Subject:
    """Return the subject measured on some of its test rows."""
    n = subject.splits["test"].n
    own = {
        name: taken(value, rows) if length(value) == n else value
        for name, value in _given(subject, TEST).items()
    }
    fewer = subject.with_split("test", subject.splits["test"].take(rows))
    return replace(fewer, given={**subject.given, **own})


def _given(subject: Subject, prefix: str) -> Mapping[str, Any]:  # Any: see `Subject.given`
    return {name: value for name, value in subject.given.items() if name.startswith(prefix)}
