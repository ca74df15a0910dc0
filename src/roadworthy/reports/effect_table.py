"""One line per effect: rows for a data frame, and the same as CSV."""

from roadworthy.reports.effect_words import state_of
from roadworthy.reports.table import csv_text
from roadworthy.results import Candidate, Cell, Cost, Diff, Effect, Fix


def fix_rows(fix: Fix) -> list[dict[str, Cell]]:
    """Give one record per repair and check, numbers as measured; a repair without effects has one too."""
    rows: list[dict[str, Cell]] = []
    for candidate in fix.candidates:
        effects = [e for e in fix.effects if e.mitigation == candidate.mitigation]
        rows += [_row(candidate, effect) for effect in effects or (None,)]
    return rows


def fix_csv(fix: Fix) -> str:
    """Write one line per repair and check; text that a spreadsheet would run is quoted."""
    return csv_text(list(_row(_NOBODY, None)), fix_rows(fix))


def diff_rows(diff: Diff) -> list[dict[str, Cell]]:
    """Give one record per check, numbers as they were measured."""
    return [_effect(effect) for effect in diff.effects]


def diff_csv(diff: Diff) -> str:
    """Write one line per check; text that a spreadsheet would run is quoted."""
    return csv_text(list(_effect(None)), diff_rows(diff))


_NOBODY = Candidate("", (), "", "", None, (), "", None, (), (), Cost(), Cost(), "not_run", "")


def _row(candidate: Candidate, effect: Effect | None) -> dict[str, Cell]:
    is_target = effect and effect.check == candidate.target
    return {**_candidate(candidate), "is_target": is_target, **_effect(effect)}


def _candidate(candidate: Candidate) -> dict[str, Cell]:
    before, after = candidate.before, candidate.after
    return {
        "mitigation": candidate.mitigation,
        "state": candidate.state,
        "target": candidate.target,
        "strength": candidate.strength,
        "candidate_reason": candidate.reason,
        "training_seconds_before": before.training_seconds,
        "training_seconds_after": after.training_seconds,
        "milliseconds_per_row_before": before.milliseconds_per_row,
        "milliseconds_per_row_after": after.milliseconds_per_row,
        "bytes_before": before.bytes,
        "bytes_after": after.bytes,
    }


def _effect(effect: Effect | None) -> dict[str, Cell]:
    found = effect and effect.difference
    return {
        "check": effect and effect.check,
        "challenge": effect and effect.challenge,
        "effect": effect and effect.effect,
        "reading": effect and state_of(effect),
        "before": effect and effect.before,
        "after": effect and effect.after,
        "difference": found and found.value,
        "low": found and found.low,
        "high": found and found.high,
        "level": found and found.level,
        "unit": effect and effect.unit,
        "larger_is": effect and effect.larger_is,
        "n": found and found.n,
        "seeds": found and found.seeds,
        "p_value": found and found.p_value,
        "method": found and found.method,
        "margin": effect and effect.margin,
        "non_inferior": effect and effect.non_inferior,
        "required": effect and effect.required,
        "verdict_before": effect and effect.verdict_before,
        "verdict_after": effect and effect.verdict_after,
        "title": effect and effect.title,
        "reason": effect and effect.reason,
    }
