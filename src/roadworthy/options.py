"""The options of the commands that look at data: each with its name, its help and its place in it."""

import inspect
import re
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from roadworthy.errors import UserError

DATA = "Data"
ROLES = "Roles of columns"
MODEL = "Model"
PREDICTIONS = "Recorded predictions, in place of data and model"
RUNS = "What runs"
OUTPUT = "Output"
PURPOSE = "What the model is for"
FRACTION = re.compile(r"([-+]?\d+(?:\.\d+)?) */ *(\d+(?:\.\d+)?)")


def _option(panel: str, help_text: str, *names: str, metavar: str | None = None) -> Any:
    # Any: typer's own type for an option
    return typer.Option(*names, help=help_text, rich_help_panel=panel, metavar=metavar)


def _file(panel: str, help_text: str) -> Any:  # Any: see above
    return _option(panel, help_text, metavar="FILE")


def _column(help_text: str, *names: str, panel: str = ROLES) -> Any:  # Any: see above
    return _option(panel, help_text, *names, metavar="COLUMN")


def _columns(help_text: str, panel: str = ROLES) -> Any:  # Any: see above
    return _option(panel, help_text, metavar="COL,COL")


Data = Annotated[Path | None, _file(DATA, "Table (CSV, Parquet), npz, or folder of images")]
Train = Annotated[Path | None, _file(DATA, "Or a table per split: rows to train on,")]
Validation = Annotated[Path | None, _file(DATA, "rows to choose settings on,")]
Test = Annotated[Path | None, _file(DATA, "and rows that neither has seen")]
Unlabelled = Annotated[Path | None, _file(DATA, "Rows without a target, beside the others")]
Encoding = Annotated[str | None, _option(DATA, "Of a CSV; found out", metavar="NAME")]
Delimiter = Annotated[str | None, _option(DATA, "Of a CSV; found out", metavar="CHAR")]
Decimal = Annotated[str | None, _option(DATA, '"." or ",", in a CSV; found out', metavar="CHAR")]
MissingCodes = Annotated[
    list[str] | None,
    _option(DATA, "What else means no value: -99,unknown", metavar="A,B"),
]
Proof = Annotated[
    float | None,
    _option(DATA, "Share of test rows sealed for later proofs", metavar="SHARE"),
]

InputRange = Annotated[
    str | None,
    _option(DATA, "Least and greatest value of array inputs: 0,255", metavar="LOW,HIGH"),
]
Target = Annotated[str | None, _column("Column to be predicted")]
Positive = Annotated[
    str | None, _option(ROLES, "The class whose detection matters", metavar="CLASS")
]
Task = Annotated[
    str | None,
    _option(ROLES, "binary, multiclass or regression; found out", metavar="KIND"),
]
Split = Annotated[str | None, _column("Says train, validation or test")]
Sensitive = Annotated[list[str] | None, _columns("Such as sex or race")]
Drop = Annotated[list[str] | None, _columns("What the model must not see")]
Entity = Annotated[str | None, _column("The person or device of a row")]
Time = Annotated[str | None, _column("When a row was recorded")]
Id = Annotated[str | None, _column("Numbers the rows", "--id")]
Source = Annotated[str | None, _column("The instrument or file of a row")]
Domain = Annotated[str | None, _column("The site or country of a row")]
Weight = Annotated[str | None, _column("How many rows a row stands for")]
People = Annotated[
    bool | None,
    _option(ROLES, "Whether rows are persons", "--people/--no-people"),
]

Model = Annotated[
    str | None,
    _option(MODEL, "file.py:function, module:function, .pt2 or .onnx", metavar="MODEL"),
]
Weights = Annotated[Path | None, _file(MODEL, "Its trained weights: .safetensors or .pt")]
RandomDraws = Annotated[
    int | None,
    _option(MODEL, "It answers at random: average so many draws (16)", metavar="N"),
]
Trust = Annotated[bool, _option(MODEL, "Allow a .pt2 file, which can run code", "--trust")]

