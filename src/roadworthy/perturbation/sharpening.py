"""The module of a network that is shown fine detail alone. Apart because importing it imports torch."""

from torch import Tensor, nn
from torch.nn import functional


class Sharpening(nn.Module):
    """A module that is given what distinguishes pixels from their neighbours, taken `times` times over.

    Parameters
    ----------
    module : nn.Module
    times : int
    """

    def __init__(self, module: nn.Module, times: int) -> None:
        super().__init__()
        self.module = module
        self.times = times

    def prepare(self, inputs: Tensor) -> None:
        """Let the module fit its preprocessing, where it has any."""
        if hasattr(self.module, "prepare"):
            self.module.prepare(self._sharpened(inputs))  # type: ignore[operator]  # a hook, see Network

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what the module gives for sharpened inputs."""
        return self.module(self._sharpened(inputs))

    def _sharpened(self, inputs: Tensor) -> Tensor:
        h, w = inputs.shape[-2:]
        images = inputs.reshape(len(inputs), -1, h, w)
        for _ in range(self.times):
            padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
            images = images - functional.avg_pool2d(padded, 3, stride=1)
        return images.reshape(inputs.shape)
