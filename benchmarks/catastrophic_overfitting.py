"""Fast and free adversarial training past the size that they bear: what one step shows, and what ten steps show.

    OMP_NUM_THREADS=1 python benchmarks/catastrophic_overfitting.py [--eps 0.2 0.3] [--epochs 12] [--data DATA]

3,000 MNIST images at half their size, a network trained plainly first. After each epoch: the share of training rows answered right after one
step (what the training sees) and after ten (what the epoch is judged by), and at the end what the trainer keeps and says.
"""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from roadworthy.perturbation.noise import RowNoise
from roadworthy.procedures.fix.course import said_of
from roadworthy.subject import AdversarialTraining, Network, Recipe
from roadworthy.training.adversarial import Adversary
from roadworthy.training.jobs import Examples
from roadworthy.training.loop import train

STANDARD = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
ROWS = 3_000
WATCHED = 1_000


def small_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 1, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 49, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def right(module: nn.Module, rows: Examples, plan: AdversarialTraining, steps: int) -> float:
    """Return the share of rows answered right where this many steps lead."""
    inputs, target = torch.from_numpy(rows.inputs), torch.from_numpy(rows.target)
    adversary = Adversary(plan, torch.Generator().manual_seed(0))
    start = adversary.threat.start(inputs, RowNoise(np.arange(len(inputs), dtype=np.uint64)), "x")

    def harm(at: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(module(at), target)

    moved = adversary.ascended(start, inputs, steps, harm)
    with torch.inference_mode():
        return float((module(moved).argmax(dim=1) == target).float().mean())


def loaded(weights: Mapping[str, np.ndarray]) -> nn.Module:
    module = small_net()
    module.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    return module


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--eps", type=float, nargs="*", default=[0.2, 0.3])
    parser.add_argument("--methods", nargs="*", default=["fast", "free"], choices=["fast", "free"])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("ROADWORTHY_DATA", STANDARD))
    )
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with np.load(asked.data / "img_digits" / "mnist.npz") as held:
        images = held["x_train"][:ROWS].reshape(-1, 1, 14, 2, 14, 2).mean(axis=(3, 5)) / 255
        rows = Examples(images.astype(np.float32), held["y_train"][:ROWS].astype(np.int64))
    watched = rows.take(np.arange(WATCHED))
    recipe = Recipe(epochs=5, batch_size=64, learning_rate=2e-3, patience=None)
    plain = train(Network(small_net), recipe, rows)
    methods: list[Any] = asked.methods  # Any: of the choices
    for method in methods:
        for eps in asked.eps:
            plan = AdversarialTraining(method, eps, 0.0, 1.0, steps=4)
            modules: list[nn.Module] = []
            judged: list[float | None] = []

            def build(kept: list[nn.Module] = modules) -> nn.Module:
                kept.append(loaded(plain))
                return kept[-1]

            def say(
                epoch: int,
                _: int,
                loss: float | None,
                kept: list[nn.Module] = modules,
                plan: AdversarialTraining = plan,
            ) -> None:
                kept[-1].eval()
                one, ten = (right(kept[-1], watched, plan, steps) for steps in (1, 10))
                print(f"{epoch:>6} {one:>9.1%} {ten:>9.1%} {loss:>9.3g}", flush=True)

            print(f"\n{method}, eps {eps:g}\n epoch  one step  ten steps     loss")
            hard = Recipe(
                epochs=asked.epochs, batch_size=64, learning_rate=2e-3, schedule="constant",
                patience=None, adversarial=plan,
            )  # fmt: skip
            best = train(Network(build), hard, rows, progress=say, judged=judged.extend)
            print(f"kept: {right(loaded(best).eval(), watched, plan, 10):.1%} after ten steps")
            for sentence in said_of(np.array(judged, float), hard):
                print(sentence)


if __name__ == "__main__":
    main()
