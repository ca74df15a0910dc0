"""Which rows are attacked, by what, how hard, and what became of each of them.

The search has two stages. The first attacks every chosen row. What it says of all rows together (a doubt about the
gradients) decides whether those that stand are attacked harder; no row's outcome depends on its neighbours otherwise.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from roadworthy.challenges.evasion.attacking import (
    Attacking,
    Threatened,
    most_rows,
    refuse_outside,
    require_share,
    surprises,
)
from roadworthy.engine import artifact
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.perturbation.budgets import AttackBudget
    from roadworthy.subject import Predictor, Task

Range = tuple[float, float]
Conducted = Mapping[str, object]
Threat = Mapping[str, object]

LINF = 8 / 255
"""Of the range of the inputs: the size at which models of images are compared (RobustBench, CIFAR-10, Linf)."""
L2 = 0.5 / 3072**0.5
"""Root mean square of the change, of the range: 0.5 on images of 3 x 32 x 32 (RobustBench, CIFAR-10, L2)."""


@artifact()
def attack_budget(*, attack: Literal["quick", "adaptive", "standard"] = "quick") -> str:
    """How hard the model is attacked: "quick", "adaptive" or "standard" (the protocol of AutoAttack)."""
    return attack


@artifact()
def attack_seed(rng: np.random.Generator) -> int:
    """Seed of the random numbers of attacks, which are drawn for each row by its name."""
    return int(rng.integers(2**31))


@artifact()
def attack_threat(input_range: Range, *, eps: float = LINF) -> Threat:
    """State what the adversary may do: change every value by at most `eps` of the range of inputs (Linf)."""
    low, high = (float(value) for value in input_range)
    require_share("attack_threat", eps, LINF)
    return {"norm": "linf", "eps": eps * (high - low), "low": low, "high": high}


@artifact()
def l2_attack_threat(input_range: Range, test_inputs: np.ndarray, *, eps: float = L2) -> Threat:
    """State what the adversary may do: a change whose root mean square over all values is at most `eps` of the range."""
    require_share("l2_attack_threat", eps, L2)
    low, high = (float(value) for value in input_range)
    values = int(np.prod(test_inputs.shape[1:]))
    return {"norm": "l2", "eps": eps * (high - low) * values**0.5, "low": low, "high": high}


@artifact(per="split")
def attacked_rows(
    row_ids: np.ndarray,
    inputs: np.ndarray,
    input_range: Range,
    attack_budget: str,
    *,
    most: int = 0,
) -> np.ndarray:
    """Positions of the rows that are attacked: (m,) int64, ascending.

    As many as the budget has time for (quick 200, else 1,000; `most` sets another number), chosen by their names: the
    same in every audit of the same data, whatever the model.
    """
    refuse_outside(inputs, input_range)
    wanted = most or most_rows(attack_budget)
    if len(row_ids) <= wanted:
        return np.arange(len(row_ids))
    return np.sort(np.argsort(row_ids, kind="stable")[:wanted])


@artifact(per="split", stored=False)
def attacked_inputs(inputs: np.ndarray, attacked_rows: np.ndarray) -> np.ndarray:
    """Return the inputs of the attacked rows: (m, ...)."""
    return _chosen(inputs, attacked_rows)


@artifact(per="split", stored=False)
def attacked_labels(labels: np.ndarray, attacked_rows: np.ndarray) -> np.ndarray:
    """Labels of the attacked rows: (m,) int64."""
    return _chosen(labels, attacked_rows)


@artifact(per="split", stored=False)
def attacked_ids(row_ids: np.ndarray, attacked_rows: np.ndarray) -> np.ndarray:
    """Names of the attacked rows: (m,) uint64."""
    return _chosen(row_ids, attacked_rows)


@artifact()
def attack_conduct(
    predictor: "Predictor",
    task: "Task",
    output_kind: str,
    test_inputs: np.ndarray,
    test_labels: np.ndarray,
    attack_budget: str,
) -> Conducted:
    """How the model is run under attack: whether it has gradients, rows at a time, precision of the search.

    The quick budget takes what is usual; the others try once what is fastest here, and keep to it.
    """
    if len(test_inputs) == 0:
        raise NotApplicable("there are no test rows to attack")
    with Attacking(predictor, task, output_kind).model() as model:
        return model.conduct(test_inputs, test_labels, is_timed=attack_budget != "quick")


@artifact(per="split", rows=True, cost="attack")
def attack_first(
    predictor: "Predictor",
    task: "Task",
    output_kind: str,
    attacked_inputs: np.ndarray,
    attacked_labels: np.ndarray,
    attacked_ids: np.ndarray,
    attack_threat: Threat,
    attack_budget: str,
    attack_conduct: Conducted,
    attack_seed: int,
) -> np.ndarray:
    """Outcome of the first stage against changes of every value: (m, k) float64, `perturbation.cascade.COLUMNS`."""
    attacking = Attacking(predictor, task, output_kind, attack_conduct)
    rows = Threatened(attacked_inputs, attacked_labels, attacked_ids, attack_seed)
    return attacking.first(rows, attack_threat, cast("AttackBudget", attack_budget))


@artifact(per="split")
def attack_surprises(
    attack_first: np.ndarray,
    attack_threat: Threat,
    attack_budget: str,
    attack_conduct: Conducted,
) -> tuple[str, ...]:
    """Say what in the first stage speaks against its own gradients, in sentences; none where nothing does."""
    return surprises(
        attack_first, attack_threat, cast("AttackBudget", attack_budget), attack_conduct
    )


@artifact(per="split", rows=True, cost="attack")
def attack_second(
    predictor: "Predictor",
    task: "Task",
    output_kind: str,
    attacked_inputs: np.ndarray,
    attacked_labels: np.ndarray,
    attacked_ids: np.ndarray,
    attack_first: np.ndarray,
    attack_threat: Threat,
    attack_budget: str,
    attack_conduct: Conducted,
    attack_seed: int,
    attack_surprises: tuple[str, ...],
    gradient_doubts: tuple[str, ...] | None = None,
) -> np.ndarray:
    """Outcome of both stages: where there is a doubt, rows that stand are attacked harder: (m, k) float64."""
    if not (attack_surprises or gradient_doubts):
        return attack_first
    attacking = Attacking(predictor, task, output_kind, attack_conduct)
    rows = Threatened(attacked_inputs, attacked_labels, attacked_ids, attack_seed)
    budget = cast("AttackBudget", attack_budget)
    return attacking.second(attack_first, rows, attack_threat, budget)


@artifact(per="split", shape="n k")
def attack_outcomes(
    row_ids: np.ndarray, attacked_rows: np.ndarray, attack_second: np.ndarray
) -> np.ndarray:
    """Say what became of each row under attack: (n, k) float64, NaN where it was not attacked.

    Columns as in `perturbation.cascade.COLUMNS`.
    """
    return _spread(row_ids, attacked_rows, attack_second)


@artifact(per="split", rows=True, cost="attack")
def l2_attack_first(
    predictor: "Predictor",
    task: "Task",
    output_kind: str,
    attacked_inputs: np.ndarray,
    attacked_labels: np.ndarray,
    attacked_ids: np.ndarray,
    l2_attack_threat: Threat,
    attack_budget: str,
    attack_conduct: Conducted,
    attack_seed: int,
) -> np.ndarray:
    """Outcome of the first stage against changes of a length, as `attack_first`."""
    attacking = Attacking(predictor, task, output_kind, attack_conduct)
    rows = Threatened(attacked_inputs, attacked_labels, attacked_ids, attack_seed)
    return attacking.first(rows, l2_attack_threat, cast("AttackBudget", attack_budget))


@artifact(per="split")
def l2_attack_surprises(
    l2_attack_first: np.ndarray,
    l2_attack_threat: Threat,
    attack_budget: str,
    attack_conduct: Conducted,
) -> tuple[str, ...]:
    """Say what in the first stage speaks against its own gradients, as `attack_surprises`."""
    return surprises(
        l2_attack_first, l2_attack_threat, cast("AttackBudget", attack_budget), attack_conduct
    )


@artifact(per="split", rows=True, cost="attack")
def l2_attack_second(
    predictor: "Predictor",
    task: "Task",
    output_kind: str,
    attacked_inputs: np.ndarray,
    attacked_labels: np.ndarray,
    attacked_ids: np.ndarray,
    l2_attack_first: np.ndarray,
    l2_attack_threat: Threat,
    attack_budget: str,
    attack_conduct: Conducted,
    attack_seed: int,
    l2_attack_surprises: tuple[str, ...],
    gradient_doubts: tuple[str, ...] | None = None,
) -> np.ndarray:
    """Outcome of both stages, as `attack_second`: (m, k) float64."""
    if not (l2_attack_surprises or gradient_doubts):
        return l2_attack_first
    attacking = Attacking(predictor, task, output_kind, attack_conduct)
    rows = Threatened(attacked_inputs, attacked_labels, attacked_ids, attack_seed)
    budget = cast("AttackBudget", attack_budget)
    return attacking.second(l2_attack_first, rows, l2_attack_threat, budget)


@artifact(per="split", shape="n k")
def l2_attack_outcomes(
    row_ids: np.ndarray, attacked_rows: np.ndarray, l2_attack_second: np.ndarray
) -> np.ndarray:
    """Say what became of each row under attack by changes of a length, as `attack_outcomes`: (n, k) float64."""
    return _spread(row_ids, attacked_rows, l2_attack_second)


def _chosen(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the rows; all of them without a copy, which may not fit into memory."""
    return values if len(rows) == len(values) else values[rows]


def _spread(row_ids: np.ndarray, rows: np.ndarray, outcomes: np.ndarray) -> np.ndarray:
    found = np.full((len(row_ids), outcomes.shape[1]), np.nan)
    found[rows] = outcomes
    return found
