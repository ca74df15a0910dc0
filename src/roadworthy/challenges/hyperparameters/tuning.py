"""Checks of the subject's own setting: what is lost against a search, and how much validation flatters it."""

import numpy as np

from roadworthy.challenges.hyperparameters.answers import unit_of
from roadworthy.challenges.hyperparameters.search import chosen_of, words_of
from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Axis, Evidence, Measurement, Scatter
from roadworthy.statistics import (
    mean_difference,
    paired_mean_difference,
    paired_rate_difference,
    percent,
    rate_difference,
)


@check(
    challenge="hyperparameters",
    requires=AtMost(0.02, "house default: two points behind a handful of settings tried at random"),
    least=100,
)
def untuned_loss(
    searched_settings: dict[str, np.ndarray],
    searched_validation_errors: np.ndarray,
    searched_test_errors: np.ndarray,
) -> Measurement:
    """How much worse the model's settings are than the best of a few settings tried at random.

    Each is trained on the same rows for the same number of epochs; the best is chosen on validation rows
    and compared on test rows with the subject's own settings (classification: from the rows on which they
    differ, Zou & Donner 2008, Statistics in Medicine 27; regression: paired t). A random search is
    the twin that any tuning must beat (Bergstra & Bengio 2012, JMLR 13). Negative: the subject's own are better.

    Unit: share of rows (regression: share of the error of answering the median).
    Qualified at: severity 0.04 of `better_settings_found`, n = 5,000; passes from 8,000 rows where the two differ on
    a tenth of them (1,700 for either where on a hundredth).
    Next: tune the settings (`roadworthy fix --only tuned_settings`), or take those found here.
    """
    chosen = chosen_of(searched_validation_errors)
    own, best = searched_test_errors[0], searched_test_errors[chosen]
    details = (
        f"Test error {percent(float(own.mean()))} with the subject's settings, {percent(float(best.mean()))} with the best of "
        f"{len(searched_test_errors) - 1} tried ({words_of(searched_settings, chosen)})."
    )
    evidence = _scatter(searched_validation_errors, searched_test_errors, chosen)
    if own.dtype == bool:
        return paired_rate_difference(own, best, details=details, evidence=evidence)
    return paired_mean_difference(own, best, unit=unit_of(own), details=details, evidence=evidence)


@check(
    challenge="hyperparameters",
    requires=AtMost(
        0.05, "house default: five points that validation rows promise and test rows do not keep"
    ),
    least=100,
)
def validation_optimism(
    test_merit: np.ndarray, validation_merit: np.ndarray | None = None
) -> Measurement:
    """How much better the model is on validation rows than on test rows.

    Epochs and settings are chosen on validation rows, which makes the model look better there than it is.
    Classification: share right on validation less share right on test (Newcombe 1998, Statistics in Medicine
    17, method 10). Regression: the same difference of errors (Welch 1947). A large difference may also mean that the
    two sets of rows are of different kinds.

    Unit: share of rows (regression: share of the error of answering the median).
    Qualified at: severity 0.1 of `flattering_validation`, n = 2,600; passes from 5,000 rows, validation and
    test together, where one in ten is wrong (1,800 and 3,000 where one in twenty).
    Next: report the test result, never the one on validation rows; see whether the two were drawn alike.
    """
    if validation_merit is None:
        raise NotApplicable("there are no validation rows that the model answered; give some")
    seen, new = float(validation_merit.mean()), float(test_merit.mean())
    word = "right" if test_merit.dtype == bool else "of the median's error saved"
    details = f"{percent(seen)} {word} on validation rows, {percent(new)} on test rows."
    return _apart(_lost(test_merit), _lost(validation_merit), details, ())


def _lost(merit: np.ndarray) -> np.ndarray:
    return ~merit if merit.dtype == bool else 1.0 - merit


def _apart(
    new: np.ndarray, seen: np.ndarray, details: str, evidence: tuple[Evidence, ...]
) -> Measurement:
    """Return the mean error on new rows less that on the rows seen."""
    if new.dtype == bool:
        counts = int(new.sum()), len(new), int(seen.sum()), len(seen)
        return rate_difference(*counts, details=details, evidence=evidence)
    return mean_difference(new, seen, unit=unit_of(new), details=details, evidence=evidence)


def _scatter(validation: np.ndarray, test: np.ndarray, chosen: int) -> tuple[Evidence, ...]:
    groups = ["tried"] * len(test)
    groups[0], groups[chosen] = "the subject's own", "chosen on validation"
    unit = unit_of(test)
    scatter = Scatter(
        "Settings of a random search",
        Axis("validation error", unit),
        Axis("test error", unit),
        tuple(map(float, validation.mean(axis=1))),
        tuple(map(float, test.mean(axis=1))),
        tuple(groups),
    )
    return (scatter,)
