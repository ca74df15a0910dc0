"""Adult by age, under and over 40: a gap of odds that `roadworthy fix` closes and confirms on sealed rows.

    cd benchmarks/fairness_fix
    roadworthy fix subject.py --profile standard --only equalized_odds_penalty

The published training rows train the dense network of `fairness_remedies.py`; half of the published test rows are sealed. Bounds that
whoever wants equal odds has to give up stand in roadworthy.toml beside this file, with the reason. The data are read from
the folder of data sets (ROADWORTHY_DATA, or shared/data beside the checkout).
"""

import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq

from roadworthy.subject import DataOptions, Network, Roles, Subject, subject_from_table
from roadworthy.subject.table import table_from_arrow

BENCHMARKS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(BENCHMARKS))

from fairness_remedies import RECIPE, Dense  # noqa: E402

DATA = Path(os.environ.get("ROADWORTHY_DATA", BENCHMARKS.parent.parent / "shared" / "data"))


def subject() -> Subject:
    """Return Adult with age as the sensitive attribute."""
    table = pq.read_table(DATA / "tab_adult" / "adult.parquet").drop_columns(["fnlwgt", "income"])
    options = DataOptions(Roles(target="label", sensitive=("age",)), split="split", proof=0.5)
    read = subject_from_table(table_from_arrow(table, "adult"), options)
    columns = list(enumerate(read.columns))
    numeric = tuple(j for j, column in columns if column.kind == "numeric")
    sizes = tuple((j, len(c.categories)) for j, c in columns if c.kind == "category")
    network = Network(partial(Dense, numeric, sizes), "dense 64-32")
    return replace(read, name="adult by age", network=network, recipe=RECIPE)
