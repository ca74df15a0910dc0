"""`roadworthy init` as a newcomer meets it: what it proposes, asks, warns of, and writes."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from roadworthy.config import Config, read_config
from roadworthy.errors import UserError
from roadworthy.initialise import QUESTIONS, initialise


@pytest.fixture
def people(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    returned = rng.integers(0, 2, 300)
    table = {
        "age": rng.integers(18, 80, 300),
        "married": rng.integers(0, 2, 300),
        "returned": returned,
        "paid_after": np.where(returned == 1, "yes", "no"),
    }
    pq.write_table(pa.table(table), tmp_path / "people.parquet")
    return tmp_path / "people.parquet"


def written(
    data: Path, answers: list[str] | None, monkeypatch: pytest.MonkeyPatch, **options: object
) -> Config:
    out = data.parent / "roadworthy.toml"
    if answers is not None:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in answers)))
    roles, purpose = options.get("roles", {}), options.get("purpose", {})
    assert isinstance(roles, dict)
    assert isinstance(purpose, dict)
    initialise(data, out, roles=roles, purpose=purpose, ask=answers is not None, force=False)
    return read_config(out)


def test_a_guessed_target_is_said_to_be_one_with_the_other_candidates(
    people: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written(people, None, monkeypatch)
    said = " ".join(capsys.readouterr().out.split())
    assert 'That "paid_after" is the target is a guess; it may be one of returned, married.' in said
    assert "Next: mend" in said


def test_what_is_proposed_follows_the_target_that_is_answered(
    people: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = ["retourned", "returned", "y", *[""] * len(QUESTIONS)]
    found = written(people, answers, monkeypatch)
    assert found.subject.target == "returned"
    assert found.subject.drop == ("paid_after",)
    assert found.subject.sensitive == ("age",)
    said = capsys.readouterr().out
    assert 'no column "retourned". Did you mean "returned"?' in said
    assert "guess" not in said


def test_roles_that_are_not_right_are_asked_one_by_one_and_a_dash_is_none(
    people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roles = ["married, age", "-", "-", "-", "-", "-", "-", "-"]
    found = written(people, ["returned", "n", *roles, *[""] * len(QUESTIONS)], monkeypatch)
    assert found.subject.sensitive == ("married", "age")
    assert found.subject.drop == ()


def test_an_answer_that_cannot_be_is_asked_again(
    people: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    purpose = ["who is called", "", "many", "2", "0.4", *[""] * (len(QUESTIONS) - 3)]
    found = written(people, ["y", *purpose], monkeypatch, roles={"target": "returned"})
    assert found.purpose.decides == "who is called"
    assert found.purpose.prevalence == 0.4
    said = capsys.readouterr().out
    assert '"many" is no number' in said
    assert "expected below 1" in said


def test_data_of_which_nothing_could_be_learned_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = [f"message number {i} of quite a few words" for i in range(60)]
    pq.write_table(pa.table({"text": text, "label": [0, 1] * 30}), tmp_path / "sms.parquet")
    written(tmp_path / "sms.parquet", None, monkeypatch)
    said = " ".join(capsys.readouterr().out.split())
    assert "No column is left that the model could learn from (text: prose" in said
    assert "--predictions FILE" in said


def test_arrays_have_no_columns_to_ask_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "images.npz", x=np.zeros((4, 2)), y=np.arange(4))
    with pytest.raises(UserError, match="roadworthy audit --data"):
        written(tmp_path / "images.npz", None, monkeypatch)


def test_compas_has_several_columns_that_could_be_its_target(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = data_dir / "tab_compas" / "compas_two_years.parquet"
    initialise(data, tmp_path / "c.toml", roles={}, purpose={}, ask=False, force=False)
    said = " ".join(capsys.readouterr().out.split())
    assert "is the target is a guess; it may be one of" in said
    assert "two_year_recid" in said[said.index("it may be one of") :]
