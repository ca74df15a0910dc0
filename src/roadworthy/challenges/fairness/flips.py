"""What the model does when nothing but the sensitive attribute of a row is another."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.challenges.fairness.rates import FEWEST
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Measurement, Table
from roadworthy.statistics import largest_of, percent, rate

if TYPE_CHECKING:
    from roadworthy.subject import Column, Predictor, Roles, Task

MOST_LEVELS = 12  # as many passes over the rows
MOVED = 0.1  # standard deviations of the target, from which a predicted number counts as another
NOT_SEEN = (
    "the model sees no sensitive attribute as a column of groups, so none can be flipped; "
    "`proxy_strength` says how well the other columns tell it"
)


@artifact()
def flip_levels(
    test_inputs: np.ndarray, roles: "Roles", columns: "tuple[Column, ...] | None" = None
) -> Mapping[str, np.ndarray]:
    """Values that the column of each sensitive attribute may be set to: a mapping of attribute to (v,) float64.

    Attributes that the model does not see, and numbers with more than twelve values (an age), are left out.
    """
    found: dict[str, np.ndarray] = {}
    for j, column in enumerate(columns or ()):
        if column.name not in roles.sensitive:
            continue
        values = np.unique(test_inputs[:, j][np.isfinite(test_inputs[:, j])]).astype(np.float64)
        if 2 <= len(values) <= MOST_LEVELS:
            found[column.name] = values
    if not found:
        raise NotApplicable(NOT_SEEN)
    return found


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
    Numbers: the largest change, in the unit of the target.
    """
    place = {column.name: j for j, column in enumerate(columns or ())}
    as_is = answers_of(predictor, inputs, output_kind, task)
    found = np.zeros((len(inputs), len(flip_levels)))
    for a, (name, values) in enumerate(flip_levels.items()):
        for value in values:
            flipped = inputs.copy()
            known = np.isfinite(flipped[:, place[name]])
            flipped[known, place[name]] = value
            other = answers_of(predictor, flipped, output_kind, task)
            apart = other != as_is if task.is_classification else np.abs(other - as_is)
            found[:, a] = np.maximum(found[:, a], apart)
    return found


@check(
    challenge="fairness",
    requires=AtMost(0.05, "house default: one decision in twenty may turn on the attribute itself"),
    least=FEWEST,
)
def counterfactual_flip(
    test_flip_changes: np.ndarray,
    flip_levels: Mapping[str, np.ndarray],
    task: "Task",
    target_spread: float | None = None,
) -> Measurement:
    """Share of people who would be decided on otherwise if nothing but their group were another.

    The model's own column of the attribute is set to each other value, all else stays (direct use of the
    attribute; Kusner et al. 2017 call for a causal model, which would move the other columns too). 0 is no proof of
    fairness: other columns can stand in for it. A predicted number counts as another where it moves by a tenth of the
    target's standard deviation. The largest over attributes, corrected.

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
    return largest_of(
        found,
        details=f"{percent(found[worst].value)} of answers change when {names[worst]} is set to another value.",
        evidence=(table,),
    )


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
