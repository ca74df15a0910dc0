"""The two exceptions that carry meaning across rooms; everything else that is raised is a bug, or lack of memory."""

LACKING = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "could not create a primitive",  # oneDNN, of a convolution
)
"""How torch says that memory does not suffice, of which it has no exception of its own on a processor."""


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice."""
    said = str(error).lower()
    return isinstance(error, MemoryError | LackOfMemory) or any(words in said for words in LACKING)


class UserError(Exception):
    """Something that the user can mend: shown without a traceback, exit code 4.

    The message has four parts in one or two sentences: where, what was found, what was expected,
    the way out; values and sizes included.
    """


class LackOfMemory(UserError):
    """Memory did not suffice for so many rows at once; for fewer it may."""


class NotApplicable(Exception):
    """The quantity does not exist for this subject; the finding becomes `not_run (not_applicable)`."""
