"""What a person decided about labels: rows whose label was found wrong, and what becomes of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

LEFT_OUT = -1


@dataclass(frozen=True, eq=False)
class Decided:
    """Rows of one split whose label a person found wrong.

    Parameters
    ----------
    source_rows : (k,) int64 ndarray
        As in `Split.source_rows`.
    labels : (k,) int64 ndarray
        Codes of the labels that were reviewed: a row that has another by now is not the row that was seen.
    decisions : (k,) int64 ndarray
        Code of the right class, or `LEFT_OUT`.
    """

    source_rows: np.ndarray
    labels: np.ndarray
    decisions: np.ndarray

    def places(self, source_rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return the position of each of these rows in a split, -1 where it is there no more: (k,) int64."""
        order = np.argsort(source_rows, kind="stable")
        at = np.searchsorted(source_rows[order], self.source_rows).clip(max=len(order) - 1)
        found = order[at]
        same = (source_rows[found] == self.source_rows) & (labels[found] == self.labels)
        return np.where(same, found, -1)


LabelReview = Mapping[str, Decided]
"""Decisions by split; of training and validation rows alone."""
