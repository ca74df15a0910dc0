"""What is done with probabilities: answer, abstain, or give a set of classes."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class DecisionRule:
    """The rule between a model's probabilities and what its user is told.

    Parameters
    ----------
    kind : {"abstain", "set"}
        "abstain": the most probable class, and no answer where its probability is below `threshold`.
        "set": every class whose probability is at least `threshold`, and always the most probable one.
    threshold : float
        0 to 1.
    aim : str
        What the threshold was chosen for, in words: "at most 5 % wrong among answered rows".
    """

    kind: Literal["abstain", "set"]
    threshold: float
    aim: str = ""
