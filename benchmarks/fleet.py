"""Many small models trained as a fleet, against our own loop one after the other.

    python benchmarks/fleet.py [--models 8 32] [--only NAME]

Both run in one process on one thread and are measured by CPU time, the least of `--repeats` runs; both
give each model the same initial weights, rows, batches and dropout. The loop uses torch's fused AdamW.
`together` is what a user gets: it times a few steps of the loop and, where that can pay, of the
fleet, and takes the fleet where that wins 10 % or more. The price of timing is in its figure.

The bars: a fleet of 32 dense networks of 30-64-64-2 at least 3 times as fast as the loop at equal held-out
accuracy; `together` for no architecture slower than the loop beyond the noise of timing.
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from statistics import fmean
from time import process_time

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy and torch are loaded

import numpy as np
import torch
from scipy.ndimage import zoom
from sklearn.datasets import load_breast_cancer, load_digits
from torch import nn

from roadworthy.subject import Network, Recipe
from roadworthy.training.choice import timings
from roadworthy.training.fleet import train_fleet
from roadworthy.training.jobs import Examples, Job
from roadworthy.training.loop import train
from roadworthy.training.running import evaluate, load
from roadworthy.training.tables import TableNetwork, TableShape
from roadworthy.training.together import train_together

BAR = 3.0


@dataclass(frozen=True)
class Case:
    """An architecture and what it learns; `rows` are those of a model before a fifth is left out."""

    name: str
    factory: Callable[[], nn.Module]
    inputs: np.ndarray
    labels: np.ndarray
    epochs: int
    rows: int


def dense(*widths: int) -> nn.Module:
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def convolutional(side: int) -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, side)),
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * (side // 4) ** 2, 10),
    )


def cases() -> list[Case]:
    cancer, digits = load_breast_cancer(), load_digits()
    x = (cancer.data - cancer.data.mean(axis=0)) / cancer.data.std(axis=0)
    flat = digits.data / 16
    large = zoom(digits.images / 16, (1, 3.5, 3.5), order=1)
    shape = TableShape(tuple(range(30)), (), (), 2)
    return [
        Case("dense 30-64-64-2", partial(dense, 30, 64, 64, 2), x, cancer.target, 30, 455),
        Case("dense 64-128-10", partial(dense, 64, 128, 10), flat, digits.target, 8, 1437),
        Case("CNN 8x8", partial(convolutional, 8), digits.images / 16, digits.target, 3, 1437),
        Case("CNN 28x28", partial(convolutional, 28), large, digits.target, 8, 160),
        Case("default, table", partial(TableNetwork, shape), cancer.data, cancer.target, 8, 455),
    ]


def jobs_of(case: Case, models: int, is_test: np.ndarray) -> list[Job]:
    network = Network(case.factory)
    training = Examples(case.inputs[~is_test], case.labels[~is_test].astype(np.int64))
    found = []
    for seed in range(models):
        rng = np.random.default_rng(seed)
        rows = rng.permutation(len(training.target))[: case.rows * 4 // 5]
        recipe = Recipe(
            epochs=case.epochs,
            learning_rate=10 ** rng.uniform(-3, -2.3),
            batch_size=32,
            patience=None,
            seed=seed,
        )
        found.append(Job(network, recipe, training, rows=rows))
    return found


def one_by_one(jobs: list[Job]):
    for position, job in enumerate(jobs):
        yield position, train(job.network, job.recipe, job.examples)


def measured(way, jobs: list[Job]):
    start = process_time()
    weights = dict(way(jobs))
    return process_time() - start, weights


def accuracy(jobs: list[Job], weights, inputs: np.ndarray, labels: np.ndarray) -> float:
    found = [evaluate(load(job.network, weights[k]), inputs) for k, job in enumerate(jobs)]
    return fmean(float((outputs.argmax(axis=1) == labels).mean()) for outputs in found)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--only", default="")
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):  # large modules would take all cores that they may
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    # torch starts up slowly: what is measured first must not pay for that.
    list(train_fleet(jobs_of(cases()[0], 2, np.arange(569) < 100)))
    print(f"torch {torch.__version__}, one thread, batches of 32, CPU us per model and step")
    print(
        f"{'network':<18}{'models':>7}{'loop':>8}{'fleet':>8}{'ratio':>7}"
        f"{'together':>10}{'chose':>7}{'ratio':>7}{'accuracy: loop':>16}{'fleet':>8}"
    )
    for case in cases():
        if options.only not in case.name:
            continue
        is_test = np.random.default_rng(1).random(len(case.labels)) < 0.2
        for models in options.models:
            jobs = jobs_of(case, models, is_test)
            steps = models * case.epochs * max(1, round(case.rows * 4 // 5 / 32))
            ways = {"loop": one_by_one, "fleet": train_fleet, "together": train_together}
            least = dict.fromkeys(ways, float("inf"))
            scores = {}
            for _ in range(options.repeats):
                for name, way in ways.items():
                    seconds, weights = measured(way, jobs)
                    least[name] = min(least[name], seconds)
                    scores[name] = accuracy(
                        jobs, weights, case.inputs[is_test], case.labels[is_test]
                    )
            loop, fleet, together = (1e6 * least[name] / steps for name in ways)
            print(
                f"{case.name:<18}{models:>7}{loop:>8.0f}{fleet:>8.0f}{loop / fleet:>7.2f}"
                f"{together:>10.0f}{timings(jobs)['choice']:>7}{loop / together:>7.2f}"
                f"{scores['loop']:>16.4f}{scores['fleet']:>8.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
