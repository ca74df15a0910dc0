"""What poison costs is measured as planted, and profiles that spend no trainings on it say so."""

import numpy as np
import pytest

from roadworthy.challenges.poisoning.calibration import surplus
from roadworthy.challenges.poisoning.power import backdoor_power
from roadworthy.challenges.poisoning.susceptibility import (
    nothing_lost_to_wrong_labels,
    poison_susceptibility,
    rows_lost_to_wrong_labels,
)
from roadworthy.engine import Registry, Store, compute
from roadworthy.subject import builtin_subject, fields_of


@pytest.mark.parametrize("severity", [0.0, 0.025, 0.05, 0.1])
def test_what_is_planted_is_measured(severity: float) -> None:
    subject = builtin_subject("digits")
    rng = np.random.default_rng(1)
    clean = nothing_lost_to_wrong_labels(subject, rng, np.zeros(4_000, int))
    frozen = clean.given["poisoned_answers"]
    broken = rows_lost_to_wrong_labels(clean, severity, rng, frozen)
    found = poison_susceptibility(broken.given["poisoned_answers"])
    assert found.value == pytest.approx(severity, abs=0.006)


def test_a_quick_profile_says_what_it_does_not_spend() -> None:
    names = ["backdoor_power", "poison_susceptibility"]
    options = {"canaries_found": {"repetitions": 20}, "poisoned_answers": {"draws": 2}}
    subject = builtin_subject("digits")
    found = compute(Registry.discover(), fields_of(subject), names, store=Store(), options=options)
    assert all("--profile standard" in str(found[name].reason) for name in names)


def test_power_is_the_share_found() -> None:
    found = backdoor_power({"a patch in 1 %": np.array([True, True, False, True])})
    assert found.value == 0.75


def test_groups_of_clean_rows_stand_seldom() -> None:
    rng = np.random.default_rng(0)
    false = 0
    for _ in range(400):
        sizes = rng.integers(3, 20, 8)
        of_training = rng.hypergeometric(900, 900, sizes)
        false += bool(surplus(sizes, of_training, 900, 900).stands.any())
    assert false / 400 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)
