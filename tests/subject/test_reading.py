"""Conventions of a file that the user states: they go before what is found out."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from roadworthy.errors import UserError
from roadworthy.subject.readers import read_table
from roadworthy.subject.reading import Reading
from roadworthy.subject.table import table_from_arrow


def test_missing_codes_are_taken_out_of_numbers_and_of_words() -> None:
    source = pa.table({"age": [31, -99, 40], "job": ["clerk", "?", "unknown"]})
    table = table_from_arrow(source, "t", reading=Reading(missing_codes=("-99", "unknown")))
    np.testing.assert_array_equal(table.columns["age"].values, [31, np.nan, 40])
    np.testing.assert_array_equal(table.columns["job"].values, [0, -1, -1])
    assert table.columns["age"].missing_codes == ("-99",)
    assert table.notes == (
        '"-99" was read as a missing value in age',
        '"?" was read as a missing value in job',
        '"unknown" was read as a missing value in job',
    )


def test_a_missing_code_makes_numbers_of_a_column_that_is_full_of_it() -> None:
    source = pa.table({"age": ["31", "unknown", "unknown", "40"]})
    assert table_from_arrow(source, "t").columns["age"].kind == "category"
    table = table_from_arrow(source, "t", reading=Reading(missing_codes=("unknown",)))
    np.testing.assert_array_equal(table.columns["age"].values, [31, np.nan, np.nan, 40])


def test_encoding_delimiter_and_decimal_mark_are_taken_as_said(tmp_path: Path) -> None:
    # Found out alone, this would be one column in cp1252, its numbers words.
    file = tmp_path / "d.csv"
    file.write_bytes("naïve:pay\nя:1,5\nю:2,5\n".replace("ï", "i").encode("cp1251"))
    table = read_table(file, Reading("windows-1251", ":", ","))
    assert table.columns["naive"].categories == ("ю", "я")
    np.testing.assert_array_equal(table.columns["pay"].values, [1.5, 2.5])
    assert table.notes == (
        'read as CP1251 text; fields are separated by ":"; numbers have a decimal comma',
    )


def test_a_decimal_comma_belongs_to_missing_codes_too(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a;b\n1,5;x\n-9,9;y\n")
    table = read_table(tmp_path / "d.csv", Reading(decimal=",", missing_codes=("-9,9",)))
    np.testing.assert_array_equal(table.columns["a"].values, [1.5, np.nan])


def test_an_encoding_that_does_not_exist_or_does_not_fit_says_so(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_bytes("a,b\né,1\n".encode("cp1252"))
    with pytest.raises(UserError, match="--encoding utf9: no such encoding"):
        Reading("utf9")
    with pytest.raises(UserError, match=r"d\.csv: is no utf-8 text \(byte 4\)"):
        read_table(tmp_path / "d.csv", Reading("utf-8"))
