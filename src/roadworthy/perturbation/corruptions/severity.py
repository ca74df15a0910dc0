"""How bad a severity is, alike for every kind and every data set: a ratio of signal to noise."""

from collections.abc import Callable

import numpy as np

SEVERITIES = (1, 2, 3, 4, 5)
DECIBELS = (20.0, 16.0, 12.0, 8.0, 4.0)
"""Signal to noise of each severity: variance of the data over the mean squared change, 10 log10 of it.

At 20 dB the change is a tenth of the spread of the data, at 4 dB it is .63 of it.
"""
GRID = 14  # amounts that are tried of each kind
REFINED = 2  # more for each severity
LEAST_SHARE = 5e-4  # of its greatest amount, the first of them


def noise_to_signal(severity: int) -> float:
    """Return the mean squared change of a severity as a share of the variance of the data.

    >>> round(noise_to_signal(3), 4)
    0.0631
    """
    return 10.0 ** (-DECIBELS[severity - 1] / 10.0)


def amounts_for(
    change_at: Callable[[float], float], greatest: float, power: float
) -> tuple[float, ...]:
    """Return the amount of a kind at each severity; its greatest where even that changes too little.

    Parameters
    ----------
    change_at : callable
        Mean squared change at an amount.
    greatest : float
        Amount beyond which the kind is not taken.
    power : float
        Variance of the data.

    Examples
    --------
    Noise of standard deviation a changes a^2; 20 dB of data of variance 1 is a = 0.1.

    >>> [round(a, 3) for a in amounts_for(lambda a: a * a, 2.0, 1.0)]
    [0.1, 0.158, 0.251, 0.398, 0.631]
    """
    tried = [greatest * float(share) for share in np.geomspace(LEAST_SHARE, 1.0, GRID)]
    changes = [change_at(amount) for amount in tried]
    found: list[float] = []
    for severity in SEVERITIES:
        wanted = power * noise_to_signal(severity)
        for _ in range(REFINED):
            amount = _amount_at_change(tried, changes, wanted)
            tried.append(amount)
            changes.append(change_at(amount))
        found.append(_amount_at_change(tried, changes, wanted))
    return tuple(np.maximum.accumulate(found).tolist())


def _amount_at_change(tried: list[float], changes: list[float], wanted: float) -> float:
    order = np.argsort(tried, kind="stable")
    amounts = np.array(tried)[order]
    rising = np.maximum.accumulate(np.maximum(np.array(changes)[order], 1e-30))
    # np.interp wants ascending points; a plateau keeps its smallest amount.
    first = np.concatenate([[True], np.diff(rising) > 0])
    at = np.interp(np.log(wanted), np.log(rising[first]), np.log(amounts[first]))
    return float(np.exp(at))


def amount_at(amounts: np.ndarray, severity: float) -> float:
    """Return the amount of a severity from 0 (nothing) to 5, straight between two of them.

    >>> amount_at(np.array([0.1, 0.2, 0.3, 0.4, 0.5]), 1.5)
    0.15
    """
    return round(float(np.interp(severity, (0, *SEVERITIES), (0.0, *amounts))), 12)
