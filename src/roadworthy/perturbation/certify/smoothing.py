"""Randomized smoothing: the answer that most noisy copies of a row get, and how far that is certain.

Cohen, Rosenfeld & Kolter (2019), "Certified adversarial robustness via randomized smoothing", section 3.2. What is
certified is the smoothed model, whatever the model under it is.
"""

from dataclasses import dataclass
from math import ceil, erf, log, sqrt

import numpy as np
import torch
from torch import Tensor

from roadworthy.errors import UserError
from roadworthy.perturbation.attack import Points
from roadworthy.perturbation.model import AttackedModel

VALUES_AT_A_TIME = 1 << 21  # bounds the noisy copies in memory


@dataclass(frozen=True)
class Smoothing:
    """How a model is smoothed.

    Parameters
    ----------
    sigma : float
        Standard deviation of the noise, in the unit of the inputs.
    guesses : int
        Noisy copies from which the class is guessed (n0).
    samples : int
        Further copies from which its share is bounded (n).
    alpha : float
        Probability, for each row, that its certificate does not hold.
    """

    sigma: float
    guesses: int
    samples: int
    alpha: float = 0.001

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise UserError(f"The noise of smoothing must be above 0, and it is {self.sigma}.")
        if not 0 < self.alpha < 0.5:
            raise UserError(f"alpha must be between 0 and .5, and it is {self.alpha}.")
        if self.guesses < 1:
            raise UserError(f"At least 1 copy is needed to guess the class, not {self.guesses}.")

    def require(self, radius: float) -> None:
        """Refuse so few samples that even where all agree this radius cannot be certified."""
        least = least_samples(radius, self.sigma, self.alpha)
        if self.samples < least:
            raise UserError(
                f"{self.samples} samples can never certify a radius of {radius:.3g} with noise of {self.sigma:.3g} at "
                f"alpha = {self.alpha:g}, even if all of them agree; take at least {least}."
            )

    def radius(self, share: np.ndarray) -> np.ndarray:
        """Return the L2 radius within which the answer cannot turn, 0 where nothing is certain: (n,).

        `share` (n,) is a lower bound, at 1 - alpha, on the probability of the guessed class.
        """
        from scipy.special import ndtri

        with np.errstate(divide="ignore"):
            found = self.sigma * ndtri(np.asarray(share, np.float64))
        return np.maximum(found, 0.0)


def least_samples(radius: float, sigma: float, alpha: float) -> int:
    """Return how many samples certify this radius where all of them agree.

    n of n hits bound the probability from below by alpha^(1 / n), which must reach the normal distribution at
    radius / sigma, and be above one half.

    >>> least_samples(0.0, 1.0, 0.001)  # log(.001) / log(.5) = 9.97
    10
    """
    reached = 0.5 * (1 + erf(radius / sigma / sqrt(2)))
    if reached >= 1.0:
        raise UserError(
            f"A radius of {radius:.3g} is beyond what noise of {sigma:.3g} can certify; take more noise."
        )
    exact = log(alpha) / log(reached)
    return ceil(exact) if exact > ceil(exact) - 1 else int(exact) + 1


def votes(model: AttackedModel, points: Points, smoothing: Smoothing) -> tuple[Tensor, Tensor]:
    """Return the class that most noisy copies of each row get, and how many of the further samples do: (n,) each.

    Noise belongs to the row. An answer that is not a number is a vote for no class.
    """
    first = _counts(model, points, smoothing.sigma, smoothing.guesses, "guess")
    guessed = first.argmax(1)
    counts = _counts(model, points, smoothing.sigma, smoothing.samples, "certify")
    return guessed, counts.gather(1, guessed[:, None])[:, 0]


def _counts(model: AttackedModel, points: Points, sigma: float, copies: int, draw: str) -> Tensor:
    """Count the answers of noisy copies by class: (n, c) int64.

    The cut into batches follows the size of a row alone, so that its noise is the same in any company.
    """
    n, shape = len(points), tuple(points.inputs.shape[1:])
    counts = torch.zeros(n, model.classes, dtype=torch.int64)
    at_a_time = max(1, min(copies, (VALUES_AT_A_TIME >> 4) // max(1, points.inputs[:1].numel())))
    rows_at_a_time = 16
    for first in range(0, n, rows_at_a_time):
        rows = torch.arange(first, min(first + rows_at_a_time, n))
        part = points.take(rows)
        for begin in range(0, copies, at_a_time):
            size = min(at_a_time, copies - begin)
            noise = part.noise.normal((size, *shape), f"{draw} {begin}")
            moved = part.inputs[:, None] + sigma * torch.from_numpy(noise).to(part.inputs)
            logits = model.logits(moved.flatten(0, 1)).view(len(rows), size, -1)
            is_answer = ~logits.isnan().any(2)
            answers = torch.where(is_answer, logits.nan_to_num().argmax(2), model.classes)
            found = torch.nn.functional.one_hot(answers, model.classes + 1).sum(1)
            counts[rows] += found[:, : model.classes]
    return counts
