"""Hidden zeros of Pima Indians Diabetes: found by column, against the published counts.

Run: python benchmarks/pima_zeros.py [DATA_FOLDER]
"""

import sys
from pathlib import Path

from roadworthy.challenges.data_quality.codes import codes_in
from roadworthy.challenges.data_quality.faults.natural import hidden_zeros_of_pima
from roadworthy.challenges.data_quality.faults.rows import pooled_inputs

PUBLISHED = {"glucose": 5, "blood_pressure": 35, "skin_thickness": 227, "insulin": 374, "bmi": 11}

if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")
    subject = hidden_zeros_of_pima(folder).subject
    inputs = pooled_inputs(subject)
    print(f"{'column':16s} {'zeros':>6s} {'published':>10s} {'found':>6s}  others found")
    for j, column in enumerate(subject.columns):
        found = codes_in(inputs[:, j])
        zeros = sum(code.rows for code in found if code.value == 0)
        others = ", ".join(f"{c.value:g} ({c.rows})" for c in found if c.value != 0)
        there = int((inputs[:, j] == 0).sum())
        print(
            f"{column.name:16s} {there:6d} {PUBLISHED.get(column.name, 0):10d} {zeros:6d}  {others}"
        )
