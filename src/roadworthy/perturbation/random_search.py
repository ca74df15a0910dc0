"""Random search on each row: propose, look at the answer, keep what lowers the margin."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from roadworthy.perturbation.attack import Found, Points, is_wrong, margin
from roadworthy.perturbation.model import AttackedModel


class Walk(Protocol):
    """Where a search stands on each row that is left."""

    @property
    def best(self) -> Tensor:
        """The best point of each row."""
        ...

    def propose(self, share: float) -> Tensor:
        """Return another point for each row, a change of this share of what can be changed."""
        ...

    def keep(self, proposed: Tensor, better: Tensor) -> None:
        """Stand at the proposed point where it is better."""
        ...

    def take(self, rows: Tensor) -> None:
        """Go on with these rows alone, a mask."""
        ...


def searched(
    model: AttackedModel,
    points: Points,
    begin: Callable[[Points], Walk],
    share_at: Callable[[int], float],
    queries: int,
) -> Found:
    """Search until the answer is wrong or `queries` answers were seen, that on the row itself included.

    Parameters
    ----------
    model : AttackedModel
    points : Points
    begin : callable
        Rows to their first points.
    share_at : callable
        Step to the share that a proposal changes.
    queries : int
    """
    found = Found(
        points.inputs.clone(),
        standing(model.logits(points.inputs), points.labels),
        torch.ones(len(points)),
        torch.zeros(len(points)),
    )
    rows = torch.nonzero(found.margin >= 0)[:, 0]
    if queries < 2 or not len(rows):
        return found
    left = points.take(rows)
    labels = left.labels
    walk = begin(left)
    answers = model.logits(walk.best)
    worst, apart = standing(answers, labels), _apart(answers, labels)
    for step in range(1, queries - 1):
        right = worst >= 0
        if not bool(right.all()):
            _note(found, rows[~right], walk.best[~right], worst[~right], step + 1)
            rows, worst, labels, apart = (t[right] for t in (rows, worst, labels, apart))
            walk.take(right)
            if not len(rows):
                return found
        proposed = walk.propose(share_at(step))
        new = _standing(model.logits(proposed), labels, apart)
        better = new < worst
        walk.keep(proposed, better)
        worst = torch.minimum(new, worst)
    _note(found, rows, walk.best, worst, queries)
    return found


def standing(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the margin, below 0 exactly where the answer is wrong: ties and what is not a number included."""
    margins = margin(logits, labels)
    if bool((margins > 0).all()):
        return margins
    smallest = torch.finfo(logits.dtype)
    margins = margins.nan_to_num(nan=smallest.min)
    return torch.where(is_wrong(logits, labels), margins.clamp_max(-smallest.tiny), margins)


def _apart(logits: Tensor, labels: Tensor) -> Tensor:
    """Return what sets the label apart when it is added to logits: minus infinity there, 0 elsewhere: (n, c)."""
    return torch.zeros_like(logits).scatter_(1, labels[:, None], float("-inf"))


def _standing(logits: Tensor, labels: Tensor, apart: Tensor) -> Tensor:
    """Return what `standing` does, in half the calls as long as no answer is wrong: thousands of times in a search."""
    others = (logits + apart).amax(1)
    margins = logits.gather(1, labels[:, None])[:, 0].sub_(others)
    return margins if float(margins.amin()) > 0 else standing(logits, labels)


def _note(found: Found, rows: Tensor, inputs: Tensor, worst: Tensor, queries: int) -> None:
    found.inputs[rows] = inputs
    found.margin[rows] = worst
    assert found.forward is not None
    found.forward[rows] = queries
