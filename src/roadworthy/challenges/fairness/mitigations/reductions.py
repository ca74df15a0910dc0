"""A mixture of models found by fairlearn's reduction: each is trained on other weights and labels, together their odds are alike."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.fairness.mitigations.cells import (
    Groups,
    require_comparable,
    shuffled,
    together,
)
from roadworthy.engine import artifact, mitigation, sham
from roadworthy.errors import NotApplicable, UserError
from roadworthy.subject import Network, Trainer, Variant

if TYPE_CHECKING:
    from torch import nn

    from roadworthy.subject import Subject, Task
    from roadworthy.subject.grouping import Grouping
    from roadworthy.subject.variant import Weights

ROUNDS = 8  # of the game; each trains one or two models
SLACK = 0.01  # difference of odds that is tolerated on training rows
LEAST_SHARE = 0.01  # of a model that is kept

Kind = Literal["logits", "probabilities"]
Mixture = Mapping[str, Any]  # Any: `weights`, a list by member, and `shares`, (m,) that sum to 1


@artifact(cost="training")
def reduced_mixture(
    trainer: Trainer,
    train_inputs: np.ndarray,
    train_labels: np.ndarray,
    train_groups: Groups,
    task: "Task",
    train_row_weights: np.ndarray | None = None,
) -> Mixture:
    """Models whose mixture has nearly equal odds on training rows: `weights` of each, and `shares` that sum to 1."""
    require_comparable(train_groups, train_labels, len(task.classes))
    learner = _Learner(trainer, train_inputs, train_row_weights)
    return _mixture(learner, train_labels, together(train_groups), task)


@artifact(cost="training")
def reduced_mixture_by_shuffled_groups(
    trainer: Trainer,
    train_inputs: np.ndarray,
    train_labels: np.ndarray,
    train_groups: Groups,
    task: "Task",
    rng: Generator,
    train_row_weights: np.ndarray | None = None,
) -> Mixture:
    """Models whose mixture has nearly equal odds for groups that were dealt to the rows at random: a control."""
    require_comparable(train_groups, train_labels, len(task.classes))
    dealt = together(shuffled(train_groups, rng))
    learner = _Learner(trainer, train_inputs, train_row_weights)
    return _mixture(learner, train_labels, dealt, task)


@mitigation(
    targets=("equalized_odds_gap", "equal_opportunity_gap"),
    strengths=(0.5, 1.0),
    sham="mixture_by_shuffled_groups",
    repairs="positives_of_one_group_left_out",
)
def exponentiated_gradient(
    subject: "Subject",
    strength: float,
    reduced_mixture: Mixture,
    output_kind: str,
    network: Network,
    weights: "Weights",
) -> "Subject":
    """Answer by a mixture of models that were trained in turn against whatever odds were still unequal.

    Exponentiated gradient (Agarwal et al. 2018, ICML, algorithm 1) by fairlearn, eight rounds. It draws one of its models for
    each answer; here their mean probability answers, so that nobody's answer is drawn, and the promise on odds is
    no longer exact. The strength is the mixture's share beside the model that was. Some ten trainings, and
    as many models for each answer. Needs `pip install "roadworthy[fair]"`; for two classes.
    """
    if strength == 0.0:
        return subject
    return _mixed(subject, strength, reduced_mixture, output_kind, (network, weights))


@sham()
def mixture_by_shuffled_groups(
    subject: "Subject",
    strength: float,
    reduced_mixture_by_shuffled_groups: Mixture,
    output_kind: str,
    network: Network,
    weights: "Weights",
) -> "Subject":
    """Answer by a mixture that was found for groups dealt to the rows at random."""
    if strength == 0.0:
        return subject
    mixture = reduced_mixture_by_shuffled_groups
    return _mixed(subject, strength, mixture, output_kind, (network, weights))


def _mixture(
    learner: "_Learner", labels: np.ndarray, grouping: "Grouping", task: "Task"
) -> Mixture:
    if len(task.classes) != 2:
        raise NotApplicable(f"the target has {len(task.classes)} classes; the reduction is for two")
    reductions = _fairlearn()
    game = reductions.ExponentiatedGradient(
        learner,
        reductions.EqualizedOdds(difference_bound=SLACK),
        max_iter=ROUNDS,
        run_linprog_step=True,
    )
    with warnings.catch_warnings():
        # fairlearn 0.15 writes to pandas objects in a way that pandas 3 announces the end of; to go when it no longer does.
        warnings.simplefilter("ignore")
        # Rows of unknown group are trained on as a group of their own.
        game.fit(np.arange(len(labels))[:, None], labels, sensitive_features=grouping.codes)
    shares = np.asarray(game.weights_, float)
    kept = np.flatnonzero(shares > LEAST_SHARE)
    found = [dict(game.predictors_[k].weights) for k in kept]
    return {"weights": found, "shares": shares[kept] / shares[kept].sum()}


def _fairlearn() -> Any:  # Any: the library is not typed
    try:
        from fairlearn import reductions  # pyright: ignore[reportMissingTypeStubs]  # it has none
    except ImportError:
        raise NotApplicable(
            'it needs fairlearn, which is not installed: pip install "roadworthy[fair]"'
        ) from None
    return reductions


class _Learner:
    """The subject's network as the estimator that fairlearn asks for; its rows are positions of training rows.

    What rows count for the subject already (`present`) multiplies what they count in the game.
    """

    def __init__(self, trainer: Trainer, inputs: np.ndarray, present: np.ndarray | None) -> None:
        self.trainer, self.inputs, self.present = trainer, inputs, present
        self.weights: Weights = {}
        self._answers: np.ndarray | None = None

    def __sklearn_clone__(self) -> "_Learner":
        return _Learner(self.trainer, self.inputs, self.present)

    def __deepcopy__(self, memo: dict[int, object]) -> "_Learner":
        return _Learner(self.trainer, self.inputs, self.present)

    def fit(
        self, rows: Any, target: Any, sample_weight: Any
    ) -> "_Learner":  # Any: arrays or tables
        """Train on other labels and weights; the last epoch counts, for validation rows have neither."""
        del rows
        weights = np.asarray(sample_weight, float)
        if self.present is not None:
            weights = weights * self.present
        if not weights.any():
            raise UserError("The reduction gives no training row any weight; no model can be had.")
        self._variant = Variant(
            recipe=replace(self.trainer.recipe, patience=None),
            target=np.asarray(target, np.int64),
            row_weights=weights / weights.mean(),
        )
        self.weights = self.trainer.weights([self._variant])[0]
        self._answers = self.trainer.predictions([self._variant], self.inputs)[0]
        return self

    def predict(self, rows: Any) -> np.ndarray:  # Any: an array or a table
        """Return the class of each position."""
        assert self._answers is not None
        return self._answers[np.asarray(rows)[:, 0].astype(np.int64)]


def _mixed(
    subject: "Subject",
    strength: float,
    mixture: Mixture,
    output_kind: str,
    model: "tuple[Network, Weights]",
) -> "Subject":
    """Return a subject that answers by the model itself and the members of a mixture."""
    network, weights = model
    members = [weights, *mixture["weights"]]
    shares = np.concatenate([[1.0 - strength], strength * np.asarray(mixture["shares"])])
    factory = _Mixed(network, len(members), cast(Kind, output_kind))
    said = f"{network.source or 'network'}, mixture of {len(members)}"
    inner = {f"members.{i}.{n}": np.asarray(v) for i, m in enumerate(members) for n, v in m.items()}
    return replace(
        subject,
        network=Network(factory, said),
        weights={**inner, "shares": shares.astype(np.float32)},
        predictor=None,
    )


@dataclass(frozen=True, eq=False)
class _Mixed:
    """The factory of the mixture."""

    network: Network
    members: int
    kind: Kind

    def __call__(self) -> "nn.Module":
        from roadworthy.challenges.fairness.group_modules import Mixed

        return Mixed([self.network.build() for _ in range(self.members)], self.kind)
