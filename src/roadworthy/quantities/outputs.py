"""What the model says, as it says it: raw outputs, logits, probabilities."""

from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import artifact
from roadworthy.errors import NotApplicable, UserError

if TYPE_CHECKING:
    from roadworthy.subject import Predictor, Task

ROWS_TO_LOOK_AT = 512
SUM_TOLERANCE = 1e-3  # half-precision probabilities of a thousand classes still pass


@artifact(per="split", rows=True, cost="forward")
def outputs(
    predictor: "Predictor", inputs: np.ndarray, source_rows: np.ndarray | None = None
) -> np.ndarray:
    """Raw outputs of the model: (n, c) or (n,) float32, finite."""
    found = np.asarray(predictor(inputs))
    if found.ndim not in (1, 2) or len(found) != len(inputs):
        raise UserError(
            f"The model gave an output of shape {found.shape} for inputs of shape {inputs.shape}; "
            f"({len(inputs)},) or ({len(inputs)}, classes) was expected. "
            "Let it return one row of outputs for each row of inputs."
        )
    found = found.astype(np.float32)
    finite = np.isfinite(found.reshape(len(found), -1)).all(axis=1)
    if not finite.all():
        first = int(np.argmin(finite))
        row = first if source_rows is None else int(source_rows[first])
        raise UserError(
            f"The model gave NaN or infinite outputs for {int((~finite).sum())} of {len(found)} "
            f"rows, the first at row {row} (counted from 0), {_described(inputs[first])}; "
            "finite numbers were expected. "
            "Mend the model, or fill missing values inside it, and audit again."
        )
    return found


@artifact(streams=True)
def output_kind(
    predictor: "Predictor",
    task: "Task",
    train_inputs: np.ndarray | None = None,
    test_inputs: np.ndarray | None = None,
) -> str:
    """Kind of what the model gives: "logits", "probabilities" or "values".

    Where the model does not say, some of its outputs are looked at: nonnegative rows that sum to 1,
    or one column wholly within 0 to 1, are probabilities; everything else is logits (log
    probabilities are logits too).
    """
    if not task.is_classification:
        return "values"
    if predictor.gives != "unknown":
        return predictor.gives
    inputs = train_inputs if train_inputs is not None else test_inputs
    if inputs is None:
        raise NotApplicable(
            "no inputs to show the model, so what its outputs are cannot be told; "
            "give train or test inputs"
        )
    return kind_of_outputs(np.asarray(predictor(inputs[:ROWS_TO_LOOK_AT]), np.float64))


@artifact(per="split", shape="n c", rows=True)
def logits(outputs: np.ndarray, output_kind: str, task: "Task") -> np.ndarray:
    """Unnormalised log probabilities of the classes: (n, c) float32, finite.

    One column (log odds, or probability, of class code 1) is widened to two; probabilities become
    their logarithm, at least log(1.2e-38).
    """
    if not task.is_classification:
        raise NotApplicable("logits belong to classes; the target of this task is a number")
    c = len(task.classes)
    found = outputs.reshape(len(outputs), -1)  # (n, c or 1)
    if found.shape[1] == 1 and c == 2:
        found = _widened(found[:, 0], output_kind)
    if found.shape[1] != c:
        raise UserError(
            f"The model gives {found.shape[1]} outputs per row, but the target has {c} classes "
            f"({_listed(task.classes)}). Let it give one logit or probability for each class, in "
            "this order; predicted classes alone can be audited as recorded predictions."
        )
    if output_kind != "probabilities":
        return found.astype(np.float32)
    _refuse_other_than_probabilities(found)
    return np.log(np.maximum(found, np.finfo(np.float32).tiny)).astype(np.float32)


@artifact(per="split", shape="n c", rows=True)
def probabilities(logits: np.ndarray) -> np.ndarray:
    """Probability of each class according to the model: (n, c) float64, 0 to 1, rows sum to 1."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    np.exp(shifted, out=shifted)
    shifted /= shifted.sum(axis=1, keepdims=True)
    return shifted


def kind_of_outputs(outputs: np.ndarray) -> str:
    """Tell "probabilities" from "logits" by their values.

    >>> kind_of_outputs(np.array([[0.2, 0.8], [1.0, 0.0]]))
    'probabilities'
    >>> kind_of_outputs(np.array([[0.2, 0.9], [1.0, 0.0]]))
    'logits'
    """
    found = outputs.reshape(len(outputs), -1)
    found = found[np.isfinite(found).all(axis=1)]
    if len(found) == 0 or found.min() < 0 or found.max() > 1 + SUM_TOLERANCE:
        return "logits"
    if found.shape[1] == 1 or np.abs(found.sum(axis=1) - 1).max() <= SUM_TOLERANCE:
        return "probabilities"
    return "logits"


def _widened(column: np.ndarray, output_kind: str) -> np.ndarray:
    other = 1 - column if output_kind == "probabilities" else np.zeros_like(column)
    return np.stack([other, column], axis=1)  # (n, 2)


def _refuse_other_than_probabilities(found: np.ndarray) -> None:
    total = found.sum(axis=1, dtype=np.float64)
    bad = (np.abs(total - 1) > SUM_TOLERANCE) | (found < 0).any(axis=1)
    if bad.any():
        first = int(np.argmax(bad))
        raise UserError(
            f"The model's probabilities are none in {int(bad.sum())} of {len(found)} rows: the "
            f"first such row sums to {total[first]:.4g}, its least value is "
            f"{found[first].min():.4g}; values of at least 0 that sum to 1 were expected. "
            "Normalise them in the model, or let it give logits."
        )


def _described(values: np.ndarray) -> str:
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    missing = values.size - finite.size
    if finite.size == 0:
        return "where every input is missing"
    return f"where inputs run from {finite.min():.4g} to {finite.max():.4g}" + (
        f" and {missing} are missing" if missing else ""
    )


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown}, ... {len(names) - 6} more"
