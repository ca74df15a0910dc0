"""Durations as people write them: "90s", "10m", "1h30m"."""

import re

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(seconds?|sec|s|minutes?|min|m|hours?|h|days?|d)(?![a-z])")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_duration(text: str) -> float:
    """Return the seconds of a duration.

    Raises
    ------
    ValueError
        With what was expected.

    Examples
    --------
    >>> parse_duration("1h30m")
    5400.0
    """
    written = text.strip().lower()
    parts = _PART.findall(written)
    rest = _PART.sub("", written).strip()
    if not parts or rest:
        raise ValueError(f'"{text}" is no duration; write it like "90s", "10m" or "1h30m"')
    seconds = sum(float(number) * _SECONDS[unit[0]] for number, unit in parts)
    if seconds <= 0:
        raise ValueError(f'"{text}" is no time at all; write a duration like "90s" or "10m"')
    return seconds
