"""Differences in sentences: better or worse rather than signs, points rather than a percentage of what."""

from math import floor, log10

from roadworthy.results import Difference
from roadworthy.statistics.wording import is_share

MOST_DECIMALS = 8


def named(check: str) -> str:
    """Return a name of the code as it reads within a sentence.

    Examples
    --------
    >>> named("label_errors_in_train")
    'label errors in train'
    """
    return check.replace("_", " ")


def change_in_words(difference: Difference, unit: str, larger_is: str) -> str:
    r"""Return by how much a check is better or worse, and its interval.

    Examples
    --------
    >>> d = Difference(-0.007, -0.0137, 0.0018, 300, "paired")
    >>> change_in_words(d, "share of rows", "worse")
    'better by 0.7 points (95\xa0% interval 0.2 worse to 1.4 better, n = 300)'
    """
    ends = difference.low, difference.high
    value, low, high = difference.value, *ends
    if larger_is == "worse":
        value, low, high = -value, -ends[1], -ends[0]
    decimals = decimals_for(value, low, high, unit)
    side = "better" if value > 0 else "worse"
    said = "the same" if value == 0 else f"{side} by {size(abs(value), unit, decimals)}"
    if low == high:
        return f"{said}, counted exactly (n = {difference.n:,})"
    least, most = (number(v, unit, decimals) for v in sorted((abs(low), abs(high))))
    span = f"{least} to {most}"
    if low < 0 < high:
        span = f"{number(-low, unit, decimals)} worse to {number(high, unit, decimals)} better"
    elif value == 0:
        span += " better" if low == 0 else " worse"
    level = f"{100 * difference.level:.4g}\u00a0%"
    return f"{said} ({level} interval {span}, n = {difference.n:,})"


def size(value: float, unit: str, decimals: int) -> str:
    """Return the size of a difference with its unit: shares differ by points of a percentage.

    Examples
    --------
    >>> size(0.206, "share of training labels", 1), size(0.01, "share", 0), size(0.5, "nats per row", 2)
    ('20.6 points', '1 point', '0.5 nats per row')
    """
    said = number(value, unit, decimals)
    if is_share(unit):
        return f"{said} point" if said == "1" else f"{said} points"
    return f"{said} {unit}".rstrip()


def number(value: float, unit: str, decimals: int) -> str:
    """Return a number in the unit it is shown in, without zeros at its end."""
    shown = 100.0 * value if is_share(unit) else value
    text = f"{shown:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def decimals_for(value: float, low: float, high: float, unit: str) -> int:
    """Return how many decimals show two digits of the interval's width, or three of an exact value."""
    scale = 100.0 if is_share(unit) else 1.0
    width = scale * (high - low)
    if width > 0:
        return min(max(0, 1 - floor(log10(width))), MOST_DECIMALS)
    shown = abs(scale * value)
    return min(max(0, 2 - floor(log10(shown))), MOST_DECIMALS) if shown > 0 else 0
