"""What a gradient attack has found so far, row by row, while copies of a row are attacked side by side."""

import torch
from torch import Tensor

from roadworthy.perturbation.attack import Found, Points, is_wrong, margin
from roadworthy.perturbation.model import AttackedModel


class Search:
    """The worst point of each row, and the passes that it took.

    Where the gradients are computed in lower precision, a wrong answer counts when float32 gives it too; a row whose
    wrong answer float32 does not give is `disputed`.

    Parameters
    ----------
    model : AttackedModel
    points : Points
    """

    def __init__(self, model: AttackedModel, points: Points) -> None:
        n, where = len(points), points.inputs.device
        self._model = model
        self._labels = points.labels
        self.inputs = points.inputs.detach().clone().float()
        self.margin = torch.full((n,), float("inf"), device=where)
        self.wrong = torch.zeros(n, dtype=torch.bool, device=where)
        self.disputed = torch.zeros(n, dtype=torch.bool, device=where)
        self.forward = torch.zeros(n, device=where)
        self.backward = torch.zeros(n, device=where)

    def see(self, rows: Tensor, at: Tensor, logits: Tensor, *, with_gradient: bool) -> Tensor:
        """Take note of the logits of copies of rows (m,) at points; return which of the copies go on: (m,) bool."""
        ones = torch.ones(len(rows), device=rows.device)
        self.forward.index_add_(0, rows, ones)
        if with_gradient:
            self.backward.index_add_(0, rows, ones)
        labels = self._labels[rows]
        margins, wrong = margin(logits, labels), is_wrong(logits, labels)
        if with_gradient and self._model.is_coarse and bool(wrong.any()):
            margins, wrong = self._confirmed(rows, at, margins, wrong)
        self._keep(rows, at, margins.nan_to_num(nan=torch.finfo(margins.dtype).min), wrong)
        self.wrong[rows[wrong]] = True
        return ~self.wrong[rows]

    def found(self) -> Found:
        """Return the worst points."""
        return Found(self.inputs, self.margin, self.forward, self.backward)

    def adopt(self, rows: Tensor, other: "Search") -> None:
        """Take over what another search found for these rows, in its order, and the passes that it took."""
        wrong, margins = other.wrong, other.margin
        self.forward.index_add_(0, rows, other.forward)
        self.backward.index_add_(0, rows, other.backward)
        self._keep(rows, other.inputs, margins, wrong)
        self.wrong[rows[wrong]] = True

    def _confirmed(
        self, rows: Tensor, at: Tensor, margins: Tensor, wrong: Tensor
    ) -> tuple[Tensor, Tensor]:
        claimed = wrong.nonzero()[:, 0]
        labels = self._labels[rows[claimed]]
        logits = self._model.exact().logits(at[claimed])
        self.forward.index_add_(0, rows[claimed], torch.ones(len(claimed), device=rows.device))
        holds = is_wrong(logits, labels)
        margins, wrong = margins.clone(), wrong.clone()
        margins[claimed], wrong[claimed] = margin(logits, labels), holds
        self.disputed[rows[claimed[~holds]]] = True
        return margins, wrong

    def _keep(self, rows: Tensor, at: Tensor, margins: Tensor, wrong: Tensor) -> None:
        """Keep the best copy of each row where it is better than what is kept; the first wrong one is."""
        n, m = len(self.margin), len(rows)
        order = margins.masked_fill(wrong, -float("inf"))
        before = self.margin.masked_fill(self.wrong, -float("inf"))
        least = torch.full((n,), float("inf"), device=rows.device)
        least.scatter_reduce_(0, rows, order, "amin")
        winning = ((order < before[rows]) & (order == least[rows])).nonzero()[:, 0]
        first = torch.full((n,), m, device=rows.device)
        first.scatter_reduce_(0, rows[winning], winning, "amin")
        chosen = first[first < m]
        self.inputs[rows[chosen]] = at[chosen]
        self.margin[rows[chosen]] = margins[chosen]
