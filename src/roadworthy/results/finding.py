"""One check's outcome in an audit: the measurement, the requirement, the verdict and what to do next."""

from dataclasses import dataclass
from typing import Literal

from roadworthy.results.evidence import Evidence
from roadworthy.results.measurement import Distribution
from roadworthy.results.requirement import Requirement

Verdict = Literal["pass", "fail", "inconclusive", "not_run", "error", "note"]
ReasonCode = Literal[
    "straddles",
    "insufficient_n",
    "too_few_seeds",
    "unreliable",
    "not_qualified",
    "missing_input",
    "missing_recipe",
    "not_applicable",
    "budget",
    "interrupted",
    "dependency_failed",
]


@dataclass(frozen=True)
class Record:
    """What the self-test knows of a check on subjects of this task, modality and band of n.

    Rates are shares of repetitions. `qualified` is True where every mark is reached, False where one
    is shown to be missed, None where that is open or nothing is known ("not qualified here").
    `blind` is True where the check is shown to miss its own fault: its pass is then worth nothing.
    """

    subject_kind: str
    repetitions: int
    false_fail_at_bound: float | None
    false_pass_at_bound: float | None
    false_fail_healthy: float | None
    pass_healthy: float | None
    detected_harmful: float | None
    qualified: bool | None
    summary: str
    blind: bool = False


@dataclass(frozen=True)
class Finding:
    """One check's outcome. Measured fields are None where nothing was measured."""

    check: str
    challenge: str
    title: str
    verdict: Verdict
    reason: str
    reason_code: ReasonCode | None = None
    required: bool = True
    value: float | None = None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    n: int | None = None
    unit: str | None = None
    method: str | None = None
    seeds: int | None = None
    distribution: Distribution | None = None
    requirement: Requirement | None = None
    p_value: float | None = None
    examples_needed: int | None = None
    survives_correction: bool | None = None
    details: str = ""
    evidence: tuple[Evidence, ...] = ()
    record: Record | None = None
    next: str = ""
    traceback: str | None = None
    from_store: bool | None = None
    seconds: float | None = None
