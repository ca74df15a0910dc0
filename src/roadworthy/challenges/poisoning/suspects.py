"""Small groups of training rows that differ from rows of other classes in the same way."""

from dataclasses import dataclass

import numpy as np

from roadworthy.challenges.poisoning.layout import BLOCKS, Layout
from roadworthy.engine import pause

NEIGHBOURS = 10
BESIDE = 5  # rows of other classes that a row is held against
ALONE = 0.5  # share of neighbours with another label from which a row is looked at
LEAST = 3
MOST_GROUPS = 2  # of one class
AT_A_TIME = 512  # rows whose distances to all others are held
ALIKE = 0.5  # cosine of differences from which two rows differ in the same way


@dataclass(frozen=True, eq=False)
class Group:
    """Rows of one class that stand among another class and differ from it alike.

    Parameters
    ----------
    target : int
        Their label.
    rows : (m,) int64 ndarray
        Positions among the rows that were searched.
    beside : (m, b) int64 ndarray
        For each the nearest rows with other labels.
    """

    target: int
    rows: np.ndarray
    beside: np.ndarray


def groups_among(positions: np.ndarray, labels: np.ndarray, layout: Layout) -> list[Group]:
    """Return up to two groups of each class, the one that is more alike first.

    A poisoned row lies among the class that it was taken from, once what was added to it is left out. Neighbours are
    therefore sought five times, with one quarter of the input left out and with none, and the most telling
    is taken. Differences to the neighbours with other labels are compared by their cosine: those of rows that carry one pattern
    point one way, those of hard rows do not.
    """
    alone, beside = _standing(positions, labels, layout)
    found: list[Group] = []
    for target in np.unique(labels).tolist():
        rows = np.flatnonzero((labels == target) & (alone >= ALONE))
        difference = positions[rows] - positions[beside[rows]].mean(axis=1)
        for _ in range(MOST_GROUPS):
            members = _alike(difference)
            if len(members) < LEAST:
                break
            found.append(Group(target, rows[members], beside[rows[members]]))
            rest = np.setdiff1d(np.arange(len(rows)), members)
            rows, difference = rows[rest], difference[rest]
    return found


def _standing(
    positions: np.ndarray, labels: np.ndarray, layout: Layout
) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of neighbours with another label (n,), and the nearest of those (n, 5)."""
    n = len(positions)
    k, b = min(NEIGHBOURS, n - 1), min(BESIDE, n - 1)
    alone, beside = np.full(n, -1.0), np.zeros((n, b), np.int64)
    blocks = [np.flatnonzero(layout.block == block) for block in range(BLOCKS)]
    for start in range(0, n, AT_A_TIME):
        rows = np.arange(start, min(start + AT_A_TIME, n))
        parts = [_squares(positions[rows][:, block], positions[:, block]) for block in blocks]
        whole = np.sum(parts, axis=0)
        whole[np.arange(len(rows)), rows] = np.inf
        other = labels[rows, None] != labels
        for left_out in (None, *parts):
            squares = whole if left_out is None else whole - left_out
            near = np.argpartition(squares, k - 1, axis=1)[:, :k]
            share = np.take_along_axis(other, near, axis=1).mean(axis=1)
            better = np.flatnonzero(share > alone[rows])
            away = np.where(other[better], squares[better], np.inf)
            alone[rows[better]] = share[better]
            beside[rows[better]] = np.argpartition(away, b - 1, axis=1)[:, :b]
        pause()
    return alone, beside


def _squares(asked: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return squared distances (m, n) float32."""
    a = np.einsum("ij,ij->i", asked, asked)
    b = np.einsum("ij,ij->i", points, points)
    return np.maximum(a[:, None] + b - 2.0 * (asked @ points.T), 0.0)


def _alike(difference: np.ndarray) -> np.ndarray:
    """Return positions of the differences that point the same way as the best of them does with its three nearest."""
    if len(difference) < LEAST:
        return np.empty(0, np.int64)
    unit = difference / np.maximum(np.linalg.norm(difference, axis=1, keepdims=True), 1e-9)
    cosine = unit @ unit.T
    nearest = -np.sort(-cosine, axis=1)[:, : LEAST + 1]  # itself among them
    core = np.argsort(-cosine[int(nearest.mean(axis=1).argmax())], kind="stable")[: LEAST + 1]
    for _ in range(3):
        centre = unit[core].mean(axis=0)
        toward = unit @ (centre / max(float(np.linalg.norm(centre)), 1e-9))
        core = np.flatnonzero(toward >= ALIKE)
        if len(core) < LEAST:
            break
    return core
