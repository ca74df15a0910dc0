"""Numbers in sentences: units in plain words, shares as percentages, digits that tell values apart."""

from collections.abc import Sequence
from math import floor, isfinite, log10


def amounts(values: Sequence[float], unit: str) -> list[str]:
    """Return the values with as few digits as keep different ones apart, without the unit's noun.

    Examples
    --------
    >>> amounts((0.05, 0.0312, 0.049996), "share of test rows")
    ['5 %', '3.12 %', '4.9996 %']
    """
    share = is_share(unit)
    shown = [100.0 * v if share else v for v in values]
    for digits in range(3, 9):
        texts = [_number(v, digits) for v in shown]
        if len(set(texts)) == len(set(shown)):
            break
    else:
        texts = [_number(v, 8) for v in shown]
    return [f"{t} %" if share else t for t in texts]


def amount(text: str, unit: str) -> str:
    """Return a number, as made by `amounts`, with its unit.

    Examples
    --------
    >>> amount("3.1 %", "share of test rows")
    '3.1 % of test rows'
    >>> amount("0.42", "nats per row")
    '0.42 nats per row'
    """
    if is_share(unit):
        return f"{text}{unit.removeprefix('share')}"
    return f"{text} {unit}".rstrip()


def percent(share: float, digits: int = 1, *, signed: bool = False) -> str:
    """Return a share as a percentage with so many digits after the point.

    Examples
    --------
    >>> percent(0.687), percent(0.8, 0), percent(0.01, signed=True)
    ('68.7 %', '80 %', '+1.0 %')
    """
    return f"{100.0 * share:{'+' if signed else ''}.{digits}f} %"


def is_share(unit: str) -> bool:
    """Whether a unit is shown as a percentage: it begins with the word "share"."""
    return unit == "share" or unit.startswith("share ")


def count(n: int) -> str:
    """Return a number of examples in words.

    Examples
    --------
    >>> count(1), count(1204)
    ('1 example', '1,204 examples')
    """
    return f"{n:,} example" if n == 1 else f"{n:,} examples"


def _number(value: float, digits: int) -> str:
    if not isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if not 1e-6 <= abs(value) < 1e15:
        return f"{value:.{digits}g}"
    decimals = max(digits - 1 - floor(log10(abs(value))), 0)
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
