"""Calibration error by cells of like confidence: its estimate, and limits that hold whatever its shape.

Apart from the checks because top-label, binary and class-wise calibration are one computation on claims.
"""

from dataclasses import dataclass

import numpy as np

from roadworthy.results import Quantiles
from roadworthy.statistics.distributions import GRID, quantiles_on
from roadworthy.statistics.intervals import FloatArray

MOST_CELLS = 15  # per group; the usual number of bins (Guo et al. 2017)
PSEUDO_ROWS = 2  # on either side, as z^2 / 2 at 95 % (Agresti & Coull 1998)


@dataclass(frozen=True, eq=False)
class Claims:
    """What the model claims about events, and whether they happened.

    Parameters
    ----------
    claimed : (n, k) float64 ndarray
        Probability that the model gives to k events of each row.
    happened : (n, k) bool ndarray
    cells : (n, k) int64 ndarray
        Which group of like claims an entry belongs to; made without looking at `happened`.
    directions : tuple of (m,) float64 ndarray
        Ways to err in that are named beforehand: +1 or -1 per cell, +1 where claims would be too high.
    weight : float
        1, or 1/2 where every row makes a claim about each class (each misplaced share counts twice).
    """

    claimed: FloatArray
    happened: np.ndarray
    cells: np.ndarray
    directions: tuple[FloatArray, ...]
    weight: float = 1.0


@dataclass(frozen=True)
class CalibrationError:
    """The estimate, what luck alone would show, and the distribution that limits are read from."""

    value: float
    plugged_in: float
    floor: float
    distribution: Quantiles


def top_label_claims(probabilities: FloatArray, labels: np.ndarray) -> Claims:
    """Return one claim per row: that the most probable class is the label."""
    top = probabilities.argmax(axis=1)
    claimed = probabilities.max(axis=1)[:, None]
    cells = cells_of_like_claims(claimed[:, 0], np.zeros(len(top), np.int64))[:, None]
    overconfident = np.ones(cells.max(initial=0) + 1)
    return Claims(claimed, (top == labels)[:, None], cells, (overconfident,))


def binary_claims(of_positive: FloatArray, is_positive: np.ndarray) -> Claims:
    """Return one claim per row: that it is positive; cells keep predicted classes apart."""
    is_likely = of_positive > 0.5
    cells = cells_of_like_claims(of_positive, is_likely.astype(np.int64))
    overconfident = np.empty(cells.max(initial=0) + 1)
    overconfident[cells] = np.where(is_likely, 1.0, -1.0)
    too_often = np.ones_like(overconfident)
    return Claims(
        of_positive[:, None], is_positive[:, None], cells[:, None], (overconfident, too_often)
    )


def classwise_claims(probabilities: FloatArray, labels: np.ndarray) -> Claims:
    """Return a claim per row and class; cells keep classes, and rows that predict them, apart."""
    n, c = probabilities.shape
    is_top = probabilities.argmax(axis=1)[:, None] == np.arange(c)
    cells = np.empty((n, c), np.int64)
    following = 0
    for k in range(c):
        cells[:, k] = following + cells_of_like_claims(
            probabilities[:, k], is_top[:, k].astype(np.int64)
        )
        following = int(cells[:, k].max(initial=following - 1)) + 1
    overconfident = np.empty(following)
    overconfident[cells] = np.where(is_top, 1.0, -1.0)
    happened = labels[:, None] == np.arange(c)
    return Claims(probabilities, happened, cells, (overconfident,), weight=0.5)


def cells_of_like_claims(claimed: FloatArray, groups: np.ndarray) -> np.ndarray:
    """Return a cell per row: within each group, cells of about equally many rows and like claims.

    As many as the cube root of what can be known there, the sum of p (1 - p), at most 15: more would
    add more luck than shape (Sun, Song & Hero 2023, NeurIPS). Equal claims share a cell.
    """
    from scipy.stats import rankdata

    cells = np.empty(len(claimed), np.int64)
    following = 0
    for group in np.unique(groups):
        rows = groups == group
        inside = claimed[rows]
        count = int(np.clip(np.cbrt(np.sum(inside * (1.0 - inside))), 1, MOST_CELLS))
        place = (rankdata(inside) - 0.5) / len(inside)  # the middle of those that are tied
        _, cell = np.unique((count * place).astype(np.int64), return_inverse=True)
        cells[rows] = following + cell.ravel()
        following += int(cell.max()) + 1
    return cells


