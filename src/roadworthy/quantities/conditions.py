"""What can be said of a row in one phrase: the conditions that slices are made of.

Of a table a value of a category, or a quarter of the training rows by a number; of arrays and text (as arrays) the
cluster of the training rows that a row lies nearest to; of recorded predictions the groups that rows belong to.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import artifact
from roadworthy.errors import NotApplicable
from roadworthy.quantities.features import FIT_ROWS
from roadworthy.statistics.slices import Conditions

if TYPE_CHECKING:
    from roadworthy.subject import Column
    from roadworthy.subject.grouping import Grouping

PARTS = 4  # into which numbers are cut
FEW_VALUES = 8  # numbers that take no more are taken one by one
MOST_CATEGORIES = 64  # of one column, by frequency
ROWS_PER_CLUSTER = 200
FEWEST_CLUSTERS, MOST_CLUSTERS = 4, 20


@artifact()
def column_values(
    train_inputs: np.ndarray, columns: "tuple[Column, ...] | None" = None
) -> Mapping[str, np.ndarray]:
    """Return what each column is cut at, by its position as text: values, or edges of numbers.

    "3 values": (m,) the values that are taken one by one, codes of categories included; "3 edges": the quartiles of
    the training rows, each once. A part reaches from above one edge up to the next.
    """
    if not columns:
        raise NotApplicable("the inputs are no table, so they have no columns to cut")
    cuts: dict[str, np.ndarray] = {}
    for j, column in enumerate(columns):
        present = train_inputs[:, j][np.isfinite(train_inputs[:, j])]
        values, counts = np.unique(present, return_counts=True)
        if column.kind == "category":
            most = np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]
            cuts[f"{j} values"] = np.sort(values[most])
        elif len(values) <= FEW_VALUES:
            cuts[f"{j} values"] = values
        else:
            inner = np.arange(1, PARTS) / PARTS
            cuts[f"{j} edges"] = np.unique(np.quantile(present, inner, method="lower"))
    return cuts


@artifact(shape="k f")
def cluster_centres(
    train_features: np.ndarray,
    rng: np.random.Generator,
    columns: "tuple[Column, ...] | None" = None,
) -> np.ndarray:
    """Centres of clusters of the training rows, by model-free features: (k, f) float32.

    k-means (Lloyd 1982; Arthur & Vassilvitskii 2007 for its start) on at most 10,000 rows; one cluster for 200 rows, 4
    to 20. For arrays alone: the columns of a table say more than a cluster.
    """
    if columns:
        raise NotApplicable("a table is described by its columns, not by clusters")
    from sklearn.cluster import KMeans

    n = len(train_features)
    k = int(np.clip(n // ROWS_PER_CLUSTER, FEWEST_CLUSTERS, MOST_CLUSTERS))
    if n < 2 * k:
        raise NotApplicable(f"{n} training rows; {2 * k} are needed for {k} clusters")
    rows = np.sort(rng.permutation(n)[:FIT_ROWS])
    seed = int(rng.integers(2**31))
    fitted = KMeans(k, random_state=seed).fit(train_features[rows].astype(np.float64))
    # By size, the largest first: a number that means something.
    order = np.argsort(-np.bincount(np.asarray(fitted.labels_), minlength=k), kind="stable")
    return np.asarray(fitted.cluster_centers_)[order].astype(np.float32)


@artifact(per="split", shape="n", rows=True)
def clusters(features: np.ndarray, cluster_centres: np.ndarray) -> np.ndarray:
    """Cluster whose centre is nearest: (n,) int64, 0 the one with the most training rows."""
    squares = (cluster_centres.astype(np.float64) ** 2).sum(axis=1)
    return np.argmin(squares - 2.0 * features @ cluster_centres.T.astype(np.float64), axis=1)


@artifact(per="split", stored=False)
def conditions(
    columns: "tuple[Column, ...] | None" = None,
    inputs: np.ndarray | None = None,
    column_values: Mapping[str, np.ndarray] | None = None,
    clusters: np.ndarray | None = None,
    groups: "Mapping[str, Grouping] | None" = None,
) -> Conditions:
    """Return what is known of each row: the conditions that slices are made of.

    Sensitive attributes are among them, whether or not the model sees them.
    """
    found: list[tuple[str, np.ndarray, tuple[str, ...]]] = []
    if columns and inputs is not None and column_values is not None:
        for j, column in enumerate(columns):
            codes, values = _cut(inputs[:, j], column, j, column_values)
            found.append((column.name, codes, values))
    elif clusters is not None:
        k = int(clusters.max(initial=-1)) + 1
        found.append(("cluster", clusters, tuple(f"the cluster is {c}" for c in range(k))))
    known = {name for name, _, _ in found}
    for name, group in (groups or {}).items():
        if name not in known:
            phrases = tuple(f"{name} is {value}" for value in group.names)
            found.append((name, np.asarray(group.codes), phrases))
    if not found:
        raise NotApplicable(
            "nothing is known of the rows that slices could be made of: neither inputs nor groups; name "
            "groups with --sensitive COLUMN,COLUMN"
        )
    names, codes, values = zip(*found, strict=True)
    return Conditions(np.stack(codes, axis=1).astype(np.int64), names, values)


@artifact(per="split", shape="n", rows=True)
def second_half(source_rows: np.ndarray, content_hashes: np.ndarray | None = None) -> np.ndarray:
    """Whether a row is in the half that confirms what the other half offers: (n,) bool.

    By the contents of the row, so that its copies lie in the same half; by its place in the file where there are no contents.
    """
    if content_hashes is not None:
        return (content_hashes[:, 1] & np.uint64(1)).astype(bool)
    mixed = (source_rows.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    return ((mixed >> np.uint64(40)) & np.uint64(1)).astype(bool)


def _cut(
    column_of_inputs: np.ndarray, column: "Column", j: int, cuts: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the code of each row and a phrase for each code; the last two are of missing and of other values.

    A value that training rows lack is a condition of its own: it is where a model has learnt nothing.
    """
    present = np.isfinite(column_of_inputs)
    values = cuts.get(f"{j} values")
    if values is not None:
        codes = np.searchsorted(values, np.where(present, column_of_inputs, 0.0))
        codes = np.minimum(codes, len(values) - 1)
        known = present & (len(values) > 0)
        if len(values):
            known = known & (values[codes] == column_of_inputs)
        phrases = [f"{column.name} is {_spelled(column, value)}" for value in values]
    else:
        edges = cuts[f"{j} edges"]
        codes = np.searchsorted(edges, np.where(present, column_of_inputs, 0.0), side="left")
        known = present
        phrases = _parts(column.name, edges)
    phrases = [*phrases, f"{column.name} is missing"]
    codes = np.where(present, codes, len(phrases) - 1)
    if values is not None:
        codes = np.where(present & ~known, len(phrases), codes)
        most = f"{MOST_CATEGORIES} most frequent " if len(values) == MOST_CATEGORIES else ""
        phrases.append(f"{column.name} is none of the {most}training values")
    return codes, tuple(phrases)


def _spelled(column: "Column", value: float) -> str:
    return column.categories[int(value)] if column.kind == "category" else f"{value:g}"


def _parts(name: str, edges: np.ndarray) -> list[str]:
    if len(edges) == 0:
        return [f"any {name}"]
    between = [f"{name} above {low:g} to {high:g}" for low, high in pairwise(edges)]
    return [f"{name} at most {edges[0]:g}", *between, f"{name} above {edges[-1]:g}"]
