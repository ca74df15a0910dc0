"""Architectures of the built-in subjects. Apart because importing it imports torch."""

import torch
from torch import nn


class SmallConvNet(nn.Module):
    """Two convolutions and a linear layer for grey images of 8 by 8 pixels."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.head = nn.Linear(32 * 2 * 2, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits (n, c) of images (n, 1, 8, 8) with values in 0..1."""
        return self.head(self.features(images).flatten(1))
