"""From recorded decisions to a verdict on one gap, by the command line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from roadworthy.cli import app


def audited(file: Path, target: str, predicted: str, sensitive: str, only: str) -> tuple[int, str]:
    """Audit recorded decisions; return the exit code and what was printed, on one line."""
    asked = ("audit", "--predictions", str(file), "--target", target, "--predicted", predicted)
    found = CliRunner().invoke(app, [*asked, "--sensitive", sensitive, "--only", only])
    return found.exit_code, " ".join(found.output.split())


@pytest.mark.slow
def test_recorded_decisions_of_compas_are_found_unequal(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = data_dir / "tab_compas" / "compas_two_years.parquet"
    code, text = audited(file, "two_year_recid", "high_score", "race", "equalized_odds_gap")
    assert code == 1
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
    both = "demographic_parity_gap,selection_ratio"
    code, _ = audited(Path("adult.parquet"), "label", "said", "sex", both)
    assert code == 1
    # Of 48,842 rows: more than 50K earn .3038 of men and .1093 of women (difference .1945, ratio .360; README of the data).
    report = next(tmp_path.rglob("report.md")).read_text()
    assert "| sex: Male | 32,650 | 0.3038 |" in report
    assert "| sex: Female | 16,192 | 0.1093 |" in report
    assert "| 0.1945 |" in report
    assert "a ratio of 0.36." in report


@pytest.mark.slow
def test_base_rates_of_german_credit_are_those_published(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq

    monkeypatch.chdir(tmp_path)
    columns = ["sex", "foreign-worker", "class-label"]
    table = pq.read_table(data_dir / "tab_german" / "german_credit.parquet", columns=columns)
    pq.write_table(table.append_column("said", table["class-label"]), "german.parquet")
    groups = "sex,foreign-worker"
    code, text = audited(
        Path("german.parquet"), "class-label", "said", groups, "demographic_parity_gap"
    )
    # README of the data: good .6484 of women and .7232 of men; 963 of 1,000 are foreign workers, 37 are too few for a pass.
    assert code == 2
    report = next(tmp_path.rglob("report.md")).read_text()
    assert "| sex: female | 310 | 0.6484 |" in report
    assert "| sex: male | 690 | 0.7232 |" in report
    assert "37" in text
    assert "Too few for a pass" in text


@pytest.mark.slow
def test_a_bag_of_words_on_tweets_takes_more_of_one_dialect_for_abuse(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    monkeypatch.chdir(tmp_path)
    tweets = pq.read_table(data_dir / "text_hate_davidson" / "davidson.parquet")
    texts, labels = tweets["text"].to_pylist(), tweets["label"].to_numpy()
    assert [int((labels == k).sum()) for k in range(3)] == [1_430, 19_190, 4_163]  # as published
    bags = CountVectorizer(max_features=300, binary=True).fit_transform(texts)
    fitted = LogisticRegression(max_iter=200).fit(bags[::2], labels[::2])
    # Words of African-American English (Blodgett et al. 2016), none of them abuse.
    dialect = [
        bool(
            {"aint", "ain't", "yall", "y'all", "finna", "tryna", "gon"} & set(text.lower().split())
        )
        for text in texts[1::2]
    ]
    names = ("hate", "offensive", "neither")
    said = pa.table(
        {
            "label": [names[k] for k in labels[1::2]],
            "said": [names[k] for k in fitted.predict(bags[1::2])],
            "dialect": ["African-American" if d else "other" for d in dialect],
        }
    )
    pq.write_table(said, "tweets.parquet")
    code, text = audited(
        Path("tweets.parquet"), "label", "said", "dialect", "demographic_parity_gap"
    )
    assert code == 1
    assert "FAIL demographic_parity_gap" in text
    assert "African-American" in text


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
