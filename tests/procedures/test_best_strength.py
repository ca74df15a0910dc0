"""The best of several strengths: by what a larger value means, the weakest of equals, refusals kept."""

import pytest

from roadworthy.procedures.best_strength import best_strength
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
