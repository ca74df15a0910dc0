"""Values that are missing more often for one label, or for one group of people, than for another."""

from collections.abc import Mapping

import numpy as np

from roadworthy.challenges.data_quality.duplicates import flat
from roadworthy.challenges.data_quality.one_column import classes_of
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Measurement, Table
from roadworthy.statistics import fact, largest_gap, largest_of
from roadworthy.subject import Attribute, Column, Task

FEWEST_ROWS = 30  # of a label or group
MOST_GROUPS = 12
UNIT = "share of values"


@artifact(shape="n d")
def train_missing(
    train_inputs: np.ndarray, columns: tuple[Column, ...] | None = None
) -> np.ndarray:
    """Whether each value of the training rows is missing: (n, d) bool; for arrays (n, 1), any of them."""
    missing = np.asarray(~np.isfinite(flat(train_inputs)))
    return missing if columns is not None else np.asarray(missing.any(axis=1, keepdims=True))


@check(
    challenge="data_quality",
    requires=AtMost(0.1, "house default: ten points of missing values"),
    least=60,
)
def missing_by_label(
    train_missing: np.ndarray,
    task: Task,
    train_labels: np.ndarray | None = None,
    train_targets: np.ndarray | None = None,
    columns: tuple[Column, ...] | None = None,
) -> Measurement:
    """Largest difference between labels in how often a column's value is missing.

    What is missing then tells the label: a model learns who was examined, not what was found (Little
    & Rubin 2019, 1.3: missing not at random). Labels with fewer than 30 training rows are left out. The interval
    inverts the test of "no two labels differ by more than d", and its lower end is corrected for the
    number of columns (Bonferroni). For a regression: targets above the median against the others.

    Unit: share of values. Qualified at: n = 3,000.
    Next: find out why the listed column is empty more often there, and record it or leave the column out.
    """
    labels = classes_of(train_labels, train_targets)
    names = task.classes or ("lower half of targets", "upper half of targets")
    return _largest(train_missing, {"label": (labels, names)}, columns)


@check(
    challenge="data_quality",
    requires=AtMost(0.1, "house default: ten points of missing values"),
    least=60,
)
def missing_by_group(
    train_missing: np.ndarray,
    train_sensitive: Mapping[str, Attribute],
    columns: tuple[Column, ...] | None = None,
) -> Measurement:
    """Largest difference between groups of people in how often a column's value is missing.

    A group about whom less is known is served worse, and imputation hides it. Each sensitive attribute
    with at most 12 groups; groups with fewer than 30 training rows are left out; a numeric attribute
    is cut at its median. Interval and correction as in `missing_by_label`, over attributes and columns.

    Unit: share of values. Qualified at: n = 3,000.
    Next: find out why less is recorded of the listed group, and collect what is missing.
    """
    groups = {name: _groups(attribute) for name, attribute in train_sensitive.items()}
    usable = {name: found for name, found in groups.items() if found is not None}
    if not usable:
        raise NotApplicable(
            f"no sensitive attribute has 2 to {MOST_GROUPS} groups of at least {FEWEST_ROWS} training rows"
        )
    # The attribute's own column says nothing about its groups: missing there is a group of nobody.
    return _largest(train_missing, usable, columns)


def _largest(
    missing: np.ndarray,
    groupings: Mapping[str, tuple[np.ndarray, tuple[str, ...]]],
    columns: tuple[Column, ...] | None,
) -> Measurement:
    names = [c.name for c in columns] if columns is not None else ["any value"]
    found: list[Measurement] = []
    rows: list[tuple[str, str, str, float, str, float]] = []
    usable = {by: (_large(codes), spelled) for by, (codes, spelled) in groupings.items()}
    usable = {by: found for by, found in usable.items() if len(found[0]) >= 2}
    if not usable:
        raise NotApplicable(
            f"a difference needs two labels or groups with at least {FEWEST_ROWS} training rows each"
        )
    for by, (large, spelled) in usable.items():
        codes = groupings[by][0]
        sizes = np.array([(codes == g).sum() for g in large])
        for j in np.flatnonzero(missing.any(axis=0)):
            if names[j] == by:
                continue
            hits = np.array([missing[codes == g, j].sum() for g in large])
            found.append(largest_gap(hits, sizes, unit=UNIT))
            shares = hits / sizes
            low, high = int(shares.argmin()), int(shares.argmax())
            rows.append(
                (names[j], by, spelled[large[high]], shares[high], spelled[large[low]], shares[low])
            )
    if not found:
        return fact(0.0, len(missing), unit=UNIT, details="No value is missing.")
    order = sorted(range(len(found)), key=lambda i: -found[i].value)
    worst = rows[order[0]]
    header = ("column", "by", "most missing for", "share", "least missing for", "share there")
    return largest_of(
        found,
        unit=UNIT,
        details=f"{worst[0]} is missing in {worst[3]:.1%} of the rows of {worst[2]} and in "
        f"{worst[5]:.1%} of those of {worst[4]} ({worst[1]}).",
        evidence=(Table("Missing values", header, tuple(rows[i] for i in order[:20])),),
    )


def _large(codes: np.ndarray) -> np.ndarray:
    present, counts = np.unique(codes[codes >= 0], return_counts=True)
    return present[counts >= FEWEST_ROWS]


def _groups(attribute: Attribute) -> tuple[np.ndarray, tuple[str, ...]] | None:
    values = attribute.values
    if attribute.names:
        groups = (values.astype(np.int64), attribute.names)
    else:
        present = values[np.isfinite(values)]
        if len(present) == 0:
            return None
        middle = float(np.median(present))
        codes = np.where(np.isfinite(values), (values > middle).astype(np.int64), -1)
        groups = (codes, (f"at most {middle:g}", f"above {middle:g}"))
    return groups if 2 <= len(_large(groups[0])) <= MOST_GROUPS else None
