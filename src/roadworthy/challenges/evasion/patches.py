"""How many answers turn when one square of the input may be anything."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np

from roadworthy.challenges.evasion.attacking import Attacking, Threatened
from roadworthy.challenges.evasion.doubts import gradients_are_cut, outputs_never_moved
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
    from roadworthy.perturbation.patches import Patch
    from roadworthy.subject import Predictor, Task

Threat = Mapping[str, object]
SHARE = 0.05
"""Of the positions: a square of 7 x 7 of 32 x 32, as the smaller stickers of Brown et al. (2017)."""
STEPS = {"quick": 10, "adaptive": 30, "standard": 100}
PLACES = {"quick": 3, "adaptive": 5, "standard": 10}


@artifact()
def patch_threat(
    input_range: tuple[float, float], test_attacked_inputs: np.ndarray, *, side: int = 0
) -> Threat:
    """Threat of an adversary who may give any values to a square of this side, anywhere; 0: one in twenty positions."""
    shape = test_attacked_inputs.shape[1:]
    positions = int(np.prod(shape[-2:]))
    low, high = (float(value) for value in input_range)
    usual = SHARE * positions if len(shape) == 1 else (SHARE * positions) ** 0.5
    return {"side": side or max(1, round(usual)), "low": low, "high": high}


@artifact(rows=True, cost="attack")
def test_patch_attack(
    predictor: "Predictor",
    task: "Task",
    output_kind: str,
    test_attacked_inputs: np.ndarray,
    test_attacked_labels: np.ndarray,
    test_attacked_ids: np.ndarray,
    patch_threat: Threat,
    attack_budget: str,
    attack_conduct: Mapping[str, object],
    attack_seed: int,
    search_runner: tuple[str, str],
) -> np.ndarray:
    """Outcome of changing one square: (m, k) float64, `perturbation.cascade.COLUMNS`."""
    attacking = Attacking(predictor, task, output_kind, attack_conduct)
    rows = Threatened(test_attacked_inputs, test_attacked_labels, test_attacked_ids, attack_seed)
    tried = attacks(attack_budget, attack_conduct)
    return outcomes_of(attacking, rows, patch_of(patch_threat), tried, search_runner)


@check(challenge="evasion", requires=TOLERATED, least=100)
def patch_error(
    test_patch_attack: np.ndarray,
    test_attacked_rows: np.ndarray,
    patch_threat: Threat,
    attack_budget: str,
    attack_conduct: Mapping[str, object],
    search_runner: tuple[str, str],
) -> Measurement:
    """Share of rows answered wrongly once one square of the input may be anything, wherever it lies.

    A sticker on one input in twenty positions. Gradient ascent from the windows where the margin is steepest, then on the
    rows that stand a random search over place and content (Sparse-RS for patches, Croce et al. 2022), which sees outputs
    alone; every success is confirmed by a fresh pass in float32. The patch is made for each row, which is harder to
    withstand than one for all. Rows that were wrong without any change count. A search can miss: the value is a lower
    bound on the harm.

    Unit: share of test rows.
    Qualified at: severity 0.6 of `rows_within_reach_of_patches`, n = 200.
    Next: train with cut-outs and pasted squares, or answer by a vote over inputs with parts covered.
    """
    from roadworthy.perturbation.cascade import Outcomes

    found = measured(
        test_patch_attack,
        test_attacked_rows,
        patch_of(patch_threat),
        attacks(attack_budget, attack_conduct),
        attack_budget,
        search_runner,
        _words_of(patch_threat),
    )
    return doubted(
        found,
        (*gradients_are_cut(attack_conduct), *outputs_never_moved(Outcomes(test_patch_attack))),
    )


def _words_of(threat: Threat) -> str:
    low, high = limits(threat)
    side = int(cast(int, threat["side"]))
    return (
        f"Giving a patch of side {side}, wherever it does most, any values from {low:g} to {high:g}"
    )


def attacks(attack_budget: str, conduct: Mapping[str, object]) -> "tuple[Attack, ...]":
    """Return the attacks of a budget that this model can be attacked by."""
    from roadworthy.perturbation.patches import PatchAscent, PatchSearch

    blind = PatchSearch(wanted(attack_budget))
    if not conduct.get("gradients", True):
        return (blind,)
    return (PatchAscent(STEPS[attack_budget], PLACES[attack_budget]), blind)


def patch_of(threat: Threat) -> "Patch":
    """Return the threat that an artifact states."""
    from roadworthy.perturbation.patches import Patch

    return Patch(int(cast(int, threat["side"])), *limits(threat))
