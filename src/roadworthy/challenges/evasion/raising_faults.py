"""A model on which attacks break half-way: what must end as an error, and never as robustness."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.challenges.evasion.masks import INNER
from roadworthy.engine import fault
from roadworthy.subject import Network

if TYPE_CHECKING:
    from torch import nn

    from roadworthy.subject import Subject

STEPS = 3  # that gradients pass: the first attack is under way, and no row has been given up yet


@fault(breaks="adversarial_error", severities=(1.0,), truth=False)
def attack_that_raises_half_way(
    subject: "Subject", severity: float, network: "Network", weights: Mapping[str, np.ndarray]
) -> "Subject":
    """Let the model raise at the fourth gradient that is taken, as a full device or an operation without a derivative does.

    Answers stay the same, so that the share of right answers is known when the attack breaks; the finding must be an error. Severity 1
    is all there is.

    Also alarms: nothing else, as what rests on gradients ends in errors and not in alarms.
    """
    if severity == 0.0:
        return subject
    found = Network(_Raising(network), f"{network.source}, breaking under attack")
    inner = {f"{INNER}{name}": np.asarray(value) for name, value in weights.items()}
    kept = {k: v for k, v in subject.given.items() if k not in ("weights", "predictor")}
    return replace(subject, network=found, weights=inner, predictor=None, given=kept)


@dataclass(frozen=True, eq=False)
class _Raising:
    """The factory of the module."""

    network: Network

    def __call__(self) -> "nn.Module":
        from roadworthy.challenges.evasion.raising_module import Raising

        return Raising(self.network.build(), STEPS)
