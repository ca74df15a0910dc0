"""A search inside of a split: settings chosen on one part of the training rows and measured on another."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from roadworthy.challenges.hyperparameters.answers import errors_of, truth_of, unit_of
from roadworthy.challenges.hyperparameters.settings import with_setting
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Axis, Estimate, Evidence, Measurement, Scatter
from roadworthy.statistics import GRID, limit, measured, percent, quantiles_on

if TYPE_CHECKING:
    from roadworthy.subject import Trainer

Nested = Mapping[str, Any]  # Any: arrays, tuples of arrays and a number, see `nested_errors`
A_DRAW = 2  # settings for each draw of the profile: 4, 8, 10
MOST_PAIRS = 10
# Where the choice is the same everywhere no row differs: a squared difference of 3 more makes the upper
# end about 3.4 / n, as by the rule of three.
UNSEEN = 3.0


class _Pair(NamedTuple):
    """Two folds of the training rows, and the rows that are trained on without both."""

    folds: tuple[int, int]
    kept: np.ndarray
    held: np.ndarray
    is_second: np.ndarray  # of `held`


@artifact(cost="training")
def nested_errors(
    trainer: "Trainer",
    searched_settings: Mapping[str, np.ndarray],
    folds: np.ndarray,
    tuning_rows: np.ndarray,
    train_inputs: np.ndarray,
    train_labels: np.ndarray | None = None,
    train_targets: np.ndarray | None = None,
    train_entities: np.ndarray | None = None,
    train_times: np.ndarray | None = None,
    guess_error: float | None = None,
    *,
    draws: int = 4,
) -> dict[str, Any]:
    """How wrong searched settings are on two neighbouring folds that they were not trained on, for each such pair.

    "errors": for each pair (t, m), as `searched_validation_errors` says; "is_second": (m,) bool, which of its two folds
    a row is in; "rows": (m,) positions of the rows; "share": rows of a fold per row trained on. The settings are the first
    of `searched_settings`, two for each draw, without the subject's own. Folds are neighbours in a
    circle; in time they are not, and only rows before both are trained on.
    """
    taken = np.isin(np.arange(len(folds)), tuning_rows)
    pairs = list(_pairs(np.where(taken, folds, -2), train_entities, train_times is not None))
    truth = truth_of(train_labels, train_targets)
    scale = None if train_labels is not None else guess_error
    t = min(A_DRAW * draws, len(next(iter(searched_settings.values()))) - 1)
    answers = _answers(trainer, searched_settings, t, pairs, train_inputs, truth.dtype.kind != "f")
    errors: list[np.ndarray] = []
    for i, pair in enumerate(pairs):
        of_pair = answers[i * t : (i + 1) * t]
        errors.append(np.array([errors_of(a, truth[pair.held], scale) for a in of_pair]))
    share = np.mean([len(pair.held) / 2 / len(pair.kept) for pair in pairs])
    return {
        "errors": tuple(errors),
        "is_second": tuple(pair.is_second for pair in pairs),
        "rows": tuple(pair.held for pair in pairs),
        "share": float(share),
    }


@check(
    challenge="hyperparameters",
    requires=AtMost(0.05, "house default: five points that a search promises and does not keep"),
    least=100,
    cost="training",
)
def setting_optimism(nested_errors: Nested) -> Measurement:
    """How much better the best setting of a search looks on the rows it was chosen on than on new rows.

    Nested cross-validation (Varma & Simon 2006, BMC Bioinformatics 7; Cawley & Talbot 2010, JMLR 11, section 5): the
    training rows are cut in folds; settings drawn at random are trained without two of them, the best on one is
    measured on the other, and the two then change places, so that how hard either is cancels out. The error where the
    setting was not chosen less the error where it was, by the same trained models. The interval over pairs of folds
    allows for training rows that overlap (Nadeau & Bengio 2003, Machine Learning 52), and is on no side
    narrower than the one over rows. A search of more settings, or on fewer rows than a fold has, promises more.

    Unit: share of rows (regression: share of the error of answering the median).
    Qualified at: severity 0.1 of `flattering_choice`, n = 1,500 with five folds; passes from as many (900 for either with ten).
    Next: report the test error, choose among fewer settings, or choose on more validation rows.
    """
    found = [
        _both_ways(errors, is_second)
        for errors, is_second in zip(
            nested_errors["errors"], nested_errors["is_second"], strict=True
        )
    ]
    errors: np.ndarray = nested_errors["errors"][0]
    here, elsewhere, same = (np.array(each) for each in zip(*found, strict=True))
    per_row = _per_row(nested_errors)
    n = len(per_row)
    guard = UNSEEN if errors.dtype == bool else 0.0
    of_rows = (np.sum((per_row - per_row.mean()) ** 2) + guard) / (n * max(n - 1, 1))
    k = len(found)
    of_pairs = (1.0 / k + nested_errors["share"]) * float(np.var(elsewhere - here, ddof=1))
    value, unit = float(np.mean(elsewhere - here)), unit_of(errors)
    spreads = (
        Estimate(value, float(of_rows) ** 0.5, float(max(n - 1, 1))),
        Estimate(value, of_pairs**0.5, float(k - 1)),
    )

    def end(probability: float) -> float:
        ends = [limit(spread, probability) for spread in spreads]
        return min(ends) if probability < 0.5 else max(ends)

    return measured(
        value,
        n,
        quantiles_on(GRID, end),
        unit=unit,
        method="the wider of Nadeau-Bengio over folds and t over rows",
        details=(
            f"The best of {len(errors)} settings errs by {percent(float(here.mean()))} where it was chosen and by "
            f"{percent(float(elsewhere.mean()))} on other rows ({k} pairs of folds; in {int(same.sum())} of them both "
            "folds chose the same setting)."
        ),
        evidence=_scatter(nested_errors),
    )


def _pairs(folds: np.ndarray, entities: np.ndarray | None, in_time: bool) -> Iterator[_Pair]:
    k = int(folds.max(initial=-1)) + 1
    pairs = [(i, i + 1) for i in range(k - 1)] if in_time else [(i, (i + 1) % k) for i in range(k)]
    found: list[_Pair] = []
    for one, other in pairs[:MOST_PAIRS]:
        held = np.isin(folds, (one, other))
        kept = (folds >= -1) & (folds < one if in_time else ~held)
        if entities is not None:
            kept &= ~np.isin(entities, entities[held])
        rows = np.flatnonzero(held)
        second = folds[rows] == other
        if kept.sum() >= 2 and second.any() and not second.all():
            found.append(_Pair((one, other), np.flatnonzero(kept), rows, second))
    if len(found) < 2:
        raise NotApplicable(
            f"{k} fold(s) of the training rows leave {len(found)} pair(s) with rows to train on; two are needed"
        )
    yield from found


def _answers(
    trainer: "Trainer",
    settings: Mapping[str, np.ndarray],
    t: int,
    pairs: list[_Pair],
    inputs: np.ndarray,
    is_class: bool,
) -> list[np.ndarray]:
    from roadworthy.subject import Variant

    recipes = [
        with_setting(trainer.recipe, {name: float(v[i]) for name, v in settings.items()})
        for i in range(1, t + 1)
    ]
    variants = [Variant(rows=pair.kept, recipe=recipe) for pair in pairs for recipe in recipes]
    asked = [held for pair in pairs for held in [inputs[pair.held]] * t]
    found = trainer.predictions(variants, asked, diverged="none")

    def none(n: int) -> np.ndarray:
        return np.full(n, -1, np.int64) if is_class else np.full(n, np.nan)

    pairwise = zip(found, asked, strict=True)
    return [none(len(rows)) if answer is None else answer for answer, rows in pairwise]


def choices_of(errors: np.ndarray, is_second: np.ndarray) -> tuple[int, int]:
    """Return which setting has the least error on the first fold of a pair, and which on the second."""
    first, second = (int(errors[:, part].mean(axis=1).argmin()) for part in (~is_second, is_second))
    return first, second


def _both_ways(errors: np.ndarray, is_second: np.ndarray) -> tuple[float, float, bool]:
    """Return the mean error where a setting was chosen, where it was not, and whether both folds chose the same."""
    first, second = choices_of(errors, is_second)
    here = errors[first, ~is_second].mean() + errors[second, is_second].mean()
    elsewhere = errors[first, is_second].mean() + errors[second, ~is_second].mean()
    return float(here) / 2, float(elsewhere) / 2, first == second


def _per_row(nested: Nested) -> np.ndarray:
    """Return for each row the error of the other fold's choice less that of its own fold's, mean over its pairs."""
    rows = np.concatenate(nested["rows"])
    found: list[np.ndarray] = []
    for errors, is_second in zip(nested["errors"], nested["is_second"], strict=True):
        first, second = choices_of(errors, is_second)
        own = np.where(is_second, errors[second], errors[first]).astype(np.float64)
        found.append(np.where(is_second, errors[first], errors[second]) - own)
    _, codes = np.unique(rows, return_inverse=True)
    return np.bincount(codes, np.concatenate(found)) / np.bincount(codes)


def _scatter(nested: Nested) -> tuple[Evidence, ...]:
    x: list[float] = []
    y: list[float] = []
    groups: list[str] = []
    for errors, is_second in zip(nested["errors"], nested["is_second"], strict=True):
        chosen = choices_of(errors, is_second)
        for part, best in zip((~is_second, is_second), chosen, strict=True):
            x += errors[:, part].mean(axis=1).astype(float).tolist()
            y += errors[:, ~part].mean(axis=1).astype(float).tolist()
            groups += ["chosen" if i == best else "tried" for i in range(len(errors))]
    unit = unit_of(nested["errors"][0])
    scatter = Scatter(
        "Settings on one fold and on another",
        Axis("error on the fold that chooses", unit),
        Axis("error on the other fold", unit),
        tuple(x),
        tuple(y),
        tuple(groups),
    )
    return (scatter,)
