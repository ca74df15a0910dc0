"""The commands and functions that repair and compare, on real subjects from end to end."""

import json
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from typer.testing import CliRunner

import roadworthy
from roadworthy.cli import app, main

RUNNER = CliRunner()
QUICK = ("--profile", "quick", "--quiet")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")


def table(seed: int, n: int, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4)).astype(np.float32)
    return x, (x[:, 0] + noise * rng.normal(size=n) > 0).astype(np.int64)


def sharp(factor: float) -> roadworthy.Subject:
    """Return a linear model whose logits are this many times too large, on 4,000 test rows."""
    import torch

    model = torch.nn.Linear(4, 2)
    with torch.no_grad():
        model.weight.zero_()
        model.bias.zero_()
        model.weight[1, 0] = 3.4 * factor  # 1.7 / 0.5: nearly the true log odds
    return roadworthy.subject_from(
        model,
        train=table(0, 300),
        validation=table(1, 2_000),
        test=table(2, 4_000),
        recipe=roadworthy.Recipe(epochs=1),
        name=f"factor {factor:g}",
    )


def run(*arguments: str) -> tuple[int, str]:
    found = RUNNER.invoke(app, arguments)
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.output


def failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    import sys

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["roadworthy", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
    assert stopped.value.code == 4
    return capsys.readouterr().err


def test_a_repair_is_proven_saved_read_back_and_compared(tmp_path: Path) -> None:
    before = sharp(4)
    found = roadworthy.fix(
        before, profile="quick", only="temperature_scaling", skip="data_quality", progress=False
    )
    assert found["temperature_scaling"].accepted, found["temperature_scaling"].reason
    assert found.exit_code == 0
    effect = found.effect("temperature_scaling", "calibration_error")
    assert effect.effect == "helped"
    assert effect.difference is not None
    assert effect.difference.high < -0.02
    assert "temperature" in str(found)
    assert len(found.to_frame()) == len(found.fix.effects)
    # A live module has no place where it could be found again.
    with pytest.raises(roadworthy.UserError, match="an object in memory"):
        found.accept("temperature_scaling", tmp_path / "saved")
    with pytest.raises(roadworthy.UserError, match="was not tried"):
        found.accept("dropout", tmp_path / "saved")
    after = found.subjects["temperature_scaling"]
    change = roadworthy.diff(before, after, profile="quick", only="uncertainty", progress=False)
    assert change.exit_code == 0
    assert change["calibration_error"].effect == "helped"
    worse = roadworthy.diff(after, before, profile="quick", only="uncertainty", progress=False)
    assert worse.exit_code == 1
    assert worse.diff.effects[0].effect == "harmed"


def test_the_commands_write_and_show_what_they_found(tmp_path: Path) -> None:
    code, text = run("fix", "digits", "--only", "temperature_scaling", "--skip", "data_quality",
                     "--skip", "generalization", *QUICK, "--out", "mended")  # fmt: skip
    assert code in (0, 1)
    assert "temperature scaling" in text.lower().replace("_", " ")
    written = json.loads((tmp_path / "mended" / "fix.json").read_text())
    assert written["candidates"][0]["mitigation"] == "temperature_scaling"
    assert {e["check"] for e in written["effects"]} >= {"calibration_error", "conformal_shortfall"}
    page = (tmp_path / "mended" / "report.html").read_text()
    assert "calibration" in page
    assert len(page) < 2_000_000
    assert run("report", "mended", "--format", "csv")[1].count("\n") > 3
    again, said = run("fix", "digits", "--only", "temperature_scaling", "--skip", "data_quality",
                      "--skip", "generalization", *QUICK, "--out", "again")  # fmt: skip
    assert again == code
    assert json.loads((tmp_path / "again" / "fix.json").read_text())["computed"] == 0
    assert "temperature" in said.lower()


def test_two_audits_and_three_subjects_are_compared(tmp_path: Path) -> None:
    for name, factor in (("one", 1), ("two", 4)):
        report = roadworthy.audit(
            sharp(factor), profile="quick", only="uncertainty", progress=False
        )
        report.save(tmp_path / name)
    code, text = run("diff", "one", "two", "--format", "markdown", "--out", "change")
    assert code == 1
    assert "calibration_error" in text or "calibration error" in text.lower()
    assert (tmp_path / "change" / "junit.xml").is_file()
    assert run("report", "change", "--format", "json")[1].startswith("{")
    code, text = run("diff", "one", "two", "one", "--format", "latex")
    assert code == 0
    assert "\\toprule" in text
    assert run("diff", "one", "two", "one", "--format", "csv")[1].count("\n") > 5
    for folder in ("old", "new"):  # audits of one name in folders of one name
        copytree(tmp_path / "one", tmp_path / folder / "run")
    _, text = run("diff", "old/run", "new/run", "--format", "markdown")
    assert "(old/run)" in text
    assert "(new/run)" in text
    table = roadworthy.compare(
        [sharp(1), sharp(2), sharp(4)], only="calibration_error", progress=False
    )
    assert "calibration" in str(table).lower()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fix", "digits", "--only", "temperatur_scaling"), 'Did you mean "temperature_scaling"'),
        (("fix", "digits", "--only", "dropout", "--accept", "dropuot"), "dropout"),
        (("diff", "digits"), "two or more"),
        (("diff", "digits", "nowhere"), "nowhere"),
    ],
)
def test_mistakes_are_told_before_anything_is_computed(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert said in failure(capsys, *arguments)


def test_an_audit_and_a_subject_cannot_be_compared(capsys: pytest.CaptureFixture[str]) -> None:
    roadworthy.audit(sharp(1), profile="quick", only="error_rate", progress=False).save("one")
    assert "Give two audits, or two subjects" in failure(capsys, "diff", "one", "digits")


def test_without_validation_rows_nothing_can_be_chosen() -> None:
    x, y = table(0, 60)
    subject = roadworthy.subject_from(None, train=(x, y), test=(x, y), name="two splits")
    without = roadworthy.Subject(
        **{
            **vars(subject),
            "splits": {n: s for n, s in subject.splits.items() if n != "validation"},
        }
    )
    with pytest.raises(roadworthy.UserError, match="validation"):
        roadworthy.fix(without, profile="quick", only="dropout", progress=False)


def test_what_was_not_accepted_is_said_and_the_others_are_saved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "subject.py").write_text(
        "import numpy as np, torch, roadworthy\n"
        "def rows(seed, n):\n"
        "    rng = np.random.default_rng(seed)\n"
        "    x = rng.normal(size=(n, 4)).astype(np.float32)\n"
        "    return x, (x[:, 0] + 0.5 * rng.normal(size=n) > 0).astype(np.int64)\n"
        "def build():\n"
        "    return torch.nn.Linear(4, 2)\n"
        "def subject():\n"
        "    weight = torch.zeros(2, 4)\n"
        "    weight[1, 0] = 13.6  # four times too sure\n"
        "    state = {'weight': weight, 'bias': torch.zeros(2)}\n"
        "    return roadworthy.subject_from(build, weights=state, train=rows(0, 300), validation=rows(1, 2000),\n"
        "        test=rows(2, 4000), name='sharp', recipe=roadworthy.Recipe(epochs=1))\n"
    )
    said = failure(
        capsys, "fix", "subject.py:subject", "--only", "temperature_scaling,abstention,one_unit_per_column",
        "--skip", "data_quality,generalization,data_quantity,hyperparameters", "--seeds", "2", "--out", "f",
        "--accept", "one_unit_per_column", "--accept", "temperature_scaling", *QUICK,
    )  # fmt: skip
    assert "--accept one_unit_per_column: one_unit_per_column does not apply here" in said
    assert "Accepted: abstention, temperature_scaling" in said
    assert (tmp_path / "f" / "accepted" / "temperature_scaling" / "subject.json").is_file()
    # A threshold is found on the answers that it is for: temperature first, abstention after it.
    effects = json.loads((tmp_path / "f" / "fix.json").read_text())["effects"]
    unanswered = {e["mitigation"]: e["after"] for e in effects if e["check"] == "unanswered"}
    assert unanswered["temperature_scaling + abstention"] == pytest.approx(unanswered["abstention"], abs=0.05)  # fmt: skip


