"""The report as one HTML page: no network, no code but its own, readable in every light and in print."""

from collections.abc import Mapping
from dataclasses import dataclass

from roadworthy.reports import document, wording
from roadworthy.reports.channels import PAGE
from roadworthy.reports.figures import Limits, Spec, caption, figure
from roadworthy.reports.interval import IntervalLine, interval_line
from roadworthy.reports.numbers import NumberTable, numbers
from roadworthy.results import Audit, Evidence, Example, Examples, Finding, Table, Verdict

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
    challenges = _challenges(audit, room, contents)
    views = {view.finding.check: view for c in challenges for view in c.findings}
    ordered = [views[f.check] for f in wording.worst_first(audit.findings)]
    state, said = wording.headline(audit)
    return document.render(
        "report.html.jinja",
        ("report.css",),
        document.drawing_script(),
        audit=audit,
        version=audit.roadworthy_version,
        words=wording,
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
            exhibit(evidence, f"spec-{finding.check}-{i}", room, contents)
            for i, evidence in enumerate(shown)
        ),
        left_out=len(finding.evidence) - len(shown),
        open=finding.verdict in OPEN,
    )


def exhibit(evidence: Evidence, spec_id: str, room: Room, contents: bool) -> Exhibit:
    """Lay out one piece of evidence, as much of it as there is room for."""
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
