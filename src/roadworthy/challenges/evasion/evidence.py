"""What is shown and said of rows under attack."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np

from roadworthy.challenges.evasion.attacking import ball_of, budget_of
from roadworthy.challenges.evasion.doubts import masks_undone
from roadworthy.results import Axis, Curve, Evidence, Example, Examples, Series, Table
from roadworthy.statistics import clopper_pearson, percent

if TYPE_CHECKING:
    from roadworthy.perturbation.budgets import AttackBudget
    from roadworthy.perturbation.cascade import Outcomes

POINTS = 21  # of the curve
MOST_EXAMPLES = 12
CHANGES = {"linf": "each value by at most", "l2": "all values together by a length of at most"}


def words_of(
    outcomes: "Outcomes", threat: Mapping[str, object], budget: str, conduct: Mapping[str, object]
) -> str:
    """Say what was tried and what came of it."""
    low, high, eps = (float(cast(float, threat[name])) for name in ("low", "high", "eps"))
    attacked = int(outcomes.attacked.sum())
    wrong = int((outcomes.attacked & ~outcomes.correct).sum())
    broken = int(outcomes.broken.sum())
    how = CHANGES[str(threat["norm"])]
    rest = "" if attacked == len(outcomes) else f" (of {len(outcomes):,}, chosen by their names)"
    if eps == 0:
        return (
            f"The threat allows no change at all: {wrong} of {attacked:,} rows{rest} are answered wrongly as they are. "
            "Name a size above 0 to have the model attacked."
        )
    forward = np.nansum(outcomes.column("forward")) / attacked
    backward = np.nansum(outcomes.column("backward")) / attacked
    blind = (
        ""
        if conduct.get("gradients", True)
        else " The model has no gradients, so it was attacked by its outputs alone, which finds less."
    )
    redrawn = (
        " The model answers at random: the search follows the mean over draws, other draws confirm what it finds, and a row "
        "counts as turned where the mean over fresh ones is wrong."
        if conduct.get("redrawn", False)
        else ""
    )
    undone = "".join(f" {sentence}" for sentence in masks_undone(conduct))
    return (
        f"Changing {how} {eps:.3g} (inputs run from {low:g} to {high:g}) turns the answers of {broken} of {attacked:,} "
        f"rows{rest}; {wrong} more {'was' if wrong == 1 else 'were'} wrong without any change. So at most "
        f"{percent(1 - (broken + wrong) / attacked)} withstand it: the {budget} budget of attacks took {forward:,.0f} passes "
        f"forward and {backward:,.0f} backward per row, and a more patient adversary may find more.{blind}{redrawn}{undone}"
    )


def evidence_of(
    outcomes: "Outcomes", threat: Mapping[str, object], budget: str, conduct: Mapping[str, object]
) -> tuple[Evidence, ...]:
    """Return accuracy by distance, what each attack broke, and the rows that turn most easily."""
    return (
        accuracy_by_distance(outcomes, threat),
        attacks_in_order(outcomes, threat, budget, conduct),
        *nearest_rows(outcomes, threat),
    )


def accuracy_by_distance(outcomes: "Outcomes", threat: Mapping[str, object]) -> Curve:
    """Return the share of rows for which no wrong answer was seen so near, up to the size of the threat."""
    eps = float(cast(float, threat["eps"]))
    at = np.linspace(0.0, eps, POINTS)
    distance = outcomes.distance[outcomes.attacked]
    n = len(distance)
    right = (distance[None, :] > at[:, None]).sum(axis=1)
    right[-1] = int(outcomes.standing.sum())
    band = clopper_pearson(right, np.full(POINTS, n))
    return Curve(
        title="Rows still answered right, by the size of the change",
        x=Axis(ball_of(threat).name.split()[0] + " change", "unit of the inputs"),
        y=Axis("still right (at most)", "share of test rows"),
        series=(
            Series(
                "attacked rows",
                x=_rounded(at),
                y=_rounded(right / n),
                low=_rounded(band.low),
                high=_rounded(band.high),
            ),
        ),
    )


def attacks_in_order(
    outcomes: "Outcomes", threat: Mapping[str, object], budget: str, conduct: Mapping[str, object]
) -> Table:
    """Return each attack with the rows that it was tried on and those that it broke."""
    chosen = budget_of(cast("AttackBudget", budget), threat, conduct)
    standing = int(outcomes.correct.sum())
    by = outcomes.column("attack")
    escalated = bool((by >= len(chosen.first)).any())
    rows: list[tuple[str, int, int]] = []
    for position, attack in enumerate(chosen.every if escalated else chosen.first):
        broken = int((by == position).sum())
        rows.append((attack.name, standing, broken))
        standing -= broken
    return Table("Attacks, in their order", ("attack", "rows tried", "rows broken"), tuple(rows))


def nearest_rows(outcomes: "Outcomes", threat: Mapping[str, object]) -> tuple[Examples, ...]:
    """Return the rows whose answers turn at the smallest change."""
    broken = np.flatnonzero(outcomes.broken)
    if len(broken) == 0:
        return ()
    distance = outcomes.distance
    first = broken[np.argsort(distance[broken], kind="stable")][:MOST_EXAMPLES]
    eps = float(cast(float, threat["eps"]))
    return (
        Examples(
            "Answers that turn at the smallest change",
            tuple(
                Example(
                    "test",
                    int(row),
                    f"turned by a change of {distance[row]:.3g} (allowed: {eps:.3g})",
                    round(float(1.0 - distance[row] / eps), 6),
                )
                for row in first
            ),
        ),
    )


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(v), 6) for v in values)
