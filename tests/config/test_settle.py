"""The command line goes before the file, the file before the defaults."""

from pathlib import Path

import pytest

from roadworthy.config import parse_config, settle
from roadworthy.errors import UserError

FILE = """
[subject]
data = "data/adult.parquet"
target = "label"
model = "model.py:build"
weights = "w.safetensors"
[audit]
profile = "full"
seed = 1
budget = "10m"
[checks]
skip = ["uncertainty"]
[requirements]
accuracy_gap = 0.1
"""


def test_command_line_before_file_before_default() -> None:
    settings = settle(
        parse_config(FILE),
        {"audit": {"seed": 2, "budget": None}, "checks": {"only": ("fairness",)}},
    )
    assert (settings.audit.seed, settings.origin_of("audit", "seed")) == (2, "command line")
    assert (settings.profile.name, settings.origin_of("audit", "profile")) == (
        "full",
        "roadworthy.toml",
    )
    assert (settings.audit.device, settings.origin_of("audit", "device")) == ("cpu", "default")
    assert settings.budget == 600.0
    assert settings.checks.only == ("fairness",)
    assert settings.checks.skip == ("uncertainty",)
    assert settings.requirements["accuracy_gap"].bound == 0.1


def test_without_file_and_command_line_all_is_default() -> None:
    settings = settle(None)
    assert settings.audit.profile == "standard"
    assert settings.budget is None
    assert settings.origin == {}


def test_paths_of_the_file_start_at_its_folder_and_those_of_the_command_line_where_one_is() -> None:
    settings = settle(parse_config(FILE), {"audit": {"out": Path("runs")}}, Path("/home/me"))
    assert settings.subject.data == "/home/me/data/adult.parquet"
    assert settings.subject.model == "/home/me/model.py:build"
    assert settings.subject.weights == "/home/me/w.safetensors"
    assert settings.audit.out == "runs"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("package.module:build", "package.module:build"),
        ("build.py:net", "/f/build.py:net"),
        ("net.onnx", "/f/net.onnx"),
        ("/abs/net.pt", "/abs/net.pt"),
    ],
)
def test_models_in_files_are_anchored_and_modules_are_not(model: str, expected: str) -> None:
    file = parse_config(f'[subject]\nmodel = "{model}"')
    assert settle(file, None, Path("/f")).subject.model == expected


def test_split_files_are_anchored() -> None:
    file = parse_config('[subject]\nsplit = { train = "a.csv", test = "/b.csv" }')
    split = settle(file, None, Path("/f")).subject.split
    assert split is not None
    assert not isinstance(split, str)
    assert (split.train, split.validation, split.test) == ("/f/a.csv", None, "/b.csv")


def test_other_data_on_the_command_line_takes_the_place_of_the_files_source() -> None:
    settings = settle(parse_config(FILE), {"subject": {"predictions": "preds.csv"}})
    assert settings.subject.predictions == "preds.csv"
    assert (settings.subject.data, settings.subject.model) == (None, None)
    assert settings.subject.target == "label"


def test_wrong_options_are_named_as_they_are_typed_all_at_once() -> None:
    with pytest.raises(UserError) as caught:
        settle(
            None,
            {
                "audit": {"profile": "fast", "fail_on": "fial", "seed": None},
                "subject": {"probabilities": 3, "foo": 1},
            },
        )
    lines = str(caught.value).splitlines()
    assert lines[0] == '--proba is 3; expected a list, like ["a", "b"].'
    assert lines[1].startswith('command line: [subject] has no key "foo".')
    assert lines[2] == '--profile is "fast"; expected "quick", "standard" or "full".'
    assert lines[3].startswith('--fail-on is "fial"; expected "fail", "error" or "undecided".')


def test_settling_changes_nothing_given_to_it() -> None:
    file = parse_config(FILE)
    before = file.model_dump()
    settle(file, {"subject": {"predictions": "p.csv"}}, Path("/f"))
    assert file.model_dump() == before
