"""Each remedy tested on the fault that it is for: how often it does better than its sham.

A self-test of checks plants faults of known size; one of remedies plants a grave fault, applies the remedy and
its sham, and compares what the target check then measures, over many seeds: other splits of the rows, other
initial weights, another draw of the fault. Luck does better than its twin in half of the seeds.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import numpy as np

from roadworthy import files
from roadworthy.engine import FaultMark, Marked, MitigationMark, Registry, Store, compute, generator
from roadworthy.engine.identity import Identifier
from roadworthy.procedures.paired import direction_of
from roadworthy.procedures.transforms import CannotApply, applied
from roadworthy.results import Measurement
from roadworthy.statistics import clopper_pearson, mean
from roadworthy.subject import Split, Subject, fields_of

SEEDS = 40
PILOTS = 3  # seeds on which the strength is chosen; they are not counted
MOST_ROWS = {"train": 500, "validation": 450, "test": 900}
PUBLISHED = "remedy_record.json"
POOLED = ("train", "validation", "test")


@dataclass(frozen=True)
class Proof:
    """What one remedy did on one kind of subject.

    Parameters
    ----------
    mitigation, fault, check, sham : str
    subject : str
        Name, task and modality.
    strength : float
    seeds : int
        On which remedy and sham were both measured.
    improved : int
        Of these, where the target was better with the remedy than with its sham; not where it did not apply.
    low, high : float
        Clopper-Pearson interval (95 %) of that share.
    gain, gain_low, gain_high : float
        Mean of how much better than the sham, in `unit`, with a t interval over the seeds.
    before : float
        Mean of the target with the fault and without any remedy.
    unit : str
    code : str
        Identity of remedy, sham, fault and check: of another code a proof says nothing.
    """

    mitigation: str
    fault: str
    check: str
    sham: str
    subject: str
    strength: float
    seeds: int
    improved: int
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    before: float
    unit: str
    code: str

    @property
    def is_shown(self) -> bool:
        """Whether it beats its sham in more than half of all seeds, by the lower bound."""
        return self.low > 0.5


@dataclass(frozen=True)
class Unproven:
    """A remedy that could not be tested on a subject, and why."""

    mitigation: str
    reason: str


def prove(
    subject: Subject,
    registry: Registry,
    names: Sequence[str] = (),
    *,
    seeds: int = SEEDS,
    seed: int = 0,
    options: Mapping[str, Mapping[str, object]] | None = None,
    store: Store | None = None,
    say: Callable[[Proof | Unproven], None] | None = None,
) -> list[Proof | Unproven]:
    """Test remedies on a subject.

    Parameters
    ----------
    subject : Subject
        Its rows are pooled and split anew for each seed: at most 500 to train, 450 to validate, 900 to test.
    registry : Registry
    names : sequence of str
        Of mitigations; empty: all.
    seeds : int
    seed : int
        Of the whole.
    options : mapping, optional
        Of artifacts and checks.
    store : Store, optional
        Where trained models are kept; remedies of one fault share those without a remedy.
    say : callable, optional
        Receives each result as it comes.
    """
    bench = _Bench(subject, registry, seed, options or {}, store or Store())
    found: list[Proof | Unproven] = []
    for name in names or registry.mitigations:
        marked = registry.mitigations[name]
        try:
            result = bench.proof(marked, seeds)
        except CannotApply as why:
            result = Unproven(name, why.reason)
        found.append(result)
        if say is not None:
            say(result)
    return found


def code_of(registry: Registry, mitigation: str) -> str:
    """Return the identity of a remedy and of what it is tested with."""
    marked = registry.mitigations[mitigation]
    mark = marked.mark
    assert isinstance(mark, MitigationMark)
    parts: list[object] = [marked.function]
    sham = registry.shams.get(mark.sham or "")
    if sham is not None:
        parts.append(sham.function)
    fault = registry.faults.get(mark.repairs or "")
    if fault is not None:
        assert isinstance(fault.mark, FaultMark)
        parts += [fault.function, registry.checks[fault.mark.breaks].function]
        if fault.mark.starts_from is not None:
            parts.append(registry.controls[fault.mark.starts_from].function)
    return Identifier(registry.packages).of(tuple(parts)).digest[:16]


def published() -> tuple[Proof, ...]:
    """Return the proofs that ship with the package."""
    file = resources("roadworthy") / PUBLISHED
    return read_proofs(Path(str(file))) if file.is_file() else ()


def read_proofs(path: Path) -> tuple[Proof, ...]:
    """Read proofs from their file."""
    return tuple(Proof(**plain) for plain in json.loads(path.read_text(encoding="utf-8")))


def write_proofs(path: Path, proofs: Sequence[Proof]) -> None:
    """Write proofs; of one remedy on one subject the last stands."""
    latest = {(p.mitigation, p.subject): p for p in proofs}
    plain = [asdict(latest[key]) for key in sorted(latest)]
    files.write(path, (json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode())


@dataclass(frozen=True)
class _Trial:
    """What one remedy is tested with."""

    remedy: Marked
    fault: Marked
    check: str
    control: Marked | None
    sham: Marked | None
    at: float | None


class _Bench:
    def __init__(
        self,
        subject: Subject,
        registry: Registry,
        seed: int,
        options: Mapping[str, Mapping[str, object]],
        store: Store,
    ) -> None:
        self.store = store
        self.registry = registry
        self.seed = seed
        self.options = options
        self.subject = self._with_model(subject)
        self._broken: dict[tuple[str, float | None, int], Subject] = {}

    def proof(self, marked: Marked, seeds: int) -> Proof:
        """Test one remedy.

        Raises
        ------
        CannotApply
            When it is not tested on this subject.
        """
        trial = self._trial(marked)
        mark = marked.mark
        assert isinstance(mark, MitigationMark)
        strength = self._strength(trial, mark.strengths, seeds)
        rows: list[tuple[float, float, float]] = []
        refusals: list[CannotApply] = []
        unit = ""
        for repetition in range(seeds):
            broken = self._planted(trial, repetition)
            before = self._measured(broken, trial.check)
            unit = before.unit
            try:
                made = self._remedied(trial, broken, strength, repetition)
                control = self._shammed(trial, broken, strength, repetition)
            except CannotApply as why:  # where it does not apply it gains nothing
                refusals.append(why)
                rows.append((before.value, before.value, before.value))
                continue
            after, luck = (self._measured(each, trial.check) for each in (made, control))
            rows.append((before.value, after.value, luck.value))
        if len(refusals) == seeds:
            raise refusals[0]
        values = np.array(rows)
        direction = direction_of(_requirement(self.registry, trial.check))
        gains = (values[:, 2] - values[:, 1]) * (-1.0 if direction == "better" else 1.0)
        improved = int(np.sum(gains > 0))
        low, high = clopper_pearson(improved, seeds)
        gain = mean(gains, unit=unit)
        task = self.subject.task.kind
        return Proof(
            mitigation=marked.name,
            fault=trial.fault.name,
            check=trial.check,
            sham=trial.sham.name if trial.sham else "the default",
            subject=f"{self.subject.name} ({task}, {self.subject.modality})",
            strength=strength,
            seeds=seeds,
            improved=improved,
            low=round(float(low), 6),
            high=round(float(high), 6),
            gain=_short(gain.value),
            gain_low=_short(gain.low),
            gain_high=_short(gain.high),
            before=_short(float(values[:, 0].mean())),
            unit=unit,
            code=code_of(self.registry, marked.name),
        )

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

    def _strength(self, trial: _Trial, strengths: Sequence[float], seeds: int) -> float:
        """Return the strength that is best on the validation rows of a few seeds of their own."""
        if len(strengths) == 1:
            return strengths[0]
        sign = -1.0 if direction_of(_requirement(self.registry, trial.check)) == "better" else 1.0
        means: dict[float, float] = {}
        refusal: CannotApply | None = None
        for strength in strengths:
            values: list[float] = []
            for pilot in range(seeds, seeds + PILOTS):
                broken = self._planted(trial, pilot)
                try:
                    made = self._remedied(trial, broken, strength, pilot)
                except CannotApply as why:
                    refusal = why
                    continue
                values.append(sign * self._measured(_on_validation(made), trial.check).value)
            if values:
                means[strength] = float(np.mean(values))
        if not means:
            assert refusal is not None
            raise refusal
        return min(means, key=means.__getitem__)

    def _planted(self, trial: _Trial, repetition: int) -> Subject:
        key = (trial.fault.name, trial.at, repetition)
        if key not in self._broken:
            subject = _resplit(self.subject, self._rng("split", repetition))
            assert subject.recipe is not None
            subject = subject.retrained(recipe=replace(subject.recipe, seed=1_000 + repetition))
            rng = self._rng(trial.fault.name, repetition)
            if trial.control is not None:
                subject = self._applied(trial.control, subject, {"rng": rng})
            mark = trial.fault.mark
            assert isinstance(mark, FaultMark)
            severity = max(mark.severities) if trial.at is None else trial.at
            self._broken[key] = self._applied(
                trial.fault, subject, {"rng": rng, "severity": severity}
            )
        return self._broken[key]

    def _remedied(
        self, trial: _Trial, broken: Subject, strength: float, repetition: int
    ) -> Subject:
        given = {"rng": self._rng(trial.remedy.name, repetition), "strength": strength}
        return self._applied(trial.remedy, broken, given)

    def _shammed(self, trial: _Trial, broken: Subject, strength: float, repetition: int) -> Subject:
        if trial.sham is not None:
            given = {"rng": self._rng(trial.sham.name, repetition), "strength": strength}
            return self._applied(trial.sham, broken, given)
        made = self._remedied(trial, broken, strength, repetition)
        if not _trains_anew(broken, made):
            return broken
        assert broken.recipe is not None
        again = replace(broken.recipe, seed=broken.recipe.seed + 10_000)
        return broken.retrained(recipe=again)

    def _applied(self, marked: Marked, subject: Subject, given: Mapping[str, object]) -> Subject:
        fields = fields_of(subject)
        return applied(
            marked,
            subject,
            given=given,
            fields=fields,
            outcomes=lambda names: compute(
                self.registry, fields, names, store=self.store, seed=self.seed, options=self.options
            ),
        )

    def _measured(self, subject: Subject, check: str) -> Measurement:
        found = compute(
            self.registry,
            fields_of(subject),
            [check],
            store=self.store,
            seed=self.seed,
            options=self.options,
        )[check]
        if found.state == "interrupted":
            raise KeyboardInterrupt
        if found.state != "done":
            raise CannotApply(f"{check} could not be measured: {found.reason}", found.traceback)
        assert isinstance(found.value, Measurement)
        return found.value

    def _with_model(self, subject: Subject) -> Subject:
        """Return a subject whose network and recipe are written down, defaults included."""
        names = ["network", "recipe"]
        found = compute(self.registry, fields_of(subject), names, store=Store())
        values: dict[str, Any] = {name: found[name].value for name in names}  # Any: Network, Recipe
        return replace(subject, **{n: v for n, v in values.items() if v is not None})

    def _rng(self, name: str, repetition: int) -> np.random.Generator:
        return generator(self.seed, name, {"repetition": repetition})


def _resplit(subject: Subject, rng: np.random.Generator) -> Subject:
    """Return the subject with its rows dealt anew to splits of the sizes it has, smaller at most."""
    sizes = {n: min(subject.splits[n].n, MOST_ROWS[n]) for n in POOLED if n in subject.splits}
    pool = _joined([subject.splits[name] for name in sizes])
    order = rng.permutation(pool.n)
    splits: dict[str, Split] = {}
    start = 0
    for name, size in sizes.items():
        splits[name] = pool.take(order[start : start + size])
        start += size
    return replace(subject, splits=splits)


def _joined(splits: Sequence[Split]) -> Split:
    first = splits[0]

    def of(name: str) -> np.ndarray | None:
        parts = [getattr(split, name) for split in splits]
        return None if any(part is None for part in parts) else np.concatenate(parts)

    columns = set.intersection(*(set(s.attributes) for s in splits))
    return Split(
        inputs=of("inputs"),
        target=of("target"),
        attributes={
            name: replace(
                first.attributes[name],
                values=np.concatenate([s.attributes[name].values for s in splits]),
            )
            for name in first.attributes
            if name in columns
        },
        source_rows=np.arange(sum(s.n for s in splits)),
    )


def _on_validation(subject: Subject) -> Subject:
    return subject.with_split("test", subject.splits["validation"])


def _trains_anew(before: Subject, after: Subject) -> bool:
    same = (
        after.recipe is before.recipe
        and after.network is before.network
        and after.splits["train"] is before.splits["train"]
        and after.splits["validation"] is before.splits["validation"]
    )
    return not same and after.weights is None and after.predictor is None


def _requirement(registry: Registry, check: str) -> Any:  # Any: Requirement or None
    return getattr(registry.checks[check].mark, "requires", None)


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def current(proofs: Sequence[Proof], registry: Registry) -> tuple[Proof, ...]:
    """Return the proofs of remedies as they are written now."""
    known = {
        name: code_of(registry, name)
        for name in {p.mitigation for p in proofs} & set(registry.mitigations)
    }
    return tuple(p for p in proofs if known.get(p.mitigation) == p.code)


def in_words(proof: Proof) -> str:
    """Return a proof as a sentence."""
    share = f"{proof.improved} of {proof.seeds} seeds (95 % interval {proof.low:.0%} to {proof.high:.0%})"
    gain = f"{proof.gain:+.3g} {proof.unit} ({proof.gain_low:+.3g} to {proof.gain_high:+.3g})"
    return (
        f"On {proof.subject} with {proof.fault}, at strength {proof.strength:g}, {proof.check} is better than with "
        f"the sham in {share}; mean gain {gain}."
    )
