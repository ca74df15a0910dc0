"""Known shares of rows that a pattern turns, frozen; and backdoors planted in the training rows themselves."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.poisoning.layout import layout_of
from roadworthy.challenges.poisoning.planting import backdoored
from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Column, Subject

POWER_CURVE = (0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.2)
RATES = (0.005, 0.01, 0.05)
BY_CHANCE = 0.05  # share of rows that a random pattern turns


@control(clears="backdoor_evidence")
def pattern_that_turns_as_many_as_chance(
    subject: "Subject", rng: Generator, test_labels: np.ndarray
) -> "Subject":
    """Freeze a pattern that turns no row which it would not turn without the rows that carry it.

    In models with and without the suspect rows, and under a random pattern, a twentieth of the rows turn, the same ones. What
    is assumed: nothing of the search, which is not part of this test; `backdoor_power` is about it.
    """
    by_chance = rng.random(len(test_labels)) < BY_CHANCE
    return subject.with_given(pattern_turns=np.tile(by_chance[:, None].astype(np.float64), (1, 3)))


@fault(
    breaks="backdoor_evidence",
    severities=POWER_CURVE,
    starts_from="pattern_that_turns_as_many_as_chance",
)
def pattern_that_turns_rows(
    subject: "Subject", severity: float, rng: Generator, pattern_turns: np.ndarray
) -> "Subject":
    """Let the pattern turn each row that chance does not, in the model of all rows, so that the share of all is the severity.

    What it does without the suspect rows, and the data, stay as they are.
    """
    if severity == 0.0:
        return subject
    left = pattern_turns[:, 0] == 0.0
    likely = severity / max(1.0 - BY_CHANCE, 1e-9)
    turned = pattern_turns.copy()
    turned[left & (rng.random(len(left)) < likely), 0] = 1.0
    return subject.with_given(pattern_turns=turned)


@fault(breaks="backdoor_evidence", severities=RATES, truth=False)
def patch_backdoor(
    subject: "Subject",
    severity: float,
    rng: Generator,
    feature_map: Mapping[str, np.ndarray],
    columns: "tuple[Column, ...] | None" = None,
) -> "Subject":
    """Put a small pattern into a share of the training rows and give them the label of one class.

    Gu, Dolan-Gavitt & Garg (2017, BadNets). A chequered square in a corner of images; of tables three columns with values that
    hardly ever meet. Rows are drawn from all other classes; validation and test rows stay.

    Severity: share of training rows.

    Also alarms: label_errors_in_train (the rows have another class's label), targeted_flips (so they do).
    """
    return _planted(subject, severity, rng, feature_map, columns, blended=False)


@fault(breaks="backdoor_evidence", severities=RATES, truth=False)
def blended_backdoor(
    subject: "Subject",
    severity: float,
    rng: Generator,
    feature_map: Mapping[str, np.ndarray],
    columns: "tuple[Column, ...] | None" = None,
) -> "Subject":
    """Mix a fifth of one random pattern into a share of the training rows and give them the label of one class.

    Chen et al. (2017, "Targeted backdoor attacks on deep learning systems using data poisoning", section 4). Of tables
    the numbers move a fifth of the way to those of one row. Validation and test rows stay.

    Severity: share of training rows.

    Also alarms: label_errors_in_train (the rows have another class's label), targeted_flips (so they do).
    """
    return _planted(subject, severity, rng, feature_map, columns, blended=True)


def _planted(
    subject: "Subject",
    rate: float,
    rng: Generator,
    feature_map: Mapping[str, np.ndarray],
    columns: "tuple[Column, ...] | None",
    *,
    blended: bool,
) -> "Subject":
    if rate == 0.0:
        return subject
    train = subject.splits.get("train")
    if train is None or train.inputs is None or train.target is None:
        raise NotApplicable("there are no training rows with a target to poison")
    if not subject.task.is_classification:
        raise NotApplicable("the target is a number; a backdoor here turns rows into a class")
    layout = layout_of(train.inputs, feature_map, columns)
    found = backdoored(train.inputs, train.target, layout, rate, rng, blended=blended)
    changed = subject.with_inputs("train", found.inputs).with_target("train", found.labels)
    return changed.retrained()
