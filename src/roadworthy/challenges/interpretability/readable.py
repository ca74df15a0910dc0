"""A model that can be read in place of one that cannot."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import mitigation
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Network, Subject


@mitigation(targets="unexplained_answers", strengths=(1.0,))
def replaced_by_a_readable_network(
    subject: "Subject", strength: float, train_inputs: np.ndarray
) -> "Subject":
    """Train a network that is a sum of one function for each column (of an array, one weight for each value) in place of the present one.

    Agarwal et al. (2021), "Neural additive models"; Rudin (2019) on why. What it gives up in accuracy stands in the effects. Data and recipe stay.
    """
    if strength == 0.0:
        return subject
    if subject.recipe is None:
        raise NotApplicable("how the model was trained is not known; give a Recipe in a subject.py")
    return subject.retrained(network=_readable(subject, train_inputs))


def _readable(subject: "Subject", inputs: np.ndarray) -> "Network":
    from roadworthy.subject import Network

    classes = len(subject.task.classes)
    if subject.columns:
        from roadworthy.training.additive import AdditiveTable
        from roadworthy.training.tables import TableShape

        shape = TableShape.of(subject.columns, classes)
        return Network(partial(AdditiveTable, shape), "additive network for tables")
    if subject.modality != "array":
        raise NotApplicable(
            f"no readable network is known for inputs of the kind {subject.modality!r}"
        )
    from roadworthy.training.additive import LinearArray
    from roadworthy.training.arrays import ArrayShape

    return Network(partial(LinearArray, ArrayShape(inputs.shape[1:], classes)), "linear network")
