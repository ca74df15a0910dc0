"""For which subject the roadworthy.toml of a folder speaks, and which options it takes."""

import inspect
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from roadworthy.errors import UserError
from roadworthy.subject import subject_from
from roadworthy.subject_choice import chosen_subject, settled

BOUND = '[requirements.predictive_parity_gap]\nbound = 0.3\nsource = "equal odds were chosen"\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_bounds_hold_for_a_subject_that_is_named_where_the_file_has_none_of_its_own(
    folder: Path,
) -> None:
    (folder / "roadworthy.toml").write_text(BOUND)
    for named, said in (("digits", {}), (None, {"data": "adult.parquet"})):
        bounds = settled(named, {"subject": said}).config.requirements
        assert bounds["predictive_parity_gap"].bound == 0.3


def test_a_file_that_describes_another_subject_lends_nothing(folder: Path) -> None:
    (folder / "roadworthy.toml").write_text('[subject]\ndata = "a.csv"\ntarget = "y"\n' + BOUND)
    other = settled(None, {"subject": {"data": "b.csv"}})
    assert not other.config.requirements
    assert other.subject.target is None
    assert settled("digits", {}).subject.data is None
    assert settled(None, {}).config.requirements


def test_a_file_of_another_subject_does_not_stop_this_one_by_checks_of_its_plugins(
    folder: Path,
) -> None:
    bound = '[requirements.my_plugin_check]\nbound = 0.3\nsource = "ours"\n'
    (folder / "roadworthy.toml").write_text('[subject]\ndata = "a.csv"\ntarget = "y"\n' + bound)
    assert not settled("digits", {}, ["accuracy_gap"]).config.requirements
    (folder / "roadworthy.toml").write_text(bound)
    with pytest.raises(UserError, match="my_plugin_check"):
        settled("digits", {}, ["accuracy_gap"])


def test_a_slip_in_a_file_that_holds_is_told(folder: Path) -> None:
    (folder / "roadworthy.toml").write_text("[audit]\nprofil = 'quick'\n")
    with pytest.raises(UserError, match="profil"):
        settled("digits", {})


def test_rows_without_a_target_come_from_the_command_line_or_the_file(folder: Path) -> None:
    rows = pd.DataFrame({"a": range(40), "b": [0.5, 1.5] * 20, "y": [0, 1] * 20})
    rows.to_csv("data.csv", index=False)
    rows[["b", "a"]][:5].to_csv("more.csv", index=False)
    (folder / "roadworthy.toml").write_text(
        '[subject]\ndata = "data.csv"\ntarget = "y"\nunlabelled = "more.csv"\n'
    )
    said = {"data": "data.csv", "target": "y", "unlabelled": "more.csv"}
    by_split = {"split": {"train": "data.csv"}, "target": "y", "unlabelled": "more.csv"}
    for subject in ({}, said, by_split):
        made = chosen_subject(None, settled(None, {"subject": subject}))
        np.testing.assert_array_equal(
            made.splits["unlabelled"].inputs, rows[["a", "b"]][:5].to_numpy(float)
        )
    other = settled(None, {"subject": {"data": "data.csv", "target": "y"}})
    assert "unlabelled" not in chosen_subject(None, other).splits


SAID = {
    "data": ("a.csv", "--data a.csv"),
    "split": ("part", "--split part"),
    "unlabelled": ("more.csv", "--unlabelled more.csv"),
    "target": ("label", "--target label"),
    "sensitive": (("sex", "race"), "--sensitive sex,race"),
    "drop": (("id",), "--drop id"),
    "positive": ("yes", "--positive yes"),
    "task": ("binary", "--task binary"),
    "people": (False, "--no-people"),
    "proof": (0.3, "--proof 0.3"),
    "model": ("net.py:build", "--model net.py:build"),
    "weights": ("w.pt", "--weights w.pt"),
    "random_draws": (16, "--random-draws 16"),
    "probabilities": (("p0", "p1"), "--proba p0,p1"),
    "encoding": ("cp1252", "--encoding cp1252"),
}


@pytest.mark.parametrize("field", SAID)
@pytest.mark.parametrize("named", ["digits", "subject.py"])
def test_what_a_named_subject_would_ignore_is_refused(named: str, field: str) -> None:
    value, spelled = SAID[field]
    with pytest.raises(UserError) as refused:
        chosen_subject(named, settled(named, {"subject": {field: value}}))
    assert f"{spelled} would be ignored: {named}" in str(refused.value)
    is_argument = field in inspect.signature(subject_from).parameters
    is_source = field in ("data", "split")
    said_there = f"subject_from(..., {field}=...)" in str(refused.value)
    assert said_there == (named == "subject.py" and is_argument and not is_source)
    assert (f"Leave {named} out, or the rest" in str(refused.value)) == is_source


def test_files_of_splits_are_refused_beside_a_name_and_beside_predictions() -> None:
    files = {"split": {"train": "a.csv", "test": "b.csv"}}
    with pytest.raises(UserError, match=r"--train a.csv --test b.csv would be ignored: digits"):
        chosen_subject("digits", settled("digits", {"subject": files}))
    settings = settled(None, {"subject": {**files, "predictions": "p.csv"}})
    with pytest.raises(UserError, match=r"--train a.csv --test b.csv would be ignored: --pred"):
        chosen_subject(None, settings)


def test_what_is_no_subject_is_told_before_what_it_would_ignore(folder: Path) -> None:
    (folder / "d.csv").write_text("y")
    (folder / "fx").mkdir()
    (folder / "fx" / "fix.json").write_text("{}")
    for named, words in {
        "d.csv": "is data, not a subject",
        "digts": 'No subject "digts".*digits',
        "fx": "fx/accepted/NAME",
    }.items():
        with pytest.raises(UserError, match=words):
            chosen_subject(named, settled(named, {"subject": {"target": "y", "model": "n.py:b"}}))


@pytest.mark.parametrize(
    "field", ["data", "unlabelled", "proof", "model", "weights", "random_draws"]
)
def test_what_recorded_predictions_would_ignore_is_refused(field: str) -> None:
    value, spelled = SAID[field]
    settings = settled(None, {"subject": {field: value, "predictions": "p.csv"}})
    with pytest.raises(UserError, match=f"{spelled} would be ignored: --predictions p.csv"):
        chosen_subject(None, settings)


def test_columns_of_predictions_without_predictions_are_refused() -> None:
    said = {"data": "a.csv", "target": "y", "score": "s", "predicted": "p"}
    with pytest.raises(UserError, match="--score s, --predicted p names columns of recorded"):
        chosen_subject(None, settled(None, {"subject": said}))


def test_a_saved_subject_takes_another_factory_and_no_roles(folder: Path) -> None:
    saved = folder / "saved"
    saved.mkdir()
    (saved / "subject.json").write_text("{}")
    said = {"model": "net.py:build", "target": "y"}
    with pytest.raises(UserError, match=r"^--target y would be ignored"):
        chosen_subject("saved", settled("saved", {"subject": said}))


def test_a_range_on_the_command_line_holds_for_a_named_subject_and_is_looked_after() -> None:
    wider = chosen_subject("digits", settled("digits", {"subject": {"input_range": (-1, 2)}}))
    assert wider.input_range == (-1, 2)
    assert chosen_subject("digits", settled("digits", {})).input_range == (0, 1)
    with pytest.raises(UserError, match=r"from 0 to 0.5, but \d+ \w+ rows"):
        chosen_subject("digits", settled("digits", {"subject": {"input_range": (0, 0.5)}}))
