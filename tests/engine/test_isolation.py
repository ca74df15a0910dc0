"""The one place where everything is caught."""

import pytest

from roadworthy.engine.isolation import Failure, Success, attempt


def test_what_returns_is_a_success():
    assert attempt(lambda: 3) == Success(3)


def test_what_raises_is_a_failure_with_the_frames_of_what_was_called_alone():
    def broken() -> None:
        raise KeyError("gone")

    found = attempt(broken)
    assert isinstance(found, Failure)
    assert found.reason == "KeyError: 'gone'"
    assert 'raise KeyError("gone")' in found.traceback
    assert "engine/isolation.py" not in found.traceback


def test_an_error_of_many_lines_is_told_in_one():
    def broken() -> None:
        raise ValueError("first\nsecond")

    found = attempt(broken)
    assert isinstance(found, Failure)
    assert found.reason == "ValueError: first second"


def test_an_interrupt_is_the_users():
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(interrupted)


def test_only_the_nearest_error_is_the_reason():
    def broken() -> None:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise RuntimeError("outer") from error

    found = attempt(broken)
    assert isinstance(found, Failure)
    assert found.reason == "RuntimeError: outer"
    assert "KeyError: 'inner'" in found.traceback
