"""The subject: a model, the data it was made from, and how it was made; every change makes a new one."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from roadworthy.subject.columns import Attribute, Column, Roles
from roadworthy.subject.decision import DecisionRule
from roadworthy.subject.model import Network, Recipe
from roadworthy.subject.predictor import Predictor
from roadworthy.subject.task import Task

SplitName = Literal["train", "validation", "test", "production", "unlabelled", "proof"]


@dataclass(frozen=True, eq=False)
class Split:
    """The rows of one split. Arrays are never written to.

    Parameters
    ----------
    inputs : (n, ...) ndarray or None
        What the model sees. Tables: (n, d) float64, see `Column`. Images: (n, h, w) or
        (n, channels, h, w) as the model expects them. None for predictions alone.
    target : (n,) ndarray or None
        int64 class codes, or float64 for regression.
    attributes : mapping of column name to Attribute
        The columns that have a role, whether or not the model sees them too.
    source_rows : (n,) int64 ndarray
        0-based position of each row in the file or array that it came from.
    recorded : mapping of str to ndarray
        Predictions given instead of computed: "probabilities" (n, c), "scores" (n,) (larger: more
        likely positive), "predicted" (n,).
    row_weights : (n,) float64 ndarray, optional
        What each row counts in training, mean 1; None: all alike.
    row_groups : (n, attributes) int64 ndarray, optional
        The group of each row by each of some attributes, -1 where it is not known: what a `GroupTraining` looks at.
    """

    inputs: np.ndarray | None
    target: np.ndarray | None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    source_rows: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    recorded: Mapping[str, np.ndarray] = field(default_factory=dict)
    row_weights: np.ndarray | None = None
    row_groups: np.ndarray | None = None

    def __post_init__(self) -> None:
        if len(self.source_rows) == 0:
            object.__setattr__(self, "source_rows", np.arange(self.n, dtype=np.int64))

    @property
    def n(self) -> int:
        """Number of rows."""
        for values in (self.target, self.inputs, *self.recorded.values()):
            if values is not None:
                return len(values)
        return len(self.source_rows)

    def take(self, rows: np.ndarray) -> "Split":
        """Return the split of these rows (positions or a mask), in this order."""
        return Split(
            inputs=None if self.inputs is None else self.inputs[rows],
            target=None if self.target is None else self.target[rows],
            attributes={name: a.take(rows) for name, a in self.attributes.items()},
            source_rows=self.source_rows[rows],
            recorded={name: values[rows] for name, values in self.recorded.items()},
            row_weights=None if self.row_weights is None else self.row_weights[rows],
            row_groups=None if self.row_groups is None else self.row_groups[rows],
        )


@dataclass(frozen=True, eq=False)
class Subject:
    """What is audited.

    Parameters
    ----------
    name : str
    task : Task
    modality : {"table", "array", "text", "predictions"}
    splits : mapping of SplitName to Split
    columns : tuple of Column
        Of a table's inputs, in order; empty otherwise.
    roles : Roles
    network : Network, optional
        The architecture; None lets the default for the modality be trained.
    weights : mapping of str to ndarray, optional
        Trained weights and buffers. None with a network: it is trained by `recipe`.
    predictor : Predictor, optional
        A black box (callable, estimator, ONNX): takes the place of network and weights.
    recipe : Recipe, optional
        How the model was trained; None where that is not known.
    input_range : (float, float), optional
        Least and greatest value that an element of an array input may have (0 and 1, 0 and 255); None: not
        stated, and nothing may then be said of attacks on arrays. Ranges of a table's columns come with the columns.
    decision_rule : DecisionRule, optional
        What is done with its probabilities; None: the most probable class is the answer.
    given : mapping of str to object
        Fields set by hand, which take the place of the artifact of that name (`test_probabilities`):
        how a self-test freezes a model whose labels it redraws.
    people : bool
        Whether rows are persons: reports then show no contents.
    notes : tuple of str
        What was read and how; what the kind of model allows. Shown in every report.
    """

    name: str
    task: Task
    modality: Literal["table", "array", "text", "predictions"]
    splits: Mapping[str, Split]
    columns: tuple[Column, ...] = ()
    roles: Roles = field(default_factory=Roles)
    network: Network | None = None
    weights: Mapping[str, np.ndarray] | None = None
    predictor: Predictor | None = None
    recipe: Recipe | None = None
    input_range: tuple[float, float] | None = None
    decision_rule: DecisionRule | None = None
    given: Mapping[str, Any] = field(
        default_factory=dict
    )  # Any: a field may hold what an artifact returns
    people: bool = False
    notes: tuple[str, ...] = ()

    def with_split(self, name: str, split: Split) -> "Subject":
        """Return a subject with this split put in place of the one of that name."""
        return replace(self, splits={**self.splits, name: split})

    def with_target(self, name: str, target: np.ndarray) -> "Subject":
        """Return a subject whose split `name` has another target."""
        return self.with_split(name, replace(self.splits[name], target=target))

    def with_inputs(self, name: str, inputs: np.ndarray) -> "Subject":
        """Return a subject whose split `name` has other inputs."""
        return self.with_split(name, replace(self.splits[name], inputs=inputs))

    def with_given(self, **fields: Any) -> "Subject":  # Any: see `given`
        """Return a subject in which these fields take the place of the artifacts of those names."""
        return replace(self, given={**self.given, **fields})

    def retrained(
        self, *, recipe: Recipe | None = None, network: Network | None = None
    ) -> "Subject":
        """Return a subject whose model is trained anew, by another recipe or architecture where given."""
        return replace(
            self,
            recipe=recipe or self.recipe,
            network=network or self.network,
            weights=None,
            predictor=None,
        )
