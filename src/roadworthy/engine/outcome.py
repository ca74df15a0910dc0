"""What became of each name that was asked for."""

from dataclasses import dataclass
from typing import Any, Literal

State = Literal[
    "done", "missing", "not_applicable", "error", "dependency_failed", "budget", "interrupted"
]


@dataclass(frozen=True)
class Outcome:
    """What became of one name.

    Parameters
    ----------
    name : str
    state : str
        "done" has a value; "missing" and "not_applicable" cannot be measured here; "error" raised
        (or cannot be resolved); "dependency_failed" needs something that did; "budget" and
        "interrupted" were not reached.
    value : object
        Of a name that is done. Arrays are read-only.
    code : str or None
        Of "missing": the code of the field. Of "error" and "dependency_failed": "user_error" where
        it is the user's to mend, "lookup" where a parameter names nothing. Else the state; None of
        "done".
    reason : str or None
        One sentence.
    traceback : str or None
        Of what raised, here or in what this one needs.
    from_store : bool
    seconds : float
        Spent on this node alone, in this run.
    took : float or None
        Seconds that the value took to make, in whatever run, with those of its parts that other nodes made
        (`recall`). None where that is not known, as of a model that was trained together with others.
    key : str
        In the store; "" where there is none.
    module : str
        Of an error and of what it keeps from being done: where the function that broke is written.
    """

    name: str
    state: State
    value: Any = None  # Any: what the function returned
    code: str | None = None
    reason: str | None = None
    traceback: str | None = None
    from_store: bool = False
    seconds: float = 0.0
    took: float | None = None
    key: str = ""
    module: str = ""


def failed(name: str, culprit: Outcome) -> Outcome:
    """Return the outcome of a node that needs `culprit`, which is not done."""
    state, reason = culprit.state, culprit.reason
    code = culprit.code
    if state == "error":
        state, reason = "dependency_failed", f"{culprit.name} failed: {reason}"
        code = code if code == "user_error" else "dependency_failed"
    return Outcome(
        name, state, code=code, reason=reason, traceback=culprit.traceback, module=culprit.module
    )
