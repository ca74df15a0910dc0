"""The sections of roadworthy.toml as frozen records; each key's description is its comment in the file."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
)

from roadworthy.config.duration import parse_duration

FILE_NAME = "roadworthy.toml"

FailOn = Literal["fail", "error", "undecided"]
ProfileName = Literal["quick", "standard", "full"]


def _listed(value: Any) -> Any:  # Any: whatever the file holds; pydantic judges it
    """Make one item a list of one, and what TOML calls an array a tuple."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _spelled(value: Any) -> Any:  # Any: see above
    """Spell a number as it stands in the data: a class called 1 is the class "1"."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _all_spelled(value: Any) -> Any:  # Any: see above
    listed = _listed(value if isinstance(value, str | list | tuple) else _spelled(value))
    return tuple(_spelled(item) for item in listed) if isinstance(listed, tuple) else listed


def names_in(text: str) -> tuple[str, ...]:
    """Return the names that a text gives, separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _check_names(value: Any) -> Any:  # Any: see above
    return names_in(value) if isinstance(value, str) else _listed(value)


def _path(value: Any) -> Any:  # Any: see above
    return str(value) if isinstance(value, PurePath) else value


def _reasons(value: Any) -> Any:  # Any: see above
    """Read "never" as the empty list and "fail,error" as two items."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip() not in ("", "never"))
    return _listed(value)


def _duration(value: str) -> str:
    parse_duration(value)
    return value


def _range(value: Any) -> Any:  # Any: see above
    parts = value.split(",") if isinstance(value, str) else value
    try:
        low, high = (float(part) for part in parts)
        return low, high
    except (TypeError, ValueError):
        raise ValueError("two numbers were expected, as in [0, 255]") from None


def _rises(value: tuple[float, float]) -> tuple[float, float]:
    if not value[0] < value[1]:
        raise ValueError("the second number must be above the first, as in [0, 255]")
    return value


Range = Annotated[tuple[float, float], BeforeValidator(_range), AfterValidator(_rises)]
Text = Annotated[str, Field(min_length=1)]
File = Annotated[str, BeforeValidator(_path), Field(min_length=1)]
Names = Annotated[tuple[Text, ...], BeforeValidator(_listed)]
CheckNames = Annotated[tuple[Text, ...], BeforeValidator(_check_names)]
Spelling = Annotated[str, BeforeValidator(_spelled), Field(min_length=1)]
Spellings = Annotated[tuple[str, ...], BeforeValidator(_all_spelled)]
Reasons = Annotated[tuple[FailOn, ...], BeforeValidator(_reasons)]
Duration = Annotated[str, AfterValidator(_duration)]
Share = Annotated[float, Field(gt=0.0, lt=1.0)]


class Section(BaseModel):
    """Refuses unknown keys and does not guess at types: "0.9" is no number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class SplitFiles(Section):
    """One file per split, in place of one file with a column that names the split."""

    train: File | None = Field(default=None, description="Rows the model was trained on.")
    validation: File | None = Field(default=None, description="Rows its settings were chosen on.")
    test: File | None = Field(default=None, description="Rows neither has seen.")


def _branch(value: object) -> str:
    return FILES if isinstance(value, Mapping | SplitFiles) else COLUMN


# The tags stand in the paths of pydantic's errors, so that no column or key may be called like them.
FILES, COLUMN = "<files>", "<column>"
Divided = Annotated[
    Annotated[Text, Tag(COLUMN)] | Annotated[SplitFiles, Tag(FILES)], Discriminator(_branch)
]


