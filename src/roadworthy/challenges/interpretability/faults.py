"""Explanations with known flaws: recorded trials with a known mean, and a network whose weights do not decide."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable
from roadworthy.subject import Network

if TYPE_CHECKING:
    from torch import nn

    from roadworthy.subject import Subject

IDEAL_GAIN = 0.25
BETTER = 0.05  # by which the other curves lie better than the worst
TOGETHER = 6.0  # a + b of the Beta law of a row
MISSED, KEPT = 0.5, 0.001  # share of the sum
ROUNDS = 20  # until three conditions hold together
LEAST_VALUES = 24  # of an input, so that the likeness of two rankings is what theory says


@control(clears="attribution_faithfulness")
def orders_that_find_what_counts(
    subject: "Subject", rng: Generator, test_faithfulness_curves: np.ndarray
) -> "Subject":
    """Freeze curves whose gains over chance are 25 points of probability on average, more in some rows than in others."""
    return _with_gains(subject, rng, test_faithfulness_curves, IDEAL_GAIN)


@fault(
    breaks="attribution_faithfulness",
    severities=(0.2, 0.15, 0.1, 0.05, 0.0, -0.05, -0.1, -0.15),
    starts_from="orders_that_find_what_counts",
)
def orders_no_better_than_chance(
    subject: "Subject", severity: float, rng: Generator, test_faithfulness_curves: np.ndarray
) -> "Subject":
    """Freeze curves whose gain over chance is s on average, at the worst of the four curves.

    The others lie 5 points better. A row's gain is its own (a Beta law), and the same for all of its curves but for that.

    Ideal: 0.25
    """
    if severity == IDEAL_GAIN:
        return subject
    return _with_gains(subject, rng, test_faithfulness_curves, severity)


@fault(breaks="attribution_faithfulness", severities=(1.0,), truth=False)
def explained_by_chance(subject: "Subject", severity: float, rng: Generator) -> "Subject":
    """Explain with random numbers in place of a method (severity 1); the model stays as it is."""
    del rng
    return subject if severity == 0.0 else subject.with_given(attribution_method="chance")


@control(clears="incomplete_attributions")
def sums_that_are_met(
    subject: "Subject", rng: Generator, test_attribution_incompleteness: np.ndarray
) -> "Subject":
    """Freeze attributions that are off by a thousandth of what they promise to sum to."""
    del rng
    off = np.full(len(test_attribution_incompleteness), KEPT, np.float32)
    return subject.with_given(test_attribution_incompleteness=off)


@fault(
    breaks="incomplete_attributions",
    severities=(0.0125, 0.025, 0.05, 0.1, 0.2),
    starts_from="sums_that_are_met",
)
def sums_that_are_missed(
    subject: "Subject", severity: float, rng: Generator, test_attribution_incompleteness: np.ndarray
) -> "Subject":
    """Let each row miss its sum by half, with probability s."""
    if severity == 0.0:
        return subject
    hit = rng.random(len(test_attribution_incompleteness)) < severity
    off = np.where(hit, np.float32(MISSED), test_attribution_incompleteness)
    return subject.with_given(test_attribution_incompleteness=off)


@control(clears="attribution_stability")
def explanations_that_stay(
    subject: "Subject", rng: Generator, test_stability_correlations: np.ndarray
) -> "Subject":
    """Freeze explanations that are the same with a little noise."""
    del rng
    return subject.with_given(test_stability_correlations=np.ones(len(test_stability_correlations)))


@fault(
    breaks="attribution_stability",
    severities=(0.95, 0.85, 0.7, 0.55, 0.4),
    starts_from="explanations_that_stay",
)
def explanations_that_waver(
    subject: "Subject", severity: float, rng: Generator, test_stability_correlations: np.ndarray
) -> "Subject":
    """Let the explanation of each row keep a likeness of its own, s on average (a Beta law from -1 to 1)."""
    if severity >= 1.0:
        return subject
    drawn = _beta(rng, (severity + 1) / 2, len(test_stability_correlations))
    return subject.with_given(test_stability_correlations=2 * drawn - 1)


@control(clears="attribution_sanity")
def answers_that_weights_decide(subject: "Subject", rng: Generator) -> "Subject":
    """Put a linear network with random weights in place of the model, and rows that lie a step to either side of the middle.

    Every value of a row lies as far from the reference as the others, so that attributions are weights with signs, and
    those of a network with scrambled weights have nothing to do with them. Labels and other splits stay.
    """
    return _with_weights(subject, rng, 0.0)


@fault(
    breaks="attribution_sanity",
    severities=(0.05, 0.1, 0.2, 0.3, 0.4, 0.6),
    starts_from="answers_that_weights_decide",
)
def answers_that_weights_do_not_decide(
    subject: "Subject", severity: float, rng: Generator
) -> "Subject":
    """Let a part of the linear network be fixed, so that explanations stay as alike as s when its weights are scrambled.

    Weight and fixed part are normal; with the share r of the variance being fixed, Spearman's correlation of d values is on average
    6 / (pi (d + 1)) (arcsin r + (d - 2) arcsin(r / 2)) (Moran 1948), which is solved for r.
    """
    return subject if severity == 0.0 else _with_weights(subject, rng, severity)


def fixed_share(likeness: float, values: int) -> float:
    """Return the share of the variance that must be fixed for this mean rank correlation of so many values."""
    low, high = 0.0, 1.0
    for _ in range(50):
        share = (low + high) / 2
        found = (
            6 / (np.pi * (values + 1)) * (np.arcsin(share) + (values - 2) * np.arcsin(share / 2))
        )
        low, high = (share, high) if found < likeness else (low, share)
    return (low + high) / 2


def _with_gains(subject: "Subject", rng: Generator, curves: np.ndarray, worst: float) -> "Subject":
    m, fillers, _, steps = curves.shape
    gain = _beta(rng, worst + 0.5, m) - 0.5  # (m,), -0.5 to 0.5
    others = np.full((fillers, 2), BETTER)
    others[rng.integers(fillers), rng.integers(2)] = 0.0
    gains = gain[:, None, None] + others  # (m, f, 2)
    found = np.empty((m, fillers, 3), np.float64)
    found[..., 0], found[..., 1], found[..., 2] = 0.5 - gains[..., 0], 0.5 + gains[..., 1], 0.5
    frozen = np.repeat(found[..., None], steps, axis=3)
    return subject.with_given(test_faithfulness_curves=frozen)


def _beta(rng: Generator, average: float, size: int) -> np.ndarray:
    return rng.beta(TOGETHER * average, TOGETHER * (1 - average), size)


def _with_weights(subject: "Subject", rng: Generator, likeness: float) -> "Subject":
    inputs = subject.splits["test"].inputs
    if inputs is None or subject.modality != "array" or not subject.task.is_classification:
        raise NotApplicable("a linear network is put on arrays with classes alone")
    d, c = int(np.prod(inputs.shape[1:])), len(subject.task.classes)
    if d < LEAST_VALUES:
        raise NotApplicable(f"inputs have {d} values, too few for a likeness that is known")
    share = fixed_share(likeness, d)
    fixed = _apart(rng.normal(size=(c, d)))
    free = _apart(rng.normal(size=(c, d)), fixed)
    # What all classes share does not count in a score. As much of it as chance leaves in scrambled weights, or these would count
    # for less than the trained ones.
    free = np.sqrt(1 - 1 / c) * free + np.sqrt(1 / c) * rng.normal(size=d)
    weights = {
        "head.weight": np.sqrt((1 - share) / (1 - 1 / c)) * free,
        "fixed": np.sqrt(share) * fixed,
    }
    found = replace(
        subject.with_inputs("test", _steps(rng, len(inputs), inputs.shape[1:])),
        network=Network(_PartlyFixed(d, c), "a linear network, partly fixed"),
        weights={name: value.astype(np.float32) for name, value in weights.items()},
        predictor=None,
    )
    kept = {k: v for k, v in subject.given.items() if k not in ("weights", "predictor")}
    middle = np.zeros((1, *inputs.shape[1:]), np.float32)
    sample = _steps(rng, 64, inputs.shape[1:])
    given = {**kept, "attribution_reference": {"point": middle, "sample": sample}}
    return replace(found, given={**given, "attribution_method": "deeplift"})


def _apart(values: np.ndarray, other: np.ndarray | None = None) -> np.ndarray:
    """Return numbers of mean 0 over the classes and mean square 1 over the values, each class without chance correlation with `other`.

    So the likeness of this one network is that of all.
    """
    for _ in range(ROUNDS):
        if other is not None:
            values = values - other * (values * other).mean(axis=1, keepdims=True)
        values = values - values.mean(axis=0)
        values = values / np.sqrt(np.square(values).mean(axis=1, keepdims=True))
    return values


def _steps(rng: Generator, n: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.where(rng.random((n, *shape)) < 0.5, -1.0, 1.0).astype(np.float32)


@dataclass(frozen=True)
class _PartlyFixed:
    """The factory of the module."""

    values: int
    classes: int

    def __call__(self) -> "nn.Module":
        from roadworthy.challenges.interpretability.partly_fixed import PartlyFixed

        return PartlyFixed(self.values, self.classes)
