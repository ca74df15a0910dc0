"""What a self-test does: each check with each fault that breaks it, from the control that the fault starts from."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from roadworthy.engine import CheckMark, FaultMark, Marked, Registry, suggestion
from roadworthy.errors import UserError
from roadworthy.procedures.choice import chosen_checks
from roadworthy.procedures.selftest.ladder import Promise
from roadworthy.results import Requirement

QUALIFIED_AT = re.compile(r"Qualified at:(.*?)(?=\bNext:|\n\s*\n|\Z)", re.S)
STATED_N = re.compile(r"\bn\s*=\s*(\d[\d,]*)|(\d[\d,]*)\s+rows")
ALSO_ALARMS = re.compile(r"(?ms)^\s*Also alarms:\s*(.+?)(?=\n\s*\n|\Z)")


@dataclass(frozen=True)
class Trial:
    """One check, the fault that breaks it, and the control that makes a subject clean of it first."""

    check: Marked
    fault: Marked
    control: Marked | None
    requirement: Requirement

    @property
    def name(self) -> str:
        """Of the trial, in progress displays."""
        return f"{self.check.name} with {self.fault.name}"

    @property
    def least(self) -> int:
        """Least n below which the check is not judged."""
        assert isinstance(self.check.mark, CheckMark)
        return self.check.mark.least

    @property
    def severities(self) -> tuple[float, ...]:
        """Of the fault's own power curve."""
        assert isinstance(self.fault.mark, FaultMark)
        return self.fault.mark.severities

    def promised_at(self, n: int) -> tuple[Promise, ...]:
        """Return what the check's docstring promises where it measures on `n`.

        The first n of its passage `Qualified at:` is that for finding what is harmful, the largest
        that for passing what is healthy ("n = 1,500; passes from 3,000 rows"); without one all
        is promised.
        """
        said = QUALIFIED_AT.search(self.check.function.__doc__ or "")
        found = STATED_N.findall(said.group(1)) if said else []
        stated = [int((a or b).replace(",", "")) for a, b in found] or [0]
        kept: dict[Promise, int] = {"finding": stated[0], "passing": max(stated)}
        return tuple(promise for promise, least in kept.items() if n >= least)


@dataclass(frozen=True)
class Skipped:
    """Something that was not tested, and why."""

    name: str
    reason: str


def planned(
    registry: Registry, checks: Sequence[str] | None = None
) -> tuple[tuple[Trial, ...], tuple[Skipped, ...]]:
    """Return the trials of the chosen checks (names of checks or challenges), and what has none.

    Raises
    ------
    UserError
        When a chosen name does not exist, or a fault names a check or control that does not exist.
    """
    chosen = chosen_checks(registry, tuple(checks or ()))
    faults_of: dict[str, list[Marked]] = {}
    for fault in registry.faults.values():
        assert isinstance(fault.mark, FaultMark)
        _require_known(fault, "breaks", fault.mark.breaks, registry.checks)
        if fault.mark.starts_from is not None:
            _require_known(fault, "starts_from", fault.mark.starts_from, registry.controls)
        if fault.mark.truth:  # the others have no true value that an estimate could be held against
            faults_of.setdefault(fault.mark.breaks, []).append(fault)
    trials: list[Trial] = []
    skipped: list[Skipped] = []
    for name, check in chosen.items():
        assert isinstance(check.mark, CheckMark)
        if check.mark.requires is None:
            skipped.append(Skipped(name, "a description; nothing is required of it"))
        elif name not in faults_of:
            skipped.append(Skipped(name, "no fault plants what it measures"))
        else:
            trials += [_trial(check, fault, registry) for fault in faults_of[name]]
    return tuple(trials), tuple(skipped)


def reasons_to_alarm(fault: Marked) -> dict[str, str]:
    """Return why other checks may alarm at this fault, from its passage `Also alarms: check (why), ...`."""
    found = ALSO_ALARMS.search(fault.function.__doc__ or "")
    if not found:
        return {}
    return dict(re.findall(r"(\w+)\s*\(([^)]*)\)", " ".join(found.group(1).split())))


def _trial(check: Marked, fault: Marked, registry: Registry) -> Trial:
    assert isinstance(check.mark, CheckMark)
    assert isinstance(fault.mark, FaultMark)
    assert check.mark.requires is not None
    start = fault.mark.starts_from
    control = None if start is None else registry.controls[start]
    return Trial(check, fault, control, check.mark.requires)


def _require_known(fault: Marked, role: str, name: str, known: Mapping[str, Marked]) -> None:

    if name not in known:
        raise UserError(
            f'{fault.place}: fault {fault.name} has {role}="{name}", which does not '
            f"exist.{suggestion(name, known)} `roadworthy list` shows all."
        )
