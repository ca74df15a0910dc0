"""Many tests at once: Holm, Benjamini-Hochberg, and the fails that survive a run-wide correction."""

import numpy as np
import numpy.typing as npt

from roadworthy.statistics.intervals import FloatArray


def holm(p_values: npt.ArrayLike) -> FloatArray:
    """Adjust p-values: rejecting those below alpha errs even once with probability alpha at most.

    Parameters
    ----------
    p_values : (m,) array

    Returns
    -------
    (m,) ndarray

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6, 65-70.

    Examples
    --------
    0.01 x 3; 0.02 x 2; 0.04 x 1, none smaller than the one before.

    >>> [round(float(p), 4) for p in holm([0.04, 0.01, 0.02])]
    [0.04, 0.03, 0.04]
    """
    p = _valid(p_values)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * (p.size - np.arange(p.size)))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def benjamini_hochberg(p_values: npt.ArrayLike) -> FloatArray:
    """Adjust p-values: of those below q a share of q at most is expected to be false.

    Parameters
    ----------
    p_values : (m,) array

    Returns
    -------
    (m,) ndarray

    References
    ----------
    Benjamini & Hochberg (1995), Journal of the Royal Statistical Society B 57, 289-300.

    Examples
    --------
    0.01 x 3 / 1; 0.02 x 3 / 2; 0.04 x 3 / 3, none larger than the one after.

    >>> [round(float(p), 4) for p in benjamini_hochberg([0.04, 0.01, 0.02])]
    [0.04, 0.03, 0.03]
    """
    p = _valid(p_values)
    order = np.argsort(p, kind="stable")
    steps = p[order] * p.size / np.arange(1, p.size + 1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum.accumulate(steps[::-1])[::-1].clip(max=1.0)
    return adjusted


def surviving(p_values: npt.ArrayLike, alpha: float = 0.05) -> npt.NDArray[np.bool_]:
    """Which fails of a whole run stand after correcting for the number of checks.

    Checks far on the good side have p near 1 and say nothing: those above 1/2 are discarded, the
    others doubled, and Holm is applied to what is left.

    Parameters
    ----------
    p_values : (m,) array
        One-sided, of "the requirement holds".
    alpha : float
        Chance of even one false survivor.

    Returns
    -------
    (m,) bool ndarray

    References
    ----------
    Zhao, Small & Su (2019), Journal of the American Statistical Association 114, 1291-1304, with
    threshold 1/2.

    Examples
    --------
    0.9 and 0.8 are discarded; 0.02 and 0.2 become 0.04 and 0.4, and Holm makes 0.04 x 2 = 0.08.

    >>> surviving([0.02, 0.9, 0.8, 0.2]).tolist()
    [False, False, False, False]
    >>> surviving([0.01, 0.9, 0.8, 0.2]).tolist()  # 0.01 x 2 x 2 = 0.04
    [True, False, False, False]
    """
    p = _valid(p_values)
    considered = p <= 0.5
    result = np.zeros(p.size, bool)
    result[considered] = holm(np.minimum(2.0 * p[considered], 1.0)) <= alpha
    return result


def _valid(p_values: npt.ArrayLike) -> FloatArray:
    p = np.asarray(p_values, np.float64).ravel()
    assert np.all((p >= 0) & (p <= 1)), f"p-values outside 0 to 1: {p}"
    return p
