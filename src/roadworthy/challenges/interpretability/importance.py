"""Which columns the model rests on over all rows, and how answers go with their values."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.interpretability.answering import Answering
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import Axis, Curve, Evidence, Intervals, Measurement, Series
from roadworthy.statistics import largest_of, mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roadworthy.subject import Column, Predictor, Task

MOST_ROWS = 1_000
SHUFFLES = 3
CURVES = 4  # columns whose curves are shown
POINTS = 12  # of a curve
MOST_SHOWN = 15


@artifact(cost="forward")
def importance_losses(
    predictor: "Predictor",
    task: "Task",
    output_kind: str,
    test_inputs: np.ndarray,
    rng: Generator,
    columns: "tuple[Column, ...] | None" = None,
    test_labels: np.ndarray | None = None,
    test_targets: np.ndarray | None = None,
) -> np.ndarray:
    """How much worse each of at most 1,000 test rows is answered when a column is shuffled: (m, d) float64.

    Classes: increase of the negative log likelihood in nats; numbers: increase of the squared error, in variances of the target. The mean of three shuffles
    (Breiman 2001, Machine Learning 45, section 10; Fisher, Rudin & Dominici 2019, JMLR 20).
    """
    if not columns:
        raise NotApplicable("columns are shuffled one by one; the inputs are no table")
    truth = test_labels if test_labels is not None else test_targets
    if truth is None or len(truth) < 2:
        raise NotApplicable("there are fewer than two test rows with a target")
    rows = np.sort(rng.permutation(len(truth))[:MOST_ROWS])
    inputs, truth = np.array(test_inputs[rows]), truth[rows]
    asked = Answering(predictor, task, output_kind)
    now = asked.losses(inputs, truth)
    found = np.zeros((len(rows), len(columns)))
    for j in range(len(columns)):
        for _ in range(SHUFFLES):
            changed = inputs.copy()
            changed[:, j] = inputs[rng.permutation(len(rows)), j]
            found[:, j] += asked.losses(changed, truth) - now
    return found / SHUFFLES


@artifact(cost="forward")
def column_curves(
    predictor: "Predictor",
    task: "Task",
    output_kind: str,
    train_inputs: np.ndarray,
    importance_losses: np.ndarray,
    rng: Generator,
    columns: "tuple[Column, ...] | None" = None,
) -> "Mapping[str, np.ndarray]":
    """How the answer goes with the values of the most important numeric columns, by two rules.

    "3 at": values of column 3 (quantiles of the training rows, and of their distinct values where a few are most of them); "3 dependence": mean probability of the positive (or commonest) class, or mean number, when all rows have that
    value (partial dependence, Friedman 2001, Annals of Statistics 29); "3 local": accumulated local effects (Apley & Zhu 2020, JRSS B 82), which never
    asks for a value that a row could not have, centred on the mean answer.
    """
    assert columns is not None
    rows = np.sort(rng.permutation(len(train_inputs))[:MOST_ROWS])
    inputs = np.array(train_inputs[rows])
    order = np.argsort(-importance_losses.mean(axis=0), kind="stable")
    numeric = [int(j) for j in order if columns[int(j)].kind == "numeric"]
    asked = Answering(predictor, task, output_kind)
    label = _label(asked, inputs)
    found: dict[str, np.ndarray] = {}
    for j in numeric[:CURVES]:
        present = inputs[np.isfinite(inputs[:, j]), j]
        if len(present) == 0:
            continue
        at = _values(present)
        if len(at) < 2:
            continue
        found[f"{j} at"] = at
        found[f"{j} dependence"] = _dependence(asked, label, inputs, j, at)
        found[f"{j} local"] = _accumulated(asked, label, inputs, j, at)
    return found


@check(challenge="interpretability")
def column_importance(
    importance_losses: np.ndarray,
    task: "Task",
    columns: "tuple[Column, ...] | None" = None,
    column_curves: "Mapping[str, np.ndarray] | None" = None,
) -> Measurement:
    """How much worse answers get when the most important column is shuffled over the rows.

    Permutation importance with Student's t over rows; the column named is the largest of all, so its interval is corrected for their number. Columns that say the
    same share their importance: each seems to matter little. Curves show how answers go with values: partial dependence beside accumulated local effects; where the two
    differ, columns go together and the first asks for rows that do not exist.

    Unit: nats per row (regression: variances of the target).
    Qualified at: a description, nothing is required of it.
    Next: ask whether the model may rest on the columns listed first, and whether they will be known when it is used.
    """
    assert columns is not None
    unit = "nats per row" if task.is_classification else "variances of the target"
    each = [mean(importance_losses[:, j], unit=unit) for j in range(len(columns))]
    order = [int(j) for j in np.argsort([-m.value for m in each], kind="stable")]
    shown = order[:MOST_SHOWN]
    figure = Intervals(
        title="Worse by, when the column is shuffled",
        label=Axis("column"),
        value=Axis("increase of the loss", unit),
        labels=tuple(columns[j].name for j in shown),
        values=tuple(each[j].value for j in shown),
        lows=tuple(each[j].low for j in shown),
        highs=tuple(each[j].high for j in shown),
        reference=0.0,
    )
    matters = [columns[j].name for j in order if each[j].low > 0.0]
    details = (
        f"Most important: {', '.join(matters[:3])}. {len(columns) - len(matters)} of {len(columns)} columns are not shown to matter."
        if matters
        else "No column is shown to matter by itself."
    )
    return replace(
        largest_of(each, unit=unit),
        details=details,
        evidence=(figure, *_curves(columns, column_curves, task)),
    )


def _curves(
    columns: "tuple[Column, ...]", curves: "Mapping[str, np.ndarray] | None", task: "Task"
) -> tuple[Evidence, ...]:
    positions = [int(key.split()[0]) for key in curves or {} if key.endswith(" at")]
    what = "probability of the positive class" if task.kind == "binary" else "answer"
    if task.kind == "multiclass":
        what = "probability of the commonest class"
    found: list[Evidence] = []
    for j in positions:
        assert curves is not None
        at = tuple(float(v) for v in curves[f"{j} at"])
        series = tuple(
            Series(name, at, tuple(float(v) for v in curves[f"{j} {key}"]))
            for name, key in (
                ("all rows given the value", "dependence"),
                ("local steps added up", "local"),
            )
        )
        found.append(
            Curve(f"Answers by {columns[j].name}", Axis(columns[j].name), Axis(what), series)
        )
    return tuple(found)


def _values(present: np.ndarray) -> np.ndarray:
    """Return values at which a curve is drawn, ascending: at most 24.

    Where one value is that of most rows, quantiles of rows are all that one; those of distinct values lie between.
    """
    steps = np.linspace(0.0, 1.0, POINTS)
    at = np.unique(np.quantile(present, steps, method="nearest"))
    if len(at) == POINTS:
        return at
    return np.union1d(at, np.quantile(np.unique(present), steps, method="nearest"))


def _label(asked: Answering, inputs: np.ndarray) -> int:
    """Return the class whose probability is shown: the positive one, else the commonest answer."""
    task = asked.task
    if task.kind == "binary":
        return 1 if task.positive is None else task.positive
    return int(asked.probabilities(inputs).mean(axis=0).argmax()) if task.is_classification else 0


def _dependence(
    asked: Answering, label: int, inputs: np.ndarray, j: int, at: np.ndarray
) -> np.ndarray:
    """Return the mean answer when all rows have each value of column j: (v,)."""
    found = np.empty(len(at))
    for k, value in enumerate(at):
        changed = inputs.copy()
        changed[:, j] = value
        found[k] = asked.shown(changed, label).mean()
    return found


def _accumulated(
    asked: Answering, label: int, inputs: np.ndarray, j: int, at: np.ndarray
) -> np.ndarray:
    """Return accumulated local effects at each edge: (v,); their mean over rows is the mean answer."""
    known = inputs[np.isfinite(inputs[:, j])]
    place = np.clip(np.searchsorted(at, known[:, j], side="left"), 1, len(at) - 1)
    lower, upper = known.copy(), known.copy()
    lower[:, j], upper[:, j] = at[place - 1], at[place]
    steps = asked.shown(upper, label) - asked.shown(lower, label)
    sums = np.bincount(place, weights=steps, minlength=len(at))
    counts = np.bincount(place, minlength=len(at))
    effects = np.cumsum(sums / np.maximum(counts, 1))
    middle = (effects[1:] + effects[:-1]) / 2.0
    centre = float(np.sum(middle * counts[1:]) / max(counts[1:].sum(), 1))
    return effects - centre + float(asked.shown(known, label).mean())
