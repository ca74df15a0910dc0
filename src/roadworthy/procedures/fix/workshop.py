"""Where remedies are tried: one subject, what was computed of it, and the time that is left."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from roadworthy import engine
from roadworthy.engine import Marked, MitigationMark, Outcome, Registry, Store
from roadworthy.errors import UserError
from roadworthy.procedures.audit import Request
from roadworthy.procedures.fix.costs import TIMING
from roadworthy.procedures.fix.reseeding import reseeded_weights
from roadworthy.procedures.fix.standing_in import with_test_rows_of
from roadworthy.procedures.paired import How, Side
from roadworthy.procedures.transforms import CannotApply, applied
from roadworthy.subject import Network, Recipe, Subject
from roadworthy.subject.fields import fields_of
from roadworthy.subject.label_review import LabelReview

RESEEDED = reseeded_weights.__name__
MEASURED_ON = ("validation", "test")


class OutOfTime(Exception):
    """The budget was used up before something that a decision needs."""


@dataclass(frozen=True)
class Means:
    """What a fix may use.

    Parameters
    ----------
    resamples : int
        Of shared rows.
    seconds : float
        For the resamples of one check.
    seeds : int
        Trainings on each side behind a claim about a remedy.
    most_training : float or None
        Seconds that those trainings may take; None: any.
    dear_checks : bool
        Whether checks that train models of their own are measured again.
    """

    resamples: int
    seconds: float
    seeds: int
    most_training: float | None
    dear_checks: bool


class Workshop:
    """A subject on which remedies are tried.

    `subject` is as it was given; `filled` has the network and the recipe that artifacts made for it, which
    is what remedies are handed. `label_review` is handed to those that ask for it: it is no field of the subject,
    whose identity stays what it was.
    """

    def __init__(
        self,
        subject: Subject,
        registry: Registry,
        store: Store,
        request: Request,
        means: Means,
        *,
        deadline: float | None = None,
        label_review: LabelReview | None = None,
        emit: Callable[[object], None] | None = None,
    ) -> None:
        own = Registry.of(reseeded_weights, TIMING).artifacts
        self.registry = replace(registry, artifacts={**registry.artifacts, **own})
        self.subject = subject
        self.request = request
        self.means = means
        self._label_review = label_review
        self._deadline = deadline
        self.how = How(
            registry=self.registry,
            store=store,
            seed=request.seed,
            options={**request.options, RESEEDED: {"seeds": means.seeds}},
            requirements=request.requirements,
            resamples=means.resamples,
            seconds=means.seconds,
            budget=self.left,
            emit=emit,
        )
        self.base = self.side(subject)
        self.base_on_validation = self.on(subject, "validation")
        self.filled = self._filled_like(subject)
        self._reseeded: dict[int, tuple[Subject, ...]] = {}

    @property
    def store(self) -> Store:
        """Where results are kept."""
        return self.how.store

    def left(self) -> float | None:
        """Return the seconds that are left; None where there is no budget."""
        return None if self._deadline is None else max(self._deadline - time.monotonic(), 0.0)

    def fields(self, subject: Subject) -> Mapping[str, Any]:  # Any: values of fields
        """Return what checks see of a subject."""
        return {
            **fields_of(subject),
            "device": self.request.device,
            **self.request.purpose_fields,
        }

    def side(self, subject: Subject) -> Side:
        """Return a subject to be measured on its test rows."""
        return Side(self.fields(subject), self.how)

    def on(self, subject: Subject, split: str) -> Side:
        """Return a subject to be measured on the rows of another split."""
        return self.side(with_test_rows_of(subject, split))

    def key(self, subject: Subject) -> str:
        """Return what tells a subject from another."""
        return engine.key_of(self.fields(subject))

    def applied(self, marked: Marked, strength: float, onto: Subject | None = None) -> Subject:
        """Return what a remedy or a sham makes of the subject, or of another one.

        Raises
        ------
        CannotApply
        OutOfTime
        """
        given = {
            "strength": strength,
            "rng": engine.generator(self.how.seed, marked.name, {}, 0),
            "label_review": self._label_review,
        }
        side = self.base if onto is None else self.side(onto)
        filled = self.filled if onto is None else self._filled_like(onto)
        try:
            made = applied(marked, filled, given=given, fields=side.fields, outcomes=side.outcomes)
        except CannotApply as why:
            if why.undecided:
                raise OutOfTime(why.reason) from why
            raise
        except UserError as why:  # it asks for what does not exist; the others can still be tried
            raise CannotApply(f"{marked.name} ({place_of(marked)}): {why}", traceback="") from why
        lost = [name for name in MEASURED_ON if name not in made.splits or not made.splits[name].n]
        if lost:
            said = f"{marked.name} ({place_of(marked)}) leaves no {' and no '.join(lost)} rows to measure it on"
            raise CannotApply(said, traceback="")
        if made.predictor is None and made.weights is None:
            _require_trainable(filled)
        return _unfilled(made, self.subject if onto is None else onto, filled)

    def reseeded(self, subject: Subject, seeds: int) -> tuple[Subject, ...]:
        """Return the subject trained with other seeds, all in one family.

        Raises
        ------
        CannotApply
            Where it cannot be trained again.
        OutOfTime
        """
        side = Side(self.fields(subject), replace(self.how, options=self._seeds(seeds)))
        found = settled(side.outcomes([RESEEDED])[RESEEDED])
        known = self._filled_like(subject)
        recipe = known.recipe
        assert recipe is not None, "what was trained has a recipe"
        return tuple(
            replace(
                known,
                weights=weights,
                predictor=None,
                recipe=replace(recipe, seed=recipe.seed + 1 + i),
            )
            for i, weights in enumerate(found)
        )

    def base_reseeded(self, seeds: int) -> tuple[Subject, ...]:
        """Return the subject itself trained with other seeds."""
        if seeds not in self._reseeded:
            self._reseeded[seeds] = self.reseeded(self.subject, seeds)
        return self._reseeded[seeds]

    def ready(self, subject: Subject) -> Subject:
        """Return a subject with its weights, network and recipe set where they are known."""
        side = self.side(subject)
        known = self._filled_like(subject)
        if known.predictor is None and known.weights is None:
            weights = side.values(["weights"])["weights"] if self._has(side, "weights") else None
            known = replace(known, weights=None if weights is None else dict(weights))
        return known

    def retrains(self, made: Subject) -> bool:
        """Whether the model of a changed subject has to be trained."""
        if made.weights is not None or made.predictor is not None:
            return False
        if self.subject.weights is not None or self.subject.predictor is not None:
            return True
        same = all(
            made.splits.get(name) is self.subject.splits.get(name)
            for name in ("train", "validation", "unlabelled")
        )
        alike = made.recipe in (self.subject.recipe, self.filled.recipe)
        return not (same and alike and made.network in (self.subject.network, self.filled.network))

    def _seeds(self, seeds: int) -> Mapping[str, Mapping[str, object]]:
        return {**self.how.options, RESEEDED: {"seeds": seeds}}

    def _filled_like(self, subject: Subject) -> Subject:
        """Return a subject with network and recipe from their artifacts where it has none of its own."""
        side = self.base if subject is self.subject else self.side(subject)
        lacking = [n for n in ("network", "recipe") if getattr(subject, n) is None]
        lacking = [n for n in lacking if self._has(side, n)]
        found = side.values(lacking)
        network, recipe = found.get("network"), found.get("recipe")
        return replace(
            subject,
            network=network if isinstance(network, Network) else subject.network,
            recipe=recipe if isinstance(recipe, Recipe) else subject.recipe,
        )

    def _has(self, side: Side, name: str) -> bool:
        return engine.exists(self.registry, side.fields, name)


def _unfilled(made: Subject, subject: Subject, filled: Subject) -> Subject:
    """Return what was made of a subject without what that was only lent, so that it shares what did not change."""
    is_same = made.weights is subject.weights and made.predictor is subject.predictor
    if not is_same or made.splits.get("train") is not subject.splits.get("train"):
        return made
    return replace(
        made,
        network=subject.network if made.network is filled.network else made.network,
        recipe=subject.recipe if made.recipe is filled.recipe else made.recipe,
    )


def _require_trainable(subject: Subject) -> None:
    """Refuse what would train a default network in the place of a model that was given, and call that a repair."""
    if subject.predictor is not None and subject.network is None:
        raise CannotApply(
            "the model is a black box and cannot be trained again; give its architecture as a Python factory "
            "(--model module:function) and how it is trained as a Recipe in a subject.py"
        )
    if subject.weights is not None and subject.recipe is None:
        raise CannotApply("how the model was trained is not known; give a Recipe in a subject.py")


def settled(outcome: Outcome) -> Any:  # Any: what an artifact returned
    """Return the value of an outcome.

    Raises
    ------
    CannotApply
        Where it has none; `traceback` is set where something broke.
    OutOfTime
    """
    if outcome.state == "done":
        return outcome.value
    if outcome.state == "budget":
        raise OutOfTime(outcome.reason)
    broke = outcome.state in ("error", "dependency_failed")
    reason = outcome.reason or outcome.state
    raise CannotApply(reason, (outcome.traceback or "") if broke else None)


def mark_of(marked: Marked) -> MitigationMark:
    """Return the mark of a mitigation."""
    assert isinstance(marked.mark, MitigationMark)
    return marked.mark


def place_of(marked: Marked) -> str:
    """Return the file and the line of a marked function, without the folders of this machine."""
    return f"{Path(marked.file).name}, line {marked.line}"


def positions(n: int, folds: int, seed: int) -> np.ndarray:
    """Return the fold of each of n rows: (n,) int64, sizes as even as can be."""
    return np.random.default_rng(seed).permutation(np.arange(n) % folds)
