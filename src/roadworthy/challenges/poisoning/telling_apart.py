"""Telling rows of one sample from those of another: a linear classifier that never saw the row it judges."""

from typing import NamedTuple

import numpy as np

FOLDS = 10
ERRORS = 3.0  # standard errors that a threshold must gain: few rows are let through by luck
PENALTY = 3.0  # times the mean variance; 1 and 10 told samples of 50 to 300 rows as well or worse
FALSE = (
    0.0,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
)  # shares of the other sample that a threshold may let through


class Told(NamedTuple):
    """Which rows of each sample are taken for rows of the first: (a,) and (b,) bool."""

    first: np.ndarray
    second: np.ndarray


def told_apart(first: np.ndarray, second: np.ndarray) -> Told:
    """Return which rows a classifier between the samples takes for the first, each judged by a fold that holds it out.

    Ridge regression on coordinates and their squares, so that a shift is seen and noise is; both samples weigh alike. From how
    large a score on a row is taken for one of the first sample is decided by the other nine folds: where the two rates differ
    most, beyond three standard errors. Rows are dealt to folds in the order given, which must be random.

    Parameters
    ----------
    first, second : (a, f) and (b, f) ndarray
        Ten rows of each at least.

    Examples
    --------
    Half of the first sample is moved far away:

    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(200, 3)), rng.normal(size=(200, 3))
    >>> a[:100] += 8
    >>> told = told_apart(rng.permutation(a), b)
    >>> round(float(told.first.mean() - told.second.mean()), 1)
    0.5
    """
    wide = _standard(np.concatenate([first, second]).astype(np.float64))
    is_first = np.arange(len(wide)) < len(first)
    fold = np.concatenate([np.arange(len(first)), np.arange(len(second))]) % FOLDS
    score = np.empty(len(wide))
    for k in range(FOLDS):
        out = fold == k
        score[out] = _ridge(wide[~out], is_first[~out], wide[out])
    told = np.empty(len(wide), bool)
    for k in range(FOLDS):
        out = fold == k
        told[out] = score[out] > _threshold(score[~out], is_first[~out])
    return Told(told[: len(first)], told[len(first) :])


def _standard(x: np.ndarray) -> np.ndarray:
    """Return standardised coordinates beside their standardised squares, rows of length 1 on average."""
    z = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)
    squares = z**2
    squares = (squares - squares.mean(axis=0)) / np.maximum(squares.std(axis=0), 1e-9)
    both = np.concatenate([z, squares], axis=1)
    return both / np.sqrt(both.shape[1])


def _ridge(x: np.ndarray, is_first: np.ndarray, asked: np.ndarray) -> np.ndarray:
    weight = np.where(is_first, 0.5 / is_first.mean(), 0.5 / (~is_first).mean())
    target = np.where(is_first, 1.0, -1.0)
    centre = np.average(x, axis=0, weights=weight)
    moved = x - centre
    squares = moved.T @ (weight[:, None] * moved) / len(x)
    cross = moved.T @ (weight * target) / len(x)
    # Of features that together have length 1 each has a variance of 1 / f.
    penalty = PENALTY / x.shape[1]
    slope = np.linalg.solve(squares + penalty * np.eye(x.shape[1]), cross)
    return (asked - centre) @ slope


def _threshold(score: np.ndarray, is_first: np.ndarray) -> float:
    own, other = score[is_first], score[~is_first]
    levels = np.quantile(other, 1.0 - np.array(FALSE))
    hit = (own[:, None] > levels).mean(axis=0)
    false = (other[:, None] > levels).mean(axis=0)
    error = np.sqrt(hit * (1 - hit) / len(own) + false * (1 - false) / len(other))
    return float(levels[int((hit - false - ERRORS * error).argmax())])
