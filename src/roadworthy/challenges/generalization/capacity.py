"""Bias and variance of training: what another draw of rows and another seed change, and another width."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import hypot, sqrt
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Axis, Curve, Estimate, Measurement, Series, Table
from roadworthy.statistics import crossed_mean, limit, mean, percent, quantiles_on
from roadworthy.statistics.distributions import GRID

if TYPE_CHECKING:
    from roadworthy.subject import Task

UNIT = "share of the squared error of a constant answer"


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Squared error per row (n,), and the two parts that add up to it exactly.

    Parameters
    ----------
    error : (n,) ndarray
        Mean over trainings.
    bias : (n,) ndarray
        Squared distance of the mean answer from the target, noise of the target included; unbiased, so
        that a row's own may fall below 0.
    variance : (n,) ndarray
        Of the answers between trainings, by rows drawn and by seed together.
    of_seed : (n,) ndarray or None
        The part of the variance that the seed alone explains; None with one seed for each draw.
    """

    error: np.ndarray
    bias: np.ndarray
    variance: np.ndarray
    of_seed: np.ndarray | None


@artifact()
def guess_squared_error(
    train_labels: np.ndarray | None = None,
    train_targets: np.ndarray | None = None,
    task: "Task | None" = None,
) -> float:
    """Squared error of answering the training shares of the classes, or the training mean: the yardstick."""
    if train_labels is not None:
        c = 0 if task is None else len(task.classes)
        shares = np.bincount(train_labels, minlength=c) / max(len(train_labels), 1)
        scale = 1.0 - float(np.sum(shares**2))
    elif train_targets is not None:
        scale = float(train_targets.var())
    else:
        raise NotApplicable("the training rows have no target")
    if scale <= 0.0:
        raise NotApplicable("all training rows have the same target; there is nothing to learn")
    return scale


@check(
    challenge="generalization",
    requires=AtMost(0.1, "house default: a tenth of what a constant answer gets wrong"),
    least=50,
    cost="training",
)
def training_variance(
    retrained_answers: np.ndarray,
    guess_squared_error: float,
    bootstrap_share: float,
    test_labels: np.ndarray | None = None,
    test_targets: np.ndarray | None = None,
    compared_rows: np.ndarray | None = None,
) -> Measurement:
    """How much of the error is luck: answers that change when the model is trained again on like rows.

    The network is trained on rows drawn with replacement from the training rows, with several seeds. The squared error
    of its probabilities (numbers: of its answers) is exactly bias plus variance: what the mean answer gets
    wrong, and how far single trainings stray from it (Geman, Bienenstock & Doursat 1992, Neural Computation 4, section 2; rows drawn
    as in Breiman 1996, "Bias, variance, and arcing classifiers", section 2). Bias has the noise of the labels in it. In shares of what a constant answer gets wrong, so that
    classes and numbers are on one scale. Interval: over test rows, and over the draws by the jackknife. Of more than
    2,000 training rows each training gets 2,000: the variance is then at most this, and the interval reaches down to 0.

    Unit: share of the squared error of a constant answer.
    Qualified at: severity 0.2 of `answers_by_luck`, n = 1,000; passes from 500 rows.
    Next: average several trainings of the model (an ensemble), regularise it, or collect more rows.
    """
    truth = one_hot(test_labels, test_targets, compared_rows, retrained_answers.shape[-1])
    found = decomposed(retrained_answers, truth)
    d, s, n, _ = retrained_answers.shape
    scale = guess_squared_error
    by_rows = mean(found.variance / scale, unit=UNIT)
    draws = jackknife_error(retrained_answers) / scale
    fewer = bootstrap_share < 1.0
    of_draws = Estimate(0.0, draws, d - 1.0)

    def end(probability: float) -> float:
        away = hypot(
            limit(by_rows.distribution, probability) - by_rows.value, limit(of_draws, probability)
        )
        if probability < 0.5:
            return 0.0 if fewer else max(by_rows.value - away, 0.0)
        return by_rows.value + away

    distribution = quantiles_on(GRID, end)
    low, high = limit(distribution, 0.025), limit(distribution, 0.975)
    return Measurement(
        by_rows.value,
        low,
        high,
        n,
        UNIT,
        "t over rows, jackknife over draws",
        distribution,
        seeds=d * s,
        details=_words(found, scale, bootstrap_share, d, s),
    )


