"""What the engine costs beyond the functions it runs: CPU time per trivial node, cold and warm.

    python benchmarks/engine_overhead.py [--nodes 300] [--profile cold|warm]

Each row is a process of its own (its import is not counted, reading bytecode is), best of three,
process CPU time. Cold: computed and written, with fsync. Warm: everything is in the store. A third
of both is reading the bytecode of functions that this process has not met before: 2 microseconds
an operation, so a check of 40 lines costs 0.3 ms more, once. A Measurement with a curve of 50
points costs its JSON on top. Last: what a call costs in a process that has made four before, in
memory, as a self-test makes thousands.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from roadworthy.engine import Registry, Store, compute

BAR_MS = {"cold": 1.0, "warm": 0.3}

HEAD = """
from roadworthy.engine import artifact, check
from roadworthy.results import Axis, Curve, Estimate, Measurement, Series

def helper(x):
    return x + 1

"""
BODIES = {
    "number": "return float(helper(x{i}[0]))",
    "array": "return helper(x{i})",
    "measurement": """points = tuple(float(v) for v in x{i}[:50])
    curve = Curve("c", Axis("x"), Axis("y"), (Series("s", points, points),))
    return Measurement(0.1, 0.0, 0.2, 30, "share", "t", Estimate(0.1, 0.02), evidence=(curve,))""",
}


def source(kind: str, nodes: int) -> str:
    """Return a module of trivial nodes: one field each, so that no two are alike."""
    functions = (
        f"@artifact()\ndef a{i}(x{i}):\n    {BODIES[kind].format(i=i)}\n" for i in range(nodes)
    )
    return HEAD + "\n".join(functions)


def chain(nodes: int) -> str:
    """Return a module in which each node needs the one before."""
    functions = (
        f"@artifact()\ndef a{i}({f'a{i - 1}' if i else 'x0'}):\n    return a{i - 1} + {i}.0\n"
        if i
        else "@artifact()\ndef a0(x0):\n    return x0\n"
        for i in range(nodes)
    )
    return HEAD + "\n".join(functions)


def measure(kind: str, nodes: int, store: Path | None, calls: int = 1) -> float:
    """Return the CPU milliseconds per node of the last of some calls in this process."""
    text = chain(nodes) if kind == "chain" else source(kind, nodes)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "checks.py"
        file.write_text(text)
        registry = Registry.discover(plugins=[str(file)])
    fields = {f"x{i}": np.full(100, i, float) for i in range(nodes)}
    names = [f"a{i}" for i in range(nodes)]
    for _ in range(calls):
        start = time.process_time()
        found = compute(registry, fields, names, store=Store(store))
        seconds = time.process_time() - start
    assert all(o.state == "done" for o in found.values())
    return seconds / nodes * 1e3


def in_a_process(kind: str, nodes: int, store: Path | None, calls: int) -> float:
    """Measure in a process of its own."""
    given = json.dumps([kind, nodes, str(store) if store else None, calls])
    out = subprocess.run(
        [sys.executable, __file__, "--measure", given], capture_output=True, text=True, check=True
    )
    return float(out.stdout)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, default=300)
    parser.add_argument("--profile", choices=("cold", "warm"))
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        kind, nodes, store, calls = json.loads(given.measure)
        print(measure(kind, nodes, Path(store) if store else None, calls))
        return
    if given.profile:
        profile(given.profile, given.nodes)
        return
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {given.nodes} nodes")
    print(
        f"{'CPU ms per node':<28}{'cold':>8}{'warm':>8}   bar {BAR_MS['cold']} / {BAR_MS['warm']}"
    )
    for kind in (*BODIES, "chain"):
        cold, warm = [], []
        for _ in range(3):
            with tempfile.TemporaryDirectory() as folder:
                cold.append(in_a_process(kind, given.nodes, Path(folder) / "store", 1))
                warm.append(in_a_process(kind, given.nodes, Path(folder) / "store", 1))
        held = min(cold) < BAR_MS["cold"] and min(warm) < BAR_MS["warm"]
        # A curve of a hundred numbers is not trivial: it is shown, and no bar is set for it.
        said = "" if kind == "measurement" else "held" if held else "MISSED"
        print(f"{kind:<28}{min(cold):>8.3f}{min(warm):>8.3f}   {said}")
    for kind in ("number", "measurement"):
        again = min(in_a_process(kind, given.nodes, None, 5) for _ in range(3))
        print(f"{kind + ', fifth, in memory':<28}{again:>8.3f}")


def profile(what: str, nodes: int) -> None:
    """Print where the time goes."""
    import cProfile
    import pstats

    with tempfile.TemporaryDirectory() as folder:
        if what == "warm":
            measure("number", nodes, Path(folder) / "store")
        profiler = cProfile.Profile()
        profiler.runcall(measure, "number", nodes, Path(folder) / "store")
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
