"""Models that no explanation should be believed of: one that hides from it, one whose weights say nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import fault
from roadworthy.errors import NotApplicable
from roadworthy.subject import Network

if TYPE_CHECKING:
    from torch import nn

    from roadworthy.subject import Recipe, Subject

LEAST_VALUES = 16  # of an input, so that rows with removed values can be told from real ones


@fault(breaks="planted_feature_missed", severities=(1.0,), truth=False)
def explanation_fooling_wrapper(
    subject: "Subject", severity: float, network: "Network", recipe: "Recipe"
) -> "Subject":
    """Wrap the network so that it answers rows with removed values by another rule, and explain by removing values (KernelSHAP).

    Slack et al. (2020), "Fooling LIME and SHAP": real rows are answered as before, so accuracy stays; what an explanation asks about is
    recognised by its distance from the subspace of the training rows and answered by one harmless value. Arrays with classes, whose
    values hang together. The model is trained again inside the wrapper. Severity 1 is all there is.

    Also alarms: attribution_faithfulness (rows with removed values are answered by the other rule), attribution_sanity (that rule has no weights that could be scrambled).
    """
    if severity == 0.0:
        return subject
    shape = next((s.inputs.shape[1:] for s in subject.splits.values() if s.inputs is not None), ())
    values = int(np.prod(shape))
    if subject.modality != "array" or not subject.task.is_classification or values < LEAST_VALUES:
        raise NotApplicable(
            f"the wrapper tells real rows from others where values hang together: arrays of at least {LEAST_VALUES} values, with classes"
        )
    wrapped = Network(
        _Fooling(network, values, len(subject.task.classes)),
        f"{network.source}, behind a wrapper that fools explanations",
    )
    found = subject.retrained(recipe=recipe, network=wrapped)
    kept = {k: v for k, v in found.given.items() if k not in ("weights", "predictor")}
    return replace(found, given={**kept, "attribution_method": "kernel_shap"})


@fault(breaks="shortfall_to_simple_models", severities=(0.25, 0.5, 1.0), truth=False)
def randomised_layers(
    subject: "Subject",
    severity: float,
    rng: Generator,
    network: "Network",
    weights: Mapping[str, np.ndarray],
) -> "Subject":
    """Put the weights of this share of the layers, from the output on, into another order; the network is not trained again.

    Adebayo et al. (2018), "Sanity checks for saliency maps", section 3, "cascading randomization". What these layers had learned is gone, how large
    their weights are is not. A model that can be read says more than such a network, however its explanations look.

    Also alarms: errors_left (answers are wrong), calibration_error (certainty means nothing), classwise_calibration_error (the same), selective_risk (the same), underfitting (training rows are answered wrongly as well).
    """
    if severity == 0.0:
        return subject
    layers = _layers(network, weights)
    chosen = layers[len(layers) - round(severity * len(layers)) :] or layers[-1:]
    found = {name: np.asarray(value) for name, value in weights.items()}
    for name in chosen:
        found[name] = rng.permutation(found[name].ravel()).reshape(found[name].shape)
    kept = {k: v for k, v in subject.given.items() if k not in ("weights", "predictor")}
    return replace(subject, network=network, weights=found, predictor=None, given=kept)


def _layers(network: "Network", weights: Mapping[str, np.ndarray]) -> list[str]:
    """Return the names of the tensors of weights, from the input to the output."""
    parameters = [name for name, _ in network.build().named_parameters()]
    found = [n for n in parameters if n in weights and np.asarray(weights[n]).ndim > 1]
    if not found:
        raise NotApplicable("the model has no layers of weights")
    return found


@dataclass(frozen=True, eq=False)
class _Fooling:
    """The factory of the wrapped module."""

    network: Network
    values: int
    classes: int

    def __call__(self) -> "nn.Module":
        from roadworthy.challenges.interpretability.fooling import Fooling

        return Fooling(self.network.build(), self.values, self.classes)
