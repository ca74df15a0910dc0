"""Labels that are wrong: how many at least and at most, and which to look at first."""

from dataclasses import replace

import numpy as np

from roadworthy.challenges.data_quality.label_noise import (
    NoiseFit,
    confident_disagreement,
    fit_noise,
    noise_rate,
    suspicion,
)
from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Example, Examples, Measurement, Table
from roadworthy.subject import Task

SHOWN = 30
BOUND = AtMost(
    0.03, "Northcutt, Athalye & Mueller 2021: ten benchmark test sets have 3.3 % on average"
)


@check(challenge="data_quality", requires=BOUND, least=200, about=("train_labels",))
def label_errors_in_train(
    cross_fitted_probabilities: np.ndarray,
    train_labels: np.ndarray,
    task: Task,
    rng: np.random.Generator,
) -> Measurement:
    """Share of training labels that are wrong, between what is shown and what cannot be ruled out.

    Logistic regression and nearest neighbours, cross-fitted, say how likely each label is. How often
    labels contradict them more than their own calibrated confidence allows estimates the error rate
    (see `noise_rate`); a weak model widens the interval and does not raise the estimate. Errors that
    these models have learnt (a class always labelled as another) are invisible, and of errors that go from one class to one
    other a part is: with 40 % of a class of Adult relabelled as the other, 9.8 % of all, the interval ended at 7.7 % (`targeted_flips`
    asks for these). The list is for review: its length is no estimate.

    Unit: share of training labels. Qualified at: n = 5,000.
    Next: have the rows of review.csv labelled again by somebody who does not see the label; `roadworthy fix --reviewed FILE` acts on what was decided.
    """
    fit = fit_noise(cross_fitted_probabilities, train_labels, rng)
    ranking = suspicion(cross_fitted_probabilities.mean(axis=0), train_labels)
    return _measured(fit, train_labels, ranking, task, "train")


@check(challenge="data_quality", requires=BOUND, least=200, about=("test_labels",))
def label_errors_in_test(
    test_probabilities: np.ndarray,
    test_labels: np.ndarray,
    task: Task,
    rng: np.random.Generator,
) -> Measurement:
    """Share of test labels that are wrong, between what is shown and what cannot be ruled out.

    As `label_errors_in_train`, from the audited model's own probabilities, which have not seen the test
    labels. Never correct test labels with the audited model alone: what it gets wrong would then count as
    right (Northcutt et al. 2021 had each candidate judged by five people).

    Unit: share of test labels. Qualified at: n = 5,000.
    Next: have the listed rows labelled again by several people who see neither label nor prediction.
    """
    if len(np.unique(test_labels)) < 2 or len(test_labels) < 50:
        raise NotApplicable(
            f"{len(test_labels)} test rows of {len(np.unique(test_labels))} class(es); at least 50 rows of "
            "two classes are needed"
        )
    fit = fit_noise(test_probabilities[None], test_labels, rng)
    return _measured(fit, test_labels, suspicion(test_probabilities, test_labels), task, "test")


def _measured(
    fit: NoiseFit, labels: np.ndarray, ranking: np.ndarray, task: Task, split: str
) -> Measurement:
    found = noise_rate(fit, labels, unit=f"share of {split}{'ing' * (split == 'train')} labels")
    order = np.argsort(-ranking, kind="stable")[:SHOWN]
    others = fit.clean.copy()
    others[np.arange(len(labels)), labels] = -1
    guess = others.argmax(axis=1)
    examples = tuple(
        Example(
            split,
            int(r),
            f"labelled {task.classes[labels[r]]} ({fit.clean[r, labels[r]]:.1%} likely); "
            f"{task.classes[guess[r]]} is {fit.clean[r, guess[r]]:.1%} likely",
            float(ranking[r]),
        )
        for r in order
    )
    contradicted = fit.clean.argmax(axis=1) != labels
    hits, n = confident_disagreement(fit.clean, labels)
    unsure = float((1 - fit.clean.max(axis=1)).mean())
    table = Table(
        "What the estimate rests on",
        ("quantity", "value"),
        (
            ("most likely error rate", fit.rate),
            ("labels that the models contradict", int(contradicted.sum())),
            ("of these expected from the models' own errors", float(unsure * len(labels))),
            ("contradicted among the most confident half", f"{hits} of {n}"),
        ),
    )
    return replace(
        found,
        details=f"The models contradict {int(contradicted.sum())} of {len(labels)} labels and expect to "
        f"be wrong on {unsure * len(labels):.0f} themselves; most likely {fit.rate:.2%} of the labels "
        "are wrong.",
        evidence=(Examples("Labels to look at first", examples), table),
    )
