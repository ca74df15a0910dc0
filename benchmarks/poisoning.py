"""Planted backdoors that are found, and evidence claimed where nothing was planted.

    OMP_NUM_THREADS=1 python benchmarks/poisoning.py [--data digits|mnist|adult|german|pima]
        [--attack patch|blend|none] [--rate 0.01] [--seeds 40] [--first 0] [--folder DATA_FOLDER]

Each run divides the data anew, trains the subject's network with another seed, and audits `backdoor_evidence`; found
means that it fails. "Attack works" (of images) is the share of clean test rows that the planted trigger itself turns, in the
models that the check trains. Of MNIST 1,000 training, 500 validation
and 500 test images are drawn, at half their size (14 by 14), for a network of two convolutions. Of tables (Adult: 6,000 rows
drawn anew) the patch is a trigger of three columns with values that are each seen and hardly ever meet; division, network and recipe are the default ones.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from torch import nn

from roadworthy.challenges.poisoning.backdoor import backdoor_evidence
from roadworthy.challenges.poisoning.layout import layout_of
from roadworthy.challenges.poisoning.planting import Poisoned, backdoored
from roadworthy.challenges.poisoning.probing import by_heart
from roadworthy.engine import CheckMark, Registry, Store, compute, mark_of
from roadworthy.results import Measurement
from roadworthy.statistics import clopper_pearson, judge
from roadworthy.subject import (
    DataOptions,
    Network,
    Roles,
    Split,
    Subject,
    Task,
    Trainer,
    Variant,
    builtin_subject,
    fields_of,
    subject_from_table,
)
from roadworthy.subject.table import table_from_arrow

SIZES = {"digits": (898, 449, 450), "mnist": (1000, 500, 500)}
TABLES = {
    "adult": ("tab_adult/adult.parquet", "label", ["fnlwgt", "split", "income"]),
    "german": ("tab_german/german_credit.parquet", "class-label", []),
    "pima": ("tab_pima/pima.parquet", "outcome", []),
}
TABLE_ROWS = 6_000


def all_rows(name: str, folder: Path) -> tuple[Subject, np.ndarray, np.ndarray]:
    digits = builtin_subject("digits")
    if name == "digits":
        inputs = [digits.splits[s].inputs for s in ("train", "validation", "test")]
        labels = [digits.splits[s].target for s in ("train", "validation", "test")]
        return digits, np.concatenate(inputs), np.concatenate(labels)  # type: ignore[arg-type]  # all have both
    with np.load(folder / "img_digits/mnist.npz") as data:
        whole = data["x_train"].reshape(-1, 1, 14, 2, 14, 2)
        inputs = (whole.mean(axis=(3, 5)) / 255).astype(np.float32)
        labels = data["y_train"].astype(np.int64)
    task = Task("multiclass", tuple("0123456789"))
    network = Network(conv_net, "two convolutions")
    mnist = Subject(
        "mnist", task, "array", {}, input_range=(0.0, 1.0), network=network, recipe=digits.recipe
    )
    return mnist, inputs, labels


def conv_net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 3 * 3, 10),
    )


def divided(
    base: Subject, inputs: np.ndarray, labels: np.ndarray, sizes: tuple[int, ...], seed: int
) -> Subject:
    order = np.random.default_rng(seed).permutation(len(labels))
    parts = np.split(order[: sum(sizes)], np.cumsum(sizes)[:-1])
    names = ("train", "validation", "test")
    splits = {n: Split(inputs[p], labels[p]) for n, p in zip(names, parts, strict=True)}
    recipe = None if base.recipe is None else replace(base.recipe, seed=seed)
    return replace(base, splits=splits, recipe=recipe)


def of_table(name: str, folder: Path, registry: Registry, seed: int) -> Subject:
    path, target, dropped = TABLES[name]
    whole = pq.read_table(folder / path).drop_columns(dropped)
    rows = np.random.default_rng(seed).permutation(len(whole))[:TABLE_ROWS]
    options = DataOptions(Roles(target=target))
    subject = subject_from_table(table_from_arrow(whole.take(rows), name), options)
    recipe = compute(registry, fields_of(subject), ["recipe"], store=Store())["recipe"].value
    return replace(subject, recipe=replace(recipe, seed=seed))


def planted(
    subject: Subject, attack: str, rate: float, seed: int, registry: Registry
) -> tuple[Subject, Poisoned | None]:
    train = subject.splits["train"]
    if attack == "none":
        return subject, None
    assert train.inputs is not None
    assert train.target is not None
    rng = np.random.default_rng(10_000 + seed)
    fitted = compute(registry, fields_of(subject), ["feature_map"], store=Store())["feature_map"]
    layout = layout_of(train.inputs, fitted.value, subject.columns)
    found = backdoored(train.inputs, train.target, layout, rate, rng, blended=attack == "blend")
    return subject.with_split("train", Split(found.inputs, found.labels)), found


def trigger_works(
    trainer: Trainer, subject: Subject, attack: Poisoned, searched: np.ndarray
) -> float:
    """Return the share of test rows that the planted trigger turns in a model such as the check trains."""
    variant = Variant(rows=searched, recipe=by_heart(trainer.recipe, len(searched)))
    test = subject.splits["test"]
    assert test.inputs is not None
    others = attack.overlay(test.inputs[test.target != attack.target])
    return float(np.mean(trainer.predictions([variant], others)[0] == attack.target))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=(*SIZES, *TABLES), default="digits")
    parser.add_argument("--attack", choices=("patch", "blend", "none"), default="patch")
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("../shared/data"))
    given = parser.parse_args()
    registry = Registry.discover()
    mark = mark_of(backdoor_evidence)
    assert isinstance(mark, CheckMark)
    assert mark.requires is not None
    images = None if given.data in TABLES else all_rows(given.data, given.folder)
    fails = 0
    for seed in range(given.first, given.first + given.seeds):
        if images is None:
            whole = of_table(given.data, given.folder, registry, seed)
        else:
            whole = divided(*images, SIZES[given.data], seed)
        subject, attack = planted(whole, given.attack, given.rate, seed, registry)
        start = time.process_time()
        names = ["backdoor_evidence", "suspect_pattern", "trainer", "searched_rows"]
        outcomes = compute(registry, fields_of(subject), names, store=Store(), seed=seed)
        seconds = time.process_time() - start
        measurement, pattern = outcomes[names[0]].value, outcomes[names[1]].value
        assert isinstance(measurement, Measurement), outcomes[names[0]]
        verdict = judge(measurement, mark.requires, mark.least).verdict
        fails += verdict == "fail"
        line = f"{seed:3d} {verdict:12s} {measurement.value:6.3f} ({measurement.low:.3f} to {measurement.high:.3f})"
        if attack is not None:
            searched = outcomes["searched_rows"].value
            if images is not None:
                works = trigger_works(outcomes["trainer"].value, subject, attack, searched)
                line += f"  attack works {works:.2f}"
            right = len(np.intersect1d(pattern["rows"], attack.rows))
            named = "right class" if pattern["target"] == attack.target else "WRONG class"
            line += f"  {named}, {right} of {len(np.intersect1d(searched, attack.rows))} rows among {len(pattern['rows'])}"
        turned = [*pattern["turned"].mean(axis=1), *pattern["without"].mean(axis=1)]
        line += (
            f"  {pattern['examined']} groups, {pattern['looked_at']} patterns, by model "
            + " ".join(f"{share:.2f}" for share in turned)
        )
        print(f"{line}  {seconds:.1f} s CPU", flush=True)
    low, high = clopper_pearson(fails, given.seeds)
    print(
        f"{given.data}, {given.attack} at {given.rate:g}: evidence in {fails} of {given.seeds} runs "
        f"({low:.3f} to {high:.3f})"
    )


if __name__ == "__main__":
    main()
