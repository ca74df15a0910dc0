"""Which epoch of a training against an adversary was kept, and whether those after it lost what had been learnt."""

from typing import TYPE_CHECKING

import numpy as np

from roadworthy.procedures.fix.costs import WEIGHTS
from roadworthy.procedures.paired import Side

if TYPE_CHECKING:
    from roadworthy.subject import Recipe

JUDGED = "judged_epochs"
STEPS = 10  # by which an epoch is judged: those of the trainer
LOST = 2.0  # times the least loss: a jump (Wong et al. 2020, figure 4), no drift (Rice et al. 2020, figure 1)
FEW_STEPS = ("fast", "free")
"""Methods that see one step at a time, and may learn to withstand no more."""


def course_of(side: Side, recipe: "Recipe | None") -> tuple[str, ...]:
    """Say it of the model of a side; nothing where it was trained without an adversary, or came trained."""
    if recipe is None or recipe.adversarial is None or WEIGHTS in side.fields:
        return ()
    judged = side.values([JUDGED])[JUDGED]
    if judged is None:
        return ()
    return said_of(np.asarray(judged), recipe)


def said_of(judged: np.ndarray, recipe: "Recipe") -> tuple[str, ...]:
    """Put the losses of the epochs, (epochs,), into words.

    An epoch is judged by ten steps however few are trained against, so that catastrophic overfitting
    (Wong, Rice & Kolter 2020, section 5.4: one step is withstood, several are not) shows as a jump of the loss.
    """
    if recipe.adversarial is None or not np.isfinite(judged).any():
        return ()
    kept = int(np.nanargmin(judged))
    least, most = float(judged[kept]), float(np.nanmax(judged[kept:]))
    said = (
        f"training: epoch {kept + 1} of {recipe.epochs} is kept, the one that withstands most "
        f"(loss {least:.3g} against {STEPS} steps)"
    )
    if most < LOST * least:
        return (said,)
    where = kept + int(np.nanargmax(judged[kept:])) + 1
    what = "catastrophic overfitting" if recipe.adversarial.method in FEW_STEPS else "overfitting"
    return (said, f"training: {what} after it, the loss is {most:.3g} in epoch {where}")
