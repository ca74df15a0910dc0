"""Everything of the room is found by name, and what is frozen takes the place of trainings."""

import numpy as np
from stand_in import NearestRow, two_moons

from roadworthy.challenges.data_quantity import artifacts, checks, faults, label_efficiency, plan
from roadworthy.engine import Registry, compute
from roadworthy.quantities import features
from roadworthy.subject import Split, Subject, Task
from roadworthy.subject.fields import fields_of

REGISTRY = Registry.of(artifacts, checks, faults, label_efficiency, plan, features)
CHECKS = ("gain_from_doubling", "learning_curve", "collection_plan", "label_efficiency")


def made_up(n: int = 400) -> tuple[Subject, NearestRow]:
    x, y = two_moons(n)
    test = Split(*two_moons(500, seed=1))
    subject = Subject(
        "moons", Task("binary", ("a", "b")), "array", {"train": Split(x, y), "test": test}
    )
    return subject, NearestRow(x, y)


def test_the_checks_are_computed_from_one_curve_and_one_play_of_the_strategies() -> None:
    subject, trainer = made_up()
    fields = {**fields_of(subject), "trainer": trainer, "label_price": 2.0}
    found = compute(REGISTRY, fields, CHECKS, options={"label_lifts": {"repetitions": 100}})
    for name in CHECKS:
        assert found[name].state == "done", found[name].reason
    assert len(trainer.asked) == 1 + 5
    (table,) = found["collection_plan"].value.evidence
    assert table.header[-1] == "money so far"


def test_the_plan_does_without_strategies_where_they_were_not_compared() -> None:
    subject, trainer = made_up()
    fields = {**fields_of(subject), "trainer": trainer}
    options = {"label_lifts": {"repetitions": 20}}
    found = compute(REGISTRY, fields, CHECKS, options=options)
    assert found["label_efficiency"].state == "not_applicable"
    assert found["collection_plan"].state == "done"
    assert "Choose them at random." in found["collection_plan"].value.details


def test_frozen_curves_are_measured_without_a_trainer() -> None:
    subject, _ = made_up()
    rng = np.random.default_rng(0)
    sizes = np.tile([20, 40, 80, 160, 320, 400], 3)
    own = {"sizes": sizes, "errors": np.full((18, 4000), 0.05, np.float32)}
    clean = faults.flat_curve(subject, rng, own)
    broken = faults.curve_that_still_falls(clean, 0.04, rng, clean.given["curve_trainings"])
    found = compute(REGISTRY, fields_of(broken), ["gain_from_doubling"])["gain_from_doubling"]
    assert found.state == "done", found.reason
    assert found.value.low > 0.02