@check(challenge="generalization", cost="training")
def capacity_curve(
    retrained_answers: np.ndarray,
    other_width_answers: Mapping[str, np.ndarray],
    guess_squared_error: float,
    test_labels: np.ndarray | None = None,
    test_targets: np.ndarray | None = None,
    compared_rows: np.ndarray | None = None,
) -> Measurement:
    """How much lower the error would be if the network were twice as wide.

    The network is trained half as wide, as it is and twice as wide, on the same draws of rows with the same seeds. The curve
    shows the squared error and its two parts, see `training_variance`: where bias is most of it, the
    network holds too little or has learnt too little; where variance is, it holds too much for its rows. Wide networks often
    lower both (Neal et al. 2018, "A modern take on the bias-variance tradeoff in neural networks"). Interval: over test rows and
    trainings (Owen 2007, Annals of Applied Statistics 1).

    Unit: share of the squared error of a constant answer.
    Qualified at: a description; nothing is required of it.
    Next: where wider is better, widen the network; where narrower is as good, save the cost.
    """
    truth = one_hot(test_labels, test_targets, compared_rows, retrained_answers.shape[-1])
    answers = {"1": retrained_answers, **other_width_answers}
    ordered = {float(w): answers[w] for w in sorted(answers, key=float)}
    parts = {w: decomposed(a, truth) for w, a in ordered.items()}
    scale = guess_squared_error
    gain = (_errors(ordered[1.0], truth) - _errors(ordered[2.0], truth)) / scale
    levels = {w: crossed_mean(_errors(a, truth) / scale, unit=UNIT) for w, a in ordered.items()}
    said = ", ".join(f"{w:g} x {percent(level.value)}" for w, level in levels.items())
    found = crossed_mean(
        gain,
        unit=UNIT,
        details=f"Error by width, in shares of a constant answer's: {said}.",
        evidence=(_curve(parts, levels, scale), _table(parts, scale)),
    )
    return replace(found, seeds=gain.shape[0] * len(ordered))


def decomposed(answers: np.ndarray, truth: np.ndarray) -> Decomposition:
    """Divide the squared error of trainings into bias and variance, per row.

    With B the variance between the d draws (of means over seeds) and W the mean variance between the s
    seeds of a draw, a training has the variance B + (1 - 1 / s) W, and error = bias + variance holds
    exactly with bias = |mean answer - target|^2 - B / d, which is unbiased.

    Parameters
    ----------
    answers : (d, s, n, c) ndarray
    truth : (n, c) ndarray
        One where the label is, or numbers.
    """
    x = answers.astype(np.float64)
    s = x.shape[1]
    error = np.sum((x - truth) ** 2, axis=-1).mean(axis=(0, 1))
    between = x.mean(axis=1).var(axis=0, ddof=1).sum(axis=-1)
    within = x.var(axis=1, ddof=1).mean(axis=0).sum(axis=-1) if s > 1 else None
    variance = between if within is None else between + (1.0 - 1.0 / s) * within
    return Decomposition(error, error - variance, variance, within)


def jackknife_error(answers: np.ndarray) -> float:
    """Return the standard error of the mean variance over draws: each draw left out once (Tukey 1958)."""
    d = len(answers)
    truth = np.zeros(answers.shape[2:])
    left = [decomposed(np.delete(answers, i, axis=0), truth).variance.mean() for i in range(d)]
    return sqrt((d - 1) / d * float(np.sum((np.array(left) - np.mean(left)) ** 2)))


def one_hot(
    labels: np.ndarray | None, targets: np.ndarray | None, rows: np.ndarray | None, c: int
) -> np.ndarray:
    """Return what the answers should have been: (n, c), of these rows or all."""
    known = labels if labels is not None else targets
    if known is None:
        raise NotApplicable("the test rows have no target")
    known = known if rows is None else known[rows]
    if labels is None:
        return known[:, None].astype(np.float64)
    return (known[:, None] == np.arange(c)).astype(np.float64)


def _errors(answers: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the squared error of each training on each row: (d x s, n)."""
    error = np.sum((answers - truth) ** 2, axis=-1)
    return error.reshape(-1, error.shape[-1])


def _words(found: Decomposition, scale: float, share: float, d: int, s: int) -> str:
    error, variance = float(found.error.mean()), float(found.variance.mean())
    rows = "as many rows as there are" if share >= 1.0 else f"{percent(share)} of the rows"
    of_error = percent(variance / error if error > 0.0 else 0.0, 0)
    said = (
        f"{d} draws of {rows}, {s} seed(s) each: error {percent(error / scale)} of a constant answer's, "
        f"{percent(variance / scale)} of it variance ({of_error} of the error)."
    )
    if found.of_seed is not None and variance > 0.0:
        of_seed = percent(float(found.of_seed.mean()) / variance, 0)
        said += f" The seed alone explains {of_seed} of the variance."
    return said + (" With all training rows the variance is smaller." if share < 1.0 else "")


def _curve(
    parts: Mapping[float, Decomposition], levels: Mapping[float, Measurement], scale: float
) -> Curve:
    x = tuple(parts)
    return Curve(
        title="Error, bias and variance by width",
        x=Axis("width", "times the network's"),
        y=Axis("squared error", UNIT),
        series=(
            Series(
                "error",
                x,
                tuple(level.value for level in levels.values()),
                tuple(level.low for level in levels.values()),
                tuple(level.high for level in levels.values()),
            ),
            Series(
                "bias and noise of the target",
                x,
                tuple(float(p.bias.mean()) / scale for p in parts.values()),
            ),
            Series("variance", x, tuple(float(p.variance.mean()) / scale for p in parts.values())),
        ),
    )


def _table(parts: Mapping[float, Decomposition], scale: float) -> Table:
    rows = tuple(
        (width, *(float(v.mean()) / scale for v in (p.error, p.bias, p.variance)))
        for width, p in parts.items()
    )
    return Table("Parts of the error", ("width", "error", "bias and noise", "variance"), rows)
