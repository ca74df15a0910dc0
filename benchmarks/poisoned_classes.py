"""Changes of one class's labels or inputs, and what `targeted_flips` and `class_change` say of them.

    OMP_NUM_THREADS=1 python benchmarks/poisoned_classes.py [--data mnist|adult] [--seeds 40] [--folder DATA_FOLDER]
        [--rows 5200] [none flips mark shifted_class noisy_class patch_backdoor blended_backdoor ...]

Nothing is trained. Rows are drawn anew for each seed and divided 2 : 1 : 1 into training, validation and test rows (MNIST at half its size, 14 by
14). Of "flips" and "mark" the severity is the truth: half the bound, the bound, twice the bound. With --simulated ROWS `targeted_flips` alone is
given ten classes with so many training and as many held-out rows that look like each, and 3 % of other labels.
"""

import argparse
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from poisoning import all_rows, divided, of_table

from roadworthy.challenges.poisoning.flips import targeted_flips
from roadworthy.engine import CheckMark, Registry, Store, compute, generator
from roadworthy.procedures.transforms import applied
from roadworthy.results import Measurement
from roadworthy.statistics import clopper_pearson, judge
from roadworthy.subject import Subject, Task, fields_of

CHECKS = ("targeted_flips", "class_change")
CASES = {
    "none": (),
    "flips": ("flips_between_two_classes", (0.05, 0.1, 0.2)),
    "mark": ("mark_on_one_class", (0.125, 0.25, 0.5)),
    "shifted_class": ("shifted_class", (0.5, 1.0)),
    "noisy_class": ("noisy_class", (0.5, 1.0)),
    "uniform_label_flips": ("uniform_label_flips", (0.05,)),
    "targeted_label_flips": ("targeted_label_flips", (0.01, 0.05)),
    "patch_backdoor": ("patch_backdoor", (0.01, 0.05)),
    "blended_backdoor": ("blended_backdoor", (0.01, 0.05)),
}


@cache
def images(folder: Path) -> tuple[Subject, np.ndarray, np.ndarray]:
    return all_rows("mnist", folder)


def dealt(data: str, folder: Path, rows: int, seed: int, registry: Registry) -> Subject:
    if data != "mnist":
        return of_table(data, folder, registry, seed)
    return divided(*images(folder), (rows // 2, rows // 4, rows // 4), seed)


def broken(subject: Subject, name: str, severity: float, seed: int, registry: Registry) -> Subject:
    fault = registry.faults[name]
    start = getattr(fault.mark, "starts_from", None)
    fields = [(registry.controls[start], {})] if start else []
    for marked, given in [*fields, (fault, {"severity": severity})]:
        given = {**given, "rng": generator(seed, marked.name, {})}
        now = fields_of(subject)

        def outcomes(names: list[str], now=now):  # type: ignore[no-untyped-def]
            return compute(registry, now, names, store=Store())

        subject = applied(marked, subject, given=given, fields=now, outcomes=outcomes)
    return subject


def verdicts(subject: Subject, seed: int, registry: Registry) -> dict[str, tuple[str, Measurement]]:
    found = compute(registry, fields_of(subject), list(CHECKS), store=Store(), seed=seed)
    said: dict[str, tuple[str, Measurement]] = {}
    for name in CHECKS:
        mark, value = registry.checks[name].mark, found[name].value
        assert isinstance(mark, CheckMark)
        assert mark.requires is not None
        assert isinstance(value, Measurement), found[name]
        said[name] = judge(value, mark.requires, mark.least).verdict, value
    return said


def simulated(rows: int, severity: float, rng: np.random.Generator) -> Measurement:
    looks = np.repeat(np.arange(10), rows)

    def labels() -> np.ndarray:
        other = rng.random(len(looks)) < 0.03
        return np.where(other, (looks + rng.integers(1, 10, len(looks))) % 10, looks)

    train, clean = labels(), labels()
    train[(looks == 0) & (rng.random(len(looks)) < severity)] = 1
    task = Task("multiclass", tuple("0123456789"))
    return targeted_flips({"train": looks, "clean": looks}, train, clean[:rows], clean[rows:], task)


def simulate(rows: int, sets: int, registry: Registry) -> None:
    mark = registry.checks["targeted_flips"].mark
    assert isinstance(mark, CheckMark)
    assert mark.requires is not None
    rng = np.random.default_rng(0)
    for severity in CASES["flips"][1]:
        found = [simulated(rows, severity, rng) for _ in range(sets)]
        said = [judge(each, mark.requires, mark.least).verdict for each in found]
        value = np.mean([each.value for each in found])
        print(
            f"{severity:5g} value {value:.3f} n {found[0].n}: fail {said.count('fail')} of {sets}, "
            f"pass {said.count('pass')}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], default=[])
    parser.add_argument("--data", choices=("mnist", "adult"), default="mnist")
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--rows", type=int, default=5_200)
    parser.add_argument("--folder", type=Path, default=Path("../shared/data"))
    parser.add_argument("--simulated", type=int, metavar="ROWS")
    given = parser.parse_args()
    registry = Registry.discover()
    if given.simulated:
        simulate(given.simulated, given.seeds, registry)
        return
    for case in given.cases or CASES:
        for severity in CASES[case][1] if CASES[case] else (0.0,):
            start = time.process_time()
            runs = []
            for seed in range(given.seeds):
                subject = dealt(given.data, given.folder, given.rows, seed, registry)
                subject = replace(subject, name=f"{given.data} {seed}")
                if CASES[case]:
                    subject = broken(subject, CASES[case][0], severity, seed, registry)
                runs.append(verdicts(subject, seed, registry))
            seconds = (time.process_time() - start) / given.seeds
            for name in CHECKS:
                said = [run[name][0] for run in runs]
                value = np.mean([run[name][1].value for run in runs])
                n = np.median([run[name][1].n for run in runs])
                fails = said.count("fail")
                low, high = clopper_pearson(fails, len(said))
                print(
                    f"{given.data:5} {case:20} {severity:5g} {name:15} value {value:6.3f} n {n:.0f}: fail {fails} of {len(said)} "
                    f"({low:.3f} to {high:.3f}), pass {said.count('pass')}; {seconds:.1f} s CPU each",
                    flush=True,
                )


if __name__ == "__main__":
    main()
