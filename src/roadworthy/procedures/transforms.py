"""Applying a fault, a control, a mitigation or a sham to a subject, with the artifacts that it asks for."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from roadworthy.engine import Marked, Missing, Outcome
from roadworthy.engine.isolation import Failure, attempt
from roadworthy.errors import NotApplicable
from roadworthy.subject import Subject

Fields = Mapping[str, Any]  # Any: a field may hold whatever an artifact takes
Outcomes = Callable[[Sequence[str]], Mapping[str, Outcome]]
SETTLED = ("done", "missing", "not_applicable")


class CannotApply(Exception):
    """A transform cannot be applied to this subject; `traceback` is set where it broke.

    `undecided` is True where that is for want of time, so that another run may apply it.
    """

    def __init__(
        self, reason: str, traceback: str | None = None, *, undecided: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.traceback = traceback
        self.undecided = undecided


def applied(
    transform: Marked,
    subject: Subject,
    *,
    given: Mapping[str, object],
    fields: Fields,
    outcomes: Outcomes,
) -> Subject:
    """Return what a transform makes of a subject.

    Parameters
    ----------
    transform : Marked
    subject : Subject
    given : mapping of parameter to value
        What is no artifact: `rng`, and `severity` or `strength`.
    fields : mapping of field to value
        Of the subject.
    outcomes : callable
        Computes artifacts of the subject by name.

    Raises
    ------
    CannotApply
        When it does not apply here, or breaks.
    """
    given = {"subject": subject, **given}
    values = {**given, **_arguments(transform, given, fields, outcomes)}
    taken = {p.name: values[p.name] for p in transform.parameters if p.name in values}
    result = attempt(lambda: transform.function(**taken))
    if isinstance(result, Failure):
        broke = not isinstance(result.error, NotApplicable)
        reason = f"{transform.name} broke: {result.reason}" if broke else str(result.error)
        raise CannotApply(reason, result.traceback if broke else None)
    if not isinstance(result.value, Subject):
        kind = type(result.value).__name__
        raise CannotApply(f"{transform.name} returned {kind}, not a Subject", traceback="")
    return result.value


def handed_on(outcome: Outcome) -> Any:  # Any: what an artifact returned, or Missing
    """Return the value of an outcome that is settled, `Missing` where there is none."""
    if outcome.state == "done":
        return outcome.value
    return Missing("not_applicable", outcome.reason or "it does not exist for this subject")


def _arguments(
    transform: Marked, given: Mapping[str, object], fields: Fields, outcomes: Outcomes
) -> dict[str, Any]:
    """Return the fields and artifacts of the subject that a transform asks for."""
    asked = [
        p for p in transform.parameters if p.name not in given and p.kind is not p.KEYWORD_ONLY
    ]
    wanted = [p.name for p in asked if p.name not in fields]
    found = outcomes(wanted) if wanted else {}
    values: dict[str, Any] = {}
    for parameter in asked:
        name = parameter.name
        value = fields[name] if name in fields else _value(found[name])
        if isinstance(value, Missing):
            if parameter.default is not None:
                raise CannotApply(f"{transform.name} needs {name}: {value.reason}")
            value = None
        values[name] = value
    return values


def _value(outcome: Outcome) -> Any:  # Any: what an artifact returned, or Missing
    if outcome.state in SETTLED:
        return handed_on(outcome)
    reason = outcome.reason or outcome.state
    raise CannotApply(
        f"{outcome.name} could not be computed: {reason}",
        outcome.traceback or "",
        undecided=outcome.state in ("budget", "interrupted"),
    )
