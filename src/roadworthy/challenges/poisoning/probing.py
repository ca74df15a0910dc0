"""Models that know their training rows by heart, with and without suspect rows: what a pattern does in either."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.challenges.poisoning.calibration import surplus
from roadworthy.challenges.poisoning.combinations import combinations_among
from roadworthy.challenges.poisoning.layout import Layout
from roadworthy.challenges.poisoning.suspects import Group, groups_among
from roadworthy.challenges.poisoning.triggers import Trigger, triggers_of

if TYPE_CHECKING:
    from roadworthy.subject import Recipe, Variant

STEPS = 700  # of training at least: of 9 poisoned digits among 898 all are then learnt
LARGEST_BATCH = 64  # as many steps on larger ones take longer and teach no more by heart
FASTER, FASTEST = 3.0, 6e-3  # learning rate of AdamW, times the recipe's, and at most
CHOOSING = 150  # validation rows on which a pattern is chosen

Features = tuple[np.ndarray, np.ndarray, np.ndarray]  # of training, validation and test rows


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
    looked_at, examined : int
        Patterns that were tried, and groups of rows that they were left from.
    """

    group: Group
    trigger: Trigger
    asked: np.ndarray
    turned: np.ndarray
    without: np.ndarray
    elsewhere: np.ndarray
    left_out: np.ndarray
    looked_at: int
    examined: int


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
    batch_size = min(recipe.batch_size, LARGEST_BATCH)
    per_epoch = max(1, -(-n // batch_size))
    rate = recipe.learning_rate
    if recipe.optimizer == "adamw":
        rate = max(rate, min(FASTER * rate, FASTEST))
    return replace(
        recipe,
        epochs=max(recipe.epochs, -(-STEPS // per_epoch)),
        batch_size=batch_size,
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
    """What was found in one set of training rows without a model.

    Parameters
    ----------
    groups : list of Group
        That hold too many training rows; these alone, as positions among the training rows that were searched.
    triggers : list of list of Trigger
        Patterns of each group.
    left_out : (q,) int64 ndarray
        Rows of all groups.
    kept : (m - q,) int64 ndarray
        All others.
    examined : int
        Groups that were looked at before the clean rows spoke.
    """

    groups: list[Group]
    triggers: list[list[Trigger]]
    left_out: np.ndarray
    kept: np.ndarray
    examined: int

    @property
    def looked_at(self) -> int:
        """Number of patterns."""
        return sum(len(each) for each in self.triggers)

    def variants(
        self,
        recipe: "Recipe",
        inputs: np.ndarray | None,
        target: np.ndarray | None,
        rows: np.ndarray,
        runs: int,
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


def searched(rows: Rows, layout: Layout, features: Features) -> Search:
    """Return the groups and patterns of these training rows; no model is needed.

    Groups are sought among training and clean rows together, and those stand that hold more training rows than luck explains.
    Of tables they are the rows in which a few values meet, of arrays rows that differ from another class alike.
    """
    n = len(rows.labels)
    inputs = np.concatenate([rows.inputs, rows.choosing, rows.testing])
    labels = np.concatenate([rows.labels, rows.choosing_labels, rows.testing_labels])
    if layout.table:
        met = combinations_among(layout.flat(inputs), labels, n)
        return _search(met.groups, met.triggers, n, met.examined)
    positions = layout.positions(inputs, np.concatenate(features))
    found = groups_among(positions, labels, layout)
    sizes = np.array([len(group.rows) for group in found], np.int64)
    training = np.array([int(np.sum(group.rows < n)) for group in found], np.int64)
    stands = surplus(sizes, training, n, len(labels) - n).stands
    groups: list[Group] = []
    triggers: list[list[Trigger]] = []
    for group, one in zip(found, stands.tolist(), strict=True):
        if one:
            of_training = group.rows < n
            only = Group(group.target, group.rows[of_training], group.beside[of_training])
            groups.append(only)
            triggers.append(triggers_of(only, inputs, layout))
    return _search(groups, triggers, n, len(found))


def _search(
    groups: list[Group], triggers: list[list[Trigger]], training: int, examined: int
) -> Search:
    none = np.empty(0, np.int64)
    left_out = np.unique(np.concatenate([g.rows for g in groups])) if groups else none
    kept = np.setdiff1d(np.arange(training), left_out)
    return Search(groups, triggers, left_out, kept, examined)


@dataclass(frozen=True, eq=False)
class Choice:
    """The patterns of one search laid over validation rows: what models have to answer to choose among them.

    Parameters
    ----------
    patterns : list of (Group, Trigger)
    inputs : (q, ...) ndarray
        Of all patterns, one after the other.
    sizes : list of int
        Rows of each.
    """

    patterns: list[tuple[Group, Trigger]]
    inputs: np.ndarray
    sizes: list[int]

    @staticmethod
    def of(search: Search, rows: Rows, layout: Layout, rng: np.random.Generator) -> "Choice":
        """Lay every pattern over some validation rows of other classes."""
        some = np.sort(rng.permutation(len(rows.choosing))[:CHOOSING])
        choosing, labels = rows.choosing[some], rows.choosing_labels[some]
        patterns: list[tuple[Group, Trigger]] = []
        laid: list[np.ndarray] = [choosing[:0]]
        for group, triggers in zip(search.groups, search.triggers, strict=True):
            asked = choosing[labels != group.target]
            for trigger in triggers if len(asked) else ():
                patterns.append((group, trigger))
                laid.append(trigger.over(asked, layout))
        return Choice(patterns, np.concatenate(laid), [len(each) for each in laid[1:]])

    def best(self, answers: Sequence[np.ndarray]) -> tuple[Group, Trigger] | None:
        """Return the pattern with the largest effect; `answers` of models of all rows, then of those without the suspect ones."""
        if not self.patterns:
            return None
        half = len(answers) // 2
        ends = np.cumsum(self.sizes)[:-1]
        by_model = [np.split(each, ends) for each in answers]
        effects: list[float] = []
        for k, (group, _) in enumerate(self.patterns):
            turned = [float(np.mean(parts[k] == group.target)) for parts in by_model]
            effects.append(min(turned[:half]) - max(turned[half:]))
        return self.patterns[int(np.argmax(effects))]


@dataclass(frozen=True, eq=False)
class Trial:
    """The chosen pattern, and a random one, laid over test rows: what models have to answer to measure it."""

    group: Group
    trigger: Trigger
    asked: np.ndarray
    inputs: np.ndarray

    @staticmethod
    def of(
        chosen: tuple[Group, Trigger], rows: Rows, layout: Layout, rng: np.random.Generator
    ) -> "Trial":
        """Lay the pattern over all test rows of other classes, and then a random one."""
        group, trigger = chosen
        asked = np.flatnonzero(rows.testing_labels != group.target)
        clean = rows.testing[asked]
        laid = (trigger.over(clean, layout), trigger.elsewhere(clean, layout, rng))
        return Trial(group, trigger, asked, np.concatenate(laid))

    def suspicion(self, answers: Sequence[np.ndarray], search: Search) -> Suspicion:
        """Return what it does; `answers` as for `Choice.best`."""
        n, half = len(self.asked), len(answers) // 2
        turned = np.stack([each[:n] == self.group.target for each in answers])
        random = answers[0][n:] == self.group.target
        return Suspicion(
            self.group,
            self.trigger,
            self.asked,
            turned[:half],
            turned[half:],
            random,
            search.left_out,
            search.looked_at,
            search.examined,
        )
