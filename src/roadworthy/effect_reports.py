"""A fix, a diff or a comparison in hand: shows itself in a terminal and a notebook, and saves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadworthy import files, reports
from roadworthy.errors import UserError
from roadworthy.reports.wording import sentence
from roadworthy.results import Audit, Candidate, Diff, Effect, Fix
from roadworthy.results.schema import diff_from_json, fix_from_json, to_json
from roadworthy.subject import Subject
from roadworthy.subject.saved import save_subject

if TYPE_CHECKING:
    import pandas as pd

Views = Mapping[str, Callable[[Any], str]]  # Any: the result that they are views of

_BECAME = {
    "rejected": "was tried and rejected",
    "not_applicable": "does not apply here",
    "error": "broke",
    "not_run": "was not finished",
}

FIX_VIEWS: Views = {
    "html": reports.fix_html,
    "markdown": reports.fix_markdown,
    "csv": reports.fix_csv,
    "json": to_json,
}
DIFF_VIEWS: Views = {
    "html": reports.diff_html,
    "markdown": reports.diff_markdown,
    "junit": reports.diff_junit,
    "csv": reports.diff_csv,
    "json": to_json,
}
COMPARISON_VIEWS: Views = {
    "html": reports.comparison_html,
    "markdown": reports.comparison_markdown,
    "csv": reports.comparison_csv,
    "latex": reports.comparison_latex,
}
FIX_FILES = {
    "fix.json": "json",
    "report.html": "html",
    "report.md": "markdown",
    "effects.csv": "csv",
}
DIFF_FILES = {
    "diff.json": "json",
    "report.html": "html",
    "report.md": "markdown",
    "junit.xml": "junit",
    "effects.csv": "csv",
}
COMPARISON_FILES = {
    "comparison.html": "html",
    "comparison.md": "markdown",
    "comparison.csv": "csv",
    "comparison.tex": "latex",
}


@dataclass(frozen=True, eq=False)
class FixReport:
    """The result of `roadworthy.fix`.

    Parameters
    ----------
    fix : Fix
        The canonical record; every view is made from it.
    subjects : mapping of str to Subject
        The repaired subjects by name of the accepted mitigation, with trained weights; empty for a report
        that was read back from its JSON.
    """

    fix: Fix
    subjects: Mapping[str, Subject] = field(default_factory=dict)

    @property
    def accepted(self) -> tuple[Candidate, ...]:
        """The repairs that may be used."""
        return tuple(c for c in self.fix.candidates if c.accepted)

    @property
    def exit_code(self) -> int:
        """0: every failing check has an accepted repair; 1: one has none; 2: it was not finished."""
        return self.fix.exit_code

    def __getitem__(self, mitigation: str) -> Candidate:
        """Return what became of a mitigation."""
        for candidate in self.fix.candidates:
            if candidate.mitigation == mitigation:
                return candidate
        tried = ", ".join(c.mitigation for c in self.fix.candidates) or "none"
        raise KeyError(f"{mitigation!r} was not tried; tried: {tried}")

    def effect(self, mitigation: str, check: str) -> Effect:
        """Return one cell of the effects matrix."""
        for effect in self.fix.effects:
            if (effect.mitigation, effect.check) == (mitigation, check):
                return effect
        raise KeyError(f"no effect of {mitigation!r} on {check!r} was measured")

    def accept(self, mitigation: str, folder: str | Path) -> Path:
        """Save the subject with an accepted repair: `audit`, `fix` and `diff` read the folder back.

        Raises
        ------
        UserError
            When the repair was not accepted, or the folder cannot be written.
        """
        if mitigation not in self.subjects:
            raise UserError(self._refusal(mitigation))
        candidate = self[mitigation]
        provenance = {
            "from": self.fix.subject.name,
            "key": self.fix.subject.key,
            "mitigation": f"{mitigation} at strength {candidate.strength:g}"
            if candidate.strength is not None
            else mitigation,
            "target": candidate.target,
            "changes": list(candidate.changes),
            "claims": [claim.statement for claim in candidate.claims],
            "roadworthy": self.fix.roadworthy_version,
            "measured": self.fix.started,
        }
        repaired = self.subjects[mitigation]
        named = replace(repaired, name=f"{repaired.name} with {mitigation.replace('_', ' ')}")
        return save_subject(named, Path(folder), provenance)

    def render(self, form: str) -> str:
        """Return the report as "html", "markdown", "csv" or "json"."""
        return _rendered(FIX_VIEWS, form, self.fix)

    def to_frame(self) -> "pd.DataFrame":
        """Return one line per effect as a pandas data frame."""
        import pandas as pd

        return pd.DataFrame(reports.fix_rows(self.fix))

    def save(self, folder: str | Path) -> Path:
        """Write fix.json, report.html, report.md and effects.csv into `folder`, all or none."""
        return _saved(Path(folder), FIX_VIEWS, FIX_FILES, self.fix)

    def _refusal(self, mitigation: str) -> str:
        there = ", ".join(self.subjects) or "none"
        for candidate in self.fix.candidates:
            if candidate.mitigation == mitigation:
                if candidate.accepted:
                    return (
                        f"{mitigation} was accepted, and its model is not at hand: the report was read back from its file, "
                        "or the run was stopped. Fix the same subject again; what is kept is not computed again."
                    )
                reason = sentence(candidate.reason).rstrip(".")
                return (
                    f"{mitigation} {_BECAME[candidate.state]}, so there is no repaired model to save. {reason}. "
                    f"Accepted: {there}."
                )
        return (
            f"{mitigation} was not tried. Accepted: {there}. Ask for it with --only {mitigation}."
        )

    def _repr_html_(self) -> str:
        return _in_a_frame(self.render("html"))

    def __rich__(self) -> object:
        return reports.fix_console(self.fix)

    def __str__(self) -> str:
        return _as_text(self)

    __repr__ = __str__


@dataclass(frozen=True, eq=False)
class DiffReport:
    """The result of `roadworthy.diff` for two subjects or audits."""

    diff: Diff

    @property
    def exit_code(self) -> int:
        """0: nothing required got worse than is tolerated; 1: something did; 2: that is open; 3: a check broke."""
        return self.diff.exit_code

    def __getitem__(self, check: str) -> Effect:
        """Return what changed in a check."""
        for effect in self.diff.effects:
            if effect.check == check:
                return effect
        raise KeyError(f"{check!r} was not compared")

    def render(self, form: str) -> str:
        """Return the report as "html", "markdown", "junit", "csv" or "json"."""
        return _rendered(DIFF_VIEWS, form, self.diff)

    def to_frame(self) -> "pd.DataFrame":
        """Return one line per check as a pandas data frame."""
        import pandas as pd

        return pd.DataFrame(reports.diff_rows(self.diff))

    def save(self, folder: str | Path) -> Path:
        """Write diff.json, report.html, report.md, junit.xml and effects.csv into `folder`, all or none."""
        return _saved(Path(folder), DIFF_VIEWS, DIFF_FILES, self.diff)

    def _repr_html_(self) -> str:
        return _in_a_frame(self.render("html"))

    def __rich__(self) -> object:
        return reports.diff_console(self.diff)

    def __str__(self) -> str:
        return _as_text(self)

    __repr__ = __str__


@dataclass(frozen=True, eq=False)
class ComparisonReport:
    """Several audits side by side: checks in rows, subjects in columns."""

    audits: Sequence[Audit]

    @property
    def exit_code(self) -> int:
        """Always 0: a table judges nothing."""
        return 0

    def render(self, form: str) -> str:
        """Return the table as "html", "markdown", "csv" or "latex"."""
        return _rendered(COMPARISON_VIEWS, form, reports.comparison(self.audits))

    def save(self, folder: str | Path) -> Path:
        """Write comparison.html, .md, .csv and .tex into `folder`, all or none."""
        table = reports.comparison(self.audits)
        return _saved(Path(folder), COMPARISON_VIEWS, COMPARISON_FILES, table)

    def _repr_html_(self) -> str:
        return _in_a_frame(self.render("html"))

    def __rich__(self) -> object:
        return reports.comparison_console(reports.comparison(self.audits))

    def __str__(self) -> str:
        return _as_text(self)

    __repr__ = __str__


def read_effects(folder: Path) -> FixReport | DiffReport | None:
    """Read a fix or a diff back from its folder or its JSON; None where there is neither."""
    for name, kind in (("fix.json", "fix"), ("diff.json", "diff")):
        path = folder / name if folder.is_dir() else folder
        if path.is_file() and path.name == name:
            text = files.read_text(path)
            try:
                if kind == "fix":
                    return FixReport(fix_from_json(text))
                return DiffReport(diff_from_json(text))
            except UserError as why:
                raise UserError(f"{path}: {why}") from None
    return None


def _rendered(views: Views, form: str, result: Any) -> str:  # Any: see Views
    if form not in views:
        raise UserError(f'No report format "{form}" here. There are {", ".join(views)}.')
    return views[form](result)


def _saved(folder: Path, views: Views, names: Mapping[str, str], result: Any) -> Path:  # Any: same
    files.write_all({folder / name: views[form](result).encode() for name, form in names.items()})
    return folder


def _in_a_frame(page: str) -> str:
    # An iframe keeps the report's style and scripts apart from the notebook's.
    from html import escape

    return f'<iframe srcdoc="{escape(page, quote=True)}" style="width:100%;height:720px;border:0"></iframe>'


def _as_text(report: object) -> str:
    from rich.console import Console

    console = Console(width=100, no_color=True)
    with console.capture() as capture:
        console.print(report)
    return capture.get()
