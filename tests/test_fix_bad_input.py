"""Bad input to `fix` and `diff`: what can be tried is tried and said, the rest is one message in the user's words."""

import errno
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import roadworthy
from roadworthy import Recipe, Subject, UserError, cli, subject_from
from roadworthy.effect_reports import FixReport
from roadworthy.engine import Registry
from roadworthy.engine.temporary import Temporary
from roadworthy.procedures.fix import MEANS
from roadworthy.procedures.fix import run as run_of_fix
from roadworthy.results import Candidate
from roadworthy.subject import Network, Split, Task
from roadworthy.subject.blueprint import trusted
from roadworthy.subject.saved import save_subject

USAGE_ERROR = 4
# Whatever checks there are: two are enough to be repaired and harmed.
SKIPPED = tuple(sorted({*Registry.discover().checks} - {"calibration_error", "wrong_decisions"}))
QUICK = ("--profile", "quick", "--quiet", "--skip", ",".join(SKIPPED))
COOLER = "temperature_scaling"

Pair = tuple[np.ndarray, np.ndarray]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    # No time for resamples: the jackknife, whatever the speed of the machine.
    few = replace(MEANS["quick"], seconds=0.0)
    monkeypatch.setattr(run_of_fix, "MEANS", {**MEANS, "quick": few})


def table(seed: int, n: int, classes: int = 0) -> Pair:
    """Return rows whose first column decides; with `classes`, each class in turn."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4)).astype(np.float32)
    if classes:
        return x, (np.arange(n) % classes).astype(np.int64)
    return x, (x[:, 0] + 0.5 * rng.normal(size=n) > 0).astype(np.int64)


def linear() -> nn.Linear:
    """Return a model four times too sure of itself."""
    model = nn.Linear(4, 2)
    with torch.no_grad():
        model.weight.zero_()
        model.bias.zero_()
        model.weight[1, 0] = 14.0
    return model


def sure(model: Any = None, **changes: Any) -> Subject:
    rows = {"train": table(0, 60), "validation": table(1, 200), "test": table(2, 300)}
    return subject_from(linear() if model is None else model, **{**rows, "name": "sure", **changes})


def fixed(subject: Subject, *only: str, **given: Any) -> FixReport:
    settings = {"profile": "quick", "skip": SKIPPED, "progress": False, "store": None}
    return roadworthy.fix(subject, **{**settings, "only": only, "proof_log": None, **given})


def one(found: FixReport) -> Candidate:
    assert len(found.fix.candidates) == 1
    return found.fix.candidates[0]


def said(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return the exit code and what went to the error stream."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["roadworthy", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
    assert isinstance(stopped.value.code, int)
    return stopped.value.code, capsys.readouterr().err


def refused(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], *words: str) -> None:
    code, error = said(arguments, capsys)
    assert code == USAGE_ERROR, error
    assert error.startswith("roadworthy: ")
    assert "Traceback" not in error
    for each in words:
        assert each in error


# The subject itself


def test_without_a_recipe_only_what_wraps_the_model_is_tried() -> None:
    found = fixed(sure(), COOLER, "dropout", "weight_decay")
    for name in ("dropout", "weight_decay"):
        assert found[name].state == "not_applicable"
        assert "give a Recipe" in found[name].reason
    assert found[COOLER].accepted, found[COOLER].reason
    remedy = next(c for c in found[COOLER].claims if c.name == "this_remedy")
    assert not remedy.holds
    assert "how the model was trained is not known; give a Recipe" in remedy.statement


def test_validation_rows_that_are_missing_or_empty_are_asked_for() -> None:
    whole = sure()
    without = {n: s for n, s in whole.splits.items() if n != "validation"}
    with pytest.raises(UserError, match=r"no validation rows.*--validation FILE"):
        fixed(replace(whole, splits=without), COOLER)
    none = Split(np.empty((0, 4), np.float32), np.empty(0, np.int64))
    with pytest.raises(UserError, match="validation has no rows"):
        fixed(replace(whole, splits={**without, "validation": none}), COOLER)
    with pytest.raises(UserError, match="validation holds no rows"):
        sure(validation=(np.empty((0, 4), np.float32), np.empty(0, np.int64)))


@pytest.mark.parametrize("split", ["validation", "every split"])
def test_one_row_of_each_class_is_too_few_to_choose_on(split: str) -> None:
    names = ("train", "validation", "test") if split == "every split" else (split,)
    found = fixed(sure(**{name: table(3, 2, classes=2) for name in names}), COOLER)
    assert one(found).state == "not_applicable"
    assert "2 validation rows" in one(found).reason
    assert found.exit_code == 1


def test_rows_that_are_all_alike_claim_nothing() -> None:
    alike = {name: (x, np.ones_like(y)) for name, (x, y) in {"test": table(2, 60)}.items()}
    found = fixed(sure(**alike), COOLER)
    assert one(found).state == "rejected"
    assert found.exit_code == 1
    with pytest.raises(UserError, match="at least two classes"):
        fixed(
            sure(
                **{n: (table(2, 60)[0], np.ones(60, int)) for n in ("train", "validation", "test")}
            )
        )


def test_a_class_that_only_the_test_rows_have_ends_in_a_decision() -> None:
    two = {name: table(3, 60, classes=2) for name in ("train", "validation")}
    found = fixed(sure(nn.Linear(4, 3), **two, test=table(4, 60, classes=3)), COOLER)
    assert one(found).state in ("accepted", "rejected")
    assert found.fix.complete


def test_a_training_that_diverges_is_told_with_the_way_out() -> None:
    recipe = Recipe(learning_rate=1e30, epochs=2, optimizer="sgd", clip_norm=None)
    with pytest.raises(UserError, match=r"(?s)Training broke down.*lower the learning rate"):
        fixed(sure(Untrained, recipe=recipe), COOLER)


class Untrained(nn.Linear):
    """A linear model, as a class to be trained."""

    def __init__(self) -> None:
        super().__init__(4, 2)


class Cuda(nn.Linear):
    """Moves what it is given to a device of its own."""

    def __init__(self) -> None:
        super().__init__(4, 2)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input.to("cuda:77"))


class AsksForCuda(Cuda):
    """Refuses anything else."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        assert input.is_cuda
        return super().forward(input)


