"""What the model says of rows that no split has: changed ones, made-up ones."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from roadworthy.subject import Predictor, Task


@dataclass(frozen=True, eq=False)
class Answering:
    """A subject's model, to be asked about any rows.

    Parameters
    ----------
    predictor : Predictor
    task : Task
    output_kind : str
    """

    predictor: "Predictor"
    task: "Task"
    output_kind: str

    def probabilities(self, inputs: np.ndarray) -> np.ndarray:
        """Return the probability of each class: (n, c) float64."""
        import torch

        from roadworthy.perturbation.model import as_logits

        outputs = torch.from_numpy(np.asarray(self.predictor(inputs), np.float64))
        classes = len(self.task.classes)
        found = as_logits(outputs, classes, self.output_kind == "probabilities")
        return found.double().softmax(dim=1).numpy()

    def numbers(self, inputs: np.ndarray) -> np.ndarray:
        """Return the answers where the target is a number: (n,) float64."""
        return np.asarray(self.predictor(inputs), np.float64).reshape(len(inputs))

    def losses(self, inputs: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Return the loss of each row: nats; of a number the squared error in variances of the truth, (n,)."""
        if not self.task.is_classification:
            return (self.numbers(inputs) - truth) ** 2 / max(float(np.var(truth)), 1e-300)
        of_truth = self.probabilities(inputs)[np.arange(len(truth)), truth]
        return -np.log(np.clip(of_truth, np.finfo(np.float64).eps, 1.0))

    def shown(self, inputs: np.ndarray, label: int) -> np.ndarray:
        """Return one number a row: the probability of a class, or the number itself, (n,)."""
        if not self.task.is_classification:
            return self.numbers(inputs)
        return self.probabilities(inputs)[:, label]
