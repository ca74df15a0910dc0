"""The options of the commands that look at data: each with its name, its help and its place in it."""

from pathlib import Path
from typing import Annotated, Any

import typer

DATA = "Data"
ROLES = "Roles of columns"
MODEL = "Model"
PREDICTIONS = "Recorded predictions, in place of data and model"
RUNS = "What runs"
OUTPUT = "Output"
PURPOSE = "What the model is for"


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
Device = Annotated[str | None, _option(RUNS, "cpu, cuda, cuda:1, mps", metavar="NAME")]
Seed = Annotated[int | None, _option(RUNS, "Of every random choice", metavar="N")]
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
