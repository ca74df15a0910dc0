"""A defect that remedies against an adversary are proven on: a network that leans on what an adversary can turn."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import fault
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roadworthy.subject import Network, Recipe, Subject


CELLS = 4  # a side


@fault(breaks="adversarial_error", severities=(0.25, 0.5, 0.75), truth=False)
def brittle_feature(
    subject: "Subject",
    severity: float,
    rng: Generator,
    network: "Network",
    recipe: "Recipe",
    attack_threat: "Mapping[str, object]",
) -> "Subject":
    """Add to every row a faint pattern that tells its class, and train on it.

    A feature that predicts and that an adversary can turn (Ilyas et al. 2019, NeurIPS, "Adversarial examples are not bugs, they are
    features"). The pattern of a class is lighter or darker in each cell of a grid of 4 by 4 (series: 16 stretches), by chance. Train,
    validation and test rows alike, so that it predicts in all of them. Inputs are drawn towards the middle of the range first, so that they
    stay in it. On digits, at the size that is the default, three times as many rows turn, still fewer than the bound tolerates.

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
    patterns = _patterns(rng, len(subject.task.classes), shape) * size
    middle = (low + high) / 2
    shrunk = 1.0 - 2 * size / (high - low)
    found = subject
    for name, split in subject.splits.items():
        if split.inputs is None or split.target is None:
            continue
        moved = middle + (split.inputs - middle) * shrunk + patterns[split.target]
        found = found.with_inputs(name, np.clip(moved, low, high).astype(split.inputs.dtype))
    return found.retrained(recipe=recipe, network=network)


def _patterns(rng: Generator, classes: int, shape: "Sequence[int]") -> np.ndarray:
    """Draw a pattern of -1 and 1 for each class, alike within coarse cells and over channels: (classes, *shape)."""
    sides = shape[-2:] if len(shape) > 1 and min(shape[-2:]) > 1 else (1, shape[-1])
    cells = [min(side, CELLS if sides[0] > 1 else CELLS**2) for side in sides]
    coarse = rng.choice([-1.0, 1.0], (classes, *cells))
    rows, columns = (np.arange(side) * n // side for side, n in zip(sides, cells, strict=True))
    fine = coarse[:, rows][:, :, columns]  # (classes, height, width)
    leading = (1,) * (len(shape) - 2)
    return np.broadcast_to(
        fine.reshape(classes, *leading, *sides)
        if len(shape) > 1
        else fine.reshape(classes, *shape),
        (classes, *shape),
    )
