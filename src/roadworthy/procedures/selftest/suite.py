"""Whole audits of a healthy subject: how often any check of all fails where none should."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from roadworthy.engine import Marked
from roadworthy.procedures.selftest.bench import Bench, seed_of
from roadworthy.procedures.selftest.plan import Trial
from roadworthy.procedures.selftest.records import SuiteBatch
from roadworthy.results import Measurement
from roadworthy.statistics import judge
from roadworthy.subject import Subject


def healthy(bench: Bench, controls: Sequence[Marked], number: int) -> Subject:
    """Return the subject made clean by all controls, one after the other.

    Those that move rows come first, so that what later ones freeze fits the rows.

    Raises
    ------
    Unplantable
    """
    rng = np.random.default_rng(seed_of(bench.computing.seed, "healthy", number))
    subject = bench.subject
    for control in sorted(controls, key=lambda c: (not moves_rows(bench, c), c.name)):
        cleaned = bench.applied(control, subject, rng)
        subject = _without_stale(subject, cleaned)
    return subject


def audited(bench: Bench, trials: Sequence[Trial], number: int, subject_key: str) -> SuiteBatch:
    """Audit one healthy subject with the checks of all trials.

    Raises
    ------
    Unplantable
    """
    controls = {t.control.name: t.control for t in trials if t.control is not None}
    subject = healthy(bench, tuple(controls.values()), number)
    by_check = {trial.check.name: trial for trial in trials}
    seed = seed_of(bench.computing.seed, "healthy audit", number)
    outcomes = bench.outcomes(subject, sorted(by_check), seed)
    false_fails: dict[str, int] = {}
    for name, trial in by_check.items():
        value = outcomes[name].value
        if outcomes[name].state == "done" and isinstance(value, Measurement):
            verdict = judge(value, trial.requirement, least=trial.least).verdict
            false_fails[name] = int(verdict == "fail")
    return SuiteBatch(
        subject_key=subject_key,
        seed=bench.computing.seed,
        first=number,
        n=1,
        with_false_fail=int(any(false_fails.values())),
        false_fails={name: 1 for name, failed in false_fails.items() if failed},
    )


def joined(batches: Sequence[SuiteBatch]) -> SuiteBatch:
    """Return consecutive audits as one batch."""
    names = sorted({name for batch in batches for name in batch.false_fails})
    return replace(
        batches[0],
        n=sum(batch.n for batch in batches),
        with_false_fail=sum(batch.with_false_fail for batch in batches),
        false_fails={name: sum(b.false_fails.get(name, 0) for b in batches) for name in names},
    )


def moves_rows(bench: Bench, control: Marked) -> bool:
    """Whether a control changes which rows, or which inputs, a split has."""
    before = bench.subject
    after = bench.applied(control, before, np.random.default_rng(0))
    return any(_is_moved(before, after, name) for name in after.splits)


def _is_moved(before: Subject, after: Subject, name: str) -> bool:
    if name not in before.splits:
        return True
    old, new = before.splits[name], after.splits[name]
    return old.inputs is not new.inputs or not np.array_equal(old.source_rows, new.source_rows)


def _without_stale(before: Subject, after: Subject) -> Subject:
    """Drop what was frozen for rows that have been moved since."""
    moved = [name for name in after.splits if _is_moved(before, after, name)]
    stale = {
        field
        for field, value in after.given.items()
        if before.given.get(field) is value and field.partition("_")[0] in moved
    }
    kept = {name: value for name, value in after.given.items() if name not in stale}
    return replace(after, given=kept) if stale else after
