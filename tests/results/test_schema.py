"""The JSON of a result: each comes back as it was, every other file is refused with the reason."""

import json
from dataclasses import replace
from math import inf, nan

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roadworthy.errors import UserError
from roadworthy.results import (
    EFFECTS_VERSION,
    SCHEMA_VERSION,
    AtMost,
    Audit,
    Axis,
    Bars,
    Counts,
    Diff,
    Environment,
    Finding,
    Fix,
    Multiplicity,
    SplitSize,
    SubjectSummary,
    schema,
)
from roadworthy.results.schema import (
    FORMS,
    diff_from_json,
    fix_from_json,
    from_json,
    json_schema,
    published_schema,
    to_json,
)

READERS = {"audit": from_json, "fix": fix_from_json, "diff": diff_from_json}

finite = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(st.characters(codec="utf-8"), max_size=12)


def anything(kind: str) -> st.SearchStrategy[Audit | Fix | Diff]:
    """Results with anything in any field that its type allows."""
    form = FORMS[kind]
    plain = {float: finite, str: text, int: st.integers(-(2**53), 2**53)}
    for kind, strategy in plain.items():
        st.register_type_strategy(kind, strategy)
    return st.from_type(form.record).map(lambda made: replace(made, schema_version=form.version))


@pytest.fixture
def audit() -> Audit:
    finding = Finding(
        "label_errors", "data_quality", "Share of labels that are wrong", "fail", "above the bound",
        value=0.1, low=1 / 3, high=0.5, n=100, unit="share of rows", method="Clopper-Pearson",
        distribution=Counts(10, 100), requirement=AtMost(0.05, "house default"),
        evidence=(Bars("Counts", Axis("Class"), Axis("Rows"), ("a", "b"), (1, 2.5)),),
    )  # fmt: skip
    return Audit(
        SCHEMA_VERSION, "0.1.0",
        SubjectSummary("digits", "key", "classification", "array", ("0", "1"),
                       (SplitSize("test", 100),), {"b": ("x",), "a": ("y",)}, "a model", False),
        {"law": "none", "decides": "nothing"}, "key", "quick", 0, 1, True, (finding,),
        Multiplicity(1, 0.025, (), "Holm"),
        Environment("3.11", "Linux", {"torch": "2.13.0", "numpy": "2.4"}, "cpu", 1),
        "2026-01-02T12:00:00+00:00", 1.5, 3, 4,
    )  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
@pytest.mark.parametrize("kind", FORMS)
def test_every_result_comes_back_from_its_json_and_follows_the_schema(
    kind: str, data: st.DataObject
) -> None:
    result = data.draw(anything(kind))
    written = to_json(result)
    read = READERS[kind](written)
    assert read == result
    assert to_json(read) == written
    jsonschema.validate(json.loads(written), published_schema(kind))


@pytest.mark.parametrize("kind", FORMS)
def test_the_published_schema_is_the_one_of_the_records(kind: str) -> None:
    assert published_schema(kind) == json_schema(kind), "renew it: write schema.schema_text(kind)"
    jsonschema.Draft202012Validator.check_schema(published_schema(kind))


@pytest.mark.parametrize("kind", ["fix", "diff"])
def test_a_file_of_another_kind_is_named_and_so_is_the_command_that_writes_the_right_one(
    audit: Audit, kind: str
) -> None:
    said = f"This is no {kind}.json: it holds a audit. Give the file that `roadworthy {kind}` wrote"
    with pytest.raises(UserError) as refused:
        READERS[kind](to_json(audit))
    assert said.replace("a audit", "an audit") in str(refused.value)
    with pytest.raises(UserError, match=f"roadworthy {kind}"):
        READERS[kind]("{")


def test_a_diff_handed_in_as_an_audit_is_called_a_diff(audit: Audit) -> None:
    summary = audit.subject
    diff = Diff(EFFECTS_VERSION, "0.1.0", summary, summary, "quick", 0, 100, (), (), "", 1.0)
    with pytest.raises(UserError, match=r"no audit\.json: it holds a diff.*roadworthy audit"):
        from_json(to_json(diff))


