"""Attributions along gradients: the slope itself, times the input, over a path, over noise, over real references."""

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from roadworthy.attribution.method import Attributed, Gap, Reference
from roadworthy.attribution.score import score, scores
from roadworthy.perturbation.attack import Points
from roadworthy.perturbation.model import AttackedModel

VALUES_AT_A_TIME = 1 << 23  # of points on paths, which are held at once


@dataclass(frozen=True)
class Saliency:
    """The size of the slope of the score (Simonyan, Vedaldi & Zisserman 2014): how sensitive it is, not what it rests on."""

    name: str = "saliency"

    def __call__(self, model: AttackedModel, points: Points, reference: Reference) -> Attributed:
        """See `Method`."""
        return Attributed(_slopes(model, points.inputs, points.labels).abs())


@dataclass(frozen=True)
class InputGradient:
    """The slope times the distance from the reference ("input x gradient", Shrikumar et al. 2017, section 2.2)."""

    name: str = "input x gradient"

    def __call__(self, model: AttackedModel, points: Points, reference: Reference) -> Attributed:
        """See `Method`."""
        slopes = _slopes(model, points.inputs, points.labels)
        return Attributed(slopes * (points.inputs - reference.point))


@dataclass(frozen=True)
class SmoothGradient:
    """The mean slope over copies with a little noise, times the distance from the reference.

    SmoothGrad (Smilkov et al. 2017, "SmoothGrad: removing noise by adding noise") of input x gradient.

    Parameters
    ----------
    draws : int
    spread : float
        Standard deviation of the noise, as a share of that of each value over the reference rows.
    """

    draws: int = 16
    spread: float = 0.15
    name: str = "SmoothGrad"

    def __call__(self, model: AttackedModel, points: Points, reference: Reference) -> Attributed:
        """See `Method`."""
        spread = self.spread * reference.sample.std(0, correction=0)
        total = torch.zeros_like(points.inputs)
        for draw in range(self.draws):
            shape = tuple(points.inputs.shape[1:])
            noise = torch.from_numpy(points.noise.normal(shape, f"SmoothGrad {draw}"))
            total += _slopes(model, points.inputs + spread * noise.to(spread), points.labels)
        return Attributed(total / self.draws * (points.inputs - reference.point))


@dataclass(frozen=True)
class IntegratedGradients:
    """The mean slope on the straight path from the reference, times the length of the path.

    Sundararajan, Taly & Yan 2017, "Axiomatic attribution for deep networks". The path is divided until sums differ
    from what they promise by at most `tolerance`, row by row; the halves of a division keep all points before.

    Parameters
    ----------
    steps : int
        At first.
    most : int
        At last.
    tolerance : float
        Share of the difference of scores.
    """

    steps: int = 8
    most: int = 256
    tolerance: float = 0.02
    name: str = "integrated gradients"

    def __call__(self, model: AttackedModel, points: Points, reference: Reference) -> Attributed:
        """See `Method`."""
        gap = gap_to(model, points, reference.point)
        sums = _summed_on_path(model, points, reference, torch.tensor([0.0, 1.0])) / 2
        sums += _summed_on_path(model, points, reference, torch.arange(1, self.steps) / self.steps)
        way = points.inputs - reference.point
        values = sums / self.steps * way
        steps = self.steps
        while 2 * steps <= self.most:
            missed = gap.missed(values)
            rows = ((missed > self.tolerance) & missed.isfinite()).nonzero()[:, 0]
            if len(rows) == 0:
                break
            between = (torch.arange(steps) + 0.5) / steps
            sums[rows] += _summed_on_path(model, points.take(rows), reference, between)
            steps *= 2
            values[rows] = sums[rows] / steps * way[rows]
        return Attributed(values, gap)


@dataclass(frozen=True)
class GradientShap:
    """The mean over real references and random points on the paths from them: expected gradients.

    Erion et al. 2021, "Improving performance of deep learning models with axiomatic attribution priors". It promises a
    sum only on average over draws, and none of a row: after 32 draws seven rows in ten are off by more than a twentieth on a
    smooth table.

    Parameters
    ----------
    draws : int
    """

    draws: int = 32
    name: str = "GradientShap"

    def __call__(self, model: AttackedModel, points: Points, reference: Reference) -> Attributed:
        """See `Method`."""
        found = torch.zeros_like(points.inputs)
        rest = (1,) * (points.inputs.ndim - 1)
        whose = points.noise.integers(len(reference.sample), (self.draws,), "GradientShap rows")
        where = torch.from_numpy(points.noise.uniform((self.draws,), "GradientShap places"))
        for draw in range(self.draws):
            start = reference.sample[torch.from_numpy(whose[:, draw])]
            way = points.inputs - start
            at = start + way * where[:, draw].view(-1, *rest)
            found += way * _slopes(model, at, points.labels)
        return Attributed(found / self.draws)


def gap_to(model: AttackedModel, points: Points, rows: Tensor) -> Gap:
    """Return the scores of the rows, and of the same classes at the reference (the mean over several)."""
    here = scores(model, points.inputs, points.labels)
    return Gap(here, scores_at(model, rows, points.labels))


def scores_at(model: AttackedModel, rows: Tensor, classes: Tensor) -> Tensor:
    """Return the mean score over the reference rows, of each of these classes: (n,)."""
    there = model.logits(rows).mean(0, keepdim=True)  # the score is linear in logits
    return score(there.expand(len(classes), -1), classes)


def _summed_on_path(
    model: AttackedModel,
    points: Points,
    reference: Reference,
    at: Tensor,
) -> Tensor:
    """Return the sum of the slopes at these shares of the path: (n, ...)."""
    found = torch.zeros_like(points.inputs)
    size = max(1, VALUES_AT_A_TIME // max(1, prod(points.inputs.shape[1:]) * len(points)))
    rest = (1,) * (points.inputs.ndim - 1)
    way = points.inputs - reference.point
    for first in range(0, len(at), size):
        here = at[first : first + size].to(way)
        where = reference.point + here.view(-1, 1, *rest) * way  # (steps, n, ...)
        slopes = _slopes(model, where.flatten(0, 1), points.labels.repeat(len(here)))
        found += slopes.view_as(where).sum(0)
    return found


def _slopes(model: AttackedModel, inputs: Tensor, classes: Tensor) -> Tensor:
    return model.gradient(inputs, classes, score)[1]
