"""How long a training took is known to every later run that shares the store."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from roadworthy.engine import Finished, Outcome, Registry, Store, artifact, check, compute
from roadworthy.procedures.audit import audit
from roadworthy.procedures.stored import STORED
from roadworthy.procedures.training_time import keep_training_time, training_time
from roadworthy.results import AtMost, Measurement
from roadworthy.statistics import rate
from roadworthy.subject import Split, Subject, Task, fields_of


@artifact(cost="training")
def weights(train_inputs: np.ndarray) -> Mapping[str, np.ndarray]:
    """Trained weights."""
    return {"w": train_inputs.mean(axis=0)}


@check(challenge="generalization", requires=AtMost(0.5, "house default"))
def misses(weights: Mapping[str, np.ndarray], test_inputs: np.ndarray) -> Measurement:
    """Share of rows missed.

    Unit: share of rows. Qualified at: nothing.
    Next: nothing.
    """
    return rate(int((test_inputs @ weights["w"] > 9).sum()), len(test_inputs), unit="share of rows")


def test_a_run_after_an_audit_knows_how_long_its_training_took(tmp_path: Path) -> None:
    registry = Registry.of(weights, misses)
    rows = Split(np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 2)
    subject = Subject("toy", Task("binary", ("a", "b"), 1), "array", {"train": rows, "test": rows})

    def store() -> Store:
        return Store(tmp_path / "store", records=STORED)

    fresh = compute(registry, fields_of(subject), ["weights"], store=Store(records=STORED))
    assert training_time(fresh["weights"], Store()) == fresh["weights"].seconds
    audit(subject, registry, store=store())
    found = compute(registry, fields_of(subject), ["weights"], store=store())["weights"]
    assert found.from_store
    first = training_time(found, store())
    assert first is not None
    assert first > 0.0
    audit(subject, registry, store=store())  # reads the weights; that took no training
    assert training_time(found, store()) == first


def test_only_a_training_that_has_an_identity_is_kept() -> None:
    store = Store(records=STORED)
    keep_training_time(Finished("weights", 3.0, from_store=False, key=""), store)
    keep_training_time(Finished("weights", 3.0, from_store=True, key="k"), store)
    keep_training_time(Finished("logits", 3.0, from_store=False, key="k"), store)
    assert training_time(Outcome("weights", "done", from_store=True, key="k"), store) is None
    keep_training_time(Finished("weights", 3.0, from_store=False, key="k"), store)
    assert training_time(Outcome("weights", "done", from_store=True, key="k"), store) == 3.0
