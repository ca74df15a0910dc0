"""Remedies for unfairness on Adult by sex, and fairlearn's beside them: what each does to every rate.

    python benchmarks/fairness_remedies.py [--seeds 3] [--only NAME ...] [--data FOLDER]

A dense network 64-32 is trained on the published training rows, a fifth of them set aside for validation, and measured on
the published test rows. Each remedy at one strength or two. Prints accuracy, gaps of the true and the
false positive rate (their larger one is the gap of equalized odds), the ratio of selection rates, the worst accuracy
of the four pairs of sex and class, and process CPU seconds, the training included. fairlearn's thresholds draw some decisions by
chance; theirs is the mean over what could be drawn.
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import Tensor, nn

from roadworthy.engine import Registry, Store, compute, generator
from roadworthy.procedures.transforms import applied
from roadworthy.subject import (
    DataOptions,
    Network,
    Recipe,
    Roles,
    Subject,
    fields_of,
    subject_from_table,
)
from roadworthy.subject.table import table_from_arrow

REGISTRY = Registry.discover()
STRENGTHS = {
    "equalized_odds_penalty": (0.2, 0.5),
    "adversarial_debiasing": (0.5,),
    "worst_group_first": (1.0,),
    "reweighing": (1.0,),
    "just_train_twice": (2.0,),
    "last_layer_on_balanced_rows": (1.0,),
    "thresholds_by_group": (0.75,),
    "exponentiated_gradient": (1.0,),
}
RECIPE = Recipe(10, learning_rate=1e-3, weight_decay=0.0, batch_size=256, patience=None)


class Dense(nn.Module):
    """One-hot categories and standardised numbers, then 64 and 32 units."""

    def __init__(self, numeric: tuple[int, ...], sizes: tuple[tuple[int, int], ...]) -> None:
        super().__init__()
        self.numeric, self.sizes = list(numeric), sizes
        self.register_buffer("mean", torch.zeros(len(numeric)))
        self.register_buffer("spread", torch.ones(len(numeric)))
        width = len(numeric) + sum(size for _, size in sizes)
        self.layers = nn.Sequential(
            nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 2)
        )

    def prepare(self, inputs: Tensor) -> None:
        """Fit the scaling of numbers."""
        values = inputs[:, self.numeric]
        self.mean, self.spread = values.mean(dim=0), values.std(dim=0)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (n, 2)."""
        parts = [(inputs[:, self.numeric] - self.mean) / self.spread]
        for place, size in self.sizes:
            code = inputs[:, place].nan_to_num(-1).long().clamp(-1, size - 1) + 1
            parts.append(nn.functional.one_hot(code, size + 1)[:, 1:].float())
        return self.layers(torch.cat(parts, dim=1))


def adult(folder: Path, seed: int) -> Subject:
    table = pq.read_table(folder / "tab_adult" / "adult.parquet")
    table = table.drop_columns(["fnlwgt", "income"])
    options = DataOptions(Roles(target="label", sensitive=("sex",)), split="split", proof=0.0)
    subject = subject_from_table(table_from_arrow(table, "adult"), options)
    numeric = tuple(j for j, c in enumerate(subject.columns) if c.kind == "numeric")
    sizes = tuple(
        (j, len(c.categories)) for j, c in enumerate(subject.columns) if c.kind == "category"
    )
    network = Network(partial(Dense, numeric, sizes), "dense 64-32")
    return replace(subject, network=network, recipe=replace(RECIPE, seed=seed))


def values_of(subject: Subject, names: list[str], store: Store) -> list[Any]:
    found = compute(REGISTRY, fields_of(subject), names, store=store)
    return [found[name].value for name in names]


def repaired(subject: Subject, name: str, strength: float, seed: int, store: Store) -> Subject:
    fields = fields_of(subject)
    return applied(
        REGISTRY.mitigations[name],
        subject,
        given={"strength": strength, "rng": generator(seed, name, {})},
        fields=fields,
        outcomes=lambda names: compute(REGISTRY, fields, names, store=store),
    )


