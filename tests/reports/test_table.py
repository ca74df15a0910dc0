"""Rows and CSV: the numbers as they were measured, and no cell that a spreadsheet would run."""

import csv as reader
import io
from dataclasses import replace

import pandas as pd
import synthetic_audits as made

from roadworthy.reports import csv, rows


def test_the_file_is_as_it_was(golden) -> None:
    golden("full.csv", csv(made.full()))


def test_a_row_has_the_number_as_measured_and_the_requirement() -> None:
    row = rows(made.full())[0]
    assert (row["check"], row["value"], row["low"], row["high"]) == (
        "label_errors", 0.0812, 0.0601, 0.1098,
    )  # fmt: skip
    assert (row["direction"], row["bound"], row["verdict"]) == ("at_most", 0.05, "fail")


def test_rows_make_a_data_frame_with_the_same_columns_whatever_was_measured() -> None:
    frame = pd.DataFrame(rows(made.full()))
    assert frame.shape[0] == len(made.findings())
    assert frame["value"].dtype == float
    assert {tuple(row) for row in rows(made.full())} == {tuple(frame.columns)}


def test_csv_reads_back_with_every_digit() -> None:
    read = list(reader.DictReader(io.StringIO(csv(made.full()))))
    assert float(read[1]["value"]) == 26 / 9769
    assert len(read) == len(made.findings())


def test_text_that_a_spreadsheet_would_run_is_only_text() -> None:
    attack = replace(made.findings()[0], details='=HYPERLINK("http://x")', title="+1", next="@x")
    (read,) = reader.DictReader(io.StringIO(csv(made.audit_of((attack,)))))
    assert read["details"].startswith("'=")
    assert (read["title"], read["next"]) == ("'+1", "'@x")


def test_an_audit_of_nothing_is_a_header() -> None:
    assert csv(made.empty()).count("\n") == 1
    assert rows(made.empty()) == []
