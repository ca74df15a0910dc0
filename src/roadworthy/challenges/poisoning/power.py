"""What the search would have found: backdoors planted in copies of the data, and looked for in the same way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.poisoning.backdoor import (
    BOUND,
    MOST_CLEAN,
    backdoor_evidence,
    named,
    pattern_turns,
)
from roadworthy.challenges.poisoning.layout import Layout, layout_of
from roadworthy.challenges.poisoning.planting import backdoored
from roadworthy.challenges.poisoning.probing import Choice, Rows, Search, Trial, searched
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import Axis, Intervals, Measurement
from roadworthy.statistics import clopper_pearson, judge, rate

if TYPE_CHECKING:
    from roadworthy.subject import Column, Trainer, Variant

PER_REPETITIONS = 10
LEAST = 5
CLIP = 3.0  # where `features` saturates
KINDS = {
    "a patch in 1 %": (0.01, False),
    "a patch in 5 %": (0.05, False),
    "a blend in 5 %": (0.05, True),
}


@dataclass(frozen=True, eq=False)
class Canary:
    """A copy of the data with a backdoor in it, what the search found there, and the trainings that decide.

    Parameters
    ----------
    rows : Rows
    search : Search
    variants : list of Variant
        With and without the suspect rows; none where the search found none.
    """

    rows: Rows
    search: Search
    variants: "list[Variant]"


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
    rng: Generator,
    columns: "tuple[Column, ...] | None" = None,
    *,
    repetitions: int = 100,
) -> dict[str, np.ndarray]:
    """Whether each backdoor planted in a copy of the training rows is found: kind of attack to (r,) bool."""
    each = repetitions // PER_REPETITIONS
    if each < LEAST:
        raise NotApplicable(
            f"{LEAST} backdoors of each kind at least are planted, which takes {LEAST * len(KINDS) * 2} trainings and {LEAST * PER_REPETITIONS} "
            f"`repetitions`; they are {repetitions} here. Run with --profile standard, or set more"
        )
    layout = layout_of(train_inputs, feature_map, columns)
    clean = (validation_inputs, validation_labels, test_inputs, test_labels)
    held_out = [a[:MOST_CLEAN] for a in clean]
    found: dict[str, np.ndarray] = {}
    for kind, (share, blended) in KINDS.items():
        trials: list[Canary] = []
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
            inputs, labels = train_inputs.copy(), train_labels.copy()
            inputs[searched_rows], labels[searched_rows] = attack.inputs, attack.labels
            own = search.variants(trainer.recipe, inputs, labels, searched_rows, 1)
            trials.append(Canary(rows, search, own if search.looked_at else []))
        found[kind] = _found(trials, trainer, layout, test_labels, rng)
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
    """Return features of poisoned rows of a table, as `features` does; arrays are compared by their values instead."""
    if "numeric" not in feature_map:
        return before
    numeric = inputs[:, feature_map["numeric"]].astype(np.float64)
    missing = ~np.isfinite(numeric)
    z = np.where(missing, 0.0, numeric - feature_map["median"]) / feature_map["scale"]
    clipped = z / np.sqrt(1.0 + (z / CLIP) ** 2)
    category = inputs[:, feature_map["category_column"]]
    one_hot = np.where(np.isnan(category), -1, category) == feature_map["category_code"]
    parts = [clipped, missing[:, feature_map["indicated"]], one_hot / np.sqrt(2.0)]
    return np.concatenate(parts, axis=1, dtype=np.float32)


def _found(
    canaries: "Sequence[Canary]",
    trainer: "Trainer",
    layout: Layout,
    test_labels: np.ndarray,
    rng: Generator,
) -> np.ndarray:
    """Return whether each is found: (r,) bool; the networks of all are trained together."""
    found = np.zeros(len(canaries), bool)
    searches = [k for k, canary in enumerate(canaries) if canary.variants]
    choices = [Choice.of(canaries[k].search, canaries[k].rows, layout, rng) for k in searches]
    answers = _answers(canaries, searches, [each.inputs for each in choices], trainer)
    trials: list[Trial] = []
    tried: list[int] = []
    for k, choice, answer in zip(searches, choices, answers, strict=True):
        chosen = choice.best(answer)
        if chosen is not None:
            trials.append(Trial.of(chosen, canaries[k].rows, layout, rng))
            tried.append(k)
    answers = _answers(canaries, tried, [each.inputs for each in trials], trainer)
    for k, trial, answer in zip(tried, trials, answers, strict=True):
        n = len(canaries[k].rows.labels)
        pattern = named(trial.suspicion(answer, canaries[k].search), np.arange(n))
        measured = backdoor_evidence(pattern_turns(pattern, test_labels))
        found[k] = judge(measured, BOUND).verdict == "fail"
    return found


def _answers(
    canaries: "Sequence[Canary]",
    which: list[int],
    inputs: list[np.ndarray],
    trainer: "Trainer",
) -> list[list[np.ndarray]]:
    """Return the answers of the two networks of each of these canaries."""
    variants = [variant for k in which for variant in canaries[k].variants]
    asked = [each for each in inputs for _ in range(2)]
    flat = trainer.predictions(variants, asked) if variants else []
    return [flat[2 * i : 2 * i + 2] for i in range(len(which))]
