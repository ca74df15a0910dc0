"""Remedies for poisoned training rows: leave the suspect ones out, or let a vote bear a few."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.poisoning.partitions import voting
from roadworthy.engine import mitigation, sham
from roadworthy.errors import NotApplicable
from roadworthy.subject import Network

if TYPE_CHECKING:
    from roadworthy.subject import Subject


@mitigation(
    targets="backdoor_evidence",
    # Half of the rows still plant the pattern, which validation rows need not show.
    strengths=(1.0,),
    sham="as_many_rows_of_the_class_dropped",
    repairs="patch_backdoor",
)
def suspect_rows_dropped(
    subject: "Subject",
    strength: float,
    suspect_pattern: Mapping[str, Any],  # Any: see `suspect_pattern`
) -> "Subject":
    """Train without the training rows that carry the suspect pattern.

    Removal after Tran et al. (2018, NeurIPS, "Spectral signatures in backdoor attacks", algorithm 1), of rows that
    held-out rows do not account for: all of them. That `backdoor_evidence` falls is measured by a new search. All other rows, architecture and recipe stay.
    """
    return _without(subject, _suspects(suspect_pattern, strength))


@sham()
def as_many_rows_of_the_class_dropped(
    subject: "Subject",
    strength: float,
    rng: Generator,
    suspect_pattern: Mapping[str, Any],  # Any: see `suspect_pattern`
    train_labels: np.ndarray,
) -> "Subject":
    """Train without as many rows of the same class, drawn at random."""
    suspects = _suspects(suspect_pattern, strength)
    own = np.flatnonzero(train_labels == suspect_pattern["target"])
    return _without(subject, rng.choice(own, min(len(suspects), len(own)), replace=False))


@mitigation(
    targets="backdoor_evidence",
    strengths=(1.0,),
    repairs="patch_backdoor",
)
def partition_vote(
    subject: "Subject",
    strength: float,
    partition_weights: list[dict[str, np.ndarray]],
    network: Network,
) -> "Subject":
    """Answer by the majority of ten networks, each trained on its own part of the training rows.

    Deep partition aggregation (Levine & Feizi 2021, ICLR): rows are dealt by a hash of their content, so a poisoned row reaches one network.
    `certified_against_poison` says how many poisoned rows each answer bears. Costs accuracy where rows are few, and ten times the
    computing for each answer. Rows and recipe stay.
    """
    if strength == 0.0:
        return subject
    built, weights = voting(network, partition_weights, len(subject.task.classes))
    return replace(subject, network=built, weights=weights, predictor=None)


def _suspects(pattern: Mapping[str, Any], strength: float) -> np.ndarray:  # Any: see above
    if strength == 0.0:
        return np.empty(0, np.int64)
    rows = pattern["left_out"]
    if len(rows) == 0:
        raise NotApplicable("no training row carries a suspect pattern, so none is left out")
    return rows[: max(1, round(strength * len(rows)))]


def _without(subject: "Subject", rows: np.ndarray) -> "Subject":
    if len(rows) == 0:
        return subject
    if subject.recipe is None:
        raise NotApplicable("how the model was trained is not known; give a Recipe in a subject.py")
    train = subject.splits["train"]
    left = np.setdiff1d(np.arange(train.n), rows)
    return subject.with_split("train", train.take(left)).retrained()