class SubjectSection(Section):
    """What is audited: the data, the part each column plays, and the model."""

    data: File | None = Field(
        default=None,
        description="The data: a CSV or Parquet file. Paths start from this file's folder.",
    )
    split: Divided | None = Field(
        default=None,
        description="The column that says train, validation or test; or a file for each, written "
        '{train="a.csv",test="b.csv"}. Without it the rows are divided at random.',
    )
    unlabelled: File | None = Field(
        default=None,
        description="Rows without a target, a file in the form of the others: remedies such as pseudo-labels learn from them.",
    )
    target: Text | None = Field(default=None, description="The column that the model predicts.")
    task: Literal["classification", "binary", "multiclass", "regression"] | None = Field(
        default=None,
        description="classification, binary, multiclass or regression; seen from the target.",
    )
    positive: Spelling | None = Field(
        default=None, description="For two classes: the one whose detection matters."
    )
    sensitive: Names = Field(
        default=(),
        description='Columns such as sex or race, in which people must be treated alike: ["sex"].',
    )
    entity: Text | None = Field(
        default=None,
        description="The column of the person or device that several rows may belong to.",
    )
    time: Text | None = Field(default=None, description="The column of when a row was recorded.")
    id: Text | None = Field(default=None, description="The column that only numbers the rows.")
    domain: Text | None = Field(
        default=None,
        description="The column of the site, country or customer that a row comes from.",
    )
    source: Text | None = Field(
        default=None, description="The column of the instrument or file that a row was made with."
    )
    weight: Text | None = Field(
        default=None, description="The column of how many rows a row stands for."
    )
    consent: Text | None = Field(
        default=None, description="The column that records consent to this use."
    )
    drop: Names = Field(default=(), description="Columns that the model must not see.")
    people: bool | None = Field(
        default=None,
        description="Whether rows are persons: reports then show row numbers and no contents.",
    )
    model: File | None = Field(
        default=None,
        description="The model: module:function, or a .pt, .ckpt, .pt2 or .onnx file. "
        "Without one a sound default is trained.",
    )
    weights: File | None = Field(
        default=None,
        description="Its trained weights: .safetensors or .pt. Without them it is trained.",
    )
    random_draws: Annotated[int, Field(ge=2, le=1024)] | None = Field(
        default=None,
        description="The model answers at random: how many draws its answer is the mean of (2 to 1024; usual: 16).",
    )
    trust: bool = Field(
        default=False,
        description="Allow a .pt2 file. Reading one runs code: say true only of your own.",
    )
    predictions: File | None = Field(
        default=None, description="Recorded predictions (CSV or Parquet), audited without a model."
    )
    probabilities: Names = Field(
        default=(), description="Their columns of class probabilities, in the order of the classes."
    )
    score: Text | None = Field(
        default=None,
        description="Or their column of a score; larger: more likely the positive class.",
    )
    predicted: Text | None = Field(
        default=None, description="Or their column of the predicted value."
    )
    missing_codes: Spellings = Field(
        default=(), description='Spellings that mean "missing" beside the empty cell: ["?", "-99"].'
    )
    input_range: Range | None = Field(
        default=None,
        description="Least and greatest value of an element of array inputs, such as [0, 255]; needed to "
        "measure attacks and corruptions. Known for a folder of images and for arrays of bytes.",
    )
    decimal: Literal[".", ","] | None = Field(
        default=None, description='Decimal sign of a CSV, "." or ","; found out by itself.'
    )
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(
        default=None, description='Column separator of a CSV, such as ";"; found out by itself.'
    )
    encoding: Text | None = Field(
        default=None, description='Encoding of a CSV, such as "cp1252"; found out by itself.'
    )
    reviewed: File | None = Field(
        default=None,
        description="Review sheet of labels (the review.csv of an audit) that a person has filled in; `fix` acts on it.",
    )
    proof: Annotated[float, Field(ge=0.0, le=0.5)] | None = Field(
        default=None,
        description="Share of test rows that is sealed until a repair has to be proven (0 to 0.5). "
        "Without an answer 0.2 where there are 1,000 test rows or more.",
    )


class PurposeSection(Section):
    """What the model is for. Bounds follow from the answers, so answer before you look at results."""

    decides: Text | None = Field(
        default=None, description='What the model decides: "who is called in for a second scan".'
    )
    harmed_by: Text | None = Field(
        default=None, description='Who is harmed by which error: "the ill, by a missed case".'
    )
    prevalence: Share | None = Field(
        default=None, description="Share of positive cases in real use (above 0, below 1)."
    )
    accuracy: Share | None = Field(
        default=None, description="Share of right answers that is needed (above 0, below 1)."
    )
    latency_ms: Annotated[float, Field(gt=0.0)] | None = Field(
        default=None, description="Time allowed for one answer, in milliseconds."
    )
    hardware: Text | None = Field(default=None, description='What it runs on: "2 CPU cores, 4 GB".')
    label_price: Annotated[float, Field(ge=0.0)] | None = Field(
        default=None, description="Price of one more labelled example."
    )
    currency: Text | None = Field(default=None, description='Currency of that price: "EUR".')
    label_minutes: Annotated[float, Field(gt=0.0)] | None = Field(
        default=None, description="Minutes that a person needs for one more label."
    )
    law: Text | None = Field(default=None, description='Law that applies: "EU AI Act, high risk".')
    smallest_group: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Rows that a group needs to take part in a comparison. With fewer nothing passes, and a check may "
        "still fail where fewer than two groups have as many: all are compared then.",
    )


class Bound(Section):
    """A check's bound as the user sets it; the check says which side of it is good."""

    bound: float
    source: Text | None = None


class ChecksSection(Section):
    """Which checks run; names of checks or of whole challenges, see `roadworthy list`."""

    only: CheckNames = Field(default=(), description='Run these alone: ["uncertainty"].')
    skip: CheckNames = Field(default=(), description='Leave these out: ["near_duplicates"].')
    plugins: Names = Field(
        default=(), description='Modules with checks of your own: ["my_checks"].'
    )


class AuditSection(Section):
    """How thoroughly, with which resources, and where results go."""

    profile: ProfileName = Field(
        default="standard",
        description="quick (a minute or so), standard (a release gate) or full (published protocols).",
    )
    budget: Duration | None = Field(
        default=None,
        description='Time to spend, like "90s", "10m" or "1h30m"; the rest is not run.',
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(
        default=0,
        description="Of every random choice outside of training, whose seed is the recipe's.",
    )
    device: Text = Field(
        default="cpu", description='Where models run: "cpu", "cuda", "cuda:1", "mps".'
    )
    out: File | None = Field(default=None, description="Folder for the results.")
    store: File | None = Field(
        default=None, description="Folder that keeps what was computed before."
    )
    fail_on: Reasons = Field(
        default=("fail", "error", "undecided"),
        description="What makes the exit code other than 0; [] for never.",
    )


Option = bool | int | float | str
"""What an option of a check or artifact may be set to."""


class Config(Section):
    """All of roadworthy.toml."""

    subject: SubjectSection = SubjectSection()
    purpose: PurposeSection = PurposeSection()
    requirements: Mapping[str, Bound] = Field(default_factory=dict)
    options: Mapping[str, Mapping[str, Option]] = Field(default_factory=dict)
    checks: ChecksSection = ChecksSection()
    audit: AuditSection = AuditSection()
