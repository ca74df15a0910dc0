"""Explanations for people: what the mistakes rest on in each part of the data where the model is weak."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.challenges.interpretability.explaining import Explained, Explaining, positions_of
from roadworthy.challenges.interpretability.telling import (
    Told,
    of_rows,
    picture_of,
    places,
    sentences,
    where_half_lies,
)
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import Evidence, Measurement
from roadworthy.statistics import mean, percent

if TYPE_CHECKING:
    from roadworthy.subject import Column, Task

Facts = Mapping[str, np.ndarray]

MOST_EXPLAINED = 50  # mistakes of a part
PARTS = 3  # columns that are named
SENTENCES = 4  # mistakes of a part that are told one by one


@artifact(per="split", cost="attack")
def weak_part_attributions(
    explainer: Explaining,
    inputs: np.ndarray,
    row_ids: np.ndarray,
    weak_part_mistakes: Facts,
    attribution_reference: Facts,
    attribution_method: str,
    attribution_seed: int,
) -> Mapping[str, Facts]:
    """Give what the mistakes in each weak part rest on, by the part's name: `rows` (m,), `classes` (m,) and `attributions` (m, p).

    Rows are positions; classes those answered, whose scores are explained. At most fifty of a part, chosen by their names.
    """
    found: dict[str, Facts] = {}
    for name, rows in weak_part_mistakes.items():
        first = np.argsort(row_ids[rows], kind="stable")[:MOST_EXPLAINED]
        chosen = np.sort(rows[first])
        classes = explainer.answers(inputs[chosen])
        asked = Explained(inputs[chosen], classes, row_ids[chosen], attribution_seed)
        told = explainer.by(attribution_method, asked, attribution_reference)
        found[name] = {
            "rows": chosen,
            "classes": classes,
            "attributions": positions_of(told.values),
        }
    return found


@check(challenge="interpretability")
def weak_parts_explained(
    test_weak_part_attributions: Mapping[str, Facts],
    test_attributions: np.ndarray,
    test_inputs: np.ndarray,
    task: "Task",
    attribution_method: str,
    columns: "tuple[Column, ...] | None" = None,
    test_labels: np.ndarray | None = None,
    test_predicted: np.ndarray | None = None,
    test_targets: np.ndarray | None = None,
    people: bool | None = None,
) -> Measurement:
    """How much of what mistakes rest on, where the model is surely worse than elsewhere, three columns or pixels make up.

    The parts are those of `weak_slices`, three at most, fifty mistakes of each. Of a table the three columns that matter most to the mistakes are named, each with its share of the explanation and its share over all explained rows:
    what mistakes rest on more than answers in general is where to look first. Of images a picture shows the mean over the mistakes. The number is the share of those three in the weakest part, the mean over its mistakes with Student's t.
    Of people the columns are named and their values are not.

    Unit: share of the explanation.
    Qualified at: a description, nothing is required of it.
    Next: look at the columns that mistakes rest on and other answers do not: values that are wrong there, that mean something else in this part, or too few such rows in training.
    """
    parts = {name: _Mistakes.of(found) for name, found in test_weak_part_attributions.items()}
    parts = {name: part for name, part in parts.items() if len(part.shares) > 0}
    if not parts:
        raise NotApplicable(
            "no part of the data is worse than the rest beyond doubt (weak_slices), or nothing is attributed to its mistakes"
        )
    answers = None if task.is_classification else test_predicted
    truths = test_labels if task.is_classification else test_targets
    if columns:
        said = _columns_told(parts, shares_of(test_attributions), columns)
        inputs = None if people else test_inputs
        evidence = tuple(
            sentences(
                _title(name),
                _told(part, answers, truths, task.classes),
                part.attributions,
                inputs,
                columns,
                SENTENCES,
            )
            for name, part in parts.items()
        )
    else:
        shape = test_inputs.shape[1:]
        said = _pixels_told(parts, shape)
        evidence = _pictures(parts, answers, truths, task.classes, shape)
    first = next(iter(parts.values()))
    return replace(
        mean(first.shares[:, first.largest[:PARTS]].sum(axis=1), unit="share of the explanation"),
        details=f"{said} Explained by {attribution_method.replace('_', ' ')}.",
        evidence=evidence,
    )


@dataclass(frozen=True, eq=False)
class _Mistakes:
    """Mistakes of a part: positions (m,), classes answered (m,), attributions (m, p) and their sizes as shares of the sum (s, p)."""

    rows: np.ndarray
    classes: np.ndarray
    attributions: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(cls, found: Facts) -> "_Mistakes":
        """Return what an artifact states."""
        shares = shares_of(found["attributions"])
        return cls(found["rows"], found["classes"], found["attributions"], shares)

    @property
    def largest(self) -> np.ndarray:
        """Positions by their mean share, the largest first."""
        return np.argsort(-self.shares.mean(axis=0), kind="stable")


def shares_of(attributions: np.ndarray) -> np.ndarray:
    """Return which share of a row's explanation each position has, by size: (s, p) float64; rows that are 0 are left out."""
    sizes = np.abs(np.asarray(attributions, np.float64))
    total = sizes.sum(axis=1, keepdims=True)
    kept = total[:, 0] > 0
    return sizes[kept] / total[kept]


def _columns_told(
    parts: Mapping[str, _Mistakes], everywhere: np.ndarray, columns: "tuple[Column, ...]"
) -> str:
    usual = everywhere.mean(axis=0) if len(everywhere) else np.zeros(len(columns))
    said: list[str] = []
    for name, part in parts.items():
        shares = part.shares.mean(axis=0)
        named = [
            f"{columns[j].name} ({percent(float(shares[j]), 0)}, {'' if said or k else 'over all rows '}{percent(float(usual[j]), 0)})"
            for k, j in enumerate(part.largest[:PARTS])
            if shares[j] > 0
        ]
        said.append(
            f"Where {name}, mistakes ({len(part.rows)} looked at) rest most on {', '.join(named)}."
        )
    return " ".join(said)


def _pixels_told(parts: Mapping[str, _Mistakes], shape: tuple[int, ...]) -> str:
    said: list[str] = []
    for name, part in parts.items():
        what = f"what mistakes ({len(part.rows)} looked at) rest on"
        said.append(f"Where {name}, {where_half_lies(part.shares.mean(axis=0), shape, what)}.")
    return " ".join(said)


def _told(
    part: _Mistakes,
    answers: np.ndarray | None,
    truths: np.ndarray | None,
    classes: tuple[str, ...],
) -> Told:
    answered = part.classes if classes else of_rows(answers, part.rows)
    return Told(part.rows, answered, of_rows(truths, part.rows), classes)


def _title(name: str) -> str:
    return f"What mistakes rest on where {name}"


def _pictures(
    parts: Mapping[str, _Mistakes],
    answers: np.ndarray | None,
    truths: np.ndarray | None,
    classes: tuple[str, ...],
    shape: tuple[int, ...],
) -> tuple[Evidence, ...]:
    from roadworthy.attribution.parts import plane_of

    found: list[Evidence] = []
    for name, part in parts.items():
        told = _told(part, answers, truths, classes)
        found.append(places(_title(name), told, part.attributions, shape, SENTENCES))
        size = plane_of(shape)
        if size is not None:
            title = f"{_title(name)}: the mean over {len(part.rows)}"
            found.append(picture_of(title, part.attributions.mean(axis=0), size))
    return tuple(found)
