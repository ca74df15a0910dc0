"""The audit procedure: isolation, judgement, gate, and nothing computed twice."""

from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from roadworthy.engine import Registry, Store, check
from roadworthy.errors import NotApplicable, UserError
from roadworthy.procedures.audit import Request, audit, exit_code
from roadworthy.procedures.stored import STORED
from roadworthy.results import AtMost, Finding, Measurement, Record
from roadworthy.statistics import rate
from roadworthy.subject import Split, Subject, Task, subject_from

SEED = 7


@check(challenge="toy", requires=AtMost(0.2, "test"), least=10)
def share_wrong(test_predicted: np.ndarray, test_labels: np.ndarray) -> Measurement:
    """Share of wrong answers.

    Unit: share of rows.
    Next: answer better.
    """
    return rate(int((test_predicted != test_labels).sum()), len(test_labels), unit="share of rows")


@check(challenge="toy", requires=AtMost(0.2, "test"))
def breaks(test_labels: np.ndarray) -> Measurement:
    """Raise."""
    raise ZeroDivisionError("the check itself is wrong")


@check(challenge="toy", requires=AtMost(0.2, "test"))
def cannot(test_labels: np.ndarray) -> Measurement:
    """Say that there is nothing to measure."""
    raise NotApplicable("there is nothing to measure")


@check(challenge="other")
def describes(test_labels: np.ndarray) -> Measurement:
    """Describe without requiring."""
    return rate(1, len(test_labels), unit="share of rows")


@check(challenge="other", requires=AtMost(0.2, "test"))
def wants_groups(test_sensitive: object) -> Measurement:
    """Need a role that nobody has."""
    raise AssertionError("never called")


def subject(wrong: int, n: int = 400) -> Subject:
    labels = np.zeros(n, np.int64)
    predicted = labels.copy()
    predicted[:wrong] = 1
    split = Split(None, labels, recorded={"predicted": predicted})
    return Subject("toy", Task("binary", ("no", "yes"), 1), "predictions", {"test": split})


def registry() -> Registry:
    return Registry.of(share_wrong, breaks, cannot, describes, wants_groups)


def findings(wrong: int, n: int = 400, **request: object) -> dict[str, Finding]:
    run = audit(
        subject(wrong, n),
        registry(),
        store=Store(None, records=STORED),
        request=Request(**request),  # pyright: ignore
    )
    return {finding.check: finding for finding in run.audit.findings}


def test_a_check_that_raises_is_an_error_and_the_rest_is_decided() -> None:
    found = findings(wrong=8)
    assert found["breaks"].verdict == "error"
    assert "ZeroDivisionError" in (found["breaks"].traceback or "")
    assert found["share_wrong"].verdict == "pass"


@pytest.mark.parametrize(("wrong", "verdict"), [(8, "pass"), (80, "inconclusive"), (160, "fail")])
def test_the_verdict_follows_from_the_interval_and_the_bound(wrong: int, verdict: str) -> None:
    assert findings(wrong)["share_wrong"].verdict == verdict


def test_below_its_least_n_a_check_is_never_judged() -> None:
    found = findings(wrong=9, n=9)["share_wrong"]
    assert (found.verdict, found.reason_code) == ("inconclusive", "insufficient_n")


def test_absence_has_a_reason_and_never_a_number() -> None:
    found = findings(wrong=8)
    assert (found["cannot"].verdict, found["cannot"].reason_code) == ("not_run", "not_applicable")
    assert found["wants_groups"].reason_code == "missing_input"
    assert "--sensitive" in found["wants_groups"].reason
    assert found["cannot"].value is None


def test_a_check_without_requirement_is_a_note() -> None:
    assert findings(wrong=8)["describes"].verdict == "note"


def test_a_requirement_of_the_user_takes_the_place_of_the_check_s_own() -> None:
    strict = AtMost(0.001, "roadworthy.toml")
    assert findings(wrong=8, requirements={"share_wrong": strict})["share_wrong"].verdict == "fail"


def test_adding_a_check_changes_no_other_verdict() -> None:
    alone = findings(wrong=80, only=("share_wrong",))["share_wrong"]
    among = findings(wrong=80)["share_wrong"]
    assert replace(alone, seconds=0.0) == replace(among, seconds=0.0)


