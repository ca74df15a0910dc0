"""The record as people read it: a Markdown page, a table for the terminal, and power curves as evidence."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from roadworthy.procedures.selftest.ladder import ALL_PROMISES
from roadworthy.procedures.selftest.records import (
    Crossing,
    Entry,
    Kind,
    NaturalRecord,
    Records,
    Suite,
)
from roadworthy.procedures.selftest.standing import Standing, is_qualified, standings
from roadworthy.procedures.selftest.stopping import (
    ANY_FALSE_FAIL,
    DETECTED_HARMFUL,
    FALSE_FAIL_AT_BOUND,
    FALSE_FAIL_HEALTHY,
    FALSE_PASS_AT_BOUND,
    PASS_HEALTHY,
    decide,
)
from roadworthy.procedures.selftest.tally import TOLERANCE, Tally
from roadworthy.results import Axis, Curve, Series
from roadworthy.statistics import clopper_pearson

if TYPE_CHECKING:
    from rich.table import Table as ConsoleTable

SHOWN = (
    FALSE_FAIL_AT_BOUND,
    FALSE_PASS_AT_BOUND,
    FALSE_FAIL_HEALTHY,
    PASS_HEALTHY,
    DETECTED_HARMFUL,
)
WORDS = {True: "reaches its marks", False: "**misses a mark**", None: "undecided"}
BRIEFLY = {True: "kept", False: "missed", None: "open"}

INTRODUCTION = """\
# What the self-test found

Every check is qualified on planted faults: a control makes a subject clean of the defect, a fault plants
it so that the true value of the check's quantity is known, and the check is judged as in any audit. A row
of the tables is one check with one fault. `roadworthy selftest` makes such a record for your own subject.

| column | what was planted | what is counted | mark |
|---|---|---|---|
| false fails at the bound | a true value on the bound | fail | at most 2.5 % |
| false passes at the bound | the same (for facts: just beyond the bound) | pass | at most 2.5 % |
| false alarms, healthy | nothing, or half of what is tolerated | fail | at most 2.5 % |
| passes, healthy | half of what is tolerated | pass | at least 80 % at the stated n |
| found, harmful | twice what is tolerated | fail | at least 95 % at the stated n |

