"""What every remedy of the room that trains anew needs to know of a subject."""

from typing import TYPE_CHECKING

from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Network, Recipe, Subject


def recipe_of(subject: "Subject") -> "Recipe":
    """Return how the model is trained again."""
    if subject.recipe is None:
        raise NotApplicable(
            "the model cannot be trained again, as its recipe is not known; give a Recipe in a subject.py"
        )
    return subject.recipe


def network_of(subject: "Subject") -> "Network":
    """Return the architecture that is to be trained again."""
    recipe_of(subject)
    if subject.network is None:
        raise NotApplicable(
            "the architecture is not known; give it as a Python factory (--model module:function)"
        )
    return subject.network
