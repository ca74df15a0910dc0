"""Costs in words: in the unit that a person would say them in, and as one where timings alone differ."""

from dataclasses import replace

import synthetic_effects as made

from roadworthy.reports.cost_words import cost_line, costs, training_words
from roadworthy.results import Cost


def test_small_times_have_small_units_and_what_is_not_known_is_a_dash() -> None:
    before, after = Cost(2.0, 0.0073, 10, 40), Cost(3.0, 2.3e-5, 10, 56_000)
    training, latency, size = costs(before, after)
    assert (training.before, training.after, training.ratio) == ("2 s", "3 s", "×1.5")
    assert (latency.before, latency.after) == ("7.3 µs", "23 ns")
    assert (size.before, size.after) == ("40 B", "56 kB")
    assert [c.before for c in costs(Cost(), after)] == ["–", "–", "–"]
    assert costs(Cost(milliseconds_per_row=0.5), Cost())[1].before == "0.5 ms"


def test_a_cost_within_a_twentieth_is_the_same() -> None:
    same = costs(Cost(1.0, 1.0, 1, 100), Cost(1.04, 1.2, 1, 104))
    assert [c.changes for c in same] == [False, True, False]


def test_the_latency_of_a_model_as_large_as_before_differs_by_what_runs_beside_it() -> None:
    def changes(before: float, after: float, size: int = 100) -> bool:
        return costs(Cost(1.0, before, 1, 100), Cost(1.0, after, 1, size))[1].changes

    assert not changes(0.021, 0.036)
    assert not changes(0.036, 0.021)
    assert changes(0.021, 0.05)
    assert changes(0.05, 0.021)
    assert changes(0.021, 0.036, 130)


def test_a_training_that_is_not_known_is_said_with_the_reason() -> None:
    trained, shared = Cost(2.0, 1.0, 10, 40), Cost(None, 1.0, 10, 40)
    assert training_words(trained, trained) == ""
    assert training_words(Cost(), shared) == "", "nor was it before"
    assert training_words(trained, Cost()) == "", "there is no model to train"
    candidate = replace(made.candidates()[0], before=trained, after=shared)
    assert cost_line(candidate) == (
        "training 2 s → not known, for it was trained together with others"
    )
