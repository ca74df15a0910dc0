"""An attack that raises half-way is an error that every reader sees: verdict, exit code, page. Never robustness."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import roadworthy
from roadworthy import cli
from roadworthy.challenges.evasion.raising_faults import attack_that_raises_half_way
from roadworthy.engine import Registry, Store, artifact, check, compute
from roadworthy.procedures.audit import audit
from roadworthy.results import AtMost, Finding, Measurement
from roadworthy.statistics import rate
from roadworthy.subject import Split, Subject, Task, builtin_subject, fields_of

ROWS = Split(None, np.zeros(20, np.int64), recorded={"predicted": np.zeros(20, np.int64)})
SUBJECT = '''
import numpy as np
import torch
from torch import nn

import roadworthy


class Falling(nn.Module):
    """Answers always, and lets gradients pass a few times."""

    def __init__(self):
        super().__init__()
        self.left = {left}
        self.head = nn.Linear(25, 3)

    def forward(self, inputs):
        if torch.is_grad_enabled():
            self.left -= 1
            if self.left < 0:
                raise RuntimeError("the accelerator fell off the bus")
        return self.head(inputs.flatten(1))


def subject():
    torch.manual_seed(0)
    model = Falling()
    inputs = torch.rand(400, 1, 5, 5)
    labels = model(inputs).argmax(1).numpy()
    test = (inputs.numpy(), labels)
    return roadworthy.subject_from(model, test=test, input_range=(0, 1), name="falling")
'''


@pytest.mark.parametrize("left", [4, 8])
def test_an_attack_that_raises_half_way_ends_in_3_and_the_page_says_what_broke(
    left: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "falling.py").write_text(SUBJECT.format(left=left))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "falling", raising=False)
    given = ["roadworthy", "audit", "falling.py", "--profile", "quick", "--quiet", "--out", "out"]
    monkeypatch.setattr(sys, "argv", [*given, "--only", "adversarial_error"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 3
    (finding,) = json.loads((tmp_path / "out" / "audit.json").read_text())["findings"]
    assert (finding["verdict"], finding["reason_code"], finding["value"]) == ("error", None, None)
    assert "RuntimeError: the accelerator fell off the bus" in finding["reason"]
    assert "in forward" in finding["traceback"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "What broke" in page
    assert "1 check broke" in page
    assert "the accelerator fell off the bus" in page


@pytest.mark.parametrize("severity", [0.0, 1.0])
def test_the_planted_break_is_an_error_and_the_same_model_without_it_a_number(
    severity: float,
) -> None:
    registry = Registry.discover()
    plain = builtin_subject("digits")
    known = compute(registry, fields_of(plain), ["network", "weights"])
    planted = attack_that_raises_half_way(
        plain, severity, known["network"].value, known["weights"].value
    )
    assert (planted is plain) == (severity == 0.0)
    asked = {"only": ("adversarial_error", "errors_left"), "store": None, "progress": False}
    report = roadworthy.audit(planted, profile="quick", **asked)
    findings = {finding.check: finding for finding in report.audit.findings}
    attacked, answered = (findings[name] for name in asked["only"])
    assert answered.value is not None
    if severity:
        assert attacked.verdict == "error"
        assert attacked.value is None
        assert "planted: the model breaks in the middle of an attack" in attacked.reason
        assert report.audit.exit_code == (1 if answered.verdict == "fail" else 3)
    else:
        assert attacked.verdict == "pass"


def test_an_eps_that_is_no_share_is_told_as_the_users_to_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sound.py").write_text(SUBJECT.format(left=10**9))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    given = ["roadworthy", "audit", "sound.py", "--profile", "quick", "--quiet", "--out", "out"]
    monkeypatch.setattr(
        sys, "argv", [*given, "--only", "adversarial_error", "--set", "attack_threat.eps=8"]
    )
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 4
    (finding,) = json.loads((tmp_path / "out" / "audit.json").read_text())["findings"]
    assert finding["verdict"] == "error"
    assert "attack_threat.eps is 8; it is a share of the range" in finding["reason"]


@artifact()
def shared_numbers(task: Task) -> int:
    """Raise, as training may."""
    raise ZeroDivisionError("training broke")


@artifact()
def own_numbers(task: Task) -> int:
    """Raise, as an attack may."""
    raise ZeroDivisionError("the attack broke")


@artifact()
def own_numbers_in_turn(own_numbers: int) -> int:
    """Rest on what broke."""
    return own_numbers


@check(challenge="toy", requires=AtMost(0.2, "test"))
def rests_on_its_own(own_numbers_in_turn: int) -> Measurement:
    """Rest on an artifact of its room.

    Unit: share of rows.
    """
    return rate(own_numbers_in_turn, 10, unit="share of rows")


@check(challenge="toy", requires=AtMost(0.2, "test"))
def rests_on_what_is_shared(shared_numbers: int) -> Measurement:
    """Rest on an artifact of another room.

    Unit: share of rows.
    """
    return rate(shared_numbers, 10, unit="share of rows")


def judged(name: str, monkeypatch: pytest.MonkeyPatch) -> Finding:
    for function, home in (
        (shared_numbers, "stranger.training.loop"),
        (own_numbers, "stranger.attacks.artifacts"),
        (own_numbers_in_turn, "stranger.attacks.artifacts"),
        (rests_on_its_own, "stranger.attacks.checks"),
        (rests_on_what_is_shared, "stranger.attacks.checks"),
    ):
        monkeypatch.setattr(function, "__module__", home)
    registry = Registry.of(
        shared_numbers, own_numbers, own_numbers_in_turn, rests_on_its_own, rests_on_what_is_shared
    )
    subject = Subject("toy", Task("binary", ("no", "yes"), 1), "predictions", {"test": ROWS})
    findings = {f.check: f for f in audit(subject, registry, store=Store(None)).audit.findings}
    return findings[name]


def test_what_breaks_in_the_checks_own_room_is_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged("rests_on_its_own", monkeypatch)
    assert (found.verdict, found.reason_code) == ("error", None)
    assert found.reason == "own_numbers failed: ZeroDivisionError: the attack broke"
    assert "ZeroDivisionError" in (found.traceback or "")


def test_what_breaks_elsewhere_leaves_the_check_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged("rests_on_what_is_shared", monkeypatch)
    assert (found.verdict, found.reason_code) == ("not_run", "dependency_failed")
    assert "training broke" in found.reason
