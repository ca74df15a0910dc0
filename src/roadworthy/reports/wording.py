"""How results are said in words: verdicts, numbers with their units, status, dates.

One place, so that page, terminal, pull request and test runner say the same of the same finding.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import floor, log10

from roadworthy.results import Audit, Finding, Record, Requirement, SubjectSummary, Verdict


@dataclass(frozen=True)
class Look:
    """A verdict as readers meet it: never by colour alone."""

    word: str
    symbol: str
    ascii: str
    meaning: str


LOOKS: Mapping[Verdict, Look] = {
    "fail": Look("Fail", "✗", "x", "the whole interval lies on the wrong side of the bound"),
    "error": Look("Error", "!", "!", "the check itself broke; it says nothing about the subject"),
    "inconclusive": Look(
        "Inconclusive", "?", "?", "the data do not decide; neither good nor bad is shown"
    ),
    "pass": Look("Pass", "✓", "+", "the whole interval lies on the allowed side of the bound"),
    "note": Look("Note", "i", "i", "a description to read; nothing is required"),
    "not_run": Look("Not run", "–", "-", "nothing was measured, for the reason given"),
}
ORDER: tuple[Verdict, ...] = tuple(LOOKS)  # worst first

REASONS: Mapping[str, str] = {
    "straddles": "the interval reaches over the bound",
    "insufficient_n": "too few examples",
    "too_few_seeds": "too few trainings",
    "unreliable": "the measurement is not reliable here",
    "not_qualified": "this check has not proved itself here",
    "missing_input": "an input is missing",
    "missing_recipe": "no training recipe was given",
    "not_applicable": "does not apply here",
    "budget": "the time budget was spent",
    "interrupted": "the run was interrupted",
    "dependency_failed": "something it needs broke",
}

EXIT: Mapping[int, str] = {
    0: "nothing stands in the way at the chosen gate",
    1: "at least one check fails",
    2: "a required check is undecided",
    3: "a check broke",
    4: "the input could not be used",
}

MOST_DECIMALS = 6
SHORT_UNIT = 12  # letters that still stand beside a number at a glance


@dataclass(frozen=True)
class Quantity:
    """A finding's number in words, all parts in one unit and to one precision."""

    value: str
    low: str
    high: str
    bound: str
    unit: str
    exact: bool
    scale: float

    @property
    def with_unit(self) -> str:
        """The value and its unit: "8.1 % of test rows"."""
        return join_unit(self.value, self.unit)

    @property
    def glance(self) -> str:
        """The value with its unit where that is short: "8.1 %", "12 rows", "0.914"."""
        if self.unit.startswith("%"):
            return join_unit(self.value, "%")
        return self.with_unit if len(self.unit) <= SHORT_UNIT else self.value


def quantity(finding: Finding) -> Quantity | None:
    """Say a finding's number; shares become percentages, digits follow the interval's width.

    Returns None where nothing was measured.
    """
    if finding.value is None or finding.low is None or finding.high is None:
        return None
    scale, unit = percent_unit(finding.unit or "")
    value, low, high = (scale * v for v in (finding.value, finding.low, finding.high))
    bound = None if finding.requirement is None else scale * finding.requirement.bound
    exact = low == high
    decimals = decimals_for(value, low, high, bound)
    return Quantity(
        value=number(value, decimals),
        low=number(low, decimals),
        high=number(high, decimals),
        bound="" if bound is None else plain(bound),
        unit=unit,
        exact=exact,
        scale=scale,
    )


def percent_unit(unit: str) -> tuple[float, str]:
    """Give the factor and the words that a unit is shown in: "share of rows" is "% of rows"."""
    if unit == "share" or unit.startswith("share of "):
        return 100.0, "%" + unit.removeprefix("share")
    return 1.0, unit


def number(value: float, decimals: int) -> str:
    """Write a number to fixed decimals, with thousands separated and a real minus sign."""
    if 1e-9 <= abs(value) < 10**-MOST_DECIMALS:  # nearer to 0 it is the dust of arithmetic
        return f"{value:.1e}".replace("-", "−")
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.removeprefix("-")
    return text.replace("-", "−")


def plain(value: float | int | None) -> str:
    """Write a number as it is, to six significant digits."""
    if value is None:
        return "–"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}".replace("-", "−")
    text = f"{value:,.6g}" if abs(value) >= 1e-4 else f"{value:.3g}"
    return text.replace("-", "−")


def join_unit(value: str, unit: str) -> str:
    """Put a number and its unit together with a space that does not break."""
    return f"{value}\u00a0{unit}" if unit else value


def requirement_words(requirement: Requirement, unit: str = "") -> str:
    """Say a requirement: "at most 5 %"."""
    scale, shown = percent_unit(unit)
    short = "%" if shown.startswith("%") else ""
    direction = "at most" if requirement.direction == "at_most" else "at least"
    return f"{direction} {join_unit(plain(scale * requirement.bound), short)}"


