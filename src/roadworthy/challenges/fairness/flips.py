"""What the model does when nothing but the sensitive attribute of a row is another."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from roadworthy.challenges.fairness.rates import FEWEST
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Measurement, Table, doubted
from roadworthy.statistics import largest_of, percent, rate

if TYPE_CHECKING:
    from roadworthy.subject import Column, Predictor, Roles, Task

MOST_LEVELS = 64  # as many passes over the rows; more frequent ones first
OF_A_NUMBER = 12  # values that a number is set to, and as many more where many rows share one
HOW_FEW = ("no", "one")
MOVED = 0.1  # standard deviations of the target, from which a predicted number counts as another
NOT_SEEN = (
    "the model sees no sensitive attribute as a column of its own, so none can be flipped; "
    "`proxy_strength` says how well the other columns tell it"
)


class _Seen(NamedTuple):
    """A column that the model sees, the values that test rows have there, and in how many rows: (v,) each."""

    column: "Column"
    values: np.ndarray
    counts: np.ndarray


@artifact()
def flip_levels(
    test_inputs: np.ndarray, roles: "Roles", columns: "tuple[Column, ...] | None" = None
) -> Mapping[str, np.ndarray]:
    """Values that the column of each sensitive attribute may be set to: a mapping of attribute to (v,) float64.

    Those of the test rows: of a category at most the 64 most frequent; of a number with more than twelve values those at the
    middle of each twelfth of the rows and, where these are fewer than twelve, of each twelfth of its values. Attributes that the model does not see, or that have fewer than two values, are left out.
    """
    seen = _values_seen(test_inputs, roles, columns)
    found = {
        name: _tried(values, counts, column) for name, (column, values, counts) in seen.items()
    }
    found = {name: values for name, values in found.items() if len(values) >= 2}
    if not found:
        raise NotApplicable("; ".join(_not_tried(seen)) or NOT_SEEN)
    return found


@artifact()
def flips_left_out(
    test_inputs: np.ndarray, roles: "Roles", columns: "tuple[Column, ...] | None" = None
) -> tuple[str, ...]:
    """Sentences on the sensitive attributes that the model sees and that are not set to all that they may be."""
    return _not_tried(_values_seen(test_inputs, roles, columns))


def _values_seen(
    inputs: np.ndarray, roles: "Roles", columns: "tuple[Column, ...] | None"
) -> "dict[str, _Seen]":
    found: dict[str, _Seen] = {}
    for j, column in enumerate(columns or ()):
        if column.name in roles.sensitive:
            present = inputs[:, j][np.isfinite(inputs[:, j])]
            values, counts = np.unique(present.astype(np.float64), return_counts=True)
            found[column.name] = _Seen(column, values, counts)
    return found


def _tried(values: np.ndarray, counts: np.ndarray, column: "Column") -> np.ndarray:
    if column.kind == "category":
        return np.sort(values[np.argsort(-counts, kind="stable")[:MOST_LEVELS]])
    if len(values) <= OF_A_NUMBER:
        return values
    middles = (np.arange(OF_A_NUMBER) + 0.5) / OF_A_NUMBER
    of_rows = np.unique(np.quantile(np.repeat(values, counts), middles, method="lower"))
    if len(of_rows) == OF_A_NUMBER:
        return of_rows
    # Where many rows share a value, twelfths of the rows meet few others or none at all.
    return np.union1d(of_rows, np.quantile(values, middles, method="lower"))


def _not_tried(seen: "Mapping[str, _Seen]") -> tuple[str, ...]:
    said: list[str] = []
    for name, (column, values, _) in seen.items():
        if len(values) < 2:
            has = f"{HOW_FEW[len(values)]} value in the test rows"
            said.append(f"{name} has {has}, so that it cannot be set to another")
        elif column.kind == "category" and len(values) > MOST_LEVELS:
            said.append(
                f"{name} was set to the {MOST_LEVELS} most frequent of its {len(values)} values"
            )
    return tuple(said)


@artifact(per="split", shape="n a", rows=True, cost="forward")
def flip_changes(
    predictor: "Predictor",
    inputs: np.ndarray,
    output_kind: str,
    task: "Task",
    flip_levels: Mapping[str, np.ndarray],
    columns: "tuple[Column, ...] | None" = None,
) -> np.ndarray:
    """Most that an answer changes when one sensitive attribute is set to another value: (n, a) float64.

    One column per attribute of `flip_levels`. Classes: 1 where some other value changes the decision, else 0.
    Numbers: the largest change, in the unit of the target. Where the value of a row is missing its group is one of them, so
    that the answers under the values are compared with each other.
    """
    place = {column.name: j for j, column in enumerate(columns or ())}
    as_is = answers_of(predictor, inputs, output_kind, task)
    found = np.zeros((len(inputs), len(flip_levels)))
    for a, (name, values) in enumerate(flip_levels.items()):
        answers: list[np.ndarray] = []
        for value in values:
            flipped = inputs.copy()
            flipped[:, place[name]] = value
            answers.append(answers_of(predictor, flipped, output_kind, task))
        least, most = np.min(answers, axis=0), np.max(answers, axis=0)
        known = np.isfinite(inputs[:, place[name]])
        apart = np.where(known, np.maximum(most - as_is, as_is - least), most - least)
        found[:, a] = apart > 0 if task.is_classification else apart
    return found


@check(
    challenge="fairness",
    requires=AtMost(0.05, "house default: one decision in twenty may turn on the attribute itself"),
    least=FEWEST,
)
def counterfactual_flip(
    test_flip_changes: np.ndarray,
    flip_levels: Mapping[str, np.ndarray],
    flips_left_out: tuple[str, ...],
    task: "Task",
    target_spread: float | None = None,
) -> Measurement:
    """Share of people who would be decided on otherwise if nothing but their group were another.

    The model's own column of the attribute is set to each other value, all else stays (direct use of the
    attribute; Kusner et al. 2017 call for a causal model, which would move the other columns too). 0 is no proof of
    fairness: other columns can stand in for it. A predicted number counts as another where it moves by a tenth of the
    target's standard deviation. A number is set to twelve values from low to high (up to 23 where many rows share one), a
    category to its values (the 64 most frequent: with more nothing passes). Where the group of a row is missing, its answers under the values are compared. The
    largest over attributes, corrected.

    Unit: share of rows. Qualified at: n = 500; passes from 600 rows.
    Next: ask whether the attribute may be used at all; train without the column, and look at the gaps again.
    """
    moved = test_flip_changes > 0
    if not task.is_classification:
        if target_spread is None:
            raise NotApplicable("the target does not vary, so that a change has no yardstick")
        moved = test_flip_changes > MOVED * target_spread
    n = len(moved)
    found = [rate(int(column.sum()), n, unit="share of rows") for column in moved.T]
    names = tuple(flip_levels)
    worst = max(range(len(found)), key=lambda a: found[a].value)
    table = Table(
        "Answers that change when one attribute is set to another value",
        ("attribute", "values tried", "rows that change", "of", "share", "low", "high"),
        tuple(
            (name, len(flip_levels[name]), int(m.value * n + 0.5), n, *_rounded(m))
            for name, m in zip(names, found, strict=True)
        ),
    )
    details = f"{percent(found[worst].value)} of answers change when {names[worst]} is set to another value."
    return doubted(largest_of(found, details=details, evidence=(table,)), flips_left_out)


def answers_of(
    predictor: "Predictor", inputs: np.ndarray, output_kind: str, task: "Task"
) -> np.ndarray:
    """Return the decision of each row, or the number where the target is one: (n,)."""
    outputs = np.asarray(predictor(inputs), np.float64).reshape(len(inputs), -1)
    if not task.is_classification:
        return outputs[:, 0]
    if outputs.shape[1] == 1:
        middle = 0.5 if output_kind == "probabilities" else 0.0
        return (outputs[:, 0] > middle).astype(np.int64)
    return outputs.argmax(axis=1)


def _rounded(found: Measurement) -> tuple[float, ...]:
    return tuple(round(v, 4) for v in (found.value, found.low, found.high))
