"""JUnit: what a build server makes of an audit, read by junitparser."""

import pytest
import synthetic_audits as made
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase

from roadworthy.reports import junit

KINDS = {"fail": Failure, "error": Error, "inconclusive": Skipped, "not_run": Skipped}


def cases_of(text: str) -> dict[str, TestCase]:
    return {case.name: case for suite in JUnitXml.fromstring(text.encode()) for case in suite}


def test_the_file_is_as_it_was(golden) -> None:
    golden("full.junit.xml", junit(made.full()))


def test_every_finding_is_a_test_with_the_outcome_of_its_verdict() -> None:
    cases = cases_of(junit(made.full()))
    assert len(cases) == len(made.findings())
    for finding in made.findings():
        outcome = [type(result) for result in cases[finding.check].result]
        expected = KINDS.get(finding.verdict)
        assert outcome == ([expected] if expected else []), finding.check


def test_what_is_skipped_says_why() -> None:
    cases = cases_of(junit(made.full()))
    for finding in made.findings():
        if finding.verdict in ("inconclusive", "not_run"):
            (skipped,) = cases[finding.check].result
            assert skipped.type == finding.reason_code
            assert finding.reason_code in skipped.message


def test_counts_of_suites_are_those_of_their_cases() -> None:
    read = JUnitXml.fromstring(junit(made.full()).encode())
    said = (read.tests, read.failures, read.errors, read.skipped)
    assert said == (18, 3, 1, 11)  # 5 inconclusive and 6 not run
    read.update_statistics()
    assert said == (read.tests, read.failures, read.errors, read.skipped)


def test_an_error_carries_its_traceback() -> None:
    (broke,) = cases_of(junit(made.full()))["selective_risk"].result
    assert "ZeroDivisionError" in broke.text


@pytest.mark.parametrize("letter", ["\x00", "\x1b", "\ufffe", "\ud800", "<", "&", '"'])
def test_letters_that_xml_does_not_have_do_not_break_the_file(letter: str) -> None:
    from dataclasses import replace

    finding = replace(made.findings()[0], title=f"a{letter}b", details=f"c{letter}d")
    text = junit(made.audit_of((finding,)))
    assert list(cases_of(text)) == ["label_errors"]


def test_an_audit_of_nothing_is_a_file_of_no_tests() -> None:
    assert JUnitXml.fromstring(junit(made.empty()).encode()).tests == 0
