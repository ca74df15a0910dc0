"""Faults known because it is the model that is changed, or kept as it is."""

from collections.abc import Callable

import numpy as np
import pytest

from roadworthy.challenges.uncertainty.model_faults import labels_as_told, wrong_where_unsure
from roadworthy.engine import Registry, compute
from roadworthy.subject import Network, Recipe, Split, Subject, Task, fields_of

from .test_mitigations import linear

REGISTRY = Registry.discover()
TOLD = ("validation_probabilities", "test_probabilities")
KEPT = ("network", "weights")


def trained_by_recipe() -> Subject:
    """Return a subject without weights of its own, whose training looks at validation labels."""
    rng = np.random.default_rng(0)
    splits: dict[str, Split] = {}
    for name, n in (("train", 60), ("validation", 200), ("test", 200)):
        inputs = rng.normal(size=(n, 6))
        splits[name] = Split(inputs, (inputs[:, :3] + rng.normal(size=(n, 3))).argmax(axis=1))
    return Subject(
        "made up",
        Task("multiclass", ("a", "b", "c")),
        "array",
        splits,
        network=Network(linear, "linear"),
        recipe=Recipe(epochs=6, patience=2, learning_rate=0.1),
    )


def values(subject: Subject, *names: str) -> dict[str, object]:
    return {k: o.value for k, o in compute(REGISTRY, fields_of(subject), names).items()}


def wrong_for_half(subject: Subject, rng: np.random.Generator, **given: object) -> Subject:
    return wrong_where_unsure(subject, 0.5, rng, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("relabel", [labels_as_told, wrong_for_half])
def test_other_validation_labels_leave_the_trained_model_as_it_is(
    relabel: Callable[..., Subject],
) -> None:
    subject, rng = trained_by_recipe(), np.random.default_rng(1)
    before = values(subject, *TOLD, *KEPT)
    told = {name: before[name] for name in TOLD}
    trained_anew = relabel(subject, rng, **told)
    assert not np.allclose(
        values(trained_anew, TOLD[1])[TOLD[1]],  # type: ignore[arg-type]
        before[TOLD[1]],  # type: ignore[arg-type]
    )  # or there would be nothing to keep
    made = relabel(subject, rng, **before)
    assert (made.splits["validation"].target != subject.splits["validation"].target).any()
    assert np.array_equal(values(made, TOLD[1])[TOLD[1]], before[TOLD[1]])  # type: ignore[arg-type]
