"""Evidence of a backdoor: a pattern that a few training rows carry, and that turns rows into their class."""

from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy.challenges.poisoning.layout import layout_of
from roadworthy.challenges.poisoning.probing import Choice, Rows, Suspicion, Trial, searched
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Example, Examples, Measurement, Table, doubted
from roadworthy.statistics import paired_rate_difference, percent, rate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roadworthy.subject import Column, Task, Trainer

Found = dict[str, Any]  # Any: arrays, numbers and words by name, as the store keeps them

MOST_ROWS = 3_000  # training rows that are searched
MOST_CLEAN = 1_500  # validation rows, and as many test rows
BOUND = AtMost(0.1, "house default: a pattern that steers one row in ten is worth somebody's while")
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
    rng: np.random.Generator,
    columns: "tuple[Column, ...] | None" = None,
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
        return nothing(rows, search.examined)
    variants = search.variants(trainer.recipe, None, None, searched_rows, seeds)
    choice = Choice.of(search, rows, layout, rng)
    chosen = choice.best(trainer.predictions(variants, choice.inputs))
    if chosen is None:
        return nothing(rows, search.examined)
    trial = Trial.of(chosen, rows, layout, rng)
    found = trial.suspicion(trainer.predictions(variants, trial.inputs), search)
    return named(found, searched_rows)


@artifact(shape="n 3")
def pattern_turns(
    suspect_pattern: "Mapping[str, Any]",  # Any: see `Found`
    test_labels: np.ndarray,
) -> np.ndarray:
    """Whether the suspect pattern turns each test row into its class: (n, 3) float64 of 0 and 1.

    By the model of all rows that it turns fewest in, by the model without the suspect rows that it turns most in, and a
    random pattern of that size. NaN for rows that are of that class already, or were not asked.
    """
    found = np.full((len(test_labels), 3), np.nan)
    turned, without = suspect_pattern["turned"], suspect_pattern["without"]
    columns = (
        turned[int(turned.mean(axis=1).argmin())],
        without[int(without.mean(axis=1).argmax())],
        suspect_pattern["elsewhere"],
    )
    found[suspect_pattern["asked"]] = np.stack(columns, axis=1)
    return found


@check(
    challenge="poisoning",
    requires=BOUND,
    least=100,
)
def backdoor_evidence(pattern_turns: np.ndarray) -> Measurement:
    """Share of clean rows that a pattern found in a few training rows turns into one class, because of these rows.

    Without a model first: rows of one class that lie among another class and all differ from it in the same way are sought among training,
    validation and test rows together; of tables, rows of one class in which the same one to three values meet. Nobody tampered with the
    latter two, so a group that is mostly training rows, more than luck explains (hypergeometric, 5 % over all groups), is suspect. What it has in common is laid over validation rows, in models
    trained long enough to know the rows by heart (the audited model need not have learnt the pattern; the next one may) and in
    models trained without the suspect rows. The pattern with the largest effect is measured on test rows: turned by the former, beyond the
    latter or a random pattern of that size, whichever turns more (transplant: Gao et al. 2019, STRIP; removal: Tran et al. 2018).
    Where models without the suspect rows are turned all the same, by 10 points more than by a random pattern, rows that were not found may carry it too: nothing passes.
    0 is not "clean": `backdoor_power` says what would have been found. Triggers on rows that already were of the class (clean-label
    attacks), and rows that were poisoned before the data was divided, are not looked for. Of a table a dozen poisoned rows or more must be among
    those searched: of fewer nothing follows, whatever they do.

    Unit: share of test rows of other classes.
    Qualified at: n = 400.
    Next: look at the rows below and where they came from; train without them (`suspect_rows_dropped`) and audit again.
    """
    asked = pattern_turns[~np.isnan(pattern_turns[:, 0])].astype(bool)
    if len(asked) == 0:
        raise NotApplicable("no test row is of another class than the suspect one")
    shares = asked.mean(axis=0)
    against = 1 if shares[1] >= shares[2] else 2
    table = Table(
        "The suspect pattern laid over clean test rows",
        ("model and pattern", "share turned into the suspect class"),
        (
            ("trained on all rows", float(shares[0])),
            ("trained without the suspect rows", float(shares[1])),
            ("trained on all rows, random pattern", float(shares[2])),
        ),
    )
    said = (
        f"It turns {percent(shares[0])} of the test rows, {percent(shares[1])} in a model trained without the suspect rows, and "
        f"a random pattern {percent(shares[2])}."
        if shares.any()
        else "No pattern was worth trying, or none turned a row: see `suspect_rows`. That is not proof of clean data."
    )
    measured = paired_rate_difference(
        asked[:, 0],
        asked[:, against],
        unit="share of test rows of other classes",
        details=said,
        evidence=(table,),
    )
    return doubted(measured, _carried_by_others(asked))


def _carried_by_others(asked: np.ndarray) -> tuple[str, ...]:
    """Say that the pattern turns rows in models without the suspect rows, too, where it does beyond what is tolerated."""
    left = paired_rate_difference(asked[:, 1], asked[:, 2], unit="share of test rows")
    if left.low <= BOUND.bound:
        return ()
    return (
        f"a model trained without the suspect rows is turned by the pattern on {percent(float(asked[:, 1].mean()))} of rows, "
        f"by a random one on {percent(float(asked[:, 2].mean()))}: rows that were not found may carry it too, or it belongs to the class",
    )


@check(challenge="poisoning")
def suspect_rows(
    suspect_pattern: "Mapping[str, Any]",  # Any: see `Found`
    task: "Task",
    searched_rows: np.ndarray,
    columns: "tuple[Column, ...] | None" = None,
) -> Measurement:
    """Share of training rows that carry a pattern which held-out rows do not account for.

    The list behind `backdoor_evidence`: rows for somebody to look at, not rows to drop unseen. Where nobody tampered, any row at
    all is listed in one data set of twenty (see `surplus`).

    Unit: share of training rows that were searched.
    Qualified at: a description; nothing is required of it.
    Next: find out where these rows came from, and who labelled them.
    """
    rows = suspect_pattern["rows"]
    details = f"{suspect_pattern['examined']} small groups of rows lie among another class and differ from it in the same way; "
    if not len(rows):
        return rate(
            0,
            len(searched_rows),
            unit="share of training rows that were searched",
            details=f"{details}none has more training rows than held-out rows lead to expect.",
        )
    name = task.classes[suspect_pattern["target"]]
    if suspect_pattern["added"]:  # to every coordinate
        order = np.argsort(-np.abs(suspect_pattern["values"]), kind="stable")
        first = suspect_pattern["columns"][order][:8].tolist()
        lies = "Their pattern is added over the whole input, most at coordinates"
    else:
        first = suspect_pattern["columns"][:8].tolist()
        lies = f"{'Columns' if columns else 'Coordinates'} of their pattern, the clearest first:"
    places = ", ".join(columns[c].name if columns else str(c) for c in first)
    carriers = Examples(
        "Training rows that carry the pattern",
        tuple(Example("train", int(row), f"labelled {name}") for row in rows[:SHOWN]),
    )
    return rate(
        len(rows),
        len(searched_rows),
        unit="share of training rows that were searched",
        details=f"{details}{len(rows)} training rows labelled {name} stand out. {lies} {places}.",
        evidence=(carriers,),
    )


def named(found: Suspicion, searched_rows: np.ndarray) -> Found:
    """Return a suspicion as `suspect_pattern` does."""
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


def nothing(rows: Rows, examined: int) -> Found:
    """Return what `suspect_pattern` is where no group of rows stands out."""
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
