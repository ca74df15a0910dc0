"""What is asked of the model: which kind of target, which classes."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Task:
    """The kind of prediction.

    Parameters
    ----------
    kind : {"binary", "multiclass", "regression"}
    classes : tuple of str
        Class names in the order of the label codes; empty for regression.
    positive : int or None
        Code of the class whose detection matters (binary only).
    """

    kind: Literal["binary", "multiclass", "regression"]
    classes: tuple[str, ...] = ()
    positive: int | None = None

    @property
    def is_classification(self) -> bool:
        """Whether the target is a class."""
        return self.kind != "regression"
