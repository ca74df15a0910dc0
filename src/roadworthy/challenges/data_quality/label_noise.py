"""How many labels are wrong, from probabilities that may be weak: a likelihood with a floor.

A confident model contradicts some labels. Which of them are errors and which are the model's own cannot be
told one by one, and their count is no rate: on clean labels a model of 77 % accuracy contradicts a tenth
of them. What can be told is how often labels contradict the model *more than its own calibrated confidence
allows*.
"""

from dataclasses import dataclass

import numpy as np

from roadworthy.results import Measurement
from roadworthy.statistics.distributions import GRID, quantiles_on
from roadworthy.statistics.intervals import exact_limit
from roadworthy.statistics.rates import measured

LEAST_PROBABILITY = 1e-8
MOST_ROWS = 20_000
MOST_RATE = 0.5
MISREAD = 0.6  # times the square of the models' own error: rows misread with full confidence
CONFIDENT = 0.5  # share of the rows of each predicted class
WRONG_OF_CONTRADICTED = 0.2  # 54 of 706 in CIFAR-10, 15 of 87 in MNIST (verified by five people)

_FINE_RATES = (0.0, 1e-4, 3e-4, *(i / 1000 for i in range(1, 11)), 0.0125, 0.015, 0.0175)
_COARSE_RATES = (0.02, 0.025, 0.03, 0.035, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.125, 0.15, 0.2)
RATES = np.array([*_FINE_RATES, *_COARSE_RATES, 0.25, 0.3, 0.4, 0.5])


@dataclass(frozen=True, eq=False)
class NoiseFit:
    """A calibrated model of the true labels and the likelihood of the error rate.

    Parameters
    ----------
    clean : (n, c) ndarray
        Probability of each true class, at the most likely error rate.
    rate : float
        The most likely error rate.
    rates, deviance : (m,) ndarray
        Twice the log likelihood lost at each rate against the best, weights refitted.
    """

    clean: np.ndarray
    rate: float
    rates: np.ndarray
    deviance: np.ndarray


