"""Networks and rows that attacks are compared on: each a cell of network, norm and size, trained once and kept."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from roadworthy.subject import (
    AdversarialTraining,
    Network,
    Recipe,
    Split,
    Subject,
    Task,
    builtin_subject,
)
from roadworthy.subject.builtin import small_conv_net
from roadworthy.training.jobs import Examples, Job
from roadworthy.training.single import trained

Norm = Literal["linf", "l2"]
TWO = Task("binary", ("up to 50K", "above 50K"))
TEN = Task("multiclass", tuple(map(str, range(10))))


NUMBERS = ("age", "education_num", "capital_gain", "capital_loss", "hours_per_week")
SPREADS = 5.0  # on each side of the mean; what lies beyond is cut
ADULT_EPS = 0.25 / (2 * SPREADS)  # a quarter of a standard deviation of each column


@dataclass(frozen=True)
class Cell:
    """Rows of one network under one threat."""

    name: str
    network: str
    norm: Norm
    eps: float
    rows: int


CELLS = (
    Cell("digits, plain", "digits", "linf", 0.1, 200),
    Cell("digits, hardened", "digits_hardened", "linf", 0.15, 200),
    Cell("digits, hardened", "digits_hardened", "l2", 0.8, 200),
    Cell("digits, logits x 200", "digits_sharp", "linf", 0.1, 100),
    Cell("digits, hard rounding", "digits_rounded", "linf", 0.1, 100),
    Cell("digits, distilled", "digits_distilled", "linf", 0.1, 100),
    Cell("MNIST, plain", "mnist", "linf", 0.1, 100),
    Cell("MNIST, hardened", "mnist_hardened", "linf", 0.25, 100),
    Cell("Adult, MLP on numbers", "adult", "linf", ADULT_EPS, 200),
    Cell("CIFAR-10, ResNet-20", "cifar", "linf", 0.5 / 255, 100),
)


class MnistNet(nn.Module):
    """Two convolutions and a linear layer for 28 by 28 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(16, 32, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 49, 10),
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return what comes out: logits, or the maps of a block."""
        return self.layers(inputs)


class AdultNet(nn.Module):
    """Two hidden layers on numbers, each a channel of one pixel: other tools attack arrays of that shape alone."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(len(NUMBERS), 64),
            nn.ReLU(),
            nn.Linear(64, 64),
            nn.ReLU(),
            nn.Linear(64, 2),
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return what comes out: logits, or the maps of a block."""
        return self.layers(2 * SPREADS * (inputs - 0.5))


class Sharpened(nn.Module):
    """Logits so large that the softmax of float32 is exactly 0 or 1."""

    def __init__(self) -> None:
        super().__init__()
        self.module = small_conv_net()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return what comes out: logits, or the maps of a block."""
        return 200 * self.module(inputs)


class Rounded(nn.Module):
    """Inputs rounded to 16 levels: the gradient is exactly 0."""

    def __init__(self) -> None:
        super().__init__()
        self.module = small_conv_net()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return what comes out: logits, or the maps of a block."""
        return self.module((inputs * 16).round() / 16)


class _Block(nn.Module):
    def __init__(self, given: int, kept: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(given, kept, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(kept)
        self.conv2 = nn.Conv2d(kept, kept, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(kept)
        self.added = kept - given

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return what comes out: logits, or the maps of a block."""
        found = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(inputs)))))
        if self.added:
            half = self.added // 2
            inputs = functional.pad(inputs[:, :, ::2, ::2], (0, 0, 0, 0, half, half))
        return functional.relu(found + inputs)


class CifarResNet(nn.Module):
    """ResNet for CIFAR-10 (He et al. 2016, section 4.2, shortcuts of option A); colours from 0 to 1."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, blocks: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._stage(16, 16, 1, blocks)
        self.layer2 = self._stage(16, 32, 2, blocks)
        self.layer3 = self._stage(32, 64, 2, blocks)
        self.linear = nn.Linear(64, 10)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    @staticmethod
    def _stage(given: int, kept: int, stride: int, blocks: int) -> nn.Sequential:
        first = _Block(given, kept, stride)
        return nn.Sequential(first, *(_Block(kept, kept, 1) for _ in range(blocks - 1)))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return what comes out: logits, or the maps of a block."""
        found = functional.relu(self.bn1(self.conv1((inputs - self.mean) / self.deviation)))
        found = self.layer3(self.layer2(self.layer1(found)))
        return self.linear(found.mean(dim=(2, 3)))


def subject_of(cell: Cell, data: Path, cache: Path) -> Subject:
    """Return network, weights and the rows of a cell: the first ones of the test split."""
    subject = _SUBJECTS[cell.network](data, cache)
    return subject.with_split("test", subject.splits["test"].take(np.arange(cell.rows)))


