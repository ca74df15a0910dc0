"""What would have to be different for another answer: few changes, within what exists, nothing that a person cannot change."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.interpretability.answering import Answering
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable, UserError
from roadworthy.results import Cell, Measurement, Table
from roadworthy.statistics import rate

if TYPE_CHECKING:
    from roadworthy.subject import Column, Predictor, Roles, Task

ROWS = 60
MOST_CHANGES = 3
VALUES = 9  # quantiles of a number that are tried
MOST_CATEGORIES = 12
BEAM = 12  # rows that are changed further
SENTENCES = 12


@dataclass(frozen=True)
class Change:
    """One row and what would have to be different.

    Parameters
    ----------
    row : int
        Position among the test rows.
    answer, other : int
        Class now, and class after the changes.
    changes : tuple of (int, float)
        Column and new value; empty where none was found.
    """

    row: int
    answer: int
    other: int
    changes: tuple[tuple[int, float], ...]


@artifact(stored=False, cost="forward")
def counterfactuals(
    predictor: "Predictor",
    task: "Task",
    output_kind: str,
    train_inputs: np.ndarray,
    test_inputs: np.ndarray,
    test_predicted: np.ndarray,
    feature_map: Mapping[str, np.ndarray],
    roles: "Roles",
    rng: Generator,
    columns: "tuple[Column, ...] | None" = None,
    *,
    fixed: str = "",
) -> tuple[Change, ...]:
    """Fewest changes of up to 60 test rows that turn the answer, verified by the model itself.

    At most three columns change, to values that training rows have: quantiles of a number, its whole numbers kept whole, the commoner categories. Sensitive columns
    and those in `fixed` ("age, place_of_birth") stay. Searched by one, two, three changes over the rows that come nearest (a beam), the smallest sum of
    changes in robust spreads first, a category counting one (Wachter, Mittelstadt & Russell 2018; Mothilal, Sharma & Tan 2020, DiCE, for sparsity). Rows with the answer that is
    not the positive one come first in binary tasks: it is they who ask.
    """
    if not columns or not task.is_classification:
        raise NotApplicable("changes of columns are sought for classes of a table")
    kept = _fixed(fixed, columns, roles)
    asked = Answering(predictor, task, output_kind)
    menu = _menu(train_inputs, columns, kept)
    if not menu:
        raise NotApplicable("no column may change: all are sensitive, fixed or constant")
    who = np.arange(len(test_inputs))
    if task.kind == "binary":
        refused = who[test_predicted != (1 if task.positive is None else task.positive)]
        who = refused if len(refused) else who
    chosen = np.sort(rng.permutation(who)[:ROWS])
    scale = np.ones(len(columns))
    scale[feature_map["numeric"]] = feature_map["scale"]
    return tuple(
        _nearest(asked, np.asarray(test_inputs[row], np.float64), int(row), menu, scale, columns)
        for row in chosen
    )


@check(challenge="interpretability")
def answers_within_reach(
    counterfactuals: tuple[Change, ...],
    test_inputs: np.ndarray,
    task: "Task",
    columns: "tuple[Column, ...] | None" = None,
    people: bool | None = None,
) -> Measurement:
    """How often three feasible changes or fewer would have brought another answer.

    Share of rows for which the search found changes, with the Clopper-Pearson interval; what is not found may still exist. The table says it in sentences
    for people. A change that brings another answer is what the model would say, not advice: what causes the outcome is not known to it.

    Unit: share of rows asked about.
    Qualified at: a description, nothing is required of it.
    Next: read the sentences: a person should be able to bring about what they ask for, and none should turn on something that ought not to matter.
    """
    assert columns is not None
    found = [each for each in counterfactuals if each.changes]
    rows: list[tuple[Cell, ...]] = [
        (
            each.row,
            task.classes[each.answer],
            task.classes[each.other],
            _sentence(each, None if people else test_inputs, columns),
        )
        for each in sorted(found, key=lambda each: len(each.changes))[:SENTENCES]
    ]
    named: dict[str, int] = {}
    for each in found:
        for column, _ in each.changes:
            named[columns[column].name] = named.get(columns[column].name, 0) + 1
    often = sorted(named, key=lambda name: -named[name])[:3]
    details = f"Changed most often: {', '.join(often)}." if often else "No change was found."
    return rate(
        len(found),
        len(counterfactuals),
        unit="share of rows asked about",
        details=details,
        evidence=(
            Table(
                "What would have to be different",
                ("test row", "answer", "would be", "if"),
                tuple(rows),
            ),
        ),
    )


def _fixed(fixed: str, columns: "tuple[Column, ...]", roles: "Roles") -> set[int]:
    names = {c.name: j for j, c in enumerate(columns)}
    asked = [name.strip() for name in fixed.split(",") if name.strip()]
    unknown = [name for name in asked if name not in names]
    if unknown:
        raise UserError(
            f'[options] counterfactuals.fixed names "{unknown[0]}", which is no column; there are '
            f"{', '.join(list(names)[:8])}. Name columns that a person cannot change, divided by commas."
        )
    return {names[name] for name in (*asked, *roles.sensitive) if name in names}


def _menu(
    inputs: np.ndarray, columns: "tuple[Column, ...]", kept: set[int]
) -> Mapping[int, np.ndarray]:
    """Return the values that each column may take, by its position."""
    found: dict[int, np.ndarray] = {}
    for j, column in enumerate(columns):
        present = inputs[np.isfinite(inputs[:, j]), j]
        if j in kept or len(present) == 0:
            continue
        if column.kind == "category":
            codes, counts = np.unique(present, return_counts=True)
            values = codes[np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]]
        else:
            # Values that rows have: a whole number stays one.
            values = np.unique(
                np.quantile(present, np.linspace(0.02, 0.98, VALUES), method="nearest")
            )
        if len(values) > 1:
            found[j] = values
    return found


def _nearest(
    asked: Answering,
    row: np.ndarray,
    position: int,
    menu: Mapping[int, np.ndarray],
    scale: np.ndarray,
    columns: "tuple[Column, ...]",
) -> Change:
    """Return the smallest set of changes that turns the answer of one row."""
    answer = int(asked.probabilities(row[None])[0].argmax())
    beam: list[tuple[tuple[int, float], ...]] = [()]
    for _ in range(MOST_CHANGES):
        wider = [(*done, step) for done in beam for step in _steps(done, row, menu)]
        if not wider:
            break
        changed = np.repeat(row[None], len(wider), axis=0)
        for k, changes in enumerate(wider):
            for column, value in changes:
                changed[k, column] = value
        p = asked.probabilities(changed)
        others = np.where(np.arange(p.shape[1]) == answer, -1.0, p)
        turned = np.flatnonzero(others.max(axis=1) > p[:, answer])
        if len(turned):
            size = [_size(wider[k], row, scale, columns) for k in turned]
            best = int(turned[int(np.argmin(size))])
            return Change(position, answer, int(others[best].argmax()), wider[best])
        nearest = np.argsort(p[:, answer] - others.max(axis=1), kind="stable")[:BEAM]
        beam = [wider[int(k)] for k in nearest]
    return Change(position, answer, answer, ())


def _steps(
    done: tuple[tuple[int, float], ...], row: np.ndarray, menu: Mapping[int, np.ndarray]
) -> Iterator[tuple[int, float]]:
    """Return single changes of columns behind those that are changed already, or before them: each set once."""
    touched = {column for column, _ in done}
    for column, values in menu.items():
        if column in touched:
            continue
        for value in values:
            if value != row[column]:
                yield column, float(value)


def _size(
    changes: tuple[tuple[int, float], ...],
    row: np.ndarray,
    scale: np.ndarray,
    columns: "tuple[Column, ...]",
) -> float:
    """Return how large changes are: a category counts one, a number its way in robust spreads."""
    total = 0.0
    for column, value in changes:
        is_number = columns[column].kind == "numeric" and np.isfinite(row[column])
        total += abs(value - row[column]) / scale[column] if is_number else 1.0
    return total


def _sentence(of: Change, inputs: np.ndarray | None, columns: "tuple[Column, ...]") -> str:
    """Say what would be different; what is now is not said of people."""
    said: list[str] = []
    for j, value in of.changes:
        now = "" if inputs is None else f" instead of {_spelled(columns[j], inputs[of.row, j])}"
        said.append(f"{columns[j].name} were {_spelled(columns[j], value)}{now}")
    return " and ".join(said)


def _spelled(column: "Column", value: float) -> str:
    if not np.isfinite(value):
        return "missing"
    return column.categories[int(value)] if column.kind == "category" else f"{value:g}"
