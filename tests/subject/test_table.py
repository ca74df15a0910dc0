import datetime

import numpy as np
import pyarrow as pa
import pytest

from roadworthy.errors import UserError
from roadworthy.subject.table import table_from_arrow


def read(values, kind=None):
    return table_from_arrow(pa.table({"a": pa.array(values, kind)}), "t").columns["a"]


def test_few_whole_numbers_stay_numbers_and_booleans_are_categories() -> None:
    assert read([1, 2, 1]).kind == "numeric"
    column = read([True, None, False])
    assert column.categories == ("False", "True")
    assert column.values.tolist() == [1, -1, 0]


def test_numbers_spelled_as_text_are_numbers() -> None:
    column = read(["1", " 2.5", "-3e2", None])
    assert column.kind == "numeric"
    assert column.values[:3].tolist() == [1.0, 2.5, -300.0]
    assert np.isnan(column.values[3])


def test_codes_of_categories_do_not_depend_on_the_order_of_rows() -> None:
    assert read(["b", "a", "c"]).categories == read(["c", "b", "a"]).categories == ("a", "b", "c")


def test_an_ordered_dictionary_keeps_its_order_and_loses_what_no_row_has() -> None:
    kind = pa.dictionary(pa.int8(), pa.string(), ordered=True)
    values = pa.DictionaryArray.from_arrays([0, 2], ["low", "mid", "high"], ordered=True)
    column = table_from_arrow(pa.table({"a": values.cast(kind)}), "t").columns["a"]
    assert column.categories == ("low", "high")


def test_dates_and_timestamps_are_seconds() -> None:
    column = read([datetime.date(1970, 1, 3), None])
    assert column.kind == "time"
    assert column.values[0] == 2 * 86400
    assert np.isnan(column.values[1])
    assert read([datetime.datetime(1970, 1, 1, 0, 0, 1)]).values.tolist() == [1.0]


def test_prose_is_told_from_categories() -> None:
    sentences = [f"this is message number {i} of many" for i in range(40)]
    assert read(sentences).kind == "text"
    assert read(["no known savings account", "some savings in the account"] * 20).kind == "category"


def test_long_identifiers_stay_apart() -> None:
    close = [2**60, 2**60 + 1, 2**60]
    column = read(close).as_category()
    assert column.values.tolist() == [0, 1, 0]


def test_decimals_and_lists() -> None:
    assert read([1, 2], pa.decimal128(5, 2)).values.tolist() == [1.0, 2.0]
    column = read([[1], [2]])
    assert column.kind == "unreadable"
    assert "list" in column.notes[0]


def test_a_column_without_any_value_is_missing_throughout() -> None:
    assert read([None, None]).is_missing.all()
    assert read(["?", "NA"]).is_missing.all()


def test_no_rows_and_repeated_names_are_told_at_once() -> None:
    empty = pa.Table.from_arrays([pa.array([], pa.int64())] * 2, names=["a", "a"])
    with pytest.raises(UserError) as caught:
        table_from_arrow(empty, "t.parquet")
    assert "2 problems" in str(caught.value)
    assert "more than once: a" in str(caught.value)
    assert "0 rows" in str(caught.value)


def test_the_index_of_a_pandas_table_is_left_out_and_said() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "x"]}, index=[5, 1, 9])
    table = table_from_arrow(pa.Table.from_pandas(frame), "rows")
    assert list(table.columns) == ["a", "b"]
    assert table.notes == ("the index of the pandas table was left out: __index_level_0__",)
    # A named one means something, and a table of nothing else is shown as it is.
    named = table_from_arrow(pa.Table.from_pandas(frame.set_index("b")), "rows")
    assert "b" in named.columns
    alone = table_from_arrow(pa.table({"__index_level_0__": [1, 2]}), "rows")
    assert list(alone.columns) == ["__index_level_0__"]
