"""How many wrong answers an adversary gets out of a model that may hold an answer back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from roadworthy.challenges.evasion.attacking import (
    Attacking,
    Threatened,
    ball_of,
    budget_of,
    surprises,
)
from roadworthy.challenges.evasion.evidence import attacks_in_order, nearest_rows, words_of
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Measurement, Table, doubted
from roadworthy.statistics import clopper_pearson, percent, rate

if TYPE_CHECKING:
    from roadworthy.perturbation.attack import Attack
    from roadworthy.perturbation.budgets import AttackBudget
    from roadworthy.perturbation.model import AttackedModel
    from roadworthy.subject import DecisionRule, Predictor, Task

Threat = Mapping[str, object]
Conducted = Mapping[str, object]

TOLERATED = AtMost(
    0.3, "house default: as for adversarial_error, whose harm it is; no law names a number"
)
FALSE_ALARMS = 0.05
LEVEL = 0.95


@artifact(rows=True, cost="attack")
def test_rejection_attack(
    predictor: "Predictor",
    task: "Task",
    output_kind: str,
    test_attacked_inputs: np.ndarray,
    test_attacked_labels: np.ndarray,
    test_attacked_ids: np.ndarray,
    attack_threat: Threat,
    attack_budget: str,
    attack_conduct: Conducted,
    attack_seed: int,
    test_attack_second: np.ndarray,
    decision_rule: "DecisionRule | None" = None,  # noqa: PT028 - no test, for all its name: an artifact of test rows
) -> np.ndarray:
    """Outcome of an attack for wrong answers that are given: (m, k + 1) float64.

    Columns as in `perturbation.cascade.COLUMNS`, and whether attacks that do not know of the rule get a wrong answer too.
    Without a rule of abstaining every answer is given: the outcome is that of `attack_outcomes`.
    """
    if decision_rule is None or decision_rule.kind != "abstain":
        fell = (test_attack_second[:, 1] == 1) | (test_attack_second[:, 0] == 0)
        return np.column_stack([test_attack_second, fell])
    attacking = Attacking(predictor, task, output_kind, attack_conduct)
    attacks = budget_of(cast("AttackBudget", attack_budget), attack_threat, attack_conduct).first
    rows = Threatened(test_attacked_inputs, test_attacked_labels, test_attacked_ids, attack_seed)
    with attacking.model() as attacked:
        model = attacked.hastened(rows.points(), attacks)
        return _attacked(model, rows, attack_threat, attacks, decision_rule.threshold)


@check(challenge="evasion", requires=TOLERATED, least=100)
def accepted_adversarial_error(
    test_rejection_attack: np.ndarray,
    test_attacked_rows: np.ndarray,
    test_attack_second: np.ndarray,
    test_decisions: np.ndarray,
    attack_threat: Threat,
    attack_budget: str,
    attack_conduct: Conducted,
    attack_doubts: tuple[str, ...] | None = None,
    decision_rule: "DecisionRule | None" = None,
    *,
    false_alarms: float = FALSE_ALARMS,
) -> Measurement:
    """Share of rows that get a wrong answer, and not none, once every value of the input may be changed a little.

    As `adversarial_error`, for models that may abstain: rows that are held back count as safe, but only while clean rows
    are not held back more often than the stated rate of false alarms (`false_alarms`, shown by an exact interval); else
    they count as wrong. The adversary knows the rule: the attack climbs for the wrong class and for enough probability to
    be given at once (selective gradients, Bryniarski et al. 2021), and rows that are held back without a change are
    attacked too. Attacks can miss: a lower bound on the harm. Without a rule it is `adversarial_error`.

    Unit: share of test rows.
    Qualified at: severity 0.6 of `rows_within_accepted_reach`, n = 200.
    Next: do not count on the rule against an adversary; train on attacked rows (adversarial training), or set the rule anew on them.
    """
    from roadworthy.perturbation.cascade import Outcomes

    found = Outcomes(test_rejection_attack[:, :-1])
    n = len(found)
    if n == 0:
        raise NotApplicable("there are no test rows to attack")
    harmed = ~found.standing
    held = test_decisions.sum(axis=1) == 0  # of all test rows
    is_beyond = bool(clopper_pearson(int(held.sum()), len(held), LEVEL).low > false_alarms)
    if is_beyond:
        harmed = harmed | ~Outcomes(test_attack_second).standing | held[test_attacked_rows]
    doubts = surprises(
        test_rejection_attack[:, :-1],
        attack_threat,
        cast("AttackBudget", attack_budget),
        attack_conduct,
    )
    unaware = int((test_rejection_attack[:, -1] == 1).sum())
    said = words_of(found, attack_threat, attack_budget, attack_conduct)
    measured = rate(
        int(harmed.sum()),
        n,
        unit="share of test rows",
        details=f"{said} {_of_rule(decision_rule, held, unaware, n, false_alarms, is_beyond)}",
        evidence=(
            _by_knowledge(unaware, int((~found.standing).sum()), n),
            attacks_in_order(found, attack_threat, attack_budget, attack_conduct),
            *nearest_rows(found, attack_threat),
        ),
    )
    method = f"{measured.method}; {attack_budget} budget of attacks that know of the rule, which can miss"
    return doubted(replace(measured, method=method), (*doubts, *(attack_doubts or ())))


def _of_rule(
    rule: "DecisionRule | None",
    held: np.ndarray,
    unaware: int,
    n: int,
    false_alarms: float,
    is_beyond: bool,
) -> str:
    if rule is None or rule.kind != "abstain":
        return "The model has no rule of abstaining, so every answer is given."
    share = percent(float(held.mean()))
    credit = (
        f"which is beyond the stated {percent(false_alarms)}, so that rows held back count as wrong"
        if is_beyond
        else f"which is within the stated {percent(false_alarms)}, so that rows held back count as safe"
    )
    return (
        f"Answers of a probability below {rule.threshold:.3g} are held back: {share} of clean rows, {credit}. Attacks that do "
        f"not know of the rule leave {unaware} of {n:,} rows with a wrong answer."
    )


def _by_knowledge(unaware: int, aware: int, n: int) -> Table:
    return Table(
        "Wrong answers that are given",
        ("the adversary", "rows", "share of rows"),
        (
            ("does not know of the rule", unaware, round(unaware / n, 6)),
            ("knows of the rule", aware, round(aware / n, 6)),
        ),
    )


def _attacked(
    model: "AttackedModel",
    rows: Threatened,
    threat: Threat,
    attacks: "tuple[Attack, ...]",
    threshold: float,
) -> np.ndarray:
    """Attack label by label, as what counts as a wrong answer depends on it: (m, k + 1)."""
    import torch

    from roadworthy.perturbation.attack import verified
    from roadworthy.perturbation.cascade import COLUMNS, OnNearlyBroken, cascade
    from roadworthy.perturbation.joint import answered

    ball, points = ball_of(threat), rows.points()
    found = np.full((len(points), len(COLUMNS) + 1), np.nan)
    for label in np.unique(rows.labels):
        at = np.flatnonzero(rows.labels == label)
        joint, some = answered(model, int(label), threshold), points.take(torch.from_numpy(at))
        found[at, :-1] = cascade(joint, some, ball, attacks)
        wrong = found[at, 0] == 0
        for attack in (each for each in attacks if not isinstance(each, OnNearlyBroken)):
            tried = attack(model, some, ball)
            wrong |= verified(joint, some, ball, tried).cpu().numpy()
        found[at, -1] = wrong
    return found
