import numpy as np
import pytest

from roadworthy.errors import UserError
from roadworthy.subject.delimited import delimiter_of, read_delimited

GERMAN = "Größe;Kosten;Ort\n1,5;1.234,50;Köln\n2,25;17,00;München\n3,0;8,10;Köln\n"


def write(tmp_path, content, encoding="utf-8", name="data.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-8", ""), ("utf-8-sig", ""), ("cp1252", "CP1252"), ("utf-16", "UTF-16"),
     ("utf-16-le", "UTF-16-LE"), ("utf-16-be", "UTF-16-BE")],
)  # fmt: skip
def test_semicolons_and_decimal_commas_are_read_in_any_encoding_and_said(tmp_path, encoding, said):
    table = read_delimited(write(tmp_path, GERMAN, encoding))
    assert list(table.columns) == ["Größe", "Kosten", "Ort"]
    assert table.columns["Größe"].values.tolist() == [1.5, 2.25, 3.0]
    assert table.columns["Kosten"].values.tolist() == [1234.5, 17.0, 8.1]
    assert table.columns["Ort"].categories == ("Köln", "München")
    (note, *_) = table.notes
    assert said in note
    assert "semicolon" in note
    assert "decimal comma" in note


def test_a_plain_csv_needs_no_remark(tmp_path) -> None:
    table = read_delimited(write(tmp_path, "a,b\n1,x\n2,y\n"))
    assert table.notes == ()
    assert table.columns["a"].kind == "numeric"
    assert table.columns["b"].kind == "category"


@pytest.mark.parametrize("code", ["", "?", "NA", "null", "-", "N/A", "NaN"])
def test_missing_codes_are_read_as_missing_and_said(tmp_path, code) -> None:
    table = read_delimited(write(tmp_path, f"a,b\n1,x\n{code},{code}\n3,z\n"))
    a, b = table.columns.values()
    assert np.isnan(a.values).tolist() == [False, True, False]
    assert b.values.tolist() == [0, -1, 1]
    assert a.missing_codes == b.missing_codes == (code,)
    assert code == "" or any(
        f'"{code}" was read as a missing value in a, b' in n for n in table.notes
    )


def test_none_is_an_answer_and_not_a_gap(tmp_path) -> None:
    table = read_delimited(write(tmp_path, "debtors\nnone\nco-applicant\nnone\n"))
    assert table.columns["debtors"].categories == ("co-applicant", "none")


def test_categories_are_spelled_exactly_as_in_the_file(tmp_path) -> None:
    table = read_delimited(write(tmp_path, "sex,n\nMale,1\nmale ,2\n Male,3\n"))
    assert set(table.columns["sex"].categories) == {"Male", "male ", " Male"}


def test_a_slip_among_numbers_is_named_with_its_row_and_read_as_missing(tmp_path) -> None:
    values = [str(i) for i in range(40)]
    values[6] = "12o"
    table = read_delimited(write(tmp_path, "a\n" + "\n".join(values) + "\n"))
    column = table.columns["a"]
    assert column.kind == "numeric"
    assert np.flatnonzero(column.is_missing).tolist() == [6]
    assert column.missing_codes == ("12o",)
    assert any("mixes numbers with text: '12o' (first in row 7)" in note for note in table.notes)


def test_half_numbers_half_words_are_categories(tmp_path) -> None:
    table = read_delimited(write(tmp_path, "a\n1\ntwo\n3\nfour\n"))
    assert table.columns["a"].kind == "category"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", 86400),
        ("1970-01-01 00:01:30", 90),
        ("02.01.1970", 86400),
        ("1970/01/02", 86400),
    ],
)
def test_dates_are_seconds_since_1970(tmp_path, text, seconds) -> None:
    column = read_delimited(write(tmp_path, f"when,n\n{text},1\n{text},2\n")).columns["when"]
    assert column.kind == "time"
    assert column.values.tolist() == [seconds, seconds]


def test_dates_that_fit_two_orders_say_which_was_taken(tmp_path) -> None:
    table = read_delimited(write(tmp_path, "when\n03/04/2020\n05/06/2020\n"))
    assert any("day/month and month/day" in note for note in table.notes)
    table = read_delimited(write(tmp_path, "when\n03/14/2020\n05/06/2020\n"))
    assert not table.notes
    assert table.columns["when"].values[0] == 1584144000  # 14 March 2020


def test_lines_with_too_many_or_too_few_fields_are_named(tmp_path) -> None:
    path = write(tmp_path, "a,b\n1,2\n1,2,3\n4,5\n6\n")
    with pytest.raises(UserError) as caught:
        read_delimited(path)
    message = str(caught.value)
    assert str(path) in message
    assert "line 3 has 3" in message
    assert "line 5 has 1" in message


def test_a_file_without_header_is_recognised(tmp_path) -> None:
    path = write(tmp_path, "39, State-gov, 77516\n50, Private, 83311\n")
    with pytest.raises(UserError, match="line 1: holds data"):
        read_delimited(path)


@pytest.mark.parametrize("content", [b"", b"\n\n \n", b"a,b\n"])
def test_a_file_without_rows_says_so(tmp_path, content) -> None:
    path = write(tmp_path, content)
    with pytest.raises(UserError, match=r"data\.csv"):
        read_delimited(path)


def test_duplicate_names_are_listed(tmp_path) -> None:
    path = write(tmp_path, "a,b,a,b\n1,2,3,4\n")
    with pytest.raises(UserError, match="more than once: a, b"):
        read_delimited(path)


def test_a_column_without_name_gets_one_and_a_remark(tmp_path) -> None:
    table = read_delimited(write(tmp_path, ",a\n0,1\n1,2\n"))
    assert list(table.columns) == ["unnamed_1", "a"]
    assert 'column 1 has no name and is called "unnamed_1"' in table.notes


def test_a_binary_file_is_no_table(tmp_path) -> None:
    path = write(tmp_path, bytes(range(256)) * 10)
    with pytest.raises(UserError, match="zero bytes"):
        read_delimited(path)


def test_bytes_that_no_encoding_has_are_named(tmp_path) -> None:
    path = write(tmp_path, b"a,b\n\x81\xff\x8d,1\n")
    with pytest.raises(UserError, match="neither UTF-8, UTF-16 nor cp1252"):
        read_delimited(path)


def test_quoted_fields_keep_delimiters_and_line_breaks(tmp_path) -> None:
    table = read_delimited(write(tmp_path, 'a,b\n"x, y",1\n"two\nlines",2\n'))
    assert table.columns["a"].categories == ("two\nlines", "x, y")


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_divides_lines_evenly(mark) -> None:
    lines = [
        mark.join(["name", "a.b", "c d"]) + "\n",
        mark.join(["x, y" if mark != "," else "x", "1", "2"]) + "\n",
    ]
    assert delimiter_of(lines) == mark


def test_blank_lines_and_excel_s_own_line_before_the_header_are_skipped(tmp_path) -> None:
    table = read_delimited(write(tmp_path, "\n\nsep=;\na;b\n1,5;x, y\n2,5;z\n"))
    assert list(table.columns) == ["a", "b"]
    assert table.columns["a"].values.tolist() == [1.5, 2.5]
    assert table.columns["b"].categories == ("x, y", "z")


def test_lines_may_end_as_on_windows(tmp_path) -> None:
    table = read_delimited(write(tmp_path, "a,b\r\n1,x\r\n2,y\r\n"))
    assert table.columns["b"].categories == ("x", "y")
