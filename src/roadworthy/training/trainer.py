"""The trainer of a subject: families of variants, each kept by itself, equal architectures together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict, overload

import numpy as np

from roadworthy.engine import Lacking, recall
from roadworthy.errors import UserError
from roadworthy.subject import Column, Network, Recipe, Variant
from roadworthy.subject.variant import Weights
from roadworthy.training.jobs import Diverged, Examples, Job
from roadworthy.training.together import train_together

FEWEST_HELD_OUT = 1024  # validation rows, where there are as many


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
        """Return the trained weights and buffers of each variant, from the store where it has them."""
        found = self._found(variants)
        if diverged == "raise":
            self._refuse_diverged(variants, found)
        return [None if isinstance(each, str) else each["weights"] for each in found]

    def judged(self, variant: Variant) -> np.ndarray:
        """Return the loss that each epoch was judged by, from the store where it has it."""
        found = self._found([variant])
        self._refuse_diverged([variant], found)
        (each,) = found
        return np.empty(0) if isinstance(each, str) else each["judged"]

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
        """Return class probabilities (n, c) float64 of each trained variant."""
        if self.classes == 0:
            raise UserError("Probabilities belong to classes; the target of this task is a number.")
        found = self._outputs(variants, inputs, diverged)
        return [None if each is None else _probabilities(each) for each in found]

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
        found = self._outputs(variants, inputs, diverged)
        return [None if each is None else self._answers(each) for each in found]

    def _answers(self, outputs: np.ndarray) -> np.ndarray:
        if self.classes:
            return _probabilities(outputs).argmax(axis=1).astype(np.int64)
        return outputs.reshape(len(outputs)).astype(float)

    def _found(self, variants: Sequence[Variant]) -> "list[_Kept | str]":
        """Return what is kept of each variant, or in words how its training diverged."""
        held_out = _HeldOut(self.validation)
        jobs = [self._job(variant, held_out) for variant in variants]

        def make(lacking: Sequence[Lacking]) -> Iterator[tuple[int, Any]]:  # Any: as `_found`
            judged: list[list[float | None]] = [[] for _ in lacking]
            wanted = [
                replace(jobs[each.position], unfinished=each.unfinished, judged=losses.extend)
                for each, losses in zip(lacking, judged, strict=True)
            ]
            for index, found in train_together(wanted):
                yield lacking[index].position, _kept(found, judged[index])

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

    def _refuse_diverged(self, variants: Sequence[Variant], found: "list[_Kept | str]") -> None:
        broken = [k for k, each in enumerate(found) if isinstance(each, str)]
        if not broken:
            return
        first = broken[0]
        message = str(found[first])
        if len(found) > 1:
            seed = (variants[first].recipe or self.recipe).seed
            which = f"variant {first + 1} of {len(found)}, seed {seed}"
            others = f"; {len(broken) - 1} more diverged" if len(broken) > 1 else ""
            message = f"{message} ({which}{others})"
        raise Diverged(message)

    def _job(self, variant: Variant, held_out: "_HeldOut") -> Job:
        training = self.training
        recipe = variant.recipe or self.recipe
        changed = (variant.inputs, variant.target, variant.row_weights)
        if any(each is not None for each in changed):
            training = Examples(
                training.inputs if variant.inputs is None else variant.inputs,
                training.target if variant.target is None else variant.target,
                training.row_weights if variant.row_weights is None else variant.row_weights,
                training.row_groups,
            )
        return Job(
            network=variant.network or self.network,
            recipe=recipe,
            training=training,
            rows=variant.rows,
            validation=None if recipe.patience is None else held_out.beside(variant.rows),
            unlabelled=self.unlabelled,
            device=self.device,
            columns=self.columns,
        )

    def _outputs(
        self,
        variants: Sequence[Variant],
        inputs: np.ndarray | Sequence[np.ndarray],
        diverged: Literal["raise", "none"],
    ) -> Iterator[Any]:  # Any: ndarray, or None where the training diverged
        from roadworthy.training.running import evaluate, load

        each = [inputs] * len(variants) if isinstance(inputs, np.ndarray) else inputs
        found = self._found(variants)
        if diverged == "raise":
            self._refuse_diverged(variants, found)
        for variant, kept, rows in zip(variants, found, each, strict=True):
            if isinstance(kept, str):
                yield None
                continue
            module = load(variant.network or self.network, kept["weights"], self.device)
            yield evaluate(module, rows, self.device)


class _Kept(TypedDict):
    """What the store keeps of a training: see `SubjectTrainer.weights` and `SubjectTrainer.judged`."""

    weights: Weights
    judged: np.ndarray


def _kept(found: dict[str, np.ndarray] | Diverged, judged: Sequence[float | None]) -> _Kept | str:
    if isinstance(found, Diverged):
        return str(found)
    return _Kept(weights=found, judged=np.array(judged, float))  # None as NaN


class _HeldOut:
    """Validation rows for a training: all, or for few training rows fewer, so that they cost no more than these.

    The same object for trainings of about the same size, which can then go together.
    """

    def __init__(self, validation: Examples | None) -> None:
        self._all = validation
        self._some: dict[int, Examples] = {}

    def beside(self, rows: np.ndarray | None) -> Examples | None:
        """Return the rows to validate on while training on `rows` (None: on all)."""
        if self._all is None or rows is None:
            return self._all
        wanted = max(FEWEST_HELD_OUT, 1 << (len(rows) // 4).bit_length())
        n = len(self._all.target)
        if wanted >= n:
            return self._all
        if wanted not in self._some:
            # The order is always the same, so that families can be shared.
            chosen = np.random.default_rng(0).permutation(n)[:wanted]
            self._some[wanted] = self._all.take(np.sort(chosen))
        return self._some[wanted]


def _probabilities(outputs: np.ndarray) -> np.ndarray:
    """Return probabilities (n, c) float64 of raw outputs: logits, or probabilities already."""
    import torch

    from roadworthy.training.objective import gives_probabilities, with_classes

    given = torch.from_numpy(outputs).double()
    known = gives_probabilities(given.reshape(len(given), -1))
    return with_classes(given, probabilities=known)[:, 0].softmax(dim=-1).numpy()
