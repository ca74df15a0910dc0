"""Every example in a docstring of this room holds."""

import doctest
import importlib
import pkgutil

import pytest

import roadworthy.config

MODULES = [m.name for m in pkgutil.iter_modules(roadworthy.config.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    module = importlib.import_module(f"roadworthy.config.{name}")
    assert doctest.testmod(module).failed == 0
