"""Leaks of UCI Adult: 26 test rows that are in training, and a column that is the label in words.

Run: OMP_NUM_THREADS=1 python benchmarks/adult_leakage.py [DATA_FOLDER]
"""

import sys
import time
from pathlib import Path

from roadworthy.challenges.data_quality.faults.natural import (
    income_among_the_inputs_of_adult,
    test_rows_of_adult_in_training,
)
from roadworthy.engine import Registry, Store, compute
from roadworthy.statistics import judge
from roadworthy.subject import Subject, fields_of


def measured(subject: Subject, check: str) -> None:
    registry = Registry.discover()
    start = time.process_time()
    outcome = compute(registry, fields_of(subject), [check], store=Store(None))[check]
    seconds = time.process_time() - start
    verdict = judge(outcome.value, registry.checks[check].mark.requires).verdict
    m = outcome.value
    print(f"{check}: {verdict}, {m.value:.5f} [{m.low:.5f}, {m.high:.5f}], CPU {seconds:.2f} s")
    print(f"  {m.details}")


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")
    leaked = test_rows_of_adult_in_training(folder)
    print(f"truth: {leaked.where}")
    measured(leaked.subject, "exact_duplicates_across_splits")
    told = income_among_the_inputs_of_adult(folder)
    print(f"truth: {told.where}")
    measured(told.subject, "single_column_leakage")
    print("without income:")
    measured(leaked.subject, "single_column_leakage")
