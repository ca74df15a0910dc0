"""What searches over few positions share: how patient a budget is, on what they run, and what is said of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from roadworthy.challenges.evasion.attacking import Attacking, Threatened
from roadworthy.engine import artifact
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Example, Examples, Measurement, Table
from roadworthy.statistics import percent, rate

if TYPE_CHECKING:
    from roadworthy.perturbation.attack import Attack
    from roadworthy.perturbation.cascade import Outcomes
    from roadworthy.perturbation.threat import Threat
    from roadworthy.subject import Predictor, Task

TOLERATED = AtMost(0.3, "house default: as for small changes of every value; no law names a number")
QUERIES = {"quick": 200, "adaptive": 1000, "standard": 5000}
"""Answers that a random search may ask for, of each row."""
MOST_EXAMPLES = 12


@artifact()
def search_runner(
    predictor: "Predictor",
    task: "Task",
    output_kind: str,
    test_attacked_inputs: np.ndarray,
    attack_budget: str,
) -> tuple[str, str]:
    """Runner of searches without gradients, "onnxruntime" or "torch", and why it is torch."""
    import torch

    from roadworthy.perturbation.forward import fastest_runner

    some = torch.from_numpy(np.array(test_attacked_inputs[:128], np.float32))
    passes = len(test_attacked_inputs) * QUERIES[attack_budget]
    with Attacking(predictor, task, output_kind).model() as attacked:
        if not attacked.hastens:
            return "torch", "the model draws random numbers"
        found = fastest_runner(attacked.model, some, passes)
    return found.name, found.reason


def outcomes_of(
    attacking: Attacking,
    rows: Threatened,
    threat: "Threat",
    attacks: "Sequence[Attack]",
    runner: tuple[str, str],
) -> np.ndarray:
    """Attack rows by what needs no gradients through the runner, the rest as it is: (m, k) float64."""
    from roadworthy.perturbation.cascade import cascade
    from roadworthy.perturbation.forward import OnRunner, Runner, fastest_runner
    from roadworthy.perturbation.patches import PatchSearch
    from roadworthy.perturbation.pixels import SparseRs

    points = rows.points()
    with attacking.model() as attacked:
        fast = Runner("torch")
        if runner[0] == "onnxruntime":
            fast = fastest_runner(attacked.model, points.inputs)
        on = [OnRunner(a, fast) if isinstance(a, SparseRs | PatchSearch) else a for a in attacks]
        return cascade(attacked.model, points, threat, on)


def measured(
    outcomes: np.ndarray,
    positions: np.ndarray,
    threat: "Threat",
    attacks: "Sequence[Attack]",
    budget: str,
    runner: tuple[str, str],
    change: str,
) -> Measurement:
    """Return the share of attacked rows that are answered wrongly, with what was tried.

    Parameters
    ----------
    outcomes : (m, k) float64 ndarray
        Of the attacked rows.
    positions : (m,) int64 ndarray
        Where they stand among the test rows.
    threat : Threat
    attacks : sequence of Attack
        In their order.
    budget : str
    runner : tuple of str
        As `search_runner`.
    change : str
        What the adversary does to a row, as the subject of a sentence: "Giving 10 pixels any value".
    """
    from roadworthy.perturbation.cascade import Outcomes

    found = Outcomes(outcomes)
    n = len(found)
    if n == 0:
        raise NotApplicable("there are no test rows to attack")
    clean = int((~found.correct).sum())
    broken = int(found.broken.sum())
    forward = found.column("forward").mean()
    details = (
        f"{change} turns the answers of {broken} of {n:,} rows; {clean} more {'was' if clean == 1 else 'were'} wrong "
        f"without any change. So at most {percent(1 - (clean + broken) / n)} withstand it: the {budget} budget of attacks "
        f"asked the model {forward:,.0f} times per row, and a more patient adversary may find more."
    )
    tried = rate(
        clean + broken,
        n,
        unit="share of test rows",
        details=details,
        evidence=(_in_order(found, attacks), *_examples(found, positions, threat)),
    )
    return replace(
        tried,
        method=f"{tried.method}; {budget} budget of attacks, which can miss, run through {runner[0]}",
    )


def wanted(attack_budget: str) -> int:
    """Return how many answers a random search may ask for."""
    return QUERIES[attack_budget]


def limits(threat: Mapping[str, object]) -> tuple[float, float]:
    """Return the range that an artifact states."""
    return float(cast(float, threat["low"])), float(cast(float, threat["high"]))


def _in_order(outcomes: "Outcomes", attacks: "Sequence[Attack]") -> Table:
    by = outcomes.column("attack")
    standing = int(outcomes.correct.sum())
    rows: list[tuple[str, int, int]] = []
    for position, attack in enumerate(attacks):
        broken = int((by == position).sum())
        rows.append((attack.name, standing, broken))
        standing -= broken
    return Table("Attacks, in their order", ("attack", "rows tried", "rows broken"), tuple(rows))


def _examples(
    outcomes: "Outcomes", positions: np.ndarray, threat: "Threat"
) -> tuple[Examples, ...]:
    broken = np.flatnonzero(outcomes.broken)
    if len(broken) == 0:
        return ()
    fragile = broken[np.argsort(outcomes.column("margin")[broken], kind="stable")]
    shown = tuple(
        Example("test", int(positions[row]), f"turned within {threat.name}", 1.0)
        for row in fragile[:MOST_EXAMPLES]
    )
    return (Examples("Answers that turn", shown),)
