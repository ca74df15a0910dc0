"""The Python face of `diff`: two subjects or audits compared, several laid side by side."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy import config, engine, files
from roadworthy.api import RUNS, STORE, request_of, subject_of
from roadworthy.api import run as run_audit
from roadworthy.effect_reports import ComparisonReport, DiffReport
from roadworthy.errors import UserError
from roadworthy.procedures.diff import diff_audits, diff_subjects
from roadworthy.procedures.rows import RowTable
from roadworthy.procedures.stored import STORED
from roadworthy.report import Report, read_report
from roadworthy.results import Audit
from roadworthy.subject import BUILTIN, Subject
from roadworthy.subject.problems import listed
from roadworthy.subject.python_file import load_subject

if TYPE_CHECKING:
    from roadworthy.config import Settings

AUDIT = "audit.json"
ROWS = "rows.parquet"
REGRESSION = "regression"
NEEDED = ("split", "source_row", "row_id", "target", "predicted", "loss")
FAIL_ON = ("fail", "error")


def diff(
    before: Any,  # Any: a Subject, its name, a saved folder, a Report, a run's folder
    after: Any,  # Any: same
    *,
    profile: str = "standard",
    only: tuple[str, ...] | str = (),
    skip: tuple[str, ...] | str = (),
    seed: int = 0,
    device: str = "cpu",
    fail_on: tuple[str, ...] = FAIL_ON,
    plugins: tuple[str, ...] = (),
    store: str | Path | None = STORE,
    progress: bool | None = None,
) -> DiffReport:
    """Say what got worse and what got better from one subject, or finished audit, to another.

    Parameters
    ----------
    before, after : object
        Two subjects (a `Subject`, a built-in name, a subject.py, a saved folder), or two audits (a `Report`, or
        the folder of a run).
    profile, only, skip, seed, device, plugins, store, progress
        As for `roadworthy.audit`; of two audits nothing is computed again.
    fail_on : tuple of {"fail", "error", "undecided"}
        What makes the exit code other than 0.

    Returns
    -------
    DiffReport
    """
    settings = config.settle(
        None,
        {
            "checks": {"only": only, "skip": skip, "plugins": plugins},
            "audit": {"profile": profile, "seed": seed, "device": device, "fail_on": fail_on},
        },
    )
    sides = _sides((before, after))
    where = Path(store) if store else None
    return _diff(sides, settings, engine.Registry.discover(plugins), where, progress)


def compare(
    subjects: Sequence[Any],  # Any: as for `diff`
    *,
    profile: str = "quick",
    only: tuple[str, ...] | str = (),
    skip: tuple[str, ...] | str = (),
    store: str | Path | None = STORE,
    progress: bool | None = None,
) -> ComparisonReport:
    """Lay several subjects (architectures, seeds) or finished audits side by side in one table.

    Parameters
    ----------
    subjects : sequence
        As `before` and `after` of `roadworthy.diff`.
    profile, only, skip, store, progress
        As for `roadworthy.audit`.

    Returns
    -------
    ComparisonReport
        Renders as CSV, LaTeX, Markdown and HTML.
    """
    settings = config.settle(
        None, {"checks": {"only": only, "skip": skip}, "audit": {"profile": profile}}
    )
    where = Path(store) if store else None
    sides = _sides(subjects)
    return _compare(sides, settings, engine.Registry.discover(), where, progress)


def from_command_line(
    named: Sequence[str],
    sections: Mapping[str, Mapping[str, object]],
    *,
    trust: bool,
    form: str | None,
    out: Path | None,
    quiet: bool,
) -> int:
    """Do what `roadworthy diff` was asked for; return the exit code."""
    from rich.console import Console

    if len(named) < 2:
        raise UserError(
            "diff compares two or more: give two folders of finished audits, or two subjects."
        )
    if out is not None:
        files.require_writable(out)
    settings = config.settle(None, sections)
    registry = engine.Registry.discover(settings.checks.plugins)
    store = Path(settings.audit.store) if settings.audit.store else STORE
    if form == "latex" and len(named) == 2:
        raise UserError(
            "LaTeX is for a table of three or more. Two are compared as markdown, html, csv, json or junit."
        )
    sides = _sides(named, trust=trust)
    progress = False if quiet else None
    if len(sides) > 2:
        report = _compare(sides, settings, registry, store, progress)
    else:
        report = _diff(sides, settings, registry, store, progress)
    if out is not None:
        report.save(out)
    if form is None:
        Console().print(report)
    else:
        text = report.render(form)
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
    return report.exit_code


Side = Subject | Report


def _sides(given: Sequence[Any], *, trust: bool = False) -> list[Side]:  # Any: as for `diff`
    """Read every side; audits of one name are told apart by their folders."""
    sides = [_side(each, trust=trust) for each in given]
    names = [_name(side) for side in sides]
    alike = [
        isinstance(side, Report) and isinstance(each, str | Path) and names.count(name) > 1
        for each, side, name in zip(given, sides, names, strict=True)
    ]
    folders = iter(
        _ends([_folder(each) for each, is_alike in zip(given, alike, strict=True) if is_alike])
    )
    return [
        _called(side, f"{name} ({next(folders)})")
        if is_alike and isinstance(side, Report)
        else side
        for side, name, is_alike in zip(sides, names, alike, strict=True)
    ]


def _folder(given: str | Path) -> Path:
    path = Path(given).resolve()
    return path if path.is_dir() else path.parent


def _ends(folders: Sequence[Path]) -> list[str]:
    """Return of each folder as many of its last parts as tell all of them apart.

    >>> _ends([Path("/new/run"), Path("/old/run")])
    ['new/run', 'old/run']
    """
    deepest = max((len(folder.parts) for folder in folders), default=0)
    ends: list[str] = []
    for length in range(1, deepest + 1):
        ends = ["/".join(folder.parts[-length:]) for folder in folders]
        if len(set(ends)) == len(set(folders)):
            break
    return ends


def _called(report: Report, name: str) -> Report:
    summary = replace(report.audit.subject, name=name)
    return replace(report, audit=replace(report.audit, subject=summary))


def _side(given: Any, *, trust: bool = False) -> Side:  # Any: as for `diff`
    """Return a subject, or a finished audit with its rows."""
    if isinstance(given, Subject | Report):
        return given
    if isinstance(given, str | Path):
        path = Path(given)
        folder = path if path.is_dir() else path.parent
        if (path.is_dir() and (path / AUDIT).is_file()) or path.name == AUDIT:
            rows = folder / ROWS
            return replace(read_report(path), rows=_rows(rows) if rows.is_file() else None)
        _require_there(str(given))
        return load_subject(str(given), trust=trust)
    return subject_of(given, {})


def _require_there(name: str) -> None:
    """Refuse what is neither a folder or file nor the name of a subject, with the runs that there are."""
    if Path(name).exists() or name in BUILTIN or ":" in name or name.endswith(".py"):
        return
    places = dict.fromkeys((Path(name).parent, Path(), RUNS))
    runs = [str(found.parent) for place in places for found in sorted(place.glob(f"*/{AUDIT}"))]
    there = f" Finished audits here: {listed(dict.fromkeys(runs), 6)}." if runs else ""
    raise UserError(
        f'"{name}": there is neither the folder of a run nor a subject of this name.{there} Give the folder that '
        f"`roadworthy audit` wrote, or a subject: {', '.join(BUILTIN)}, a subject.py, module:function."
    )


def _rows(path: Path) -> RowTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(
            f"{path}: damaged ({error}). Run the audit again, or remove the file to compare without rows."
        ) from None
    lacking = [name for name in NEEDED if name not in table.column_names]
    if lacking:
        raise UserError(
            f"{path}: the column {', '.join(lacking)} is not there. Run the audit again, or remove the file to "
            "compare without rows."
        )
    return RowTable(
        {
            name: np.asarray(table.column(name).to_numpy(zero_copy_only=False))
            for name in table.column_names
        }
    )


def _diff(
    sides: Sequence[Side],
    settings: "Settings",
    registry: engine.Registry,
    store: Path | None,
    progress: bool | None,
) -> DiffReport:
    from roadworthy.progress import display

    request = request_of(settings, registry)
    one, other = sides
    _require_one_task(one, other)
    if isinstance(one, Report) and isinstance(other, Report):
        rows = one.rows, other.rows
        return DiffReport(diff_audits(one.audit, other.audit, rows, registry, request=request))
    if isinstance(one, Report) or isinstance(other, Report):
        finished = one.audit if isinstance(one, Report) else other.audit  # type: ignore[union-attr]
        raise UserError(
            f"One side is a finished audit ({finished.subject.name}), the other a subject. Give two "
            "audits, or two subjects; `roadworthy audit` makes the audit of a subject."
        )
    with display(progress) as shown:
        found = diff_subjects(
            one,
            other,
            registry,
            store=engine.Store(store, records=STORED),
            request=request,
            emit=shown.receive,
        )
    return DiffReport(found)


def _require_one_task(one: Side, other: Side) -> None:
    """Refuse a number against classes: no check measures both, so nothing would be compared."""
    named = {_task(side): _name(side) for side in (one, other)}
    if len(named) > 1 and REGRESSION in named:
        number = named.pop(REGRESSION)
        classes = next(iter(named.values()))
        raise UserError(
            f"{number} predicts a number and {classes} a class, so there is nothing that both are measured by. "
            "Compare two models of one task."
        )


def _task(side: Side) -> str:
    return side.audit.subject.task if isinstance(side, Report) else side.task.kind


def _name(side: Side) -> str:
    return side.audit.subject.name if isinstance(side, Report) else side.name


def _compare(
    sides: Sequence[Side],
    settings: "Settings",
    registry: engine.Registry,
    store: Path | None,
    progress: bool | None,
) -> ComparisonReport:
    def audited(side: Side) -> Audit:
        if isinstance(side, Report):
            return side.audit
        return run_audit(side, settings, registry, store=store, progress=progress).audit

    return ComparisonReport([audited(side) for side in sides])
