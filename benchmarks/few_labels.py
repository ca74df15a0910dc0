"""What pretraining, pseudo-labels, generated rows and the choice of rows gain where few rows have a label.

    python benchmarks/few_labels.py [--seeds 10] [--only digits Adult] [--labels 50] [--data FOLDER]

Digits (8 x 8 pixels, the network of the built-in subject) with 50 labels and 1,000 images without; Adult (the default
network for tables) with 200 labels and 500 rows without, 2,000 rows to test on. Every seed draws other rows, and all
are trained by the default recipe without validation rows. Each remedy and its sham are compared with plain training on
the same rows; accuracy on the same test rows, 95 % interval of the mean paired difference over seeds (t, corrected for
skewness). A remedy "helps" where its interval lies above 0 both against plain training and against its sham.

Then rows are chosen for labelling, by the artifact of the check `label_efficiency`: a pool of 1,000 rows of which 5 % are
labelled at first and in each of four rounds, ten pairs with random choice; it helps where the lower bound is above 0.
"""

import argparse
import os
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time

os.environ["OMP_NUM_THREADS"] = "1"  # one thread, before numpy and torch are loaded

import numpy as np
import torch
from adult_default_model import TASK, read_adult
from sklearn.datasets import load_digits

from roadworthy.challenges.data_quantity.label_efficiency import label_lifts
from roadworthy.challenges.data_quantity.lift import adjusted, lift_of, strategies_in
from roadworthy.quantities.features import feature_map, features
from roadworthy.statistics import paired_mean_difference
from roadworthy.subject import Column, Network, Pretraining
from roadworthy.subject.builtin import small_conv_net
from roadworthy.training.artifacts import default_network, recipe
from roadworthy.training.jobs import Examples, Job
from roadworthy.training.running import evaluate, load
from roadworthy.training.single import trained
from roadworthy.training.trainer import SubjectTrainer

REMEDIES = {
    "masked pretraining": {"pretraining": Pretraining("masked", 30)},
    "contrastive pretraining": {"pretraining": Pretraining("contrastive", 30)},
    "pseudo-labels": {"pseudo_labels": 0.9},
    "generated rows": {"synthetic": 1.0},
}
LABELS = {"digits": (50,), "Adult": (200,)}
PAIRS = 10


@dataclass(frozen=True)
class Data:
    """Rows to draw from, and those that are always tested on."""

    inputs: np.ndarray
    labels: np.ndarray
    columns: tuple[Column, ...]
    test: np.ndarray
    rest: np.ndarray
    unlabelled: int


def digits() -> Data:
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    inputs = (data.images[:, None] / 16).astype(np.float32)
    return Data(inputs, data.target.astype(np.int64), (), order[:597], order[597:], 1000)


def adult(folder: Path) -> Data:
    inputs, labels, is_train, columns = read_adult(folder)
    test = np.random.default_rng(0).permutation(np.flatnonzero(~is_train))[:2000]
    return Data(inputs, labels, columns, test, np.flatnonzero(is_train), 500)


def accuracies(data: Data, count: int, seed: int, seconds: dict[str, float]) -> dict[str, float]:
    """Accuracy of plain training and of each remedy and sham on one draw of rows."""
    rows = np.random.default_rng(seed).permutation(data.rest)[: count + data.unlabelled]
    known = Examples(data.inputs[rows[:count]], data.labels[rows[:count]])
    chosen = Network(small_conv_net)
    if data.columns:
        chosen = default_network(TASK, "table", known.inputs, data.columns)
    plain = replace(recipe(known.inputs), seed=seed, patience=None)
    ways = {"plain": plain}
    for name, fields in REMEDIES.items():
        ways[name] = replace(plain, **fields)
        ways[f"{name}, sham"] = replace(plain, **fields, sham=True)
    found = {}
    for name, way in ways.items():
        start = process_time()
        job = Job(chosen, way, known, unlabelled=data.inputs[rows[count:]], columns=data.columns)
        outputs = evaluate(load(chosen, trained(job)), data.inputs[data.test])
        found[name] = float((outputs.argmax(axis=1) == data.labels[data.test]).mean())
        seconds[name] = seconds.get(name, 0.0) + process_time() - start
    return found


def difference(one: list[float], other: list[float]) -> tuple[str, bool]:
    found = paired_mean_difference(np.array(one), np.array(other), unit="share")
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})", found.low > 0


def choosing(name: str, data: Data) -> None:
    """Print what choosing the rows to label saves in test error."""
    rows = np.random.default_rng(0).permutation(data.rest)[:1000]
    chosen = Network(small_conv_net)
    if data.columns:
        chosen = default_network(TASK, "table", data.inputs[rows], data.columns)
    plain = replace(recipe(data.inputs[rows]), patience=None)
    trainer = SubjectTrainer(
        chosen,
        plain,
        Examples(data.inputs[rows], data.labels[rows]),
        classes=int(data.labels.max()) + 1,
        columns=data.columns,
    )
    train, test = data.inputs[rows], data.inputs[data.test]
    start = process_time()
    lifts = label_lifts(
        trainer,
        np.random.default_rng(1),
        train,
        features(train, feature_map(train, np.random.default_rng(2), data.columns or None)),
        test,
        data.labels[rows],
        data.labels[data.test],
        repetitions=10 * PAIRS,
    )
    print(
        f"\n{name}, {lifts['labelled'][1]:,} to {lifts['labelled'][-1]:,} of {lifts['pool']:,} rows labelled, "
        f"{PAIRS} pairs: error by chance {lifts['random'][:, 1:].mean():.3f}, {process_time() - start:.0f} s CPU"
    )
    for strategy in strategies_in(lifts):
        saved = lift_of(lifts, strategy, unit="share")
        low, high = adjusted(saved, 2)
        print(
            f"{strategy:<25}{saved.value:+.3f} ({low:+.3f} to {high:+.3f})"
            f"{'  helps' if low > 0 else ''}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10)
    standard = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("ROADWORTHY_DATA", standard))
    )
    parser.add_argument("--only", nargs="+", choices=tuple(LABELS), default=tuple(LABELS))
    parser.add_argument("--labels", type=int, nargs="+", help="of these alone; all by default")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread, {options.seeds} seeds")
    settings: list[tuple[str, Data, int]] = []
    for name in options.only:
        data = digits() if name == "digits" else adult(options.data)
        choosing(name, data)
        settings += [(name, data, n) for n in options.labels or LABELS[name]]
    for name, data, count in settings:
        seconds: dict[str, float] = {}
        runs = [accuracies(data, count, seed, seconds) for seed in range(options.seeds)]
        by_way = {way: [run[way] for run in runs] for way in runs[0]}
        print(
            f"\n{name}, {count:,} labels: accuracy of plain training {np.mean(by_way['plain']):.3f}, "
            f"{seconds['plain'] / options.seeds:.1f} s CPU\n"
            f"{'remedy':<25}{'accuracy':>9}  {'against plain':<26}{'against its sham':<26}"
            f"{'sham against plain':<26}{'CPU s':>6}"
        )
        for way in REMEDIES:
            sham = by_way[f"{way}, sham"]
            gain, beats_plain = difference(by_way[way], by_way["plain"])
            beyond, beats_sham = difference(by_way[way], sham)
            print(
                f"{way:<25}{np.mean(by_way[way]):>9.3f}  {gain:<26}{beyond:<26}"
                f"{difference(sham, by_way['plain'])[0]:<26}{seconds[way] / options.seeds:>6.1f}"
                f"{'  helps' if beats_plain and beats_sham else ''}",
                flush=True,
            )


if __name__ == "__main__":
    main()