def test_a_rejected_repair_is_refused_with_the_reason(tmp_path: Path) -> None:
    found = roadworthy.fix(
        sharp(1), profile="quick", only="temperature_scaling", seeds=2, progress=False,
        skip=("data_quality", "generalization", "data_quantity", "hyperparameters"),
    )  # fmt: skip
    said = "temperature_scaling was tried and rejected, so there is no repaired model to save"
    with pytest.raises(roadworthy.UserError, match=said) as refused:
        found.accept("temperature_scaling", tmp_path / "saved")
    assert found["temperature_scaling"].reason.rstrip(".") in str(refused.value)
    late = replace(found["temperature_scaling"], state="not_run", reason="the budget was used up")
    unfinished = replace(found, fix=replace(found.fix, candidates=(late,)))
    with pytest.raises(roadworthy.UserError, match=r"to save\. The budget was used up\."):
        unfinished.accept("temperature_scaling", tmp_path / "saved")


def test_a_run_that_is_not_there_is_told_with_those_that_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = roadworthy.audit(sharp(1), profile="quick", only="error_rate", progress=False)
    report.save("runA")
    report.save("roadworthy-runs/older")
    said = failure(capsys, "diff", "runA", "runB")
    assert "neither the folder of a run nor a subject of this name" in said
    assert "Finished audits here: runA, roadworthy-runs/older" in said
