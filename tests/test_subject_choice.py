"""For which subject the roadworthy.toml of a folder speaks."""

from pathlib import Path

import pytest

from roadworthy.errors import UserError
from roadworthy.subject_choice import settled

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
