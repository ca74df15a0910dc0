"""`subject.py`: a user's own Python file whose function returns a Subject."""

from pathlib import Path

from roadworthy.errors import UserError
from roadworthy.subject.blueprint import refused, trusted
from roadworthy.subject.builtin import BUILTIN, builtin_subject
from roadworthy.subject.intake import function_named
from roadworthy.subject.own_code import own_code
from roadworthy.subject.problems import nearest
from roadworthy.subject.saved import is_saved, read_subject
from roadworthy.subject.subject import Subject
from roadworthy.subject.validity import require_valid

FUNCTION = "subject"


def load_subject(reference: str, *, trust: bool = False, model: str | None = None) -> Subject:
    """Return the subject that a name on the command line stands for.

    Parameters
    ----------
    reference : str
        A built-in subject ("digits"), "subject.py" (its function `subject`), "file.py:function",
        "module:function", or the folder of a saved subject.
    trust : bool
        Run the user's own code that a saved subject names.
    model : str, optional
        The factory to build a saved subject with instead.
    """
    if reference in BUILTIN:
        return builtin_subject(reference)
    if is_saved(Path(reference)):
        factory = None if model is None else function_named(model, option="--model")
        return read_subject(Path(reference), trusted if trust else refused, factory)
    require_subject(reference)
    function = function_named(reference, option="subject", default=FUNCTION)
    with own_code(f"{reference} failed"):
        made = function()
    if not isinstance(made, Subject):
        raise UserError(
            f"{reference} returns a {type(made).__qualname__}; a roadworthy Subject was expected. "
            "End the function with: return roadworthy.subject_from(model, train=..., test=...)."
        )
    return require_valid(made)


def require_subject(reference: str) -> None:
    """Refuse a name that stands for no subject, and say what it is instead; the user's own code does not run."""
    is_code = ":" in reference or reference.endswith(".py")
    if reference in BUILTIN or is_saved(Path(reference)) or is_code:
        return
    if (Path(reference) / "fix.json").is_file():
        raise UserError(
            f"{reference} is the folder of a fix. What it repaired is saved below it where --accept asked for that: "
            f"{reference}/accepted/NAME."
        )
    if (Path(reference) / "audit.json").is_file():
        raise UserError(
            f"{reference} is the folder of an audit, not a subject. `roadworthy report {reference}` shows it, "
            "`roadworthy diff` compares it with another."
        )
    if Path(reference).is_dir():
        raise UserError(
            f"{reference} is a folder without a subject.json, so no saved subject. Give one that "
            "`roadworthy fix --accept` wrote, a subject.py, or a data file with --data FILE --target COLUMN."
        )
    if Path(reference).exists():
        raise UserError(
            f"{reference} is data, not a subject. Audit it with --data {reference} --target COLUMN."
        )
    raise UserError(
        f'No subject "{reference}".{nearest(reference, BUILTIN)} Give a built-in subject, subject.py '
        "or module:function, or a data file with --data FILE --target COLUMN."
    )
