"""Explanations for people: for chosen rows a sentence, and of images a picture of what the answer rests on."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import Axis, Cell, Evidence, Example, Examples, Matrix, Measurement, Table
from roadworthy.statistics import mean

if TYPE_CHECKING:
    from roadworthy.subject import Column, Task

PARTS, AGAINST = 3, 2  # columns that speak for an answer and against it
HALF = 0.5  # of an explanation: where it lies
SENTENCES = 12
PICTURES = 3
LARGEST_SIDE = 32  # of a picture; larger ones are averaged down


@check(challenge="interpretability")
def told_in_three_parts(
    test_attributions: np.ndarray,
    test_explained_rows: np.ndarray,
    test_explained_classes: np.ndarray,
    test_inputs: np.ndarray,
    task: "Task",
    attribution_method: str,
    columns: "tuple[Column, ...] | None" = None,
    test_labels: np.ndarray | None = None,
    test_predicted: np.ndarray | None = None,
    test_targets: np.ndarray | None = None,
    people: bool | None = None,
) -> Measurement:
    """How much of an explanation the three largest parts make up: what can be told in a sentence.

    Share of the sum of all attributions by size, the mean over explained rows with Student's t. The table says in sentences what the answers of chosen rows rest on,
    wrong ones (of numbers the farthest off) first: which columns speak for the answer and which against it; of images where half of it lies, with pictures. Of people the columns are named and their values are not. Whether such sentences may be believed is what `attribution_faithfulness` and
    `planted_feature_missed` measure.

    Unit: share of the explanation.
    Qualified at: a description, nothing is required of it.
    Next: read the sentences of wrong answers: what they rest on is where the data or the model mislead.
    """
    sizes = np.abs(test_attributions)
    total = sizes.sum(axis=1)
    if not (total > 0).any():
        raise NotApplicable("no explained row has an attribution that is not 0")
    largest = np.sort(sizes, axis=1)[:, -PARTS:].sum(axis=1)
    shares = largest[total > 0] / total[total > 0]
    rows = test_explained_rows
    if task.is_classification:
        told = Told(rows, test_explained_classes, of_rows(test_labels, rows), task.classes)
    else:
        told = Told(rows, of_rows(test_predicted, rows), of_rows(test_targets, rows), ())
    if columns:
        inputs = None if people else test_inputs
        evidence = (
            sentences("What answers rest on", told, test_attributions, inputs, columns, SENTENCES),
        )
    else:
        shape = test_inputs.shape[1:]
        evidence = (
            places("What answers rest on", told, test_attributions, shape, SENTENCES),
            *_pictures(told, test_attributions, shape),
        )
    silent = len(total) - len(shares)
    without = f" ({silent:,} more have no attribution that is not 0)" if silent else ""
    return replace(
        mean(shares, unit="share of the explanation"),
        details=f"Explained by {attribution_method.replace('_', ' ')}, {len(shares):,} rows{without}.",
        evidence=evidence,
    )


@dataclass(frozen=True, eq=False)
class Told:
    """What is told of explained rows beside what answers rest on.

    Parameters
    ----------
    rows : (m,) int64 ndarray
        Positions among the test rows.
    answers, truths : (m,) ndarray or None
        Class codes or numbers; None where not known.
    classes : tuple of str
        Empty where the target is a number.
    """

    rows: np.ndarray
    answers: np.ndarray | None
    truths: np.ndarray | None
    classes: tuple[str, ...]

    def chosen(self, most: int) -> list[int]:
        """Return positions of the wrong ones first, of numbers the farthest off."""
        if self.answers is None or self.truths is None:
            return list(range(min(len(self.rows), most)))
        off = self.answers != self.truths if self.classes else np.abs(self.answers - self.truths)
        return np.argsort(-off.astype(np.float64), kind="stable")[:most].tolist()

    def answer(self, k: int) -> str | None:
        """Return an answer in words, None where it is not known."""
        return self._said(self.answers, k)

    def truth(self, k: int) -> str | None:
        """Return what it should be in words, None where that is not known."""
        return self._said(self.truths, k)

    def _said(self, values: np.ndarray | None, k: int) -> str | None:
        if values is None:
            return None
        return self.classes[int(values[k])] if self.classes else f"{float(values[k]):.4g}"


def of_rows(values: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    """Return what is known of these rows, where it is."""
    return None if values is None else values[rows]


def sentences(
    title: str,
    told: Told,
    attributions: np.ndarray,
    inputs: np.ndarray | None,
    columns: "tuple[Column, ...]",
    most: int,
) -> Table:
    """Return a table of sentences on some of the rows of a table; without inputs the values of columns are not told.

    Parameters
    ----------
    title : str
    told : Told
        Of m rows.
    attributions : (m, p) ndarray
    inputs : (n, p) ndarray or None
        Of all rows of the split.
    columns : tuple of Column
    most : int
        Rows to tell of.
    """
    said: list[tuple[Cell, ...]] = []
    for k in told.chosen(most):
        row, values = int(told.rows[k]), attributions[k]
        order = np.argsort(-np.abs(values), kind="stable")
        speaking = [
            "; ".join(
                f"{columns[j].name}{_value(columns[j], inputs, row, int(j))} ({values[j]:+.2g})"
                for j in [j for j in order if sign * values[j] > 0][:count]
            )
            for sign, count in ((1, PARTS), (-1, AGAINST))
        ]
        said.append((row, told.answer(k), told.truth(k), *(each or "nothing" for each in speaking)))
    signs = ("speaks for it", "speaks against it")
    if not told.classes:
        signs = ("makes it larger", "makes it smaller")
    return Table(title, ("test row", "answer", "should be", *signs), tuple(said))


def places(
    title: str, told: Told, attributions: np.ndarray, shape: tuple[int, ...], most: int
) -> Examples:
    """Return some of the rows of an array, each with a sentence on where half of its explanation lies."""
    found: list[Example] = []
    for k in told.chosen(most):
        answer, truth = told.answer(k), told.truth(k)
        said = "" if answer is None else f'Answer "{answer}"'
        said += "" if truth in (None, answer) else f', should be "{truth}"'
        where = where_half_lies(np.abs(attributions[k]), shape)
        found.append(Example("test", int(told.rows[k]), f"{said}: {where}" if said else where))
    return Examples(title, tuple(found))


def where_half_lies(
    sizes: np.ndarray, shape: tuple[int, ...], what: str = "what it rests on"
) -> str:
    """Say in how few positions half of an explanation lies, and of an image between which lines.

    >>> where_half_lies(np.array([0.0, 3.0, 1.0, 0.0, 0.0, 1.0]), (1, 2, 3))
    'half of what it rests on lies in 1 of 6 pixels, row 0, column 1'
    """
    from roadworthy.attribution.parts import plane_of

    if not sizes.sum() > 0:
        return "nothing stands out"
    order = np.argsort(-sizes, kind="stable")
    count = int(np.searchsorted(np.cumsum(sizes[order]), HALF * sizes.sum())) + 1
    plane = plane_of(shape)
    said = f"half of {what} lies in {count:,} of {len(sizes):,}"
    if plane is None:
        return f"{said} values"
    lines = np.unravel_index(order[:count], plane)
    spans = [
        f"{name} {at.min()}" if at.min() == at.max() else f"{name}s {at.min()} to {at.max()}"
        for name, at in zip(("row", "column"), lines, strict=True)
    ]
    return f"{said} pixels, {', '.join(spans)}"


def picture_of(title: str, attributions: np.ndarray, size: tuple[int, int]) -> Matrix:
    """Return a picture of what each position of an image adds to the score: (p,) as height by width; large ones are added up."""
    picture = _reduced(attributions.reshape(size))
    # Two digits of the largest: what is less is not seen.
    digits = 1 - int(np.floor(np.log10(max(float(np.abs(picture).max()), 1e-12))))
    return Matrix(
        title=title,
        row=Axis("pixel row"),
        column=Axis("pixel column"),
        rows=tuple(str(i) for i in range(picture.shape[0])),
        columns=tuple(str(i) for i in range(picture.shape[1])),
        values=tuple(
            tuple(round(float(v), digits) + 0.0 for v in line)  # no -0
            for line in picture
        ),
        value=Axis("adds to the score"),
    )


def _pictures(told: Told, attributions: np.ndarray, shape: tuple[int, ...]) -> tuple[Evidence, ...]:
    from roadworthy.attribution.parts import plane_of

    size = plane_of(shape)
    if size is None:
        return ()
    found: list[Evidence] = []
    for k in told.chosen(PICTURES):
        truth = told.truth(k)
        should = "" if truth in (None, told.answer(k)) else f' (should be "{truth}")'
        title = (
            f'What the answer "{told.answer(k)}"{should} to test row {int(told.rows[k])} rests on'
        )
        found.append(picture_of(title, attributions[k], size))
    return tuple(found)


def _reduced(picture: np.ndarray) -> np.ndarray:
    factor = -(-max(picture.shape) // LARGEST_SIDE)
    # A side too short for it, as of a series with two channels, stays as it is.
    down, across = (factor if side >= 2 * factor else 1 for side in picture.shape)
    height, width = picture.shape[0] // down, picture.shape[1] // across
    cut = picture[: height * down, : width * across]
    return cut.reshape(height, down, width, across).sum(axis=(1, 3))


def _value(column: "Column", inputs: np.ndarray | None, row: int, j: int) -> str:
    return "" if inputs is None else f" is {_spelled(column, inputs[row, j])}"


def _spelled(column: "Column", value: float) -> str:
    if not np.isfinite(value):
        return "missing"
    return column.categories[int(value)] if column.kind == "category" else f"{value:g}"
