"""An audit in hand: shows itself in a terminal and a notebook, saves, and gives a data frame."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from roadworthy import files, reports
from roadworthy.errors import UserError
from roadworthy.procedures.review import is_filled, sheet_csv
from roadworthy.procedures.rows import RowTable
from roadworthy.results import Audit, Finding
from roadworthy.results.schema import from_json, to_json

if TYPE_CHECKING:
    import pandas as pd

REVIEW = "review.csv"
PICTURES = "figures"  # folder of the figures that report.md shows
RENDERERS = {
    "html": reports.html,
    "markdown": reports.markdown,
    "junit": reports.junit,
    "csv": reports.csv,
    "json": to_json,
}
FILES = {
    "audit.json": "json",
    "report.html": "html",
    "junit.xml": "junit",
}


@dataclass(frozen=True, eq=False)
class Report:
    """The result of `roadworthy.audit`.

    Parameters
    ----------
    audit : Audit
        The canonical record; every view is made from it.
    rows : RowTable, optional
        One line per audited row; None for a report that was read back from its JSON.
    review : RowTable, optional
        Rows whose label the models doubt, for a person to decide on; None where there are none.

    Examples
    --------
    >>> report = roadworthy.audit("digits", profile="quick")  # doctest: +SKIP
    >>> report["overfitting_gap"].verdict  # doctest: +SKIP
    'pass'
    """

    audit: Audit
    rows: RowTable | None = None
    review: RowTable | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every check's outcome."""
        return self.audit.findings

    @property
    def exit_code(self) -> int:
        """0: roadworthy; 1: a check failed; 2: a required check is undecided; 3: a check broke."""
        return self.audit.exit_code

    @property
    def passed(self) -> bool:
        """Whether every required check is decided and none failed."""
        return self.audit.exit_code == 0

    def __getitem__(self, check: str) -> Finding:
        """Return the finding of a check by its name."""
        for finding in self.findings:
            if finding.check == check:
                return finding
        raise KeyError(f"no finding of {check!r}; there are {', '.join(f.check for f in self)}")

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def render(self, form: str) -> str:
        """Return the report as "html", "markdown", "junit", "csv" or "json"."""
        if form not in RENDERERS:
            raise UserError(f'No report format "{form}". There are {", ".join(RENDERERS)}.')
        return RENDERERS[form](self.audit)

    def to_frame(self) -> "pd.DataFrame":
        """Return one line per check as a pandas data frame."""
        import pandas as pd

        return pd.DataFrame(reports.rows(self.audit))

    def save(self, folder: str | Path) -> Path:
        """Write audit.json, rows.parquet, review.csv, report.html, report.md and junit.xml into `folder`.

        A folder that holds the same audit already, times apart, is left as it is; and so is a review.csv in which
        somebody has written.

        Raises
        ------
        UserError
            When the folder cannot be written; at most audit.json, which goes first, is then there.
        """
        folder = Path(folder)
        if self.is_kept_in(folder):
            return folder
        # Drawing takes a gigabyte of addresses and ends the process where it may not: what was measured is there before.
        files.write_all({folder / "audit.json": self.render("json").encode()})
        contents = {folder / name: self.render(form).encode() for name, form in FILES.items()}
        contents[folder / "report.md"] = reports.markdown(self.audit, pictures=PICTURES).encode()
        for name, picture in reports.markdown_pictures(self.audit).items():
            contents[folder / PICTURES / name] = picture.encode()
        if self.rows is not None:
            contents[folder / "rows.parquet"] = files.parquet_bytes(self.rows.columns)
        if self.review is not None and not is_filled(folder / REVIEW):
            contents[folder / REVIEW] = sheet_csv(self.review)
        files.write_all(contents)
        return folder

    def is_kept_in(self, folder: str | Path) -> bool:
        """Whether `folder` holds this very audit: all but when it ran and how long it took."""
        path = Path(folder) / "audit.json"
        complete = all((path.parent / name).is_file() for name in FILES)
        if not complete:
            return False
        try:
            before = from_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, UserError):
            return False
        return _timeless(before) == _timeless(from_json(to_json(self.audit)))

    def _repr_html_(self) -> str:
        # An iframe keeps the report's style and scripts apart from the notebook's.
        from html import escape

        page = escape(self.render("html"), quote=True)
        return f'<iframe srcdoc="{page}" style="width:100%;height:720px;border:0"></iframe>'

    def __rich__(self) -> object:
        return reports.console(self.audit)

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=100, no_color=True)
        with console.capture() as capture:
            console.print(self)
        return capture.get()

    __repr__ = __str__


def _timeless(audit: Audit) -> Audit:
    findings = tuple(replace(f, seconds=None, from_store=None) for f in audit.findings)
    return replace(audit, findings=findings, started="", seconds=0.0, computed=0, reused=0)


def read_report(run: str | Path) -> Report:
    """Read a run's folder, or its audit.json, back.

    Raises
    ------
    UserError
        When there is no audit, or it is damaged.
    """
    path = Path(run)
    path = path / "audit.json" if path.is_dir() else path
    if not path.is_file():
        below = sorted(found.parent.name for found in path.parent.glob("*/audit.json"))
        there = f" In {path.parent} there are: {', '.join(below[:6])}." if below else ""
        raise UserError(
            f"{path}: no audit there. Give the folder that `roadworthy audit` wrote "
            f"(it holds an audit.json).{there}"
        )
    try:
        return Report(from_json(files.read_text(path)))
    except UserError as why:
        raise UserError(said_of(path, why)) from None


def said_of(path: Path, why: UserError) -> str:
    """Return a message about a file with the file named first."""
    said = str(why)
    return said if said.startswith(f"{path}:") else f"{path}: {said}"
