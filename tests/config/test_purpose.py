"""From answers to bounds, with provenance."""

import pytest

from roadworthy.config import (
    Bound,
    Config,
    PurposeSection,
    parse_config,
    purpose_fields,
    purpose_key,
    purpose_words,
    requirements_of,
    settle,
)
from roadworthy.errors import UserError
from roadworthy.results import AtLeast, AtMost

OWN = {
    "error_rate": AtMost(0.2, "house default"),
    "accuracy": AtLeast(0.8, "house default"),
    "calibration_error": AtMost(0.05, "house default"),
    "outliers": None,
}


def test_an_answer_becomes_a_bound_with_its_provenance() -> None:
    found = requirements_of(Config(purpose=PurposeSection(accuracy=0.9)), OWN)
    assert found == {
        "error_rate": AtMost(0.1, "roadworthy.toml: accuracy needed 0.9"),
    }


def test_an_answer_makes_a_note_a_requirement() -> None:
    found = requirements_of(Config(purpose=PurposeSection(accuracy=0.9)), {"error_rate": None})
    assert found["error_rate"] == AtMost(0.1, "roadworthy.toml: accuracy needed 0.9")


def test_a_written_bound_goes_before_an_answer_and_keeps_the_checks_direction() -> None:
    config = Config(
        purpose=PurposeSection(accuracy=0.9),
        requirements={
            "accuracy": Bound(bound=0.7),
            "calibration_error": Bound(bound=0.1, source="clinic"),
        },
    )
    found = requirements_of(config, OWN)
    assert found["accuracy"] == AtLeast(0.7, "roadworthy.toml")
    assert found["calibration_error"] == AtMost(0.1, "roadworthy.toml: clinic")


def test_the_source_of_a_bound_says_where_it_was_set() -> None:
    settings = settle(
        parse_config("[requirements]\naccuracy = 0.7"),
        {"requirements": {"calibration_error": {"bound": 0.1}}, "purpose": {"accuracy": 0.9}},
    )
    found = requirements_of(settings.config, OWN, settings.origin)
    assert {name: r.source for name, r in found.items()} == {
        "accuracy": "roadworthy.toml",
        "calibration_error": "command line",
        "error_rate": "command line: accuracy needed 0.9",
    }


def test_no_answer_changes_no_bound() -> None:
    assert requirements_of(Config(), OWN) == {}


def test_a_bound_for_a_note_is_refused() -> None:
    with pytest.raises(UserError, match="outliers, which only notes"):
        requirements_of(Config(requirements={"outliers": Bound(bound=1)}), OWN)


def test_the_key_is_of_what_was_fixed_beforehand_and_of_nothing_else() -> None:
    one = parse_config("[purpose]\naccuracy = 0.9\nlaw = 'x'\n[requirements]\na = 1\nb = 2\n")
    same = parse_config(
        "[requirements]\nb = 2.0\na = { bound = 1 }\n[audit]\nseed = 5\n[purpose]\nlaw = 'x'\naccuracy = 0.9"
    )
    assert purpose_key(one) == purpose_key(same)
    assert len(purpose_key(one)) == 64
    for other in ("accuracy = 0.91\nlaw = 'x'", "accuracy = 0.9"):
        changed = parse_config(f"[purpose]\n{other}\n[requirements]\na = 1\nb = 2\n")
        assert purpose_key(changed) != purpose_key(one)


def test_only_answers_given_are_handed_on() -> None:
    purpose = PurposeSection(prevalence=0.02, decides="who is called back")
    assert purpose_fields(purpose) == {"prevalence": 0.02}
    assert purpose_words(purpose) == {"decides": "who is called back", "prevalence": "0.02"}
