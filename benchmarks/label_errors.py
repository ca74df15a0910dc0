"""Label errors against published ground truth: our ranking and cleanlab's on the same probabilities.

MNIST and CIFAR-10 test labels with errors verified by five people each (Northcutt, Athalye & Mueller 2021),
on the cross-validated probabilities published with them; and the human labels of CIFAR-10N (Wei et al. 2022) on
5,000 training pictures, with cross-fitted simple models. Beside the ranking: the rate that each states.

Run: OMP_NUM_THREADS=1 python benchmarks/label_errors.py [DATA_FOLDER]
"""

import sys
import time
from io import BytesIO
from pathlib import Path

import numpy as np

from roadworthy.challenges.data_quality.cross_fitting import cross_fitted_probabilities
from roadworthy.challenges.data_quality.label_noise import fit_noise, noise_rate, suspicion
from roadworthy.quantities.features import feature_map, features
from roadworthy.subject import Task

ROWS = 5_000
TASK = Task("multiclass", tuple(map(str, range(10))))


def ranked(name: str, models: np.ndarray, labels: np.ndarray, wrong: np.ndarray) -> None:
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores
    from sklearn.metrics import average_precision_score, roc_auc_score

    pool = models.mean(axis=0)
    start = time.process_time()
    measured = noise_rate(
        fit_noise(models, labels, np.random.default_rng(0)), labels, unit="share of labels"
    )
    ours = suspicion(pool, labels)
    spent = {"ours": time.process_time() - start}
    scores = {"ours": ours}
    for method in ("self_confidence", "normalized_margin"):
        start = time.process_time()
        scores[f"cleanlab {method}"] = -get_label_quality_scores(labels, pool, method=method)
        spent[f"cleanlab {method}"] = time.process_time() - start
    k = int(wrong.sum())
    print(f"\n{name}: {k} of {len(labels)} labels are wrong ({k / len(labels):.2%})")
    print(f"  {'ranking':28s} {'AUROC':>7s} {'AP':>7s} {'R@k':>7s} {'R@100':>7s} {'CPU s':>7s}")
    for method, score in scores.items():
        order = np.argsort(-score, kind="stable")
        recall = [wrong[order[:m]].sum() / k for m in (k, 100)]
        print(
            f"  {method:28s} {roc_auc_score(wrong, score):7.4f} "
            f"{average_precision_score(wrong, score):7.4f} {recall[0]:7.3f} {recall[1]:7.3f} "
            f"{spent[method]:7.2f}"
        )
    counted = find_label_issues(labels, pool, n_jobs=1).mean()
    print(
        f"  stated rate: ours {measured.value:.2%}, between {measured.low:.2%} and {measured.high:.2%}; "
        f"cleanlab's count {counted:.2%}"
    )


def verified(folder: Path) -> None:
    import pandas as pd

    recorded = np.load(folder / "img_digits/mnist_test_cleanlab_pred_probs.npz")["probs"]
    labels = np.load(folder / "img_digits/mnist.npz")["y_test"].astype(np.int64)
    reviewed = pd.read_csv(folder / "img_digits/mnist_label_error_candidates.csv")
    wrong = np.zeros(len(labels), bool)
    wrong[reviewed["index"][reviewed["mturk_given"] < 3]] = True
    ranked("MNIST test, verified", normal(recorded)[None], labels, wrong)
    table = pd.read_parquet(folder / "img_cifar10/test.parquet").drop(columns="jpeg")
    wrong = (table["label_error_verified"] == True).to_numpy(bool)  # noqa: E712 - NA where not reviewed
    recorded = np.stack(list(table["cleanlab_pred_probs"]))
    ranked(
        "CIFAR-10 test, verified",
        normal(recorded)[None],
        table["label"].to_numpy(np.int64),
        wrong,
    )


def human(folder: Path) -> None:
    import pyarrow.parquet as pq
    from PIL import Image

    table = pq.read_table(folder / "img_cifar10/train.parquet")
    rows = np.random.default_rng(0).permutation(table.num_rows)[:ROWS]
    table = table.take(rows)
    inputs = np.stack([np.asarray(Image.open(BytesIO(b))) for b in table["jpeg"].to_pylist()])
    described = features(inputs, feature_map(inputs, np.random.default_rng(0)))
    true = table["label"].to_numpy().astype(np.int64)
    for column in ("aggre_label", "random_label1", "worse_label"):
        given = table[column].to_numpy().astype(np.int64)
        models = cross_fitted_probabilities(described, given, TASK, np.random.default_rng(0))
        ranked(f"CIFAR-10N {column}, {ROWS} rows, simple models", models, given, given != true)


def planted(folder: Path) -> None:
    data = np.load(folder / "img_digits/mnist.npz")
    inputs, true = data["x_train"][:ROWS], data["y_train"][:ROWS].astype(np.int64)
    described = features(inputs, feature_map(inputs, np.random.default_rng(0)))
    for share in (0.0, 0.02, 0.1):
        for kind in ("any other class", "the next class"):
            if share == 0 and kind == "the next class":
                continue
            rng = np.random.default_rng(1)
            rows = rng.permutation(ROWS)[: round(share * ROWS)]
            given = true.copy()
            step = rng.integers(1, 10, len(rows)) if kind == "any other class" else 1
            given[rows] = (given[rows] + step) % 10
            models = cross_fitted_probabilities(described, given, TASK, np.random.default_rng(0))
            if share:
                ranked(f"MNIST, {share:.0%} turned into {kind}", models, given, given != true)
            else:
                clean = noise_rate(fit_noise(models, given, rng), given, unit="share of labels")
                from cleanlab.filter import find_label_issues

                counted = find_label_issues(given, models.mean(axis=0), n_jobs=1).mean()
                print(
                    f"\nMNIST, nothing planted: ours {clean.value:.2%} between {clean.low:.2%} and "
                    f"{clean.high:.2%}; cleanlab's count {counted:.2%}"
                )


def normal(probabilities: np.ndarray) -> np.ndarray:
    kept = np.clip(probabilities.astype(np.float64), 0, None)
    return kept / kept.sum(axis=1, keepdims=True)


if __name__ == "__main__":
    import cleanlab

    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")
    print(f"cleanlab {cleanlab.__version__}, numpy {np.__version__}")
    verified(folder)
    planted(folder)
    human(folder)
