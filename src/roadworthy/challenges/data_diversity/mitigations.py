"""Remedies where a part of the data is too few or badly answered: let its training rows count for more, or draw them again.

Rows that are not there can be neither: where a part has next to none, collect some (`targeted_collection`).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import mitigation, sham
from roadworthy.errors import NotApplicable
from roadworthy.statistics.slices import LEAST_ROWS, Conditions, search
from roadworthy.subject.weighing import present_weights, weighed

if TYPE_CHECKING:
    from roadworthy.subject import Subject
    from roadworthy.subject.grouping import Grouping

Groups = Mapping[str, "Grouping"]
Shares = Mapping[str, Mapping[str, float]]

ROUNDS = 100  # of raking


@mitigation(
    targets=("weak_slices", "unfair_slices"),
    strengths=(1.0, 3.0, 9.0),
    sham="as_many_rows_weighed_up",
    repairs="slice_thinned_out",
)
def weak_slices_weighed_up(
    subject: "Subject",
    strength: float,
    train_conditions: Conditions,
    validation_conditions: Conditions,
    validation_correct: np.ndarray,
) -> "Subject":
    """Let the training rows of the parts in which validation rows are answered badly count for more.

    Parts are searched as `weak_slices` does, on all validation rows; a training row in one of them counts 1 + strength, as if it had been
    collected so many times (Chung et al. 2019, section 6; Sagawa et al. 2020, "Overparameterization", for what weights can and cannot do). Inputs, labels and architecture stay.
    """
    if strength == 0.0:
        return subject
    weak = _in_weak_slices(train_conditions, validation_conditions, validation_correct)
    return weighed(subject, 1.0 + strength * weak)


@sham()
def as_many_rows_weighed_up(
    subject: "Subject",
    strength: float,
    rng: Generator,
    train_conditions: Conditions,
    validation_conditions: Conditions,
    validation_correct: np.ndarray,
) -> "Subject":
    """Let as many training rows count as much more, wherever they lie."""
    if strength == 0.0:
        return subject
    weak = _in_weak_slices(train_conditions, validation_conditions, validation_correct)
    return weighed(subject, 1.0 + strength * rng.permutation(weak))


@mitigation(
    targets=("weak_slices", "unfair_slices"),
    strengths=(1.0, 3.0, 9.0),
    sham="as_many_rows_drawn_again",
    repairs="slice_thinned_out",
)
def weak_slices_drawn_again(
    subject: "Subject",
    strength: float,
    rng: Generator,
    train_conditions: Conditions,
    validation_conditions: Conditions,
    validation_correct: np.ndarray,
) -> "Subject":
    """Draw the training rows of the parts in which validation rows are answered badly again, so that training meets them more often.

    Parts are searched as `weak_slices` does, on all validation rows; a training row in one of them is there 1 + strength times, the
    part of a copy by chance. On average that is what a weight does, but each step then meets these rows more often in place of a few with
    large steps, which stochastic gradients bear better (An, Ying & Zhu 2021, ICLR, "Why resampling outperforms reweighting"). Copies add no
    people: `group_coverage` is not a target. Present rows, labels, architecture and epochs stay, so that training takes longer.
    """
    if strength == 0.0:
        return subject
    weak = _in_weak_slices(train_conditions, validation_conditions, validation_correct)
    return _drawn_again(subject, strength, weak, rng)


@sham()
def as_many_rows_drawn_again(
    subject: "Subject",
    strength: float,
    rng: Generator,
    train_conditions: Conditions,
    validation_conditions: Conditions,
    validation_correct: np.ndarray,
) -> "Subject":
    """Draw as many training rows again, wherever they lie: training takes as many steps."""
    if strength == 0.0:
        return subject
    weak = _in_weak_slices(train_conditions, validation_conditions, validation_correct)
    return _drawn_again(subject, strength, rng.permutation(weak), rng)


@mitigation(
    targets="group_coverage",
    strengths=(0.5, 1.0),
    sham="reference_weights_of_shuffled_rows",
    repairs="group_left_out",
)
def rows_weighed_to_the_reference(
    subject: "Subject",
    strength: float,
    train_groups: Groups,
    validation_groups: Groups | None = None,
    reference_shares: Shares | None = None,
) -> "Subject":
    """Weigh training rows so that every group has the share that it has in the reference population.

    Raking over the sensitive attributes (Deming & Stephan 1940, Annals of Mathematical Statistics 11) to the shares that were stated, else (attribute by attribute) to
    those of validation rows; the strength is the power of the weights. The rows of a group that is few count for many, which makes what is learned of it
    less certain: the measured coverage counts them as fewer for it. Inputs, labels and architecture stay.
    """
    if strength == 0.0:
        return subject
    wanted = _wanted(train_groups, validation_groups, reference_shares)
    return weighed(subject, _raked(subject, train_groups, wanted) ** strength)


@sham()
def reference_weights_of_shuffled_rows(
    subject: "Subject",
    strength: float,
    rng: Generator,
    train_groups: Groups,
    validation_groups: Groups | None = None,
    reference_shares: Shares | None = None,
) -> "Subject":
    """Deal the same weights to training rows at random, whatever their group."""
    if strength == 0.0:
        return subject
    wanted = _wanted(train_groups, validation_groups, reference_shares)
    factors = _raked(subject, train_groups, wanted)
    return weighed(subject, rng.permutation(factors) ** strength)


def _in_weak_slices(train: Conditions, validation: Conditions, correct: np.ndarray) -> np.ndarray:
    """Return which training rows lie in a part that validation rows speak against: (n,) bool."""
    found = search(validation, ~np.asarray(correct), floor=LEAST_ROWS)
    if not found:
        raise NotApplicable(
            f"no part of {LEAST_ROWS} validation rows is answered worse than the rest, beyond luck"
        )
    inside = np.logical_or.reduce([each.rows(train) for each in found])
    if not inside.any():
        raise NotApplicable(
            "no training row lies in the parts that are answered badly: collect some"
        )
    return inside


def _drawn_again(
    subject: "Subject", strength: float, chosen: np.ndarray, rng: Generator
) -> "Subject":
    """Return a subject whose chosen training rows are there 1 + strength times, after the others."""
    members = np.flatnonzero(chosen)
    whole, rest = divmod(strength, 1.0)
    copies = np.repeat(members, int(whole) + (rng.random(len(members)) < rest))
    rows = np.concatenate([np.arange(len(chosen)), copies])
    return subject.with_split("train", subject.splits["train"].take(rows)).retrained()


def _raked(subject: "Subject", train: Groups, wanted: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return by what the weight that each training row has is to be multiplied: (n,).

    Rows of unknown group count as they did.
    """
    start = present_weights(subject)
    weights = start.copy()
    for _ in range(ROUNDS):
        before = weights.copy()
        for attribute, shares in wanted.items():
            codes = train[attribute].codes
            is_known = codes >= 0
            sums = np.bincount(codes[is_known], weights[is_known], minlength=len(shares))
            present = (sums > 0) & (shares > 0)
            now = sums / sums[present].sum()
            factors = np.ones(len(shares))
            factors[present] = shares[present] / shares[present].sum() / now[present]
            weights[is_known] *= factors[codes[is_known]]
        if np.allclose(weights, before, rtol=1e-9):
            break
    # A row that counts nothing goes on counting nothing.
    return np.divide(weights, start, out=np.ones(len(start)), where=start > 0)


def _wanted(
    train: Groups, validation: Groups | None, stated: Shares | None
) -> dict[str, np.ndarray]:
    """Return the share that each group of each attribute should have, in the order of its names."""
    found: dict[str, np.ndarray] = {}
    for attribute, grouping in train.items():
        if stated is not None and attribute in stated:
            found[attribute] = np.array([stated[attribute].get(n, 0.0) for n in grouping.names])
        elif validation is not None and attribute in validation:
            sizes = validation[attribute].sizes
            found[attribute] = sizes / max(int(sizes.sum()), 1)
    if not found:
        raise NotApplicable(
            "no reference says what shares groups should have: state them, or give validation rows"
        )
    return found
