"""The best of several strengths: by what a larger value means, the weakest of equals, refusals kept."""

import pytest

from roadworthy.procedures.best_strength import ALL_THE_SAME, best_strength
from roadworthy.procedures.transforms import CannotApply
from roadworthy.results import Attempt

VALUES = {1.0: 0.5, 2.0: 0.1, 3.0: 0.1, 4.0: 0.9}


@pytest.mark.parametrize(
    ("larger_is", "strength"), [("worse", 2.0), ("better", 4.0), ("neither", 2.0)]
)
def test_the_best_is_told_by_what_larger_means_and_the_weakest_of_equals_is_taken(
    larger_is: str, strength: float
) -> None:
    found = best_strength(list(VALUES), VALUES.__getitem__, larger_is)  # type: ignore[arg-type]
    assert found.strength == strength
    assert found.attempts == tuple(Attempt(s, v) for s, v in VALUES.items())
    assert (found.reason, found.broke) == ("", None)


def test_the_best_that_nothing_stands_against_is_taken_and_no_more_are_asked_about() -> None:
    asked: list[float] = []

    def objection(strength: float) -> str | None:
        asked.append(strength)
        return "it harms" if strength in (1.0, 4.0) else None

    found = best_strength(list(VALUES), VALUES.__getitem__, "better", objection)
    # By value: 4 (.9), 1 (.5), then 2 and 3 (.1), of which the weaker is taken.
    assert (found.strength, asked) == (2.0, [4.0, 1.0, 2.0])
    assert [a.reason for a in found.attempts] == ["it harms", "", "", "it harms"]
    assert [a.value for a in found.attempts] == list(VALUES.values())
    assert found.reason == "", "all were measured"


def test_where_something_stands_against_each_the_best_is_taken_and_that_is_said() -> None:
    found = best_strength([2.0, 4.0], VALUES.__getitem__, "better", lambda s: f"harm of {s:g}")
    assert found.strength == 4.0
    assert [a.reason for a in found.attempts] == ["harm of 2", f"harm of 4; {ALL_THE_SAME}"]


def test_where_there_is_no_choice_nothing_is_asked() -> None:
    def never(strength: float) -> str | None:
        raise AssertionError(strength)

    def value_of(strength: float) -> float:
        if strength == 2.0:
            raise CannotApply("too strong", None)
        return strength

    assert best_strength([1.0], value_of, "worse", never).strength == 1.0
    assert best_strength([1.0, 2.0], value_of, "worse", never).strength == 1.0
    assert best_strength([2.0], value_of, "worse", never).strength is None


def test_what_could_not_be_measured_is_said_and_never_chosen() -> None:
    def value_of(strength: float) -> float:
        if strength == 1.0:
            return float("nan")
        raise CannotApply("too strong", "a traceback" if strength == 3.0 else None)

    found = best_strength([1.0, 2.0, 3.0], value_of, "worse")
    assert found.strength is None
    assert found.reason == "too strong"
    assert found.broke == "a traceback"
    assert [a.reason for a in found.attempts] == ["", "too strong", "too strong"]
