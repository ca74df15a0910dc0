"""Thresholds of several groups chosen together: as few mistakes as rates that are nearly alike allow."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

MOST_POINTS = 256  # of a curve; between them no threshold is tried
CORNERS = 128  # places tried for the window that all rates lie in, in each direction


class Roc(NamedTuple):
    """What each threshold of one group gives, from none chosen to all.

    `thresholds` (p,) descend; `false`, `true` (p,) are the shares of negatives and of positives that are chosen, `right`
    (p,) how many rows are decided rightly, `now` the position of the threshold 0.
    """

    thresholds: np.ndarray
    false: np.ndarray
    true: np.ndarray
    right: np.ndarray
    now: int

    @classmethod
    def of(cls, odds: np.ndarray, labels: np.ndarray) -> "Roc":
        """Return the curve of one group: a row is chosen where its log odds are above the threshold.

        >>> curve = Roc.of(np.array([2.0, 1.0, -1.0]), np.array([1, 0, 0]))
        >>> curve.true.tolist(), curve.right.tolist(), float(curve.thresholds[curve.now])
        ([0.0, 1.0, 1.0, 1.0], [2, 3, 2, 1], 0.0)
        """
        order = np.argsort(-odds, kind="stable")
        ranked, label = odds[order], labels[order].astype(np.int64)
        ends = np.append(
            np.flatnonzero(np.diff(ranked)), len(ranked) - 1
        )  # last rows of equal odds
        chosen = np.concatenate([[0], ends + 1])  # rows above each threshold
        positives = np.concatenate([[0], np.cumsum(label)])[chosen]
        negatives = chosen - positives
        above = np.append(ranked[ends], ranked[-1] - 2.0)
        below = np.concatenate([[ranked[0] + 2.0], ranked[ends]])
        thresholds = (above + below) / 2.0
        now = int(np.searchsorted(chosen, int((ranked > 0).sum())))
        thresholds[now] = 0.0
        kept = _spread(len(chosen), now)
        right = positives + (len(label) - label.sum()) - negatives
        return cls(
            thresholds[kept],
            (negatives / max(int((1 - label).sum()), 1))[kept],
            (positives / max(int(label.sum()), 1))[kept],
            right[kept],
            int(np.searchsorted(kept, now)),
        )


def widest_gap(curves: Sequence[Roc]) -> float:
    """Return the larger of the gaps in true and in false positive rates at the threshold 0."""
    true = [curve.true[curve.now] for curve in curves]
    false = [curve.false[curve.now] for curve in curves]
    return float(max(max(true) - min(true), max(false) - min(false)))


def best_thresholds(curves: Sequence[Roc], most: float) -> np.ndarray:
    """Return a threshold for each group, the most rows right whose rates are at most `most` apart: (g,).

    All rates lie in a square of that side; for each place of the square each group takes its own best threshold within.
    Choosing nobody is always possible, so there is always an answer.
    """
    best, found = -1, np.zeros(len(curves))
    corners = np.unique(
        np.concatenate([np.linspace(0, 1, CORNERS), *(curve.false for curve in curves)])
    )
    heights = np.linspace(0, 1, CORNERS)
    for left in corners[:: max(1, len(corners) // (2 * CORNERS))]:
        total = np.zeros(len(heights), np.int64)
        places = np.zeros((len(curves), len(heights)), np.int64)
        possible = np.ones(len(heights), bool)
        for g, curve in enumerate(curves):
            across = (curve.false >= left - 1e-12) & (curve.false <= left + most + 1e-12)
            low = curve.true[None, :] >= heights[:, None] - 1e-12
            inside = across & low & (curve.true[None, :] <= heights[:, None] + most + 1e-12)
            right = np.where(inside, curve.right, -1)  # (heights, p)
            places[g] = right.argmax(axis=1)
            highest = right[np.arange(len(heights)), places[g]]
            possible &= highest >= 0
            total += highest
        total = np.where(possible, total, -1)
        top = int(total.argmax())
        if total[top] > best:
            best = int(total[top])
            found = np.array([c.thresholds[p] for c, p in zip(curves, places[:, top], strict=True)])
    return found


def _spread(n: int, now: int) -> np.ndarray:
    """Return positions of points that are kept: all or evenly spread ones, the ends and today's among them."""
    if n <= MOST_POINTS:
        return np.arange(n)
    even = np.linspace(0, n - 1, MOST_POINTS).round().astype(np.int64)
    return np.unique(np.append(even, now))
