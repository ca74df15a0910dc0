"""What the network makes of a row before its last layer."""

from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import artifact
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from torch import Tensor, nn

    from roadworthy.subject import Predictor


@artifact(per="split", shape="n f", rows=True, cost="forward")
def embeddings(predictor: "Predictor", inputs: np.ndarray) -> np.ndarray:
    """Penultimate representation: what the last linear layer of the network is given, (n, f) float32.

    Needs the network itself: a black box or a network without a linear layer has none that is known.
    """
    import torch

    module = predictor.module
    if module is None:
        raise NotApplicable(
            "the model is a black box, so what it computes inside cannot be seen; give its architecture as a "
            "Python factory (--model module:function)"
        )
    last = [m for m in module.modules() if isinstance(m, torch.nn.Linear)]
    if not last:
        raise NotApplicable("the network has no linear layer whose inputs could be looked at")
    seen: list[Tensor] = []

    def look(_: "nn.Module", given: "tuple[Tensor, ...]") -> None:
        seen.append(given[0].detach().float().flatten(1).cpu())

    hook = last[-1].register_forward_pre_hook(look)
    try:
        predictor(inputs)
    finally:
        hook.remove()
    found = torch.cat(seen).numpy()
    if len(found) != len(inputs):
        raise NotApplicable(
            "the last linear layer is not called once for each row, so no row has one representation"
        )
    return found
