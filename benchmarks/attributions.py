"""What attributions cost, how faithful they are, and what measuring that costs: ours beside captum and quantus.

The same rows, classes, references and networks in one run, CPU time of this process, one thread, the least of several runs:

    OMP_NUM_THREADS=1 python benchmarks/attributions.py [--data DATA] [--cell MNIST|CIFAR] [--only methods|curves] [--rows N]

captum and quantus are taken where they are installed (quantus asks for packages of its own: use another environment).
The score that is explained is the logit less the mean of all logits, there as here. Faithfulness is the gain of deletion and insertion
over random orders, the mean of both kinds of removed values; differences are paired over rows.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from evasion_cells import Cell, MnistNet, subject_of
from torch import nn
from torch.nn import functional

from roadworthy.attribution.curves import (
    Worth,
    area,
    faithfulness_curves,
    order_of,
    removal_curve,
)
from roadworthy.attribution.fillers import fillers
from roadworthy.attribution.gradients import IntegratedGradients
from roadworthy.attribution.library import CONTROL, METHODS, unfit
from roadworthy.attribution.method import Gap, Method, Reference
from roadworthy.attribution.parts import Parts
from roadworthy.perturbation.attack import Points
from roadworthy.perturbation.forward import fastest_runner
from roadworthy.perturbation.model import AttackedModel, attacked
from roadworthy.perturbation.noise import RowNoise
from roadworthy.statistics import mean
from roadworthy.training.running import load

CAPTUM_STEPS = 50  # its default
TRAINED_ON = 4_000  # digits, two epochs: enough to explain
FEW = 20  # rows, of peers that take seconds for each


class Centred(nn.Module):
    """The score of every class, for peers that explain outputs."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return logits less their mean."""
        logits = self.module(inputs)
        return logits - logits.mean(1, keepdim=True)


def mnist(data: Path, rows: int) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """Return a small network, rows to explain and rows to compare with."""
    held = np.load(data / "img_digits" / "mnist.npz")
    digits = torch.from_numpy(held["x_train"][:TRAINED_ON, None] / 255).float()
    labels = torch.from_numpy(held["y_train"][:TRAINED_ON]).long()
    torch.manual_seed(0)
    module = MnistNet()
    optimizer = torch.optim.AdamW(module.parameters(), 2e-3)
    for _ in range(2):
        for some in torch.randperm(TRAINED_ON).split(64):
            optimizer.zero_grad()
            functional.cross_entropy(module(digits[some]), labels[some]).backward()
            optimizer.step()
    return module.eval(), torch.from_numpy(held["x_test"][:rows, None] / 255).float(), digits[:200]


def cifar(data: Path, rows: int) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """Return a published ResNet-20, rows to explain and rows to compare with."""
    subject = subject_of(Cell("cifar", "cifar", "linf", 0.1, 500), data, Path())
    assert subject.network is not None
    assert subject.weights is not None
    images = torch.from_numpy(subject.splits["test"].inputs)
    return load(subject.network, subject.weights), images[:rows], images[-200:]


CELLS = {"MNIST, two convolutions": mnist, "CIFAR-10, ResNet-20": cifar}


