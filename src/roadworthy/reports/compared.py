"""Several audits side by side: subjects as columns, checks as rows, and where one is clearly best."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from roadworthy.reports import wording
from roadworthy.reports.channels import distinct
from roadworthy.reports.wording import Quantity
from roadworthy.results import Audit, Finding, SubjectSummary


@dataclass(frozen=True)
class ComparedCell:
    """One subject's outcome of one check; `finding` is None where its audit has no such check."""

    finding: Finding | None
    quantity: Quantity | None
    best: bool


@dataclass(frozen=True)
class ComparedRow:
    """One check over all subjects.

    `best` of a cell is set only where its interval overlaps with no other subject's.
    """

    check: str
    challenge: str
    title: str
    unit: str
    larger_is: Literal["worse", "better", "neither"]
    cells: tuple[ComparedCell, ...]


@dataclass(frozen=True)
class Comparison:
    """The whole table; `names` tell subjects of one name apart."""

    names: tuple[str, ...]
    subjects: tuple[SubjectSummary, ...]
    profiles: tuple[str, ...]
    rows: tuple[ComparedRow, ...]

    @property
    def challenges(self) -> tuple[str, ...]:
        """The challenges in the order of their rows."""
        return tuple(dict.fromkeys(row.challenge for row in self.rows))


def comparison(audits: Sequence[Audit]) -> Comparison:
    """Lay audits out as one table, checks in the order in which the audits have them."""
    findings = [{f.check: f for f in audit.findings} for audit in audits]
    checks: dict[str, Finding] = {}
    for own in findings:
        for name, finding in own.items():
            known = checks.get(name)
            if known is None or (known.requirement is None and finding.requirement is not None):
                checks[name] = finding
    order = list(dict.fromkeys(f.challenge for f in checks.values()))
    ordered = sorted(checks, key=lambda name: order.index(checks[name].challenge))
    return Comparison(
        names=tuple(distinct([audit.subject.name for audit in audits])),
        subjects=tuple(audit.subject for audit in audits),
        profiles=tuple(audit.profile for audit in audits),
        rows=tuple(_row(checks[name], [own.get(name) for own in findings]) for name in ordered),
    )


def cell_words(cell: ComparedCell) -> str:
    """Say a number with its interval: "8.1 [6.0, 11.0]"; "–" where there is none."""
    said = cell.quantity
    if said is None:
        return "–"
    return said.value if said.exact else f"{said.value} [{said.low}, {said.high}]"


def unit_words(row: ComparedRow) -> str:
    """Say the unit that a row's numbers are shown in."""
    return wording.percent_unit(row.unit)[1]


def direction_words(row: ComparedRow) -> str:
    """Say which way is better."""
    return {"worse": "less is better", "better": "more is better", "neither": ""}[row.larger_is]


def _row(like: Finding, found: Sequence[Finding | None]) -> ComparedRow:
    requirement = like.requirement
    larger_is = (
        "neither"
        if requirement is None
        else "worse"
        if requirement.direction == "at_most"
        else "better"
    )
    best = None if larger_is == "neither" else _best(found, larger_is == "better")
    unit = next((f.unit for f in (like, *found) if f is not None and f.unit), "")
    return ComparedRow(
        check=like.check,
        challenge=like.challenge,
        title=like.title,
        unit=unit,
        larger_is=larger_is,
        cells=tuple(
            ComparedCell(f, wording.quantity(f) if f else None, i == best)
            for i, f in enumerate(found)
        ),
    )


def _best(found: Sequence[Finding | None], more: bool) -> int | None:
    """Find the subject whose interval lies beyond all others; None where they overlap."""
    intervals = {
        i: (f.low, f.high) if more else (-f.high, -f.low)
        for i, f in enumerate(found)
        if f is not None and f.low is not None and f.high is not None
    }
    if len(intervals) < 2:
        return None
    first = max(intervals, key=lambda i: intervals[i][0])
    others = max(high for i, (_, high) in intervals.items() if i != first)
    return first if intervals[first][0] > others else None
