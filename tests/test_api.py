"""The Python face: what a notebook meets."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import roadworthy
from roadworthy import Recipe, UserError
from roadworthy.report import RENDERERS, Report

QUICK = {"profile": "quick", "store": None, "progress": False}


def two_moons(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] > 0).astype(np.int64)


@pytest.fixture(scope="module")
def report() -> Report:
    loaders = {
        name: torch.utils.data.DataLoader(
            torch.utils.data.TensorDataset(*map(torch.from_numpy, two_moons(n, seed))),
            batch_size=64,
        )
        for name, n, seed in (("train", 400, 1), ("test", 300, 2))
    }
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
    return roadworthy.audit(model, **loaders, **QUICK, skip="data_quality")  # pyright: ignore


def test_a_module_and_loaders_are_audited_without_a_wrapper(report: Report) -> None:
    # An untrained network guesses: a simple model must be far ahead of it.
    assert report["shortfall_to_simple_models"].verdict == "fail"
    assert report.exit_code == 1
    assert not report.passed
    with pytest.raises(KeyError, match="overfitting_gap"):
        report["overfiting_gap"]


def test_a_report_is_a_frame_with_one_line_per_check(report: Report) -> None:
    frame = report.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame["check"]) == [finding.check for finding in report]


def test_a_report_shows_itself(report: Report) -> None:
    assert "shortfall_to_simple_models" in repr(report)
    assert report._repr_html_().startswith("<iframe srcdoc=")
    with pytest.raises(UserError, match="html"):
        report.render("pdf")


def test_a_saved_report_reads_back_the_same(report: Report, tmp_path: object) -> None:
    folder = report.save(tmp_path)  # pyright: ignore
    assert roadworthy.read_report(folder).audit == report.audit
    assert report.is_kept_in(folder)
    rows = pd.read_parquet(folder / "rows.parquet")
    assert list(rows["split"].value_counts().loc[["train", "test"]]) == [400, 300]
    before = (folder / "report.html").stat().st_mtime_ns
    report.save(folder)
    assert (folder / "report.html").stat().st_mtime_ns == before, "nothing changed"


def test_what_was_measured_is_there_before_anything_is_drawn(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(audit: object) -> str:
        raise SystemExit("as where the memory for a picture is refused")

    monkeypatch.setitem(RENDERERS, "html", killed)
    with pytest.raises(SystemExit):
        report.save(tmp_path / "run")
    assert roadworthy.read_report(tmp_path / "run").audit.findings == report.audit.findings


def test_a_class_is_trained_by_its_recipe() -> None:
    class Net(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2))

    found = roadworthy.audit(
        Net,
        train=two_moons(600, 1),
        test=two_moons(400, 2),
        recipe=Recipe(epochs=30, learning_rate=1e-2),
        only="generalization",
        **QUICK,  # pyright: ignore
    )
    assert found["errors_left"].value < 0.5  # pyright: ignore


def test_a_data_frame_alone_trains_a_default_model() -> None:
    x, y = two_moons(600, 1)
    frame = pd.DataFrame(x, columns=list("abcdef")).assign(label=np.where(y, "yes", "no"))
    found = roadworthy.audit(data=frame, target="label", only="generalization", **QUICK)  # pyright: ignore
    assert found.audit.subject.classes == ("no", "yes")
    assert found["overfitting_gap"].value is not None


def test_bounds_and_purpose_given_in_the_call_carry_their_origin() -> None:
    found = roadworthy.audit(
        "digits",
        only="overfitting_gap, error_rate",
        requirements={"overfitting_gap": 0.001},
        purpose={"accuracy": 0.99},
        profile="quick",
        progress=False,
        store=None,
    )
    bound = found["overfitting_gap"].requirement
    assert bound is not None
    assert bound.bound == 0.001
    assert "roadworthy.toml" not in bound.source
    needed = found["error_rate"]
    assert needed.requirement is not None
    assert needed.requirement.bound == pytest.approx(0.01)
    assert needed.verdict == "fail"


def test_options_given_in_the_call_are_those_of_the_command_line() -> None:
    def audited(options: dict[str, dict[str, object]]) -> Report:
        return roadworthy.audit("digits", only="adversarial_error", options=options, **QUICK)  # pyright: ignore

    found = audited({"attack_threat": {"eps": 0.5}, "attacked_rows": {"most": 100}})
    assert found["adversarial_error"].n == 100
    assert "at most 0.5 (" in found["adversarial_error"].details
    with pytest.raises(UserError, match=r'"ep".*Did you mean "eps"'):
        audited({"attack_threat": {"ep": 0.5}})
    with pytest.raises(UserError, match=r"attack_threat\.eps"):
        audited({"attack_threat": {"eps": "large"}})


def test_a_subject_brings_its_own_data() -> None:
    with pytest.raises(UserError, match="brings its own data"):
        roadworthy.audit(roadworthy.subject_from(train=two_moons(50, 1)), train=two_moons(9, 2))
    with pytest.raises(UserError, match="no check"):
        roadworthy.audit("digits", requirements={"overfiting_gap": 0.1}, progress=False)
