"""Every example in a docstring of this room can be redone by hand."""

import doctest
import importlib
import pkgutil

import pytest

import roadworthy.statistics

MODULES = [m.name for m in pkgutil.iter_modules(roadworthy.statistics.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    module = importlib.import_module(f"roadworthy.statistics.{name}")
    found = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert found.failed == 0


def test_every_public_function_has_an_example() -> None:
    for name in roadworthy.statistics.__all__:
        public = getattr(roadworthy.statistics, name)
        if callable(public) and name not in (
            "Interval",
            "Judgement",
            "limit",
            "measured",
            "quantiles_on",
        ):
            assert ">>>" in (public.__doc__ or ""), name
