"""A defect that remedies against an adversary are proven on: a network that leans on what an adversary can turn."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import fault
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roadworthy.subject import Network, Recipe, Subject


@fault(breaks="adversarial_error", severities=(0.25, 0.5, 1.0), truth=False)
def brittle_feature(
    subject: "Subject",
    severity: float,
    rng: Generator,
    network: "Network",
    recipe: "Recipe",
    attack_threat: "Mapping[str, object]",
) -> "Subject":
    """Add to every row a faint pattern that tells its class, and train on it.

    A feature that predicts and that an adversary can turn (Ilyas et al. 2019, NeurIPS, "Adversarial examples are not bugs, they are features"): half of the
    rows' elements, at random, carry the signs of their class's pattern. Train, validation and test rows alike, so that it predicts in all of them. Inputs
    are drawn towards the middle of the range first, so that they stay in it.

    Severity: size of the pattern, in parts of the size that the model is audited against.

    Also alarms: adversarial_l2_error, corruption_loss, worst_corruption_loss (faint patterns do not last).
    """
    if severity == 0.0:
        return subject
    if not subject.task.is_classification or subject.modality != "array":
        raise NotApplicable("patterns that tell a class are added to arrays with classes")
    values = {name: float(value) for name, value in attack_threat.items() if name != "norm"}  # type: ignore[arg-type]  # numbers
    size = severity * values["eps"]
    low, high = values["low"], values["high"]
    shape = next(s.inputs.shape[1:] for s in subject.splits.values() if s.inputs is not None)
    patterns = rng.choice([-1.0, 0.0, 0.0, 1.0], (len(subject.task.classes), *shape)) * size
    middle = (low + high) / 2
    shrunk = 1.0 - 2 * size / (high - low)
    found = subject
    for name, split in subject.splits.items():
        if split.inputs is None or split.target is None:
            continue
        moved = middle + (split.inputs - middle) * shrunk + patterns[split.target]
        found = found.with_inputs(name, np.clip(moved, low, high).astype(split.inputs.dtype))
    return found.retrained(recipe=recipe, network=network)
