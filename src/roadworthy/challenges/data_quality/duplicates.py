"""Rows that are identical: across splits, within the training rows, and with different labels."""

import numpy as np

from roadworthy.challenges.data_quality.coincidence import coincidental_share
from roadworthy.challenges.data_quality.splits import (
    concatenated,
    located,
    sizes_of,
    split_and_row,
)
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Example, Examples, Measurement
from roadworthy.statistics import fact
from roadworthy.statistics.distributions import GRID, quantiles_on
from roadworthy.statistics.rates import measured
from roadworthy.subject import Task

SHOWN = 20
FEW = 3


@artifact(shape="n")
def leaked_test_rows(
    train_content_hashes: np.ndarray,
    test_content_hashes: np.ndarray,
    validation_content_hashes: np.ndarray | None = None,
) -> np.ndarray:
    """Position among the training rows, then validation rows, of the first identical row: (n,) int64.

    -1 where a test row has none.
    """
    seen = concatenated(train_content_hashes, validation_content_hashes)
    return first_identical(seen, test_content_hashes)


@check(
    challenge="data_quality",
    requires=AtMost(0.001, "house default: a leaked row can move accuracy by its own share"),
)
def exact_duplicates_across_splits(
    leaked_test_rows: np.ndarray,
    train_content_hashes: np.ndarray,
    train_inputs: np.ndarray,
    test_inputs: np.ndarray,
    validation_content_hashes: np.ndarray | None = None,
    validation_inputs: np.ndarray | None = None,
) -> Measurement:
    """Share of test rows that the model was trained or chosen on: an identical row is among them.

    Rows are compared by a 128-bit hash of their values. A table with few columns has identical rows
    by coincidence; how many is estimated from the pairs that differ in one column (see `coincidental_share`),
    and where there are any, the interval is that of a Poisson number of coincidences taken away.
    Otherwise it is a fact about this test set, without an interval.

    Unit: share of test rows. Qualified at: n = 500.
    Next: take the listed rows out of the test split, or split again keeping identical rows together.
    """
    rows = np.flatnonzero(leaked_test_rows >= 0)
    seen = concatenated(train_inputs, validation_inputs)
    hashes = concatenated(train_content_hashes, validation_content_hashes)
    leaked_by = first_identical(hashes, hashes)  # (n,) the first row alike each seen row
    chance = coincidental_share(flat(seen), flat(test_inputs)) if len(rows) else 0.0
    n_train = len(train_inputs)
    notes = [f"identical to {located(int(leaked_test_rows[row]), n_train)}" for row in rows[:SHOWN]]
    return beyond_coincidence(
        np.bincount(leaked_by, minlength=len(seen))[leaked_test_rows[rows]],
        len(test_inputs),
        chance,
        unit="share of test rows",
        subject="test rows are identical to a row that the model was trained or chosen on",
        examples=_examples("Test rows that were seen before", "test", rows, notes),
    )


@check(
    challenge="data_quality",
    requires=AtMost(0.05, "house default: repeats weigh as unasked sample weights"),
)
def exact_duplicates_within_train(
    train_content_hashes: np.ndarray, train_inputs: np.ndarray
) -> Measurement:
    """Share of training rows that repeat an earlier training row.

    Repeats count double in training and, where rows are split at random, end up on both sides of a split.
    Coincidences in tables with few columns are taken away as in `exact_duplicates_across_splits`.

    Unit: share of training rows. Qualified at: n = 500.
    Next: keep one of each set of identical rows, or make sure that they are different cases.
    """
    first = first_identical(train_content_hashes, train_content_hashes)
    rows = np.flatnonzero(first != np.arange(len(first)))
    chance = coincidental_share(flat(train_inputs)) if len(rows) else 0.0
    notes = [f"identical to train row {first[row]}" for row in rows[:SHOWN]]
    return beyond_coincidence(
        np.bincount(first)[first[rows]] - 1,
        len(first),
        chance,
        unit="share of training rows",
        subject="training rows repeat an earlier one",
        examples=_examples("Repeated training rows", "train", rows, notes),
    )


