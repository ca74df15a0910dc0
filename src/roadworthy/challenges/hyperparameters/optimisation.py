"""Search by Optuna: settings asked for in batches that train together, the worse half of each pruned early."""

import warnings
from collections.abc import Generator as Yielding
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.hyperparameters.answers import (
    answers_of,
    errors_of,
    truth_of,
)
from roadworthy.challenges.hyperparameters.plateau import plateau_centre
from roadworthy.challenges.hyperparameters.search import trials_of
from roadworthy.challenges.hyperparameters.settings import (
    Dimension,
    setting_of,
    space_of,
    with_setting,
)
from roadworthy.engine import artifact
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    import optuna

    from roadworthy.subject import Recipe, Task, Trainer

BATCH = 8
KEPT = 2  # one in two goes on
SHORT = 4  # a first look takes a quarter of the epochs


@dataclass(frozen=True, eq=False)
class Looking:
    """Training settings and looking at their errors on validation rows.

    Parameters
    ----------
    trainer : Trainer
    rows : (m,) int64 ndarray
    inputs, truth : (n, ...), (n,) ndarray
        Of the validation rows.
    scale : float or None
    space : tuple of Dimension
    """

    trainer: "Trainer"
    rows: np.ndarray
    inputs: np.ndarray
    truth: np.ndarray
    scale: float | None
    space: tuple[Dimension, ...]

    def recipe(self, position: Sequence[float]) -> "Recipe":
        """Return the recipe at a point of the unit cube."""
        pairs = zip(self.space, position, strict=True)
        return with_setting(self.trainer.recipe, {d.name: d.at(p) for d, p in pairs})

    def errors(self, recipes: "Sequence[Recipe]") -> list[float]:
        """Return the mean validation error of each, all trained together."""
        is_class = self.truth.dtype.kind != "f"
        found = answers_of(self.trainer, recipes, self.rows, self.inputs, is_class=is_class)
        return [float(errors_of(a, self.truth, self.scale).mean()) for a in found]


@dataclass(eq=False)
class Tried:
    """Settings trained to the end so far."""

    positions: list[list[float]] = field(default_factory=list[list[float]])
    errors: list[float] = field(default_factory=list[float])

    def add(self, position: Sequence[float], error: float) -> None:
        """Take note of one."""
        self.positions.append(list(position))
        self.errors.append(error)


@artifact(cost="training")
def tuned_setting(
    trainer: "Trainer",
    tuning_rows: np.ndarray,
    task: "Task",
    rng: Generator,
    validation_inputs: np.ndarray,
    validation_labels: np.ndarray | None = None,
    validation_targets: np.ndarray | None = None,
    guess_error: float | None = None,
    *,
    repetitions: int = 100,
) -> dict[str, float]:
    """Values of the setting at the centre of the best plateau that a search by Optuna finds.

    Tree-structured Parzen estimators (Bergstra et al. 2011, NeurIPS) propose 8 settings at a time; they train
    together for a quarter of the epochs, and the better half of them for all (successive halving, Jamieson &
    Talwalkar 2016, AISTATS; not resumed, but begun anew). All epochs together are as many as those of the random
    search. Of the settings trained to the end, the subject's own included, `plateau_centre` chooses.
    Validation rows alone are looked at.
    """
    space = space_of(trainer.recipe, len(tuning_rows), is_class=task.is_classification)
    looking = Looking(
        trainer,
        tuning_rows,
        validation_inputs,
        truth_of(validation_labels, validation_targets),
        None if validation_labels is not None else guess_error,
        space,
    )
    tried = search(looking, trials_of(repetitions), seed=int(rng.integers(2**31)))
    best = plateau_centre(np.array(tried.positions), np.array(tried.errors))
    if best == 0:  # exactly its own values, also those outside of the range that was searched
        return setting_of(trainer.recipe, space)
    pairs = zip(space, tried.positions[best], strict=True)
    return {d.name: float(d.at(p)) for d, p in pairs}


def search(looking: Looking, budget: float, seed: int) -> Tried:
    """Search for `budget` times the epochs of the recipe; the subject's own setting comes first, free of charge."""
    with _quiet_optuna() as optuna:
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=BATCH, constant_liar=True)
        study = optuna.create_study(sampler=sampler)
        own = setting_of(looking.trainer.recipe, looking.space)
        tried = Tried()
        position = [d.position(own[d.name]) for d in looking.space]
        tried.add(position, looking.errors([looking.trainer.recipe])[0])
        names = _distributions(optuna, looking.space)
        study.add_trial(
            optuna.trial.create_trial(
                params=dict(zip(names, position, strict=True)),
                distributions=names,
                value=tried.errors[0],
            )
        )
        cost = BATCH / SHORT + BATCH / KEPT
        for _ in range(max(1, round(budget / cost))):
            _one_batch(looking, study, names, tried)
    return tried


def _one_batch(
    looking: Looking, study: "optuna.Study", names: dict[str, Any], tried: Tried
) -> None:  # Any: distributions
    trials = [study.ask(names) for _ in range(BATCH)]
    positions = [[float(trial.params[name]) for name in names] for trial in trials]
    recipes = [looking.recipe(position) for position in positions]
    epochs = max(1, looking.trainer.recipe.epochs // SHORT)
    looks = looking.errors([replace(recipe, epochs=epochs) for recipe in recipes])
    kept = np.argsort(looks, kind="stable")[: BATCH // KEPT]
    ends = looking.errors([recipes[i] for i in kept])
    whole = dict(zip(map(int, kept), ends, strict=True))
    for i, trial in enumerate(trials):
        trial.report(looks[i], epochs)
        if i not in whole:
            study.tell(trial, state=_pruned())
            continue
        study.tell(trial, whole[i])
        tried.add(positions[i], whole[i])


def _distributions(optuna: Any, space: tuple[Dimension, ...]) -> dict[str, Any]:  # Any: untyped
    return {d.name: optuna.distributions.FloatDistribution(0.0, 1.0) for d in space}


def _pruned() -> Any:  # Any: a state of optuna's
    from optuna.trial import TrialState

    return TrialState.PRUNED


@contextmanager
def _quiet_optuna() -> Yielding[Any]:  # Any: the module
    """Give optuna, with its messages off meanwhile."""
    try:
        import optuna
    except ImportError:
        raise NotApplicable(
            "the search needs Optuna, which is not installed: pip install 'roadworthy[tune]'"
        ) from None
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Before Optuna 5 the constant liar, without which a batch would be eight times the same, is experimental.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield optuna
    finally:
        optuna.logging.set_verbosity(before)
