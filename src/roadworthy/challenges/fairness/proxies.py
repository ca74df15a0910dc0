"""Proxies: how well the other columns tell the sensitive attribute, together and one by one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy.challenges.fairness.rates import FEWEST
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import Cell, Measurement, Table
from roadworthy.statistics import GRID, clopper_pearson, largest_of, measured, percent, quantiles_on
from roadworthy.statistics.intervals import exact_limit

if TYPE_CHECKING:
    from roadworthy.subject import Column, Grouping, Roles

FOLDS = 3
MOST_ROWS = 12_000
MOST_TOLD = 8  # groups, the largest; each costs a set of trees
MOST_COLUMNS = 200  # looked at one by one
MOST_CATEGORIES = 255  # that boosting takes as such
UNIT = "share of the way from chance to certainty"

Told = Mapping[str, Mapping[str, Any]]  # Any: names, hits, sizes and columns, by those keys


@artifact(cost="training")
def attributes_told(
    train_groups: "Mapping[str, Grouping]",
    train_features: np.ndarray,
    roles: "Roles",
    rng: np.random.Generator,
    train_inputs: np.ndarray | None = None,
    columns: "tuple[Column, ...] | None" = None,
) -> Told:
    """How often other columns tell each sensitive attribute: a mapping of attribute to counts.

    `names`, `hits` and `sizes` are of the groups (at most the eight largest with 30 rows): rows that gradient
    boosting with groups weighed alike, fitted on the other two thirds of up to 12,000 training rows, puts into their own
    group. `columns` maps each other column to how far it gets alone (`distance_from_chance` of a tree on one half, scored on the
    other). All sensitive columns are left out of what it is told from.
    """
    seen = _other_columns(train_inputs, columns, train_features, roles)
    found: dict[str, dict[str, Any]] = {}  # Any: see `Told`
    for name, grouping in train_groups.items():
        large = [
            g for g in np.argsort(-grouping.sizes, kind="stable") if grouping.sizes[g] >= FEWEST
        ]
        large = large[:MOST_TOLD]
        if len(large) < 2:
            continue
        rows = rng.permutation(np.flatnonzero(np.isin(grouping.codes, large)))[:MOST_ROWS]
        code = np.full(len(grouping.names), -1)
        code[large] = np.arange(len(large))
        truth = code[grouping.codes[rows]]
        if np.bincount(truth, minlength=len(large)).min() < FOLDS:
            continue
        told = _cross_fitted(seen.values[rows], seen.is_category, truth, rng)
        alone = {
            column: _alone(seen.values[rows, j], truth, rng)
            for j, column in enumerate(seen.names[:MOST_COLUMNS])
        }
        found[name] = {
            "names": tuple(grouping.names[g] for g in large),
            "hits": np.bincount(truth[told == truth], minlength=len(large)),
            "sizes": np.bincount(truth, minlength=len(large)),
            "columns": alone,
        }
    if not found:
        raise NotApplicable(f"no attribute has two groups of at least {FEWEST} training rows")
    return found


@check(challenge="fairness", least=FEWEST)
def proxy_strength(attributes_told: Told) -> Measurement:
    """How well the sensitive attribute can be told from the other columns.

    Balanced accuracy of cross-fitted gradient boosting, on the scale from chance (0) to certainty (1). Leaving the
    attribute out hides it from the model only as far as this is near 0. Whoever can tell the group better than by chance
    can break the four-fifths rule without seeing it (Feldman et al. 2015, theorem 4.1); whether this model does, the
    gaps say. A weak learner misses proxies: it is a lower bound. A description; nothing is required of it.

    Unit: share of the way from chance to certainty. Qualified at: severity 0.2 of `proxy_column`, n = 1,000.
    Next: ask of each column that tells much alone whether the decision may rest on it.
    """
    found: list[Measurement] = []
    rows: list[tuple[Cell, ...]] = []
    columns: list[tuple[Cell, ...]] = []
    for name, told in attributes_told.items():
        found.append(distance_from_chance(told["hits"], told["sizes"]))
        limits = clopper_pearson(told["hits"], told["sizes"])
        rows += [
            (name, group, int(n), *(round(float(v), 4) for v in (h / n, low, high)))
            for group, h, n, low, high in zip(
                told["names"], told["hits"], told["sizes"], *limits, strict=True
            )
        ]
        best = sorted(told["columns"].items(), key=lambda item: -item[1])[:20]
        columns += [(name, column, round(far, 4)) for column, far in best]
    worst = max(range(len(found)), key=lambda a: found[a].value)
    told, name = list(attributes_told.values())[worst], list(attributes_told)[worst]
    alone = sorted(told["columns"].items(), key=lambda item: -item[1])[:3]
    said = ", ".join(f"{column} ({far:.2f})" for column, far in alone if far > 0)
    details = (
        f"The group by {name} is told from the other columns with a balanced accuracy of "
        f"{percent(float(np.mean(told['hits'] / told['sizes'])))}, where chance gives {percent(1 / len(told['sizes']))}."
        + (f" Alone tell most: {said}." if said else "")
    )
    header = ("attribute", "group", "rows", "told rightly", "low", "high")
    evidence = (
        Table("How often each group is told from the other columns", header, tuple(rows)),
        Table(
            "What single columns tell (0 chance, 1 certainty)",
            ("attribute", "column", "told by it alone"),
            tuple(columns),
        ),
    )
    return largest_of(found, details=details, evidence=evidence)


def distance_from_chance(hits: np.ndarray, sizes: np.ndarray) -> Measurement:
    """Return balanced accuracy on the scale from chance to certainty; limits of the groups' rates combined as squares.

    Zou & Donner (2008), with Clopper-Pearson limits.
    """
    rates, g = hits / sizes, len(sizes)

    def scaled(balanced: float) -> float:
        return (balanced - 1.0 / g) / (1.0 - 1.0 / g)

    def ends(probability: float) -> float:
        up = probability >= 0.5
        apart = exact_limit(hits, sizes, probability, upper=up) - rates
        reach = float(np.sqrt(np.sum(apart**2))) / g
        return scaled(float(rates.mean()) + (reach if up else -reach))

    return measured(
        scaled(float(rates.mean())),
        int(sizes.sum()),
        quantiles_on(GRID, ends),
        unit=UNIT,
        method="Clopper-Pearson limits of the groups combined as squares",
    )


@dataclass(frozen=True, eq=False)
class _Seen:
    """Columns that the attribute may be told from: values (n, d), names and kinds."""

    values: np.ndarray
    names: tuple[str, ...]
    is_category: np.ndarray


def _other_columns(
    inputs: np.ndarray | None,
    columns: "tuple[Column, ...] | None",
    features: np.ndarray,
    roles: "Roles",
) -> _Seen:
    if columns is None or inputs is None:
        names = tuple(f"component {j + 1}" for j in range(features.shape[1]))
        return _Seen(features.astype(np.float64), names, np.zeros(len(names), bool))
    kept = [j for j, c in enumerate(columns) if c.name not in roles.sensitive]
    if not kept:
        raise NotApplicable("all columns are sensitive attributes; there is none to tell them from")
    is_category = [
        columns[j].kind == "category" and len(columns[j].categories) <= MOST_CATEGORIES
        for j in kept
    ]
    return _Seen(inputs[:, kept], tuple(columns[j].name for j in kept), np.array(is_category))


def _cross_fitted(
    values: np.ndarray, is_category: np.ndarray, truth: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingClassifier

    kind: Any = HistGradientBoostingClassifier  # Any: its options are typed as text
    fold = np.empty(len(truth), np.int64)
    for g in np.unique(truth):
        rows = rng.permutation(np.flatnonzero(truth == g))
        fold[rows] = np.arange(len(rows)) % FOLDS
    told = np.empty(len(truth), np.int64)
    for k in range(FOLDS):
        inside, outside = fold != k, fold == k
        model = kind(
            max_iter=40,
            max_leaf_nodes=15,
            categorical_features=is_category if is_category.any() else None,
            class_weight="balanced",
            early_stopping=False,
            random_state=0,
        )
        told[outside] = model.fit(values[inside], truth[inside]).predict(values[outside])
    return told


def _alone(column: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> float:
    """Return how far from chance a small tree gets on half of the rows that it has not seen, at least 0."""
    from sklearn.tree import DecisionTreeClassifier

    half = rng.permutation(len(truth)) % 2 == 0
    if any(len(np.unique(truth[part])) < truth.max() + 1 for part in (half, ~half)):
        return 0.0
    values = np.where(np.isfinite(column), column, -1e9)[:, None]
    model: Any = DecisionTreeClassifier(  # Any: untyped
        max_leaf_nodes=32, min_samples_leaf=10, class_weight="balanced", random_state=0
    )
    told = model.fit(values[half], truth[half]).predict(values[~half])
    asked = truth[~half]
    recalls = [float(np.mean(told[asked == g] == g)) for g in range(int(truth.max()) + 1)]
    chance = 1.0 / len(recalls)
    return max((float(np.mean(recalls)) - chance) / (1.0 - chance), 0.0)
