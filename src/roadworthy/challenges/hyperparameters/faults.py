"""Known amounts of sensitivity, optimism and loss: frozen errors of trainings, redrawn."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.hyperparameters.nested import Nested, choices_of
from roadworthy.challenges.hyperparameters.search import chosen_of
from roadworthy.challenges.hyperparameters.sensitivity import Stored
from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable
from roadworthy.statistics import percent

if TYPE_CHECKING:
    from roadworthy.subject import Subject, Task


@control(clears="butterfly_effect")
def changes_without_effect(
    subject: "Subject", rng: Generator, neighbouring_errors: Stored
) -> "Subject":
    """Redraw the errors of every training from those of the seeds, row by row: no change has an effect.

    Classification: in each row every training errs with the share of seeds that err there. Regression: each
    training has the error of a seed drawn for each row.
    """
    own: np.ndarray = neighbouring_errors["seeds"]

    def redrawn(errors: np.ndarray) -> np.ndarray:
        seeds = rng.integers(0, len(own), errors.shape)
        return own[seeds, np.arange(own.shape[1])]

    changed = redrawn(neighbouring_errors["changed"])
    seeds = redrawn(own)
    return subject.with_given(
        neighbouring_errors={**neighbouring_errors, "seeds": seeds, "changed": changed}
    )


@fault(
    breaks="butterfly_effect",
    severities=(0.025, 0.0375, 0.05, 0.075, 0.1, 0.2),
    starts_from="changes_without_effect",
)
def a_change_that_matters(
    subject: "Subject", severity: float, rng: Generator, neighbouring_errors: Stored
) -> "Subject":
    """Let one small change raise the error by s: every training with it errs in more rows.

    Classification: a right row turns wrong with the chance s / (1 - e), e the seeds' mean error in that row
    averaged over rows. Regression: every error grows by s.
    """
    if severity == 0.0:
        return subject
    changed: np.ndarray = neighbouring_errors["changed"].copy()
    own: np.ndarray = neighbouring_errors["seeds"]
    at = [abs(step) == 1 for step in neighbouring_errors["step"]].index(True)
    if own.dtype == bool:
        right = 1.0 - float(own.mean())
        if severity > right:
            raise NotApplicable(
                f"only {percent(right)} of rows are right; {percent(severity)} cannot be lost"
            )
        changed[at] |= rng.random(own.shape[1]) < severity / right
    else:
        changed[at] += severity
    return subject.with_given(neighbouring_errors={**neighbouring_errors, "changed": changed})


@control(clears="seed_sensitivity")
def seeds_that_agree(subject: "Subject", rng: Generator, seed_answers: np.ndarray) -> "Subject":
    """Give every seed the answers of the first: nothing depends on the seed."""
    del rng
    return subject.with_given(seed_answers=np.repeat(seed_answers[:1], len(seed_answers), axis=0))


@fault(
    breaks="seed_sensitivity",
    severities=(0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3),
    starts_from="seeds_that_agree",
)
def answers_by_seed(
    subject: "Subject",
    severity: float,
    rng: Generator,
    seed_answers: np.ndarray,
    task: "Task",
    guess_error: float | None = None,
) -> "Subject":
    """Let each seed answer otherwise in so many rows that two of them disagree with the chance s.

    Classification: with the chance q a seed gives one of the other c - 1 classes; two seeds then differ with the
    chance 2q - q^2 c / (c - 1) = s. Regression: normal noise of the deviation s sqrt(pi) / 2, two of which
    are s apart on average.
    """
    if severity == 0.0:
        return subject
    if not task.is_classification:
        assert guess_error is not None
        noise = rng.normal(0.0, severity * guess_error * np.sqrt(np.pi) / 2.0, seed_answers.shape)
        return subject.with_given(seed_answers=seed_answers + noise)
    c = len(task.classes)
    ratio = c / (c - 1)
    if severity * ratio > 1.0:
        raise NotApplicable(
            f"two of {c} classes drawn at random differ less often than {percent(severity)}"
        )
    chance = (1.0 - np.sqrt(1.0 - severity * ratio)) / ratio
    other = (seed_answers + rng.integers(1, c, seed_answers.shape)) % c
    differs = rng.random(seed_answers.shape) < chance
    return subject.with_given(seed_answers=np.where(differs, other, seed_answers))


@control(clears="untuned_loss")
def settings_as_good_as_any(
    subject: "Subject",
    rng: Generator,
    searched_settings: dict[str, np.ndarray],
    searched_validation_errors: np.ndarray,
    searched_test_errors: np.ndarray,
) -> "Subject":
    """Swap the test errors of the own and the chosen setting on each row with the chance 1/2: neither is better."""
    chosen = chosen_of(searched_validation_errors)
    swap = rng.random(searched_test_errors.shape[1]) < 0.5
    errors = searched_test_errors.copy()
    errors[0] = np.where(swap, searched_test_errors[chosen], searched_test_errors[0])
    errors[chosen] = np.where(swap, searched_test_errors[0], searched_test_errors[chosen])
    return subject.with_given(
        searched_settings=searched_settings,
        searched_validation_errors=searched_validation_errors,
        searched_test_errors=errors,
    )


@fault(
    breaks="untuned_loss",
    severities=(0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.08),
    starts_from="settings_as_good_as_any",
)
def better_settings_found(
    subject: "Subject",
    severity: float,
    rng: Generator,
    searched_validation_errors: np.ndarray,
    searched_test_errors: np.ndarray,
) -> "Subject":
    """Let the own setting miss test rows that the chosen one gets right: the difference is s exactly.

    Classification: with the chance s a row is one of these, and else as before, where the mean difference
    is 0. Regression: the own errors grow by s in every row.
    """
    chosen = chosen_of(searched_validation_errors)
    errors = searched_test_errors.copy()
    if errors.dtype == bool:
        missed = rng.random(errors.shape[1]) < severity
        errors[0] |= missed
        errors[chosen] &= ~missed
    else:
        errors[0] += severity
    return subject.with_given(searched_test_errors=errors)


@control(clears="setting_optimism")
def a_choice_without_luck(subject: "Subject", rng: Generator, nested_errors: Nested) -> "Subject":
    """Let all settings err on the same rows, drawn anew from those of the chosen ones: nothing is there to choose."""
    frozen: list[np.ndarray] = []
    for errors, is_second in zip(nested_errors["errors"], nested_errors["is_second"], strict=True):
        pool = errors[list(choices_of(errors, is_second))].ravel()
        drawn = rng.choice(pool, errors.shape[1])
        frozen.append(np.repeat(drawn[None], max(len(errors), 2), axis=0))
    return subject.with_given(nested_errors={**nested_errors, "errors": tuple(frozen)})


@fault(
    breaks="setting_optimism",
    severities=(0.025, 0.05, 0.075, 0.1, 0.15, 0.2),
    starts_from="a_choice_without_luck",
)
def flattering_choice(
    subject: "Subject", severity: float, rng: Generator, nested_errors: Nested
) -> "Subject":
    """Let every setting err more often, by s, on all rows but those of the fold that chooses it.

    The first setting is the best on the first fold of each pair, the second on the second; all others err more on
    both. Classification: a right row turns wrong with the chance s / (1 - e), e the error of the chosen one.
    Regression: the errors of rows grow by exponential amounts of mean s.
    """
    if severity == 0.0:
        return subject
    planted: list[np.ndarray] = []
    for errors, is_second in zip(nested_errors["errors"], nested_errors["is_second"], strict=True):
        best = errors[0]
        worse = _worse_by_row(best, severity, rng)
        made = np.repeat(worse[None], len(errors), axis=0)
        made[0] = np.where(is_second, worse, best)
        made[1] = np.where(is_second, best, worse)
        planted.append(made)
    return subject.with_given(nested_errors={**nested_errors, "errors": tuple(planted)})


@control(clears="validation_optimism")
def validation_like_test(
    subject: "Subject", rng: Generator, validation_merit: np.ndarray, test_merit: np.ndarray
) -> "Subject":
    """Redraw how good the model is on each validation and test row from all of both: they are alike."""
    pool = np.concatenate([validation_merit, test_merit])
    return subject.with_given(
        validation_merit=rng.choice(pool, len(validation_merit)),
        test_merit=rng.choice(pool, len(test_merit)),
    )


@fault(
    breaks="validation_optimism",
    severities=(0.025, 0.05, 0.075, 0.1, 0.15, 0.2),
    starts_from="validation_like_test",
)
def flattering_validation(
    subject: "Subject",
    severity: float,
    rng: Generator,
    validation_merit: np.ndarray,
    test_merit: np.ndarray,
) -> "Subject":
    """Let the model be wrong more often on test rows, by s; validation rows stay as they are.

    Classification: a right row turns wrong with the chance s / a, a the share right on both splits
    together. Regression: the merit of every test row falls by s.

    Also alarms: shortfall_to_simple_models (fewer test rows are right), overfitting_gap (the same).
    """
    if test_merit.dtype != bool:
        return subject.with_given(test_merit=test_merit - severity)
    error = 1.0 - float(np.concatenate([validation_merit, test_merit]).mean())
    return subject.with_given(test_merit=~_worse(~test_merit, severity, error, rng))


def _worse(errors: np.ndarray, severity: float, mean: float, rng: Generator) -> np.ndarray:
    """Return errors raised by `severity` on average; `mean` is their expectation before."""
    if errors.dtype != bool:
        return errors + severity
    if severity > 1.0 - mean:
        raise NotApplicable(
            f"only {percent(1.0 - mean)} of rows are right; {percent(severity)} cannot be lost"
        )
    return errors | (rng.random(len(errors)) < severity / (1.0 - mean))


def _worse_by_row(errors: np.ndarray, severity: float, rng: Generator) -> np.ndarray:
    if errors.dtype != bool:
        return errors + rng.exponential(severity, errors.shape)
    return _worse(errors, severity, float(errors.mean()), rng)
