"""Whether gradients lead attacks astray: then rows stand that no one has really attacked."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.evasion.attacking import Attacking, Threatened, ball_of
from roadworthy.challenges.evasion.doubts import (
    hidden_rows,
    is_surely_more,
    masks_that_hide,
    masks_undone,
)
from roadworthy.engine import artifact, check, control, fault
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Measurement, Table
from roadworthy.statistics import clopper_pearson, percent, rate

if TYPE_CHECKING:
    from roadworthy.subject import Network, Predictor, Subject, Task

Threat = Mapping[str, object]
Conducted = Mapping[str, object]

FLAT, SATURATED = 0.05, 0.5  # shares of rows; beyond, gradients say too little of too many
LEVEL = 0.95
SEVERITIES = (0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.4)
AIDED, BY_FAR, UNAIDED = 4, 5, 6  # positions of columns


@artifact(rows=True, cost="attack")
def test_masking_signs(
    predictor: "Predictor",
    task: "Task",
    output_kind: str,
    test_attacked_inputs: np.ndarray,
    test_attacked_labels: np.ndarray,
    test_attacked_ids: np.ndarray,
    attack_threat: Threat,
    attack_conduct: Conducted,
    attack_seed: int,
) -> np.ndarray:
    """Signs of masked gradients on each attacked row: (m, k) float64, columns as in `perturbation.masking.COLUMNS`."""
    if not attack_conduct.get("gradients", True):
        raise NotApplicable("the model has no gradients, so nothing can mask them")
    from roadworthy.perturbation.masking import signs

    rows = Threatened(test_attacked_inputs, test_attacked_labels, test_attacked_ids, attack_seed)
    with Attacking(predictor, task, output_kind, attack_conduct).model() as attacked:
        points = rows.points()
        return signs(attacked.hastened(points, ()), points, ball_of(attack_threat))


@artifact()
def attack_doubts(
    test_masking_signs: np.ndarray, attack_conduct: Conducted, gradient_doubts: tuple[str, ...]
) -> tuple[str, ...]:
    """Reasons to doubt what attacks along gradients leave standing, in sentences: with one of them nothing passes.

    Those of `gradient_doubts`, and masking that attacks undo: they know of it, and cannot know that it is all there is.
    Where something is undone, the search that needs no gradients goes on longer (`perturbation.budgets.LONGER`).
    """
    from roadworthy.perturbation.masking import Signs

    found = Signs(test_masking_signs)
    aided, unaided = found.column("by_many_steps"), found.column("by_unaided_steps")
    return (*gradient_doubts, *masks_that_hide(attack_conduct, aided, unaided))


@artifact()
def gradient_doubts(test_masking_signs: np.ndarray, attack_conduct: Conducted) -> tuple[str, ...]:
    """Signs that gradients lead attacks astray, in sentences; none where nothing speaks against them.

    After the list of Carlini et al. (2019, "On evaluating adversarial robustness", section 4) and Athalye, Carlini & Wagner (2018, section 3.1).
    Where there is one, rows that stand are attacked by the whole protocol.
    """
    from roadworthy.perturbation.masking import Signs

    found = Signs(test_masking_signs)
    n = len(found.column("flat"))
    if n == 0:
        return ()
    flat, saturated = int(found.column("flat").sum()), int(found.column("saturated").sum())
    one, many = found.column("by_one_step"), found.column("by_many_steps")
    doubts: list[str] = []
    if clopper_pearson(flat, n, LEVEL).low > FLAT:
        doubts.append(
            f"the gradient is exactly 0 on {flat} of {n} rows ({percent(flat / n)}), so nothing leads an attack there"
        )
    if clopper_pearson(saturated, n, LEVEL).low > SATURATED:
        doubts.append(
            f"the model is so sure that the loss of {saturated} of {n} rows ({percent(saturated / n)}) is exactly 0 in "
            "float32: its logits are too large for attacks on cross-entropy"
        )
    if is_surely_more(one & ~many, many & ~one):
        doubts.append(
            f"one step breaks {int(one.sum())} rows and ten steps {int(many.sum())}: more steps do worse, so the "
            "gradients mislead"
        )
    stands = int((~found.column("by_far")).sum())
    if clopper_pearson(stands, n, LEVEL).low > TOLERATED.bound:
        doubts.append(
            f"{stands} of {n} rows ({percent(stands / n)}) stand against changes of half the range, which turn any input "
            "into even grey: the attack fails, the model does not withstand it"
        )
    if attack_conduct.get("random", False):
        doubts.append(
            "the model answers the same row differently from call to call; the mean over several calls was attacked"
        )
    return tuple(doubts)


TOLERATED = AtMost(
    0.1,
    "house default: of rows that stand within half the range, where every answer can be turned, or that stand only as "
    "long as nothing is undone, so many show that attacks fail",
)


@check(challenge="evasion", requires=TOLERATED, least=50)
def masked_gradients(test_masking_signs: np.ndarray, attack_conduct: Conducted) -> Measurement:
    """Share of rows that stand because gradients fail, not because the model withstands.

    Rows answered right of two kinds. Twenty steps along the gradient of the margin cannot turn them within half the range of the inputs, where each can be made even
    grey (Athalye, Carlini & Wagner 2018, section 3.1, "unbounded attacks do not reach 100 % success"); a model that ignores its inputs stands so too.
    Or, where that is more than luck, ten steps within the threat turn them once what hides gradients is undone (large logits are divided, as after defensive distillation, Carlini & Wagner 2016;
    rounding is passed straight through), and do not as the model is. It is no robustness: defences of both kinds were broken by attacks that do not need these gradients.

    Unit: share of rows answered right.
    Qualified at: severity 0.2 of `gradients_that_fail`, n = 200.
    Next: do not believe robust accuracies of this model that others measured; find the step that hides gradients (rounding, saturation, large logits, noise) and leave it out, or attack by the mean or straight through.
    """
    from roadworthy.perturbation.masking import COLUMNS, Signs

    found = Signs(test_masking_signs)
    aided, unaided = found.column("by_many_steps"), found.column("by_unaided_steps")
    hidden = hidden_rows(aided, unaided)
    stands = ~found.column("by_far") | hidden
    if len(stands) == 0:
        raise NotApplicable("no attacked row is answered right, so none can stand")
    words = {
        "flat": "gradient exactly 0",
        "saturated": "loss exactly 0 in float32",
        "by_one_step": "turned by one step",
        "by_many_steps": "turned by ten steps",
        "by_far": "turned within half the range",
        "by_unaided_steps": "turned by ten steps that undo no masking",
    }
    table = Table(
        title="What gradients say of rows that are answered right",
        header=("sign", "share of rows"),
        rows=tuple((words[name], float(found.column(name).mean())) for name in COLUMNS[1:]),
    )
    measured = rate(int(stands.sum()), len(stands), unit="share of rows answered right")
    said = masks_undone(attack_conduct)
    if said:
        said = (
            *said,
            f"Within the threat ten steps turn {int(aided.sum())} of {len(aided)} rows with that undone, and "
            f"{int(unaided.sum())} of the model as it is"
            + (
                f": {int(hidden.sum())} rows stand only because gradients are hidden."
                if hidden.any()
                else "."
            ),
        )
    return replace(measured, details=" ".join(said), evidence=(table,))


@control(clears="masked_gradients")
def gradients_that_lead(
    subject: "Subject", rng: Generator, test_masking_signs: np.ndarray
) -> "Subject":
    """Freeze signs in which every row falls within half the range, and nothing is hidden, as on an undefended network."""
    del rng
    found = test_masking_signs.copy()
    found[:, BY_FAR] = 1.0
    found[:, UNAIDED] = found[:, AIDED]
    return subject.with_given(test_masking_signs=found)


@fault(breaks="masked_gradients", severities=SEVERITIES, starts_from="gradients_that_lead")
def gradients_that_fail(
    subject: "Subject", severity: float, rng: Generator, test_masking_signs: np.ndarray
) -> "Subject":
    """Let each row stand within half the range with probability s."""
    if severity == 0.0:
        return subject
    found = test_masking_signs.copy()
    found[:, BY_FAR] = (rng.random(len(found)) >= severity).astype(float)
    return subject.with_given(test_masking_signs=found)


@fault(breaks="masked_gradients", severities=SEVERITIES, starts_from="gradients_that_lead")
def gradients_that_hide(
    subject: "Subject", severity: float, rng: Generator, test_masking_signs: np.ndarray
) -> "Subject":
    """Let every row fall once masking is undone, and each as the model is with probability 1 - s."""
    if severity == 0.0:
        return subject
    found = test_masking_signs.copy()
    found[:, AIDED] = 1.0
    found[:, UNAIDED] = (rng.random(len(found)) >= severity).astype(float)
    return subject.with_given(test_masking_signs=found)


@fault(breaks="masked_gradients", severities=(0.5, 0.9), truth=False)
def masked_gradient_wrapper(
    subject: "Subject",
    severity: float,
    network: "Network",
    weights: Mapping[str, np.ndarray],
    input_range: tuple[float, float],
) -> "Subject":
    """Put hard rounding and huge logits around the model, and let gradients point the wrong way: nothing is defended.

    Answers stay nearly the same. Attacks along gradients lead away from every mistake, the search that needs none breaks as much as
    before. (Rounding and large logits alone are seen through: the one is passed straight through, the others are divided.)

    Severity: how coarse the rounding is, between 32 levels (0) and 2 (1).
    """
    if severity == 0.0:
        return subject
    from roadworthy.challenges.evasion.masks import masked

    found, kept = masked(network, dict(weights), max(2, round(32 ** (1 - severity))), *input_range)
    return replace(subject, network=found, weights=kept, predictor=None)