def fit_noise(probabilities: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> NoiseFit:
    """Fit P(label) = (1 - e) q(label) + e (1 - q(label)) / (c - 1), with q a calibrated pool of models.

    q is proportional to the product of the models' probabilities, each to a power that is fitted: scaling by
    temperature where there is one model (Guo et al. 2017). The floor e is the error rate (Copas
    1988, J. R. Stat. Soc. B 50, 225-265: contaminated logistic regression), profiled on a grid.

    Parameters
    ----------
    probabilities : (k, n, c) ndarray
        Of k models that have not seen these labels.
    labels : (n,) int64 ndarray
    """
    from scipy.interpolate import PchipInterpolator

    logs = np.log(np.clip(probabilities, LEAST_PROBABILITY, 1.0))
    rows = rng.permutation(len(labels))[:MOST_ROWS]
    classes = probabilities.shape[2]
    most = min(MOST_RATE, (classes - 1) / classes)  # beyond it a label says more of other classes
    grid = RATES[most >= RATES]
    powers = np.full(len(logs), 0.5)
    losses = np.empty(len(grid))
    fitted: list[np.ndarray] = []
    for i, e in enumerate(grid):
        losses[i], powers = _profiled(logs[:, rows], labels[rows], float(e), powers)
        fitted.append(powers)
    fine = np.unique(np.concatenate([np.linspace(0, 0.05, 1001), np.linspace(0, grid[-1], 1001)]))
    loss = np.asarray(PchipInterpolator(grid, losses)(fine))
    best = int(loss.argmin())
    nearest_rate = int(np.abs(grid - fine[best]).argmin())
    clean = pooled(logs, fitted[nearest_rate])
    return NoiseFit(clean, float(fine[best]), fine, 2 * (loss - loss[best]))


def noise_rate(fit: NoiseFit, labels: np.ndarray, *, unit: str) -> Measurement:
    """Share of labels that are wrong, with an interval that is wide where the model cannot tell.

    Lower end: profile likelihood, less what the models may misread with full confidence: 0.6 times the
    square of their own error rate (chosen on CIFAR-10 with features that see 35 % of it right and on German
    credit: with 25 % errors of its own a model may misread 3 %, with 3 % next to none). Upper end: the larger of the profile likelihood's and the
    Clopper-Pearson limit of the disagreement among the most confident half of the rows of each predicted
    class: errors that follow the class (cats labelled dogs) are learnt by the models and leave the floor
    where it is, but lower the agreement among confident rows (anchor points: Liu & Tao 2016). Real errors
    crowd on unclear rows, so a fifth of the contradicted labels among the others is added.
    """
    from scipy.special import ndtri

    hits, n = confident_disagreement(fit.clean, labels)
    elsewhere = int((fit.clean.argmax(axis=1) != labels).sum()) - hits
    unclear = WRONG_OF_CONTRADICTED * elsewhere / len(labels)
    misread = MISREAD * float((1 - fit.clean.max(axis=1)).mean()) ** 2

    def ends(probability: float) -> float:
        within = fit.rates[fit.deviance <= max(float(ndtri(probability)) ** 2, 1e-9)]
        if probability < 0.5:
            return max(0.0, float(within.min()) - misread)
        confident = float(exact_limit(hits, n, probability, upper=True))
        return max(float(within.max()), confident + unclear, fit.rate)

    return measured(
        fit.rate,
        len(labels),
        quantiles_on(GRID, ends),
        unit=unit,
        method="profile likelihood, widened by what the model cannot tell",
    )


def confident_disagreement(clean: np.ndarray, labels: np.ndarray) -> tuple[int, int]:
    """Count the labels other than predicted among the most confident half of each predicted class."""
    predicted, confidence = clean.argmax(axis=1), clean.max(axis=1)
    chosen: list[np.ndarray] = []
    for c in np.unique(predicted):
        rows = np.flatnonzero(predicted == c)
        kept = int(np.ceil(CONFIDENT * len(rows)))
        chosen.append(rows[np.argsort(-confidence[rows], kind="stable")[:kept]])
    rows = np.concatenate(chosen)
    return int((predicted[rows] != labels[rows]).sum()), len(rows)


def suspicion(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return how suspect each label is, for ranking: (n,) float64, larger is worse.

    The best other class's probability less twice the label's own: the sum of the normalised margin (better
    where errors follow the class) and of self-confidence (better where they do not). In
    `benchmarks/label_errors.py` it ranks planted errors best or second best, and weak models' human errors
    between the two.

    >>> suspicion(np.array([[0.7, 0.2, 0.1]]), np.array([1])).round(2).tolist()
    [0.3]
    """
    rows = np.arange(len(labels))
    own = probabilities[rows, labels]
    others = probabilities.copy()
    others[rows, labels] = -1
    return others.max(axis=1) - 2 * own


def pooled(logs: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """Return the normalised product of the models' probabilities, each to its power: (n, c)."""
    weighed = np.tensordot(powers, logs, axes=1)
    weighed -= weighed.max(axis=1, keepdims=True)
    exponentials = np.exp(weighed)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _profiled(
    logs: np.ndarray, labels: np.ndarray, rate: float, start: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return the least loss at this error rate and the powers that reach it."""
    from scipy.optimize import minimize

    rows = np.arange(len(labels))
    spread = rate / (logs.shape[2] - 1)
    own = logs[:, rows, labels]  # (k, n)

    def loss(powers: np.ndarray) -> tuple[float, np.ndarray]:
        clean = pooled(logs, powers)
        q = np.maximum(clean[rows, labels], 1e-15)
        slope = 1 - rate - spread
        seen = slope * q + spread
        mean = np.einsum("knc,nc->kn", logs, clean)
        return -float(np.log(seen).sum()), -(slope * q / seen * (own - mean)).sum(axis=1)

    bounds = [(0.0, 10.0)] * len(start)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.fun), np.asarray(found.x)
