"""What a fix says of differences and of harm: better or worse, points, one precision, names in words."""

from dataclasses import replace

import pytest

from roadworthy.procedures.fix.affordable import DEAR
from roadworthy.procedures.fix.trial import LEFT_OUT
from roadworthy.procedures.fix.verdict import harm_in_words
from roadworthy.procedures.fix.words import change_in_words
from roadworthy.results import Difference, Effect

SHARE = "share of test rows"


@pytest.mark.parametrize(
    ("numbers", "unit", "larger_is", "said"),
    [
        ((-0.007, -0.0137, 0.0018), SHARE, "worse", "better by 0.7 points (95 % interval 0.2 worse to 1.4 better, n = 300)"),
        ((0.052, 0.041, 0.063), SHARE, "worse", "worse by 5.2 points (95 % interval 4.1 to 6.3, n = 300)"),
        ((0.052, 0.041, 0.063), SHARE, "better", "better by 5.2 points (95 % interval 4.1 to 6.3, n = 300)"),
        ((-0.487, -0.487, -0.487), SHARE, "worse", "better by 48.7 points, counted exactly (n = 300)"),
        ((0.0, 0.0, 0.0), SHARE, "worse", "the same, counted exactly (n = 300)"),
        ((0.0, 0.0, 0.04), SHARE, "worse", "the same (95 % interval 0 to 4 worse, n = 300)"),
        ((-0.01, -0.2, 0.1), SHARE, "worse", "better by 1 point (95 % interval 10 worse to 20 better, n = 300)"),
        ((-0.5, -0.61, -0.4), "nats per row", "worse", "better by 0.5 nats per row (95 % interval 0.4 to 0.61, n = 300)"),
    ],
)  # fmt: skip
def test_a_difference_is_better_or_worse_by_points(numbers, unit, larger_is, said) -> None:
    assert (
        change_in_words(Difference(*numbers, 300, "paired"), unit, larger_is).replace("\u00a0", " ")
        == said
    )


def effect(check: str, low: float, high: float, margin: float, kind: str) -> Effect:
    return Effect(
        check=check,
        challenge="uncertainty",
        title="Some check",
        mitigation="cooler",
        unit=SHARE,
        larger_is="worse",
        before=0.1,
        after=0.1 + (low + high) / 2,
        difference=Difference((low + high) / 2, low, high, 300, "paired"),
        effect=kind,  # type: ignore[arg-type]
        margin=margin,
        non_inferior=high <= margin,
        required=True,
        verdict_before="pass",
        verdict_after="pass",
    )


def test_harm_that_is_not_ruled_out_is_told_from_harm_that_is_shown() -> None:
    open_ = effect("label_errors_in_train", -0.19, 0.2061, 0.015, "no_effect_shown")
    shown = effect("error_rate", 0.02, 0.04, 0.025, "harmed")
    assert harm_in_words([open_]) == (
        "Harm is not ruled out: label errors in train could get worse by up to 20.6 points, "
        "where 1.5 points would be tolerated."
    )
    assert harm_in_words([open_, shown]) == (
        "It harms: error rate gets worse, by up to 4 points, where 2.5 points would be tolerated; "
        "1 more check likewise."
    )
    assert harm_in_words([replace(open_, required=False)]) is None


def test_harm_and_margin_never_read_the_same() -> None:
    near = effect("calibration_error", -0.01, 0.025004, 0.025, "no_effect_shown")
    assert "2.5004 points, where 2.5 points" in str(harm_in_words([near]))
    odd = effect("conformal_shortfall", -0.02, 0.0246, 0.0216666667, "no_effect_shown")
    assert "2.5 points, where 2.2 points" in str(harm_in_words([odd]))


def test_why_a_check_is_left_out_names_every_dear_cost() -> None:
    named = {"training": "trains models of its own", "attack": "attacks the changed one"}
    assert set(named) == set(DEAR)
    assert all(words in LEFT_OUT for words in named.values())
