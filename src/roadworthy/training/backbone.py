"""The part of any module before its last linear layer: what pretraining trains."""

from typing import TYPE_CHECKING, Any, NamedTuple

from roadworthy.errors import UserError
from roadworthy.training.running import forward

if TYPE_CHECKING:
    from torch import Tensor, nn


class _Call(NamedTuple):
    before: "Tensor"
    after: "Tensor"


class Backbone:
    """A module as a function from inputs to what its last linear layer sees, (n, width).

    Found by looking at the calls of linear layers: the last one of a run is taken for the head where it gives
    as many numbers as the module does. Otherwise (the head is no linear layer, as in the default network for
    tables) it belongs to the backbone, and what it gives is returned.
    """

    def __init__(self, module: "nn.Module") -> None:
        from torch import nn

        self.module = module
        self._last: _Call | None = None
        self._hooks = [
            layer.register_forward_hook(self._see)
            for layer in module.modules()
            if isinstance(layer, nn.Linear)
        ]

    def __call__(self, batch: "Tensor") -> "Tensor":
        """Return the representation of each row.

        Raises
        ------
        UserError
            Where no linear layer runs.
        """
        self._last = None
        outputs = forward(self.module, batch)
        if self._last is None:
            raise UserError(
                f"The model ({type(self.module).__name__}) ran without a linear layer (torch.nn.Linear), so "
                "pretraining can not tell its head from the rest. Let it end in a linear layer, or "
                "take `pretraining` out of the recipe."
            )
        head = self._last.after.numel() == outputs.numel()
        return (self._last.before if head else self._last.after).reshape(len(batch), -1)

    def width(self, batch: "Tensor") -> int:
        """Return the size of the representation; refuse a module that has nothing to train before its head."""
        import torch

        was_training = self.module.training
        self.module.eval()
        with torch.enable_grad():
            found = self(batch)
        self.module.train(was_training)
        if not found.requires_grad:
            raise UserError(
                f"The model ({type(self.module).__name__}) has nothing to train before its last linear layer, "
                "so there is nothing to pretrain. Give a network with a hidden layer, or take `pretraining` "
                "out of the recipe."
            )
        return found.shape[1]

    def release(self) -> None:
        """Leave the module as it was found."""
        for hook in self._hooks:
            hook.remove()

    def _see(
        self, layer: "nn.Module", inputs: tuple[Any, ...], outputs: "Tensor"
    ) -> None:  # Any: hook's
        self._last = _Call(inputs[0], outputs)
