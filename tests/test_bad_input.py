"""Bad input through the command line: what can be read is read and said, the rest is one message."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from roadworthy import cli
from roadworthy.report import read_report

USAGE_ERROR = 4
DECIDED = (0, 1, 2)
NO_MODEL_NEEDED = ("--only", "exact_duplicates_within_train", "--quiet")
GIGABYTES = 2 * 2**30


@dataclass(frozen=True)
class Ran:
    """One call of the command line: what it said, how it ended, what it left."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def notes(self) -> str:
        """What the report says of how the data were read, without its line breaks."""
        (found,) = self.folder.glob("out/audit.json")
        return "\n".join(json.loads(found.read_text())["subject"]["notes"])


Roadworthy = Callable[..., Ran]


@pytest.fixture
def roadworthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Roadworthy]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = set(sys.modules)

    def run(*arguments: str) -> Ran:
        out = () if "--out" in arguments else ("--out", "out")
        monkeypatch.setattr(sys, "argv", ["roadworthy", "audit", *arguments, *out])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        said = capsys.readouterr()
        assert isinstance(stopped.value.code, int)
        return Ran(stopped.value.code, said.out, said.err, tmp_path)

    yield run
    for name in {"subject", "made"} - known:
        sys.modules.pop(name, None)


def refused(ran: Ran, *says: str) -> None:
    """Assert that a call ended in one message of the user's words, and left nothing."""
    assert ran.code == USAGE_ERROR, ran.out + ran.err
    assert ran.err.startswith("roadworthy: ")
    assert "Traceback" not in ran.err
    for words in says:
        assert words in ran.err
    assert not (ran.folder / "out").exists(), "something was half-written"


def audited(ran: Ran, *says: str) -> None:
    """Assert that a call ended in verdicts, and that the report says how the input was taken."""
    assert ran.code in DECIDED, ran.out + ran.err
    for words in says:
        assert words in ran.notes