Counts are followed by the rate with its 95 % interval (Clopper-Pearson). A control is repeated until its rate is
decided against its mark or time is over; that decision, and the last column, use bounds that hold however often one
looks (mixture e-values, 2.5 % on each side). At the bound an exact interval *sits on* 2.5 %, which no number of
repetitions can show it to keep: there the mark is reached when the estimate keeps 2.5 % and more than 5 % is
excluded. *Coverage* is the share of 95 % intervals that contain the planted value, *bias* the mean error with its
standard error, *named* the share of planted rows or columns that the evidence names. (n) marks a check that measured
on fewer rows than its docstring states: passing and finding are then shown and not required.
"""


def markdown(records: Records) -> str:
    """Render everything that is known as the page `docs/selftest.md`."""
    parts = [INTRODUCTION]
    kinds = sorted({e.kind for e in records.entries} | {s.kind for s in records.suites})
    for kind in kinds:
        parts.append(_kind_section(kind, records))
    if records.naturals:
        parts.append(_naturals_section(records.naturals))
    if len(parts) == 1:
        parts.append("Nothing is known yet.\n")
    return "\n".join(parts)


def console(records: Records, title: str = "Self-test") -> "ConsoleTable":
    """Render the entries as a table for the terminal; it fits 80 columns."""
    from rich import box
    from rich.table import Table as ConsoleTable

    table = ConsoleTable(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.add_column("\n\ncheck\n  with fault", overflow="fold", min_width=25)
    for name in (
        "false\nfails\nat the\nbound",
        "false\npasses\nat the\nbound",
        "\nfalse\nfails,\nhealthy",
        "\n\npasses,\nhealthy",
        "\n\nfound,\nharmful",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("\n\n\nmarks", no_wrap=True, min_width=6)
    for entry in records.entries:
        by_mark = {s.mark: s for s in standings([entry])}
        rates = [_count(by_mark[mark]) for mark in SHOWN]
        verdict = "broke" if _broken(entry) else BRIEFLY[is_qualified([entry])]
        table.add_row(f"{entry.check}\n  {entry.fault}", *rates, verdict)
    return table


def power_curve(entries: Iterable[Entry]) -> Curve:
    """Return the share of repetitions that fail, by planted value, with Clopper-Pearson bands."""
    known = tuple(entries)
    assert known, "a curve of no entry"
    return Curve(
        title=f"How often {known[0].check} finds its planted fault",
        x=Axis("planted value", known[0].unit),
        y=Axis("share of repetitions with the verdict fail"),
        series=tuple(_power_series(entry) for entry in known),
    )


def _power_series(entry: Entry) -> Series:
    tallies: dict[float, Tally] = {}
    for rung in entry.rungs:
        tallies[rung.severity] = tallies.get(rung.severity, Tally()) + rung.tally
    found = {severity: tally for severity, tally in sorted(tallies.items()) if tally.n}
    intervals = [clopper_pearson(tally.fails, tally.n) for tally in found.values()]
    return Series(
        name=entry.fault,
        x=tuple(found),
        y=tuple(tally.fails / tally.n for tally in found.values()),
        low=tuple(interval.low for interval in intervals),
        high=tuple(interval.high for interval in intervals),
    )


def _kind_section(kind: Kind, records: Records) -> str:
    entries = [e for e in records.entries if e.kind == kind]
    subjects = {b.subject for e in entries for r in e.rungs for b in r.batches}
    parts = [f"## {str(kind).capitalize()}\n"]
    if subjects:
        parts.append(f"Planted on {', '.join(sorted(subjects))}.\n")
    if entries:
        parts += [_marks_table(entries), "### Power by planted value\n", _power_table(entries)]
    for suite in records.suites:
        if suite.kind == kind:
            parts.append(_suite_section(suite))
    crossings = [c for c in records.crossings if c.kind == kind]
    if crossings:
        parts.append(_crossings_section(crossings))
    return "\n".join(parts)


def _marks_table(entries: Sequence[Entry]) -> str:
    header = (
        "check", "fault", "n", "false fails at the bound", "false passes at the bound",
        "false alarms, healthy", "passes, healthy", "found, harmful", "bias", "coverage", "named",
        "standing",
    )  # fmt: skip
    rows: list[Sequence[str]] = []
    for entry in entries:
        by_mark = {s.mark: s for s in standings([entry])}
        whole, harmful = _whole(entry), entry.tally("harmful")
        n = f"{entry.n:,}" + ("" if len(entry.promised) == len(ALL_PROMISES) else " (n)")
        cells = [_rate(by_mark[mark]) for mark in SHOWN]
        rows.append(
            (
                f"`{entry.check}`", f"`{entry.fault}`", n, *cells, _bias(whole),
                _percent(whole.coverage), _percent(harmful.localisation),
                _broken(entry) or WORDS[is_qualified([entry])],
            )
        )  # fmt: skip
    return _table(header, rows)


def _power_table(entries: Sequence[Entry]) -> str:
    rows: list[Sequence[str]] = []
    for entry in entries:
        series = _power_series(entry)
        bound = entry.requirement.bound
        points = [
            f"{x:.3g}{' (bound)' if x == bound else ''}: {_percent(y)}"
            for x, y in zip(series.x, series.y, strict=True)
        ]
        rows.append((f"`{entry.check}`", f"`{entry.fault}`", entry.unit, "; ".join(points)))
    return _table(("check", "fault", "unit", "planted value: verdict fail"), rows)


def _suite_section(suite: Suite) -> str:
    n = sum(batch.n for batch in suite.batches)
    hits = sum(batch.with_false_fail for batch in suite.batches)
    interval = clopper_pearson(hits, n)
    names = sorted({name for batch in suite.batches for name in batch.false_fails})
    by_check = {name: sum(b.false_fails.get(name, 0) for b in suite.batches) for name in names}
    said = ", ".join(f"`{name}` {count}" for name, count in by_check.items() if count)
    return (
        f"### Whole audits of a healthy subject\n\n{hits} of {n} audits by {len(suite.checks)} checks had "
        f"a false fail ({_percent(hits / n)}; {_percent(interval.low)} to {_percent(interval.high)}; mark: at most "
        f"5 %, {decide(ANY_FALSE_FAIL, hits, n)}).{f' By check: {said}.' if said else ''}\n"
    )


def _crossings_section(crossings: Sequence[Crossing]) -> str:
    rows: list[Sequence[str]] = []
    silent = 0
    for _, cells in groupby(crossings, key=lambda c: c.fault):
        for cell in cells:
            n = sum(b.n for b in cell.batches)
            alarms = sum(b.alarms for b in cell.batches)
            without = sum(b.alarms_without for b in cell.batches)
            errors = sum(b.errors for b in cell.batches)
            if alarms <= without and not errors:
                silent += 1
                continue
            why = cell.why or ("it broke" if errors else "**no reason given**")
            found = f"{alarms} of {n} (without the fault {without})"
            rows.append((f"`{cell.fault}`", f"`{cell.check}`", found, why))
    text = (
        "### The faults of others\n\nEach fault at its harmful severity, and the other checks whose "
        f"measurement is cheap: {silent} of {len(crossings)} pairs are silent.\n"
    )
    if rows:
        text += "\n" + _table(("fault", "check that alarms", "alarms", "reason"), rows)
    return text


def _naturals_section(naturals: Sequence[NaturalRecord]) -> str:
    header = ("fault", "check", "published truth", "verdict", "measured", "agrees")
    rows = [
        (
            f"`{n.fault}`", f"`{n.check}`", f"{n.where} ({n.source})", n.verdict,
            f"{n.value:.4g} ({n.low:.4g} to {n.high:.4g}), n = {n.n:,}"
            if n.value is not None and n.low is not None and n.high is not None and n.n is not None
            else n.reason,
            "yes" if n.verdict in n.expected else f"**no**, expected {' or '.join(n.expected)}",
        )
        for n in naturals
    ]  # fmt: skip
    return "## Natural faults\n\nPublished data with known defects.\n\n" + _table(header, rows)


def _whole(entry: Entry) -> Tally:
    return entry.tally("clean", "healthy", "bound", "beyond", "harmful", "curve")


def _broken(entry: Entry) -> str:
    whole = _whole(entry)
    return f"**broke** in {whole.errors} of {whole.n}" if whole.errors else ""


def _rate(standing: Standing) -> str:
    if not standing.n:
        return "–"
    interval = clopper_pearson(standing.hits, standing.n)
    return (
        f"{standing.hits} of {standing.n} ({_percent(standing.rate)}; "
        f"{_percent(interval.low)} to {_percent(interval.high)})"
    )


def _count(standing: Standing) -> str:
    return f"{standing.hits}/{standing.n}" if standing.n else "–"


def _bias(tally: Tally) -> str:
    if tally.bias is None:
        return "–"
    if abs(tally.bias) < TOLERANCE:
        return "0"
    error = "" if tally.bias_error is None else f" ± {tally.bias_error:.1g}"
    return f"{tally.bias:+.2g}{error}"


def _percent(share: float | None) -> str:
    if share is None:
        return "–"
    return f"{100 * share:.1f} %" if 0 < share < 1 else f"{100 * share:.0f} %"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
