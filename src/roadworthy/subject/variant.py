"""Families of trainings: what differs from the subject's own, and who trains them together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, overload

import numpy as np

from roadworthy.subject.model import Network, Recipe

Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Variant:
    """One training of a family (a fold, a size, a seed, a setting). None: as the subject has it.

    Parameters
    ----------
    rows : (m,) int64 ndarray, optional
        Positions among the training rows to train on, a row perhaps more than once.
    recipe : Recipe, optional
    network : Network, optional
        Variants that hold the same object can be trained together.
    inputs : (n, ...) ndarray, optional
        In place of all training inputs; `rows` are positions among them.
    target : (n,) ndarray, optional
        In place of the target of all training rows (class codes or numbers).
    row_weights : (n,) float64 ndarray, optional
        What each training row counts in the loss, mean 1.
    """

    rows: np.ndarray | None = None
    recipe: Recipe | None = None
    network: Network | None = None
    inputs: np.ndarray | None = None
    target: np.ndarray | None = None
    row_weights: np.ndarray | None = None


class Trainer(Protocol):
    """The artifact `trainer`: trains variants of the subject, equal architectures together.

    Every trained model is kept in the store under what decides it (architecture, recipe, rows), so
    that a family is shared between artifacts and a killed run goes on at the next training. Validation rows
    decide when to stop, as in the subject's own training.

    A training that diverges raises a UserError after the others are done and kept; with
    `diverged="none"`, for families where that is an answer, its place holds None.
    """

    @property
    def network(self) -> Network:
        """Architecture of the subject."""
        ...

    @property
    def recipe(self) -> Recipe:
        """Recipe of the subject."""
        ...

    @overload
    def weights(
        self, variants: Sequence[Variant], *, diverged: Literal["raise"] = "raise"
    ) -> list[Weights]: ...
    @overload
    def weights(
        self, variants: Sequence[Variant], *, diverged: Literal["none"]
    ) -> list[Weights | None]: ...
    def weights(
        self, variants: Sequence[Variant], *, diverged: Literal["raise", "none"] = "raise"
    ) -> list[Weights] | list[Weights | None]:
        """Return the trained weights and buffers of each variant."""
        ...

    def judged(self, variant: Variant) -> np.ndarray:
        """Return the loss that each epoch was judged by: (epochs,) float64, NaN for an epoch that was not.

        On validation rows, under attack where the recipe trains against an adversary. Empty where the
        variant was trained together with others.
        """
        ...

    @overload
    def probabilities(
        self,
        variants: Sequence[Variant],
        inputs: np.ndarray | Sequence[np.ndarray],
        *,
        diverged: Literal["raise"] = "raise",
    ) -> list[np.ndarray]: ...
    @overload
    def probabilities(
        self,
        variants: Sequence[Variant],
        inputs: np.ndarray | Sequence[np.ndarray],
        *,
        diverged: Literal["none"],
    ) -> list[np.ndarray | None]: ...
    def probabilities(
        self,
        variants: Sequence[Variant],
        inputs: np.ndarray | Sequence[np.ndarray],
        *,
        diverged: Literal["raise", "none"] = "raise",
    ) -> list[np.ndarray] | list[np.ndarray | None]:
        """Return class probabilities (n, c) float64 of each trained variant.

        `inputs` are the same for all variants, or one array for each.
        """
        ...

    @overload
    def predictions(
        self,
        variants: Sequence[Variant],
        inputs: np.ndarray | Sequence[np.ndarray],
        *,
        diverged: Literal["raise"] = "raise",
    ) -> list[np.ndarray]: ...
    @overload
    def predictions(
        self,
        variants: Sequence[Variant],
        inputs: np.ndarray | Sequence[np.ndarray],
        *,
        diverged: Literal["none"],
    ) -> list[np.ndarray | None]: ...
    def predictions(
        self,
        variants: Sequence[Variant],
        inputs: np.ndarray | Sequence[np.ndarray],
        *,
        diverged: Literal["raise", "none"] = "raise",
    ) -> list[np.ndarray] | list[np.ndarray | None]:
        """Return what each trained variant answers: (n,) int64 class codes, or float64 numbers."""
        ...