Predictions = Annotated[Path | None, _file(PREDICTIONS, "Table of recorded predictions")]
Proba = Annotated[list[str] | None, _columns("Probability of each class", PREDICTIONS)]
Score = Annotated[str | None, _column("Larger: more likely the positive class", panel=PREDICTIONS)]
Predicted = Annotated[str | None, _column("The predicted value", panel=PREDICTIONS)]

Only = Annotated[
    list[str] | None, _option(RUNS, "Challenges or checks to run, no others", metavar="A,B")
]
Skip = Annotated[
    list[str] | None, _option(RUNS, "Challenges or checks to leave out", metavar="A,B")
]
Profile = Annotated[str | None, _option(RUNS, "quick, standard or full", metavar="NAME")]
Budget = Annotated[str | None, _option(RUNS, "Time to spend: 90s, 10m, 1h", metavar="TIME")]
Set = Annotated[
    list[str] | None,
    _option(RUNS, "An option of a check or artifact", "--set", metavar="NAME.OPTION=VALUE"),
]
Device = Annotated[str | None, _option(RUNS, "cpu, cuda, cuda:1, mps", metavar="NAME")]
Seed = Annotated[
    int | None, _option(RUNS, "Of every random choice outside of training", metavar="N")
]
Store = Annotated[
    Path | None, _option(RUNS, "Folder of what was computed before", metavar="FOLDER")
]

Out = Annotated[Path | None, _option(OUTPUT, "Folder for the results", metavar="FOLDER")]
FailOn = Annotated[
    str | None,
    _option(
        OUTPUT,
        "fail, error, undecided: what makes the exit code other than 0; never: nothing does",
        metavar="A,B",
    ),
]
Quiet = Annotated[bool, _option(OUTPUT, "Print the result alone", "--quiet", "-q")]

Decides = Annotated[str | None, _option(PURPOSE, "What the model decides", metavar="TEXT")]
HarmedBy = Annotated[str | None, _option(PURPOSE, "Who is harmed by which error", metavar="TEXT")]
Prevalence = Annotated[
    float | None, _option(PURPOSE, "Share of positives in real use", metavar="SHARE")
]
Accuracy = Annotated[float | None, _option(PURPOSE, "Accuracy that is needed", metavar="SHARE")]
LatencyMs = Annotated[
    float | None, _option(PURPOSE, "Milliseconds allowed for one answer", metavar="MS")
]
Hardware = Annotated[str | None, _option(PURPOSE, "What it runs on", metavar="TEXT")]
LabelPrice = Annotated[
    float | None, _option(PURPOSE, "Price of one more labelled example", metavar="PRICE")
]
Law = Annotated[str | None, _option(PURPOSE, "Law that applies", metavar="TEXT")]
SmallestGroup = Annotated[
    int | None, _option(PURPOSE, "Rows a group needs to be judged by itself", metavar="ROWS")
]

Accept = Annotated[
    list[str] | None,
    _option(OUTPUT, "Save the model with this accepted repair", metavar="NAME"),
]
Repairs = Annotated[
    list[str] | None,
    _option(RUNS, "Repairs to try, or checks or challenges to repair", metavar="A,B"),
]
Reviewed = Annotated[Path | None, _file(DATA, "Review sheet of labels that a person has filled in")]
Seeds = Annotated[
    int | None, _option(RUNS, "Trainings behind what is said of a repair in general", metavar="N")
]
ProofLog = Annotated[
    Path | None, _option(RUNS, "File that records looks at sealed rows", metavar="FILE")
]
Form = Annotated[
    str | None,
    _option(
        OUTPUT, "csv, latex, markdown, html, json, junit: print in place of tables", "--format", metavar="FORM"
    ),
]  # fmt: skip

