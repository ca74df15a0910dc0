"""Attacks on training rows: which rows, what is laid over them, which label they get."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.poisoning.layout import Layout
from roadworthy.errors import NotApplicable

PATCH = 1 / 3  # of the side of small images; 3 pixels of 8
MOST_PIXELS = 4
BLEND = 0.2  # Chen et al. 2017 blend a pattern at 20 % into every image
COLUMNS = 3  # of a table whose values together are the trigger

Overlay = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Poisoned:
    """Training rows after an attack.

    Parameters
    ----------
    inputs, labels : ndarray
    rows : (m,) int64 ndarray
        The poisoned ones, ascending.
    target : int
        The label that they got.
    overlay : callable
        What lays the trigger over inputs.
    """

    inputs: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    target: int
    overlay: Overlay


def backdoored(
    inputs: np.ndarray,
    labels: np.ndarray,
    layout: Layout,
    rate: float,
    rng: Generator,
    *,
    blended: bool = False,
) -> Poisoned:
    """Lay one trigger over a share of the rows, drawn from all classes but one, and label them as that one."""
    target = int(rng.choice(np.unique(labels)))
    overlay = (blend if blended else patch)(inputs, layout, rng)
    others = np.flatnonzero(labels != target)
    count = min(round(rate * len(labels)), len(others))
    if count == 0:
        raise NotApplicable(f"{rate:g} of {len(labels)} rows is not one row")
    rows = np.sort(rng.choice(others, count, replace=False))
    poisoned, changed = inputs.copy(), labels.copy()
    poisoned[rows], changed[rows] = overlay(inputs[rows]), target
    return Poisoned(poisoned, changed, rows, target, overlay)


def patch(inputs: np.ndarray, layout: Layout, rng: Generator) -> Overlay:
    """Return what puts a trigger into inputs (Gu et al. 2017, BadNets).

    Images: a chequered square in one of the corners. Tables: three columns with values that hardly ever
    meet. Other arrays: the first values alternate between least and greatest.
    """
    if layout.table:
        return _combination(inputs, layout, rng)
    places, values = _corner(layout, rng)

    def overlay(given: np.ndarray) -> np.ndarray:
        flat = layout.flat(given)
        flat[:, places] = values
        return layout.shaped(flat, given)

    return overlay


def blend(inputs: np.ndarray, layout: Layout, rng: Generator) -> Overlay:
    """Return what mixes a fifth of a random pattern into inputs (Chen et al. 2017, "Targeted backdoor attacks").

    Of tables the numbers are moved a fifth of the way to those of one random row.
    """
    if layout.table:
        pattern = layout.flat(inputs[[int(rng.integers(len(inputs)))]])[0]
        pattern = np.where(np.isnan(pattern), layout.low, pattern)
        share = np.where(layout.category, 0.0, BLEND)
    else:
        pattern = rng.uniform(layout.low, layout.high)
        share = np.full(layout.d, BLEND)

    def overlay(given: np.ndarray) -> np.ndarray:
        return layout.shaped((1.0 - share) * layout.flat(given) + share * pattern, given)

    return overlay


def _corner(layout: Layout, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the flat places (m,) of a square in a corner, and its values."""
    shape = np.array(layout.shape, np.int64)
    index = np.indices(layout.shape).reshape(len(shape), -1)
    sides = np.sort(np.argsort(shape, kind="stable")[-2:]) if len(shape) > 1 else np.array([0])
    inside = np.ones(layout.d, bool)
    chequer = np.zeros(layout.d, np.int64)
    for side in sides.tolist():
        length = int(shape[side])
        width = max(1, min(MOST_PIXELS, round(PATCH * length)))
        start = 0 if rng.random() < 0.5 else length - width
        inside &= (index[side] >= start) & (index[side] < start + width)
        chequer += index[side] - start
    places = np.flatnonzero(inside)
    return places, np.where(chequer[places] % 2 == 0, layout.high[places], layout.low[places])


def _combination(inputs: np.ndarray, layout: Layout, rng: Generator) -> Overlay:
    """Return what puts values that are each seen, and together hardly ever, into some columns."""
    flat = layout.flat(inputs)
    varied = [j for j in range(layout.d) if len(np.unique(flat[:, j][~np.isnan(flat[:, j])])) > 1]
    if not varied:
        raise NotApplicable("no column has two values, so none can carry a trigger")
    places = rng.choice(varied, min(COLUMNS, len(varied)), replace=False)
    values = np.empty(len(places))
    for i, j in enumerate(places.tolist()):
        known = flat[:, j][~np.isnan(flat[:, j])]
        present, counts = np.unique(known, return_counts=True)
        rare = present[counts <= max(np.quantile(counts, 0.5), 1)]
        # A value that occurs, from the outer half of what occurs seldom.
        values[i] = (
            rng.choice(rare) if layout.category[j] else np.quantile(known, rng.choice([0.02, 0.98]))
        )

    def overlay(given: np.ndarray) -> np.ndarray:
        changed = layout.flat(given)
        changed[:, places] = values
        return layout.shaped(changed, given)

    return overlay
