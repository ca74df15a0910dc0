"""The default networks for arrays: a small convolutional one for images, a small dense one for the rest."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from roadworthy.training.encodings import TargetScale

CHANNELS = (1, 2, 3, 4)  # a last dimension of this size, and no such first one, are colours


@dataclass(frozen=True)
class ArrayShape:
    """What the network must know of the arrays before it sees them.

    Parameters
    ----------
    size : tuple of int
        Of one row: (length,), (height, width), (channels, height, width) or (height, width,
        channels).
    classes : int
        0 for a numeric target.
    """

    size: tuple[int, ...]
    classes: int

    @property
    def is_image(self) -> bool:
        """Whether rows have two dimensions that are large enough to convolve over."""
        return len(self.size) in (2, 3) and min(self.pixels) >= 4

    @property
    def has_channels_last(self) -> bool:
        """Whether rows are (height, width, channels)."""
        return len(self.size) == 3 and self.size[2] in CHANNELS and self.size[0] not in CHANNELS

    @property
    def channels(self) -> int:
        """Number of colours."""
        if len(self.size) < 3:
            return 1
        return self.size[2] if self.has_channels_last else self.size[0]

    @property
    def pixels(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.size[:2] if self.has_channels_last else self.size[-2:]
        return height, width


class Standardisation(nn.Module):
    """Values to mean 0 and spread 1 over the training rows; missing ones to 0.

    The mean is taken over dimension 0 and those in `also`.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, size: tuple[int, ...], also: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.over = (0, *also)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))

    def prepare(self, inputs: Tensor) -> None:
        """Fit mean and spread to the training rows."""
        present = inputs.isfinite()
        count = present.sum(self.over, keepdim=True).clamp_min(1)
        mean = inputs.where(present, 0).sum(self.over, keepdim=True) / count
        squares = (inputs - mean).where(present, 0).square()
        variance = squares.sum(self.over, keepdim=True) / count
        # A tenth of the typical spread is added, so that nearly constant pixels are not blown up.
        scale = (variance + 0.01 * variance.mean()).sqrt()
        self.mean.copy_(mean[0])
        self.scale.copy_(scale.where(scale > 0, 1)[0])

    def forward(self, inputs: Tensor) -> Tensor:
        """Standardise: any shape to the same shape."""
        z = (inputs - self.mean) / self.scale
        return torch.where(inputs.isfinite(), z, 0)


class ImageNetwork(nn.Module):
    """Convolutions of 3 x 3 with batch normalisation, halved until at most 4 pixels are left.

    Logits (n, classes) or numbers (n,) in the unit of the target.
    """

    def __init__(self, shape: ArrayShape, *, width: int = 16, dropout: float = 0.1) -> None:
        super().__init__()
        self.shape = shape
        self.standardisation = Standardisation((shape.channels, 1, 1), also=(2, 3))
        layers: list[nn.Module] = [*_convolution(shape.channels, width)]
        height, width_left = shape.pixels
        while min(height, width_left) > 4 and width < 128:
            layers += [*_convolution(width, 2 * width), nn.MaxPool2d(2)]
            height, width_left, width = height // 2, width_left // 2, 2 * width
        layers += _convolution(width, 2 * width)
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(2 * width * 4, max(shape.classes, 1)),
        )
        self.target = TargetScale()

    def prepare(self, inputs: Tensor) -> None:
        """Fit the standardisation of each colour to the training rows."""
        self.standardisation.prepare(self._channels_first(inputs))

    def prepare_target(self, target: Tensor) -> None:
        """Take centre and spread of a numeric target."""
        self.target.prepare(target)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits or numbers for raw images."""
        standard = self.standardisation(self._channels_first(inputs))
        outputs = self.head(self.convolutions(standard))
        return outputs if self.shape.classes else self.target(outputs[:, 0])

    def _channels_first(self, inputs: Tensor) -> Tensor:
        if inputs.ndim == 3:
            return inputs[:, None]
        return inputs.permute(0, 3, 1, 2) if self.shape.has_channels_last else inputs


class DenseNetwork(nn.Module):
    """Two hidden layers with batch normalisation over the flattened array.

    Logits (n, classes) or numbers (n,) in the unit of the target.
    """

    def __init__(self, shape: ArrayShape, *, width: int = 128, dropout: float = 0.1) -> None:
        super().__init__()
        self.shape = shape
        self.standardisation = Standardisation(shape.size)
        length = 1
        for size in shape.size:
            length *= size
        self.layers = nn.Sequential(
            nn.Flatten(),
            *_dense(length, width, dropout),
            *_dense(width, width, dropout),
            nn.Linear(width, max(shape.classes, 1)),
        )
        self.target = TargetScale()

    def prepare(self, inputs: Tensor) -> None:
        """Fit the standardisation to the training rows."""
        self.standardisation.prepare(inputs)

    def prepare_target(self, target: Tensor) -> None:
        """Take centre and spread of a numeric target."""
        self.target.prepare(target)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits or numbers for raw arrays."""
        outputs = self.layers(self.standardisation(inputs))
        return outputs if self.shape.classes else self.target(outputs[:, 0])


def _convolution(channels: int, width: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(channels, width, 3, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(width), nn.ReLU()


def _dense(length: int, width: int, dropout: float) -> tuple[nn.Module, ...]:
    linear = nn.Linear(length, width, bias=False)
    return linear, nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout)
