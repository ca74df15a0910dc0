"""The centre of the plateau: of many trials, one whose neighbours do well too, not the luckiest one."""

import numpy as np

PRIOR = 0.5  # of a neighbour: what a trial without any is held to be worth, the median


def plateau_centre(points: np.ndarray, errors: np.ndarray) -> int:
    """Return the position of the trial whose neighbourhood has the least error.

    A trial's worth is the mean error of all trials, weighted by a Gaussian of their distance (Nadaraya 1964, Watson
    1964), and of half a trial with the median error, so that one without neighbours proves little. The
    least of many noisy errors is mostly luck, and a narrow peak is lost at the next change of data or seed.

    Parameters
    ----------
    points : (t, d) ndarray
        In the unit cube.
    errors : (t,) ndarray
    """
    worth = smoothed(points, errors)
    return int(np.lexsort((errors, worth))[0])


def smoothed(points: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return the error of each trial's neighbourhood: (t,)."""
    t, d = points.shape
    # Scott's rule (1992) for points spread evenly over the unit interval, whose standard deviation is .29, a
    # quarter wider: a few trials in several dimensions would otherwise have no neighbours at all.
    width = 1.25 * 0.29 * t ** (-1.0 / (d + 4))
    squares = np.sum((points[:, None] - points[None]) ** 2, axis=2)
    weight = np.exp(-0.5 * squares / width**2)
    return (weight @ errors + PRIOR * np.median(errors)) / (weight.sum(axis=1) + PRIOR)
