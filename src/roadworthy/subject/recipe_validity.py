"""Whether the numbers and names of a recipe can be trained by: what a loop would follow in silence is refused here."""

from collections.abc import Iterator
from math import isfinite
from numbers import Integral, Real
from typing import Any, get_args, get_type_hints

from roadworthy.subject.model import Recipe
from roadworthy.subject.problems import nearest

WHOLE = ("epochs", "batch_size", "patience")
AT_LEAST_0 = ("learning_rate", "weight_decay", "l1", "logit_adjustment", "synthetic")
ABOVE_0 = ("clip_norm",)
SHARES = ("label_smoothing", "pseudo_labels")
BELOW_1 = ("momentum", "dropout")
MAY_BE_NONE = ("patience", "clip_norm", "pseudo_labels", "dropout")


def problems_of(recipe: Recipe) -> Iterator[str]:
    """Yield what is wrong with the values of a recipe, each with what was expected."""
    hints = get_type_hints(Recipe)
    for name in ("optimizer", "schedule"):
        value, known = getattr(recipe, name), get_args(hints[name])
        if value not in known:
            expected = " or ".join(f'"{each}"' for each in known)
            close = nearest(value, known) if isinstance(value, str) else ""
            guess = close if close.startswith(" Did") else ""
            yield f"Recipe.{name} is {value!r}; {expected} was expected.{guess}"
    for name in (*WHOLE, *AT_LEAST_0, *ABOVE_0, *SHARES, *BELOW_1):
        value = getattr(recipe, name)
        if value is None and name in MAY_BE_NONE:
            continue
        expected = _expected(name, value)
        if expected is not None:
            none = " or None" if name in MAY_BE_NONE else ""
            yield f"Recipe.{name} is {value!r}; {expected}{none} was expected"


def _expected(name: str, value: Any) -> str | None:  # Any: whatever the user wrote
    """Return what a value should have been; None where it is that."""
    is_number = not isinstance(value, bool) and isinstance(value, Real) and isfinite(value)
    number = float(value) if is_number else -1.0
    if name in WHOLE:
        is_right = isinstance(value, Integral) and number >= 1
        return None if is_right else "a whole number of at least 1"
    if name in AT_LEAST_0:
        return None if number >= 0 else "a finite number of at least 0"
    if name in ABOVE_0:
        return None if number > 0 else "a finite number above 0"
    if name in SHARES:
        return None if 0 <= number <= 1 else "a share from 0 to 1"
    return None if 0 <= number < 1 else "a share of at least 0 and below 1"
