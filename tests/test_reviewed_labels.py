"""A person's decisions on labels, from the sheet that an audit writes to the repair that is proven."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import roadworthy
from roadworthy.cli import app

RUNNER = CliRunner()
CLASSES = ("red", "green", "blue")
DATA = ("--data", "data.csv", "--target", "colour", "--split", "split", "--profile", "quick", "--quiet")  # fmt: skip
TRAIN = 500


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def noisy_file(path: Path) -> list[str]:
    """Write rows of three colours, every sixth of the training labels wrong; return the right labels."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1_400, 4))
    weights = np.array([[3, 0, 0], [0, 3, 0], [0, 0, 3], [1, -1, 0]])
    true = (x @ weights).argmax(axis=1)
    labels = true.copy()
    labels[:TRAIN:6] = (labels[:TRAIN:6] + 1) % 3
    splits = ["train"] * TRAIN + ["validation"] * 300 + ["test"] * 600
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "c", "d", "colour", "split"])
        writer.writerows(
            [*values.round(4), CLASSES[label], split]
            for values, label, split in zip(x, labels, splits, strict=True)
        )
    return [CLASSES[code] for code in true]


def decided(path: Path, right: list[str]) -> int:
    """Fill in a sheet as one who knows the right labels; return how many were wrong."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        true = right[int(row["source_row"])]
        row["decision"] = "keep" if row["label"] == true else true
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    return sum(row["decision"] != "keep" for row in rows)


def test_an_audit_writes_a_sheet_and_a_fix_does_what_a_person_decided(tmp_path: Path) -> None:
    right = noisy_file(tmp_path / "data.csv")
    only = ("--only", "label_errors_in_train", "--out", "run")
    first = RUNNER.invoke(app, ["audit", *DATA, *only])
    assert "Labels to review: run/review.csv" in first.output.replace("\n", "")
    sheet = tmp_path / "run" / "review.csv"
    with sheet.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert "train" in {row["split"] for row in rows} <= {"train", "validation"}
    assert len({row["source_row"] for row in rows}) == len(rows)
    top = [row for row in rows if row["split"] == "train"][:40]
    assert sum(int(row["source_row"]) % 6 == 0 for row in top) > 30
    wrong = decided(sheet, right)
    assert wrong > 50
    # What somebody wrote stays, also when the audit is another one.
    RUNNER.invoke(app, ["audit", *DATA, *only, "--fail-on", "never"])
    assert ";keep" in sheet.read_text()

    (tmp_path / "roadworthy.toml").write_text(
        '[subject]\ndata = "data.csv"\ntarget = "colour"\nsplit = "split"\nreviewed = "run/review.csv"\n'
        '[checks]\nonly = ["label_errors_in_train", "errors_left"]\n'
    )
    found = RUNNER.invoke(app, ["fix", "--profile", "quick", "--quiet", "--out", "fixed",
                                "--only", "reviewed_label_errors_mended", "--seeds", "2"])  # fmt: skip
    assert found.exit_code == 0, found.output
    fixed = json.loads((tmp_path / "fixed" / "fix.json").read_text())
    record = fixed["review"]
    assert record["relabelled"] + record["test_rows_left"] == wrong
    assert record["rows"] == len(rows)
    assert len(record["sha256"]) == 64
    tried = fixed["candidates"][0]
    assert tried["state"] == "accepted", tried["reason"]
    # What is measured on training rows cannot be confirmed on test rows, and none are unsealed for it.
    assert tried["target"] == "label_errors_in_train"
    claims = {claim["name"]: claim for claim in tried["claims"]}
    assert {claims["these_weights"]["rows"], claims["confirmed"]["rows"]} == {"train"}
    assert "no sealed test row can confirm" in claims["confirmed"]["statement"].replace("\n", " ")
    assert fixed["openings"] == []
    assert f"train rows: {wrong} targets changed" in tried["changes"]
    assert "Reviewed by a person" in " ".join(fixed["notes"])
    assert "Reviewed by a person" in (tmp_path / "fixed" / "report.html").read_text()


def test_a_sheet_of_other_data_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    noisy_file(tmp_path / "data.csv")
    (tmp_path / "r.csv").write_text("split,source_row,label,decision\ntrain,7,mauve,red\n")
    with pytest.raises(roadworthy.UserError, match='train row 7: the row is labelled "'):
        roadworthy.fix(data="data.csv", target="colour", split="split", reviewed="r.csv")


def test_a_black_box_is_not_replaced_by_a_network_of_our_own() -> None:
    def answers(x: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-3 * x[:, 0]))
        return np.stack([1 - p, p], axis=1)

    rng = np.random.default_rng(0)
    rows = {
        name: (x, (x[:, 0] > 0).astype(np.int64))
        for name, n in (("train", 80), ("validation", 60), ("test", 60))
        if (x := rng.normal(size=(n, 3)).astype(np.float32)) is not None
    }
    sheet = {
        "split": ["train", "train"],
        "source_row": [0, 1],
        "label": [str(label) for label in rows["train"][1][:2]],
        "decision": ["drop", "keep"],
    }
    found = roadworthy.fix(
        answers, **rows, profile="quick", only="reviewed_label_errors_mended", reviewed=sheet,
        skip=("data_quality", "data_quantity", "hyperparameters", "uncertainty"),
        progress=False,
    )  # fmt: skip
    tried = found["reviewed_label_errors_mended"]
    assert tried.state == "not_applicable"
    assert "black box and cannot be trained again" in tried.reason
