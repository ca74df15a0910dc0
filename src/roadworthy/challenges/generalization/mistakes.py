"""How often the model is wrong, and which classes it takes for which."""

from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import Axis, Matrix, Measurement
from roadworthy.statistics import percent, rate

if TYPE_CHECKING:
    from roadworthy.subject import Task

MOST_CLASSES = 20  # of a confusion matrix that can still be read
MOST_PAIRS = 3  # of classes that are named in words


@check(challenge="generalization")
def error_rate(
    test_correct: np.ndarray, test_predicted: np.ndarray, test_labels: np.ndarray, task: "Task"
) -> Measurement:
    """How often the model is wrong on rows that it has not seen.

    Share of test rows whose predicted class is not their label, with the Clopper-Pearson interval (1934,
    Biometrika 26). How much is too much depends on the use: nothing is required until the purpose
    says which accuracy is needed. The matrix shows which classes are taken for which.

    Unit: share of test rows.
    Qualified at: a description; nothing is required of it unless the purpose says so.
    Next: look at the classes that are confused most: their rows, their labels and what could tell them apart.
    """
    n = len(test_labels)
    if n == 0:
        raise NotApplicable("there are no test rows")
    wrong = int(np.sum(~test_correct))
    details = f"{wrong:,} of {n:,} test rows are wrong. {confused_most(test_predicted, test_labels, task)}"
    return rate(
        wrong,
        n,
        unit="share of test rows",
        details=details.strip(),
        evidence=(confusion(test_predicted, test_labels, task),),
    )


def confused_most(predicted: np.ndarray, labels: np.ndarray, task: "Task") -> str:
    """Return a sentence on the classes that are most often taken for another; none where all is right."""
    counts = confusion_counts(predicted, labels, task)
    np.fill_diagonal(counts, 0)
    c = len(counts)
    order = np.argsort(-counts.ravel(), kind="stable")[:MOST_PAIRS]
    said: list[str] = []
    for true, taken in zip(order // c, order % c, strict=True):
        times, of = int(counts[true, taken]), int(np.sum(labels == true))
        if times:
            pair = f'"{_name(task, int(true))}" taken for "{_name(task, int(taken))}"'
            said.append(f"{pair} in {times:,} of {of:,} rows ({percent(times / of)})")
    return f"Confused most: {'; '.join(said)}." if said else ""


def confusion(predicted: np.ndarray, labels: np.ndarray, task: "Task") -> Matrix:
    """Return how often each class was taken for each; of more than 20 classes the worst."""
    counts = confusion_counts(predicted, labels, task)
    c = len(counts)
    wrong = counts.sum(axis=1) + counts.sum(axis=0) - 2 * np.diag(counts)
    kept = np.sort(np.argsort(-wrong, kind="stable")[:MOST_CLASSES])
    names = tuple(_name(task, int(k)) for k in kept)
    return Matrix(
        title="Predicted for each class" if c <= MOST_CLASSES else "Most confused classes",
        row=Axis("class"),
        column=Axis("predicted"),
        rows=names,
        columns=names,
        values=tuple(tuple(int(v) for v in row) for row in counts[np.ix_(kept, kept)]),
        value=Axis("test rows"),
    )


def confusion_counts(predicted: np.ndarray, labels: np.ndarray, task: "Task") -> np.ndarray:
    """Return how many rows of each class (down) were predicted as each class (across)."""
    c = max(len(task.classes), int(labels.max(initial=0)) + 1, int(predicted.max(initial=0)) + 1)
    counts = np.zeros((c, c), np.int64)
    np.add.at(counts, (labels, predicted.astype(np.int64)), 1)
    return counts


def _name(task: "Task", code: int) -> str:
    return task.classes[code] if code < len(task.classes) else str(code)
