"""Reading roadworthy.toml: all problems at once, each with line and way out."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadworthy.config import Bound, Config, SplitFiles, parse_config, read_config
from roadworthy.errors import UserError

EVERYTHING_WRONG = """\
[subject]
data = "a.csv"
seed = 3
sensitve = ["sex"]
trust = "yes"
proof = 0.9
split = { tran = "x" }
positive = 1

[audits]
x = 1
[purpose]
accuracy = "0.9"
prevalence = 1.5
smallest_group = 3.5
[requirements]
acuracy_gap = "low"
near_dup = { bond = 3 }
calibration_error = { bound = nan }
[checks]
only = [3]
skip = "uncertanty"
[audit]
profile = "qick"
budget = "ten minutes"
fail_on = ["fial"]
seed = -1
delimiter = ";"
"""


def _problems(text: str, checks: list[str] | None = None) -> list[str]:
    with pytest.raises(UserError) as caught:
        parse_config(text, checks=checks)
    return str(caught.value).splitlines()


def test_every_problem_of_a_file_is_told_at_once_with_its_line() -> None:
    checks = ["accuracy_gap", "calibration_error", "uncertainty"]
    there = "There are: subject, purpose, requirements, options, checks, audit."
    listed = "`roadworthy list` shows all."
    assert _problems(EVERYTHING_WRONG, checks) == [
        f"roadworthy.toml, line {line}: {message}"
        for line, message in [
            (3, '[subject] has no key "seed". "seed" belongs in [audit].'),
            (4, '[subject] has no key "sensitve". Did you mean "sensitive"?'),
            (5, '[subject] trust is "yes"; expected true or false.'),
            (6, "[subject] proof is 0.9; expected at most 0.5."),
            (7, '[subject.split] has no key "tran". Did you mean "train"?'),
            (10, 'there is no section "audits". Did you mean "audit"?'),
            (13, '[purpose] accuracy is "0.9"; expected a number, like 0.9.'),
            (14, "[purpose] prevalence is 1.5; expected below 1.0."),
            (15, "[purpose] smallest_group is 3.5; expected a whole number, like 3."),
            (
                17,
                '[requirements] names "acuracy_gap", which is no check. Did you mean '
                f'"accuracy_gap"? {listed}',
            ),
            (17, '[requirements] acuracy_gap is "low"; expected a number, like 0.9.'),
            (18, f'[requirements] names "near_dup", which is no check. {listed}'),
            (18, '[requirements.near_dup] has no key "bond". Did you mean "bound"?'),
            (19, "[requirements] calibration_error is nan; expected a finite number."),
            (21, '[checks] only is 3; expected text in quotes, like "abc".'),
            (
                22,
                f'[checks] names "uncertanty", which is no check. Did you mean "uncertainty"? {listed}',
            ),
            (
                24,
                '[audit] profile is "qick"; expected "quick", "standard" or "full". '
                'Did you mean "quick"?',
            ),
            (
                25,
                '[audit] budget is wrong: "ten minutes" is no duration; write it like "90s", "10m" or '
                '"1h30m".',
            ),
            (
                26,
                '[audit] fail_on is "fial"; expected "fail", "error" or "undecided". '
                'Did you mean "fail"?',
            ),
            (27, "[audit] seed is -1; expected at least 0."),
            (28, '[audit] has no key "delimiter". "delimiter" belongs in [subject].'),
        ]
    ]
    assert _problems("[nothing_like_it]") == [
        f'roadworthy.toml, line 1: there is no section "nothing_like_it". {there}'
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[audit\nx = 1", "roadworthy.toml, line 1, column 7: is not valid TOML"),
        ("[audit]\nseed = 1\nseed = 2\n", "cannot overwrite a value"),
        ("audit = 3", "line 1: [audit] is 3; expected a section of keys."),
        ("requirements = 3", "line 1: [requirements] is 3; expected a section of keys."),
        ("[subject]\nsplit = 3", "line 2: [subject] split is 3; expected text in quotes"),
        ("[requirements]\nx = {}", "line 2: [requirements] x has no bound."),
        ("[audit]\nseed = true", "line 2: [audit] seed is true; expected a whole number"),
        ("[audit]\nseed = -1", "line 2: [audit] seed is -1; expected at least 0."),
        ("[subject]\ntarget = ''", "expected text that is not empty"),
        ("[subject]\ndelimiter = 'ab'", "expected at most 1 character"),
        ("[subject]\ndata = 2024-01-01", "line 2: [subject] data is 2024-01-01; expected text"),
    ],
)
def test_a_wrong_file_says_where_and_what_was_expected(text: str, message: str) -> None:
    assert message in "\n".join(_problems(text))


def test_what_is_written_is_what_is_read() -> None:
    config = parse_config(
        """
        [subject]
        data = "adult.parquet"
        split = { train = "a.csv", test = "b.csv" }
        positive = 1
        sensitive = "sex"
        missing_codes = [-99, "?"]
        [requirements]
        accuracy_gap = 1
        calibration_error = { bound = 0.03, source = "agreed with the clinic" }
        [audit]
        fail_on = "never"
        budget = "1h30m"
        """
    )
    assert config.subject.split == SplitFiles(train="a.csv", test="b.csv")
    assert config.subject.positive == "1"
    assert config.subject.sensitive == ("sex",)
    assert config.subject.missing_codes == ("-99", "?")
    assert config.requirements == {
        "accuracy_gap": Bound(bound=1.0),
        "calibration_error": Bound(bound=0.03, source="agreed with the clinic"),
    }
    assert config.audit.fail_on == ()


def test_an_empty_file_is_all_defaults() -> None:
    assert parse_config("") == Config()


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    file = tmp_path / "roadworthy.toml"
    file.write_bytes(b"\xef\xbb\xbf[audit]\r\nseed = 3\r\n")
    assert read_config(tmp_path).audit.seed == 3


def test_a_file_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "roadworthy.toml"
    file.write_bytes('[subject]\ntarget = "größe"\n'.encode("cp1252"))
    with pytest.raises(UserError, match="line 2: byte 0xf6 is not UTF-8"):
        read_config(file)


def test_a_missing_file_names_the_command_that_writes_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read .*roadworthy init"):
        read_config(tmp_path / "roadworthy.toml")


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config().audit.seed = 3  # pyright: ignore


@given(st.text(alphabet="[]=\"'a.b{}\n #1,", max_size=80))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    message = "roadworthy.toml"
    try:
        parse_config(text)
    except UserError as error:
        message = str(error)
    assert "roadworthy.toml" in message
