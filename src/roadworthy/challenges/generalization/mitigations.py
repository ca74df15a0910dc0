"""Remedies for a model that learns its rows by heart, or too little: recipe or architecture change, nothing else.

The control of each is one more training with another seed.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import mitigation
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Augmentation, Network, Recipe, Subject

OVERFITTING = ("overfitting_gap", "training_variance", "shortfall_to_simple_models")
UNDERFITTING = ("underfitting", "shortfall_to_simple_models", "errors_left")
LEAST_SIDE = 4  # pixels: smaller arrays are no images
FULL_TURN, FULL_SHIFT, FULL_SCALING = 15.0, 0.1, 0.1  # at strength 1


@mitigation(targets=OVERFITTING, strengths=(0.5, 0.75, 0.9), repairs="memorised_noise")
def early_stopping(subject: "Subject", strength: float) -> "Subject":
    """Stop training sooner once validation rows are answered no better, and keep the best weights.

    Prechelt (1998, "Early stopping, but when?"). The strength is the share by which the patience is shortened; where there was
    none, it is counted from all epochs. Data and architecture stay.
    """
    recipe = _recipe(subject)
    if strength == 0.0:
        return subject
    validation = subject.splits.get("validation")
    if validation is None or validation.target is None or validation.n == 0:
        raise NotApplicable(
            "early stopping needs validation rows with a target; give them with --validation FILE"
        )
    longest = recipe.epochs if recipe.patience is None else recipe.patience
    patience = max(1, round((1.0 - strength) * longest))
    return subject.retrained(recipe=replace(recipe, patience=patience))


@mitigation(targets=OVERFITTING, strengths=(0.03, 0.1, 0.3, 1.0), repairs="memorised_noise")
def weight_decay(subject: "Subject", strength: float) -> "Subject":
    """Pull all weights towards zero while training (L2).

    Krogh & Hertz (1992, NeurIPS 4); Loshchilov & Hutter (2019, ICLR) for AdamW, where the strength is added to the decoupled decay. For
    SGD a hundredth of it is added, as its decay acts on the gradient. Data and architecture stay.
    """
    recipe = _recipe(subject)
    if strength == 0.0:
        return subject
    added = strength if recipe.optimizer == "adamw" else strength / 100.0
    return subject.retrained(recipe=replace(recipe, weight_decay=recipe.weight_decay + added))


@mitigation(targets=OVERFITTING, strengths=(1e-5, 1e-4, 1e-3), repairs="memorised_noise")
def l1(subject: "Subject", strength: float) -> "Subject":
    """Charge for every weight by its size, so that many become zero (L1).

    Tibshirani (1996, JRSS B 58). The strength is added to the factor of the sum of absolute weights in the loss. Data and
    architecture stay.
    """
    recipe = _recipe(subject)
    if strength == 0.0:
        return subject
    return subject.retrained(recipe=replace(recipe, l1=recipe.l1 + strength))


@mitigation(targets=OVERFITTING, strengths=(0.1, 0.25, 0.5), repairs="memorised_noise")
def dropout(subject: "Subject", strength: float) -> "Subject":
    """Switch random hidden units off while training, so that none is relied upon alone.

    Srivastava et al. (2014, JMLR 15). Of the units that are kept so far this share is dropped too. Data stay; a network without dropout
    gets it before its last layer.
    """
    recipe = _recipe(subject)
    if strength == 0.0:
        return subject
    before = _dropout_of(subject, recipe)
    rate = 1.0 - (1.0 - before) * (1.0 - strength)
    return subject.retrained(recipe=replace(recipe, dropout=rate))


@mitigation(targets=OVERFITTING, strengths=(0.5, 1.0, 2.0), repairs="tiny_training_set")
def augmentation(subject: "Subject", strength: float) -> "Subject":
    """Change training rows a little and at random in every epoch, in ways that leave their target true.

    Images are turned by up to 15 degrees, moved by a tenth of their sides and scaled by a tenth (times the strength), a tenth of a
    table's cells take the value of another row (Bahri et al. 2022, SCARF) and its numbers get noise of a tenth of their spread; other arrays get noise
    and are mixed (Zhang et al. 2018, mixup). Whether a turned row still has its target is for its user to say: digits do, arrows may not.
    Comes after what the recipe already does. The rows themselves and the architecture stay.
    """
    recipe = _recipe(subject)
    if strength == 0.0:
        return subject
    changes = (*recipe.augmentation, *_changes(subject, strength))
    return subject.retrained(recipe=replace(recipe, augmentation=changes))


@mitigation(targets=OVERFITTING, strengths=(0.5, 0.75, 0.875), repairs="oversize_model")
def fewer_parameters(subject: "Subject", strength: float) -> "Subject":
    """Make the hidden layers of the network narrower.

    Geman, Bienenstock & Doursat (1992, Neural Computation 4): a smaller network strays less from one training to the next.
    The strength is the share of the width that goes. Data and recipe stay.
    """
    if strength == 0.0:
        return subject
    from roadworthy.subject.capacity import scaled

    return subject.retrained(network=scaled(_network(subject), 1.0 - strength))


@mitigation(targets=OVERFITTING, strengths=(1.0, 2.0), repairs="oversize_model")
def fewer_layers(subject: "Subject", strength: float) -> "Subject":
    """Take hidden layers out of the network, the last ones first.

    Only layers that give back the shape they take, or where the architecture has an argument `depth`. The strength is
    their number. Data and recipe stay.
    """
    if strength == 0.0:
        return subject
    from roadworthy.subject.capacity import shallower

    return subject.retrained(network=shallower(_network(subject), round(strength)))


@mitigation(targets=UNDERFITTING, strengths=(1.0, 3.0, 7.0), repairs="underfit_model")
def longer_training(subject: "Subject", strength: float) -> "Subject":
    """Train for more epochs, and wait longer for a better one.

    Hoffer, Hubara & Soudry (2017, NeurIPS 30). The strength is the number of further trainings' worth of epochs: 1 is twice as many. Data and
    architecture stay.
    """
    recipe = _recipe(subject)
    if strength == 0.0:
        return subject
    times = 1.0 + strength
    patience = None if recipe.patience is None else round(recipe.patience * times)
    epochs = round(recipe.epochs * times)
    return subject.retrained(recipe=replace(recipe, epochs=epochs, patience=patience))


@mitigation(targets=UNDERFITTING, strengths=(1.0, 3.0), repairs="underfit_model")
def more_parameters(subject: "Subject", strength: float) -> "Subject":
    """Make the hidden layers of the network wider.

    Belkin et al. (2019, PNAS 116): more width seldom harms. The strength is the width that is added, in times the present
    one. Data and recipe stay.
    """
    if strength == 0.0:
        return subject
    from roadworthy.subject.capacity import scaled

    return subject.retrained(network=scaled(_network(subject), 1.0 + strength))


def _recipe(subject: "Subject") -> "Recipe":
    if subject.recipe is None:
        raise NotApplicable(
            "the model cannot be trained again, as its recipe is not known; give a Recipe in a subject.py"
        )
    return subject.recipe


def _network(subject: "Subject") -> "Network":
    if subject.network is None:
        raise NotApplicable(
            "the architecture is not known; give it as a Python factory (--model module:function)"
        )
    _recipe(subject)
    return subject.network


def _dropout_of(subject: "Subject", recipe: "Recipe") -> float:
    """Return the rate that holds now: of the recipe, else the largest of the network's own."""
    if recipe.dropout is not None or subject.network is None:
        return recipe.dropout or 0.0
    from torch import nn

    kinds = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
    rates = [m.p for m in subject.network.build().modules() if isinstance(m, kinds)]
    return max(rates, default=0.0)


def _changes(subject: "Subject", strength: float) -> "tuple[Augmentation, ...]":
    from roadworthy.subject import Augmentation

    if subject.modality == "table":
        return Augmentation("mask", 0.1 * strength), Augmentation("jitter", 0.1 * strength)
    if subject.modality != "array":
        raise NotApplicable(
            f"no changes are known that leave inputs of the kind {subject.modality!r} true"
        )
    inputs = subject.splits["train"].inputs
    if inputs is not None and _is_image(inputs):
        return (
            Augmentation("rotation", FULL_TURN * strength),
            Augmentation("shift", FULL_SHIFT * strength),
            Augmentation("scaling", FULL_SCALING * strength),
        )
    return Augmentation("noise", 0.1 * strength), Augmentation("mixup", 0.2 * strength)


def _is_image(inputs: np.ndarray) -> bool:
    """Whether rows are (height, width), with or without channels, first or last."""
    size = inputs.shape[1:]
    if len(size) not in (2, 3):
        return False
    sides = sorted(size)[-2:]
    return sides[0] >= LEAST_SIDE