def rows(n: int, seed: int = 0) -> dict[str, list[object]]:
    """Return a table of people whose label follows their age."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, n)
    label = (age + rng.normal(0, 10, n) > 50).astype(int)
    return {
        "age": age.tolist(),
        "pay": np.round(rng.gamma(5, 400, n), 2).tolist(),
        "sex": rng.choice(["f", "m"], n).tolist(),
        "label": label.tolist(),
    }


def write(
    path: Path, table: dict[str, list[object]], delimiter: str = ",", encoding: str = "utf-8"
) -> str:
    lines = [
        delimiter.join(table),
        *(delimiter.join(map(str, r)) for r in zip(*table.values(), strict=True)),
    ]
    path.write_bytes("\n".join(lines).encode(encoding))
    return path.name


def test_an_empty_file_is_named(tmp_path: Path, roadworthy: Roadworthy) -> None:
    for name in ("empty.csv", "empty.parquet", "empty.npz"):
        (tmp_path / name).write_bytes(b"")
        refused(roadworthy("--data", name, "--target", "label"), name, "is empty", "Write it again")


def test_a_file_with_names_and_no_rows_is_named(tmp_path: Path, roadworthy: Roadworthy) -> None:
    data = write(tmp_path / "data.csv", rows(0))
    refused(roadworthy("--data", data, "--target", "label"), data, "0 rows, 4 columns")


def test_a_wrong_target_is_answered_with_the_nearest_column(
    tmp_path: Path, roadworthy: Roadworthy
) -> None:
    data = write(tmp_path / "data.csv", rows(50))
    refused(
        roadworthy("--data", data, "--target", "labels"),
        data,
        'no column "labels" (--target)',
        'Did you mean "label"?',
    )


def test_one_class_only_is_told_with_the_number_of_rows(
    tmp_path: Path, roadworthy: Roadworthy
) -> None:
    data = write(tmp_path / "data.csv", rows(50) | {"label": ["1"] * 50})
    refused(
        roadworthy("--data", data, "--target", "label"),
        data,
        'target "label" is "1" in all 50 rows',
        "add rows of another class",
    )


def test_infinite_values_are_named_by_column_and_row(
    tmp_path: Path, roadworthy: Roadworthy
) -> None:
    table = rows(50)
    table["pay"][6] = "inf"
    data = write(tmp_path / "data.csv", table)
    refused(
        roadworthy("--data", data, "--target", "label"),
        data,
        'column "pay" holds infinite values in 1 rows (row 7)',
        "write numbers",
    )


def test_missing_values_are_read_as_such_and_said(tmp_path: Path, roadworthy: Roadworthy) -> None:
    table = rows(50)
    table["pay"][6] = "NaN"
    data = write(tmp_path / "data.csv", table)
    audited(
        roadworthy("--data", data, "--target", "label", *NO_MODEL_NEEDED),
        '"NaN" was read as a missing value in pay',
    )


def test_a_target_that_is_missing_in_a_row_is_named_by_that_row(
    tmp_path: Path, roadworthy: Roadworthy
) -> None:
    table = rows(50)
    table["label"][3] = "nan"
    data = write(tmp_path / "data.csv", table)
    refused(
        roadworthy("--data", data, "--target", "label"),
        'target "label" has no value in 1 of 50 rows (row 4)',
    )


def test_a_constant_column_is_said(tmp_path: Path, roadworthy: Roadworthy) -> None:
    data = write(tmp_path / "data.csv", rows(50) | {"country": ["de"] * 50})
    audited(
        roadworthy("--data", data, "--target", "label", *NO_MODEL_NEEDED),
        "the same value in every row: country",
    )


def test_words_where_a_number_is_to_be_predicted_are_shown(
    tmp_path: Path, roadworthy: Roadworthy
) -> None:
    data = write(tmp_path / "data.csv", rows(50))
    refused(
        roadworthy("--data", data, "--target", "sex", "--task", "regression"),
        data,
        "'f', 'm'",
        "a regression needs numbers",
    )


def test_words_where_probabilities_are_due_are_shown(
    tmp_path: Path, roadworthy: Roadworthy
) -> None:
    data = write(tmp_path / "made.csv", rows(50))
    refused(
        roadworthy("--predictions", data, "--target", "label", "--score", "sex"),
        'column "sex" (--score) must hold numbers',
    )


def test_ten_rows_are_audited_and_nothing_is_claimed_of_them(
    tmp_path: Path, roadworthy: Roadworthy
) -> None:
    data = write(tmp_path / "data.csv", rows(10))
    ran = roadworthy("--data", data, "--target", "label", "--profile", "quick", "--quiet")
    audited(ran, "rows were divided into 6 train")
    found = json.loads((tmp_path / "out" / "audit.json").read_text())["findings"]
    assert not [f["check"] for f in found if f["verdict"] == "error"]
    assert any(f["verdict"] == "inconclusive" for f in found)


def test_groups_of_three_are_not_judged_and_break_nothing(
    tmp_path: Path, roadworthy: Roadworthy
) -> None:
    table = rows(200)
    table["sex"][:3] = ["x"] * 3
    data = write(tmp_path / "data.csv", table)
    ran = roadworthy(
        "--data", data, "--target", "label", "--sensitive", "sex", "--profile", "quick", "--quiet"
    )
    audited(ran)
    found = json.loads((tmp_path / "out" / "audit.json").read_text())["findings"]
    assert not [f["check"] for f in found if f["verdict"] == "error"]


SUBJECT = """
import numpy as np, torch
from torch import nn
from roadworthy import subject_from

class Made(nn.Module):
    def forward(self, x):
        {body}

def subject():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    y = rng.integers(0, {classes}, 60)
    y[:{classes}] = range({classes})
    return subject_from(Made(), test=(x, y))
