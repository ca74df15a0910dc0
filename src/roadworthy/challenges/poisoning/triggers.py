"""The pattern that a group of rows has in common, and laying it over other rows."""

from dataclasses import dataclass

import numpy as np

from roadworthy.challenges.poisoning.layout import Layout
from roadworthy.challenges.poisoning.suspects import Group

SHARES = (1 / 48, 1 / 16, 3 / 16)  # of the coordinates that a pattern may take
SLACK = 0.1  # of a large step, by which values may differ and still be one value


@dataclass(frozen=True, eq=False)
class Trigger:
    """A pattern: values that are put into some coordinates, or added to all.

    Parameters
    ----------
    columns : (m,) int64 ndarray
    values : (m,) float64 ndarray
    added : bool
    """

    columns: np.ndarray
    values: np.ndarray
    added: bool

    def over(self, inputs: np.ndarray, layout: Layout) -> np.ndarray:
        """Return these inputs with the pattern laid over them, within the values that were seen."""
        flat = layout.flat(inputs)
        if self.added:
            moved = flat[:, self.columns] + self.values
            low, high = layout.low[self.columns], layout.high[self.columns]
            flat[:, self.columns] = np.clip(moved, low, high)
        else:
            flat[:, self.columns] = self.values
        return layout.shaped(flat, inputs)

    def elsewhere(self, inputs: np.ndarray, layout: Layout, rng: np.random.Generator) -> np.ndarray:
        """Return these inputs, each with as much of another pattern over it: a control.

        Of arrays the same values at places of their own; of tables values of as many columns, each value of a column as likely
        as any other: seldom ones as well, as a trigger has.
        """
        flat = layout.flat(inputs)
        m = len(self.columns)
        places = np.argsort(rng.random(flat.shape), axis=1)[:, :m]  # (n, m)
        if self.added:
            moved = np.take_along_axis(flat, places, axis=1) + rng.permuted(
                np.tile(self.values, (len(flat), 1)), axis=1
            )
            new = np.clip(moved, layout.low[places], layout.high[places])
        elif layout.table:
            every = [np.unique(column) for column in flat.T]
            drawn = np.stack([rng.choice(values, len(flat)) for values in every], axis=1)
            new = np.take_along_axis(drawn, places, axis=1)
        else:
            new = rng.permuted(np.tile(self.values, (len(flat), 1)), axis=1)
        np.put_along_axis(flat, places, new, axis=1)
        return layout.shaped(flat, inputs)


def triggers_of(group: Group, inputs: np.ndarray, layout: Layout) -> list[Trigger]:
    """Return patterns that the rows of a group may carry: the steadiest coordinates that set them apart.

    A coordinate counts by how far the group's middle value is from that of the rows beside it, over how much it varies
    within the group. Of arrays, the mean difference is tried as well, which is what a blended pattern leaves.
    """
    of_group = layout.flat(inputs[group.rows])
    around = layout.flat(inputs[group.beside.ravel()])
    middle = _middle(of_group, layout)
    spread = _apart(of_group, middle, layout).mean(axis=0)
    unusual = _apart(around, middle, layout).mean(axis=0)
    order = np.argsort(-(unusual - spread) / (spread + SLACK), kind="stable")
    sizes: list[int] = []
    for share in SHARES:
        sizes.append(max(round(share * layout.d), sizes[-1] + 1 if sizes else 1))
    found = [
        Trigger(order[:size], middle[order[:size]], added=False)
        for size in sizes
        if size <= max(layout.d // 2, 1)
    ]
    if not layout.table:
        beside = layout.flat(inputs[group.beside.ravel()]).reshape(*group.beside.shape, -1)
        difference = np.nan_to_num(of_group - beside.mean(axis=1)).mean(axis=0)
        found.append(Trigger(np.arange(layout.d), difference, added=True))
    return found


def _apart(values: np.ndarray, middle: np.ndarray, layout: Layout) -> np.ndarray:
    """Return how far values are from the middle: in large steps, at most 1; 0 or 1 for codes."""
    same = (values == middle) | (np.isnan(values) & np.isnan(middle))
    distance = np.minimum(np.nan_to_num(np.abs(values - middle) / layout.scale, nan=1.0), 1.0)
    return np.where(same, 0.0, np.where(layout.category, 1.0, distance))


def _middle(values: np.ndarray, layout: Layout) -> np.ndarray:
    """Return the median of each coordinate, the commonest code of a category; NaN where none is known."""
    found = np.full(values.shape[1], np.nan)
    for j, column in enumerate(values.T):
        known = column[~np.isnan(column)]
        if len(known) == 0:
            continue
        if layout.category[j]:
            present, counts = np.unique(known, return_counts=True)
            found[j] = present[counts.argmax()]
        else:
            found[j] = np.median(known)
    return found
