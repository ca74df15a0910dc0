"""An audit or a diff as JUnit XML: a build server shows checks as it shows tests."""

import re
import xml.etree.ElementTree as ET

from roadworthy.reports import effect_words, wording
from roadworthy.results import Audit, Diff, Effect, Finding

# XML 1.0 has no place for these, not even escaped.
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(audit: Audit) -> str:
    """Write an audit as JUnit XML.

    A fail is a failure, an error an error; inconclusive and not run are skipped with their reason;
    a note is a test that passes. One suite per challenge.
    """
    root = ET.Element("testsuites", name=_clean(f"roadworthy {audit.subject.name}"))
    _count(root, audit.findings)
    for challenge in dict.fromkeys(f.challenge for f in audit.findings):
        findings = tuple(f for f in audit.findings if f.challenge == challenge)
        suite = ET.SubElement(root, "testsuite", name=_clean(challenge))
        suite.set("timestamp", _clean(audit.started))
        _count(suite, findings)
        for finding in findings:
            _case(suite, finding)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def diff_junit(diff: Diff) -> str:
    """Write a diff as JUnit XML.

    Harm that is shown, and not shown to lie within its margin, is a failure; harm that is not ruled out,
    and what was not measured, is skipped with its reason. One suite per challenge.
    """
    root = ET.Element("testsuites", name=_clean(f"roadworthy {diff.after.name}"))
    _count_effects(root, diff.effects)
    for challenge in dict.fromkeys(e.challenge for e in diff.effects):
        effects = tuple(e for e in diff.effects if e.challenge == challenge)
        suite = ET.SubElement(root, "testsuite", name=_clean(challenge))
        suite.set("timestamp", _clean(diff.started))
        _count_effects(suite, effects)
        for effect in effects:
            _effect(suite, effect)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _effect(suite: ET.Element, effect: Effect) -> None:
    name = _clean(f"roadworthy.{effect.challenge}")
    case = ET.SubElement(suite, "testcase", classname=name, name=_clean(effect.check))
    said = _clean(effect_words.spoken(effect))
    match effect_words.state_of(effect):
        case "harmed":
            ET.SubElement(case, "failure", message=said, type="harmed").text = _clean(effect.title)
        case "open" | "not_measured" as state:
            ET.SubElement(case, "skipped", message=said, type=state).text = _clean(effect.title)
        case _:
            ET.SubElement(case, "system-out").text = said


def _count_effects(element: ET.Element, effects: tuple[Effect, ...]) -> None:
    counts = effect_words.count_states(effects)
    element.set("tests", str(len(effects)))
    element.set("failures", str(counts["harmed"]))
    element.set("errors", "0")
    element.set("skipped", str(counts["open"] + counts["not_measured"]))


def _case(suite: ET.Element, finding: Finding) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=_clean(f"roadworthy.{finding.challenge}"),
        name=_clean(finding.check),
        time=f"{finding.seconds or 0:.3f}",
    )
    told = _clean(_message(finding))
    text = _clean(_text(finding))
    match finding.verdict:
        case "fail":
            ET.SubElement(case, "failure", message=told, type="fail").text = text
        case "error":
            broke = ET.SubElement(case, "error", message=told, type="error")
            broke.text = _clean(finding.traceback or finding.reason)
        case "inconclusive" | "not_run":
            code = finding.reason_code or finding.verdict
            ET.SubElement(case, "skipped", message=told, type=code).text = text
        case "pass" | "note":
            ET.SubElement(case, "system-out").text = text


def _message(finding: Finding) -> str:
    word = wording.LOOKS[finding.verdict].word
    code = f" ({finding.reason_code})" if finding.reason_code else ""
    said = wording.number_line(finding) if finding.verdict == "fail" else wording.why(finding)
    return f"{word}{code}: {said}"


def _text(finding: Finding) -> str:
    lines = (
        finding.title,
        wording.number_line(finding),
        wording.sentence(finding.details),
        wording.examples_words(finding),
        f"Next: {wording.sentence(finding.next)}" if finding.next else "",
    )
    return "\n".join(line for line in lines if line)


def _count(element: ET.Element, findings: tuple[Finding, ...]) -> None:
    counts = wording.count_verdicts(findings)
    element.set("tests", str(len(findings)))
    element.set("failures", str(counts["fail"]))
    element.set("errors", str(counts["error"]))
    element.set("skipped", str(counts["inconclusive"] + counts["not_run"]))
    element.set("time", f"{sum(f.seconds or 0 for f in findings):.3f}")


def _clean(text: str) -> str:
    return FORBIDDEN.sub("\ufffd", text)