"""


def first_inputs() -> np.ndarray:
    """Return the rows that the subject above makes."""
    return np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("body", "classes", "says"),
    [
        ("return x[:, :2]", 5, ["2 outputs", "5 classes", "2, 3, 4 are outside its range"]),
        ("return x[:, :2].T", 2, ["output of shape (2, 16)", "(16, 2)"]),
        ("return x[:, :2] / 0 * 0", 2, ["NaN or infinite outputs for 16 of 16 rows"]),
        ("return x, x", 2, ["returned a tuple", "one tensor"]),
        ("return x @ torch.ones(5, 2)", 2, ["failed on inputs of shape (16, 4)"]),
    ],
)
def test_a_model_that_does_not_fit_its_data_is_told_both_shapes(
    tmp_path: Path, roadworthy: Roadworthy, body: str, classes: int, says: list[str]
) -> None:
    (tmp_path / "subject.py").write_text(SUBJECT.format(body=body, classes=classes))
    refused(roadworthy("subject.py"), *says)


def test_a_model_that_gives_nan_in_a_single_row_is_told_which(
    tmp_path: Path, roadworthy: Roadworthy
) -> None:
    # Row 1 is not among the rows that the model is tried on before anything is computed.
    body = "return torch.where(x[:, :1].abs() == LAST, torch.nan, x[:, :2])"
    body = body.replace("LAST", str(float(np.float32(np.abs(first_inputs()[1, 0])))))
    (tmp_path / "subject.py").write_text(SUBJECT.format(body=body, classes=2))
    ran = roadworthy("subject.py", "--only", "label_errors_in_test", "--quiet")
    assert ran.code == USAGE_ERROR
    assert "NaN or infinite outputs for 1 of 60 rows" in " ".join(ran.out.split())


def test_a_file_that_breaks_when_it_is_run_is_told_with_its_line(
    tmp_path: Path, roadworthy: Roadworthy
) -> None:
    (tmp_path / "subject.py").write_text("def subject():\n    return 1 / 0\n")
    refused(roadworthy("subject.py"), "subject.py", "line 2", "division by zero")


def test_probabilities_that_do_not_sum_to_one_are_named_by_row(
    tmp_path: Path, roadworthy: Roadworthy
) -> None:
    table = rows(50) | {"p_0": ["0.5"] * 50, "p_1": ["0.5"] * 50}
    table["p_1"][8] = "0.75"
    data = write(tmp_path / "made.csv", table)
    refused(
        roadworthy("--predictions", data, "--target", "label", "--proba", "p_0,p_1"),
        data,
        "do not sum to 1 in 1 rows (row 9; the first sums to 1.25)",
        "normalise them",
    )


def test_columns_of_one_name_are_listed(tmp_path: Path, roadworthy: Roadworthy) -> None:
    (tmp_path / "data.csv").write_text("a,b,a,label\n" + "1,2,3,0\n4,5,6,1\n" * 20)
    refused(
        roadworthy("--data", "data.csv", "--target", "label"),
        "data.csv",
        "occur more than once: a",
        "rename or remove",
    )


def test_a_slip_among_numbers_is_read_as_missing_and_said_with_its_row(
    tmp_path: Path, roadworthy: Roadworthy
) -> None:
    table = rows(50)
    table["age"][20] = "thirty"
    data = write(tmp_path / "data.csv", table)
    audited(
        roadworthy("--data", data, "--target", "label", *NO_MODEL_NEEDED),
        "column \"age\" mixes numbers with text: 'thirty' (first in row 21) was read as missing",
    )


def npy_header(shape: str) -> bytes:
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (64 - (len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head


def claiming_npy() -> bytes:
    return npy_header(f"({GIGABYTES // 8},)")


def claiming_npz() -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("x_test.npy", claiming_npy())
    return stream.getvalue()


def claiming_parquet() -> bytes:
    stream = BytesIO()
    column = pa.DictionaryArray.from_arrays(np.zeros(10_000_000, np.int8), pa.array(["same"]))
    table = pa.table({f"c{j}": column for j in range(28)})
    pq.write_table(table, stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("claim.npz", claiming_npz),
        ("claim.npy", claiming_npy),
        ("claim.parquet", claiming_parquet),
    ],
)
def test_a_header_that_claims_gigabytes_is_refused_unread(
    tmp_path: Path, roadworthy: Roadworthy, name: str, content: Callable[[], bytes]
) -> None:
    (tmp_path / name).write_bytes(content())
    refused(roadworthy("--data", name, "--target", "c0"), name)


FACTORY = """
from torch import nn

def build():
    return nn.Linear(2, 2)
