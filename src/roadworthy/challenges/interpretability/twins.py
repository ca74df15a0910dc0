"""Simple twins: models that fit on a page, as rivals of the network and as stand-ins for its answers."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.random import Generator

from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Cell, Measurement, Table
from roadworthy.statistics import paired_rate_difference, percent, rate

if TYPE_CHECKING:
    from roadworthy.subject import Column

Answers = Mapping[str, np.ndarray]
Learns = Literal["labels", "answers"]

LEAVES = 16  # of the tree: a page of rules
WEIGHTS = 20  # about so many non-zero weights a class has in the linear model
MOST_ROWS = 10_000
MOST_ROUNDS = 1_000  # of boosting additive terms
TREE, LINEAR, ADDITIVE = "sparse tree", "sparse linear model", "explainable boosting"


@dataclass(frozen=True, eq=False)
class Views:
    """What simple models see of the rows of a split: values as they are (trees), and standardised ones (linear)."""

    inputs: np.ndarray
    features: np.ndarray
    columns: "tuple[Column, ...] | None"

    def plain(self) -> np.ndarray:
        """Return (n, d) finite values: of a table its columns, a missing one below all others; of an array its features."""
        if self.columns is None:
            return self.features
        return np.where(np.isfinite(self.inputs), self.inputs, MISSING)

    def take(self, rows: np.ndarray) -> "Views":
        """Return the views of these rows."""
        return Views(self.inputs[rows], self.features[rows], self.columns)


MISSING = -1e30


@artifact(cost="training")
def twin_answers(
    train_inputs: np.ndarray,
    train_features: np.ndarray,
    test_inputs: np.ndarray,
    test_features: np.ndarray,
    train_labels: np.ndarray,
    rng: Generator,
    columns: "tuple[Column, ...] | None" = None,
) -> Answers:
    """Answers of simple models that learned the labels of at most 10,000 training rows: name to (n,) int64 for test rows."""
    return _answers(
        Views(train_inputs, train_features, columns),
        train_labels,
        Views(test_inputs, test_features, columns),
        rng,
    )


@artifact(cost="training")
def surrogate_answers(
    train_inputs: np.ndarray,
    train_features: np.ndarray,
    test_inputs: np.ndarray,
    test_features: np.ndarray,
    train_predicted: np.ndarray,
    rng: Generator,
    train_labels: np.ndarray | None = None,
    columns: "tuple[Column, ...] | None" = None,
) -> Answers:
    """Answers of simple models that learned the answers of the model under audit: name to (n,) int64 for test rows.

    "choice" names none of them: which is the best stand-in is told by `surrogate_choice`, without the test rows.
    """
    if train_labels is None:
        raise NotApplicable("the target is a number; stand-ins are built for classes")
    return _answers(
        Views(train_inputs, train_features, columns),
        train_predicted,
        Views(test_inputs, test_features, columns),
        rng,
    )


@artifact(cost="training")
def surrogate_choice(
    train_inputs: np.ndarray,
    train_features: np.ndarray,
    train_predicted: np.ndarray,
    train_labels: np.ndarray,
    rng: Generator,
    columns: "tuple[Column, ...] | None" = None,
) -> str:
    """Name of the simple model that repeats the answers best on training rows that it has not seen (a fifth of them)."""
    del train_labels  # classes alone
    views = Views(train_inputs, train_features, columns)
    order = rng.permutation(len(train_predicted))[: MOST_ROWS + MOST_ROWS // 4]
    held, rest = order[: len(order) // 5], order[len(order) // 5 :]
    found = _answers(views.take(rest), train_predicted[rest], views.take(held), rng)
    return max(found, key=lambda name: float(np.mean(found[name] == train_predicted[held])))


@check(
    challenge="interpretability",
    requires=AtMost(0.1, "house default: nine in ten answers follow rules that fit on a page"),
    least=100,
)
def unexplained_answers(
    test_predicted: np.ndarray, surrogate_answers: Answers, surrogate_choice: str
) -> Measurement:
    """Share of the model's answers that the best simple stand-in does not repeat.

    A tree of 16 leaves, a linear model with about twenty weights a class and, for tables where the package `interpret` is installed, an explainable boosting machine
    learn to answer as the model does (Craven & Shavlik 1996, NeurIPS 8); the one that does so best on training rows which it has not seen is taken. What it
    does not repeat is not explained by it: an explanation that is faithful on nine rows in ten misleads on the tenth (Rudin 2019, Nature Machine Intelligence 1).

    Unit: share of test rows.
    Qualified at: severity 0.2 of `answers_that_follow_no_rule`, n = 1,000; passes from 300 rows where one answer in twenty is not repeated.
    Next: do not show the stand-in as the model's reasons; train a model that can be read (`replaced_by_a_readable_network`) if its errors can be borne, or explain row by row.
    """
    rows: list[tuple[Cell, ...]] = []
    for name, answers in surrogate_answers.items():
        repeats = rate(int(np.sum(answers == test_predicted)), len(answers), unit="share")
        rows.append((name, repeats.value, repeats.low, repeats.high))
    chosen = surrogate_answers[surrogate_choice]
    missed = int(np.sum(chosen != test_predicted))
    return rate(
        missed,
        len(chosen),
        unit="share of test rows",
        details=f"The best stand-in is the {surrogate_choice}: it gives {missed:,} of {len(chosen):,} test rows another answer than the model.",
        evidence=(
            Table(
                "How often stand-ins repeat the answers",
                ("stand-in", "repeated", "from", "to"),
                tuple(rows),
            ),
        ),
    )


@check(challenge="interpretability")
def gain_over_simple_twin(
    test_predicted: np.ndarray, test_labels: np.ndarray, twin_answers: Answers
) -> Measurement:
    """How much more often the model is right than the best of a few models that can be read.

    Both learned the same labels. Difference on the same rows (Zou & Donner 2008, Statistics in Medicine 27); the best of the simple models on
    these very rows, which favours them. Where the interval reaches 0 the network's complexity has not been shown to buy anything.

    Unit: share of test rows.
    Qualified at: a description, nothing is required of it.
    Next: where the simple model is as good, use it: it can be read, checked and corrected; else the gain is what opacity buys.
    """
    is_right = test_predicted == test_labels
    rows: list[tuple[Cell, ...]] = [("model under audit", float(is_right.mean()), None, None, None)]
    gains: dict[str, Measurement] = {}
    for name, answers in twin_answers.items():
        gains[name] = paired_rate_difference(is_right, answers == test_labels)
        share = float(np.mean(answers == test_labels))
        rows.append((name, share, gains[name].value, gains[name].low, gains[name].high))
    best = min(gains, key=lambda name: gains[name].value)
    gain = gains[best]
    if gain.low > 0.0:
        said = f"The model is right more often than the {best} by {percent(gain.value)}"
    elif gain.high < 0.0:
        said = f"The {best} is right more often than the model by {percent(-gain.value)}: use it"
    else:
        said = f"The {best} has not been shown to be any worse: a model that can be read may do"
    return replace(
        gain,
        unit="share of test rows",
        details=f"{said} (right on {percent(float(np.mean(twin_answers[best] == test_labels)))} of the rows, the model on {percent(float(is_right.mean()))}).",
        evidence=(
            Table(
                "Right on test rows",
                ("model", "right", "model ahead by", "from", "to"),
                tuple(rows),
            ),
        ),
    )


def _answers(
    views: Views, target: np.ndarray, asked: Views, rng: Generator
) -> dict[str, np.ndarray]:
    """Return what each kind of simple model, fitted to the target, answers: name to (n,) int64."""
    rows = np.sort(rng.permutation(len(target))[:MOST_ROWS])
    learned = target[rows]
    if len(np.unique(learned)) < 2:
        raise NotApplicable("all training rows have the same answer; simple models need two")
    seen = views.take(rows)
    return {
        name: fitted(seen, learned).predict(of(asked)).astype(np.int64)
        for name, (fitted, of) in kinds(views.columns).items()
    }


def kinds(columns: "tuple[Column, ...] | None") -> dict[str, Any]:  # Any: pairs of functions
    """Return the kinds of simple models: how each is fitted, and what it looks at.

    Curves of columns can be read where there are columns: of an array boosting would take a minute, and say nothing.
    """
    found: dict[str, Any] = {
        TREE: (_tree, Views.plain),
        LINEAR: (_linear, lambda views: views.features),
    }
    if columns is not None and _has_interpret():
        found[ADDITIVE] = (_additive, Views.plain)
    return found


def _tree(views: Views, target: np.ndarray) -> Any:  # Any: an estimator of scikit-learn
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(max_leaf_nodes=LEAVES, min_samples_leaf=5, random_state=0)
    return tree.fit(views.plain(), target)


def _linear(views: Views, target: np.ndarray) -> Any:  # Any: an estimator of scikit-learn
    """Fit logistic regression with an L1 penalty, the mildest of a few that leaves about twenty weights a class."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model: Any = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # sparse enough is what counts
        warnings.simplefilter("ignore", FutureWarning)
        for strength in (1.0, 0.3, 0.1, 0.03, 0.01, 0.003):
            model = LogisticRegression(
                l1_ratio=1.0, C=strength, solver="saga", max_iter=60, random_state=0
            ).fit(views.features, target)
            if np.mean(np.sum(np.abs(model.coef_) > 1e-6, axis=1)) <= WEIGHTS:
                break
    return model


def _additive(views: Views, target: np.ndarray) -> Any:  # Any: no types are known
    from interpret.glassbox import ExplainableBoostingClassifier  # pyright: ignore

    kinds = ["continuous"] * views.plain().shape[1]
    if views.columns is not None:
        kinds = ["nominal" if c.kind == "category" else "continuous" for c in views.columns]
    return ExplainableBoostingClassifier(
        interactions=0,
        outer_bags=4,
        max_rounds=MOST_ROUNDS,
        n_jobs=1,
        random_state=0,
        feature_types=kinds,
    ).fit(views.plain(), target)


def _has_interpret() -> bool:
    from importlib.util import find_spec

    return find_spec("interpret") is not None
