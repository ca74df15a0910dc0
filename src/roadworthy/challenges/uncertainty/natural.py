"""Published models whose stated confidence is known to be wrong."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import natural_fault
from roadworthy.subject.natural import Natural
from roadworthy.subject.subject import Split, Subject
from roadworthy.subject.task import Task

if TYPE_CHECKING:
    from torch import Tensor

CIFAR_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
NORM_PARTS = ("running_mean", "running_var", "weight", "bias")
ROWS = 2_000  # of 10,000: a few seconds on one core


@natural_fault(breaks="calibration_error", data="tab_compas/compas_two_years.parquet")
def compas_deciles_read_as_probabilities(folder: Path) -> Natural:
    """Read the COMPAS decile as tenths of a chance to reoffend within two years, as courts were tempted to."""
    import pyarrow.parquet as pq

    path = folder / "tab_compas" / "compas_two_years.parquet"
    table = pq.read_table(path, columns=["decile_score", "two_year_recid"])
    chance = table["decile_score"].to_numpy().astype(np.float64) / 10.0
    labels = table["two_year_recid"].to_numpy().astype(np.int64)
    recorded = {"probabilities": np.stack([1.0 - chance, chance], axis=1)}
    return Natural(
        subject=Subject(
            name="COMPAS deciles",
            task=Task("binary", ("no", "yes"), 1),
            modality="predictions",
            splits={"test": Split(None, labels, recorded=recorded)},
            people=True,
        ),
        verdict=frozenset({"fail"}),
        where="deciles are ranks within a norm group, no chances: of decile 1 some 21 % reoffend, of decile 10 77 %",
        source="Larson, Mattu, Kirchner & Angwin (2016), ProPublica; Northpointe (2015), Practitioner's Guide",
    )


@natural_fault(breaks="calibration_error", data="model_cifar10_resnets/resnet20.safetensors")
def published_resnet_on_compressed_images(folder: Path) -> Natural:
    """Show a published ResNet-20 JPEG copies of CIFAR-10: it was trained on the lossless images."""
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "img_cifar10" / "test.parquet", columns=["jpeg", "label"])[:ROWS]
    inputs = _pixels(table["jpeg"].to_pylist())
    labels = table["label"].to_numpy().astype(np.int64)
    weights = folder / "model_cifar10_resnets" / "resnet20.safetensors"
    recorded = {"probabilities": _resnet20_probabilities(weights, inputs)}
    return Natural(
        subject=Subject(
            name="ResNet-20 on JPEG images",
            task=Task("multiclass", CIFAR_CLASSES),
            modality="predictions",
            splits={"test": Split(None, labels, recorded=recorded)},
        ),
        verdict=frozenset({"fail"}),
        where="91.7 % right on lossless images, 81.0 % on these, with nearly the same confidence",
        source="Idelbayev, pytorch_resnet_cifar10; Guo et al. (2017), ICML; Ovadia et al. (2019), NeurIPS",
    )


def _pixels(pictures: list[bytes]) -> np.ndarray:
    """Return (n, 3, 32, 32) float32 as the network expects them."""
    from PIL import Image

    raw = np.stack([np.asarray(Image.open(BytesIO(picture))) for picture in pictures]) / 255.0
    scaled = (raw - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    return scaled.astype(np.float32).transpose(0, 3, 1, 2)


def _resnet20_probabilities(path: Path, inputs: np.ndarray) -> np.ndarray:
    import torch
    from safetensors.torch import load_file

    weights = load_file(path)
    batches = torch.from_numpy(np.ascontiguousarray(inputs)).split(250)
    with torch.no_grad():
        logits = torch.cat([_resnet20(weights, batch) for batch in batches])
    return torch.softmax(logits.double(), dim=1).numpy()


def _resnet20(weights: "dict[str, Tensor]", x: "Tensor") -> "Tensor":
    """Run the CIFAR ResNet of He et al. (2016), section 4.2, three blocks per stage: (n, 10) logits."""
    from torch.nn import functional

    def normed(values: "Tensor", name: str) -> "Tensor":
        mean, variance, scale, shift = (weights[f"{name}.{part}"] for part in NORM_PARTS)
        return functional.batch_norm(values, mean, variance, scale, shift)

    x = functional.relu(normed(functional.conv2d(x, weights["conv1.weight"], padding=1), "bn1"))
    for block in (f"layer{stage}.{i}" for stage in (1, 2, 3) for i in range(3)):
        first = weights[f"{block}.conv1.weight"]
        grows = first.shape[0] != first.shape[1]
        out = functional.conv2d(x, first, stride=2 if grows else 1, padding=1)
        out = functional.relu(normed(out, f"{block}.bn1"))
        out = functional.conv2d(out, weights[f"{block}.conv2.weight"], padding=1)
        if grows:
            quarter = first.shape[0] // 4
            x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, quarter, quarter))
        x = functional.relu(normed(out, f"{block}.bn2") + x)
    return functional.linear(x.mean(dim=(2, 3)), weights["linear.weight"], weights["linear.bias"])
