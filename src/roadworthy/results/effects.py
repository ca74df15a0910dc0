"""What a change did: paired differences of checks, and what was tried to repair a subject."""

from dataclasses import dataclass
from typing import Literal

from roadworthy.results.audit import Environment, SubjectSummary
from roadworthy.results.finding import Finding, Verdict

EFFECTS_VERSION = "1.1"

Rows = Literal["validation", "test", "proof", "test, cross-fitted", "train"]
EffectKind = Literal["helped", "harmed", "no_effect_shown", "untouched", "not_measured"]
ClaimName = Literal["these_weights", "this_remedy", "beyond_sham", "confirmed"]


@dataclass(frozen=True)
class Difference:
    """After minus before in the unit of the check, paired over the same rows.

    `n` is the number of pairs, `seeds` the number of trainings on each side, `p_value` two-sided for "no
    difference" (None where nothing is left to chance).
    """

    value: float
    low: float
    high: float
    n: int
    method: str
    level: float = 0.95
    seeds: int = 1
    p_value: float | None = None


@dataclass(frozen=True)
class Effect:
    """What one change did to one check: a cell of the effects matrix.

    Parameters
    ----------
    mitigation : str
        Name of the mitigation (of the second subject, in a comparison).
    check, challenge, title : str
    unit : str
    larger_is : {"worse", "better", "neither"}
        By the check's requirement; "neither" for a note.
    before, after : float or None
        The check's value; None where it was not measured.
    verdict_before, verdict_after : Verdict
    difference : Difference or None
        None where either side was not measured.
    effect : EffectKind
        "helped" and "harmed": the whole interval lies on that side after the correction over the checks of
        this mitigation. "untouched": nothing that the check rests on was changed; the difference is 0.
    margin : float or None
        Largest harm that is tolerated, in `unit`; None for a note.
    non_inferior : bool or None
        Whether the whole interval of the harm lies below the margin.
    required : bool
        Whether the check has a requirement, so that harm to it counts.
    reason : str
        Why it was not measured, or what the method assumed.
    """

    mitigation: str
    check: str
    challenge: str
    title: str
    unit: str
    larger_is: Literal["worse", "better", "neither"]
    before: float | None
    after: float | None
    verdict_before: Verdict
    verdict_after: Verdict
    difference: Difference | None
    effect: EffectKind
    margin: float | None
    non_inferior: bool | None
    required: bool
    reason: str = ""

    @property
    def harm(self) -> float | None:
        """By how much it got worse; negative where it got better."""
        if self.difference is None or self.larger_is == "neither":
            return None
        return self.difference.value * (1 if self.larger_is == "worse" else -1)


@dataclass(frozen=True)
class Attempt:
    """One strength of a mitigation, as measured by the target check on validation rows.

    `reason` says why it has no value, or which check it harms on these rows: such a strength is passed over as
    long as there is another.
    """

    strength: float
    value: float | None
    reason: str = ""


@dataclass(frozen=True)
class Claim:
    """One thing that is said of a mitigation, and whether the evidence carries it.

    `these_weights`: this one mitigated model is better on test rows. `this_remedy`: trained again with other
    seeds, on average. `beyond_sham`: better than its control. `confirmed`: on rows that nothing was chosen on;
    not measured where the check rests on no test rows, and nothing is left to confirm.
    """

    name: ClaimName
    holds: bool
    statement: str
    rows: Rows
    difference: Difference | None = None


@dataclass(frozen=True)
class Cost:
    """What a model costs; None where it was not measured."""

    training_seconds: float | None = None
    milliseconds_per_row: float | None = None
    parameters: int | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class Candidate:
    """One mitigation that was tried, or two together.

    Parameters
    ----------
    mitigation : str
        Name; "a + b" for a combination.
    parts : tuple of str
        The mitigations it consists of.
    title : str
        In plain words.
    target : str
        The check it is to repair.
    strength : float or None
        The chosen one; None where none could be chosen.
    attempts, sham_attempts : tuple of Attempt
    sham : str
        Name of the control, or what it is in words.
    sham_strength : float or None
    claims : tuple of Claim
    before, after : Cost
    state : {"accepted", "rejected", "not_applicable", "error", "not_run"}
    reason : str
        One sentence: why it is accepted, or what stands against it.
    changes : tuple of str
        What it changed in the subject, in words: fields of the recipe, rows of the training data.
    caution : str
        What to mind before it is used, "" where there is nothing beyond the effects.
    """

    mitigation: str
    parts: tuple[str, ...]
    title: str
    target: str
    strength: float | None
    attempts: tuple[Attempt, ...]
    sham: str
    sham_strength: float | None
    sham_attempts: tuple[Attempt, ...]
    claims: tuple[Claim, ...]
    before: Cost
    after: Cost
    state: Literal["accepted", "rejected", "not_applicable", "error", "not_run"]
    reason: str
    changes: tuple[str, ...] = ()
    traceback: str | None = None
    caution: str = ""

    @property
    def accepted(self) -> bool:
        """Whether it may be used."""
        return self.state == "accepted"


@dataclass(frozen=True)
class Opening:
    """The sealed proof rows were looked at: when, for what, and the how many'th time that was."""

    mitigation: str
    target: str
    when: str
    rows: int
    time: int


@dataclass(frozen=True)
class Review:
    """What a person decided about labels, and of which sheet that was read.

    Parameters
    ----------
    sha256 : str
        Of the sheet.
    rows : int
        Of the sheet, decided or not.
    kept, dropped, relabelled : int
        Training and validation rows by what was decided; `kept` counts test rows too.
    test_rows_left : int
        Test rows that were found wrong and are left as they are.
    """

    sha256: str
    rows: int
    kept: int
    dropped: int
    relabelled: int
    test_rows_left: int

    @property
    def decided(self) -> int:
        """Rows with a decision."""
        return self.kept + self.dropped + self.relabelled + self.test_rows_left


@dataclass(frozen=True)
class Fix:
    """The canonical result of `roadworthy fix`: what `fix.json` holds.

    `findings` are those of the subject before anything was done. `complete` is False where time ran out
    or the run was interrupted; what is there then is what was measured. `review` is what a person had decided
    about labels, where that was handed in.
    """

    schema_version: str
    roadworthy_version: str
    subject: SubjectSummary
    profile: str
    seed: int
    seeds: int
    exit_code: int
    complete: bool
    targets: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    effects: tuple[Effect, ...]
    openings: tuple[Opening, ...]
    findings: tuple[Finding, ...]
    environment: Environment
    notes: tuple[str, ...]
    started: str
    seconds: float
    computed: int
    reused: int
    review: Review | None = None


@dataclass(frozen=True)
class Diff:
    """The canonical result of `roadworthy diff A B`: what `diff.json` holds.

    `paired` is the number of test rows that both have; 0 where the two were measured on other rows, and
    differences are those of independent samples. `effects` stand with what got worse first.
    """

    schema_version: str
    roadworthy_version: str
    before: SubjectSummary
    after: SubjectSummary
    profile: str
    exit_code: int
    paired: int
    effects: tuple[Effect, ...]
    notes: tuple[str, ...]
    started: str
    seconds: float
