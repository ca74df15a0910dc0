"""Whether an explanation names what the answer rests on: removing it must cost more than removing as much at random."""

from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtLeast, Axis, Curve, Intervals, Measurement, Series
from roadworthy.statistics import mean, smallest_of

if TYPE_CHECKING:
    from roadworthy.subject import Task

KINDS = ("deletion", "insertion")
DELETION, INSERTION, CHANCE = 0, 1, 2


@check(
    challenge="interpretability",
    requires=AtLeast(
        0.05,
        "house default: 5 points of probability better than chance, on average over the curve; no law names a number",
    ),
    least=200,
)
def attribution_faithfulness(
    test_faithfulness_curves: np.ndarray,
    removal_fillers: tuple[str, ...],
    attribution_method: str,
    task: "Task",
    test_explained_rows: np.ndarray,
    test_entities: np.ndarray | None = None,
) -> Measurement:
    """How much better the explanation finds what an answer rests on than chance does.

    Values are removed in the order in which the explanation names them (deletion), or shown in that order (insertion;
    Petsiuk, Das & Saenko 2018, section 4.2); a random order of the same row stands beside it. The gain is the difference of the
    areas. Removed values become the usual row, and once more a blurred image or another real row: an order that is good under one of
    them alone may be so because of it. The value is the smallest of the four gains: its lower limit is the smallest
    lower limit, its upper limit the smallest upper limit at a quarter of the error (Berger 1982; Bonferroni). Student's t
    over rows, entities kept together. Of a numeric target: in standard deviations of the answers.

    Unit: probability (standard deviations of a numeric answer).
    Qualified at: severity -0.15 of `orders_no_better_than_chance`, n = 200; passes from 200 rows where the gain is 0.15.
    Next: explain with the most faithful method for this model (`roadworthy fix --only most_faithful_attribution`). Where it is not decided though there are more rows, explain more of them (`--set explained_rows.most=1000`).
    """
    gains = gains_of(test_faithfulness_curves)  # (m, f, 2)
    if len(gains) == 0:
        raise NotApplicable("there are no test rows to explain")
    if test_faithfulness_curves.shape[-1] <= 2:
        raise NotApplicable(
            "an input has one position, so there is no order to be better than chance"
        )
    clusters = None if test_entities is None else test_entities[test_explained_rows]
    unit, most = ("probability", 1.0) if task.is_classification else (_DEVIATIONS, None)
    bounds = None if most is None else (-most, most)
    names = [f"{kind}, {filler}" for filler in removal_fillers for kind in KINDS]
    each = [mean(g, clusters, unit=unit, bounds=bounds) for g in gains.reshape(len(gains), -1).T]
    worst = int(np.argmin([m.value for m in each]))
    return smallest_of(
        each,
        unit=unit,
        details=f"Explained by {attribution_method.replace('_', ' ')}; the smallest gain is that of {names[worst]}.",
        evidence=(
            Intervals(
                title="Gain over a random order",
                label=Axis("curve, and what removed values become"),
                value=Axis("gain", unit),
                labels=tuple(names),
                values=tuple(m.value for m in each),
                lows=tuple(m.low for m in each),
                highs=tuple(m.high for m in each),
            ),
            *_drawn(test_faithfulness_curves, removal_fillers, unit),
        ),
    )


_DEVIATIONS = "standard deviations of the answers"


def gains_of(curves: np.ndarray) -> np.ndarray:
    """Return how much lower deletion and how much higher insertion lies than random orders, in area: (m, f, 2)."""
    areas = (curves[..., 1:-1].sum(-1) + (curves[..., 0] + curves[..., -1]) / 2) / (
        curves.shape[-1] - 1
    )
    areas = areas.astype(np.float64)
    chance = areas[..., CHANCE]
    return np.stack([chance - areas[..., DELETION], areas[..., INSERTION] - chance], axis=-1)


def _drawn(curves: np.ndarray, fillers: tuple[str, ...], unit: str) -> tuple[Curve, ...]:
    typical = curves.mean(axis=0, dtype=np.float64)  # (f, 3, k + 1)
    shares = tuple(round(float(x), 6) for x in np.linspace(0, 1, curves.shape[-1]))

    def series(name: str, heights: np.ndarray) -> Series:
        return Series(name, shares, tuple(round(float(y), 6) for y in heights))

    return tuple(
        Curve(
            title=f"What is left of the answer, removed values being {filler}",
            x=Axis("values removed (deletion) or shown (insertion)", "share"),
            y=Axis("of the answer", unit),
            series=(
                series("deletion", typical[f, DELETION]),
                series("insertion", typical[f, INSERTION]),
                series("removed at random", typical[f, CHANCE]),
            ),
        )
        for f, filler in enumerate(fillers)
    )
