"""How alike two explanations of one row are, and what they are compared with."""

from copy import deepcopy

import numpy as np
import torch
from torch import nn

LEAST_PARTS = 3  # of a row, to be ranked


def rank_correlations(
    one: np.ndarray, other: np.ndarray, seen: np.ndarray | None = None
) -> np.ndarray:
    """Spearman's rank correlation of each row of `one` with that of `other`: (n,) float64.

    Parameters
    ----------
    one, other : (n, p) ndarray
    seen : (n, p) bool ndarray, optional
        Which values count: where a row is at the reference, every explanation is 0, and such ties would look like
        agreement. NaN where fewer than three are left, or where all are alike.

    Examples
    --------
    >>> rank_correlations(np.array([[1.0, 2.0, 3.0]]), np.array([[10.0, 30.0, 20.0]])).tolist()
    [0.5]
    """
    from scipy.stats import rankdata

    found = np.full(len(one), np.nan)
    for i in range(len(one)):
        which = np.ones(one.shape[1], bool) if seen is None else seen[i]
        if which.sum() < LEAST_PARTS:
            continue
        a, b = (rankdata(v[i, which]) for v in (one, other))
        a, b = a - a.mean(), b - b.mean()
        size = np.sqrt((a @ a) * (b @ b))
        if size > 0:
            found[i] = a @ b / size
    return found


def scrambled(module: nn.Module, seed: int) -> nn.Module:
    """Return a copy whose weights are those of the network in another order, tensor by tensor.

    What it learned is gone, and how large its weights are is not (Adebayo et al. 2018, "Sanity checks for saliency maps",
    section 3, all layers at once). A tensor with fewer than two different values stays as it is.
    """
    found = deepcopy(module)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in found.parameters():
            order = torch.randperm(parameter.numel(), generator=generator)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return found
