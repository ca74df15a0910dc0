"""What is written reads back exactly."""

from hypothesis import given
from hypothesis import strategies as st

from roadworthy.config import (
    AuditSection,
    Bound,
    ChecksSection,
    Config,
    PurposeSection,
    SplitFiles,
    SubjectSection,
    parse_config,
    render_toml,
)

text = st.text(min_size=1, max_size=12)
maybe = st.one_of(st.none(), text)
names = st.lists(text, max_size=3).map(tuple)
share = st.floats(1e-9, 1 - 1e-9)
positive = st.floats(1e-6, 1e9)

subjects = st.builds(
    SubjectSection,
    data=maybe,
    split=st.one_of(maybe, st.builds(SplitFiles, train=maybe, validation=maybe, test=maybe)),
    target=maybe,
    task=st.sampled_from([None, "classification", "binary", "multiclass", "regression"]),
    positive=maybe,
    sensitive=names,
    drop=names,
    people=st.sampled_from([None, True, False]),
    model=maybe,
    trust=st.booleans(),
    missing_codes=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    decimal=st.sampled_from([None, ".", ","]),
    delimiter=st.one_of(st.none(), st.text(min_size=1, max_size=1)),
    proof=st.one_of(st.none(), st.floats(0, 0.5)),
)
purposes = st.builds(
    PurposeSection,
    decides=maybe,
    prevalence=st.one_of(st.none(), share),
    accuracy=st.one_of(st.none(), share),
    latency_ms=st.one_of(st.none(), positive),
    label_price=st.one_of(st.none(), st.just(0.0), positive),
    smallest_group=st.one_of(st.none(), st.integers(1, 10**9)),
)
bounds = st.builds(Bound, bound=st.floats(allow_nan=False, allow_infinity=False), source=maybe)
audits = st.builds(
    AuditSection,
    profile=st.sampled_from(["quick", "standard", "full"]),
    budget=st.sampled_from([None, "90s", "10m", "1h30m"]),
    seed=st.integers(0, 2**63 - 1),
    out=maybe,
    fail_on=st.lists(st.sampled_from(["fail", "error", "undecided"]), unique=True).map(tuple),
)
configs = st.builds(
    Config,
    subject=subjects,
    purpose=purposes,
    requirements=st.dictionaries(text, bounds, max_size=3),
    checks=st.builds(ChecksSection, only=names, skip=names, plugins=names),
    audit=audits,
)


@given(configs)
def test_reading_what_was_written_gives_the_same_configuration(config: Config) -> None:
    assert parse_config(render_toml(config)) == config


def test_the_default_file_says_nothing_and_explains_everything() -> None:
    written = render_toml(Config())
    assert parse_config(written) == Config()
    in_force = [line for line in written.splitlines() if line and not line.startswith("#")]
    assert in_force == [
        "[subject]",
        "[purpose]",
        "[requirements]",
        "[options]",
        "[checks]",
        "[audit]",
    ]


def test_every_key_has_a_comment_and_every_example_is_valid() -> None:
    written = render_toml(Config())
    for section in (SubjectSection, PurposeSection, ChecksSection, AuditSection):
        for name, field in section.model_fields.items():
            assert field.description, name
            assert f"# {name} = " in written
    uncommented = "\n".join(
        line.removeprefix("# ")
        if line.startswith("# ") and line.split()[1].isidentifier() and line.split()[2:3] == ["="]
        else line
        for line in written.splitlines()
    )
    config = parse_config(uncommented)
    assert config.purpose.accuracy == 0.9
    assert config.subject.data == "data.parquet"