class Grey(nn.Module):
    """A network for colours, of grey images: quantus removes single values, ours pixels with all their colours."""

    def __init__(self, module: nn.Module, channels: int) -> None:
        super().__init__()
        self.module = module
        self.channels = channels

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return logits of (n, 1, h, w)."""
        return self.module(inputs.expand(-1, self.channels, -1, -1))


def least(run: Callable[[], object], times: int = 3) -> float:
    found = float("inf")
    for _ in range(times):
        began = time.process_time()
        run()
        found = min(found, time.process_time() - began)
        if found > 5:
            break
    return found


def captum_methods(
    module: nn.Module, reference: Reference
) -> dict[str, Callable[[Points], torch.Tensor]]:
    if find_spec("captum") is None:
        return {}
    from captum import attr

    network, point = Centred(module), reference.point
    blocks = Parts.blocks(tuple(point.shape[1:]), 64).of_value.view(point.shape)
    side = max(1, round(min(point.shape[-2:]) / 7))

    def shap(points: Points) -> torch.Tensor:
        torch.manual_seed(0)
        explainer = attr.KernelShap(network)
        given = zip(points.inputs, points.labels, strict=True)
        found = torch.cat(
            [
                explainer.attribute(
                    x[None],
                    point,
                    target=int(y),
                    feature_mask=blocks,
                    n_samples=512,
                    perturbations_per_eval=128,
                )
                for x, y in given
            ]
        )
        return (
            found / blocks.flatten().bincount()[blocks]
        )  # it gives each value the worth of its whole block

    return {
        "deeplift": lambda p: attr.DeepLift(network).attribute(p.inputs, point, target=p.labels),
        "integrated_gradients": lambda p: attr.IntegratedGradients(network).attribute(
            p.inputs, point, target=p.labels, n_steps=CAPTUM_STEPS, internal_batch_size=128
        ),
        "input_gradient": lambda p: attr.InputXGradient(network).attribute(
            p.inputs.clone().requires_grad_(), target=p.labels
        ),
        "saliency": lambda p: attr.Saliency(network).attribute(
            p.inputs.clone().requires_grad_(), target=p.labels
        ),
        "gradient_shap": lambda p: attr.GradientShap(network).attribute(
            p.inputs, reference.sample, n_samples=32, target=p.labels
        ),
        "occlusion": lambda p: attr.Occlusion(network).attribute(
            p.inputs,
            (p.inputs.shape[1], side, side),
            strides=(p.inputs.shape[1], max(1, side // 2), max(1, side // 2)),
            baselines=point,
            target=p.labels,
            perturbations_per_eval=8,
        ),
        "kernel_shap": shap,
    }


def gains(
    model: AttackedModel, points: Points, values: torch.Tensor, reference: Reference
) -> np.ndarray:
    """Gain over random orders, the mean of deletion and insertion and of both fillers: (n,)."""
    parts = Parts.positions(tuple(points.inputs.shape[1:])).summed(values.detach().float())
    worth = Worth.of(model, points, reference.point, 1.0)
    curves = faithfulness_curves(model, points, parts, fillers(points, reference), worth)
    areas = area(curves.double())  # (n, f, 3)
    won = torch.stack([areas[..., 2] - areas[..., 0], areas[..., 1] - areas[..., 2]], -1)
    return won.mean((1, 2)).numpy()


def methods(name: str, module: nn.Module, rows: torch.Tensor, sample: torch.Tensor) -> None:
    reference = Reference(sample.mean(0, keepdim=True), sample)
    print(f"\n{name}: {len(rows)} rows\n")
    print(
        "| method | CPU ms/row | captum | ratio | passes | off its sum, worst | captum's | gain | captum's |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    costs: dict[str, float] = {}
    won: dict[str, np.ndarray] = {}
    with attacked(module) as frozen:
        plain = AttackedModel(frozen, 10)
        points = Points(
            rows, plain.logits(rows).argmax(1), RowNoise(np.arange(len(rows), dtype=np.uint64))
        )
        fast = fastest_runner(plain, rows).of(plain)
        peers = captum_methods(frozen, reference)
        for method in METHODS:
            explain: Method = METHODS[method]
            model = fast if method in ("occlusion", "kernel_shap") else plain
            if unfit(method, model, points.take(torch.arange(4)), reference):
                continue
            before = plain.passes.backward + plain.passes.forward
            found = explain(model, points, reference)
            passes = (plain.passes.backward + plain.passes.forward - before) / len(rows)
            costs[method] = least(lambda e=explain, m=model: e(m, points, reference)) / len(rows)
            won[method] = gains(fast, points, found.values, reference)
            peer, cost, off, gain = peers.get(method), "-", "-", "-"
            ratio = "-"
            if peer is not None:
                some = (
                    points.take(torch.arange(min(FEW, len(points))))
                    if method == "kernel_shap"
                    else points
                )
                theirs = peer(some).detach()
                seconds = least(lambda p=peer, s=some: p(s), 2) / len(some)
                cost, ratio = f"{1e3 * seconds:.2f}", f"{seconds / costs[method]:.1f}"
                gain = f"{gains(fast, some, theirs, reference).mean():.3f}"
                if found.gap is not None:
                    gap = found.gap
                    cut = Gap(gap.here[: len(some)], gap.there[: len(some)])
                    off = f"{float(cut.missed(theirs).max()):.2g}"
            worst = float(found.incompleteness().max())
            print(
                f"| {method} | {1e3 * costs[method]:.3f} | {cost} | {ratio} | {passes:.0f} | "
                f"{'-' if np.isnan(worst) else f'{worst:.2g}'} | {off} | {won[method].mean():.3f} | {gain} |",
                flush=True,
            )
        exact = IntegratedGradients(steps=CAPTUM_STEPS, most=CAPTUM_STEPS)
        fixed = least(lambda: exact(plain, points, reference)) / len(rows)
    for other in ("integrated_gradients", "input_gradient", CONTROL):
        apart = mean(won["deeplift"] - won[other], unit="probability")
        print(f"DeepLift less {other}: {apart.value:.4f} ({apart.low:.4f} to {apart.high:.4f})")
    print(
        f"cost of integrated gradients over DeepLift: {costs['integrated_gradients'] / costs['deeplift']:.1f} "
        f"(steps adapted), {fixed / costs['deeplift']:.1f} ({CAPTUM_STEPS} steps)"
    )


def curves(name: str, module: nn.Module, rows: torch.Tensor) -> None:
    """Compare deletion curves to black, 28 (CIFAR: 32) steps, with quantus' pixel flipping."""
    if rows.shape[1] > 1:
        module, rows = Grey(module, rows.shape[1]).eval(), rows.mean(1, keepdim=True)
    black = torch.zeros_like(rows[:1])
    shape = tuple(rows.shape[1:])
    parts = Parts.positions(shape)
    steps = 28 if shape[-1] == 28 else 32
    with attacked(module) as frozen:
        plain = AttackedModel(frozen, 10)
        points = Points(
            rows, plain.logits(rows).argmax(1), RowNoise(np.arange(len(rows), dtype=np.uint64))
        )
        values = METHODS["deeplift"](plain, points, Reference(black, rows)).values
        ranks = order_of(parts.summed(values))
        fast = fastest_runner(plain, rows).of(plain)
        worth = Worth(torch.ones(len(rows)), 1.0)

        def ours(model: AttackedModel) -> torch.Tensor:
            return removal_curve(model, points, black, ranks, worth, most=steps)[:, 1:]

        found = {"ours, torch": (least(lambda: ours(plain)), ours(plain))}
        found["ours, onnxruntime"] = (least(lambda: ours(fast)), ours(fast))
        print(f"\n{name}: curves of {steps} steps, {len(rows)} rows\n")
        print("| who | CPU ms/row | ratio to ours with onnxruntime | largest difference |")
        print("|---|---|---|---|")
        if find_spec("quantus") is not None:
            found["quantus PixelFlipping"] = flipping(frozen, points, values, steps)
        base, exact = found["ours, onnxruntime"][0], found["ours, torch"][1]
        for who, (seconds, curve) in found.items():
            apart = float((curve - exact).abs().max())
            print(
                f"| {who} | {1e3 * seconds / len(rows):.3f} | {seconds / base:.2f} | {apart:.1e} |"
            )


def flipping(
    module: nn.Module, points: Points, values: torch.Tensor, steps: int
) -> tuple[float, torch.Tensor]:
    import quantus

    metric = quantus.PixelFlipping(
        features_in_step=values[0].numel() // steps,
        perturb_baseline=0.0,
        abs=False,
        normalise=False,
        disable_warnings=True,
        return_auc_per_sample=False,
    )
    given = {
        "x_batch": points.inputs.numpy(),
        "y_batch": points.labels.numpy(),
        "a_batch": values.numpy(),
        "softmax": True,
        "device": "cpu",
        "batch_size": 128,
    }
    found = metric(model=module, **given)
    seconds = least(lambda: metric(model=module, **given))
    return seconds, torch.from_numpy(np.asarray(found, np.float32)).reshape(len(points), -1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", choices=("methods", "curves"))
    parser.add_argument("--cell", default="", help="a part of the name of the only one that runs")
    parser.add_argument("--rows", type=int, default=200)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for name, cell in CELLS.items():
        if arguments.cell not in name:
            continue
        module, rows, sample = cell(arguments.data, arguments.rows)
        if arguments.only != "methods":
            curves(name, module, rows)
        if arguments.only != "curves":
            methods(name, module, rows, sample)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
