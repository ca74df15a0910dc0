"""What is shown and said of rows of a table under attack."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.results import Axis, Bars, Curve, Example, Examples, Series
from roadworthy.statistics import clopper_pearson, percent

if TYPE_CHECKING:
    from roadworthy.perturbation.cascade import Outcomes
    from roadworthy.perturbation.cells import Cells

POINTS = 21  # of the curve
MOST_BARS, MOST_EXAMPLES = 12, 12


def words_of(outcomes: "Outcomes", cells: "Cells", fixed: Sequence[str], budget: str) -> str:
    """Say what was tried and what came of it."""
    n, wrong = len(outcomes), int((~outcomes.correct).sum())
    forward, backward = (outcomes.column(name).mean() for name in ("forward", "backward"))
    left_alone = f" Left alone: {', '.join(fixed)}." if fixed else ""
    coarse = int((cells.whole & (cells.up == 0) & (cells.down == 0)).sum())
    if coarse == 1:
        left_alone += " One column of whole numbers has a budget below one unit, or none."
    elif coarse:
        left_alone += f" {coarse} columns of whole numbers have budgets below one unit, or none."
    at_most = percent(int(outcomes.standing.sum()) / max(n, 1))
    blind = (
        "" if backward else " The model has no gradients, so it was attacked by its outputs alone."
    )
    return (
        f"An adversary who may change {cells.name} turns the answers of {int(outcomes.broken.sum())} of {n:,} rows; "
        f"{wrong} more were wrong without any change. So at most {at_most} withstand it.{left_alone} This is the least harm: the {budget} budget of attacks took {forward:,.0f} "
        f"passes forward and {backward:,.0f} backward per row, and a more patient adversary may find more.{blind}"
    )


def bars_of(used: np.ndarray, names: Sequence[str]) -> tuple[Bars, ...]:
    """Return in which share of the turned answers each column had to change; none where nothing turned."""
    broken = used[~np.isnan(used).any(axis=1)]
    if len(broken) == 0:
        return ()
    share = (broken != 0).mean(axis=0)
    order = [int(j) for j in np.argsort(-share, kind="stable")[:MOST_BARS] if share[j] > 0]
    return (
        Bars(
            "Columns that had to change in answers that turned",
            Axis("column"),
            Axis("changed", "share of turned answers"),
            tuple(names[j] for j in order),
            tuple(round(float(share[j]), 6) for j in order),
        ),
    )


def curve_of(outcomes: "Outcomes") -> Curve:
    """Return the share of rows for which no wrong answer was seen within a share of the budgets."""
    at = np.linspace(0.0, 1.0, POINTS)
    distance, n = outcomes.distance, len(outcomes)
    right = (distance[None, :] > at[:, None]).sum(axis=1)
    right[-1] = int(outcomes.standing.sum())
    band = clopper_pearson(right, np.full(POINTS, n))
    return Curve(
        title="Rows still answered right, by the share of every budget",
        x=Axis("share of the budgets"),
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


def examples_of(
    outcomes: "Outcomes", used: np.ndarray, positions: np.ndarray, names: Sequence[str]
) -> tuple[Examples, ...]:
    """Return the rows whose answers turn at the smallest change, with the columns that do it."""
    broken = np.flatnonzero(outcomes.broken)
    if len(broken) == 0:
        return ()
    distance = outcomes.distance
    first = broken[np.argsort(distance[broken], kind="stable")][:MOST_EXAMPLES]
    shown: list[Example] = []
    for row in first.tolist():
        moved = [names[j] for j in np.flatnonzero(used[row] != 0).tolist()]
        share = float(distance[row])
        size = "less than 1 %" if share < 0.01 else percent(share, 0)
        note = f"turned by {size} of the budget, by way of {', '.join(moved)}"
        score = round(1.0 - share, 6)
        shown.append(Example("test", int(positions[row]), note, score))
    return (Examples("Answers that turn at the smallest change", tuple(shown)),)


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(v), 6) for v in values)
