"""The whole outcome of one audit: the canonical record that every report is a view of."""

from collections.abc import Mapping
from dataclasses import dataclass

from roadworthy.results.finding import Finding

SCHEMA_VERSION = "1.0"


@dataclass(frozen=True)
class SplitSize:
    """Rows of one split, as audited."""

    name: str
    rows: int


@dataclass(frozen=True)
class SubjectSummary:
    """What was audited, without any of its data.

    `people` is true where an entity or sensitive role says that rows are persons: reports then show
    row numbers and no contents. `notes` says what was read and how (encoding, delimiter, missing
    codes, what the kind of model allows).
    """

    name: str
    key: str
    task: str
    modality: str
    classes: tuple[str, ...]
    splits: tuple[SplitSize, ...]
    roles: Mapping[str, tuple[str, ...]]
    model: str
    people: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Multiplicity:
    """What many verdicts at once mean: expected luck and the fails that survive a run-wide correction."""

    decided: int
    expected_false_fails: float
    surviving: tuple[str, ...]
    method: str


@dataclass(frozen=True)
class Environment:
    """Where it was measured: a second run elsewhere agrees within tolerance, here byte for byte."""

    python: str
    platform: str
    versions: Mapping[str, str]
    device: str
    threads: int


@dataclass(frozen=True)
class Audit:
    """The canonical result of `roadworthy audit`: what `audit.json` holds.

    `complete` is False for an audit that was interrupted or ran out of budget; `started` and
    `seconds` are the only fields that differ between two runs of the same subject.
    """

    schema_version: str
    roadworthy_version: str
    subject: SubjectSummary
    purpose: Mapping[str, str]
    purpose_key: str
    profile: str
    seed: int
    exit_code: int
    complete: bool
    findings: tuple[Finding, ...]
    multiplicity: Multiplicity
    environment: Environment
    started: str
    seconds: float
    computed: int
    reused: int