"""


def test_weights_that_claim_gigabytes_are_refused_unread(
    tmp_path: Path, roadworthy: Roadworthy
) -> None:
    data = write(tmp_path / "data.csv", rows(50))
    (tmp_path / "made.py").write_text(FACTORY)
    (tmp_path / "w.safetensors").write_bytes(GIGABYTES.to_bytes(8, "little") + b"{}")
    model = ("--model", "made.py:build", "--weights", "w.safetensors")
    refused(
        roadworthy("--data", data, "--target", "label", *model),
        "w.safetensors",
        f"claims {GIGABYTES:,} bytes in a file of 10",
    )


def malicious(canary: Path) -> bytes:
    """Return a pickle that makes a file when it is loaded, written by hand."""
    command = f"touch {canary}"
    return b"\x80\x02cposix\nsystem\n(V" + command.encode() + b"\ntR."


def in_archive(pickled: bytes) -> bytes:
    """Return an archive as torch.save writes it."""
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("model/data.pkl", pickled)
        archive.writestr("model/version", "3\n")
    return stream.getvalue()


@pytest.mark.parametrize("name", ["model.pkl", "model.pt", "zipped.pt", "model.joblib"])
@pytest.mark.parametrize("as_weights", [False, True])
def test_a_malicious_pickle_is_refused_and_its_code_not_run(
    tmp_path: Path, roadworthy: Roadworthy, name: str, *, as_weights: bool
) -> None:
    canary = tmp_path / "canary"
    data = write(tmp_path / "data.csv", rows(50))
    (tmp_path / "made.py").write_text(FACTORY)
    content = malicious(canary)
    (tmp_path / name).write_bytes(in_archive(content) if name == "zipped.pt" else content)
    model = ("--model", "made.py:build", "--weights", name) if as_weights else ("--model", name)
    ran = roadworthy("--data", data, "--target", "label", *model)
    refused(ran, name, "not read", "save_file")
    assert not canary.exists()


def test_a_malicious_pickle_among_arrays_is_refused(tmp_path: Path, roadworthy: Roadworthy) -> None:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        head = npy_header("(1,)").replace(b"'<f8'", b"'|O' ")
        archive.writestr("x_test.npy", head + malicious(tmp_path / "canary"))
    (tmp_path / "data.npz").write_bytes(stream.getvalue())
    refused(roadworthy("--data", "data.npz"), "data.npz, array x_test", "would run code")
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-16", "UTF-16"), ("utf-16-le", "UTF-16-LE"), ("cp1252", "CP1252")]
)
def test_a_spreadsheet_s_csv_is_read_and_said(
    tmp_path: Path, roadworthy: Roadworthy, encoding: str, said: str
) -> None:
    table = rows(50)
    table["sex"] = ["weiblich" if sex == "f" else "männlich" for sex in table["sex"]]
    table["pay"] = [str(pay).replace(".", ",") for pay in table["pay"]]
    data = write(tmp_path / "data.csv", table, ";", encoding)
    audited(
        roadworthy("--data", data, "--target", "label", *NO_MODEL_NEEDED),
        f"read as {said} text",
        "separated by a semicolon",
        "decimal comma",
    )


LOADER = """
import numpy as np, torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from roadworthy import subject_from

class Rows(Dataset):
    def __len__(self):
        return 60

    def __getitem__(self, i):
        noise = {noise} * torch.randn(4)
        return torch.full((4,), float(i)) + noise, i % 2

def subject():
    torch.manual_seed(0)
    loader = DataLoader(Rows(), batch_size=16, shuffle={shuffle})
    return subject_from(nn.Linear(4, 2), test=loader)
"""


def test_a_shuffling_loader_is_read_in_order_and_said(
    tmp_path: Path, roadworthy: Roadworthy
) -> None:
    (tmp_path / "subject.py").write_text(LOADER.format(noise=0, shuffle=True))
    audited(
        roadworthy("subject.py", "--only", "label_from_origin", "--quiet"),
        "the loader of test shuffles; its data set was read whole and in order",
    )


def test_an_augmenting_loader_is_refused_with_the_place_of_augmentation(
    tmp_path: Path, roadworthy: Roadworthy
) -> None:
    (tmp_path / "subject.py").write_text(LOADER.format(noise=1, shuffle=False))
    refused(
        roadworthy("subject.py"),
        "60 of 60 rows differ between two readings",
        "augmentation belongs to the recipe",
    )


def test_a_place_that_cannot_be_written_is_told_before_anything_is_computed(
    tmp_path: Path, roadworthy: Roadworthy
) -> None:
    data = write(tmp_path / "data.csv", rows(50))
    for out in ("data.csv/below", "/proc/roadworthy"):
        ran = roadworthy("--data", data, "--target", "label", "--out", out)
        refused(ran, out, "could not be written", "--out")
        assert not (tmp_path / ".roadworthy").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="limits on files are POSIX")
@pytest.mark.parametrize("most", [2_000, 100_000])
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, most: int) -> None:
    import resource

    data = write(tmp_path / "data.csv", rows(50))
    arguments = ("audit", "--data", data, "--target", "label", "--out", "out", *NO_MODEL_NEEDED)
    done = subprocess.run(
        [sys.executable, "-m", "roadworthy", *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
        check=False,
    )
    assert done.returncode == USAGE_ERROR, done.stdout + done.stderr
    assert "out" in done.stderr
    assert "Make room" in done.stderr
    assert "Traceback" not in done.stderr
    kept = [path.name for path in tmp_path.glob("out/**/*") if path.is_file()]
    assert kept in ([], ["audit.json"])  # what was measured goes first, and is whole
    if kept:
        assert read_report(tmp_path / "out").audit.findings
