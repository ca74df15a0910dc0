"""False fails and power of the calibration check against the rule that peers use, on labels of known truth.

The rule: the expected calibration error over 15 bins of equal width (Guo et al. 2017) above the bound is a
fail. Its number is above zero by luck even for a perfect model, so it fails healthy models of few rows.
Truths are planted by `overconfidence` (all rows) and `overconfidence_where_sure` (the surer half).

    python benchmarks/calibration_null.py [repetitions]
"""

import sys
import time
from collections.abc import Callable

import numpy as np

from roadworthy.challenges.uncertainty import faults
from roadworthy.challenges.uncertainty.calibration import calibration_error
from roadworthy.engine import CheckMark, mark_of
from roadworthy.statistics import judge
from roadworthy.subject import Split, Subject, Task

TRUTHS = (0.0, 0.025, 0.05, 0.1)
SIZES = (200, 500, 1_000, 3_000, 10_000)
BINS = 15


def naive_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return float(np.abs(np.bincount(bins, confidence - right)).sum() / len(labels))


def two_classes(n: int, rng: np.random.Generator) -> np.ndarray:
    chance = 1 / (1 + np.exp(-rng.normal(-1.2, 2.0, n)))
    return np.stack([1 - chance, chance], axis=1)


def ten_classes(strength: float) -> Callable[[int, np.random.Generator], np.ndarray]:
    def made(n: int, rng: np.random.Generator) -> np.ndarray:
        z = rng.normal(size=(n, 10))
        z[np.arange(n), rng.integers(0, 10, n)] += strength
        p = np.exp(z)
        return p / p.sum(axis=1, keepdims=True)

    return made


MODELS = {
    "2 classes (as Adult)": two_classes,
    "10 classes, sure": ten_classes(8.0),
    "10 classes, unsure": ten_classes(2.5),
}


def row(name: str, n: int, repetitions: int, plant: Callable[..., Subject]) -> str:
    mark = mark_of(calibration_error)
    assert isinstance(mark, CheckMark)
    assert mark.requires is not None
    rng = np.random.default_rng(n)
    shown: list[str] = []
    spent = 0.0
    for truth in TRUTHS:
        fails, passes, naive = 0, 0, 0
        for _ in range(repetitions):
            p = MODELS[name](n, rng)
            c = p.shape[1]
            task = (
                Task("multiclass", tuple(map(str, range(c))))
                if c > 2
                else Task("binary", ("0", "1"), 1)
            )
            subject = Subject(
                "made up", task, "predictions", {"test": Split(None, np.zeros(n, int))}
            )
            clean = faults.labels_drawn_from_the_probabilities(subject, rng, p)
            labels = plant(clean, truth, rng, p).splits["test"].target
            start = time.process_time()
            verdict = judge(calibration_error(p, labels, task), mark.requires, mark.least).verdict
            spent += time.process_time() - start
            fails += verdict == "fail"
            passes += verdict == "pass"
            naive += naive_error(p, labels) > mark.requires.bound
        shown.append(
            f"{naive / repetitions:6.1%} {fails / repetitions:6.1%} {passes / repetitions:6.1%}"
        )
    milliseconds = 1e3 * spent / repetitions / len(TRUTHS)
    return f"{name:22} {n:7,} | " + " | ".join(shown) + f" | {milliseconds:5.1f}"


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(
        f"{repetitions} repetitions; bound 0.05; per truth: naive rule fails, ours fails, ours passes; ms each"
    )
    for plant in (faults.overconfidence, faults.overconfidence_where_sure):
        heads = " | ".join(f"truth {truth:<15}" for truth in TRUTHS)
        print(f"\n{plant.__name__}\n{'model':22} {'n':>7} | {heads} |    ms")
        for name in MODELS:
            for n in SIZES:
                print(row(name, n, repetitions, plant), flush=True)


if __name__ == "__main__":
    main()
