"""A change recomputes at least what depends on it, and how much too much is counted (here: nothing)."""

from pathlib import Path

import numpy as np
import pytest

from roadworthy.engine import Registry, Store, compute

SOURCE = '''
import numpy as np
from roadworthy.engine import artifact, check

FACTOR = 2.0
TABLE = {"weights": [1, 2]}


def helper(x):
    """Help."""
    return x + 1


def powered(x, power=2):
    return x**power


class Scaler:
    def __init__(self, k):
        self.k = k

    def scale(self, x):
        return self._apply(x)

    def _apply(self, x):
        return x * self.k


@artifact(per="split")
def helped(inputs):
    """Uses a helper."""
    return helper(inputs)


@artifact()
def scaled(train_helped):
    return Scaler(3).scale(train_helped)


@artifact()
def constant(test_inputs):
    return test_inputs * FACTOR


@artifact()
def tabled(test_inputs):
    return test_inputs * TABLE["weights"][1]


@artifact()
def drawn(rng, *, size=3):
    return rng.normal(size=size)


@check(challenge="x")
def of_scaled(scaled):
    return float(scaled.sum())


@check(challenge="x")
def of_constants(constant, tabled):
    return float(powered(constant).sum() + tabled.sum())


@check(challenge="x")
def of_drawn(drawn, threshold):
    return float((drawn > threshold).mean())


@check(challenge="x")
def of_both(test_helped, scaled):
    return float(test_helped.sum())
'''

TRAIN, TEST = np.arange(5.0), np.arange(3.0)
FIELDS = {"train_inputs": TRAIN, "test_inputs": TEST, "threshold": 0.5}
CHECKS = ["of_scaled", "of_constants", "of_drawn", "of_both"]
EVERYTHING = {"train_helped", "test_helped", "scaled", "constant", "tabled", "drawn", *CHECKS}

CODE = {
    "function": (
        "return helper(inputs)",
        "return helper(inputs) * 1",
        {*("train_helped", "test_helped", "scaled", "of_scaled", "of_both")},
    ),
    "helper": (
        "return x + 1",
        "return 1 + x",
        {*("train_helped", "test_helped", "scaled", "of_scaled", "of_both")},
    ),
    "method of a helper class": (
        "return x * self.k",
        "return self.k * x",
        {*("scaled", "of_scaled", "of_both")},
    ),
    "constant": ("FACTOR = 2.0", "FACTOR = 3.0", {"constant", "of_constants"}),
    "constant in a dict": ("[1, 2]}", "[1, 3]}", {"tabled", "of_constants"}),
    "default of a helper": ("power=2", "power=3", {"of_constants"}),
    "option": ("size=3", "size=4", {"drawn", "of_drawn"}),
    "check": ("(drawn > threshold)", "(drawn >= threshold)", {"of_drawn"}),
    "docstring": ('"""Uses a helper."""', '"""Uses the helper."""', set()),
    "docstring of a helper": ('    """Help."""\n', "", set()),
    "comment": ("FACTOR = 2.0", "FACTOR = 2.0  # of two", set()),
    "challenge of a check": ('challenge="x")\ndef of_drawn', 'challenge="y")\ndef of_drawn', set()),
}
DATA = {
    "value": ({"train_inputs": TRAIN + 1}, {"train_helped", "scaled", "of_scaled", "of_both"}),
    "dtype": ({"train_inputs": TRAIN.astype("f4")}, {"train_helped", "scaled", "of_scaled", "of_both"}),
    "shape": ({"test_inputs": TEST[:, None]}, {
        *("test_helped", "constant", "tabled", "of_constants", "of_both")
    }),
    "number": ({"threshold": 0.6}, {"of_drawn"}),
    "type of a number": ({"threshold": np.float64(0.5)}, {"of_drawn"}),
    "same data elsewhere": ({"train_inputs": TRAIN.copy(), "test_inputs": TEST.copy()}, set()),
    "what nothing needs": ({"validation_inputs": TRAIN}, set()),
    "another artifact given": ({"scaled": TRAIN}, {"of_scaled", "of_both"}),
}  # fmt: skip


def recomputed(module, folder: Path, record, source=SOURCE, fields=FIELDS, **options) -> set[str]:
    compute(Registry.of(module(SOURCE)), FIELDS, CHECKS, store=Store(folder))
    registry = Registry.of(module(source))
    found = compute(registry, fields, CHECKS, store=Store(folder), emit=record, **options)
    assert all(o.state in ("done", "error") for o in found.values())
    fresh = compute(registry, fields, CHECKS, **options)
    assert {n: o.value for n, o in found.items()} == {n: o.value for n, o in fresh.items()}
    # Of what changed, only what the changed checks need is looked at.
    return set(record.computed)


@pytest.mark.parametrize("change", CODE)
def test_a_change_of_code_recomputes_what_depends_on_it_and_nothing_else(
    change, module, tmp_path: Path, record
):
    before, after, due = CODE[change]
    assert SOURCE.count(before) == 1
    found = recomputed(module, tmp_path, record, SOURCE.replace(before, after))
    assert found >= due, "stale"
    assert len(found - due) == 0, "too much"


@pytest.mark.parametrize("change", DATA)
def test_a_change_of_data_recomputes_what_depends_on_it_and_nothing_else(
    change, module, tmp_path: Path, record
):
    fields, due = DATA[change]
    found = recomputed(module, tmp_path, record, fields={**FIELDS, **fields})
    assert found >= due, "stale"
    assert len(found - due) == 0, "too much"


def test_another_seed_recomputes_what_takes_one(module, tmp_path: Path, record):
    assert recomputed(module, tmp_path, record, seed=1) == {"drawn", "of_drawn"}


def test_another_option_recomputes_what_takes_it(module, tmp_path: Path, record):
    options = {"drawn": {"size": 8}}
    assert recomputed(module, tmp_path, record, options=options) == {"drawn", "of_drawn"}


def test_another_version_of_numpy_recomputes_everything(module, tmp_path, record, monkeypatch):
    monkeypatch.setattr(np, "__version__", "99.0")
    compute(Registry.of(module(SOURCE)), FIELDS, CHECKS, store=Store(tmp_path))
    monkeypatch.undo()
    assert recomputed(module, tmp_path, record) == set()
    record.events.clear()
    monkeypatch.setattr(np, "__version__", "98.0")
    compute(Registry.of(module(SOURCE)), FIELDS, CHECKS, store=Store(tmp_path), emit=record)
    assert set(record.computed) == EVERYTHING
