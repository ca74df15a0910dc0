"""Remedies for too few rows with a target: more from the same rows, and from rows without a target."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import mitigation, sham
from roadworthy.errors import NotApplicable
from roadworthy.subject import Network, Pretraining, Recipe

if TYPE_CHECKING:
    from roadworthy.subject import Subject

TARGETS = ("errors_left", "gain_from_doubling", "overfitting_gap", "shortfall_to_simple_models")
FAULT = "subsampled_training_set"
LARGEST = 3 * 32 * 32  # values of an array that the generator makes


@mitigation(
    targets=TARGETS, strengths=(0.5, 1.0, 2.0), sham="pretraining_without_structure", repairs=FAULT
)
def self_supervised_pretraining(subject: "Subject", strength: float) -> "Subject":
    """Let the network first learn from the inputs alone, with and without a target, before it is trained.

    Cells of a table are replaced by those of other rows, patches of an array are hidden, and the network learns to
    tell which and what was there (Yoon et al. 2020, VIME; He et al. 2022); its last layer is then put back.
    The strength is the number of such epochs, relative to those of training. Architecture and rows stay as they are.
    """
    if strength == 0:
        return subject
    recipe = _recipe(subject)
    _refuse_without_linear_layer(subject.network)
    epochs = max(1, round(strength * recipe.epochs))
    return subject.retrained(recipe=replace(recipe, pretraining=Pretraining("masked", epochs)))


@sham()
def pretraining_without_structure(subject: "Subject", strength: float) -> "Subject":
    """Pretrain as long, on inputs whose columns or pixels are each shuffled over the rows."""
    return _as_sham(self_supervised_pretraining(subject, strength), strength)


@mitigation(
    targets=TARGETS,
    strengths=(0.02, 0.1, 0.3),
    sham="copies_in_place_of_pseudo_labels",
    repairs=FAULT,
)
def pseudo_labels(subject: "Subject", strength: float) -> "Subject":
    """Add rows without a target, with the class that the model itself is sure of, and train again.

    Lee 2013, "Pseudo-Label"; one round, no class growing beyond its share. The strength is the doubt that is let pass: rows
    count whose class the model gives a probability of at least 1 - strength, after one temperature fitted to validation
    rows has made it as sure as it is right (Rizve et al. 2021, ICLR). Training rows stay as they are.
    Rows without a target go in with `--unlabelled FILE`, or as `subject_from(unlabelled=...)`.
    """
    if strength == 0:
        return subject
    recipe = _recipe(subject)
    if not subject.task.is_classification:
        raise NotApplicable("the target is a number, so there is no class that a model is sure of")
    unlabelled = subject.splits.get("unlabelled")
    if unlabelled is None or unlabelled.inputs is None or unlabelled.n == 0:
        raise NotApplicable(
            "there are no rows without a target; add some as the split `unlabelled`"
        )
    return subject.retrained(recipe=replace(recipe, pseudo_labels=1 - strength))


@sham()
def copies_in_place_of_pseudo_labels(subject: "Subject", strength: float) -> "Subject":
    """Train twice as well, and add as many copies of training rows of each class.

    Labels drawn at random would do harm, and a remedy that does nothing would look good beside them.
    """
    return _as_sham(pseudo_labels(subject, strength), strength)


@mitigation(
    targets=TARGETS,
    strengths=(0.5, 1.0, 2.0),
    sham="copies_in_place_of_synthetic_rows",
    repairs=FAULT,
)
def generative_augmentation(subject: "Subject", strength: float) -> "Subject":
    """Add rows made by a generator that learned from the training rows what each class looks like.

    A conditional generative adversarial network (Goodfellow et al. 2014; for tables after Xu et al. 2019, CTGAN).
    The strength is the number of new rows for each training row. Training rows stay as they are.
    """
    if strength == 0:
        return subject
    recipe = _recipe(subject)
    inputs = subject.splits["train"].inputs
    if subject.modality == "text" or inputs is None:
        raise NotApplicable("the generator makes rows of tables and small arrays, and no text")
    values = int(np.prod(inputs.shape[1:]))
    if subject.modality == "array" and values > LARGEST:
        raise NotApplicable(
            f"a row has {values:,} values; the generator makes arrays of at most {LARGEST:,}"
        )
    return subject.retrained(recipe=replace(recipe, synthetic=strength))


@sham()
def copies_in_place_of_synthetic_rows(subject: "Subject", strength: float) -> "Subject":
    """Add as many copies of training rows, drawn with replacement."""
    return _as_sham(generative_augmentation(subject, strength), strength)


def _as_sham(subject: "Subject", strength: float) -> "Subject":
    if strength == 0:
        return subject
    assert subject.recipe is not None
    return subject.retrained(recipe=replace(subject.recipe, sham=True))


def _recipe(subject: "Subject") -> Recipe:
    if subject.predictor is not None and subject.network is None:
        raise NotApplicable(
            "the model is a black box, which can not be trained again; give its architecture as a Python factory"
        )
    if subject.recipe is None:
        raise NotApplicable("how the model was trained is not known; give a Recipe in a subject.py")
    return subject.recipe


def _refuse_without_linear_layer(network: Network | None) -> None:
    if network is None:  # the default ones have some
        return
    from torch import nn

    if not any(isinstance(layer, nn.Linear) for layer in network.build().modules()):
        raise NotApplicable(
            "the network has no linear layer, so its head can not be told from the rest; let it end in one"
        )
