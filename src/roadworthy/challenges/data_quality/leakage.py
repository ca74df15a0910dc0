"""A single column that gives the label away."""

from dataclasses import replace

import numpy as np

from roadworthy.challenges.data_quality.duplicates import flat
from roadworthy.challenges.data_quality.one_column import (
    classes_of,
    column_model,
    quick_separation,
    separation,
)
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Cell, Measurement, Table
from roadworthy.subject import Column

SCREENED_ROWS = 10_000
SCREENED_COLUMNS = 64
SCREENING_TREES = 10
SHOWN = 10


@artifact()
def telling_columns(
    train_inputs: np.ndarray,
    rng: np.random.Generator,
    train_labels: np.ndarray | None = None,
    train_targets: np.ndarray | None = None,
    columns: tuple[Column, ...] | None = None,
) -> np.ndarray:
    """Columns by how well each alone tells the label: (k, 2) float64, column and Somers' D, best first.

    Fitted on one random half of the training rows (at most 10,000 rows), measured on the other. Of more than
    64 columns only those with the strongest linear association with a class are tried.
    """
    labels = classes_of(train_labels, train_targets)
    rows = rng.permutation(len(labels))[:SCREENED_ROWS]
    if len(rows) < 20 or len(np.unique(labels[rows])) < 2:
        raise NotApplicable(
            f"{len(rows)} training rows of {len(np.unique(labels))} class(es); at least 20 rows of "
            "two classes are needed"
        )
    inputs = flat(train_inputs)[rows].astype(np.float64)
    labels = labels[rows]
    half = len(rows) // 2
    classes = int(labels.max()) + 1
    found: list[tuple[float, float]] = []
    for j in _candidates(inputs[:half], labels[:half]):
        model = column_model(
            inputs[:half, j],
            labels[:half],
            classes,
            is_category=_is_category(columns, j),
            trees=SCREENING_TREES,
        )
        found.append((float(j), quick_separation(model(inputs[half:, j]), labels[half:])))
    return np.array(sorted(found, key=lambda pair: -pair[1]), np.float64).reshape(-1, 2)


@check(
    challenge="data_quality",
    requires=AtMost(0.9, "house default: an AUROC of .95 from one column alone"),
    least=100,
)
def single_column_leakage(
    telling_columns: np.ndarray,
    train_inputs: np.ndarray,
    test_inputs: np.ndarray,
    train_labels: np.ndarray | None = None,
    train_targets: np.ndarray | None = None,
    test_labels: np.ndarray | None = None,
    test_targets: np.ndarray | None = None,
    columns: tuple[Column, ...] | None = None,
) -> Measurement:
    """How nearly a single column of the inputs gives the label away.

    The column is chosen and its one-column model fitted on training rows, and measured on test rows, so that
    the choice needs no correction. Somers' D = 2 x AUROC - 1 with DeLong's interval, mean over the
    classes; 0 is a guess, 1 is the label itself. For a regression: whether the target is above the
    training median. A legitimately strong column exists: the bound asks you to look, not to drop.

    Unit: share of the way from a guess to certainty (2 x AUROC - 1). Qualified at: n = 500.
    Next: ask whether the listed column is known before the outcome; if not, drop it and train again.
    """
    middle = None if train_targets is None else float(np.median(train_targets))
    train, test = (
        classes_of(train_labels, train_targets, middle),
        classes_of(test_labels, test_targets, middle),
    )
    if len(telling_columns) == 0:
        raise NotApplicable("every column is constant; a column that varies is needed")
    j = int(telling_columns[0, 0])
    if len(test) == 0:
        raise NotApplicable("there are no test rows to measure on")
    classes = int(max(train.max(), test.max())) + 1
    before, after = flat(train_inputs)[:, j], flat(test_inputs)[:, j]
    model = column_model(
        before.astype(np.float64), train, classes, is_category=_is_category(columns, j)
    )
    found = separation(model(after.astype(np.float64)), test)
    name = _name(columns, j, train_inputs.shape[1:])
    listed: tuple[tuple[Cell, ...], ...] = tuple(
        (_name(columns, int(k), train_inputs.shape[1:]), float(d), float((1 + d) / 2))
        for k, d in telling_columns[:SHOWN]
    )
    header = ("column", "Somers' D", "AUROC")
    return replace(
        found,
        unit="share of the way from a guess to certainty (2 x AUROC - 1)",
        details=f"Of {len(telling_columns)} columns, {name} tells the label best: AUROC "
        f"{(1 + found.value) / 2:.3f} by itself on {found.n} test rows.",
        evidence=(Table("Columns by how well each alone tells the label", header, listed),),
    )


def _candidates(inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the columns to try: all that vary, or the 64 with the strongest linear association."""
    filled = np.where(np.isfinite(inputs), inputs, np.nan)
    present = np.isfinite(filled)
    varies = np.array([len(np.unique(column)) > 1 for column in filled.T])
    candidates = np.flatnonzero(varies)
    if len(candidates) <= SCREENED_COLUMNS:
        return candidates
    mean = np.where(present, filled, 0).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    centred = np.where(present, filled - mean, 0)
    centred /= np.maximum(np.sqrt(np.square(centred).sum(axis=0)), 1e-12)
    classes, codes = np.unique(labels, return_inverse=True)
    one_hot = np.eye(len(classes))[codes]
    one_hot = (one_hot - one_hot.mean(axis=0)) / np.maximum(np.sqrt(one_hot.sum(axis=0)), 1)
    strength = np.abs(centred.T @ one_hot).max(axis=1)
    strength[~varies] = -1
    return np.sort(np.argsort(-strength, kind="stable")[:SCREENED_COLUMNS])


def _is_category(columns: tuple[Column, ...] | None, j: int) -> bool:
    return columns is not None and columns[j].kind == "category"


def _name(columns: tuple[Column, ...] | None, j: int, shape: tuple[int, ...]) -> str:
    if columns is not None:
        return columns[j].name
    return f"input {[int(i) for i in np.unravel_index(j, shape)]}"
