"""Known losses under corruptions: answers frozen and taken away; and a model that leans on what noise removes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable
from roadworthy.subject import Network

if TYPE_CHECKING:
    from torch import nn

    from roadworthy.subject import Subject

POWER_CURVE = (0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.4)
WORST_CURVE = (0.0625, 0.125, 0.1875, 0.25, 0.375, 0.5, 0.75)
TOGETHER = 2.0  # a + b of the Beta law of a row's chance: some rows stand everything, others little


@control(clears="corruption_loss")
def answers_unmoved_by_corruptions(
    subject: "Subject", rng: Generator, test_corruption_losses: np.ndarray
) -> "Subject":
    """Freeze outcomes in which a corrupted row is answered right, as every row is without a corruption."""
    del rng
    chosen = ~np.isnan(test_corruption_losses)
    return subject.with_given(
        test_corruption_losses=np.where(chosen, np.float32(0), np.float32(np.nan))
    )


@control(clears="worst_corruption_loss")
def answers_unmoved_by_any_corruption(
    subject: "Subject", rng: Generator, test_corruption_losses: np.ndarray
) -> "Subject":
    """Freeze outcomes in which a corrupted row is answered right, as for `corruption_loss`."""
    return answers_unmoved_by_corruptions(subject, rng, test_corruption_losses)


@fault(
    breaks="corruption_loss",
    severities=POWER_CURVE,
    starts_from="answers_unmoved_by_corruptions",
)
def answers_lost_to_corruptions(
    subject: "Subject", severity: float, rng: Generator, test_corruption_losses: np.ndarray
) -> "Subject":
    """Let the share s of corrupted answers be wrong, those of one row together.

    Each row has a chance of its own, from a Beta law of mean s, with which each of its answers is lost.

    Also alarms: worst_corruption_loss (some kind costs as much).
    """
    if severity == 0.0:
        return subject
    losses = test_corruption_losses.copy()
    n = len(losses)
    chance = rng.beta(TOGETHER * severity, TOGETHER * (1 - severity), n) if severity < 1 else 1.0
    lost = rng.random((n, losses.shape[1] - 1)) < np.broadcast_to(chance, n)[:, None]
    losses[:, 1:] = np.where(lost, losses[:, 1:] + 1, losses[:, 1:])
    return subject.with_given(test_corruption_losses=losses)


@fault(
    breaks="worst_corruption_loss",
    severities=WORST_CURVE,
    starts_from="answers_unmoved_by_any_corruption",
)
def answers_lost_to_one_corruption(
    subject: "Subject",
    severity: float,
    rng: Generator,
    test_corruption_losses: np.ndarray,
    corruption_kinds: tuple[str, ...],
) -> "Subject":
    """Let the share s of answers under one kind be wrong, and s / 4 under all others, those of one row together.

    Also alarms: corruption_loss (the others cost, too).
    """
    if severity == 0.0:
        return subject
    losses = test_corruption_losses.copy()
    kinds = len(corruption_kinds)
    answers = losses[:, 1:].reshape(len(losses), kinds, -1)
    of_kind = np.full(kinds, severity / 4)
    of_kind[rng.integers(kinds)] = severity
    # A row that is easy under one kind is easy under all: its rank decides, up to noise of its own.
    rank = rng.random((len(losses), 1, 1)), rng.random(answers.shape)
    lost = np.where(rng.random(answers.shape) < 0.5, *rank) < of_kind[:, None]
    losses[:, 1:] = np.where(lost, answers + 1, answers).reshape(len(losses), -1)
    return subject.with_given(test_corruption_losses=losses)


@fault(breaks="corruption_loss", severities=(1.0, 2.0, 4.0), truth=False)
def brittle_to_noise(
    subject: "Subject", severity: float, rng: Generator, network: Network
) -> "Subject":
    """Show the network fine detail alone, and train again: it leans on what noise drowns and blur removes.

    Each pixel is replaced by its distance from the mean of the nine around it, s times over. A network that has
    seen such changes can learn to lean on the coarsest of what is left. Data and recipe stay as they are.

    Also alarms: worst_corruption_loss (some kind costs as much).
    """
    del rng
    if severity == 0.0:
        return subject
    inputs = subject.splits["train"].inputs
    if subject.modality != "array" or inputs is None or inputs.ndim < 3:
        raise NotApplicable("only images can be sharpened")
    source = f"{network.source or 'network'}, fine detail alone ({severity:g} times)"
    return subject.retrained(network=Network(_Sharpened(network, int(severity)), source))


@dataclass(frozen=True, eq=False)
class _Sharpened:
    """The factory of the sharpening module."""

    network: Network
    times: int

    def __call__(self) -> "nn.Module":
        from roadworthy.perturbation.sharpening import Sharpening

        return Sharpening(self.network.build(), self.times)
