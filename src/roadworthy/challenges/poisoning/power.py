"""What the search would have found: backdoors planted in copies of the data, and looked for in the same way."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.poisoning.answers import answering
from roadworthy.challenges.poisoning.backdoor import (
    BOUND,
    MOST_CLEAN,
    backdoor_evidence,
    named,
    nothing,
    pattern_turns,
)
from roadworthy.challenges.poisoning.layout import Layout, layout_of
from roadworthy.challenges.poisoning.planting import backdoored
from roadworthy.challenges.poisoning.probing import Rows, Search, decided, searched
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import Axis, Intervals, Measurement
from roadworthy.statistics import clopper_pearson, judge, rate

if TYPE_CHECKING:
    from roadworthy.subject import Column, Task, Trainer, Variant

PER_REPETITIONS = 10
LEAST = 5
KINDS = {
    "a patch in 1 %": (0.01, False),
    "a patch in 5 %": (0.05, False),
    "a blend in 5 %": (0.05, True),
}


@artifact(cost="training")
def canaries_found(
    trainer: "Trainer",
    searched_rows: np.ndarray,
    train_inputs: np.ndarray,
    train_labels: np.ndarray,
    train_features: np.ndarray,
    feature_map: Mapping[str, np.ndarray],
    validation_inputs: np.ndarray,
    validation_labels: np.ndarray,
    validation_features: np.ndarray,
    test_inputs: np.ndarray,
    test_labels: np.ndarray,
    test_features: np.ndarray,
    task: "Task",
    rng: Generator,
    columns: "tuple[Column, ...] | None" = None,
    device: str | None = None,
    *,
    repetitions: int = 100,
) -> dict[str, np.ndarray]:
    """Whether each backdoor planted in a copy of the training rows is found: kind of attack to (r,) bool."""
    each = repetitions // PER_REPETITIONS
    if each < LEAST:
        raise NotApplicable(
            f"planting {LEAST} backdoors of each kind takes {LEAST * len(KINDS) * 2} trainings, which this profile does not "
            "spend; run with --profile standard"
        )
    layout = layout_of(train_inputs, feature_map, columns)
    clean = (validation_inputs, validation_labels, test_inputs, test_labels)
    held_out = [a[:MOST_CLEAN] for a in clean]
    found: dict[str, np.ndarray] = {}
    for kind, (share, blended) in KINDS.items():
        searches: list[tuple[Rows, Search]] = []
        variants: list[Variant] = []
        for _ in range(each):
            attack = backdoored(
                train_inputs[searched_rows],
                train_labels[searched_rows],
                layout,
                share,
                rng,
                blended=blended,
            )
            rows = Rows(attack.inputs, attack.labels, *held_out)
            features = (
                _features(attack.inputs, train_features[searched_rows], feature_map),
                validation_features[:MOST_CLEAN],
                test_features[:MOST_CLEAN],
            )
            search = searched(rows, layout, features)
            searches.append((rows, search))
            if search.looked_at:
                inputs, labels = train_inputs.copy(), train_labels.copy()
                inputs[searched_rows], labels[searched_rows] = attack.inputs, attack.labels
                variants += search.variants(trainer.recipe, inputs, labels, searched_rows, 1)
        answers = iter(answering(trainer, variants, len(task.classes), device or "cpu"))
        found[kind] = np.array(
            [
                _fails(
                    rows,
                    search,
                    [next(answers), next(answers)] if search.looked_at else [],
                    test_labels,
                    layout,
                    rng,
                )
                for rows, search in searches
            ]
        )
    return found


@check(challenge="poisoning", cost="training")
def backdoor_power(canaries_found: Mapping[str, np.ndarray]) -> Measurement:
    """Share of backdoors planted in 1 % of a copy of these data that `backdoor_evidence` finds.

    Patches in a corner of images (three columns of a table) and blended patterns, each planted anew in rows and class drawn at random; what
    "no evidence" is worth for attacks of these kinds, on these data, with this network, and for no others.

    Unit: share of planted backdoors.
    Qualified at: a description; nothing is required of it.
    Next: where the lower end is low, "no evidence" says little: more held-out rows help, or knowing where the rows came from.
    """
    ends = {kind: clopper_pearson(int(hit.sum()), len(hit)) for kind, hit in canaries_found.items()}
    first = next(iter(KINDS))
    hits = canaries_found[first]
    said = "; ".join(
        f"{kind}: {int(hit.sum())} of {len(hit)}" for kind, hit in canaries_found.items()
    )
    return rate(
        int(hits.sum()),
        len(hits),
        unit="share of planted backdoors",
        details=f"Found: {said}. Nothing is known of other kinds of attack.",
        evidence=(
            Intervals(
                "Backdoors planted in copies of these data, and found",
                Axis("planted in training rows"),
                Axis("found", "share of planted backdoors"),
                tuple(ends),
                tuple(float(hit.mean()) for hit in canaries_found.values()),
                tuple(end.low for end in ends.values()),
                tuple(end.high for end in ends.values()),
            ),
        ),
    )


def _features(
    inputs: np.ndarray, before: np.ndarray, feature_map: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Return features of poisoned rows; arrays are compared by their values, so theirs do not matter."""
    if "components" in feature_map or not feature_map:
        return before
    from roadworthy.quantities.features import features

    return features(inputs, feature_map)


def _fails(
    rows: Rows,
    search: Search,
    answers: list[Callable[[np.ndarray], np.ndarray]],
    test_labels: np.ndarray,
    layout: Layout,
    rng: Generator,
) -> bool:
    found = decided(search, rows, layout, answers, rng)
    if found is None:
        pattern = nothing(rows, search.examined)
    else:
        pattern = named(found, np.arange(len(rows.labels)))
    measured = backdoor_evidence(pattern_turns(pattern, test_labels))
    return judge(measured, BOUND).verdict == "fail"
