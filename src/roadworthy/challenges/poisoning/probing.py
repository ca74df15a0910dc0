"""Models that know their training rows by heart, with and without suspect rows: what a pattern does in either."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.challenges.poisoning.layout import Layout
from roadworthy.challenges.poisoning.suspects import Group, groups_among
from roadworthy.challenges.poisoning.triggers import Trigger, triggers_of

if TYPE_CHECKING:
    from roadworthy.subject import Recipe, Variant

STEPS = 700  # of training at least: of 9 poisoned digits among 898 all are then learnt
FASTER, FASTEST = 3.0, 6e-3  # learning rate of AdamW, times the recipe's, and at most
CHOOSING = 150  # validation rows on which a pattern is chosen
RUNS = 2


@dataclass(frozen=True, eq=False)
class Suspicion:
    """The pattern whose effect hangs most on a few training rows, and what it does to rows nobody chose it on.

    Parameters
    ----------
    group : Group
        The rows that it was read from.
    trigger : Trigger
    asked : (m,) int64 ndarray
        Positions of the rows that it was laid over: none of its class.
    turned : (r, m) bool ndarray
        Whether each becomes its class in models of all training rows, one row per training.
    without : (r, m) bool ndarray
        The same in models that were trained without the suspect rows.
    elsewhere : (m,) bool ndarray
        Whether it becomes that class under a random pattern of that size, in the first model.
    left_out : (q,) int64 ndarray
        The training rows that were left out.
    looked_at : int
        Number of patterns that were tried.
    """

    group: Group
    trigger: Trigger
    asked: np.ndarray
    turned: np.ndarray
    without: np.ndarray
    elsewhere: np.ndarray
    left_out: np.ndarray
    looked_at: int


@dataclass(frozen=True, eq=False)
class Rows:
    """Inputs and labels of training, of validation and of test rows.

    Parameters
    ----------
    inputs, labels : ndarray
        To train on.
    choosing, choosing_labels : ndarray
        Clean rows on which a pattern is chosen.
    testing, testing_labels : ndarray
        Clean rows on which it is measured.
    """

    inputs: np.ndarray
    labels: np.ndarray
    choosing: np.ndarray
    choosing_labels: np.ndarray
    testing: np.ndarray
    testing_labels: np.ndarray


def by_heart(recipe: "Recipe", n: int) -> "Recipe":
    """Return the recipe of a probe: as the subject is trained, but long enough, and without what keeps it from learning rows by heart."""
    per_epoch = max(1, -(-n // recipe.batch_size))
    rate = recipe.learning_rate
    if recipe.optimizer == "adamw":
        rate = max(rate, min(FASTER * rate, FASTEST))
    return replace(
        recipe,
        epochs=max(recipe.epochs, -(-STEPS // per_epoch)),
        learning_rate=rate,
        patience=None,
        weight_decay=0.0,
        l1=0.0,
        dropout=0.0,
        label_smoothing=0.0,
        augmentation=(),
        logit_adjustment=0.0,
        pretraining=None,
        pseudo_labels=None,
        synthetic=0.0,
    )


@dataclass(frozen=True, eq=False)
class Search:
    """What is looked for in one set of training rows: groups, their patterns, and the trainings that decide."""

    groups: list[Group]
    triggers: list[list[Trigger]]
    left_out: np.ndarray
    kept: np.ndarray

    @property
    def looked_at(self) -> int:
        """Number of patterns."""
        return sum(len(each) for each in self.triggers)

    def variants(
        self,
        recipe: "Recipe",
        inputs: np.ndarray,
        target: np.ndarray,
        rows: np.ndarray,
        runs: int = RUNS,
    ) -> "list[Variant]":
        """Return the trainings: `runs` on all of `rows`, then as many without the suspect ones."""
        from roadworthy.subject import Variant

        long = by_heart(recipe, len(rows))
        recipes = [replace(long, seed=recipe.seed + run) for run in range(runs)]
        return [
            Variant(rows=some, recipe=each, inputs=inputs, target=target)
            for some in (rows, rows[self.kept])
            for each in recipes
        ]


def searched(positions: np.ndarray, rows: Rows, layout: Layout) -> Search:
    """Return the groups and patterns of these training rows; no model is needed."""
    groups = groups_among(positions, rows.labels, layout)
    triggers = [triggers_of(group, rows.inputs, layout) for group in groups]
    none = np.empty(0, np.int64)
    left_out = np.unique(np.concatenate([g.rows for g in groups])) if groups else none
    kept = np.setdiff1d(np.arange(len(rows.labels)), left_out)
    return Search(groups, triggers, left_out, kept)


def decided(
    search: Search,
    rows: Rows,
    layout: Layout,
    answers: Sequence[Callable[[np.ndarray], np.ndarray]],
    rng: np.random.Generator,
) -> Suspicion | None:
    """Return the pattern with the largest effect on validation rows, as measured on test rows.

    Parameters
    ----------
    search : Search
    rows : Rows
    layout : Layout
    answers : sequence of callable
        Inputs to class codes: models of all training rows, then as many without the suspect ones.
    rng : Generator
        Of the rows to choose on, and of random patterns.
    """
    if not search.looked_at:
        return None
    some = np.sort(rng.permutation(len(rows.choosing))[:CHOOSING])
    choosing, labels = rows.choosing[some], rows.choosing_labels[some]
    best, chosen = -np.inf, None
    for group, triggers in zip(search.groups, search.triggers, strict=True):
        asked = choosing[labels != group.target]
        if len(asked) == 0:
            continue
        for trigger in triggers:
            turned = _turned(answers, trigger.over(asked, layout), group.target).mean(axis=1)
            half = len(answers) // 2
            effect = float(turned[:half].min() - turned[half:].max())
            if effect > best:
                best, chosen = effect, (group, trigger)
    if chosen is None:
        return None
    group, trigger = chosen
    asked = np.flatnonzero(rows.testing_labels != group.target)
    turned = _turned(answers, trigger.over(rows.testing[asked], layout), group.target)
    random = trigger.elsewhere(rows.testing[asked], layout, rng)
    half = len(answers) // 2
    return Suspicion(
        group,
        trigger,
        asked,
        turned[:half],
        turned[half:],
        _turned(answers[:1], random, group.target)[0],
        search.left_out,
        search.looked_at,
    )


def _turned(
    answers: Sequence[Callable[[np.ndarray], np.ndarray]], inputs: np.ndarray, target: int
) -> np.ndarray:
    return np.stack([answer(inputs) == target for answer in answers])
