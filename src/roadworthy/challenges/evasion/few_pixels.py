"""How many answers turn when a few positions of the input may be anything."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np

from roadworthy.challenges.evasion.attacking import Attacking, Threatened
from roadworthy.challenges.evasion.doubts import outputs_never_moved
from roadworthy.challenges.evasion.searching import (
    TOLERATED,
    limits,
    measured,
    outcomes_of,
    wanted,
)
from roadworthy.engine import artifact, check
from roadworthy.results import Measurement, doubted

if TYPE_CHECKING:
    from roadworthy.perturbation.attack import Attack
    from roadworthy.perturbation.pixels import Pixels
    from roadworthy.subject import Predictor, Task

Threat = Mapping[str, object]
SHARE = 0.01
"""Of the positions: about ten pixels of 32 x 32."""


@artifact()
def pixel_threat(
    input_range: tuple[float, float], test_attacked_inputs: np.ndarray, *, pixels: int = 0
) -> Threat:
    """Threat of an adversary who may give any values to this many positions; 0: to one in a hundred, at least one."""
    shape = test_attacked_inputs.shape[1:]
    positions = int(np.prod(shape[-2:]))
    low, high = (float(value) for value in input_range)
    return {"k": pixels or max(1, round(SHARE * positions)), "low": low, "high": high}


@artifact(rows=True, cost="attack")
def test_pixel_attack(
    predictor: "Predictor",
    task: "Task",
    output_kind: str,
    test_attacked_inputs: np.ndarray,
    test_attacked_labels: np.ndarray,
    test_attacked_ids: np.ndarray,
    pixel_threat: Threat,
    attack_budget: str,
    attack_conduct: Mapping[str, object],
    attack_seed: int,
    search_runner: tuple[str, str],
) -> np.ndarray:
    """Outcome of changing a few positions: (m, k) float64, `perturbation.cascade.COLUMNS`."""
    attacking = Attacking(predictor, task, output_kind, attack_conduct)
    rows = Threatened(test_attacked_inputs, test_attacked_labels, test_attacked_ids, attack_seed)
    return outcomes_of(
        attacking, rows, pixels_of(pixel_threat), attacks(attack_budget), search_runner
    )


@check(challenge="evasion", requires=TOLERATED, least=100)
def few_pixels_error(
    test_pixel_attack: np.ndarray,
    test_attacked_rows: np.ndarray,
    pixel_threat: Threat,
    attack_budget: str,
    search_runner: tuple[str, str],
) -> Measurement:
    """Share of rows answered wrongly once a few positions of the input may be anything.

    L0 threat over positions, all channels together: one position in a hundred, at least one. Random search over sets of
    positions and values at the ends of the range (Sparse-RS, Croce et al. 2022), which sees outputs alone; every success
    is confirmed by a fresh pass in float32. Rows that were wrong without any change count. A search can miss: the value
    is a lower bound on the harm.

    Unit: share of test rows.
    Qualified at: severity 0.6 of `rows_within_reach_of_pixels`, n = 200.
    Next: train with noise of single pixels or cut-outs, or filter single pixels before the model.
    """
    from roadworthy.perturbation.cascade import Outcomes

    found = measured(
        test_pixel_attack,
        test_attacked_rows,
        pixels_of(pixel_threat),
        attacks(attack_budget),
        attack_budget,
        search_runner,
        _words_of(pixel_threat),
    )
    return doubted(found, outputs_never_moved(Outcomes(test_pixel_attack)))


def _words_of(threat: Threat) -> str:
    low, high = limits(threat)
    count = int(cast(int, threat["k"]))
    positions = "the one position" if count == 1 else f"the {count} positions"
    return f"Giving {positions} that matter most any values from {low:g} to {high:g}"


def attacks(attack_budget: str) -> "tuple[Attack, ...]":
    """Return the attacks of a budget."""
    from roadworthy.perturbation.pixels import SparseRs

    return (SparseRs(wanted(attack_budget)),)


def pixels_of(threat: Threat) -> "Pixels":
    """Return the threat that an artifact states."""
    from roadworthy.perturbation.pixels import Pixels

    return Pixels(int(cast(int, threat["k"])), *limits(threat))
