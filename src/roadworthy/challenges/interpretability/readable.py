"""A model that can be read in place of one that cannot."""

from typing import TYPE_CHECKING

from roadworthy.engine import mitigation
from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from roadworthy.subject import Network, Subject


@mitigation(targets="unexplained_answers", strengths=(1.0,), repairs="memorised_noise")
def replaced_by_a_readable_network(
    subject: "Subject", strength: float, readable_network: "Network"
) -> "Subject":
    """Train a network that is a sum of one function for each column (of an array, one weight for each value) in place of the present one.

    Agarwal et al. (2021), "Neural additive models"; Rudin (2019) on why. What it gives up in accuracy stands in the effects. Data and recipe stay.
    """
    if strength == 0.0:
        return subject
    if subject.recipe is None:
        raise NotApplicable("how the model was trained is not known; give a Recipe in a subject.py")
    return subject.retrained(network=readable_network)
