"""What clean rows would show by themselves: which groups hold more training rows than luck explains."""

from typing import NamedTuple

import numpy as np

ALPHA = 0.05


class Surplus(NamedTuple):
    """p-values of groups (g,), and which stand after correcting for the number of groups (g,) bool."""

    p_values: np.ndarray
    stands: np.ndarray


def surplus(sizes: np.ndarray, of_training: np.ndarray, training: int, clean: int) -> Surplus:
    """Return which groups hold too many training rows, where groups were found without knowing which these are.

    Where nobody tampered with the training rows, they and the held-out rows are exchangeable: given the size of a group, the number
    of its training rows is hypergeometric. Groups that are too small to ever be significant are not counted (Tarone 1990, Biometrics 46),
    the others are corrected by Bonferroni: the chance of even one false group is 5 % at most.

    Parameters
    ----------
    sizes, of_training : (g,) int array
        Rows of each group, and training rows among them.
    training, clean : int
        Rows of either kind that were searched.

    Examples
    --------
    9 of 9 from 900 against 900 clean ones: about 0.5 ** 9. Of a group of 3 nothing follows.

    >>> found = surplus(np.array([9, 3]), np.array([9, 3]), 900, 900)
    >>> found.p_values.round(4).tolist(), found.stands.tolist()
    ([0.0019, 0.1248], [True, False])
    """
    from scipy.stats import hypergeom

    sizes, of_training = np.asarray(sizes, np.int64), np.asarray(of_training, np.int64)
    whole = training + clean
    # Of many groups few differ in size.
    kinds, which = np.unique(np.stack([sizes, of_training]), axis=1, return_inverse=True)
    p = hypergeom.sf(kinds[1] - 1, whole, training, kinds[0])[which.ravel()]
    least = hypergeom.sf(np.minimum(kinds[0], training) - 1, whole, training, kinds[0])[
        which.ravel()
    ]
    counted = np.arange(1, len(sizes) + 1)
    able = np.searchsorted(np.sort(least), ALPHA / counted, side="right")
    enough = np.flatnonzero(able <= counted)
    if len(enough) == 0:
        return Surplus(p, np.zeros(len(sizes), bool))
    level = ALPHA / counted[enough[0]]
    return Surplus(p, (least <= level) & (p <= level))


def fewest_that_count(training: int, clean: int) -> int:
    """Return the size from which a group can be significant at all, were it the only one.

    >>> fewest_that_count(900, 900)  # 0.5 ** 5 = 0.03
    5
    """
    from scipy.stats import hypergeom

    sizes = np.arange(1, training + 1)
    able = hypergeom.sf(sizes - 1, training + clean, training, sizes) <= ALPHA
    return int(sizes[able][0]) if able.any() else training + 1
