"""A few rows shown to a model before anything is computed, to see that it answers as the task asks."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from roadworthy.errors import UserError
from roadworthy.fewer_rows import as_many_as_fit
from roadworthy.subject.problems import listed
from roadworthy.subject.subject import Split, Subject
from roadworthy.subject.task import Task

ROWS = 16
AGAIN = 3  # times: one of a few random choices may come out twice


def probed(
    subject: Subject,
    call: Callable[[np.ndarray], np.ndarray],
    *,
    trained: bool,
    declared: bool = False,
) -> Subject:
    """Return the subject, its classes widened to those of the model where the model has more.

    Parameters
    ----------
    subject : Subject
    call : callable
    trained : bool
        Its outputs mean something already.
    declared : bool
        It draws random numbers, which are seeded.

    Raises
    ------
    UserError
        Where the model's answers have the wrong shape, are not finite, differ between two calls, or
        know fewer classes than the target has.
    """
    inputs = some_rows(subject)
    if inputs is None:
        return subject
    inputs, found = as_many_as_fit(inputs, call)
    width = _width(found, inputs, subject.task)
    if trained:
        _require_finite(found, inputs)
    for _ in range(AGAIN):
        _require_the_same(found, call(inputs), declared=declared)
    return _with_classes(subject, width)


def some_rows(subject: Subject) -> np.ndarray | None:
    """Return a few rows of inputs, None where there are none."""
    for name in ("test", "validation", "train"):
        split = subject.splits.get(name)
        if split is not None and split.inputs is not None and split.n:
            return split.inputs[np.linspace(0, split.n - 1, min(ROWS, split.n)).astype(int)]
    return None


def _width(found: np.ndarray, inputs: np.ndarray, task: Task) -> int:
    """Return the number of outputs per row."""
    n = len(inputs)
    asked = f"(({n},) or ({n}, 1))" if not task.is_classification else f"({n}, {len(task.classes)})"
    if task.kind == "binary":
        asked += f", ({n}, 1) or ({n},)"
    if found.ndim not in (1, 2) or len(found) != n:
        raise UserError(
            f"The model gives an output of shape {found.shape} for inputs of shape {inputs.shape}; "
            f"{asked} was expected. Let it return one row for each row of inputs."
        )
    width = 1 if found.ndim == 1 else found.shape[1]
    if not task.is_classification and width != 1:
        raise UserError(
            f"The model gives {width} outputs for each row (shape {found.shape}), and the target is "
            f"a number; {asked} was expected. Let it return one number, or ask for --task "
            "classification."
        )
    if task.is_classification and width == 1 and task.kind != "binary":
        raise UserError(
            f"The model gives one output for each row (shape {found.shape}), and the target has "
            f"{len(task.classes)} classes ({listed(task.classes, 5)}); {asked} was expected. "
            "Let it return a logit or probability for each class."
        )
    return width


def _require_the_same(found: np.ndarray, again: np.ndarray, *, declared: bool) -> None:
    if np.allclose(found, again, rtol=1e-3, atol=1e-5, equal_nan=True):
        return
    differs = (
        "The model answers differently when asked again about the same rows (largest difference "
        f"{np.nanmax(np.abs(found - again)):.3g})"
    )
    if declared:
        raise UserError(
            f"{differs}, though its random numbers were seeded for random_draws. It draws them from elsewhere than Python, "
            "numpy or torch, or from a generator of its own: let it draw them from torch."
        )
    raise UserError(
        f"{differs}. Dropout of a torch module is switched off here; noise that the forward method draws is not. If "
        "answers are random on purpose, declare it: random_draws=16 in subject_from, --random-draws 16; the answer is then "
        "the mean over so many draws. Else draw none, or call model.eval() in the function."
    )


def _require_finite(found: np.ndarray, inputs: np.ndarray) -> None:
    bad = np.array([not np.isfinite(row).all() for row in found])
    if not bad.any():
        return
    gaps = np.array([row.dtype.kind == "f" and np.isnan(row).any() for row in inputs], bool)
    if bool((gaps | ~bad).all()):
        raise UserError(
            f"The model gives NaN or infinite outputs for the {int(bad.sum())} of {len(bad)} rows "
            "tried that have missing values; finite numbers were expected. Fill them in inside the "
            "model, so that the audit sees what a user sees."
        )
    raise UserError(
        f"The model gives NaN or infinite outputs for {int(bad.sum())} of {len(bad)} rows tried; "
        "finite numbers were expected. Check its weights and the scale of the inputs."
    )


def _with_classes(subject: Subject, width: int) -> Subject:
    """Give the classes that the model has and the target lacks a place, where codes tell which."""
    task = subject.task
    c = len(task.classes)
    if not task.is_classification or width in (1, c):
        return subject
    codes = [int(name) if name.lstrip("-").isdigit() else -1 for name in task.classes]
    if min(codes) < 0 or max(codes) >= width:
        outside = [n for n, code in zip(task.classes, codes, strict=True) if code >= width]
        beyond = f" (the labels {listed(outside)} are outside its range)" if outside else ""
        raise UserError(
            f"The model gives {width} outputs for each row, and the target has {c} classes: "
            f"{listed(task.classes, 6)}{beyond}. Let the model give one output for each class in "
            "this order, or give labels from 0 to "
            f"{width - 1}."
        )
    new_code = np.array(codes, np.int64)
    positive = None if task.positive is None or width != 2 else codes[task.positive]
    kind = "binary" if width == 2 else "multiclass"
    wide = Task(kind, tuple(str(i) for i in range(width)), positive)
    splits: dict[str, Split] = {
        name: split if split.target is None else replace(split, target=new_code[split.target])
        for name, split in subject.splits.items()
    }
    return replace(subject, task=wide, splits=splits)
