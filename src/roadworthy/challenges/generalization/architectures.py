"""The subject's architecture beside others that are trained alike, on the same rows with the same seeds."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from roadworthy.challenges.generalization.checks import intervals_of
from roadworthy.challenges.generalization.folds import merits
from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import Axis, Intervals, Measurement
from roadworthy.statistics import crossed_mean, largest_of, percent

OWN = "model under audit"


@check(challenge="generalization", cost="training")
def architectures_compared(
    architecture_answers: Mapping[str, np.ndarray],
    architecture_rows: np.ndarray,
    train_inputs: np.ndarray,
    compared_rows: np.ndarray,
    test_labels: np.ndarray | None = None,
    test_targets: np.ndarray | None = None,
    guess_error: float | None = None,
    simple_test_merits: Mapping[str, np.ndarray] | None = None,
) -> Measurement:
    """How much better the best of the other architectures does than this one, trained alike.

    The network as it is, half and twice as wide, the default network for this kind of data, and simple models, all trained on the
    same rows (of more than 2,000, on 2,000, without the simple models, which had more), networks with three seeds or more.
    Differences on the same test rows; interval over rows and trainings (Owen 2007, Annals of Applied Statistics 1), and
    corrected for having picked the best (Bonferroni). Negative: none is better.

    Unit: share of rows (regression: share of the error of answering the median).
    Qualified at: a description; nothing is required of it.
    Next: where another is clearly better, take it, or the cheapest of those that are as good.
    """
    truth = test_labels if test_labels is not None else test_targets
    if truth is None:
        raise NotApplicable("the test rows have no target")
    truth = truth[compared_rows]
    found = {
        name: merits(answers, truth, guess_error).astype(np.float64)
        for name, answers in architecture_answers.items()
    }
    s = len(found[OWN])
    if simple_test_merits is not None and len(architecture_rows) == len(train_inputs):
        for name, merit in simple_test_merits.items():
            found[name] = np.tile(merit[compared_rows].astype(np.float64), (s, 1))
    if len(found) < 2:
        raise NotApplicable(
            "there is no other architecture to compare with: this network cannot be built at another width"
        )
    unit = (
        "share of rows" if test_labels is not None else "share of the error of answering the median"
    )
    levels = {name: crossed_mean(m, unit=unit) for name, m in found.items()}
    differences = {
        name: crossed_mean(merit - found[OWN], unit=unit)
        for name, merit in found.items()
        if name != OWN
    }
    said = ", ".join(f"{name} {percent(level.value)}" for name, level in levels.items())
    best = largest_of(
        list(differences.values()),
        unit=unit,
        details=f"Trained on {len(architecture_rows):,} rows with {s} seeds: {said}.",
        evidence=(
            intervals_of("Architectures on test rows", "architecture", levels),
            _beside(differences, unit),
        ),
    )
    return replace(best, seeds=s)


def _beside(differences: Mapping[str, Measurement], unit: str) -> Intervals:
    found = tuple(differences.values())
    return Intervals(
        title="Ahead of the model under audit",
        label=Axis("architecture"),
        value=Axis("difference", unit),
        labels=tuple(differences),
        values=tuple(m.value for m in found),
        lows=tuple(m.low for m in found),
        highs=tuple(m.high for m in found),
        reference=0.0,
    )