class BuiltOnCuda(nn.Module):
    """Cannot be built elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2).to("cuda:77")


@pytest.mark.parametrize("kind", [Cuda, AsksForCuda, BuiltOnCuda])
def test_a_model_with_a_device_of_its_own_is_told_so(kind: type[nn.Module]) -> None:
    with pytest.raises(UserError, match=r"device of its own.*device of its inputs") as told:
        sure(kind, recipe=Recipe(epochs=1))
    assert "test_fix_bad_input.py, line " in str(told.value)


def never_the_same() -> nn.Module:
    model = Untrained()
    with torch.no_grad():
        model.weight += float(np.random.default_rng().normal())
    return model


def test_a_factory_that_cannot_be_repeated_claims_nothing_of_the_remedy() -> None:
    subject = replace(
        sure(recipe=Recipe(epochs=1)), network=Network(never_the_same, "mine.py:build")
    )
    found = fixed(subject, COOLER)
    remedy = next((c for c in one(found).claims if c.name == "this_remedy"), None)
    assert remedy is not None
    assert not remedy.holds
    assert "other initial weights under the same seed" in remedy.statement
    assert any("trainings cannot be repeated" in note for note in found.fix.notes)


class OnCuda(nn.Linear):
    """Moves its inputs to a device by name, whatever device it is on itself."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs.cuda()).cpu()


