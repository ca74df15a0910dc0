"""Attributions by removal: what the score loses when parts of the input are those of the reference."""

from dataclasses import dataclass
from math import comb, prod

import numpy as np
import torch
from torch import Tensor

from roadworthy.attribution.gradients import gap_to
from roadworthy.attribution.method import Attributed, Reference
from roadworthy.attribution.parts import Parts, windows
from roadworthy.attribution.score import score
from roadworthy.errors import NotApplicable
from roadworthy.perturbation.attack import Points
from roadworthy.perturbation.model import AttackedModel

VALUES_AT_A_TIME = 1 << 22  # of inputs with parts removed, which are held at once
MOST_COMPARED = (
    62  # values of a row: which of them differ from the reference is one whole number of 64 bits
)


@dataclass(frozen=True)
class Occlusion:
    """The loss of score where a window, or one value, is that of the reference (Zeiler & Fergus 2014, section 4.2).

    A value gets the mean loss of the windows that cover it.

    Parameters
    ----------
    share : float
        Side of the window, as a share of the shorter side of an image.
    """

    share: float = 1 / 7
    name: str = "occlusion"

    def __call__(self, model: AttackedModel, points: Points, reference: Reference) -> Attributed:
        """See `Method`."""
        shape = tuple(points.inputs.shape[1:])
        covered = windows(shape, self.share)  # (k, v)
        here = score(model.logits(points.inputs), points.labels)
        loss = here[:, None] - removed_scores(model, points, reference.point, covered)
        each = covered.to(loss)
        mean = loss @ each / each.sum(0)
        return Attributed(mean.view_as(points.inputs))


@dataclass(frozen=True)
class KernelShap:
    """Shapley values of parts, by a weighted linear fit of the score over coalitions of parts that stay.

    Lundberg & Lee 2017, "A unified approach to interpreting model predictions", section 4.1; coalitions are drawn with
    their complements (Covert & Lee 2021) and are the same for all rows, so that the fit is one matrix. All coalitions
    are taken where the draws would suffice for them: then the values are exact. An image is divided into blocks.

    Parameters
    ----------
    draws : int
        Coalitions for each row.
    most : int
        Parts at most.
    seed : int
        Of the coalitions.
    """

    draws: int = 512
    most: int = 64
    seed: int = 0
    name: str = "KernelSHAP"

    def __call__(self, model: AttackedModel, points: Points, reference: Reference) -> Attributed:
        """See `Method`."""
        shape = tuple(points.inputs.shape[1:])
        parts = Parts.blocks(shape, min(self.most, max(2, self.draws // 4)))
        if parts.count < 2:
            raise NotApplicable("the input has one part, so there is nothing to share among parts")
        stay, weights = coalitions(parts.count, self.draws, np.random.default_rng(self.seed))
        gap = gap_to(model, points, reference.point)
        gone = parts.covered(~torch.from_numpy(stay))
        values = removed_scores(model, points, reference.point, gone).double() - gap.there[:, None]
        found = shapley_fit(stay, weights, values.numpy(), (gap.here - gap.there).double().numpy())
        return Attributed(parts.spread(torch.from_numpy(found).float(), shape), gap)


def removed_scores(model: AttackedModel, points: Points, reference: Tensor, gone: Tensor) -> Tensor:
    """Return the scores with each set of values replaced by those of the reference: (n, k).

    Parameters
    ----------
    model : AttackedModel
    points : Points
    reference : (1, ...) Tensor
    gone : (k, v) bool Tensor

    Notes
    -----
    Each version of a row is asked for once. Of Adult, where a row shares seven of 13 values with the usual one, these are 78 of
    512 coalitions; KernelSHAP gave the same to the bit in less than a quarter of the time.
    """
    shape = tuple(points.inputs.shape[1:])
    found: list[Tensor] = []
    size = max(1, VALUES_AT_A_TIME // max(1, prod(shape) * len(points)))
    for some in gone.split(size):
        versions = torch.where(some.view(-1, 1, *shape), reference, points.inputs).flatten(0, 1)
        labels = points.labels.repeat(len(some))
        one, each = _distinct(points.inputs, reference, some)
        of_one = score(model.logits(versions[one]), labels[one])
        found.append(of_one[each].view(len(some), len(points)))
    return torch.cat(found).T


def _distinct(
    inputs: Tensor, reference: Tensor, gone: Tensor
) -> tuple[Tensor | slice, Tensor | slice]:
    """Return one place of every different version, of all rows without one set after another, and for each version which.

    A value that is the reference's already is the same whether it is gone or not.
    """
    n, values = len(inputs), gone.shape[1]
    if values > MOST_COMPARED:
        return slice(None), slice(None)
    differs = (inputs != reference).flatten(1)
    codes = gone.long() @ (differs * 2 ** torch.arange(values)).T  # (k, n)
    codes = np.unique(codes.numpy(), return_inverse=True)[1].reshape(codes.shape)
    _, first, same = np.unique(codes * n + np.arange(n), return_index=True, return_inverse=True)
    one = np.sort(first)  # in their order, as chunks round by what they hold
    each = np.searchsorted(one, first)[same]
    return torch.from_numpy(one), torch.from_numpy(each.flatten())


def coalitions(count: int, draws: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return which parts stay in each coalition, (s, p) bool, and the weight of each, (s,).

    Every coalition but the empty and the full one, weighted by the Shapley kernel, where they are at most `draws`; else
    so many drawn by that kernel, each with its complement.
    """
    sizes = np.arange(1, count)
    if count <= 30 and 2**count - 2 <= draws:
        codes = np.arange(1, 2**count - 1)
        stay = (codes[:, None] >> np.arange(count)) & 1 == 1
        kernel = np.array([(count - 1) / (comb(count, k) * k * (count - k)) for k in sizes])
        return stay, kernel[stay.sum(1) - 1]
    chance = 1 / (sizes * (count - sizes))
    drawn = rng.choice(sizes, draws // 2, p=chance / chance.sum())
    half = rng.random((draws // 2, count)).argsort(1) < drawn[:, None]
    return np.concatenate([half, ~half]), np.ones(2 * len(half))


def shapley_fit(
    stay: np.ndarray, weights: np.ndarray, values: np.ndarray, total: np.ndarray
) -> np.ndarray:
    """Return the values of parts whose sums fit those of coalitions best, and that sum to the total: (n, p).

    Parameters
    ----------
    stay : (s, p) bool ndarray
    weights : (s,) ndarray
    values : (n, s) ndarray
        Of coalitions, above that of the empty one.
    total : (n,) ndarray
        Of the full one.
    """
    z = stay.astype(np.float64)
    weighted = z * weights[:, None]
    inverse = np.linalg.pinv(weighted.T @ z, hermitian=True)
    free = values @ weighted @ inverse  # (n, p), before the sum is held to
    share = inverse.sum(1)
    return free + (total - free.sum(1))[:, None] * share / share.sum()
