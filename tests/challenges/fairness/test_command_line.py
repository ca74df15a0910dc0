"""From recorded decisions to a verdict on one gap, by the command line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from roadworthy.cli import app


@pytest.mark.slow
def test_recorded_decisions_of_compas_are_found_unequal(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = data_dir / "tab_compas" / "compas_two_years.parquet"
    said = CliRunner().invoke(
        app,
        [
            *("audit", "--predictions", str(file), "--target", "two_year_recid"),
            *("--predicted", "high_score", "--sensitive", "race", "--only", "equalized_odds_gap"),
        ],
    )
    text = " ".join(said.output.split())
    assert said.exit_code == 1
    assert "FAIL equalized_odds_gap" in text
    assert "By race, 72.0 % of African-American and 32.3 % of Other were decided" in text
    report = next(tmp_path.rglob("report.md")).read_text()
    assert "race: Native American" in report


@pytest.mark.slow
def test_base_rates_of_adult_are_those_published(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq

    monkeypatch.chdir(tmp_path)
    table = pq.read_table(data_dir / "tab_adult" / "adult.parquet", columns=["sex", "label"])
    pq.write_table(table.append_column("said", table["label"]), "adult.parquet")
    said = CliRunner().invoke(
        app,
        [
            *("audit", "--predictions", "adult.parquet", "--target", "label"),
            *("--predicted", "said", "--sensitive", "sex"),
            *("--only", "demographic_parity_gap,selection_ratio"),
        ],
    )
    assert said.exit_code == 1
    # Of 48,842 rows: more than 50K earn .3038 of men and .1093 of women (difference .1945, ratio .360; README of the data).
    report = next(tmp_path.rglob("report.md")).read_text()
    assert "| sex: Male | 32,650 | 0.3038 |" in report
    assert "| sex: Female | 16,192 | 0.1093 |" in report
    assert "| 0.1945 |" in report
    assert "a ratio of 0.36." in report


def test_edges_of_an_attribute_that_is_none_are_refused(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = data_dir / "tab_compas" / "compas_two_years.parquet"
    said = CliRunner().invoke(
        app,
        [
            *("audit", "--predictions", str(file), "--target", "two_year_recid"),
            *("--predicted", "high_score", "--sensitive", "age", "--only", "error_rate_gap"),
            *("--set", "groups.edges=ages:30"),
        ],
    )
    assert said.exit_code == 4
    text = " ".join(said.output.split())
    assert 'groups.edges names "ages"; the sensitive attributes are age' in text
