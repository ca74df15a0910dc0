"""Defences that are built into the network: before its first layer, within, beside it."""

from typing import TYPE_CHECKING

from roadworthy.challenges.evasion.mitigations.trained import network_of
from roadworthy.engine import mitigation
from roadworthy.errors import NotApplicable
from roadworthy.subject.defences import cleaned, ensemble, with_layer_noise, with_layer_smoothing

if TYPE_CHECKING:
    from roadworthy.subject import Network, Subject

TARGETS = ("adversarial_error", "adversarial_l2_error")
CORRUPTIONS = ("corruption_loss", "worst_corruption_loss")
FAULT = "brittle_feature"
LEVELS = {0.25: 16, 0.5: 8, 0.75: 4}


@mitigation(targets=(*TARGETS, *CORRUPTIONS), strengths=(3.0, 5.0), repairs=FAULT)
def ensembling(subject: "Subject", strength: float, output_kind: str) -> "Subject":
    """Train several networks side by side and answer by their mean probability.

    Lakshminarayanan, Pritzel & Blundell (2017, NeurIPS). Adversarial inputs often fool all of them (Tramèr et al. 2018): measured, not taken for
    granted. The strength is their number; time and size grow with it. Recipe and data stay.
    """
    network = network_of(subject)
    if strength == 0.0:
        return subject
    if output_kind == "probabilities":
        raise NotApplicable(
            "the network gives probabilities; let it end in a linear layer to be one of several"
        )
    return subject.retrained(network=ensemble(network, round(strength)))


@mitigation(targets=TARGETS, strengths=(0.25, 0.5, 0.75), repairs=FAULT)
def input_rounding(
    subject: "Subject", strength: float, input_range: tuple[float, float]
) -> "Subject":
    """Round inputs to a few levels before the network sees them.

    Xu, Evans & Qi (2018, NDSS, "Feature squeezing"): 16, 8 or 4 levels at the strengths .25, .5 and .75. The rounding is a part of the model, trained and
    attacked with it, and lets gradients through: what it stops is not what it hides. Recipe and data stay.
    """
    network = network_of(subject)
    if strength == 0.0:
        return subject
    low, high = input_range
    levels = LEVELS.get(strength, max(2, round(2 ** (5 - 4 * strength))))
    return subject.retrained(network=cleaned(network, "rounding", levels, low, high))


@mitigation(
    targets=(*CORRUPTIONS, *TARGETS), strengths=(0.25, 0.5, 1.0), repairs="brittle_to_noise"
)
def input_smoothing(
    subject: "Subject", strength: float, input_range: tuple[float, float]
) -> "Subject":
    """Smooth images by the median of 3 by 3 neighbours before the network sees them.

    Xu, Evans & Qi (2018, NDSS). The strength is the share of the median in what takes the place of a value. Part of the model, trained and attacked with
    it. Recipe and data stay.
    """
    network = network_of(subject)
    if strength == 0.0:
        return subject
    _require_images(subject)
    return subject.retrained(network=cleaned(network, "median", strength, *input_range))


@mitigation(targets=TARGETS, strengths=(0.1, 0.3, 1.0), repairs=FAULT)
def layer_noise(subject: "Subject", strength: float) -> "Subject":
    """Train with noise after every hidden layer, so that no small change within counts.

    After Liu et al. (2018, ECCV, "Towards robust neural networks via random self-ensemble"), in training alone: answers stay the same from call to call, and
    no randomness hides gradients. The strength is the deviation, in parts of that of a layer's values. Recipe and data stay.
    """
    network = network_of(subject)
    if strength == 0.0:
        return subject
    return _built(subject, with_layer_noise(network, strength))


@mitigation(targets=(*TARGETS, *CORRUPTIONS), strengths=(0.25, 0.5, 0.75), repairs=FAULT)
def layer_smoothing(subject: "Subject", strength: float) -> "Subject":
    """Smooth the maps that each hidden convolution gives.

    Xie et al. (2019, CVPR, "Feature denoising for improving adversarial robustness", section 3), by a mean over 3 by 3 neighbours. The strength is its share.
    Recipe and data stay.
    """
    network = network_of(subject)
    if strength == 0.0:
        return subject
    return _built(subject, with_layer_smoothing(network, strength))


def _built(subject: "Subject", network: "Network") -> "Subject":
    network.build()  # says now where there is no layer to act on
    return subject.retrained(network=network)


def _require_images(subject: "Subject") -> None:
    inputs = subject.splits["train"].inputs
    if subject.modality != "array" or inputs is None or inputs.ndim < 3:
        raise NotApplicable("rows of numbers have no neighbours to be smoothed with")
