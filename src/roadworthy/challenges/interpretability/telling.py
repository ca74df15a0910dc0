"""Explanations for people: for chosen rows a sentence, and of images a picture of what the answer rests on."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import Axis, Cell, Evidence, Matrix, Measurement, Table
from roadworthy.statistics import mean

if TYPE_CHECKING:
    from roadworthy.subject import Column, Task

PARTS = 3
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
    people: bool | None = None,
) -> Measurement:
    """How much of an explanation the three largest parts make up: what can be told in a sentence.

    Share of the sum of all attributions by size, the mean over explained rows with Student's t. The table says in sentences what the answers of chosen rows rest on,
    wrong ones first; of images, pictures show it. Of people the columns are named and their values are not. Whether such sentences may be believed is what `attribution_faithfulness` and
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
    shares = (largest / np.maximum(total, 1e-300))[total > 0]
    chosen = _chosen(test_explained_rows, test_explained_classes, test_labels, task)
    if columns:
        evidence = _sentences(
            chosen, test_attributions, test_explained_rows, test_explained_classes,
            None if people else test_inputs, columns, task, test_labels,
        )  # fmt: skip
    else:
        evidence = _pictures(
            chosen,
            test_attributions,
            test_explained_rows,
            test_explained_classes,
            test_inputs,
            task,
        )
    return replace(
        mean(shares, unit="share of the explanation"),
        details=f"Explained by {attribution_method.replace('_', ' ')}, {len(shares):,} rows.",
        evidence=evidence,
    )


def _chosen(
    rows: np.ndarray, answers: np.ndarray, labels: np.ndarray | None, task: "Task"
) -> np.ndarray:
    """Return positions among the explained rows: wrong answers first."""
    if labels is None or not task.is_classification:
        return np.arange(min(len(rows), SENTENCES))
    is_wrong = answers != labels[rows]
    return np.argsort(~is_wrong, kind="stable")[:SENTENCES]


def _sentences(
    chosen: np.ndarray,
    attributions: np.ndarray,
    rows: np.ndarray,
    answers: np.ndarray,
    inputs: np.ndarray | None,
    columns: "tuple[Column, ...]",
    task: "Task",
    labels: np.ndarray | None,
) -> tuple[Evidence, ...]:
    """Return a table of sentences; without inputs the values of columns are not told."""
    said: list[tuple[Cell, ...]] = []
    for k in chosen:
        row = int(rows[k])
        order = np.argsort(-np.abs(attributions[k]), kind="stable")[:PARTS]
        reasons = [
            f"{columns[j].name}{_value(columns[j], inputs, row, int(j))} ({attributions[k, j]:+.2g})"
            for j in order
            if attributions[k, j] != 0.0
        ]
        answer = task.classes[int(answers[k])] if task.is_classification else "the number"
        truth = task.classes[int(labels[row])] if labels is not None else None
        said.append((row, answer, truth, "; ".join(reasons) or "nothing stands out"))
    header = ("test row", "answer", "should be", "rests most on (for +, against -)")
    return (Table("What answers rest on", header, tuple(said)),)


def _pictures(
    chosen: np.ndarray,
    attributions: np.ndarray,
    rows: np.ndarray,
    answers: np.ndarray,
    inputs: np.ndarray,
    task: "Task",
) -> tuple[Evidence, ...]:
    from roadworthy.attribution.parts import plane_of

    size = plane_of(inputs.shape[1:])
    if size is None:
        return ()
    found: list[Evidence] = []
    for k in chosen[:PICTURES]:
        picture = _reduced(attributions[k].reshape(size))
        # Hundredths of the largest: what is less is not seen.
        digits = 2 - int(np.floor(np.log10(max(float(np.abs(picture).max()), 1e-12))))
        answer = task.classes[int(answers[k])] if task.is_classification else "its number"
        found.append(
            Matrix(
                title=f'What the answer "{answer}" to test row {int(rows[k])} rests on',
                row=Axis("pixel row"),
                column=Axis("pixel column"),
                rows=tuple(str(i) for i in range(picture.shape[0])),
                columns=tuple(str(i) for i in range(picture.shape[1])),
                values=tuple(tuple(round(float(v), digits) for v in line) for line in picture),
                value=Axis("adds to the score"),
            )
        )
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
