"""Memory that is given back."""

import pytest

from roadworthy.engine import memory


def test_memory_is_given_back_where_the_system_can_and_nothing_happens_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory.give_back_memory()
    memory._trim.cache_clear()
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    assert memory._trim() is None
    memory.give_back_memory()
    memory._trim.cache_clear()
