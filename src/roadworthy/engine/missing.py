"""A field that a subject does not have, and why: what turns its dependants into `not_run`."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Missing:
    """Stands in the place of a field's value.

    Parameters
    ----------
    code : {"missing_input", "missing_recipe", "not_applicable"}
        The reason code of the findings that needed the field.
    reason : str
        One sentence: what is not there, and what would give it ("give one with --sensitive COLUMN").
    """

    code: Literal["missing_input", "missing_recipe", "not_applicable"]
    reason: str
