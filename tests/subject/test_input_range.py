"""The range of array inputs: stated, known, or not known and said."""

import numpy as np
import pytest

from roadworthy.engine import Missing
from roadworthy.errors import UserError
from roadworthy.subject import fields_of, subject_from

RNG = np.random.default_rng(0)
LABELS = np.arange(40) % 2


def images(kind: type, high: float) -> tuple[np.ndarray, np.ndarray]:
    return (RNG.random((40, 1, 20, 20)) * high).astype(kind), LABELS


def test_bytes_run_from_0_to_255() -> None:
    subject = subject_from(data=images(np.uint8, 255))
    assert subject.input_range == (0.0, 255.0)


def test_numbers_have_the_range_that_was_stated_or_none() -> None:
    data = images(np.float32, 1)
    assert subject_from(data=data, input_range=(0, 1)).input_range == (0, 1)
    field = fields_of(subject_from(data=data))["input_range"]
    assert isinstance(field, Missing)
    assert "--input-range" in field.reason


def test_rows_outside_of_the_stated_range_are_refused_with_the_row() -> None:
    inputs, labels = images(np.float32, 1)
    inputs[7, 0, 3, 3] = 2.5
    with pytest.raises(UserError, match=r"1 all rows.*2.5 in row 7"):
        subject_from(data=(inputs, labels), input_range=(0, 1))


def test_columns_of_a_table_have_ranges_of_their_own() -> None:
    subject = subject_from(data=(RNG.random((40, 3)), LABELS))
    found = fields_of(subject)["input_range"]
    assert isinstance(found, Missing)
    assert found.code == "not_applicable"


def test_a_range_that_ends_before_it_begins_is_refused_as_that() -> None:
    with pytest.raises(UserError, match="first number must be below the second"):
        subject_from(data=images(np.float32, 1), input_range=(1, 0))
