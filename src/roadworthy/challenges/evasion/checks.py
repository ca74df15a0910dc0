"""Checks of evasion: how many answers an adversary can turn by changing the input a little."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from roadworthy.challenges.evasion.evidence import evidence_of, words_of
from roadworthy.engine import check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Measurement, doubted
from roadworthy.statistics import rate

TOLERATED = AtMost(
    0.3,
    "house default: what the best published models leave on CIFAR-10 at this size, Bartoldson et al. 2024; no law "
    "names a number",
)


@check(challenge="evasion", requires=TOLERATED, least=100)
def adversarial_error(
    test_attack_outcomes: np.ndarray,
    attack_threat: Mapping[str, object],
    attack_budget: str,
    attack_conduct: Mapping[str, object],
    test_attack_surprises: tuple[str, ...],
    attack_doubts: tuple[str, ...] | None = None,
) -> Measurement:
    """Share of rows answered wrongly once every value of the input may be changed a little.

    One minus robust accuracy against Linf changes of 8/255 of the range of inputs (Madry et al. 2018), over all attacked
    rows: those that were wrong without any change count, as in RobustBench. Attacks as in AutoAttack (Croce & Hein 2020),
    the cheap ones first, every success confirmed by a fresh pass in float32. Attacks can miss: the value is a lower
    bound on the harm, one minus it an upper bound on robustness, and the interval speaks of the rows alone. The
    adversary is assumed to know the model and its preprocessing.

    Unit: share of test rows.
    Qualified at: severity 0.6 of `rows_within_reach`, n = 200.
    Next: train on attacked rows (adversarial training), or keep strangers from choosing the inputs.
    """
    doubts = (*test_attack_surprises, *(attack_doubts or ()))
    return _measured(test_attack_outcomes, attack_threat, attack_budget, attack_conduct, doubts)


@check(challenge="evasion", requires=TOLERATED, least=100)
def adversarial_l2_error(
    test_l2_attack_outcomes: np.ndarray,
    l2_attack_threat: Mapping[str, object],
    attack_budget: str,
    attack_conduct: Mapping[str, object],
    test_l2_attack_surprises: tuple[str, ...],
    attack_doubts: tuple[str, ...] | None = None,
) -> Measurement:
    """Share of rows answered wrongly once the input may be changed by a small distance in all.

    As `adversarial_error`, for L2 changes: a few values may change more, if the root mean square of all changes stays
    below 0.9 % of the range (0.5 on images of 3 x 32 x 32 with values from 0 to 1, as in RobustBench).

    Unit: share of test rows.
    Qualified at: severity 0.6 of `rows_within_l2_reach`, n = 200.
    Next: train on attacked rows (adversarial training), or keep strangers from choosing the inputs.
    """
    doubts = (*test_l2_attack_surprises, *(attack_doubts or ()))
    return _measured(
        test_l2_attack_outcomes, l2_attack_threat, attack_budget, attack_conduct, doubts
    )


def _measured(
    outcomes: np.ndarray,
    threat: Mapping[str, object],
    budget: str,
    conduct: Mapping[str, object],
    doubts: tuple[str, ...],
) -> Measurement:
    from roadworthy.perturbation.cascade import Outcomes

    found = Outcomes(outcomes)
    attacked = int(found.attacked.sum())
    if attacked == 0:
        raise NotApplicable("there are no test rows to attack")
    wrong = int((found.attacked & ~found.standing).sum())
    measured = rate(
        wrong,
        attacked,
        unit="share of test rows",
        details=words_of(found, threat, budget, conduct),
        evidence=evidence_of(found, threat, budget, conduct),
    )
    method = f"{measured.method}; {budget} budget of attacks, which can miss"
    return doubted(replace(measured, method=method), doubts)