SUBJECT_OPTIONS: Mapping[str, Any] = {  # Any: annotated types
    "data": Data,
    "train": Train,
    "validation": Validation,
    "test": Test,
    "unlabelled": Unlabelled,
    "encoding": Encoding,
    "delimiter": Delimiter,
    "decimal": Decimal,
    "missing_codes": MissingCodes,
    "proof": Proof,
    "input_range": InputRange,
    "target": Target,
    "positive": Positive,
    "task": Task,
    "split": Split,
    "sensitive": Sensitive,
    "drop": Drop,
    "entity": Entity,
    "time": Time,
    "id_": Id,
    "source": Source,
    "domain": Domain,
    "weight": Weight,
    "people": People,
    "model": Model,
    "weights": Weights,
    "random_draws": RandomDraws,
    "trust": Trust,
    "predictions": Predictions,
    "proba": Proba,
    "score": Score,
    "predicted": Predicted,
}
"""What describes a subject on the command line, in the order of the help."""


def chosen(settings: list[str] | None) -> dict[str, dict[str, object]]:
    """Read NAME.OPTION=VALUE of `--set`: numbers (8/255, too), true and false as such, all else as text.

    >>> chosen(["attack_threat.eps=0.1", "attack_budget.attack=standard"])
    {'attack_threat': {'eps': 0.1}, 'attack_budget': {'attack': 'standard'}}
    """
    found: dict[str, dict[str, object]] = {}
    for setting in settings or ():
        name, dot, rest = setting.partition(".")
        option, equals, value = rest.partition("=")
        if not (name and dot and option and equals and value):
            raise UserError(
                f'--set {setting}: expected NAME.OPTION=VALUE, as in "--set attack_threat.eps=0.1". '
                "`roadworthy describe NAME` shows the options of a check or artifact."
            )
        found.setdefault(name.strip(), {})[option.strip()] = _value(value.strip())
    return found


def _value(text: str) -> object:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    fraction = FRACTION.fullmatch(text)
    if fraction and float(fraction[2]):
        return float(fraction[1]) / float(fraction[2])
    return text


def describing_a_subject(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that describe a subject; it receives them as the mapping `given`.

    They stand after its first parameter in the help.
    """

    @wraps(command)
    def with_options(**values: Any) -> None:  # Any: values of options
        given = {name: values.pop(name) for name in SUBJECT_OPTIONS}
        command(**values, given=given)

    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [
        p.replace(kind=keyword)
        for p in inspect.signature(command).parameters.values()
        if p.name != "given"
    ]
    shared = [
        inspect.Parameter(
            name, keyword, default=False if name == "trust" else None, annotation=annotation
        )
        for name, annotation in SUBJECT_OPTIONS.items()
    ]
    parameters = [own[0], *shared, *own[1:]]
    with_options.__dict__["__signature__"] = inspect.Signature(parameters, return_annotation=None)
    with_options.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
    return with_options


def subject_section(given: Mapping[str, Any]) -> dict[str, object]:
    """Return the [subject] section that options describe."""
    files = {split: given[split] for split in ("train", "validation", "test")}
    lists = ("sensitive", "drop", "missing_codes")
    plain = {name: value for name, value in given.items() if name not in files}
    return {
        **{name: plain[name] for name in plain if name not in (*lists, "id_", "proba")},
        **{name: named(plain[name]) for name in lists},
        "split": _files_of(given["split"], files),
        "id": given["id_"],
        "trust": given["trust"] or None,
        "probabilities": named(given["proba"]),
    }


def named(values: list[str] | None) -> tuple[str, ...] | None:
    """Return the names of an option that can be repeated or given separated by commas."""
    if not values:
        return None
    from roadworthy.config import names_in

    return tuple(name for value in values for name in names_in(value))


def _files_of(column: str | None, files: dict[str, Path | None]) -> object:
    """Return the column that marks splits, or the file of each."""
    given = {name: path for name, path in files.items() if path is not None}
    if given and column is not None:
        raise UserError(
            f"--split {column} names a column, and --{next(iter(given))} a file of one split. Give "
            "one of them."
        )
    return given or column
