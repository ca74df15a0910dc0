"""Which settings matter: the variance between settings of a search, divided among the hyperparameters."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.hyperparameters.settings import space_of
from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import Axis, Intervals, Measurement
from roadworthy.statistics import from_replicates, percent

if TYPE_CHECKING:
    from roadworthy.subject import Recipe, Task

TREES = 16
GRID_POINTS, DRAWN = 16, 128
RESAMPLES = 60
STABLE = 50  # trials; with fewer, another search often names another hyperparameter


@check(challenge="hyperparameters")
def hyperparameter_importance(
    searched_settings: dict[str, np.ndarray],
    searched_validation_errors: np.ndarray,
    tuning_rows: np.ndarray,
    recipe: "Recipe",
    task: "Task",
    rng: Generator,
) -> Measurement:
    """Which setting of training matters most: its share of the variance of the error between settings.

    Functional analysis of variance of a random forest that is fitted to the settings of the random search
    (Hutter, Hoos & Leyton-Brown 2014, ICML): the variance of the error averaged over all other settings, as a
    share of all variance; what no single one explains is left to several together. Intervals by redrawing
    the settings. It is about the ranges that were searched, and with fewer than 50 settings it is unstable.

    Unit: share of the variance between settings.
    Qualified at: a description, nothing is required of it.
    Next: spend the trials of the next search on the hyperparameters named first.
    """
    space = space_of(recipe, len(tuning_rows), is_class=task.is_classification)
    values = [searched_settings[d.name][1:] for d in space]
    points = np.array([[d.position(v) for v in of] for d, of in zip(space, values, strict=True)]).T
    errors = searched_validation_errors[1:].mean(axis=1)
    if np.ptp(errors) <= 0.0:
        raise NotApplicable(f"all {len(errors)} settings that were tried do equally well")
    shares, redrawn = shares_of(points, errors, rng, RESAMPLES)
    names = [d.name.replace("_", " ") for d in space] + ["several together"]
    first = int(shares[:-1].argmax())
    found = from_replicates(
        float(shares[first]),
        redrawn[:, first],
        n=len(errors),
        method="percentile",
        unit="share of the variance between settings",
    )
    low, high = np.quantile(redrawn, [0.025, 0.975], axis=0)
    evidence = Intervals(
        "Share of the variance of the validation error between settings",
        Axis("hyperparameter"),
        Axis("share of the variance"),
        tuple(names),
        tuple(map(float, shares)),
        tuple(map(float, np.minimum(low, shares))),
        tuple(map(float, np.maximum(high, shares))),
    )
    few = f" With {len(errors)} settings, fewer than {STABLE}, the order is unstable."
    details = (
        f"Most depends on the {names[first]}: {percent(float(shares[first]), 0)}. Validation errors lie between "
        f"{percent(float(errors.min()))} and {percent(float(errors.max()))}.{few if len(errors) < STABLE else ''}"
    )
    low_end, high_end = min(found.low, found.value), max(found.high, found.value)
    return Measurement(
        found.value,
        low_end,
        high_end,
        found.n,
        found.unit,
        "redrawn settings",
        found.distribution,
        details=details,
        evidence=(evidence,),
    )


def shares_of(
    points: np.ndarray, values: np.ndarray, rng: Generator, resamples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares (d + 1,) of the variance of `values` over the unit cube, and those of resamples.

    The last one is what no single dimension explains. Points (t, d) lie in the unit cube.
    """
    drawn = rng.random((DRAWN, points.shape[1]))
    found = _shares(points, values, drawn, rng)
    redrawn = np.empty((resamples, len(found)))
    for b in range(resamples):
        chosen = rng.integers(0, len(values), len(values))
        again = _shares(points[chosen], values[chosen], drawn, rng)
        redrawn[b] = found if again.sum() == 0.0 else again
    return found, redrawn


def _shares(
    points: np.ndarray, values: np.ndarray, drawn: np.ndarray, rng: Generator
) -> np.ndarray:
    from sklearn.ensemble import RandomForestRegressor

    seed = int(rng.integers(2**31))
    # Every split may use every dimension: with one of them left out its variance would go to the others.
    forest = RandomForestRegressor(TREES, max_features=1.0, min_samples_leaf=1, random_state=seed)
    forest.fit(points, values)
    d = points.shape[1]
    grid = (np.arange(GRID_POINTS) + 0.5) / GRID_POINTS
    asked = np.tile(drawn, (d, GRID_POINTS, 1, 1))  # (d, g, m, d)
    for j in range(d):
        asked[j, :, :, j] = grid[:, None]
    predicted = forest.predict(np.concatenate([asked.reshape(-1, d), drawn]))
    curves = predicted[: -len(drawn)].reshape(d, GRID_POINTS, len(drawn)).mean(axis=2)  # (d, g)
    total = float(predicted[: -len(drawn)].var())
    if total <= 0.0:
        return np.zeros(d + 1)
    alone = curves.var(axis=1) / total
    return np.append(alone, max(1.0 - alone.sum(), 0.0)) / max(alone.sum(), 1.0)
