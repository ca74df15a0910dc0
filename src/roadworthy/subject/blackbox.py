"""Models that are nothing but a function of their inputs: callables and fitted estimators."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from roadworthy.errors import UserError
from roadworthy.subject.columns import Column
from roadworthy.subject.modules import identity_of_value
from roadworthy.subject.predictor import Predictor
from roadworthy.subject.problems import listed
from roadworthy.subject.subject import Subject

LIMITS = "a black box: nothing that needs gradients, layers or training it again"


class BlackBox(Protocol):
    """A model that becomes a predictor once it is known what it is asked."""

    def predictor(self, subject: Subject) -> Predictor:
        """Return the model as a function of the subject's inputs."""
        ...


@dataclass(frozen=True, eq=False)
class Function:
    """Any callable from (n, ...) inputs to (n, c) or (n,) outputs."""

    call: Callable[[np.ndarray], Any]  # Any: whatever numpy can make an array of

    def predictor(self, subject: Subject) -> Predictor:
        """Return the callable, its outputs made an array."""
        gives = "unknown" if subject.task.is_classification else "values"
        call = self.call

        def outputs(inputs: np.ndarray) -> np.ndarray:
            return _as_array(call(inputs))

        return Predictor(outputs, gives, ("callable", identity_of_value(call)))


def _as_array(found: Any) -> np.ndarray:  # Any: an array, a tensor or a list
    if hasattr(found, "detach"):
        found = found.detach().cpu().float().numpy()
    return np.asarray(found)


@dataclass(frozen=True, eq=False)
class Estimator:
    """A fitted estimator with scikit-learn's methods."""

    estimator: Any  # Any: scikit-learn, XGBoost, LightGBM, ... share methods, not a type

    def predictor(self, subject: Subject) -> Predictor:
        """Return its probabilities in the order of the subject's classes, or its values."""
        frame = _framed(self.estimator, subject.columns)
        identity = ("estimator", identity_of_value(self.estimator))
        if not subject.task.is_classification:
            predict = self.estimator.predict
            return Predictor(lambda x: np.asarray(predict(frame(x)), float), "values", identity)
        if hasattr(self.estimator, "predict_proba"):
            order = _order_of(self.estimator, subject.task.classes)
            probabilities = self.estimator.predict_proba
            return Predictor(
                lambda x: np.asarray(probabilities(frame(x)), float)[:, order],
                "probabilities",
                identity,
            )
        if hasattr(self.estimator, "decision_function"):
            order = _order_of(self.estimator, subject.task.classes)
            decide = self.estimator.decision_function
            return Predictor(lambda x: _in_order(decide(frame(x)), order), "logits", identity)
        raise UserError(
            f"The model {type(self.estimator).__qualname__} gives neither probabilities "
            "(predict_proba) nor a decision_function, only decisions. Record its decisions in a "
            "table and audit them: --predictions FILE --predicted COLUMN."
        )


def is_estimator(model: object) -> bool:
    """Whether an object has the methods of a fitted scikit-learn estimator."""
    return hasattr(model, "predict") and hasattr(model, "fit")


def _in_order(decided: Any, order: Sequence[int]) -> np.ndarray:  # Any: an array of any precision
    found = np.asarray(decided, float)
    if found.ndim == 2:
        return found[:, order]
    return found if list(order) == [0, 1] else -found


def _order_of(estimator: Any, classes: tuple[str, ...]) -> list[int]:  # Any: see Estimator
    known = [spelled_class(value) for value in estimator.classes_]
    missing = [name for name in classes if name not in known]
    if not missing:
        return [known.index(name) for name in classes]
    if known == [str(i) for i in range(len(known))] and len(known) >= len(classes):
        return list(range(len(classes)))  # fitted on codes of the sorted class names
    raise UserError(
        f"The target has the classes {listed(missing)}, which the model does not know; it knows "
        f"{listed(known)}. Give the target in the model's classes, or leave these rows out."
    )


def spelled_class(value: object) -> str:
    """Return a class of an estimator as the target's classes are spelled: 1 for 1.0, True for True."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _framed(estimator: Any, columns: tuple[Column, ...]) -> Callable[[np.ndarray], Any]:
    """Return what makes of our (n, d) array the table that the estimator was fitted on.

    An estimator that was fitted on named columns gets them by name, categories spelled out.
    """
    names = getattr(estimator, "feature_names_in_", None)
    if names is None or not columns:
        return lambda inputs: inputs
    own = {column.name: j for j, column in enumerate(columns)}
    missing = [str(name) for name in names if name not in own]
    if missing:
        raise UserError(
            f"The model was fitted on the columns {listed(missing)}, which are not among the "
            f"inputs ({listed(own)}). Name the same columns in the data."
        )
    import pandas as pd

    def frame(inputs: np.ndarray) -> Any:  # Any: a pandas data frame
        return pd.DataFrame({str(n): decoded(inputs[:, own[n]], columns[own[n]]) for n in names})

    return frame


def decoded(values: np.ndarray, column: Column) -> np.ndarray:
    """Return a column of inputs as it was in the source: categories as text, None where missing."""
    if column.kind != "category":
        return values
    names = np.array([*column.categories, None], object)
    return names[np.where(np.isnan(values), len(column.categories), values).astype(int)]
