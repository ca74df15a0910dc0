"""Cross-validation: which rows are held out when, and what models that had not seen them answer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import artifact
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Trainer

MOST_ROWS = 5_000
TRAINED_ON, LEFT_OUT = -1, -2


@artifact(shape="n")
def folds(
    train_content_hashes: np.ndarray,
    rng: Generator,
    train_labels: np.ndarray | None = None,
    train_entities: np.ndarray | None = None,
    train_times: np.ndarray | None = None,
    *,
    folds: int = 10,
) -> np.ndarray:
    """Fold in which each training row is held out: (n,) int64 from 0; -1 only trained on, -2 left out.

    Rows of one entity, and copies of one row, share a fold; classes are spread evenly. With times the folds
    follow each other: the earliest rows are only trained on. At most 5,000 rows take part.
    """
    n = len(train_content_hashes)
    found = np.full(n, LEFT_OUT)
    taken = np.sort(rng.permutation(n)[:MOST_ROWS])
    if train_times is not None:
        taken = taken[np.isfinite(train_times[taken])]
        found[taken] = _in_order_of_time(train_times[taken], folds)
    else:
        groups = train_entities if train_entities is not None else _alike(train_content_hashes)
        classes = np.zeros(n, np.int64) if train_labels is None else train_labels
        found[taken] = _spread(groups[taken], classes[taken], folds, rng)
    k = int(found.max(initial=-1)) + 1
    if k < 2:
        raise NotApplicable(
            f"the {len(taken)} training rows give {k} fold(s) to hold out; at least two are needed, of "
            "different rows, entities or times"
        )
    return found


@artifact(cost="training")
def fold_answers(
    trainer: "Trainer",
    folds: np.ndarray,
    train_inputs: np.ndarray,
    test_inputs: np.ndarray | None = None,
    train_entities: np.ndarray | None = None,
    train_times: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Answers of the model of each fold: "held_out" (m,) for its own rows, "test" (k, n).

    Class codes or numbers. The m rows are those with a fold, in their order.
    """
    from roadworthy.subject import Variant

    k = int(folds.max()) + 1
    kept = [
        training_rows(folds, fold, train_entities, train_times is not None) for fold in range(k)
    ]
    for fold, rows in enumerate(kept):
        if len(rows) < 2:
            raise NotApplicable(f"fold {fold} leaves {len(rows)} row(s) to train on")
    variants = [Variant(rows=rows) for rows in kept]
    held = [np.flatnonzero(folds == fold) for fold in range(k)]
    asked = [train_inputs[rows] for rows in held]
    if test_inputs is not None:
        asked += [test_inputs] * k
        variants += variants
    answers = trainer.predictions(variants, asked)
    place = np.argsort(np.concatenate(held), kind="stable")
    found = {"held_out": np.concatenate(answers[:k])[place]}
    if test_inputs is not None:
        found["test"] = np.stack(answers[k:])
    return found


@artifact(shape="m")
def held_out_merit(
    fold_answers: Mapping[str, np.ndarray],
    folds: np.ndarray,
    train_labels: np.ndarray | None = None,
    train_targets: np.ndarray | None = None,
    guess_error: float | None = None,
) -> np.ndarray:
    """Merit of the answers for training rows by models that had not seen them: (m,), see `merit`."""
    rows = folds >= 0
    truth = train_labels if train_labels is not None else train_targets
    assert truth is not None
    return merits(fold_answers["held_out"], truth[rows], guess_error)


@artifact(shape="n")
def fold_test_merit(
    fold_answers: Mapping[str, np.ndarray],
    test_labels: np.ndarray | None = None,
    test_targets: np.ndarray | None = None,
    guess_error: float | None = None,
) -> np.ndarray:
    """Merit of the answers for test rows, mean over the models of all folds: (n,) float64."""
    truth = test_labels if test_labels is not None else test_targets
    if truth is None or "test" not in fold_answers:
        raise NotApplicable("there are no test rows with a target")
    return merits(fold_answers["test"], truth, guess_error).mean(axis=0)


@artifact()
def pooled_fold_merit(held_out_merit: np.ndarray, fold_test_merit: np.ndarray) -> float:
    """Mean merit of held-out training rows and test rows together."""
    return float(np.concatenate([held_out_merit, fold_test_merit]).mean())


@artifact()
def held_out_share(
    folds: np.ndarray,
    train_entities: np.ndarray | None = None,
    train_times: np.ndarray | None = None,
) -> float:
    """Rows that a fold holds out per row that it trains on, mean over the folds."""
    k = int(folds.max()) + 1
    sizes = [
        len(training_rows(folds, f, train_entities, train_times is not None)) for f in range(k)
    ]
    return float(np.mean([np.sum(folds == f) / max(size, 1) for f, size in enumerate(sizes)]))


def training_rows(
    folds: np.ndarray, fold: int, entities: np.ndarray | None, in_time: bool
) -> np.ndarray:
    """Return the rows that the model of a fold is trained on: all others, in time those before it.

    None is of an entity that is held out.
    """
    held = folds == fold
    kept = (folds >= TRAINED_ON) & (folds < fold if in_time else ~held)
    if entities is not None:
        kept &= ~np.isin(entities, entities[held])
    return np.flatnonzero(kept)


def merits(answers: np.ndarray, truth: np.ndarray, scale: float | None) -> np.ndarray:
    """Return how good answers are, as `merit` does: whether right, or 1 - |error| / scale."""
    if truth.dtype.kind == "f":
        assert scale is not None
        return 1.0 - np.abs(answers - truth) / scale
    return answers == truth


def _alike(hashes: np.ndarray) -> np.ndarray:
    """Return a number for each row that copies share."""
    return np.unique(hashes, axis=0, return_inverse=True)[1].ravel()


def _spread(groups: np.ndarray, classes: np.ndarray, k: int, rng: Generator) -> np.ndarray:
    """Give each group to the fold that has the fewest rows of its class so far, the largest first."""
    _, codes = np.unique(groups, return_inverse=True)
    sizes = np.bincount(codes)
    first = np.zeros(len(sizes), np.int64)
    first[codes[::-1]] = classes[::-1]  # the class of a group is that of its first row
    order = rng.permutation(len(sizes))
    order = order[np.lexsort((first[order], -sizes[order]))]
    of_class = np.zeros((int(classes.max(initial=0)) + 1, k), np.int64)
    total = np.zeros(k, np.int64)
    fold = np.zeros(len(sizes), np.int64)
    for group in order.tolist():
        here = of_class[first[group]]
        best = int(np.lexsort((total, here))[0])
        fold[group] = best
        here[best] += sizes[group]
        total[best] += sizes[group]
    _, fold = np.unique(fold, return_inverse=True)
    return fold[codes]


def _in_order_of_time(times: np.ndarray, k: int) -> np.ndarray:
    """Return -1 for the earliest of k + 1 equal parts and 0, 1, ... for the others; a moment is never cut."""
    earlier = np.searchsorted(np.sort(times), times)  # rows before this moment
    part = earlier * (k + 1) // max(len(times), 1)
    _, part = np.unique(part, return_inverse=True)
    return part.astype(np.int64) - 1
