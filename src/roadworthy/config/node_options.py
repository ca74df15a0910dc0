"""Options of checks and artifacts that a user sets: whether there is such a one, and of which kind."""

from collections.abc import Mapping
from difflib import get_close_matches
from inspect import Parameter
from typing import Literal, get_args, get_origin

from roadworthy.errors import UserError


def require_option(
    node: str, option: str, value: object, parameters: Mapping[str, Parameter]
) -> None:
    """Refuse an option that the check or artifact `node` does not have, or a value of another kind.

    Raises
    ------
    UserError
        With the options there are, or the values allowed.
    """
    if option not in parameters:
        near = get_close_matches(option, list(parameters), n=1)
        hint = f' Did you mean "{near[0]}"?' if near else ""
        there = f"It has: {', '.join(parameters)}." if parameters else "It has none."
        raise UserError(f'[options] {node} has no option "{option}".{hint} {there}')
    expected = _expected(parameters[option], value)
    if expected is not None:
        shown = f'"{value}"' if isinstance(value, str) else str(value)
        raise UserError(f"[options] {node}.{option} is {shown}; expected {expected}.")


def _expected(parameter: Parameter, value: object) -> str | None:
    """Return what was expected in place of the value; None where it is right."""
    if get_origin(parameter.annotation) is Literal:
        allowed = get_args(parameter.annotation)
        return None if value in allowed else " or ".join(f'"{each}"' for each in allowed)
    default = parameter.default
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    if isinstance(default, int):
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return None if is_whole else "a whole number"
    if isinstance(default, float):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return None if is_number else "a number"
    if isinstance(default, str):
        return None if isinstance(value, str) else "text"
    return None