def rates(chosen: np.ndarray, labels: np.ndarray, sex: np.ndarray) -> list[float]:
    """`chosen` (n,) is the probability of a positive decision: 0 or 1 but for fairlearn's thresholds."""
    right = np.where(labels == 1, chosen, 1 - chosen)
    true, false = ([chosen[(labels == y) & (sex == g)].mean() for g in (0, 1)] for y in (1, 0))
    selected = [chosen[sex == g].mean() for g in (0, 1)]
    worst = min(right[(labels == y) & (sex == g)].mean() for y in (0, 1) for g in (0, 1))
    gaps = [abs(true[0] - true[1]), abs(false[0] - false[1])]
    return [right.mean(), *gaps, max(gaps), min(selected) / max(max(selected), 1e-9), worst]


def ours(folder: Path, seed: int, name: str, strength: float) -> list[float]:
    store = Store()
    subject = adult(folder, seed)
    clock = process_time()
    if name != "no remedy":
        subject = repaired(subject, name, strength, seed, store)
    (p,) = values_of(subject, ["test_probabilities"], store)
    spent = process_time() - clock
    test = subject.splits["test"]
    chosen = (p.argmax(axis=1) == 1).astype(float)
    assert test.target is not None
    return [*rates(chosen, test.target, test.attributes["sex"].values), spent]


def thresholds_of_fairlearn(folder: Path, seed: int) -> list[float]:
    from fairlearn.postprocessing import ThresholdOptimizer
    from sklearn.base import BaseEstimator, ClassifierMixin

    subject = adult(folder, seed)
    clock = process_time()
    wanted = ["validation_probabilities", "test_probabilities"]
    held_out, p = values_of(subject, wanted, Store())

    class Known(ClassifierMixin, BaseEstimator):
        def __init__(self) -> None:
            self.classes_ = np.array([0, 1])

        def fit(self, *_: object) -> "Known":
            return self

        def predict_proba(self, rows: Any) -> np.ndarray:
            second = np.asarray(rows)[:, 0]
            return np.stack([1 - second, second], axis=1)

    validation, test = subject.splits["validation"], subject.splits["test"]
    optimizer = ThresholdOptimizer(
        estimator=Known(), constraints="equalized_odds", prefit=True, predict_method="predict_proba"
    )
    sex = validation.attributes["sex"].values
    optimizer.fit(held_out[:, 1:], validation.target, sensitive_features=sex)
    sex = test.attributes["sex"].values
    mean = optimizer._pmf_predict(p[:, 1:].astype(float), sensitive_features=sex)[:, 1]
    spent = process_time() - clock
    assert test.target is not None
    return [*rates(mean, test.target, sex), spent]


def main() -> None:
    parser = argparse.ArgumentParser()
    standard = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("ROADWORTHY_DATA", standard))
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[])
    asked = parser.parse_args()
    torch.set_num_threads(1)
    tried: dict[str, Callable[[int], list[float]]] = {
        "no remedy": lambda seed: ours(asked.data, seed, "no remedy", 0.0)
    }
    for name, strengths in STRENGTHS.items():
        for strength in strengths:
            tried[f"{name} {strength:g}"] = partial(
                lambda seed, name, strength: ours(asked.data, seed, name, strength),
                name=name,
                strength=strength,
            )
    tried["fairlearn ThresholdOptimizer"] = lambda seed: thresholds_of_fairlearn(asked.data, seed)
    print(f"{'':34} accuracy  TPR gap  FPR gap  odds gap        ratio  worst  CPU s")
    for name, run in tried.items():
        if asked.only and not any(name.startswith(each) for each in asked.only):
            continue
        found = np.array([run(seed) for seed in range(asked.seeds)])
        mean, spread = found.mean(axis=0), found.std(axis=0)
        print(
            f"{name:34} {mean[0]:.4f}    {mean[1]:.3f}    {mean[2]:.3f}    {mean[3]:.3f} ± {spread[3]:.3f}"
            f"   {mean[4]:.3f}  {mean[5]:.3f}  {mean[6]:.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
