"""Simple models to compare with: a linear one and gradient boosting, on at most 10,000 training rows."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.random import Generator

from roadworthy.engine import artifact
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Column

MOST_ROWS = 10_000
FOLDS = 3
MOST_CATEGORIES = 255  # that gradient boosting takes apart; columns with more count as numbers
NAMES = ("linear", "boosting")


@artifact(shape="m")
def simple_rows(train_inputs: np.ndarray, rng: Generator) -> np.ndarray:
    """Positions of the training rows that simple models learn from: (m,) int64, ascending, m <= 10,000."""
    n = len(train_inputs)
    return np.sort(rng.permutation(n)[:MOST_ROWS])


@artifact(cost="training")
def simple_train_predicted(
    simple_rows: np.ndarray,
    train_features: np.ndarray,
    train_inputs: np.ndarray,
    rng: Generator,
    train_labels: np.ndarray | None = None,
    train_targets: np.ndarray | None = None,
    train_entities: np.ndarray | None = None,
    columns: "tuple[Column, ...] | None" = None,
) -> dict[str, np.ndarray]:
    """Predictions of each simple model for rows it has not seen, by 3 folds: name to (m,) per `simple_rows`.

    Rows of one entity share a fold.
    """
    truth = _truth(train_labels, train_targets)[simple_rows]
    is_class = train_labels is not None
    views = _views(train_features, train_inputs, columns)
    entities = None if train_entities is None else train_entities[simple_rows]
    fold = _folds(truth if is_class else None, entities, len(truth), rng)
    found = {name: np.empty(len(truth), truth.dtype) for name in NAMES}
    for k in range(FOLDS):
        held, rest = fold == k, fold != k
        for name in NAMES:
            view = views.of(name)
            model = _fitted(name, view[simple_rows[rest]], truth[rest], is_class, views.is_category)
            found[name][held] = model.predict(view[simple_rows[held]])
    return found


@artifact(cost="training")
def simple_test_predicted(
    simple_rows: np.ndarray,
    train_features: np.ndarray,
    train_inputs: np.ndarray,
    test_features: np.ndarray,
    test_inputs: np.ndarray,
    train_labels: np.ndarray | None = None,
    train_targets: np.ndarray | None = None,
    columns: "tuple[Column, ...] | None" = None,
) -> dict[str, np.ndarray]:
    """Predictions of each simple model for the test rows: name to (n,)."""
    truth = _truth(train_labels, train_targets)[simple_rows]
    is_class = train_labels is not None
    views = _views(train_features, train_inputs, columns)
    test_views = _views(test_features, test_inputs, columns)
    return {
        name: _fitted(name, views.of(name)[simple_rows], truth, is_class, views.is_category)
        .predict(test_views.of(name))
        .astype(truth.dtype)
        for name in NAMES
    }


@artifact()
def simple_train_merits(
    simple_train_predicted: Mapping[str, np.ndarray],
    simple_rows: np.ndarray,
    train_labels: np.ndarray | None = None,
    train_targets: np.ndarray | None = None,
    guess_error: float | None = None,
) -> dict[str, np.ndarray]:
    """Merit of each simple model on the rows of `simple_rows`, none of which it had seen: name to (m,)."""
    truth = _truth(train_labels, train_targets)[simple_rows]
    scale = None if train_labels is not None else guess_error
    return {name: _merit(p, truth, scale) for name, p in simple_train_predicted.items()}


@artifact()
def simple_test_merits(
    simple_test_predicted: Mapping[str, np.ndarray],
    test_labels: np.ndarray | None = None,
    test_targets: np.ndarray | None = None,
    guess_error: float | None = None,
) -> dict[str, np.ndarray]:
    """Merit of each simple model on the test rows: name to (n,)."""
    truth = _truth(test_labels, test_targets)
    scale = None if test_labels is not None else guess_error
    return {name: _merit(p, truth, scale) for name, p in simple_test_predicted.items()}


@artifact()
def simple_choice(simple_train_merits: Mapping[str, np.ndarray]) -> str:
    """Name of the simple model that does best on unseen training rows: chosen without the test rows."""
    return max(NAMES, key=lambda name: float(simple_train_merits[name].mean()))


@dataclass(frozen=True, eq=False)
class _Views:
    """What each simple model sees of the rows, and which columns boosting may split as categories."""

    linear: np.ndarray
    boosting: np.ndarray
    is_category: np.ndarray | None

    def of(self, name: str) -> np.ndarray:
        """Return the inputs of the simple model of this name."""
        return self.linear if name == "linear" else self.boosting


def _views(
    features: np.ndarray, inputs: np.ndarray, columns: "tuple[Column, ...] | None"
) -> _Views:
    if not columns:
        return _Views(features, features, None)
    is_category = [c.kind == "category" and len(c.categories) <= MOST_CATEGORIES for c in columns]
    finite = np.where(np.isfinite(inputs), inputs, np.nan)
    return _Views(features, finite, np.array(is_category))


def _fitted(
    name: str, x: np.ndarray, y: np.ndarray, is_class: bool, split_up: np.ndarray | None
) -> Any:  # Any: an estimator; scikit-learn has no type for "has predict"
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge

    if is_class and len(np.unique(y)) < 2:
        raise NotApplicable("all training rows have the same class; simple models need two")
    if name == "linear":
        model = LogisticRegression(max_iter=200) if is_class else Ridge()
    else:
        # One tree per class and round: the more classes, the fewer rounds, not below 10.
        rounds = int(np.clip(300 // len(np.unique(y)), 10, 60)) if is_class else 60
        kind = HistGradientBoostingClassifier if is_class else HistGradientBoostingRegressor
        options: dict[str, Any] = {
            "max_iter": rounds,
            "learning_rate": 0.2,
            "early_stopping": False,
        }
        options["random_state"] = 0
        model = kind(**options, categorical_features=cast(Any, split_up))  # Any: annotated as str
    with warnings.catch_warnings():
        # 200 rounds are what the comparison grants; that more could be better is no news to the user.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(x, y)


def _folds(
    labels: np.ndarray | None, entities: np.ndarray | None, n: int, rng: Generator
) -> np.ndarray:
    """Return a fold per row: by entity where there are some, else evenly within each class."""
    if entities is not None:
        _, codes = np.unique(entities, return_inverse=True)
        return (rng.permutation(int(codes.max()) + 1) % FOLDS)[codes]
    order = rng.permutation(n)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(n, np.int64)
    fold[order] = np.arange(n) % FOLDS
    return fold


def _truth(labels: np.ndarray | None, targets: np.ndarray | None) -> np.ndarray:
    if labels is not None:
        return labels
    if targets is not None:
        return targets
    raise NotApplicable("the rows have no target")


def _merit(predicted: np.ndarray, truth: np.ndarray, scale: float | None) -> np.ndarray:
    if scale is None:
        return predicted == truth
    return 1.0 - np.abs(predicted - truth) / scale
