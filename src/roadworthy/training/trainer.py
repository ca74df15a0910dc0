"""The trainer of a subject: families of variants, each kept by itself, equal architectures together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from roadworthy.engine import Lacking, recall
from roadworthy.errors import UserError
from roadworthy.subject import Column, Network, Recipe, Variant
from roadworthy.subject.variant import Weights
from roadworthy.training.jobs import Examples, Job
from roadworthy.training.together import train_together


@dataclass(frozen=True, eq=False)
class SubjectTrainer:
    """Trains variants of one subject. See `roadworthy.subject.Trainer`.

    Parameters
    ----------
    network : Network
    recipe : Recipe
    training : Examples
    validation : Examples or None
    unlabelled : ndarray or None
    classes : int
        0 for a numeric target.
    device : str
    columns : tuple of Column
        Of a table's inputs; empty otherwise.
    """

    network: Network
    recipe: Recipe
    training: Examples
    validation: Examples | None = None
    unlabelled: np.ndarray | None = None
    classes: int = 0
    device: str = "cpu"
    columns: tuple[Column, ...] = ()

    def weights(self, variants: Sequence[Variant]) -> list[Weights]:
        """Return the trained weights and buffers of each variant, from the store where it has them."""
        jobs = [self._job(variant) for variant in variants]

        def make(lacking: Sequence[Lacking]) -> Iterator[tuple[int, Any]]:  # Any: weights by name
            wanted = [replace(jobs[each.position], unfinished=each.unfinished) for each in lacking]
            for index, weights in train_together(wanted):
                yield lacking[index].position, weights

        shared = (self.training, self.validation, self.unlabelled, self.device, self.columns)
        parts = [
            (
                variant.network or self.network,
                variant.recipe or self.recipe,
                variant.rows,
                variant.inputs,
                variant.target,
                variant.row_weights,
            )
            for variant in variants
        ]
        return recall(train_together, shared, parts, make)

    def probabilities(
        self, variants: Sequence[Variant], inputs: np.ndarray | Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Return class probabilities (n, c) float64 of each trained variant."""
        if self.classes == 0:
            raise UserError("Probabilities belong to classes; the target of this task is a number.")
        return [_probabilities(each) for each in self._outputs(variants, inputs)]

    def predictions(
        self, variants: Sequence[Variant], inputs: np.ndarray | Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Return what each trained variant answers: (n,) int64 class codes, or float64 numbers."""
        if self.classes:
            answers = self.probabilities(variants, inputs)
            return [each.argmax(axis=1).astype(np.int64) for each in answers]
        return [each.reshape(len(each)).astype(float) for each in self._outputs(variants, inputs)]

    def _job(self, variant: Variant) -> Job:
        training = self.training
        changed = (variant.inputs, variant.target, variant.row_weights)
        if any(each is not None for each in changed):
            training = Examples(
                training.inputs if variant.inputs is None else variant.inputs,
                training.target if variant.target is None else variant.target,
                training.row_weights if variant.row_weights is None else variant.row_weights,
            )
        return Job(
            network=variant.network or self.network,
            recipe=variant.recipe or self.recipe,
            training=training,
            rows=variant.rows,
            validation=self.validation,
            unlabelled=self.unlabelled,
            device=self.device,
            columns=self.columns,
        )

    def _outputs(
        self, variants: Sequence[Variant], inputs: np.ndarray | Sequence[np.ndarray]
    ) -> Iterator[np.ndarray]:
        from roadworthy.training.running import evaluate, load

        each = [inputs] * len(variants) if isinstance(inputs, np.ndarray) else inputs
        for variant, weights, rows in zip(variants, self.weights(variants), each, strict=True):
            module = load(variant.network or self.network, weights, self.device)
            yield evaluate(module, rows, self.device)


def _probabilities(outputs: np.ndarray) -> np.ndarray:
    """Return probabilities (n, c) float64 of raw outputs: logits, or probabilities already."""
    import torch

    from roadworthy.training.objective import gives_probabilities, with_classes

    given = torch.from_numpy(outputs).double()
    known = gives_probabilities(given.reshape(len(given), -1))
    return with_classes(given, probabilities=known)[:, 0].softmax(dim=-1).numpy()