def on_cuda() -> nn.Module:
    return OnCuda(4, 2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device of that name")
def test_a_model_that_asks_for_cuda_by_name_is_told_with_the_way_out() -> None:
    untried = replace(sure(recipe=Recipe(epochs=1)), network=Network(on_cuda, "mine.py:build"))
    found = fixed(replace(untried, weights=None, predictor=None), COOLER)
    assert one(found).state == "error"
    assert "--device cuda" in one(found).reason
    assert "x.device" in one(found).reason


# Remedies of a plug-in

PLUG_IN = """
from dataclasses import replace
from roadworthy.engine import mitigation

@mitigation(targets="calibration_error", strengths=(1.0,))
def breaks(subject, strength):
    \"\"\"Break.\"\"\"
    raise ZeroDivisionError("the remedy itself is wrong")

@mitigation(targets="calibration_error", strengths=(1.0,))
def gives_a_number(subject, strength):
    \"\"\"Give another thing.\"\"\"
    return 3

@mitigation(targets="calibration_error", strengths=(1.0,), sham="temperature_of_drawn_label")
def has_no_sham(subject, strength):
    \"\"\"Name a sham that is not there.\"\"\"
    return subject

@mitigation(targets="calibration_eror", strengths=(1.0,))
def aims_at_nothing(subject, strength):
    \"\"\"Aim at a check that is not there.\"\"\"
    return subject

@mitigation(targets="calibration_error", strengths=(1.0,))
def asks_for_nothing(subject, strength, test_outputz):
    \"\"\"Ask for what is not there.\"\"\"
    return subject

@mitigation(targets="calibration_error", strengths=(1.0,))
def loses_rows(subject, strength):
    \"\"\"Lose the validation rows.\"\"\"
    return replace(subject, splits={n: s for n, s in subject.splits.items() if n != "validation"})

@mitigation(targets="calibration_error", strengths=(1.0,))
def other_weights(subject, strength):
    \"\"\"Give weights of another architecture.\"\"\"
    return replace(subject, weights={"weight": subject.weights["weight"][:1]})

@mitigation(targets="calibration_error", strengths=(1.0,))
def leaves(subject, strength):
    \"\"\"End the process.\"\"\"
    raise SystemExit(7)
"""
MISTAKES = {
    "breaks": "ZeroDivisionError: the remedy itself is wrong",
    "gives_a_number": "returned int, not a Subject",
    "has_no_sham": 'Did you mean "temperature_of_drawn_labels"',
    "aims_at_nothing": 'Did you mean "calibration_error"',
    "asks_for_nothing": 'no field, artifact or check "test_outputz"',
    "loses_rows": "leaves no validation rows",
    "other_weights": "do not fit the architecture",
    "leaves": "SystemExit: 7",
}


@pytest.fixture
def plug_in(tmp_path: Path) -> str:
    (tmp_path / "plug.py").write_text(PLUG_IN)
    return "plug.py"


def test_remedies_that_are_wrong_leave_the_others_going(plug_in: str) -> None:
    found = fixed(sure(), COOLER, *MISTAKES, plugins=(plug_in,))
    for name, words in MISTAKES.items():
        assert found[name].state == "error", name
        assert words in found[name].reason
    assert "ZeroDivisionError" in (found["breaks"].traceback or "")
    assert "plug.py, line " in found["has_no_sham"].reason
    assert found[COOLER].accepted, found[COOLER].reason


def test_where_nothing_else_is_tried_a_wrong_remedy_repairs_nothing(plug_in: str) -> None:
    for name in ("breaks", "aims_at_nothing"):
        found = fixed(sure(), name, plugins=(plug_in,))
        assert one(found).state == "error"
        assert found.exit_code == 1
        assert found.render("html")
        assert found.render("markdown")


def test_a_plug_in_of_the_configuration_file_is_tried_from_the_command_line(
    tmp_path: Path, plug_in: str, capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = table(0, 240)
    split = np.repeat(["train", "validation", "test"], 80)
    lines = [
        ",".join([*map(str, row), str(label), part])
        for row, label, part in zip(x, y, split, strict=True)
    ]
    (tmp_path / "data.csv").write_text("\n".join(["a,b,c,d,label,split", *lines]))
    subject = '[subject]\ndata = "data.csv"\ntarget = "label"\nsplit = "split"\n'
    (tmp_path / "roadworthy.toml").write_text(f'{subject}[checks]\nplugins = ["{plug_in}"]\n')
    code, error = said(("fix", "--only", "breaks,gives_a_number", "--out", "out", *QUICK), capsys)
    assert (code, error) == (1, "")
    found = json.loads((tmp_path / "out" / "fix.json").read_text())
    assert [c["state"] for c in found["candidates"]] == ["error", "error"]


# Places that cannot be written


def test_a_disk_that_is_full_in_the_middle_leaves_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = Temporary.move_to
    left = [5]

    def move_to(self: Temporary, file: Path) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return moved(self, file)

    monkeypatch.setattr(Temporary, "move_to", move_to)
    found = fixed(sure(), COOLER, store=tmp_path / "store")
    assert one(found).accepted
    (note,) = [n for n in found.fix.notes if "nothing was kept" in n]
    assert "No space left on device" in note
    assert len(list((tmp_path / "store").rglob("*.safetensors"))) == 5
    monkeypatch.undo()
    assert found.save(tmp_path / "out").is_dir()


def test_a_place_that_cannot_be_written_is_told_before_anything_is_computed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    for out in ("file/below", "/proc/roadworthy"):
        refused(("fix", "digits", "--only", COOLER, "--out", out, *QUICK), capsys, out, "--out")
    refused(("diff", "digits", "digits", "--out", "file/below"), capsys, "file/below", "--out")
    assert not (tmp_path / ".roadworthy").exists()


def test_accepting_on_a_full_disk_leaves_no_half_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    found = fixed(own(tmp_path), COOLER)
    assert one(found).accepted
    synced = os.fsync
    left = [2]

    def fsync(handle: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        synced(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(UserError, match=r"No space left.*half-written"):
        found.accept(COOLER, tmp_path / "accepted" / "cooler")
    assert not (tmp_path / "accepted").exists()
    monkeypatch.setattr(os, "fsync", synced)
    assert (found.accept(COOLER, tmp_path / "accepted" / "cooler") / "subject.json").is_file()


# Sealed rows


def test_another_repair_is_the_second_look_and_stricter(tmp_path: Path) -> None:
    log = tmp_path / "log" / "openings.jsonl"
    subject = sure(test=table(2, 1200))
    assert subject.splits["proof"].n == 240
    for _ in range(2):
        found = fixed(subject, COOLER, proof_log=log)
        assert [o.time for o in found.fix.openings] == [1]
    assert len(log.read_text().splitlines()) == 1
    other = fixed(sure(test=table(2, 1200), validation=table(7, 190)), COOLER, proof_log=log)
    assert [o.time for o in other.fix.openings] == [2]
    confirmed = next(c for c in one(other).claims if c.name == "confirmed")
    assert confirmed.difference is not None
    assert confirmed.difference.level == pytest.approx(0.975)
    log.write_text(log.read_text() + "{}\n")
    with pytest.raises(UserError, match=r"openings\.jsonl, line 3.*Mend the line"):
        fixed(subject, COOLER, proof_log=log)
    with pytest.raises(UserError, match=r"cannot be (read|logged)"):
        fixed(subject, COOLER, proof_log=log.parent)
    sealed = fixed(subject, COOLER, proof_log=log / "below")  # below a file: it cannot be written
    assert not sealed.fix.openings
    assert not one(sealed).accepted
    said = next(c for c in one(sealed).claims if c.name == "confirmed")
    assert not said.holds
    assert "cannot be logged" in said.statement
    assert sealed.fix.effects  # what was measured on test rows is there


# Saved subjects


def own(folder: Path) -> Subject:
    """Return a subject whose architecture is written in a file of its own."""
    (folder / "mine.py").write_text(
        "from torch import nn\n\ndef build():\n    return nn.Linear(4, 2)\n"
    )
    return replace(sure(), network=Network(trusted(f"{folder}/mine.py:build"), "mine.py:build"))


def described(**changes: Any) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        file = folder / "subject.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return change


def halved(name: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])

    return change


def without_array(folder: Path) -> None:
    from safetensors.numpy import load_file, save_file

    arrays = load_file(folder / "data.safetensors")
    del arrays["test.inputs"]
    save_file(arrays, folder / "data.safetensors")


DAMAGES: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "no description": (lambda f: (f / "subject.json").unlink(), ("subject.json: no such file",)),
    "no weights": (
        lambda f: (f / "weights.safetensors").unlink(),
        ("weights.safetensors: no such file",),
    ),
    "no data": (lambda f: (f / "data.safetensors").unlink(), ("data.safetensors: no such file",)),
    "half a description": (halved("subject.json"), ("subject.json: cannot be read",)),
    "half the weights": (halved("weights.safetensors"), ("weights.safetensors: damaged",)),
    "half the data": (halved("data.safetensors"), ("data.safetensors: damaged",)),
    "an array less": (without_array, ("data.safetensors", "test.inputs")),
    "no text": (lambda f: (f / "subject.json").write_bytes(b"\xff\xfe"), ("cannot be read",)),
    "a list": (lambda f: (f / "subject.json").write_text("[1]"), ("no saved subject",)),
    "another format": (described(format=2), ("format 2", "reads format 1", "Upgrade")),
    "no origin": (described(provenance=None), ("subject.json", "damaged")),
    "no name": (described(name=None), ("None where a str was expected",)),
    "strange people": (described(people="maybe"), ("'maybe' where a bool was expected",)),
    "strange notes": (described(notes=[1]), ("1 where a str was expected",)),
    "strange rows": (described(modality="smell"), ("'smell'", "table, array")),
    "strange task": (described(task={"kind": "x"}), ("Task", "kind")),
    "strange weights": (described(weights=["w"]), ("'w' is missing",)),
    "no splits": (described(splits={}), ("there are no splits",)),
    "code that is gone": (
        described(network={"factory": {"yours": "/nowhere.py:build"}, "source": ""}),
        ("/nowhere.py: no such file",),
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_saved_subject_is_told_by_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    save_subject(own(tmp_path), tmp_path / "saved", {"from": "sure"})
    change, words = DAMAGES[damage]
    change(tmp_path / "saved")
    refused(("audit", "saved", "--trust", *QUICK), capsys, *words)
    refused(("fix", "saved", "--trust", "--only", COOLER, *QUICK), capsys, *words)
    refused(("diff", "digits", "saved", "--trust", *QUICK), capsys, *words)


def test_the_users_own_code_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_subject(own(tmp_path), tmp_path / "saved", {"from": "sure"})
    for command in (
        ("audit", "saved"),
        ("fix", "saved", "--only", COOLER),
        ("diff", "saved", "saved"),
    ):
        refused((*command, *QUICK), capsys, "mine.py:build", "--trust")


def test_folders_of_results_are_no_subjects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, words in {
        "fix.json": "accepted/NAME",
        "audit.json": "roadworthy report",
        "x": "subject.json",
    }.items():
        (tmp_path / f"of-{name}").mkdir()
        (tmp_path / f"of-{name}" / name).write_text("{}")
        refused(("audit", f"of-{name}"), capsys, words)


# Finished audits


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a finished audit."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    settings = {"profile": "quick", "only": ("wrong_decisions", "calibration_error"), "store": None}
    roadworthy.audit(sure(), **settings, progress=False).save(folder)  # type: ignore[arg-type]
    return folder


def changed(folder: Path, **changes: Any) -> None:
    file = folder / "audit.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def columns_lost(folder: Path) -> None:
    import pyarrow.parquet as pq

    rows = pq.read_table(folder / "rows.parquet")
    pq.write_table(rows.drop(["target"]), folder / "rows.parquet")


WRONG: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "half": (halved("audit.json"), "audit.json", "no audit.json: line"),
    "empty": (lambda f: (f / "audit.json").write_bytes(b""), "audit.json", "no audit.json"),
    "no text": (lambda f: (f / "audit.json").write_bytes(b"\xff"), "audit.json", "no text"),
    "newer": (lambda f: changed(f, schema_version="9.0"), "audit.json", "Upgrade it"),
    "older": (lambda f: changed(f, schema_version="0.1"), "audit.json", "no way leads"),
    "no version": (lambda f: changed(f, schema_version="x"), "audit.json", "schema_version"),
    "fields": (lambda f: changed(f, findings=3), "audit.json", "findings"),
    "half the rows": (halved("rows.parquet"), "rows.parquet", "damaged"),
    "no column": (columns_lost, "rows.parquet", "target"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_damaged_audit_is_told_by_its_file(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: str
) -> None:
    shutil.copytree(finished, tmp_path / "bad")
    change, file, words = WRONG[wrong]
    change(tmp_path / "bad")
    refused(("diff", str(finished), "bad"), capsys, f"bad/{file}", words)


def test_a_damaged_fix_is_told_by_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in (b"\xff", b"{", b'{"schema_version": "7.0"}'):
        (tmp_path / "fix.json").write_bytes(content)
        refused(("report", "fix.json"), capsys, "fix.json: ")


def test_identical_audits_are_untouched(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = roadworthy.diff(finished, finished, progress=False)
    assert {e.effect for e in found.diff.effects} == {"untouched"}
    assert found.exit_code == 0


def test_a_number_and_a_class_are_not_compared(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x, _ = table(0, 60)
    splits = {name: Split(x, x[:, 0].astype(float)) for name in ("train", "validation", "test")}
    number = Subject("pay", Task("regression"), "array", splits)
    with pytest.raises(UserError, match=r"pay predicts a number and sure a class"):
        roadworthy.diff(sure(), number, progress=False)
    settings = {"profile": "quick", "only": "exact_duplicates_within_train", "store": None}
    roadworthy.audit(number, **settings, progress=False).save("number")  # type: ignore[arg-type]
    refused(("diff", str(finished), "number"), capsys, "predicts a number", "one task")
