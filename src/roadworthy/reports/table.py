"""One line per finding: rows for a data frame, and the same as CSV."""

import csv as writer
import io
from collections.abc import Iterable, Mapping, Sequence

from roadworthy.results import Audit, Cell, Finding

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs a cell that begins so


def rows(audit: Audit) -> list[dict[str, Cell]]:
    """Give one record per finding, in the order of the audit, numbers as they were measured."""
    return [_row(finding) for finding in audit.findings]


def csv(audit: Audit) -> str:
    """Write one line per finding; text that a spreadsheet would run as a formula is quoted."""
    return csv_text(list(_row(Finding("", "", "", "note", ""))), rows(audit))


def csv_text(columns: Sequence[str], lines: Iterable[Mapping[str, Cell]]) -> str:
    """Write records as CSV; text that a spreadsheet would run as a formula is quoted."""
    buffer = io.StringIO()
    written = writer.DictWriter(buffer, columns, lineterminator="\n")
    written.writeheader()
    written.writerows({k: _harmless(v) for k, v in line.items()} for line in lines)
    return buffer.getvalue()


def _row(finding: Finding) -> dict[str, Cell]:
    requirement, record = finding.requirement, finding.record
    return {
        "check": finding.check,
        "challenge": finding.challenge,
        "verdict": finding.verdict,
        "reason_code": finding.reason_code,
        "required": finding.required,
        "value": finding.value,
        "low": finding.low,
        "high": finding.high,
        "level": finding.level,
        "unit": finding.unit,
        "n": finding.n,
        "seeds": finding.seeds,
        "direction": requirement and requirement.direction,
        "bound": requirement and requirement.bound,
        "source": requirement and requirement.source,
        "method": finding.method,
        "p_value": finding.p_value,
        "survives_correction": finding.survives_correction,
        "examples_needed": finding.examples_needed,
        "qualified": record and record.qualified,
        "title": finding.title,
        "reason": finding.reason,
        "details": finding.details,
        "next": finding.next,
        "seconds": finding.seconds,
    }


def _harmless(cell: Cell) -> Cell:
    if isinstance(cell, str) and cell.startswith(FORMULA):
        return "'" + cell
    return cell
