"""Pseudo-labels: rows without a target join the training rows with the class that the model is sure of."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from roadworthy.errors import UserError
from roadworthy.training.jobs import Examples, Job

LEAST_TO_CALIBRATE = 20  # validation rows; with fewer a temperature follows luck
TINY = 1e-30


def with_pseudo_labels(job: Job, weights: Mapping[str, np.ndarray]) -> Examples | None:
    """Return the training rows and those without a target that a trained model is sure of.

    Lee 2013, "Pseudo-Label", with hard labels and one round. How sure the model says that it is is first corrected by one
    temperature fitted to the validation rows, where there are 20 or more: a network trained on few rows says .999 of
    everything and one with label smoothing .98 of nothing, and which rows are added would be the accident of that (Rizve et al.
    2021, ICLR, "In defense of pseudo-labeling", section 3). See `sure_rows` for which are taken. They weigh as much as
    the training rows of their class do on average. As a sham, copies of training rows are added in their place, as many
    in each class.

    Parameters
    ----------
    job : Job
        Its recipe says in `pseudo_labels` from which probability on the model is taken to be sure.
    weights : mapping of str to ndarray
        Trained on the training rows alone.

    Returns
    -------
    Examples or None
        None where the model is sure of no row.
    """
    from roadworthy.training.running import evaluate, load

    training, threshold = job.examples, job.recipe.pseudo_labels
    assert threshold is not None
    if training.target.dtype.kind == "f":
        raise UserError(
            "The recipe asks for pseudo-labels, but the target is a number: there is no class to be sure of. "
            "Take `pseudo_labels` out of the recipe."
        )
    if job.unlabelled is None or len(job.unlabelled) == 0:
        raise UserError(
            "The recipe asks for pseudo-labels, but there are no rows without a target. Give some as the split "
            "`unlabelled` (--unlabelled FILE, subject_from(unlabelled=...)), or take `pseudo_labels` out of the recipe."
        )
    module = load(job.network, weights, job.device)
    p = class_probabilities(evaluate(module, job.unlabelled, job.device))
    if job.validation is not None and len(job.validation.target) >= LEAST_TO_CALIBRATE:
        seen = class_probabilities(evaluate(module, job.validation.inputs, job.device))
        p = tempered(p, temperature_of(seen, job.validation.target))
    shares = np.bincount(training.target, minlength=p.shape[1]) / len(training.target)
    chosen = sure_rows(p, threshold, shares)
    if len(chosen) == 0:
        return None
    labels = p[chosen].argmax(axis=1).astype(training.target.dtype)
    inputs = job.unlabelled[chosen]
    if job.recipe.sham:
        inputs = training.inputs[_rows_of(labels, training.target, job.recipe.seed)]
    return joined(training, inputs, labels)


def sure_rows(p: np.ndarray, threshold: float, shares: np.ndarray) -> np.ndarray:
    """Return the rows to take: positions, in ascending order.

    A row whose greatest probability is at least `threshold` may be taken; of each class the surest ones, no more than its
    share among the training rows of all that may be taken, so that a class that the model prefers does not grow.

    Parameters
    ----------
    p : (n, c) ndarray
    threshold : float
    shares : (c,) ndarray
        Of the classes among the training rows.
    """
    confidence, label = p.max(axis=1), p.argmax(axis=1)
    sure = np.flatnonzero(confidence >= threshold)
    most = np.ceil(shares * len(sure) - 1e-9).astype(int)
    taken = [
        rows[np.argsort(-confidence[rows], kind="stable")][: most[code]]
        for code in range(p.shape[1])
        for rows in [sure[label[sure] == code]]
    ]
    return np.sort(np.concatenate(taken))


def temperature_of(p: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature with the least log loss (Guo et al. 2017, ICML), within a twentieth and 20."""
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        of_truth = tempered(p, float(np.exp(log_temperature)))[rows, labels]
        return -float(np.log(np.maximum(of_truth, TINY)).mean())

    most = np.log(20.0)
    found: Any = minimize_scalar(loss, bounds=(-most, most), method="bounded")  # Any: untyped
    return float(np.exp(found.x))


def tempered(p: np.ndarray, temperature: float) -> np.ndarray:
    """Return probabilities (n, c) whose logits are divided by a temperature."""
    logits = np.log(np.maximum(p, TINY)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def class_probabilities(outputs: np.ndarray) -> np.ndarray:
    """Return probabilities (n, c) float64 of raw outputs: logits, or probabilities already."""
    import torch

    from roadworthy.training.objective import gives_probabilities, with_classes

    given = torch.from_numpy(outputs).double()
    known = gives_probabilities(given.reshape(len(given), -1))
    return with_classes(given, probabilities=known)[:, 0].softmax(dim=-1).numpy()


def joined(training: Examples, inputs: np.ndarray, target: np.ndarray) -> Examples:
    """Return training rows and further ones, which weigh as those of their class do on average.

    To which group the further ones belong is not known.
    """
    weights = training.row_weights
    if weights is not None:
        weights = np.concatenate([weights, _usual_weights(training.target, weights, target)])
        weights = weights / weights.mean()
    groups = training.row_groups
    if groups is not None:
        unknown = np.full((len(target), groups.shape[1]), -1, groups.dtype)
        groups = np.concatenate([groups, unknown])
    return Examples(
        np.concatenate([training.inputs, inputs.astype(training.inputs.dtype, copy=False)]),
        np.concatenate([training.target, target]),
        weights,
        groups,
    )


def _usual_weights(target: np.ndarray, weights: np.ndarray, of: np.ndarray) -> np.ndarray:
    if target.dtype.kind == "f":
        return np.full(len(of), weights.mean())
    usual = {code: weights[target == code].mean() for code in np.unique(of)}
    return np.array([usual[code] for code in of])


def _rows_of(labels: np.ndarray, target: np.ndarray, seed: int) -> np.ndarray:
    """Draw a training row of each of these classes, with replacement."""
    rng = np.random.default_rng(seed)
    return np.array([rng.choice(np.flatnonzero(target == label)) for label in labels])
