"""Which training rows a smaller training set is made of, and how a model is trained on so few."""

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from roadworthy.errors import NotApplicable
from roadworthy.subject import Recipe

LEAST_ROWS = 60
SIZES = 6
SPAN = 32.0  # largest size over smallest: with six sizes each is twice the one before
LEAST_SPAN = 4.0
MOST_ROWS = 10_000
PER_CLASS = 2
SMALLEST = 10
LEAST_BATCH = 16
MOST_TIMES_LONGER = 4  # a smaller set is trained for at most so many times the epochs


def curve_sizes(n: int, classes: int, most: int = MOST_ROWS) -> np.ndarray:
    """Return the numbers of training rows of a learning curve, ascending: (6,) int64.

    Each about twice the one before, up to all rows or `most`, with two rows for each class at least.
    """
    if n < LEAST_ROWS:
        raise NotApplicable(
            f"there are {n} training rows; a learning curve needs at least {LEAST_ROWS}"
        )
    largest = min(n, most)
    smallest = max(largest / SPAN, SMALLEST, PER_CLASS * classes)
    if largest / smallest < LEAST_SPAN:
        raise NotApplicable(
            f"{n} training rows for {classes} classes; a learning curve needs at least "
            f"{int(LEAST_SPAN * PER_CLASS)} for each class"
        )
    return np.unique(np.round(np.geomspace(smallest, largest, SIZES)).astype(np.int64))


def growing_order(
    n: int,
    rng: Generator,
    labels: np.ndarray | None = None,
    entities: np.ndarray | None = None,
) -> np.ndarray:
    """Return training rows in an order whose every beginning is a small training set: (n,) int64.

    Each beginning has the classes in their shares as nearly as can be; where rows belong to entities
    (persons, devices), entities come one after the other, each with all its rows.
    """
    if entities is not None and len(np.unique(entities)) < n:
        codes = np.unique(entities, return_inverse=True)[1].ravel()
        return np.argsort(rng.permutation(codes.max() + 1)[codes], kind="stable")
    if labels is None:
        return rng.permutation(n)
    place = np.empty(n)
    for code in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == code))
        place[rows] = (np.arange(rows.size) + rng.random()) / rows.size
        place[rows[:1]] = -1.0 + place[rows[:1]]  # every class from the beginning
    return np.argsort(place, kind="stable")


def recipe_for(recipe: Recipe, rows: int, of: int) -> Recipe:
    """Return the recipe for fewer rows: as many steps of gradient descent as with all of them.

    By smaller batches (16 rows at least) and up to four times the epochs. With as many epochs instead a small
    set would hardly be trained at all, and more rows would seem to help because they are more steps.
    """
    if rows >= of:
        return recipe
    least = min(LEAST_BATCH, recipe.batch_size)
    batch = int(np.clip(round(recipe.batch_size * rows / of), least, recipe.batch_size))
    steps = recipe.epochs * max(1.0, of / recipe.batch_size)
    epochs = int(np.ceil(steps / max(1.0, rows / batch)))
    epochs = int(np.clip(epochs, recipe.epochs, MOST_TIMES_LONGER * recipe.epochs))
    patience = recipe.patience
    if patience is not None:
        patience = int(np.ceil(patience * epochs / recipe.epochs))
    return replace(recipe, batch_size=batch, epochs=epochs, patience=patience)
