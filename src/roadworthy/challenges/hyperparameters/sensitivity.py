"""How much the answers hang on a small change of one setting, or on the seed alone."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy.challenges.hyperparameters.answers import (
    MOST_ROWS,
    answers_of,
    errors_of,
    truth_of,
    unit_of,
    with_seed,
)
from roadworthy.challenges.hyperparameters.chance import (
    Shift,
    beyond_luck,
    over_rows_and_seeds,
    shift_of,
    size_of,
)
from roadworthy.challenges.hyperparameters.settings import changes_of
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Axis, Curve, Evidence, Intervals, Measurement, Series
from roadworthy.statistics import largest_of, percent

if TYPE_CHECKING:
    from roadworthy.subject import Task, Trainer

Stored = dict[str, Any]  # Any: arrays and tuples of words, see each artifact
LEAST_SEEDS = 5


@artifact(shape="s n", cost="training")
def seed_answers(
    trainer: "Trainer",
    tuning_rows: np.ndarray,
    test_inputs: np.ndarray,
    task: "Task",
    *,
    seeds: int = 3,
) -> np.ndarray:
    """Answers for test rows of the subject's recipe with at least 5 seeds: (s, n), codes or numbers.

    A training that diverged answers -1, or NaN for numbers; where all did, nothing is there to compare.
    """
    recipes = [with_seed(trainer.recipe, i) for i in range(max(LEAST_SEEDS, seeds))]
    is_class = task.is_classification
    found = np.stack(answers_of(trainer, recipes, tuning_rows, test_inputs, is_class=is_class))
    # Trainings without an answer would agree with each other in all rows: the best of results.
    if ((found == -1) if is_class else ~np.isfinite(found)).all():
        raise NotApplicable(
            f"all of {len(recipes)} trainings with other seeds diverged, so none can be compared: lower the "
            "learning rate of the recipe, or set its clip_norm"
        )
    return found


@artifact(cost="training")
def neighbouring_answers(
    trainer: "Trainer",
    tuning_rows: np.ndarray,
    test_inputs: np.ndarray,
    task: "Task",
    *,
    seeds: int = 3,
) -> Stored:
    """Answers for test rows of the subject's recipe with one setting changed, and how each was changed.

    "changed" (k, r, n): each change of `changes_of` with `seeds` seeds, the first of `seed_answers`. A training
    that diverged answers -1, or NaN for numbers. "name", "label", "step": of each change; "rows": how many
    training rows.
    """
    recipe = trainer.recipe
    changes = changes_of(
        recipe, len(tuning_rows), is_class=task.is_classification, steps=1 if seeds < 3 else 2
    )
    recipes = [with_seed(change.recipe, i) for change in changes for i in range(seeds)]
    found = answers_of(trainer, recipes, tuning_rows, test_inputs, is_class=task.is_classification)
    return {
        "changed": np.stack(found).reshape(len(changes), seeds, len(test_inputs)),
        "name": tuple(change.name for change in changes),
        "label": tuple(change.label for change in changes),
        "step": tuple(change.step for change in changes),
        "rows": len(tuning_rows),
    }


@artifact()
def neighbouring_errors(
    seed_answers: np.ndarray,
    neighbouring_answers: Stored,
    test_labels: np.ndarray | None = None,
    test_targets: np.ndarray | None = None,
    guess_error: float | None = None,
) -> Stored:
    """How wrong those answers are: "seeds" (s, n), "changed" (k, r, n); and the words of `neighbouring_answers`.

    bool for classes; for numbers, absolute errors as a share of `guess_error`. A diverged training
    is wrong in all rows.
    """
    truth = truth_of(test_labels, test_targets)
    scale = None if test_labels is not None else guess_error
    kept = {name: neighbouring_answers[name] for name in ("name", "label", "step", "rows")}
    changed = [
        [errors_of(a, truth, scale) for a in seeds] for seeds in neighbouring_answers["changed"]
    ]
    own = [errors_of(a, truth, scale) for a in seed_answers]
    return {**kept, "seeds": np.array(own), "changed": np.array(changed)}


@check(
    challenge="hyperparameters",
    requires=AtMost(0.05, "house default: five points of error for one small change of a setting"),
    least=100,
)
def butterfly_effect(neighbouring_errors: Stored) -> Measurement:
    """How much the test error changes when one training setting is changed a little.

    Each setting of the recipe is changed alone (`changes_of`: learning rate, batch size and epochs halved and
    doubled, weight decay tenfold, ...) and the model is trained anew; the largest change of the mean test error, for better or
    worse, less what the largest of so many would be by luck. The interval holds rows and seeds (Student's t;
    the seeds' share after Jordan 2023, "Calibrated chaos") and allows for the choice of the largest
    (Berger 1982 for the upper end, Bonferroni for the lower one). A training that diverges is wrong in all rows.

    Unit: share of rows (regression: share of the error of answering the median).
    Qualified at: severity 0.1 of `a_change_that_matters`, n = 2,000 with one seed, half as many with three.
    Next: search better settings (`untuned_loss`), take smaller steps with clipped gradients, or train longer.
    """
    base: np.ndarray = neighbouring_errors["seeds"]
    small = [abs(step) == 1 for step in neighbouring_errors["step"]]
    if not any(small):
        raise NotApplicable("the recipe has no setting that could be changed")
    shifts = [shift_of(changed, base) for changed in neighbouring_errors["changed"]]
    chosen = [shift for shift, is_small in zip(shifts, small, strict=True) if is_small]
    unit, n = unit_of(base), base.shape[1]
    worst = int(
        np.argmax([abs(s.value) * is_small for s, is_small in zip(shifts, small, strict=True)])
    )
    found = largest_of(
        [size_of(shift, n, unit, 1.0 if base.dtype == bool else np.inf) for shift in chosen],
        details=_details(neighbouring_errors, shifts[worst], worst),
        evidence=_evidence(neighbouring_errors, shifts, unit),
    )
    value = float(np.clip(beyond_luck(chosen), found.low, found.high))
    return replace(found, value=value, seeds=len(base))


@check(
    challenge="hyperparameters",
    requires=AtMost(0.1, "house default: one answer in ten may depend on the seed"),
    least=100,
)
def seed_sensitivity(
    seed_answers: np.ndarray, task: "Task", guess_error: float | None = None
) -> Measurement:
    """How often two trainings that differ by the random seed alone answer differently.

    The same recipe on the same rows with at least five seeds; the share of test rows on which two of them
    disagree, over all pairs (churn; Milani Fard et al. 2016, NeurIPS). Regression: the mean distance of two
    answers. Interval over rows and seeds: variance between rows, and leaving one seed out in turn (Arvesen
    1969, Annals of Mathematical Statistics 40).

    Unit: share of rows (regression: share of the error of answering the median).
    Qualified at: severity 0.2 of `answers_by_seed`, n = 200; passes from 300 rows.
    Next: lower the learning rate, train longer, or average several trainings before anybody relies on one answer.
    """
    is_class = task.is_classification
    scale = None if is_class else guess_error
    if not is_class and scale is None:
        raise NotApplicable(
            "distances of numbers need a yardstick, but the training targets are all alike"
        )
    unit = unit_of(np.empty(0, bool if is_class else np.float64))
    found = over_rows_and_seeds(seed_answers, scale, unit, "")
    s = len(seed_answers)
    said = f"{s} trainings, {s * (s - 1) // 2} pairs: two answer differently on {percent(found.value)} of rows"
    if not is_class:
        said = f"{s} trainings: two answers are {percent(found.value)} of the median's error apart"
    return replace(found, seeds=s, details=f"{said}.")


def _details(errors: Stored, shift: Shift, at: int) -> str:
    base = float(errors["seeds"].mean())
    spread = float(errors["seeds"].mean(axis=1).std(ddof=1))
    said = (
        f"{errors['label'][at]}: test error {percent(base)} becomes {percent(base + shift.value)}; "
        f"between seeds it varies by {percent(spread)} (standard deviation of {len(errors['seeds'])})."
    )
    if errors["rows"] == MOST_ROWS:
        said += f" Trained on {MOST_ROWS:,} rows."
    return said


def _evidence(errors: Stored, shifts: list[Shift], unit: str) -> tuple[Evidence, ...]:
    base: np.ndarray = errors["seeds"].mean(axis=1)
    center = float(base.mean())
    band = shift_of(errors["seeds"][:1], errors["seeds"])._replace(value=center)
    low, high = max(band.within(0.025), 0.0), band.within(0.975)
    series = [Series("another seed", (-2, 2), (center,) * 2, (low,) * 2, (high,) * 2)]
    for name in dict.fromkeys(errors["name"]):
        at = [i for i, own in enumerate(errors["name"]) if own == name]
        points = {errors["step"][i]: shifts[i]._replace(value=center + shifts[i].value) for i in at}
        points[0] = Shift(center, 0.0, 1.0)
        steps = tuple(sorted(points))
        series.append(
            Series(
                name.replace("_", " "),
                steps,
                tuple(points[step].value for step in steps),
                tuple(max(points[step].within(0.025), 0.0) for step in steps),
                tuple(points[step].within(0.975) for step in steps),
            )
        )
    x = Axis("steps from the recipe's value", "doublings; tenfold for weight decay and L1")
    curve = Curve(
        "Test error as one setting is changed", x, Axis("mean test error", unit), tuple(series)
    )
    intervals = Intervals(
        "Change of the test error",
        Axis("change"),
        Axis("test error after less before", unit),
        tuple(errors["label"]),
        tuple(shift.value for shift in shifts),
        tuple(shift.within(0.025) for shift in shifts),
        tuple(shift.within(0.975) for shift in shifts),
        reference=0.0,
    )
    return curve, intervals
