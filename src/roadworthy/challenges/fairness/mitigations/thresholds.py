"""Thresholds by group: the model is asked for more before it says yes to one group than to another."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.fairness.mitigations.cells import FEWEST, Groups, counted, shuffled
from roadworthy.challenges.fairness.mitigations.odds import Roc, best_thresholds, widest_gap
from roadworthy.engine import mitigation, sham
from roadworthy.errors import NotApplicable
from roadworthy.subject import Column, Network, Predictor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from roadworthy.subject import Subject
    from roadworthy.subject.grouping import Grouping

Columns = tuple[Column, ...]
Kind = Literal["logits", "probabilities"]
LEAST_GAP = (
    0.02  # below, rates of a few hundred rows are luck, and nobody would be chosen for its sake
)
TARGETS = ("equalized_odds_gap", "equal_opportunity_gap")


class Steps(NamedTuple):
    """How an input column tells the group: the column, where its values are divided, the group of each part."""

    column: int
    edges: np.ndarray
    group: np.ndarray


@mitigation(
    targets=TARGETS,
    strengths=(0.5, 0.75, 0.9),
    sham="thresholds_by_shuffled_groups",
    repairs="positives_of_one_group_left_out",
)
def thresholds_by_group(
    subject: "Subject",
    strength: float,
    validation_logits: np.ndarray,
    validation_labels: np.ndarray,
    validation_groups: Groups,
    train_groups: Groups,
    train_inputs: np.ndarray,
    output_kind: str,
    predictor: Predictor,
    columns: Columns | None = None,
    network: Network | None = None,
    weights: "Mapping[str, np.ndarray] | None" = None,
) -> "Subject":
    """Decide by another threshold in each group, so that the odds of a mistake are alike.

    On validation rows, of all thresholds whose gap in true and false positive rates is at most (1 - strength) of today's,
    those with the fewest mistakes (Hardt, Price & Srebro 2016, NeurIPS, section 3.2, without its random decisions), for the
    attribute with the widest gap. Weights and data stay as they are.

    Mind: the group is read from the model's own input, so that it must be known for every answer, and deciding by it openly may be unlawful.
    """
    if strength == 0.0:
        return subject
    steps = _steps(columns, train_inputs, train_groups)
    rows = (validation_logits, validation_labels)
    shifts = _shifts(rows, (validation_groups, validation_groups), steps, strength)
    return _shifted(subject, shifts, output_kind, (predictor, network, weights))


@sham()
def thresholds_by_shuffled_groups(
    subject: "Subject",
    strength: float,
    rng: Generator,
    validation_logits: np.ndarray,
    validation_labels: np.ndarray,
    validation_groups: Groups,
    train_groups: Groups,
    train_inputs: np.ndarray,
    output_kind: str,
    predictor: Predictor,
    columns: Columns | None = None,
    network: Network | None = None,
    weights: "Mapping[str, np.ndarray] | None" = None,
) -> "Subject":
    """Choose the thresholds on validation rows whose groups were dealt at random, and decide by them as well."""
    if strength == 0.0:
        return subject
    steps = _steps(columns, train_inputs, train_groups)
    rows = (validation_logits, validation_labels)
    dealt = shuffled(validation_groups, rng)
    shifts = _shifts(rows, (validation_groups, dealt), steps, strength)
    return _shifted(subject, shifts, output_kind, (predictor, network, weights))


class Shifts(NamedTuple):
    """What is added to the log odds in each group, the last for rows of none: (g + 1,)."""

    attribute: str
    steps: Steps
    values: np.ndarray


def _shifts(
    rows: tuple[np.ndarray, np.ndarray],
    groups: tuple[Groups, Groups],
    steps: dict[str, Steps],
    strength: float,
) -> Shifts:
    """Choose thresholds for the attribute with the widest gap of those that the model is given.

    The gap is that of the first groups, which says what is tolerated; thresholds are fitted to the second, which are the same
    but for a control.
    """
    logits, labels = rows
    if logits.shape[1] != 2:
        raise NotApplicable(
            f"the target has {logits.shape[1]} classes; thresholds by group are for two"
        )
    odds = (logits[:, 1] - logits[:, 0]).astype(np.float64)
    gaps: dict[str, float] = {}
    for name in steps:
        large = _large(groups[0][name], labels)
        if len(large) >= 2:
            gaps[name] = widest_gap(_curves(groups[0][name], large, odds, labels))
    if not gaps:
        raise NotApplicable(
            f"no attribute has two groups with {FEWEST} validation rows of either class"
        )
    name = max(gaps, key=lambda each: gaps[each])
    most = max((1.0 - strength) * gaps[name], LEAST_GAP)
    large = _large(groups[1][name], labels)
    values = np.zeros(len(groups[1][name].names) + 1)
    if len(large) >= 2:
        values[large] = -best_thresholds(_curves(groups[1][name], large, odds, labels), most)
    return Shifts(name, steps[name], values)


def _large(grouping: "Grouping", labels: np.ndarray) -> np.ndarray:
    """Return the groups that have enough rows of either class."""
    return np.flatnonzero((counted(grouping, labels, 2) >= FEWEST).all(axis=1))


def _curves(
    grouping: "Grouping", chosen: np.ndarray, odds: np.ndarray, labels: np.ndarray
) -> list[Roc]:
    return [Roc.of(odds[grouping.codes == g], labels[grouping.codes == g]) for g in chosen]


def _steps(columns: Columns | None, inputs: np.ndarray, groups: Groups) -> dict[str, Steps]:
    """Return how the inputs tell the groups of each attribute; those that they do not tell are left out."""
    places = {column.name: j for j, column in enumerate(columns or ())}
    found = {
        name: _steps_of(places[name], (columns or ())[places[name]], inputs[:, places[name]], each)
        for name, each in groups.items()
        if name in places
    }
    if not found:
        raise NotApplicable(
            f"the model is not given {' or '.join(groups)}, and thresholds by group need the group for every answer; "
            "give the attribute to the model as a column, or train with a penalty instead"
        )
    return found


def _steps_of(place: int, column: Column, values: np.ndarray, grouping: "Grouping") -> Steps:
    if column.kind == "category":
        known = {name: g for g, name in enumerate(grouping.names)}
        group = np.array([known.get(name, -1) for name in column.categories], np.int64)
        return Steps(place, np.arange(1, len(group)) - 0.5, group)
    inside = np.isfinite(values) & (grouping.codes >= 0)
    distinct, first = np.unique(values[inside], return_index=True)
    group = grouping.codes[inside][first]
    turns = np.flatnonzero(np.diff(group))  # where the next value is of another group
    edges = (distinct[turns] + distinct[turns + 1]) / 2
    return Steps(place, edges, group[np.append(turns, len(group) - 1)])


def _shifted(
    subject: "Subject",
    shifts: Shifts,
    output_kind: str,
    model: "tuple[Predictor, Network | None, Mapping[str, np.ndarray] | None]",
) -> "Subject":
    """Put the shifts around the network, or around the black box."""
    predictor, network, weights = model
    steps, values = shifts.steps, shifts.values
    if network is None or weights is None:
        return replace(subject, predictor=_around(predictor, shifts, output_kind))
    kind = cast(Kind, output_kind)
    factory = _ShiftedByGroup(network, kind, steps.column, len(values) - 1, len(steps.edges))
    said = f"{network.source or 'network'}, thresholds by {shifts.attribute}"
    inner = {f"module.{name}": np.asarray(value) for name, value in weights.items()}
    own = {
        "edges": steps.edges.astype(np.float32),
        "group": steps.group,
        "shift": values.astype(np.float32),
    }
    return replace(
        subject, network=Network(factory, said), weights={**inner, **own}, predictor=None
    )


def _around(predictor: Predictor, shifts: Shifts, output_kind: str) -> Predictor:
    steps, values = shifts.steps, shifts.values

    def call(inputs: np.ndarray) -> np.ndarray:
        outputs = np.asarray(predictor(inputs), np.float64).reshape(len(inputs), -1)
        if outputs.shape[1] == 1:
            other = 1.0 - outputs if output_kind == "probabilities" else np.zeros_like(outputs)
            outputs = np.concatenate([other, outputs], axis=1)
        if output_kind == "probabilities":
            outputs = np.log(np.maximum(outputs, np.finfo(np.float32).tiny))
        told = inputs[:, steps.column].astype(np.float64)
        step = np.searchsorted(steps.edges, np.nan_to_num(told), side="right")
        group = np.where(np.isfinite(told), steps.group[step], -1)
        return outputs + np.stack([np.zeros(len(group)), values[group]], axis=1)

    identity = (predictor.identity, output_kind, steps, values)
    return Predictor(call, "logits", identity)


@dataclass(frozen=True, eq=False)
class _ShiftedByGroup:
    """The factory of the shifted module."""

    network: Network
    kind: Kind
    column: int
    groups: int
    edges: int

    def __call__(self) -> "nn.Module":
        from roadworthy.challenges.fairness.group_modules import ShiftedByGroup

        return ShiftedByGroup(self.network.build(), self.kind, self.column, self.groups, self.edges)
