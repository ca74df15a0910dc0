"""Evidence of a backdoor: a pattern that a few training rows carry, and that turns rows into their class."""

from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy.challenges.poisoning.answers import answering
from roadworthy.challenges.poisoning.layout import layout_of
from roadworthy.challenges.poisoning.probing import Rows, decided, searched
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Example, Examples, Measurement, Table
from roadworthy.statistics import paired_rate_difference, percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roadworthy.subject import Column, Task, Trainer

Found = dict[str, Any]  # Any: arrays, numbers and words by name, as the store keeps them

MOST_ROWS = 3_000  # training rows that are searched
MOST_CLEAN = 1_500  # validation rows, and as many test rows
LEAST_CLEAN = 50
SHOWN = 30


@artifact()
def searched_rows(train_labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Positions of the training rows that are searched for poison: (m,) int64, ascending, at most 3,000."""
    return np.sort(rng.permutation(len(train_labels))[:MOST_ROWS])


@artifact(cost="training")
def suspect_pattern(
    trainer: "Trainer",
    searched_rows: np.ndarray,
    train_inputs: np.ndarray,
    train_labels: np.ndarray,
    train_features: np.ndarray,
    feature_map: "Mapping[str, np.ndarray]",
    validation_inputs: np.ndarray,
    validation_labels: np.ndarray,
    validation_features: np.ndarray,
    test_inputs: np.ndarray,
    test_labels: np.ndarray,
    test_features: np.ndarray,
    task: "Task",
    rng: np.random.Generator,
    columns: "tuple[Column, ...] | None" = None,
    device: str | None = None,
    *,
    seeds: int = 1,
) -> Found:
    """Pattern most likely planted, and what it does to test rows: the fields of `Suspicion`.

    "target", "rows" (m,) training rows that carry it, "left_out" (q,), "columns" and "values" of the pattern, "added",
    "asked" (t,) test rows, "turned" and "without" (r, t) bool, "elsewhere" (t,) bool, "looked_at", "examined". Where no group of
    rows stands out: "looked_at" 0 and nothing turned, over all test rows.
    """
    least = min(len(validation_labels), len(test_labels))
    if least < LEAST_CLEAN:
        raise NotApplicable(
            f"{len(validation_labels)} validation and {len(test_labels)} test rows; a pattern is chosen on "
            f"the ones and measured on the others, and needs {LEAST_CLEAN} of each that nobody could tamper with"
        )
    layout = layout_of(train_inputs, feature_map, columns)
    rows = Rows(
        train_inputs[searched_rows],
        train_labels[searched_rows],
        validation_inputs[:MOST_CLEAN],
        validation_labels[:MOST_CLEAN],
        test_inputs[:MOST_CLEAN],
        test_labels[:MOST_CLEAN],
    )
    features = (
        train_features[searched_rows],
        validation_features[:MOST_CLEAN],
        test_features[:MOST_CLEAN],
    )
    search = searched(rows, layout, features)
    if not search.looked_at:
        return _nothing(rows, search.examined)
    variants = search.variants(trainer.recipe, None, None, searched_rows, seeds)
    found = decided(
        search, rows, layout, answering(trainer, variants, len(task.classes), device or "cpu"), rng
    )
    if found is None:
        return _nothing(rows, search.examined)
    return {
        "target": found.group.target,
        "rows": searched_rows[found.group.rows],
        "left_out": searched_rows[found.left_out],
        "columns": found.trigger.columns,
        "values": found.trigger.values,
        "added": found.trigger.added,
        "asked": found.asked,
        "turned": found.turned,
        "without": found.without,
        "elsewhere": found.elsewhere,
        "looked_at": found.looked_at,
        "examined": found.examined,
    }


@check(
    challenge="poisoning",
    requires=AtMost(
        0.1, "house default: a pattern that steers one row in ten is worth somebody's while"
    ),
    least=100,
)
def backdoor_evidence(
    suspect_pattern: "Mapping[str, Any]",  # Any: see `Found`
    task: "Task",
) -> Measurement:
    """Share of clean rows that a pattern found in a few training rows turns into one class, because of these rows.

    Without a model first: rows of one class that lie among another class and all differ from it in the same way are sought among training,
    validation and test rows together. Nobody tampered with the latter two, so a group that is mostly training rows, more than luck
    explains (hypergeometric, 5 % over all groups), is suspect. What it has in common is laid over validation rows, in models
    trained long enough to know the rows by heart (the audited model need not have learnt the pattern; the next one may) and in
    models trained without the suspect rows. The pattern with the largest effect is measured on test rows: turned by the former, beyond the
    latter or a random pattern of that size, whichever turns more (transplant: Gao et al. 2019, STRIP; removal: Tran et al. 2018).
    0 is not "clean": `backdoor_power` says what would have been found. Triggers on rows that already were of the class (clean-label
    attacks), and rows that were poisoned before the data was divided, are not looked for.

    Unit: share of test rows of other classes.
    Qualified at: n = 400.
    Next: look at the rows below and where they came from; train without them (`suspect_rows_dropped`) and audit again.
    """
    turned, without = suspect_pattern["turned"], suspect_pattern["without"]
    weakest = turned[int(turned.mean(axis=1).argmin())]
    otherwise = without[int(without.mean(axis=1).argmax())]
    random = suspect_pattern["elsewhere"]
    against = random if random.mean() > otherwise.mean() else otherwise
    unit = "share of test rows of other classes"
    if not suspect_pattern["looked_at"]:
        return paired_rate_difference(
            weakest,
            against,
            unit=unit,
            details=f"{suspect_pattern['examined']} small groups of rows lie among another class and differ from it in the same way; none "
            "has more training rows than the held-out rows lead to expect, so no pattern was tried.",
        )
    name = task.classes[suspect_pattern["target"]]
    rows = suspect_pattern["rows"]
    table = Table(
        "The pattern laid over clean test rows",
        ("model", f"turned into {name}"),
        (
            ("trained on all rows", float(turned.mean())),
            ("trained without the suspect rows", float(without.mean())),
            ("trained on all rows, random pattern", float(random.mean())),
        ),
    )
    carriers = Examples(
        "Training rows that carry the pattern",
        tuple(Example("train", int(row), f"labelled {name}") for row in rows[:SHOWN]),
    )
    return paired_rate_difference(
        weakest,
        against,
        unit=unit,
        details=f"{len(rows)} training rows labelled {name} differ from the rows around them in the same way. Laid over test rows, "
        f"this turns {percent(float(turned.mean()))} of them into {name}, {percent(float(without.mean()))} in models trained "
        f"without these and {len(suspect_pattern['left_out']) - len(rows)} other suspect rows. "
        f"{suspect_pattern['looked_at']} patterns were tried on validation rows.",
        evidence=(table, carriers),
    )


def _nothing(rows: Rows, examined: int) -> Found:
    n = len(rows.testing_labels)
    none = np.empty(0, np.int64)
    return {
        "target": 0,
        "rows": none,
        "left_out": none,
        "columns": none,
        "values": np.empty(0),
        "added": False,
        "asked": np.arange(n),
        "turned": np.zeros((1, n), bool),
        "without": np.zeros((1, n), bool),
        "elsewhere": np.zeros(n, bool),
        "looked_at": 0,
        "examined": examined,
    }
