"""The report as one HTML page: no network, no code but its own, readable in every light and in print."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from roadworthy.reports import wording
from roadworthy.reports.channels import PAGE
from roadworthy.reports.figures import Limits, Spec, caption, figure
from roadworthy.reports.interval import IntervalLine, interval_line
from roadworthy.reports.numbers import NumberTable, numbers
from roadworthy.results import Audit, Evidence, Example, Examples, Finding, Table, Verdict

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_BYTES = 2_000_000
PICTURE = "data:image/png;base64,"
OPEN: tuple[Verdict, ...] = ("fail", "error", "inconclusive")


@dataclass(frozen=True)
class Room:
    """How much evidence a page shows: the first of these that fits the size is taken."""

    limits: Limits
    rows: int
    pictures: int
    evidence: int


ROOMS = (
    Room(Limits(points=400, labels=40), rows=60, pictures=12, evidence=12),
    Room(Limits(points=120, labels=30), rows=25, pictures=8, evidence=6),
    Room(Limits(points=50, labels=20), rows=10, pictures=4, evidence=3),
    Room(Limits(points=30, labels=10), rows=5, pictures=0, evidence=1),
    Room(Limits(points=2, labels=1), rows=0, pictures=0, evidence=0),
)


@dataclass(frozen=True)
class Exhibit:
    """One piece of evidence on the page: a figure, pictures or a table, and always its numbers."""

    title: str
    caption: str
    spec: Spec | None
    spec_id: str
    pictures: tuple[Example, ...]
    contents: bool
    table: NumberTable
    open: bool


@dataclass(frozen=True)
class FindingView:
    """A finding with everything that the page says of it."""

    finding: Finding
    look: wording.Look
    quantity: wording.Quantity | None
    line: IntervalLine | None
    exhibits: tuple[Exhibit, ...]
    left_out: int
    open: bool


@dataclass(frozen=True)
class ChallengeView:
    """A challenge's findings, worst first, and how many have each verdict."""

    key: str
    name: str
    counts: Mapping[Verdict, int]
    findings: tuple[FindingView, ...]


def html(audit: Audit, contents: bool | None = None) -> str:
    """Write an audit as one HTML page under 2 MB.

    Parameters
    ----------
    audit : Audit
    contents : bool, optional
        Whether what is said of single rows, and their pictures, are shown; by default they are
        where rows are not people.

    Returns
    -------
    str
        A page that loads nothing. Evidence beyond what fits is left out, with a word that says so.
    """
    shown = not audit.subject.people if contents is None else contents
    page = ""
    for room in ROOMS:
        page = _page(audit, room, shown)
        if len(page.encode()) <= MOST_BYTES:
            break
    return page


def _page(audit: Audit, room: Room, contents: bool) -> str:
    script, style = _script(), _read("report.css")
    challenges = _challenges(audit, room, contents)
    views = {view.finding.check: view for c in challenges for view in c.findings}
    ordered = [views[f.check] for f in wording.worst_first(audit.findings)]
    state, said = wording.headline(audit)
    return (
        _templates()
        .get_template("report.html.jinja")
        .render(
            audit=audit,
            words=wording,
            script=script,
            script_hash=_hash(script),
            style=style,
            contents=contents,
            state=state,
            headline=said,
            counts=wording.count_verdicts(audit.findings),
            failing=[v for v in ordered if v.finding.verdict == "fail"],
            broken=[v for v in ordered if v.finding.verdict == "error"],
            undecided=[v for v in ordered if v.finding.verdict == "inconclusive"],
            unmeasured=[v for v in ordered if v.finding.verdict == "not_run"],
            challenges=challenges,
            looks=wording.LOOKS,
        )
    )


def _challenges(audit: Audit, room: Room, contents: bool) -> list[ChallengeView]:
    names = list(dict.fromkeys(f.challenge for f in audit.findings))
    rooms: list[ChallengeView] = []
    for name in names:
        findings = [f for f in audit.findings if f.challenge == name]
        rooms.append(
            ChallengeView(
                key=name,
                name=wording.challenge_words(name),
                counts=wording.count_verdicts(findings),
                findings=tuple(_view(f, room, contents) for f in wording.worst_first(findings)),
            )
        )
    return rooms


def _view(finding: Finding, room: Room, contents: bool) -> FindingView:
    shown = finding.evidence[: room.evidence]
    return FindingView(
        finding=finding,
        look=wording.LOOKS[finding.verdict],
        quantity=wording.quantity(finding),
        line=interval_line(finding),
        exhibits=tuple(
            _exhibit(evidence, f"spec-{finding.check}-{i}", room, contents)
            for i, evidence in enumerate(shown)
        ),
        left_out=len(finding.evidence) - len(shown),
        open=finding.verdict in OPEN,
    )


def _exhibit(evidence: Evidence, spec_id: str, room: Room, contents: bool) -> Exhibit:
    examples = evidence.examples if isinstance(evidence, Examples) else ()
    pictured = [e for e in examples if contents and (e.picture or "").startswith(PICTURE)]
    return Exhibit(
        title=evidence.title,
        caption=caption(evidence),
        spec=figure(evidence, PAGE, room.limits),
        spec_id=spec_id,
        pictures=tuple(pictured[: room.pictures]),
        contents=contents,
        table=numbers(evidence, room.rows, contents),
        open=isinstance(evidence, (Table, Examples)) and not pictured,
    )


@cache
def _templates() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("roadworthy.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "sort_keys": True}
    return made


@cache
def _script() -> str:
    """Bundle the drawing library with the page's own lines; the page allows this script and no other."""
    import vl_convert

    return vl_convert.javascript_bundle(_read("draw.js"))


@cache
def _read(name: str) -> str:
    return (files("roadworthy.reports") / "templates" / name).read_text("utf-8")


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
