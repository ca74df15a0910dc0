"""Options of checks and artifacts, as a user sets them."""

from inspect import signature
from typing import Literal

import pytest

from roadworthy.config import Config, parse_config, render_toml, require_option, settle
from roadworthy.errors import UserError
from roadworthy.options import chosen


def attack_outcomes(
    *, eps: float = 0.03, norm: Literal["linf", "l2"] = "linf", rows: int = 5, exact: bool = True
) -> None:
    del eps, norm, rows, exact


PARAMETERS = signature(attack_outcomes).parameters


@pytest.mark.parametrize(
    ("option", "value"), [("eps", 0.1), ("eps", 1), ("norm", "l2"), ("rows", 3), ("exact", False)]
)
def test_an_option_of_the_right_kind_is_taken(option: str, value: object) -> None:
    require_option("attack_outcomes", option, value, PARAMETERS)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("epsilon", 0.1, 'has no option "epsilon". Did you mean "eps"?'),
        ("eps", "big", 'eps is "big"; expected a number'),
        ("eps", True, "expected a number"),
        ("norm", "l3", '"linf" or "l2"'),
        ("rows", 2.5, "a whole number"),
        ("exact", 1, "true or false"),
    ],
)
def test_a_wrong_option_is_refused_with_what_is_allowed(
    option: str, value: object, words: str
) -> None:
    with pytest.raises(UserError, match="attack_outcomes") as refused:
        require_option("attack_outcomes", option, value, PARAMETERS)
    assert words in str(refused.value)


def test_the_command_line_goes_before_the_file_option_by_option() -> None:
    file = parse_config('[options]\nattack_outcomes = { eps = 0.1, norm = "l2" }\n')
    settings = settle(file, {"options": chosen(["attack_outcomes.eps=0.2"])})
    assert settings.config.options == {"attack_outcomes": {"eps": 0.2, "norm": "l2"}}


def test_options_and_range_are_written_as_they_are_read() -> None:
    text = "[subject]\ninput_range = [0, 255]\n[options]\nx = { eps = 0.5 }\n"
    config = parse_config(text)
    assert config.subject.input_range == (0.0, 255.0)
    assert parse_config(render_toml(config)) == config
    assert parse_config(render_toml(Config())) == Config()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[subject]\ninput_range = [1, 0]\n", "second number must be above"),
        ("[subject]\ninput_range = 3\n", "two numbers"),
        ("[subject]\ninput_range = [1]\n", "two numbers"),
        ("[subject]\ninput_range = [0, 1, 2]\n", "two numbers"),
        ("[options.attack_threat]\neps = nan\n", "expected a finite number"),
        ("[options]\nx = 3\n", "x"),
    ],
)
def test_a_wrong_range_or_option_names_its_line(text: str, words: str) -> None:
    with pytest.raises(UserError, match="line 2") as refused:
        parse_config(text)
    assert words in str(refused.value)


@pytest.mark.parametrize("setting", ["eps=0.1", "attack.eps", "attack.=1", ".eps=1"])
def test_a_setting_that_names_nothing_is_refused(setting: str) -> None:
    with pytest.raises(UserError, match=r"NAME\.OPTION=VALUE"):
        chosen([setting])


def test_one_number_is_no_range_on_the_command_line() -> None:
    with pytest.raises(UserError, match=r"--input-range .*two numbers were expected"):
        settle(None, {"subject": {"input_range": "1"}})


def test_a_setting_that_is_no_finite_number_is_told_by_its_name() -> None:
    with pytest.raises(
        UserError, match=r"--set attack_threat\.eps is nan; expected a finite number"
    ):
        settle(None, {"options": chosen(["attack_threat.eps=nan"])})


@pytest.mark.parametrize(
    ("written", "value"),
    [("8/255", 8 / 255), ("-1 / 4", -0.25), ("0.5/2", 0.25), ("1/0", "1/0"), ("a/b", "a/b")],
)
def test_a_fraction_is_a_number(written: str, value: object) -> None:
    assert chosen([f"attack_threat.eps={written}"]) == {"attack_threat": {"eps": value}}
