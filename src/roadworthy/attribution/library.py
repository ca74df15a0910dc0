"""The methods by name, and which of them fit a network."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from roadworthy.attribution.gradients import (
    GradientShap,
    InputGradient,
    IntegratedGradients,
    Saliency,
    SmoothGradient,
)
from roadworthy.attribution.layers import AttentionRollout, GradCam
from roadworthy.attribution.method import Attributed, Method, Reference
from roadworthy.attribution.removal import KernelShap, Occlusion
from roadworthy.attribution.rescale import DeepLift
from roadworthy.errors import NotApplicable, is_lack_of_memory
from roadworthy.perturbation.attack import Points
from roadworthy.perturbation.model import AttackedModel


@dataclass(frozen=True)
class Chance:
    """Random numbers, drawn for each row: what an explanation must be better than."""

    name: str = "chance"

    def __call__(self, model: AttackedModel, points: Points, reference: Reference) -> Attributed:
        """See `Method`."""
        drawn = points.noise.normal(tuple(points.inputs.shape[1:]), "attributions of chance")
        return Attributed(torch.from_numpy(drawn))


METHODS: Mapping[str, Method] = {
    "deeplift": DeepLift(),
    "integrated_gradients": IntegratedGradients(),
    "input_gradient": InputGradient(),
    "saliency": Saliency(),
    "smooth_gradient": SmoothGradient(),
    "gradient_shap": GradientShap(),
    "occlusion": Occlusion(),
    "kernel_shap": KernelShap(),
    "grad_cam": GradCam(),
    "attention_rollout": AttentionRollout(),
    "chance": Chance(),
}
"""Every method, the ones to be preferred first; chance is the control of the others."""
CONTROL = "chance"
BLIND = frozenset(("occlusion", "kernel_shap", CONTROL))
"""Methods that need no gradients."""
EXACT = frozenset(("deeplift",))
"""Methods whose sums are exact for every row, but for rounding: where they are not, a step was missed."""
MISSED = 0.05  # share of the difference of scores
BROKEN = "it breaks on this model"
"""How the reason begins where a method raised an error of its own: no property of the model, as other reasons are."""
NO_ROOM = "memory does not suffice for it, not even row by row"


def unfit(name: str, model: AttackedModel, points: Points, reference: Reference) -> str:
    """Say why a method does not fit a network, tried on these few rows; empty where it does.

    Parameters
    ----------
    name : str
        A key of `METHODS`.
    model : AttackedModel
    points : Points
    reference : Reference

    Notes
    -----
    A method that breaks on a network that answers does not fit it; the others may: where memory does not suffice for
    gradients, those that ask for answers alone do.
    """
    try:
        if name not in BLIND and not model.has_gradients(points.inputs):
            return "the model has no gradients by its inputs"
    except (MemoryError, RuntimeError) as error:
        if not is_lack_of_memory(error):
            raise
        return f"{BROKEN}: {NO_ROOM}"
    try:
        found = METHODS[name](model, points, reference)
    except NotApplicable as reason:
        return str(reason)
    # The user's own forward, watched from inside: it answers, so it is no error of it.
    except Exception as error:  # noqa: BLE001
        said = f"{type(error).__name__}: {error}"
        return f"{BROKEN}: {NO_ROOM if is_lack_of_memory(error) else said}"
    if not bool(found.values.isfinite().all()):
        return "a value is missing, or a slope is not finite, and what is multiplied by it means nothing"
    if name in EXACT and float(found.incompleteness().max()) > MISSED:
        return (
            "the differences that are handed back do not sum to that of the scores, so a step is hidden from it (a code that is "
            "looked up, a value that is cut off from its gradient)"
        )
    return ""