def interval_words(finding: Finding) -> str:
    """Say the interval: "95 % interval 6.0 to 11.0 %", or that no chance is involved."""
    said = quantity(finding)
    if said is None:
        return ""
    if said.exact:
        return "counted exactly; no chance is involved"
    level = plain(100 * (finding.level or 0.95))
    percent = "\u00a0%" if said.unit.startswith("%") else ""
    return f"{level}\u00a0% interval {said.low} to {said.high}{percent}"


def number_line(finding: Finding) -> str:
    """Say value, interval and bound in one line; empty where nothing was measured."""
    said = quantity(finding)
    if said is None:
        return ""
    parts = f"{said.with_unit} ({interval_words(finding)})"
    if finding.requirement is None:
        return parts
    return f"{parts}; must be {requirement_words(finding.requirement, finding.unit or '')}"


def short_number_line(finding: Finding) -> str:
    """Say the number line as briefly as a list needs: "0.02 % of rows (0.00 to 0.11), at most 1 %"."""
    said = quantity(finding)
    if said is None:
        return ""
    interval = "" if said.exact else f" ({said.low} to {said.high})"
    if finding.requirement is None:
        return f"{said.with_unit}{interval}"
    bound = requirement_words(finding.requirement, finding.unit or "")
    return f"{said.with_unit}{interval}, {bound}"


def reason_words(finding: Finding) -> str:
    """Say a reason code in words, "" where there is none."""
    return REASONS[finding.reason_code] if finding.reason_code else ""


def why(finding: Finding) -> str:
    """Say why a finding has its verdict, in a sentence that does not repeat its numbers."""
    if finding.value is not None and finding.reason_code in (None, "straddles"):
        # The reason states the measurement once more; wherever this is said the number stands beside.
        look = LOOKS[finding.verdict].meaning
        return sentence(reason_words(finding) or (look if finding.verdict != "note" else ""))
    return sentence(finding.reason or reason_words(finding))


def told(finding: Finding) -> str:
    """Say what was found where a check fails, why and what was found where it decides nothing, else why."""
    if finding.verdict == "fail":
        return sentence(finding.details)
    if finding.verdict == "inconclusive":
        return f"{why(finding)} {sentence(finding.details)}".strip()
    return why(finding)


HOPELESS = 100  # times the examples at hand: what nobody will collect needs no exact number


def examples_words(finding: Finding) -> str:
    """Say how many more examples would decide, "" where that is unknown."""
    needed, now = finding.examples_needed, finding.n
    if needed is None or finding.verdict != "inconclusive":
        return ""
    if now is None or needed <= now:
        return f"About {counted(needed, 'example')} would decide."
    if needed > HOPELESS * now:
        return f"More than {HOPELESS} times as many examples would be needed to decide."
    more = counted(needed - now, "more example")
    return f"About {more} would decide ({needed:,} in all, {now:,} now)."


def record_words(record: Record | None) -> str:
    """Say what the self-test knows of the check on subjects like this one."""
    if record is None:
        return (
            "Not qualified here: the self-test has no record of this check on subjects like this."
        )
    state = {
        True: "Qualified here",
        False: "Missed its own faults here",
        None: "Not qualified here",
    }
    return f"{state[record.qualified]}: {sentence(record.summary)}"


def record_rates(record: Record) -> tuple[tuple[str, str], ...]:
    """Name each rate of a record that is known, with its number."""
    rates = (
        ("false fails on the bound", record.false_fail_at_bound),
        ("false passes on the bound", record.false_pass_at_bound),
        ("false fails when healthy", record.false_fail_healthy),
        ("passes when healthy", record.pass_healthy),
        ("harmful cases detected", record.detected_harmful),
    )
    known = tuple(
        (name, f"{number(100 * rate, 1)}\u00a0%") for name, rate in rates if rate is not None
    )
    return (*known, ("repetitions", f"{record.repetitions:,}"), ("subjects", record.subject_kind))


def headline(audit: Audit) -> tuple[Verdict, str]:
    """Give the audit's state and say it in one sentence."""
    counts = count_verdicts(audit.findings)
    decided = counts["pass"] + counts["fail"]
    if counts["fail"]:
        failing = "fails" if counts["fail"] == 1 else "fail"
        return "fail", f"{counts['fail']} of {counted(decided, 'decided check')} {failing}."
    if counts["error"]:
        return (
            "error",
            f"{counted(counts['error'], 'check')} broke; nothing that was decided fails.",
        )
    if not decided:
        return "inconclusive", "Nothing was decided."
    undecided = sum(f.verdict == "inconclusive" and f.required for f in audit.findings)
    if undecided:
        verb = "is" if undecided == 1 else "are"
        return (
            "inconclusive",
            f"Nothing fails; {counted(undecided, 'required check')} {verb} undecided.",
        )
    if not audit.complete:
        return "inconclusive", f"Nothing fails so far; {counted(decided, 'check')} decided."
    return "pass", "The one decided check passes." if decided == 1 else (
        f"All {decided} decided checks pass."
    )