@pytest.mark.parametrize(
    ("where", "value"),
    [("exit_code", "one"), ("findings", {}), ("subject", None), ("complete", 3)],
)
def test_the_schema_refuses_what_is_no_audit(audit: Audit, where: str, value: object) -> None:
    data = json.loads(to_json(audit))
    data[where] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, published_schema())
    with pytest.raises(UserError, match=where):
        from_json(json.dumps(data))


def test_equal_audits_give_equal_bytes_whatever_the_order_of_their_mappings(audit: Audit) -> None:
    turned = replace(audit, purpose=dict(reversed(audit.purpose.items())), seconds=1.5)
    assert to_json(turned) == to_json(audit)
    whole = replace(audit, seconds=2)
    assert to_json(whole) == to_json(replace(audit, seconds=2.0))


def test_floats_keep_every_digit(audit: Audit) -> None:
    assert from_json(to_json(audit)).findings[0].low == 1 / 3


def test_numbers_of_numpy_are_written_as_plain_numbers(audit: Audit) -> None:
    finding = replace(audit.findings[0], value=np.float32(0.5), n=np.int64(7), required=np.True_)
    read = from_json(to_json(replace(audit, findings=(finding,)))).findings[0]
    assert (read.value, read.n, read.required) == (0.5, 7, True)


@pytest.mark.parametrize("bad", [nan, inf, -inf, np.float64("nan")])
def test_a_number_that_json_does_not_have_is_named_with_its_place(audit: Audit, bad: float) -> None:
    broken = replace(audit, findings=(replace(audit.findings[0], value=bad),))
    with pytest.raises(AssertionError, match=r"audit\.findings\[0\]\.value"):
        to_json(broken)


def test_half_a_character_of_a_badly_read_file_does_not_stop_the_report(audit: Audit) -> None:
    read = from_json(to_json(replace(audit, profile="a\ud800b")))
    assert read.profile == "a\\ud800b"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1, column 1"),
        ('{"schema_version": "1.0"', "line 1"),
        ("[]", "found a JSON list, expected an object"),
        ("{}", "schema_version is None"),
        ('{"schema_version": "two"}', "schema_version is 'two'"),
        ('{"schema_version": "1.0"}', "roadworthy_version: Field required"),
    ],
)
def test_what_is_no_audit_is_refused_with_the_place_and_the_way_out(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        from_json(text)
    assert "roadworthy audit" in str(refused.value)


@pytest.mark.parametrize("version", ["1.1", "2.0", "99.0"])
def test_an_audit_of_a_newer_version_is_refused_with_the_way_out(
    audit: Audit, version: str
) -> None:
    data = json.loads(to_json(audit))
    data["schema_version"] = version
    with pytest.raises(UserError, match=f"schema version {version}.*pip install --upgrade"):
        from_json(json.dumps(data))


def test_an_audit_of_an_older_minor_version_lacks_fields_that_have_defaults(
    audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(schema.FORMS, "audit", replace(FORMS["audit"], version="1.3"))
    data = json.loads(to_json(audit))
    del data["findings"][0]["seconds"]
    read = from_json(json.dumps(data))
    assert read.schema_version == "1.3"
    assert read.findings[0].seconds is None


def test_an_audit_of_an_older_major_version_is_brought_up_step_by_step(
    audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rename(data: dict) -> dict:
        return {("profile" if key == "preset" else key): value for key, value in data.items()}

    def keep(data: dict) -> dict:
        return data

    newer = replace(FORMS["audit"], version="3.0", upgrades={1: rename, 2: keep})
    monkeypatch.setitem(schema.FORMS, "audit", newer)
    data = json.loads(to_json(audit))
    data["preset"] = data.pop("profile")
    assert from_json(json.dumps(data)).profile == "quick"