def _kept(
    name: str, cache: Path, make: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file, save_file

    file = cache / f"{name}.safetensors"
    if not file.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        save_file(make(), file)
    return load_file(file)


def _digits(cache: Path, *, hardened: bool) -> Subject:
    subject = builtin_subject("digits")
    assert subject.recipe is not None
    recipe = replace(subject.recipe, epochs=30, label_smoothing=0.0)
    if hardened:
        recipe = replace(recipe, epochs=40, adversarial=AdversarialTraining("pgd", 0.15, 0.0, 1.0))
    return _trained(subject, recipe, f"digits{'_hardened' * hardened}", cache)


def _distilled(cache: Path) -> Subject:
    """Return the network of digits after defensive distillation at temperature 100."""
    subject = builtin_subject("digits")
    assert subject.recipe is not None
    recipe = replace(
        subject.recipe, epochs=80, learning_rate=8e-3, label_smoothing=0.0, distillation=100.0
    )
    return _trained(subject, recipe, "digits_distilled", cache)


def _trained(subject: Subject, recipe: Recipe, name: str, cache: Path) -> Subject:
    splits = subject.splits
    examples = {
        split: Examples(splits[split].inputs, splits[split].target)
        for split in ("train", "validation")
    }
    network = subject.network
    assert network is not None
    weights = _kept(name, cache, lambda: _weights(network, recipe, examples))
    return replace(subject, weights=weights, recipe=None)


def _weights(
    network: Network, recipe: Recipe, examples: dict[str, Examples]
) -> dict[str, np.ndarray]:
    job = Job(network, recipe, examples["train"], validation=examples["validation"])
    return trained(job)


def _inside(network: Network, cache: Path) -> Subject:
    plain = _digits(cache, hardened=False)
    assert plain.weights is not None
    weights = {f"module.{name}": value for name, value in plain.weights.items()}
    return replace(plain, network=network, weights=weights)


def _mnist(data: Path, cache: Path, *, hardened: bool) -> Subject:
    held = np.load(data / "img_digits" / "mnist.npz")

    def split(which: str, rows: slice) -> Split:
        images = (held[f"x_{which}"][rows, None] / 255).astype(np.float32)
        return Split(images, held[f"y_{which}"][rows].astype(np.int64))

    subject = Subject(
        name="mnist",
        task=TEN,
        modality="array",
        splits={
            "train": split("train", slice(0, 10_000)),
            "validation": split("train", slice(10_000, 11_000)),
            "test": split("test", slice(0, 10_000)),
        },
        input_range=(0.0, 1.0),
        network=Network(MnistNet, "two convolutions"),
    )
    recipe = Recipe(epochs=6, learning_rate=2e-3, batch_size=64)
    if hardened:
        plan = AdversarialTraining("pgd", 0.25, 0.0, 1.0, steps=5)
        recipe = replace(recipe, epochs=8, adversarial=plan)
    return _trained(subject, recipe, f"mnist{'_hardened' * hardened}", cache)


def _adult(data: Path, cache: Path) -> Subject:
    """Return the numbers of Adult in standard deviations from the mean, laid out from 0 to 1."""
    import pyarrow.parquet as pq

    table = pq.read_table(
        data / "tab_adult" / "adult.parquet", columns=[*NUMBERS, "split", "label"]
    )
    values = np.stack([table[name].to_numpy().astype(np.float64) for name in NUMBERS], axis=1)
    train = table["split"].to_numpy(zero_copy_only=False) == "train"
    spread = (values - values[train].mean(0)) / values[train].std(0)
    inputs = np.clip(spread / (2 * SPREADS) + 0.5, 0, 1).astype(np.float32)[:, :, None, None]
    labels = table["label"].to_numpy().astype(np.int64)

    def split(of: np.ndarray, rows: slice) -> Split:
        return Split(inputs[of][rows], labels[of][rows])

    subject = Subject(
        name="adult",
        task=TWO,
        modality="array",
        splits={
            "train": split(train, slice(0, 20_000)),
            "validation": split(train, slice(20_000, 22_000)),
            "test": split(~train, slice(0, 10_000)),
        },
        input_range=(0.0, 1.0),
        network=Network(AdultNet, "two hidden layers"),
    )
    return _trained(subject, Recipe(epochs=4, learning_rate=2e-3, batch_size=128), "adult", cache)


def _cifar(data: Path, cache: Path) -> Subject:
    import pyarrow.parquet as pq
    from PIL import Image
    from safetensors.numpy import load_file

    del cache
    table = pq.read_table(data / "img_cifar10" / "test.parquet", columns=["jpeg", "label"])
    table = table.slice(0, 500)
    images = [np.asarray(Image.open(BytesIO(b.as_py())).convert("RGB")) for b in table["jpeg"]]
    planes = np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))
    inputs = (planes / 255).astype(np.float32)
    weights = load_file(data / "model_cifar10_resnets" / "resnet20.safetensors")
    network = Network(CifarResNet, "ResNet-20")
    constants = {n: v.numpy() for n, v in network.build().state_dict().items() if n not in weights}
    return Subject(
        name="cifar",
        task=TEN,
        modality="array",
        splits={"test": Split(inputs, table["label"].to_numpy().astype(np.int64))},
        input_range=(0.0, 1.0),
        network=network,
        weights={**weights, **constants},
    )


_SUBJECTS: dict[str, Callable[[Path, Path], Subject]] = {
    "digits": lambda _, cache: _digits(cache, hardened=False),
    "digits_hardened": lambda _, cache: _digits(cache, hardened=True),
    "digits_distilled": lambda _, cache: _distilled(cache),
    "digits_sharp": lambda _, cache: _inside(Network(Sharpened, "logits x 200"), cache),
    "digits_rounded": lambda _, cache: _inside(Network(Rounded, "hard rounding"), cache),
    "mnist": lambda data, cache: _mnist(data, cache, hardened=False),
    "mnist_hardened": lambda data, cache: _mnist(data, cache, hardened=True),
    "adult": _adult,
    "cifar": _cifar,
}
