"""What makes explanations more faithful: another method, chosen on validation rows."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import mitigation, sham
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Subject


@mitigation(
    targets="attribution_faithfulness",
    strengths=(1.0,),
    sham="any_method_that_fits",
    repairs="explained_by_chance",
)
def most_faithful_attribution(
    subject: "Subject", strength: float, validation_rival_gains: Mapping[str, np.ndarray]
) -> "Subject":
    """Explain with the method that finds best what answers rest on, by curves on validation rows.

    The method whose smallest gain over the kinds of removed values is largest on average. Model, data and answers stay.
    """
    if strength == 0.0:
        return subject
    return subject.with_given(attribution_method=most_faithful(validation_rival_gains))


@sham()
def any_method_that_fits(
    subject: "Subject",
    strength: float,
    rng: Generator,
    validation_rival_gains: Mapping[str, np.ndarray],
) -> "Subject":
    """Take one by chance among the same methods, chance itself among them: with luck it is a good one."""
    if strength == 0.0:
        return subject
    names = sorted(validation_rival_gains)
    return subject.with_given(attribution_method=names[int(rng.integers(len(names)))])


def most_faithful(gains: Mapping[str, np.ndarray]) -> str:
    """Return the method with the largest of the smallest mean gains; of ties the first.

    >>> most_faithful({"a": np.array([[0.1, 0.3]]), "b": np.array([[0.2, 0.2]]), "chance": np.array([[9.0, 9.0]])})
    'b'
    """
    from roadworthy.attribution.library import CONTROL

    least = {name: float(g.mean(axis=0).min()) for name, g in gains.items() if name != CONTROL}
    if not least:
        raise NotApplicable("no method of explanation fits this model")
    return max(least, key=lambda name: least[name])
