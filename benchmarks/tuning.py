"""Default settings, the best of a random search and the centre of the plateau that a guided search finds.

    OMP_NUM_THREADS=1 python benchmarks/tuning.py [DATA_FOLDER] [--only Adult] [--trials 16] [--seeds 3]

All searches see validation rows only and spend as many epochs. Each of the three recipes is then trained with
several seeds; differences are over the same test rows, with 95 % intervals over rows and seeds.
Of Adult 1,000 training and 500 validation rows are used, and 4,000 test rows.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from roadworthy.challenges.hyperparameters.answers import answers_of, errors_of
from roadworthy.challenges.hyperparameters.chance import Shift, shift_of
from roadworthy.challenges.hyperparameters.search import words_of
from roadworthy.challenges.hyperparameters.settings import with_setting
from roadworthy.engine import Registry, Store, compute
from roadworthy.subject import (
    DataOptions,
    Roles,
    Subject,
    builtin_subject,
    fields_of,
    subject_from_table,
)
from roadworthy.subject.table import table_from_arrow

SEARCHES = ("luckiest_setting", "tuned_setting")


def table(path: Path, roles: Roles) -> Subject:
    read = table_from_arrow(pq.read_table(path), path.name)
    return subject_from_table(read, DataOptions(roles, proof=0.0))


def adult(folder: Path) -> Subject:
    dropped = Roles(target="label", dropped=("income", "fnlwgt"))
    whole = table(folder / "tab_adult/adult.parquet", dropped)
    for name, n in (("train", 1_000), ("validation", 500), ("test", 4_000)):
        whole = whole.with_split(name, whole.splits[name].take(np.arange(n)))
    return whole


def pima(folder: Path) -> Subject:
    return table(folder / "tab_pima/pima.parquet", Roles(target="outcome"))


SUBJECTS: dict[str, Callable[[Path], Subject]] = {
    "digits": lambda folder: builtin_subject("digits"),
    "Pima": pima,
    "Adult": adult,
}


def compared(name: str, subject: Subject, trials: int, seeds: int) -> None:
    registry, fields, store = Registry.discover(), fields_of(subject), Store()
    repetitions = 4 * (trials - 3)
    options = {n: {"repetitions": repetitions} for n in ("searched_settings", "tuned_setting")}
    seconds: list[float] = []
    settings = []
    for search in SEARCHES:
        start = time.process_time()
        outcome = compute(registry, fields, [search], store=store, options=options)[search]
        seconds.append(time.process_time() - start)
        assert outcome.state == "done", outcome.traceback or outcome.reason
        settings.append(outcome.value)
    found = compute(registry, fields, ["trainer", "tuning_rows"], store=store, options=options)
    trainer, rows = found["trainer"].value, found["tuning_rows"].value
    recipes = [trainer.recipe, *(with_setting(trainer.recipe, each) for each in settings)]
    # Other seeds than that of the search, which chose by it.
    all_of = [replace(r, seed=r.seed + 100 + i) for r in recipes for i in range(seeds)]
    inputs, truth = subject.splits["test"].inputs, subject.splits["test"].target
    answers = answers_of(trainer, all_of, rows, inputs, is_class=True)
    errors = np.array([errors_of(a, truth, None) for a in answers]).reshape(3, seeds, -1)
    own, random, tuned = (float(each.mean()) for each in errors)
    print(f"{name:8s}{len(truth):7,d}{own:9.4f}{random:9.4f}{tuned:9.4f}  ", end="")
    print(said(shift_of(errors[0], errors[2])), said(shift_of(errors[1], errors[2])), end="")
    print(f"{seconds[0]:9.1f}{seconds[1]:9.1f}", flush=True)
    for search, setting in zip(("random", "tuned"), settings, strict=True):
        print(f"    {search}: {words_of({n: np.array([v]) for n, v in setting.items()}, 0)}")


def said(shift: Shift) -> str:
    return f"{shift.value:+.4f} [{shift.within(0.025):+.4f}, {shift.within(0.975):+.4f}]"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=tuple(SUBJECTS), default=tuple(SUBJECTS))
    given = parser.parse_args()
    print(f"{'':15s}{'default':>9s}{'random':>9s}{'tuned':>9s}", end="")
    print(f"{'default - tuned':>27s}{'random - tuned':>27s}{'CPU s, random, tuned':>24s}")
    for name in given.only:
        compared(name, SUBJECTS[name](given.data), given.trials, given.seeds)
