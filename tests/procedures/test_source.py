import linecache
import sys
from types import ModuleType

import pytest

from roadworthy.engine import Registry
from roadworthy.procedures import source
from roadworthy.procedures.selftest import repetition
from roadworthy.procedures.source import VERDICT, codes, source_key

TEXT = '''
import numpy as np

LIMIT = 3
WORDS = ("a", "b")

def helper(x):
    return x + LIMIT

class Scale:
    factor = 2
    def of(self, x):
        return self.factor * x

def measured(x, *, power=2):
    """Say what it is."""
    text = f"{x + 1} of {{all}}"
    return helper(x) ** power + Scale().of(len(WORDS)), text
'''
MADE = [0]


def key_of(text: str) -> str:
    """Key of `measured` in a module of this text, read anew each time."""
    MADE[0] += 1
    name = f"selftest_source_{MADE[0]}"
    module = ModuleType("selftest_source")
    file = f"/nowhere/{name}.py"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    sys.modules["selftest_source"] = module
    exec(compile(text, file, "exec"), module.__dict__)
    try:
        return source_key(module.measured)
    finally:
        del sys.modules["selftest_source"]


def test_what_a_function_says_and_reaches_makes_its_key() -> None:
    changes = {
        "body": ("** power", "* power"),
        "helper": ("x + LIMIT", "x - LIMIT"),
        "constant": ("LIMIT = 3", "LIMIT = 4"),
        "container": ('("a", "b")', '("a", "c")'),
        "default": ("power=2", "power=3"),
        "method": ("self.factor * x", "self.factor + x"),
        "attribute of a class": ("factor = 2", "factor = 5"),
        "f-string": ("{x + 1}", "{x + 2}"),
    }
    base = key_of(TEXT)
    for what, (old, new) in changes.items():
        assert old in TEXT
        assert key_of(TEXT.replace(old, new)) != base, what


def test_comments_docstrings_annotations_and_layout_make_no_difference() -> None:
    base = key_of(TEXT)
    for old, new in (
        ("Say what it is.", "Say it otherwise."),
        ("return x + LIMIT", "# a comment\n    return (x +\n            LIMIT)"),
        ("def helper(x)", "def helper(x: int) -> int"),
        ("import numpy as np\n", ""),
    ):
        assert old in TEXT
        assert key_of(TEXT.replace(old, new)) == base, new


def test_two_constants_that_swap_their_values_are_a_change() -> None:
    text = "A = 1\nB = 2\ndef measured():\n    return A - B\n"
    swapped = text.replace("A = 1", "A = 2").replace("B = 2", "B = 1")
    assert key_of(text) != key_of(swapped)


def test_every_python_gives_the_same_key() -> None:
    text = (
        "from dataclasses import dataclass\n"
        "@dataclass(frozen=True)\n"
        "class Found:\n"
        "    value: float\n"
        "    kind: str = 'found'\n"
        "def measured(x):\n"
        "    return Found(sum(each for each in [y * 2 for y in x]))\n"
    )
    # Written down under 3.11; records that ship with the package are read under versions to come.
    assert key_of(text) == "341a43790932e6f91b85"


def test_records_are_of_the_verdict_that_self_tests_and_audits_give(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = codes(Registry.discover())(VERDICT)
    assert key == source_key(repetition.judged)
    monkeypatch.setattr(source, "judged", lambda *_: "pass")  # all else the same
    assert codes(Registry.discover())(VERDICT) != key