def calibration_error_of(claims: Claims) -> CalibrationError:
    """Estimate the mean distance of claims from what happened, by cells, with limits.

    The error is the largest mean of sign(cell) x (claimed - happened) over all signs of the cells.
    So a mean with signs chosen *without* these rows lies below it, one with the signs that fit these
    rows best lies above it in every sample. The lower limit is taken from the first: from the directions
    named beforehand, and from signs learned on a third of the rows and measured on the rest, the
    error rate shared between them. The upper limit is taken from the second. Neither assumes a shape.
    """
    from scipy.special import stdtrit

    n = len(claims.claimed)
    named = [_mean(claims, _pointed(claims, d), slice(None)) for d in claims.directions]
    learned = _learned(claims)
    fitted = _mean(claims, _signs(claims, slice(None)), slice(None))
    floor = null_floor(claims)
    # Nearly all that goes wrong is too much confidence or too little: most of the error rate goes there.
    share_named, share_learned = 0.8 / len(named), 0.2

    def ends(probability: float) -> float:
        if probability >= 0.5:
            return fitted.center + float(stdtrit(n - 1, probability)) * fitted.error
        limits = [
            m.center + float(stdtrit(n - 1, share_named * probability)) * m.error for m in named
        ]
        limits.append(
            learned.center
            + float(stdtrit(learned.n - 1, share_learned * probability)) * learned.error
        )
        return max(*limits, 0.0)

    distribution = quantiles_on(GRID, ends)
    value = max([fitted.plain - floor, *(m.plain for m in named)])
    return CalibrationError(max(value, 0.0), fitted.plain, floor, distribution)


def null_floor(claims: Claims) -> float:
    """Return what the best-fitting signs show on average where every claim is true.

    A cell's sum of claimed - happened then has variance sum of p (1 - p) and is nearly normal, so that
    its size is on average the square root of 2 / pi times the variance.
    """
    variance = np.bincount(
        claims.cells.ravel(), weights=(claims.claimed * (1.0 - claims.claimed)).ravel()
    )
    return float(
        claims.weight
        * np.sum(np.sqrt(2.0 / np.pi * np.maximum(variance, 0.0)))
        / len(claims.claimed)
    )


@dataclass(frozen=True)
class _Mean:
    """Mean of signed rows: as it is, and moved and widened by pseudo-rows for its limits."""

    plain: float
    center: float
    error: float
    n: int


def _mean(claims: Claims, signs: FloatArray, rows: slice | np.ndarray) -> _Mean:
    sign = signs[claims.cells[rows]]
    # A row is a claim part minus an outcome part, which is 1/2 or -1/2 (one event or one class happens).
    event = claims.happened[rows] - (0.5 if claims.claimed.shape[1] == 1 else 0.0)
    claim = claims.claimed[rows] - (0.5 if claims.claimed.shape[1] == 1 else 0.0)
    claim_part = claims.weight * np.sum(sign * claim, axis=1)
    values = claim_part - claims.weight * np.sum(sign * event, axis=1)
    # Without pseudo-rows a model that is always sure and always right would have no interval at all.
    middle = claim_part.mean()
    padded = np.concatenate(
        [values, np.full(PSEUDO_ROWS, middle - 0.5), np.full(PSEUDO_ROWS, middle + 0.5)]
    )
    return _Mean(
        float(values.mean()),
        float(padded.mean()),
        float(padded.std(ddof=1) / np.sqrt(len(padded))),
        len(padded),
    )


def _signs(claims: Claims, rows: slice | np.ndarray) -> FloatArray:
    """Return +1 for cells in which these rows claimed too much, -1 where too little."""
    short = (claims.claimed[rows] - claims.happened[rows]).ravel()
    count = int(claims.cells.max(initial=0)) + 1
    return np.where(np.bincount(claims.cells[rows].ravel(), short, count) >= 0.0, 1.0, -1.0)


def _pointed(claims: Claims, direction: FloatArray) -> FloatArray:
    """Return the direction or its opposite, whichever these rows err in."""
    forward = np.sum(direction[claims.cells] * (claims.claimed - claims.happened)) >= 0.0
    return direction if forward else -direction


def _learned(claims: Claims) -> _Mean:
    """Learn signs on every third row in the order of confidence, and measure them on the others."""
    order = np.argsort(claims.claimed.max(axis=1), kind="stable")
    teaches = np.zeros(len(order), bool)
    teaches[order[::3]] = True
    return _mean(claims, _signs(claims, teaches), ~teaches)
