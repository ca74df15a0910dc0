"""A subject's model and rows, handed to methods of attribution."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from roadworthy.attribution.method import Attributed, Reference
    from roadworthy.perturbation.attack import Points
    from roadworthy.perturbation.model import AttackedModel
    from roadworthy.subject import Column, Predictor, Task

CHUNK = 128  # rows at a time; fewer where rows are large
MOST_VALUES = 1 << 18  # of a chunk
MANY_PASSES = 4_000  # from as many to trace a network for another runner is paid back


@dataclass(frozen=True, eq=False)
class Explained:
    """Rows to explain.

    Parameters
    ----------
    inputs : (m, ...) ndarray
    classes : (m,) int64 ndarray
        Those answered; 0 for a numeric target.
    ids : (m,) uint64 ndarray
    seed : int
        Of the run.
    """

    inputs: np.ndarray
    classes: np.ndarray
    ids: np.ndarray
    seed: int

    def points(self) -> "Points":
        """Return the rows as methods take them."""
        import torch

        from roadworthy.perturbation.attack import Points
        from roadworthy.perturbation.noise import RowNoise

        return Points(
            torch.from_numpy(np.array(self.inputs, np.float32)),
            torch.from_numpy(np.array(self.classes, np.int64)),
            RowNoise(np.asarray(self.ids), self.seed),
        )

    def nudged(
        self, sample: np.ndarray, share: float, columns: "tuple[Column, ...] | None"
    ) -> np.ndarray:
        """Return the inputs with noise of this share of a standard deviation of each value; categories stay: floats."""
        from roadworthy.perturbation.noise import RowNoise

        spread = share * np.nanstd(sample, axis=0)
        if columns is not None:
            spread = np.where([c.kind == "numeric" for c in columns], spread, 0.0)
        noise = RowNoise(np.asarray(self.ids), self.seed).normal(self.inputs.shape[1:], "nudge")
        return self.inputs + np.nan_to_num(spread) * noise


@dataclass(frozen=True, eq=False)
class Explaining:
    """A subject's model under explanation.

    Parameters
    ----------
    predictor : Predictor
    task : Task
    output_kind : str
    """

    predictor: "Predictor"
    task: "Task"
    output_kind: str

    @contextmanager
    def model(self, inputs: np.ndarray) -> "Generator[AttackedModel]":
        """Give the model of logits, in evaluation mode and frozen inside the block.

        A network that looks codes up takes them as whole numbers, so it has no gradients and is run as a black box.
        """
        import torch

        from roadworthy.attribution.score import Scored
        from roadworthy.perturbation.model import AttackedModel, as_logits, attacked

        classes = max(len(self.task.classes), 1)
        of_probabilities = self.output_kind == "probabilities"
        chunk = max(1, min(CHUNK, MOST_VALUES // max(1, inputs[:1].size)))

        def blind(rows: "Tensor") -> "Tensor":
            found = self.predictor(rows.cpu().numpy().astype(inputs.dtype))
            outputs = torch.from_numpy(np.asarray(found, np.float32))
            return as_logits(outputs, classes, of_probabilities)

        module = self.predictor.module
        if module is None or _looks_up(module):
            yield AttackedModel(blind, classes, chunk=CHUNK)
            return
        whole = Scored(module, classes, gives_probabilities=of_probabilities)
        with attacked(whole) as frozen:
            yield AttackedModel(frozen.eval(), classes, chunk=chunk)

    def by(self, method: str, rows: Explained, reference: Mapping[str, np.ndarray]) -> "Attributed":
        """Return the attributions of the rows by a method of this name."""
        from roadworthy.attribution.library import METHODS

        with self.model(rows.inputs) as model:
            points = rows.points()
            return METHODS[method](model, points, reference_of(reference))

    def nudged(
        self,
        rows: Explained,
        sample: np.ndarray,
        share: float,
        columns: "tuple[Column, ...] | None",
    ) -> Explained:
        """Return the rows with a little noise, as the model takes them.

        A network with gradients takes fractions in the place of whole numbers; any other model gets the nearest whole
        numbers in the range of their type, which may be the same as before.
        """
        moved, kind = rows.nudged(sample, share, columns), rows.inputs.dtype
        if kind.kind == "f":
            return replace(rows, inputs=moved.astype(kind))
        module = self.predictor.module
        if module is not None and _looks_up(module):
            raise NotApplicable(
                "the model looks codes up, and next to a code there is none that is a little different"
            )
        with self.model(rows.inputs) as model:
            takes_fractions = model.has_gradients(rows.points().inputs[:1])
        if takes_fractions:
            return replace(rows, inputs=moved.astype(np.float32))
        least, most = (0, 1) if kind.kind == "b" else (np.iinfo(kind).min, np.iinfo(kind).max)
        return replace(rows, inputs=np.rint(moved).clip(least, most).astype(kind))

    def with_scrambled_weights(self, seed: int) -> "Explaining":
        """Return the same with a copy of the network that has forgotten what it learned."""
        from roadworthy.attribution.likeness import scrambled

        module = self.predictor.module
        if module is None or _looks_up(module) or next(module.parameters(), None) is None:
            raise NotApplicable(
                "the model is a black box, looks codes up, or has no weights, so they cannot be scrambled; give its "
                "architecture as a Python factory (--model module:function)"
            )
        return replace(self, predictor=replace(self.predictor, module=scrambled(module, seed)))

    def unfit(self, rows: Explained, reference: Mapping[str, np.ndarray]) -> dict[str, str]:
        """Say of every method why it does not fit this model; empty where it does."""
        from roadworthy.attribution.library import METHODS, unfit

        with self.model(rows.inputs) as model:
            points, compared = rows.points(), reference_of(reference)
            return {name: unfit(name, model, points, compared) for name in METHODS}

    def curves(
        self, attributions: np.ndarray, rows: Explained, reference: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Return curves of deletion, insertion and random orders under each filler: (m, f, 3, k + 1) float32."""
        from roadworthy.attribution.curves import RANDOM_ORDERS

        return self._curves(attributions, rows, reference, RANDOM_ORDERS).numpy()

    def gains(
        self, attributions: np.ndarray, rows: Explained, reference: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Return half the area between insertion and deletion, under each filler: (m, f) float64."""
        from roadworthy.attribution.curves import area

        areas = area(self._curves(attributions, rows, reference, 0).double())
        return (areas[..., 1] - areas[..., 0]).numpy() / 2

    def _curves(
        self,
        attributions: np.ndarray,
        rows: Explained,
        reference: Mapping[str, np.ndarray],
        orders: int,
    ) -> "Tensor":
        import torch

        from roadworthy.attribution.curves import Worth, faithfulness_curves
        from roadworthy.attribution.fillers import fillers

        compared = reference_of(reference)
        with self.model(rows.inputs) as model:
            points = rows.points()
            worth = Worth.of(model, points, compared.point, _spread(model, compared))
            filled = fillers(points, compared)
            fast = _hastened(model, points, passes=len(points) * attributions.shape[1])
            given = torch.from_numpy(np.array(attributions, np.float32))
            return faithfulness_curves(fast, points, given, filled, worth, orders=orders)

    def answers(self, inputs: np.ndarray) -> np.ndarray:
        """Return the classes answered: (n,) int64; 0 for a numeric target."""
        import torch

        if not self.task.is_classification:
            return np.zeros(len(inputs), np.int64)
        with self.model(inputs) as model:
            logits = model.logits(torch.from_numpy(np.array(inputs, np.float32)))
        return logits.argmax(1).numpy()


def reference_of(facts: Mapping[str, np.ndarray]) -> "Reference":
    """Return the reference that an artifact states."""
    import torch

    from roadworthy.attribution.method import Reference

    point, sample = (
        torch.from_numpy(np.array(facts[name], np.float32)) for name in ("point", "sample")
    )
    return Reference(point, sample)


def positions_of(values: "Tensor") -> np.ndarray:
    """Return the sum over the channels of each position: (m, ...) to (m, p) float32."""
    from roadworthy.attribution.parts import Parts

    return Parts.positions(tuple(values.shape[1:])).summed(values).numpy()


def refuse_text(modality: str) -> None:
    """Refuse inputs that have no values of their own."""
    if modality not in ("table", "array"):
        raise NotApplicable(f"attributions are known of tables and arrays, not of {modality}")


def _spread(model: "AttackedModel", reference: "Reference") -> float:
    """Return the standard deviation of a numeric answer over real rows; 1 where answers are classes, or all alike."""
    if model.classes > 1:
        return 1.0
    return float(model.logits(reference.sample)[:, 0].std(correction=0)) or 1.0


def _hastened(model: "AttackedModel", points: "Points", *, passes: int) -> "AttackedModel":
    """Return the model with forward passes by onnxruntime where there are many: decided by number, not by time."""
    from roadworthy.perturbation.forward import fastest_runner

    if passes < MANY_PASSES:
        return model
    return fastest_runner(model, points.inputs).of(model)


def _looks_up(module: "torch.nn.Module") -> bool:
    import torch

    return any(isinstance(m, torch.nn.Embedding | torch.nn.EmbeddingBag) for m in module.modules())
