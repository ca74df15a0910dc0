"""Where what an attack found speaks against the attack itself: sentences, none where nothing does."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np

from roadworthy.statistics import clopper_pearson, percent

if TYPE_CHECKING:
    from roadworthy.perturbation.cascade import Outcomes

MANY = 0.1  # of the rows that stand: so many are no accident
FEWEST = 3
LEVEL = 0.95


def gradients_are_cut(conduct: Mapping[str, object]) -> tuple[str, ...]:
    """Say that a network lets no gradients pass."""
    if not conduct.get("cut", False):
        return ()
    return (
        "the network lets no gradients pass, which hides how weak it is: it was attacked by its outputs alone, which "
        "finds less; leave out the step that cuts them (detach, numpy) for the audit",
    )


def gradients_mislead(late: int, stood: int) -> tuple[str, ...]:
    """Say that a search without gradients broke many of the rows that gradients had left standing."""
    if late < FEWEST or late <= MANY * stood:
        return ()
    return (
        f"a search without gradients broke {late} of the {stood} rows ({percent(late / stood)}) that attacks along "
        "gradients had left standing, so the gradients mislead",
    )


def masks_undone(conduct: Mapping[str, object]) -> tuple[str, ...]:
    """Say what in a model can stop attacks along its gradients, and does not stop these."""
    scale = float(cast(float, conduct.get("scale", 1.0)))
    said: list[str] = []
    if scale != 1.0:
        said.append(
            "The logits are so large, as after defensive distillation, that cross-entropy is exactly 0 in float32 on more "
            f"than a tenth of the rows. Under attack they are divided by {scale:g}, which changes no answer."
        )
    if conduct.get("steps", False):
        said.append(
            "The model takes steps through which no gradient comes, such as rounding. Under attack gradients go straight "
            "through."
        )
    return tuple(said)


def masks_that_hide(
    conduct: Mapping[str, object], aided: np.ndarray, unaided: np.ndarray
) -> tuple[str, ...]:
    """Say that attacks get further by what they undo: (m,) bool, rows that fall with it and without.

    There may be more to undo, which nobody knows of.
    """
    if not hidden_rows(aided, unaided).any():
        return ()
    scale = float(cast(float, conduct.get("scale", 1.0)))
    ways = [
        *([f"divide its logits by {scale:g}, which changes no answer"] if scale != 1.0 else []),
        *(["leave out the steps, such as rounding"] if conduct.get("steps", False) else []),
    ]
    which = " (which of the two hides them was not tried)" if len(ways) > 1 else ""
    return (
        f"the model hides its gradients: ten steps turn {int(aided.sum())} of {len(aided)} rows where what hides them is "
        f"undone, and {int(unaided.sum())} of the model as it is; attacks undo what they know of, and there may be more. "
        f"To have it judged without: {', and '.join(ways)}{which}",
    )


def hidden_rows(aided: np.ndarray, unaided: np.ndarray) -> np.ndarray:
    """Return the rows that fall only to attacks that undo something: (m,) bool, none where luck explains them."""
    hidden = aided & ~unaided
    return hidden if is_surely_more(hidden, unaided & ~aided) else np.zeros_like(hidden)


def is_surely_more(only_first: np.ndarray, only_second: np.ndarray) -> bool:
    """Whether the first are more than the second by more than luck (exact sign test, one-sided 2.5 %): (m,) bool each."""
    firsts, seconds = int(only_first.sum()), int(only_second.sum())
    return firsts > 0 and clopper_pearson(firsts, firsts + seconds, LEVEL).low > 0.5


def outputs_never_moved(found: "Outcomes") -> tuple[str, ...]:
    """Say that outputs stayed as they were in many of the rows that stand: a search that goes by them saw nothing.

    So it is where a model answers with classes alone, or with probabilities that are rounded to 0 and 1.
    """
    still = found.standing & (found.column("margin") == found.column("clean_margin"))
    stands, unmoved = int(found.standing.sum()), int(np.sum(still))
    if unmoved < FEWEST or unmoved <= MANY * stands:
        return ()
    return (
        f"in {unmoved} of the {stands} rows that stand ({percent(unmoved / stands)}) no change moved the outputs at all, so a "
        "search that goes by them had nothing to follow; give the network itself, or outputs that tell how sure it is",
    )
