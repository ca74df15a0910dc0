"""Where remedies are tested: faults planted in one subject, remedy and sham applied, the target measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from roadworthy.engine import (
    CheckMark,
    FaultMark,
    Marked,
    MitigationMark,
    Outcome,
    Registry,
    Store,
    compute,
    exists,
    generator,
)
from roadworthy.procedures.best_strength import best_strength
from roadworthy.procedures.fix.standing_in import with_test_rows_of
from roadworthy.procedures.paired import direction_of
from roadworthy.procedures.remedies.record import Proof, code_of
from roadworthy.procedures.remedies.reviewer import OPTION, simulated_review, wants_review
from roadworthy.procedures.remedies.rows import MOST_ROWS, dealt_anew
from roadworthy.procedures.transforms import CannotApply, applied
from roadworthy.results import Measurement
from roadworthy.statistics import clopper_pearson, mean
from roadworthy.subject import Subject, fields_of

PILOTS = 3  # seeds on which the strength is chosen; they are not counted
MOST_UNPLANTED = 0.25  # of the seeds; of a fault that takes more seldom a remedy cannot be proven
MISTAKES = "errors_left"  # looked at beside the target, which a model that answers worse may better


@dataclass(frozen=True)
class _Trial:
    """What one remedy is tested with."""

    remedy: Marked
    fault: Marked
    check: str
    control: Marked | None
    sham: Marked | None
    at: float | None


@dataclass(frozen=True)
class _Seed:
    """What was measured under one seed.

    Parameters
    ----------
    target : tuple of float
        Without remedy, with it, with its sham.
    mistakes : float or None
        How many more are left with the remedy than with its sham.
    unit : str
        Of the target.
    """

    target: tuple[float, float, float]
    mistakes: float | None
    unit: str


@dataclass(frozen=True)
class _Planted:
    """A subject before and after a fault was planted in it."""

    sound: Subject
    broken: Subject


class Bench:
    """One subject on which remedies are tested; remedies of one fault share the models without a remedy."""

    def __init__(
        self,
        subject: Subject,
        registry: Registry,
        seed: int,
        options: Mapping[str, Mapping[str, object]],
        store: Store,
        most_rows: Mapping[str, int] = MOST_ROWS,
    ) -> None:
        self.most_rows = most_rows
        self.store = store
        self.registry = registry
        self.seed = seed
        self.options = options
        self.subject = self._with_model(subject)
        self._planted_in: dict[tuple[str, float | None, int], _Planted] = {}

    def proof(self, marked: Marked, seeds: int) -> Proof:
        """Test one remedy.

        Raises
        ------
        CannotApply
            When it is not tested on this subject.
        """
        trial = self._trial(marked)
        strength = self._strength(trial, seeds)
        found = self._measurements(trial, strength, seeds)
        before, after, luck = np.array([each.target for each in found]).T
        gains = (luck - after) * (-1.0 if self._larger_is(trial) == "better" else 1.0)
        improved = int(np.sum(gains > 0))
        low, high = clopper_pearson(improved, len(found))
        unit = found[0].unit
        gain = mean(gains, unit=unit)
        task = self.subject.task.kind
        return Proof(
            mitigation=marked.name,
            fault=trial.fault.name,
            check=trial.check,
            sham=trial.sham.name if trial.sham else "the default",
            subject=f"{self.subject.name} ({task}, {self.subject.modality})",
            strength=strength,
            seeds=len(found),
            improved=improved,
            low=round(float(low), 6),
            high=round(float(high), 6),
            gain=_short(gain.value),
            gain_low=_short(gain.low),
            gain_high=_short(gain.high),
            before=_short(float(before.mean())),
            unit=unit,
            code=code_of(self.registry, marked.name),
            **_price(found),
        )

    def _measurements(self, trial: _Trial, strength: float, seeds: int) -> list[_Seed]:
        found: list[_Seed] = []
        refusals: list[CannotApply] = []
        unplanted: list[CannotApply] = []
        for repetition in range(seeds):
            try:
                broken = self._planted(trial, repetition)
            except CannotApply as why:  # a split on which there is nothing to repair says nothing
                unplanted.append(why)
                continue
            before = self._measured(broken, trial.check)
            try:
                made = self._remedied(trial, broken, strength, repetition)
                control = self._shammed(trial, broken, strength, repetition)
            except CannotApply as why:  # where it does not apply it gains nothing
                refusals.append(why)
                made = control = broken
            after, luck = (self._measured(each, trial.check) for each in (made, control))
            target = before.value, after.value, luck.value
            found.append(_Seed(target, self._mistakes(trial, made, control), before.unit))
        if len(unplanted) > MOST_UNPLANTED * seeds:
            raise unplanted[0]
        if len(refusals) == len(found):
            raise refusals[0]
        return found

    def _mistakes(self, trial: _Trial, made: Subject, control: Subject) -> float | None:
        """Return how many more mistakes are left with the remedy than with the sham."""
        if trial.check == MISTAKES or MISTAKES not in self.registry.checks:
            return None
        if made.splits["test"] is not control.splits["test"]:
            return None
        try:
            after, luck = (self._measured(each, MISTAKES).value for each in (made, control))
        except CannotApply:
            return None
        return after - luck

    def _trial(self, marked: Marked) -> _Trial:
        mark = marked.mark
        assert isinstance(mark, MitigationMark)
        fault = self.registry.faults.get(mark.repairs or "")
        if fault is None:
            raise CannotApply(f"no fault is named that {marked.name} is tested on")
        assert isinstance(fault.mark, FaultMark)
        start = fault.mark.starts_from
        target = mark.targets[0]
        return _Trial(
            remedy=marked,
            fault=fault,
            check=target if target in self.registry.checks else fault.mark.breaks,
            control=self.registry.controls[start] if start else None,
            sham=self.registry.shams.get(mark.sham or ""),
            at=mark.at,
        )

    def _strength(self, trial: _Trial, seeds: int) -> float:
        """Return the strength that is best on the validation rows of a few seeds of their own."""
        mark = trial.remedy.mark
        assert isinstance(mark, MitigationMark)
        if len(mark.strengths) == 1:
            return mark.strengths[0]
        pilots = range(seeds, seeds + PILOTS)
        best = best_strength(
            mark.strengths,
            lambda strength: self._on_validation(trial, strength, pilots),
            self._larger_is(trial),
        )
        if best.strength is None:
            raise CannotApply(best.reason, best.broke)
        return best.strength

    def _on_validation(self, trial: _Trial, strength: float, pilots: Sequence[int]) -> float:
        """Return the mean over the pilots to which the remedy can be applied."""
        values: list[float] = []
        refusals: list[CannotApply] = []
        for pilot in pilots:
            try:
                made = self._remedied(trial, self._planted(trial, pilot), strength, pilot)
            except CannotApply as why:
                refusals.append(why)
                continue
            seen = with_test_rows_of(made, "validation")
            values.append(self._measured(seen, trial.check).value)
        if not values:
            raise refusals[0]
        return float(np.mean(values))

    def _larger_is(self, trial: _Trial) -> Literal["worse", "better", "neither"]:
        mark = self.registry.checks[trial.check].mark
        assert isinstance(mark, CheckMark)
        return direction_of(mark.requires)

    def _planted(self, trial: _Trial, repetition: int) -> Subject:
        return self._before_and_after(trial, repetition).broken

    def _before_and_after(self, trial: _Trial, repetition: int) -> "_Planted":
        key = (trial.fault.name, trial.at, repetition)
        if key not in self._planted_in:
            subject = dealt_anew(self.subject, self._rng("split", repetition), self.most_rows)
            assert subject.recipe is not None
            subject = subject.retrained(recipe=replace(subject.recipe, seed=1_000 + repetition))
            rng = self._rng(trial.fault.name, repetition)
            if trial.control is not None:
                subject = self._applied(trial.control, subject, {"rng": rng})
            mark = trial.fault.mark
            assert isinstance(mark, FaultMark)
            severity = max(mark.severities) if trial.at is None else trial.at
            broken = self._applied(trial.fault, subject, {"rng": rng, "severity": severity})
            self._planted_in[key] = _Planted(subject, broken)
        return self._planted_in[key]

    def _remedied(
        self, trial: _Trial, broken: Subject, strength: float, repetition: int
    ) -> Subject:
        given = self._given(trial.remedy, trial, strength, repetition)
        return self._applied(trial.remedy, broken, given)

    def _shammed(self, trial: _Trial, broken: Subject, strength: float, repetition: int) -> Subject:
        if trial.sham is not None:
            given = self._given(trial.sham, trial, strength, repetition)
            return self._applied(trial.sham, broken, given)
        made = self._remedied(trial, broken, strength, repetition)
        if not _trains_anew(broken, made):
            return broken
        assert broken.recipe is not None
        again = replace(broken.recipe, seed=broken.recipe.seed + 10_000)
        return broken.retrained(recipe=again)

    def _given(
        self, marked: Marked, trial: _Trial, strength: float, repetition: int
    ) -> dict[str, object]:
        """Return what a remedy or sham is handed that is no artifact."""
        given: dict[str, object] = {
            "rng": self._rng(marked.name, repetition),
            "strength": strength,
        }
        if wants_review(marked):  # the same for both: the reviewer's luck is that of the repetition
            planted = self._before_and_after(trial, repetition)
            given[OPTION] = simulated_review(
                planted.sound,
                planted.broken,
                lambda names: self._values(planted.broken, names),
                self._rng("reviewer", repetition),
            )
        return given

    def _applied(self, marked: Marked, subject: Subject, given: Mapping[str, object]) -> Subject:
        return applied(
            marked,
            subject,
            given=given,
            fields=fields_of(subject),
            outcomes=lambda names: self._outcomes(subject, names),
        )

    def _values(self, subject: Subject, names: Sequence[str]) -> dict[str, Any]:  # Any: artifacts
        fields = fields_of(subject)
        found = self._outcomes(subject, [n for n in names if exists(self.registry, fields, n)])
        return {name: outcome.value for name, outcome in found.items() if outcome.state == "done"}

    def _measured(self, subject: Subject, check: str) -> Measurement:
        found = self._outcomes(subject, [check])[check]
        if found.state == "interrupted":
            raise KeyboardInterrupt
        if found.state != "done":
            raise CannotApply(f"{check} could not be measured: {found.reason}", found.traceback)
        assert isinstance(found.value, Measurement)
        return found.value

    def _outcomes(self, subject: Subject, names: Sequence[str]) -> Mapping[str, Outcome]:
        return compute(
            self.registry,
            fields_of(subject),
            names,
            store=self.store,
            seed=self.seed,
            options=self.options,
        )

    def _with_model(self, subject: Subject) -> Subject:
        """Return a subject whose network and recipe are written down, defaults included."""
        names = ["network", "recipe"]
        found = compute(self.registry, fields_of(subject), names, store=Store())
        values: dict[str, Any] = {name: found[name].value for name in names}  # Any: Network, Recipe
        return replace(subject, **{n: v for n, v in values.items() if v is not None})

    def _rng(self, name: str, repetition: int) -> np.random.Generator:
        return generator(self.seed, name, {"repetition": repetition})


def _trains_anew(before: Subject, after: Subject) -> bool:
    same = (
        after.recipe is before.recipe
        and after.network is before.network
        and after.splits["train"] is before.splits["train"]
        and after.splits["validation"] is before.splits["validation"]
    )
    return not same and after.weights is None and after.predictor is None


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _price(found: Sequence[_Seed]) -> dict[str, float]:
    """Return the fields of a proof that say what a remedy does to mistakes."""
    changes = [each.mistakes for each in found if each.mistakes is not None]
    if len(changes) < max(2, len(found)):
        return {}
    change = mean(np.array(changes), unit="share of the mistakes of a constant answer")
    return {
        "mistakes": _short(change.value),
        "mistakes_low": _short(change.low),
        "mistakes_high": _short(change.high),
    }
