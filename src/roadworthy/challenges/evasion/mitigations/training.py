"""Training on inputs that were moved: by an adversary, by noise, by the corruptions of the world."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from roadworthy.challenges.evasion.mitigations.trained import recipe_of
from roadworthy.engine import mitigation, sham
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Recipe, Subject

TARGETS = ("adversarial_error", "adversarial_l2_error")
STRENGTHS = (0.5, 1.0, 1.5)
FAULT = "brittle_feature"
CORRUPTIONS = ("corruption_loss", "worst_corruption_loss")

Threat = Mapping[str, object]
Method = Literal["pgd", "trades", "fast", "free"]


@mitigation(targets=TARGETS, strengths=STRENGTHS, sham="training_on_random_moves", repairs=FAULT)
def adversarial_training(subject: "Subject", strength: float, attack_threat: Threat) -> "Subject":
    """Train on the worst inputs that an adversary finds near each row, anew at every step.

    Madry et al. (2018, ICLR, "Towards deep learning models resistant to adversarial attacks", section 3), 7 steps. The strength is the
    size that is trained against, in parts of the size that the model is audited against. The epoch that withstands most is kept (Rice, Wong &
    Kolter 2020). Three times the epochs, each about eight times as dear; plain accuracy mostly falls. Data and architecture stay.
    """
    return _hardened(subject, strength, attack_threat, "pgd")


@mitigation(targets=TARGETS, strengths=STRENGTHS, sham="trades_on_random_moves", repairs=FAULT)
def trades(subject: "Subject", strength: float, attack_threat: Threat) -> "Subject":
    """Train to answer right, and the same all around each row.

    Zhang et al. (2019, ICML, "Theoretically principled trade-off between robustness and accuracy", equation 5), beta 6, 7 steps. The strength
    is the size that is trained against, in parts of the audited one. Data and architecture stay.
    """
    return _hardened(subject, strength, attack_threat, "trades")


@mitigation(targets=TARGETS, strengths=STRENGTHS, sham="training_on_random_moves", repairs=FAULT)
def fast_adversarial_training(
    subject: "Subject", strength: float, attack_threat: Threat
) -> "Subject":
    """Train on inputs that one step from a random start leads to: about twice the cost of training.

    Wong, Rice & Kolter (2020, ICLR, "Fast is better than free"). One step can be learnt without learning to withstand several (catastrophic
    overfitting): each epoch is judged by ten steps, the best by these is kept, and a later one that lost what was learnt is told. The strength is the size, in parts of the audited one.
    """
    return _hardened(subject, strength, attack_threat, "fast")


@mitigation(targets=TARGETS, strengths=STRENGTHS, sham="replays_of_random_moves", repairs=FAULT)
def free_adversarial_training(
    subject: "Subject", strength: float, attack_threat: Threat
) -> "Subject":
    """Train on each batch several times over, weights and inputs moved by the same gradient.

    Shafahi et al. (2019, NeurIPS, "Adversarial training for free!"), 4 times, over a quarter of the epochs: about the price of plain training.
    The strength is the size, in parts of the audited one.
    """
    return _hardened(subject, strength, attack_threat, "free")


@mitigation(
    targets=("adversarial_l2_error", "adversarial_error"), strengths=(0.05, 0.1, 0.2), repairs=FAULT
)
def noise_training(
    subject: "Subject", strength: float, input_range: tuple[float, float]
) -> "Subject":
    """Train on rows with Gaussian noise of one size on every value.

    Cohen, Rosenfeld & Kolter (2019, ICML, "Certified adversarial robustness via randomized smoothing", section 3): what such a network answers
    under the same noise can be certified. The strength is the deviation in parts of the range of inputs.
    """
    if strength == 0.0:
        return subject
    from roadworthy.subject import Augmentation

    low, high = input_range
    added = Augmentation("gaussian", strength * (high - low))
    return _augmented(subject, added)


@mitigation(targets=CORRUPTIONS, strengths=(1.0, 3.0, 5.0), repairs="brittle_to_noise")
def corruption_training(
    subject: "Subject", strength: float, input_range: tuple[float, float]
) -> "Subject":
    """Train on rows that are noisy, blurred, faded, shifted: each batch in a few ways, by chance.

    After Hendrycks & Dietterich (2019, ICLR), but with every second kind of the suite alone, so that the others show what was learnt beyond
    those kinds. The strength is the greatest severity, 1 to 5.
    """
    del input_range  # without one the checks say nothing, so nothing is to be repaired
    if strength == 0.0:
        return subject
    from roadworthy.subject import Augmentation

    return _augmented(subject, Augmentation("corruption", strength))


@mitigation(
    targets=TARGETS,
    strengths=(5.0, 20.0, 40.0),
    sham="longer_and_faster_training",
    repairs=FAULT,
)
def defensive_distillation(subject: "Subject", strength: float) -> "Subject":
    """Train a second network on the probabilities of a first one, both at a high temperature.

    Papernot et al. (2016, IEEE S&P, "Distillation as a defense to adversarial perturbations"). Here to be measured: it makes logits large, so that
    gradients vanish in float32, and stops attacks that follow the gradient of cross-entropy but no other (Carlini & Wagner 2017). `masked_gradients`
    then counts the rows that it hides, and no robust accuracy passes. The strength is the temperature.
    """
    recipe = recipe_of(subject)
    if strength == 0.0:
        return subject
    if not subject.task.is_classification:
        raise NotApplicable("the target is a number, so there are no probabilities to learn from")
    return subject.retrained(recipe=_until_logits_are_large(replace(recipe, distillation=strength)))


@sham()
def longer_and_faster_training(subject: "Subject", strength: float) -> "Subject":
    """Train on the labels for as many epochs, in steps as long."""
    recipe = recipe_of(subject)
    return subject if strength == 0.0 else subject.retrained(recipe=_until_logits_are_large(recipe))


@sham()
def training_on_random_moves(
    subject: "Subject", strength: float, attack_threat: Threat
) -> "Subject":
    """Train on inputs moved as far, but anywhere."""
    return _hardened(subject, strength, attack_threat, "pgd", random=True)


@sham()
def trades_on_random_moves(subject: "Subject", strength: float, attack_threat: Threat) -> "Subject":
    """Train to answer the same at a random point around each row."""
    return _hardened(subject, strength, attack_threat, "trades", random=True)


@sham()
def replays_of_random_moves(
    subject: "Subject", strength: float, attack_threat: Threat
) -> "Subject":
    """Train on each batch several times over, inputs moved at random."""
    return _hardened(subject, strength, attack_threat, "free", random=True)


LONGER = 3  # times the epochs: what is moved at every step takes longer to learn (Madry et al. 2018, section 4)
FASTER = 3  # steps of the second network, whose logits must become large
STEPS: Mapping[Method, int] = {"pgd": 7, "trades": 7, "fast": 1, "free": 4}


def _hardened(
    subject: "Subject", strength: float, threat: Threat, method: Method, *, random: bool = False
) -> "Subject":
    from roadworthy.subject import AdversarialTraining

    recipe = recipe_of(subject)
    if strength == 0.0:
        return subject
    given: Any = threat  # Any: numbers and the name of a norm, by name
    steps = STEPS[method]
    plan = AdversarialTraining(
        method,
        strength * given["eps"],
        given["low"],
        given["high"],
        norm=given["norm"],
        steps=steps,
        random=random,
    )
    epochs = recipe.epochs * LONGER
    if method == "free":
        epochs = max(1, -(-epochs // steps))
    return subject.retrained(recipe=_longer(replace(recipe, adversarial=plan), epochs))


def _until_logits_are_large(recipe: "Recipe") -> "Recipe":
    """Train with more and longer steps: logits have to grow as many times larger as the temperature is high."""
    faster = replace(recipe, learning_rate=FASTER * recipe.learning_rate)
    return _longer(faster, LONGER * recipe.epochs)


def _longer(recipe: "Recipe", epochs: int) -> "Recipe":
    """Return the recipe with so many epochs, and a patience that has grown with them."""
    patience = recipe.patience and -(-recipe.patience * epochs // recipe.epochs)
    return replace(recipe, epochs=epochs, patience=patience)


def _augmented(subject: "Subject", added: Any) -> "Subject":  # Any: Augmentation
    recipe = recipe_of(subject)
    return subject.retrained(recipe=replace(recipe, augmentation=(*recipe.augmentation, added)))
