"""`subject.py`: a user's own Python file whose function returns a Subject."""

from pathlib import Path

from roadworthy.errors import UserError
from roadworthy.subject.builtin import BUILTIN, builtin_subject
from roadworthy.subject.intake import function_named
from roadworthy.subject.own_code import own_code
from roadworthy.subject.problems import nearest
from roadworthy.subject.subject import Subject
from roadworthy.subject.validity import require_valid

FUNCTION = "subject"


def load_subject(reference: str) -> Subject:
    """Return the subject that a name on the command line stands for.

    Parameters
    ----------
    reference : str
        A built-in subject ("digits"), "subject.py" (its function `subject`), "file.py:function" or
        "module:function".
    """
    if reference in BUILTIN:
        return builtin_subject(reference)
    if ":" not in reference and not reference.endswith(".py"):
        _refuse(reference)
    function = function_named(reference, option="subject", default=FUNCTION)
    with own_code(f"{reference} failed"):
        made = function()
    if not isinstance(made, Subject):
        raise UserError(
            f"{reference} returns a {type(made).__qualname__}; a roadworthy Subject was expected. "
            "End the function with: return roadworthy.subject_from(model, train=..., test=...)."
        )
    return require_valid(made)


def _refuse(reference: str) -> None:
    if Path(reference).exists():
        raise UserError(
            f"{reference} is data, not a subject. Audit it with --data {reference} --target COLUMN."
        )
    raise UserError(
        f'No subject "{reference}".{nearest(reference, BUILTIN)} Give a built-in subject, subject.py '
        "or module:function, or a data file with --data FILE --target COLUMN."
    )