def test_only_and_skip_name_challenges_or_checks_and_refuse_the_rest() -> None:
    assert set(findings(8, only=("other",))) == {"describes", "wants_groups"}
    assert "breaks" not in findings(8, skip=("breaks",))
    with pytest.raises(UserError, match=r'--only names "tory".*"toy"'):
        findings(8, only=("tory",))
    with pytest.raises(UserError, match="leave no check"):
        findings(8, only=("toy",), skip=("toy",))


def test_a_pass_of_a_check_that_misses_its_own_fault_is_not_shown_as_green() -> None:
    blind = Record("toy", 100, None, None, None, None, 0.1, False, "it is blind", blind=True)
    run = audit(
        subject(8),
        registry(),
        store=Store(None, records=STORED),
        request=Request(only=("share_wrong",)),
        record_for=lambda _: blind,
    )
    (finding,) = run.audit.findings
    assert (finding.verdict, finding.reason_code) == ("inconclusive", "not_qualified")
    assert "blind" in finding.reason


def test_what_was_computed_is_not_computed_again(tmp_path: object) -> None:
    store = Store(tmp_path, records=STORED)  # pyright: ignore
    request = Request(only=("share_wrong", "describes"))
    first = audit(subject(80), registry(), store=store, request=request).audit
    second = audit(subject(80), registry(), store=store, request=request).audit
    assert first.computed > 0
    assert second.computed == 0
    assert [f.value for f in first.findings] == [f.value for f in second.findings]


FAIL, BROKE, OPEN, GOOD = (
    Finding("a", "toy", "", verdict, "", requirement=AtMost(1, ""))
    for verdict in ("fail", "error", "inconclusive", "pass")
)
LATE = Finding("b", "toy", "", "not_run", "", reason_code="budget")
LACKING = Finding("c", "toy", "", "not_run", "", reason_code="missing_input")
ALL = ("fail", "error", "undecided")


@pytest.mark.parametrize("softmax", [True, False])
def test_a_network_that_gives_probabilities_is_told(softmax: bool) -> None:
    layers = [nn.Linear(3, 2), nn.Softmax(dim=1)]
    given = subject_from(
        nn.Sequential(*layers[: 1 + softmax]).eval(),
        train=(np.eye(3, dtype=np.float32), np.array([0, 1, 0])),
        test=(np.eye(3, dtype=np.float32), np.array([0, 1, 1])),
    )
    request = Request(only=("error_rate",))
    found = audit(given, Registry.discover(), store=Store(None, records=STORED), request=request)
    notes = " ".join(found.audit.subject.notes)
    assert ("probabilities, not logits" in notes) is softmax


@pytest.mark.parametrize(
    ("found", "fail_on", "code"),
    [
        ([GOOD], ALL, 0),
        ([GOOD, LACKING], ALL, 0),
        ([GOOD, OPEN], ALL, 2),
        ([GOOD, LATE], ALL, 2),
        ([OPEN, BROKE], ALL, 3),
        ([OPEN, BROKE, FAIL], ALL, 1),
        ([OPEN, FAIL], ("error",), 0),
        ([OPEN, FAIL], (), 0),
        ([OPEN, FAIL], ("undecided",), 2),
    ],
)
def test_the_exit_code_is_the_first_that_applies(
    found: list[Finding], fail_on: tuple[str, ...], code: int
) -> None:
    assert exit_code(found, fail_on) == code


@check(challenge="toy", requires=AtMost(0.2, "test"))
def is_given_nonsense(test_labels: np.ndarray) -> Measurement:
    """Meet a mistake in the input."""
    raise UserError("The model gives NaN for row 3. Mend the model.")


def test_a_mistake_that_shows_late_is_the_user_s_and_the_rest_is_kept() -> None:
    run = audit(
        subject(8),
        Registry.of(share_wrong, is_given_nonsense),
        store=Store(None, records=STORED),
    )
    found = {finding.check: finding for finding in run.audit.findings}
    assert run.audit.exit_code == 4
    assert "Mend the model" in found["is_given_nonsense"].reason
    assert found["is_given_nonsense"].traceback is None
    assert found["share_wrong"].verdict == "pass"
