"""Remedies for inconsistent values: one spelling, one unit, codes as missing, a leaking column masked.

What is put right in training rows is put right in all rows, as it must be in production.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.data_quality.spellings import counts_of, usual_spellings
from roadworthy.challenges.data_quality.units import Cluster, odd_cluster
from roadworthy.engine import mitigation, sham
from roadworthy.errors import NotApplicable
from roadworthy.subject import Subject

Edit = Callable[[np.ndarray], np.ndarray]

CELLS = ("train", "validation", "test", "production", "unlabelled", "proof")


@mitigation(
    targets="category_aliases",
    strengths=(1.0,),
    repairs="category_spelled_otherwise",
)
def one_spelling_per_category(subject: Subject, strength: float) -> Subject:
    """Write every category the way it is usually written, in all rows.

    Spellings that `category_aliases` takes for the same category get the code of the most frequent one. The
    model is trained again on them; rows, labels and numbers stay as they are.
    """
    if strength == 0.0:
        return subject
    pooled = _pooled(subject)
    edits: dict[int, Edit] = {}
    for j, column in enumerate(subject.columns):
        if column.kind == "category":
            counts = counts_of(pooled[:, j], len(column.categories))
            usual = usual_spellings(column.categories, counts)
            changed = {code: to for code, to in usual.items() if code != to}
            if changed:
                edits[j] = partial(_recoded, changed)
    if not edits:
        raise NotApplicable("every category is spelled in one way")
    return _edited(subject, edits)


@mitigation(
    targets="mixed_units",
    strengths=(1.0,),
    repairs="values_in_another_unit",
)
def one_unit_per_column(subject: Subject, strength: float) -> Subject:
    """Convert the values that are in another unit than the rest of their column, in all rows.

    The cluster and the factor are those that `mixed_units` names; only values in the range of that cluster
    are converted. The model is trained again; rows, labels and other columns stay as they are.
    """
    if strength == 0.0:
        return subject
    pooled = _pooled(subject)
    edits: dict[int, Edit] = {}
    for j, column in enumerate(subject.columns):
        cluster = odd_cluster(pooled[:, j]) if column.kind == "numeric" else None
        if cluster is not None:
            odd = pooled[cluster.rows, j]
            edits[j] = partial(_converted, cluster, float(odd.min()), float(odd.max()))
    if not edits:
        raise NotApplicable("no column holds values in two units that are known")
    return _edited(subject, edits)


@mitigation(
    targets="impossible_codes",
    strengths=(1.0,),
    repairs="missing_written_as_a_code",
)
def codes_read_as_missing_values(
    subject: Subject, strength: float, value_codes: np.ndarray
) -> Subject:
    """Take numbers that stand for "no value" (0, -99, 9999) as missing, in all rows.

    The values that `impossible_codes` names become missing; the model, which must bear missing values, is trained
    again. Rows, labels and other values stay as they are.
    """
    if strength == 0.0:
        return subject
    if len(value_codes) == 0 or not subject.columns:
        raise NotApplicable("no column of numbers holds a code for a missing value")
    codes: dict[int, list[float]] = {}
    for column, value, *_ in value_codes:
        codes.setdefault(int(column), []).append(float(value))

    return _edited(subject, {j: partial(_without_codes, values) for j, values in codes.items()})


@mitigation(
    targets="single_column_leakage",
    strengths=(1.0,),
    sham="another_column_masked",
    repairs="column_that_gives_the_label_away",
)
def leaking_column_masked(
    subject: Subject, strength: float, telling_columns: np.ndarray
) -> Subject:
    """Hide the column that gives the label away: the same value in every row, and train again.

    Right where the column is not known before the outcome; where it is, keep it. The column named by
    `single_column_leakage` becomes its training median, or the commonest category; all else stays as it is.
    """
    if strength == 0.0:
        return subject
    if len(telling_columns) == 0:
        raise NotApplicable("every column is constant")
    return _masked(subject, int(telling_columns[0, 0]))


@sham()
def another_column_masked(
    subject: Subject, strength: float, rng: Generator, telling_columns: np.ndarray
) -> Subject:
    """Hide a column drawn at random from the others."""
    if strength == 0.0:
        return subject
    others = telling_columns[1:, 0]
    if len(others) == 0:
        raise NotApplicable("there is no other column to hide")
    return _masked(subject, int(rng.choice(others)))


def _pooled(subject: Subject) -> np.ndarray:
    """Return the rows that the checks of values look at."""
    if not subject.columns:
        raise NotApplicable("the inputs are no table, so they have no columns")
    parts = [subject.splits[name].inputs for name in CELLS[:3] if name in subject.splits]
    return np.concatenate([part for part in parts if part is not None])


def _masked(subject: Subject, position: int) -> Subject:
    train = subject.splits["train"].inputs
    if train is None:
        raise NotApplicable("there are no training inputs")
    values = train.reshape(len(train), -1)[:, position]
    known = values[np.isfinite(values)]
    is_category = bool(subject.columns) and subject.columns[position].kind == "category"
    middle = np.bincount(known.astype(np.int64)).argmax() if is_category else np.median(known)

    return _edited(subject, {position: partial(_all_alike, float(middle))})


def _recoded(changed: Mapping[int, int], values: np.ndarray) -> np.ndarray:
    found = values.copy()
    for code, to in changed.items():
        found[values == code] = to
    return found


def _converted(cluster: Cluster, low: float, high: float, values: np.ndarray) -> np.ndarray:
    inside = (values >= low) & (values <= high)
    return np.where(inside, cluster.converted(values), values)


def _without_codes(codes: list[float], values: np.ndarray) -> np.ndarray:
    return np.where(np.isin(values, codes), np.nan, values)


def _all_alike(value: float, values: np.ndarray) -> np.ndarray:
    return np.full_like(values, value)


def _edited(subject: Subject, edits: Mapping[int, Edit]) -> Subject:
    """Return the subject with columns rewritten in all its rows, its model to be trained again."""
    for name in CELLS:
        split = subject.splits.get(name)
        if split is None or split.inputs is None:
            continue
        flat = split.inputs.reshape(len(split.inputs), -1).copy()
        for j, mended in edits.items():
            flat[:, j] = mended(flat[:, j])
        subject = subject.with_inputs(name, flat.reshape(split.inputs.shape))
    return subject.retrained()
