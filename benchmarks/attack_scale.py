"""Ten thousand rows under attack: memory against the number of rows, and a run that is killed half-way.

    OMP_NUM_THREADS=1 python benchmarks/attack_scale.py [--rows 1000 2000 5000 10000] [--data DATA] [--cache FOLDER]

For each number of rows a process of its own attacks so many MNIST test rows, drawn at random, with the quick budget and says its peak
memory. (The first test rows are easier to turn than the last: fewer stand in a shard, which is what the peak follows.) Then the largest is begun anew, killed with SIGKILL after six tenths of its time, and begun again: the outcomes must be the same, and only what was
missing computed.
"""

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

STANDARD = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
EPS = 0.1
ALL = 10_000  # test rows


def attack(rows: int, data: Path, cache: Path, store: Path, out: Path) -> None:
    from evasion_cells import Cell, subject_of

    from roadworthy.engine import Registry, Store, compute
    from roadworthy.perturbation.cascade import Outcomes
    from roadworthy.procedures.stored import STORED
    from roadworthy.subject import fields_of

    subject = subject_of(Cell("MNIST, plain", "mnist", "linf", EPS, ALL), data, cache)
    drawn = np.sort(np.random.default_rng(0).permutation(ALL)[:rows])
    subject = subject.with_split("test", subject.splits["test"].take(drawn))
    options = {
        "attack_threat": {"eps": EPS},
        "test_attacked_rows": {"most": rows},
        "attacked_rows": {"most": rows},
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    found = compute(
        Registry.discover(),
        fields_of(subject),
        ["test_attack_outcomes"],
        store=Store(store, records=STORED),
        options=options,
    )["test_attack_outcomes"]
    seconds = time.process_time() - began
    if found.state != "done":
        raise SystemExit(f"{found.state}: {found.reason}\n{found.traceback}")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    table = np.asarray(found.value)
    np.save(out, table)
    outcomes = Outcomes(table)
    print(
        f"{int(outcomes.attacked.sum()):>7,} rows: {outcomes.standing.mean():6.1%} stand, {seconds:7.1f} s CPU, "
        f"peak {after / 1024:6.0f} MB (before the attack {before / 1024:.0f} MB)",
        flush=True,
    )


def run(rows: int, asked: argparse.Namespace, store: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, __file__, "--alone", str(rows), str(store), str(out)]
    command += ["--data", str(asked.data), "--cache", str(asked.cache)]
    return subprocess.Popen(command)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, nargs="*", default=[1000, 2000, 5000, 10000])
    parser.add_argument("--alone", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("ROADWORTHY_DATA", STANDARD))
    )
    parser.add_argument("--cache", type=Path, default=Path(".roadworthy") / "evasion")
    asked = parser.parse_args()
    if asked.alone:
        rows, store, out = asked.alone
        attack(int(rows), asked.data, asked.cache, Path(store), Path(out))
        return
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        most, took = max(asked.rows), 0.0
        for rows in asked.rows:
            began = time.monotonic()
            if run(rows, asked, place / f"store-{rows}", place / f"{rows}.npy").wait():
                raise SystemExit(1)
            took = max(took, time.monotonic() - began)
        store = place / "killed"
        process = run(most, asked, store, place / "again.npy")
        time.sleep(0.6 * took)
        process.send_signal(signal.SIGKILL)
        process.wait()
        print("killed after six tenths of that time; begun again:", flush=True)
        if run(most, asked, store, place / "again.npy").wait():
            raise SystemExit(1)
        same = np.array_equal(
            np.load(place / "again.npy"), np.load(place / f"{most}.npy"), equal_nan=True
        )
        print(f"the same outcomes after the kill: {same}")
        if not same:
            raise SystemExit(1)


if __name__ == "__main__":
    main()
