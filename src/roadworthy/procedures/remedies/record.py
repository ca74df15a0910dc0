"""What each remedy was proven to do, kept in a file; a proof counts for the code that was tested."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.resources import files as resources
from pathlib import Path

from roadworthy import files
from roadworthy.engine import FaultMark, MitigationMark, Registry
from roadworthy.procedures.remedies.reviewer import simulated_review, wants_review
from roadworthy.procedures.source import source_key

PUBLISHED = "remedy_record.json"


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
    mistakes, mistakes_low, mistakes_high : float or None
        Mean of how many more mistakes are left than with the sham, as a share of those of a constant answer, with a
        t interval over the seeds: a gap closes too where nothing is learnt. None where it was not measured, as where
        the remedy changes test rows.
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
    mistakes: float | None = None
    mistakes_low: float | None = None
    mistakes_high: float | None = None

    @property
    def is_shown(self) -> bool:
        """Whether it beats its sham in more than half of all seeds, by the lower bound."""
        return self.low > 0.5

    @property
    def costs_mistakes(self) -> bool:
        """Whether the model makes more mistakes than with the sham, by the lower bound."""
        return self.mistakes_low is not None and self.mistakes_low > 0.0


@dataclass(frozen=True)
class Unproven:
    """A remedy that could not be tested on a subject, and why."""

    mitigation: str
    reason: str


def code_of(registry: Registry, mitigation: str) -> str:
    """Return the identity of a remedy and of what it is tested with.

    It is of the source, as that of the self-test's records: a proof ships with the package and is read under other
    versions of Python.
    """
    marked = registry.mitigations[mitigation]
    mark = marked.mark
    assert isinstance(mark, MitigationMark)
    parts: list[Callable[..., object]] = [marked.function]
    sham = registry.shams.get(mark.sham or "")
    if sham is not None:
        parts.append(sham.function)
    fault = registry.faults.get(mark.repairs or "")
    if fault is not None:
        assert isinstance(fault.mark, FaultMark)
        parts += [fault.function, registry.checks[fault.mark.breaks].function]
        if fault.mark.starts_from is not None:
            parts.append(registry.controls[fault.mark.starts_from].function)
    if wants_review(marked):
        parts.append(simulated_review)
    keys = [source_key(part, registry.packages) for part in parts]
    return sha256("\n".join(keys).encode()).hexdigest()[:16]


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
    plain = [
        {name: value for name, value in asdict(latest[key]).items() if value is not None}
        for key in sorted(latest)
    ]
    files.write(path, (json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode())


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
        f"the sham in {share}; mean gain {gain}{_mistakes_in_words(proof)}."
    )


def _mistakes_in_words(proof: Proof) -> str:
    if proof.mistakes is None:
        return ""
    change = f"{proof.mistakes:+.3g} ({proof.mistakes_low:+.3g} to {proof.mistakes_high:+.3g})"
    but = "but at a price: " if proof.costs_mistakes else ""
    return f"; {but}mistakes left {change} of those of a constant answer"
