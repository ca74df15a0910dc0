"""Thumbnails: of things, never of people, and few."""

import base64
import io

import numpy as np
from PIL import Image

from roadworthy.procedures.pictures import MOST, with_pictures
from roadworthy.results import Example, Examples, Finding
from roadworthy.subject import Split, Subject, Task


def found(people: bool, shape: tuple[int, ...] = (20, 1, 8, 8)) -> Examples:
    inputs = np.linspace(0, 1, int(np.prod(shape))).reshape(shape).astype(np.float32)
    split = Split(inputs, np.zeros(shape[0], np.int64))
    subject = Subject("x", Task("binary", ("a", "b"), 1), "array", {"test": split}, people=people)
    examples = Examples("Rows", tuple(Example("test", row, "") for row in range(shape[0])))
    finding = with_pictures(Finding("c", "d", "", "note", "", evidence=(examples,)), subject)
    (evidence,) = finding.evidence
    assert isinstance(evidence, Examples)
    return evidence


def test_the_first_rows_have_a_picture_of_their_pixels() -> None:
    evidence = found(people=False)
    pictures = [example.picture for example in evidence.examples]
    assert all(pictures[:MOST])
    assert not any(pictures[MOST:])
    assert pictures[0] is not None
    image = Image.open(io.BytesIO(base64.b64decode(pictures[0].partition(",")[2])))
    assert image.size == (96, 96)
    assert image.getpixel((0, 0)) == 0  # the darkest of the row's own range
    assert image.getpixel((95, 95)) == 255


def test_people_are_not_shown() -> None:
    assert not any(example.picture for example in found(people=True).examples)


def test_rows_that_are_no_pictures_have_none() -> None:
    assert not any(example.picture for example in found(people=False, shape=(5, 30)).examples)