@check(
    challenge="data_quality",
    requires=AtMost(0.01, "house default: an error of a point that no model can avoid"),
)
def conflicting_labels(
    train_content_hashes: np.ndarray,
    train_labels: np.ndarray,
    test_content_hashes: np.ndarray,
    test_labels: np.ndarray,
    task: Task,
    validation_content_hashes: np.ndarray | None = None,
    validation_labels: np.ndarray | None = None,
) -> Measurement:
    """Share of rows that no model can get right, because an identical row carries another label.

    In each set of identical rows, those that do not have its most frequent label (a tie goes to one
    of them). Where such rows are different cases, the columns do not tell them apart; where they are
    copies, one label is wrong. All splits together; a fact, without an interval.

    Unit: share of rows. Qualified at: n = 500.
    Next: settle one label for each listed set, or add the column that tells the cases apart.
    """
    hashes = concatenated(train_content_hashes, validation_content_hashes, test_content_hashes)
    labels = concatenated(train_labels, validation_labels, test_labels)
    first = first_identical(hashes, hashes)
    pairs, counts = np.unique(np.stack([first, labels], axis=1), axis=0, return_counts=True)
    order = np.lexsort((pairs[:, 1], -counts, pairs[:, 0]))
    sets, starts = np.unique(pairs[order, 0], return_index=True)
    majority = pairs[order, 1][starts][np.searchsorted(sets, first)]  # (n,)
    rows = np.flatnonzero(labels != majority)
    sizes = sizes_of(train_labels, validation_labels, test_labels)
    found = [
        Example(
            *split_and_row(int(row), sizes),
            f"labelled {task.classes[labels[row]]}; an identical row is "
            f"{task.classes[majority[row]]}",
        )
        for row in rows[:SHOWN]
    ]
    return fact(
        len(rows) / len(labels),
        len(labels),
        unit="share of rows",
        details=f"{len(rows)} of {len(labels)} rows carry another label than the identical rows "
        f"around them, in {len(np.unique(first[rows]))} sets of identical rows.",
        evidence=(Examples("Identical rows with different labels", tuple(found)),) if found else (),
    )


def first_identical(seen: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Position in `seen` of the first row with the same hash, -1 where there is none: (n,) int64.

    >>> first_identical(np.array([[1, 1], [2, 2], [1, 1]]), np.array([[1, 1], [3, 3]])).tolist()
    [0, -1]
    """
    _, codes = np.unique(
        np.concatenate([seen, asked]).astype(np.uint64).view([("a", "u8"), ("b", "u8")]).ravel(),
        return_inverse=True,
    )
    first = np.full(int(codes.max(initial=-1)) + 1, -1, np.int64)
    before = codes[: len(seen)]
    first[before[::-1]] = np.arange(len(seen))[::-1]
    return first[codes[len(seen) :]]


def beyond_coincidence(
    matches: np.ndarray,
    n: int,
    chance: float,
    *,
    unit: str,
    subject: str,
    examples: tuple[Examples, ...],
) -> Measurement:
    """Return the share of rows beyond those that coincidence explains.

    `matches` is the number of identical rows of each row that has one, and `chance` the share of such
    pairs that chance explains: a row is a coincidence if any of its pairs is. The number of
    coincidences is Poisson around its expectation.
    """
    if n == 0:
        raise NotApplicable("there are no rows to compare; give rows in both splits")
    hits = len(matches)
    expected = float((1 - (1 - chance) ** matches).sum())
    details = f"{hits} of {n} {subject}."
    if expected < 0.025:  # with 97.5 % probability not one of them is a coincidence
        return fact(hits / n, n, unit=unit, details=details, evidence=examples)
    from scipy.stats import poisson

    def ends(probability: float) -> float:
        # The estimate itself may err, by a tenth; a few coincidences may be copies after all.
        mean = 1.1 * expected if probability < 0.5 else max(0.0, 0.9 * expected - FEW)
        return max(0.0, hits - float(poisson.ppf(1 - probability, mean))) / n

    return measured(
        (hits - expected) / n,
        n,
        quantiles_on(GRID, ends),
        unit=unit,
        method="Poisson coincidences taken away",
        details=f"{details} In a table like this one about {expected:,.1f} of them are expected by "
        "coincidence: its columns do not tell different cases apart.",
        evidence=examples,
    )


def flat(inputs: np.ndarray) -> np.ndarray:
    """Return each row as one line of values: (n, d)."""
    return inputs.reshape(len(inputs), -1)


def _examples(title: str, split: str, rows: np.ndarray, notes: list[str]) -> tuple[Examples, ...]:
    found = tuple(
        Example(split, int(row), note) for row, note in zip(rows[:SHOWN], notes, strict=True)
    )
    return (Examples(title, found),) if found else ()
