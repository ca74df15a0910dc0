"""Trained variants as functions of inputs: each is loaded once and asked many times."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from roadworthy.subject import Trainer, Variant

Answer = Callable[[np.ndarray], np.ndarray]


def answering(
    trainer: "Trainer", variants: "Sequence[Variant]", classes: int, device: str = "cpu"
) -> list[Answer]:
    """Return each variant, all trained together, as a function of inputs (n, ...) to class codes (n,)."""
    from roadworthy.training.running import evaluate, load

    def of(variant: "Variant", weights: "dict[str, np.ndarray]") -> Answer:
        module = load(variant.network or trainer.network, weights, device)
        return lambda inputs: classes_of(evaluate(module, inputs, device), classes)

    found = trainer.weights(variants)
    return [of(v, dict(w)) for v, w in zip(variants, found, strict=True)]


def classes_of(outputs: np.ndarray, classes: int) -> np.ndarray:
    """Return class codes (n,) of logits or probabilities; one column speaks for class 1 of two."""
    outputs = outputs.reshape(len(outputs), -1)
    if outputs.shape[1] == 1 and classes == 2:
        within = bool(np.all((outputs >= 0) & (outputs <= 1)))
        return (outputs[:, 0] > (0.5 if within else 0.0)).astype(np.int64)
    return outputs.argmax(axis=1).astype(np.int64)