def exit_words(audit: Audit) -> str:
    """Say the exit status."""
    return f"Exit status {audit.exit_code}: {EXIT.get(audit.exit_code, 'unknown')}."


def incomplete_words(audit: Audit) -> str:
    """Say that the audit is a part only, "" where it is whole."""
    if audit.complete:
        return ""
    stopped = sum(f.reason_code in ("budget", "interrupted") for f in audit.findings)
    return (
        f"This is a part of an audit: it was stopped or ran out of its budget, and "
        f"{counted(stopped, 'check')} did not run. Running it again goes on from here."
    )


def multiplicity_words(audit: Audit) -> tuple[str, ...]:
    """Say what many verdicts at once mean, in a few sentences."""
    many = audit.multiplicity
    if not many.decided:
        return ("No check was decided, so there is nothing to correct for.",)
    failing = [f.check for f in audit.findings if f.verdict == "fail"]
    luck = (
        f"{counted(many.decided, 'check')} {'was' if many.decided == 1 else 'were'} decided. "
        f"Were {'it' if many.decided == 1 else 'each of them'} exactly on its bound, about {many.expected_false_fails:.2g} would "
        "fail by chance alone; fewer where the truth is better than that."
    )
    if not failing:
        return luck, "Nothing fails, so there is nothing to correct for."
    kept = [name for name in failing if name in many.surviving]
    lost = [name for name in failing if name not in many.surviving]
    says = [
        luck,
        f"{len(kept)} of {counted(len(failing), 'fail')} "
        f"{'remains' if len(kept) == 1 else 'remain'} after a correction over the whole run"
        f"{': ' + ', '.join(kept) if kept else ''}.",
    ]
    if lost:
        says.append(
            f"Only a lead, to be confirmed on new data: {', '.join(lost)}. "
            "Alone it would count; among so many checks it may be luck."
        )
    return (*says, f"Method: {sentence(many.method)}")


def count_verdicts(findings: Iterable[Finding]) -> dict[Verdict, int]:
    """Count the findings of each verdict, worst first, zeros included."""
    counts = dict.fromkeys(ORDER, 0)
    for finding in findings:
        counts[finding.verdict] += 1
    return counts


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Order findings by verdict, fails that survive the correction first; stable within."""
    return sorted(findings, key=lambda f: (ORDER.index(f.verdict), f.survives_correction is False))


def task_words(subject: SubjectSummary) -> str:
    """Say what the model does: "Classification into 10 classes"."""
    if subject.task in ("binary", "multiclass", "classification") and subject.classes:
        return f"Classification into {counted(len(subject.classes), 'class', 'classes')}"
    return sentence(subject.task).rstrip(".")


def challenge_words(challenge: str) -> str:
    """Say a challenge's name: "data_quality" is "Data quality"."""
    return sentence(challenge.replace("_", " ")).rstrip(".")


def counted(count: int, noun: str, plural: str = "") -> str:
    """Say a count with its noun in the right number: "1 check", "12 checks"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def date_words(started: str) -> str:
    """Say an ISO date and time as "2 January 2026, 12:00 UTC"; anything else as it stands."""
    try:
        moment = datetime.fromisoformat(started)
    except ValueError:
        return started
    zone = f" {moment.tzname()}" if moment.tzname() else ""
    return f"{moment.day} {moment:%B %Y, %H:%M}{zone}"


def seconds_words(seconds: float) -> str:
    """Say a duration: "41 s", "3 min 20 s"."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def p_words(p_value: float) -> str:
    """Say a p-value: "p = 0.03", "p < 0.0001"."""
    return f"p = {p_value:.2g}" if p_value >= 1e-4 else "p < 0.0001"


def sentence(text: str) -> str:
    """Begin a text with a capital and end it with a full stop."""
    text = text.strip()
    if not text:
        return ""
    stop = "" if text[-1] in ".!?:" else "."
    # The name of a column or an option is not a word to be spelled otherwise.
    first = text.split(maxsplit=1)[0]
    begin = text[0] if "_" in first or first.startswith("-") else text[0].upper()
    return begin + text[1:] + stop


def decimals_for(value: float, low: float, high: float, bound: float | None) -> int:
    """Choose decimals: two digits of the interval's width, more while rounding hides the bound's side."""
    width = high - low
    if width <= 0:
        text = f"{abs(value):.3g}"
        least = len(text.partition(".")[2]) if "e" not in text else MOST_DECIMALS
    else:
        least = max(0, 1 - floor(log10(width)))
    for decimals in range(least, MOST_DECIMALS + 1):
        if bound is None or all(
            v == bound or round(v, decimals) != round(bound, decimals) for v in (value, low, high)
        ):
            return decimals
    return min(least, MOST_DECIMALS)
