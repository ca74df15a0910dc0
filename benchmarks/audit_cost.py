"""What an audit costs: CPU seconds and peak memory of whole commands, one thread.

Prints help, the quick audit of digits (cold, then with everything in the store) beside the bare
imports of the libraries it stands on, and the quick and the standard audit of Adult with a model
trained. Bars: help under 0.5 s without torch; digits under 60 s; the second audit under 2 s beyond
imports, with nothing recomputed; Adult under 3 minutes quick, 15 standard, and under 2 GB.

    python benchmarks/audit_cost.py [FOLDER OF DATA SETS]
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

IMPORTS = (
    "import torch, numpy, scipy.stats, sklearn.linear_model, sklearn.ensemble, altair, vl_convert,"
    " pyarrow.parquet, pydantic, rich, typer, jinja2"
)
OUTPUT = "output.txt"
ADULT = "--target label --sensitive sex,race --split split --drop income,fnlwgt"


@dataclass(frozen=True)
class Cost:
    """Of one command: CPU and wall seconds, peak memory in MB."""

    cpu: float
    wall: float
    memory: float


def cost(command: list[str], folder: Path) -> Cost:
    """Run a command on one thread and return what it took."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=(folder / OUTPUT).open("w"),
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 1, 2), f"{' '.join(command)} ended with {code}"
    wall = time.perf_counter() - started
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def counts(output: Path) -> str:
    """Return the line of an audit's output that says what it computed and what it kept."""
    return next(line for line in output.read_text("utf-8").splitlines() if "computed" in line)


def main() -> None:
    """Print the table."""
    data = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data").resolve()
    roadworthy = [sys.executable, "-m", "roadworthy"]
    digits = [*roadworthy, "audit", "digits", "--profile", "quick", "-q"]
    row = "{:<34} {:>8} {:>8} {:>8}  {}"
    print(row.format("command", "CPU s", "wall s", "MB", ""))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def show(title: str, found: Cost, note: str = "") -> None:
            numbers = (f"{found.cpu:.2f}", f"{found.wall:.1f}", f"{found.memory:.0f}")
            print(row.format(title, *numbers, note), flush=True)

        show("roadworthy --help", cost([*roadworthy, "--help"], folder), "bar 0.5")
        imports = cost([sys.executable, "-c", IMPORTS], folder)
        show("imports alone", imports)
        show(
            "audit digits, quick, cold", cost(digits, folder), f"bar 60; {counts(folder / OUTPUT)}"
        )
        warm = cost(digits, folder)
        note = f"{warm.cpu - imports.cpu:.2f} beyond imports, bar 2; {counts(folder / OUTPUT)}"
        show("audit digits, quick, again", warm, note)
        adult = data / "tab_adult" / "adult.parquet"
        if adult.is_file():
            command = [*roadworthy, "audit", "--data", str(adult), *ADULT.split(), "-q"]
            for profile, bar in (("quick", 180), ("standard", 900)):
                found = cost([*command, "--profile", profile, "--store", profile], folder)
                show(f"audit Adult, 48,842 rows, {profile}", found, f"bars {bar} CPU, 2000 MB")
        else:
            print(f"no Adult at {adult}: skipped")


if __name__ == "__main__":
    main()
