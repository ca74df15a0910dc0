"""How many answers of a black box turn for an adversary who sees nothing but its answers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.challenges.evasion.attacking import Attacking, Threatened, ball_of
from roadworthy.challenges.evasion.searching import TOLERATED, measured, wanted
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import Measurement

if TYPE_CHECKING:
    from roadworthy.perturbation.attack import Attack
    from roadworthy.subject import Predictor, Task

Threat = Mapping[str, object]
LEAST_QUERIES = (
    800  # two rounds over the signs of 64 values; with 500, 1 in 40 rows within reach was missed
)
ANSWERS = ("the answers of the black box", "")


@artifact(rows=True, cost="attack")
def test_label_only_attack(
    predictor: "Predictor",
    task: "Task",
    output_kind: str,
    test_attacked_inputs: np.ndarray,
    test_attacked_labels: np.ndarray,
    test_attacked_ids: np.ndarray,
    attack_threat: Threat,
    attack_budget: str,
    attack_conduct: Mapping[str, object],
    attack_seed: int,
) -> np.ndarray:
    """Outcome of changing every value by the answers alone: (m, k) float64, `perturbation.cascade.COLUMNS`."""
    from roadworthy.perturbation.cascade import cascade

    if attack_conduct["gradients"]:
        raise NotApplicable(
            "the network itself is known, so it is attacked by its gradients, which finds more (see "
            "adversarial_error); this check is for black boxes and networks that let no gradients pass"
        )
    rows = Threatened(test_attacked_inputs, test_attacked_labels, test_attacked_ids, attack_seed)
    with Attacking(predictor, task, output_kind).model() as attacked:
        return cascade(
            attacked.model, rows.points(), ball_of(attack_threat), attacks(attack_budget)
        )


@check(challenge="evasion", requires=TOLERATED, least=100)
def label_only_error(
    test_label_only_attack: np.ndarray,
    test_attacked_rows: np.ndarray,
    attack_threat: Threat,
    attack_budget: str,
) -> Measurement:
    """Share of rows that a black box answers wrongly once every value may be changed a little by who sees its answers alone.

    Linf changes as in `adversarial_error`, found by a search over directions of signs (RayS, Chen & Gu 2020) that asks for
    class labels and nothing else: what any customer of the model could do. Rows that were wrong without any change count.
    A search can miss: the value is a lower bound on the harm.

    Unit: share of test rows.
    Qualified at: severity 0.6 of `rows_within_reach_of_answers`, n = 200.
    Next: limit how often one customer may ask about nearly the same input, and give the network itself to have it attacked harder.
    """
    ball = ball_of(attack_threat)
    return measured(
        test_label_only_attack,
        test_attacked_rows,
        ball,
        attacks(attack_budget),
        attack_budget,
        ANSWERS,
        f"Changing each value by at most {ball.size:.3g} (inputs run from {ball.low:g} to {ball.high:g})",
    )


def attacks(attack_budget: str) -> "tuple[Attack, ...]":
    """Return the attacks of a budget."""
    from roadworthy.perturbation.decision import RayS

    return (RayS(max(wanted(attack_budget), LEAST_QUERIES)),)
