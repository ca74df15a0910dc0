"""From parameter names to a graph, and what is said where that fails."""

import numpy as np
import pytest

from roadworthy.engine import Missing, Registry, artifact, check, compute, exists
from roadworthy.engine.graph import resolve
from roadworthy.errors import UserError


@artifact(per="split", shape="n")
def doubled(inputs, factor):
    return inputs * factor


@artifact(per="split")
def centred(doubled, train_doubled):
    return doubled - train_doubled.mean()


@artifact()
def factor():
    return 2.0


@artifact()
def spread(test_centred, validation_centred=None):
    return (len(test_centred), validation_centred is None)


@check(challenge="x")
def spread_is_large(spread, rng, *, bins=10):
    return 0.0


REGISTRY = Registry.of(doubled, centred, factor, spread, spread_is_large)
TRAIN, TEST = np.arange(3.0), np.arange(4.0)
FIELDS = {"train_inputs": TRAIN, "test_inputs": TEST}


def needs(name: str, fields=FIELDS, registry=REGISTRY) -> list[str]:
    return [need.name for need in resolve(registry, fields, [name]).nodes[name].needs]


def test_a_parameter_is_the_field_or_artifact_of_that_name_with_the_split_in_front():
    assert needs("test_doubled") == ["test_inputs", "factor"]
    assert needs("test_centred") == ["test_doubled", "train_doubled"]
    assert needs("spread_is_large") == ["spread"]


def test_needs_come_before_what_needs_them():
    order = list(resolve(REGISTRY, FIELDS, ["spread_is_large"]).nodes)
    assert order.index("train_doubled") < order.index("test_centred") < order.index("spread")


def test_rng_is_no_need_and_options_have_their_defaults_unless_given():
    node = resolve(REGISTRY, FIELDS, ["spread_is_large"]).nodes["spread_is_large"]
    assert node.takes_rng
    assert node.options == {"bins": 10}
    options = {"spread_is_large": {"bins": 3}}
    assert resolve(REGISTRY, FIELDS, ["spread_is_large"], options).nodes[
        "spread_is_large"
    ].options == {"bins": 3}


def test_a_field_takes_the_place_of_the_artifact_of_its_name():
    fields = {**FIELDS, "test_doubled": TEST, "factor": 3.0}
    graph = resolve(REGISTRY, fields, ["test_centred"])
    assert "test_doubled" not in graph.nodes
    assert "factor" not in graph.nodes
    given = compute(REGISTRY, fields, ["test_centred", "factor"])
    assert given["factor"].value == 3.0
    assert given["test_centred"].value.tolist() == (TEST - (TRAIN * 3).mean()).tolist()


def test_a_missing_field_takes_the_place_of_an_artifact_too():
    fields = {**FIELDS, "factor": Missing("missing_recipe", "no recipe")}
    (outcome,) = compute(REGISTRY, fields, ["spread_is_large"]).values()
    assert (outcome.state, outcome.code, outcome.reason) == (
        "missing",
        "missing_recipe",
        "no recipe",
    )


def test_an_optional_need_is_none_where_it_is_missing_or_the_split_lacks_it():
    assert compute(REGISTRY, FIELDS, ["spread"])["spread"].value == (4, True)
    some = {**FIELDS, "validation_inputs": Missing("missing_input", "none")}
    assert compute(REGISTRY, some, ["spread"])["spread"].value == (4, True)
    every = {**FIELDS, "validation_inputs": TEST}
    assert compute(REGISTRY, every, ["spread"])["spread"].value == (4, False)


def test_an_optional_need_that_nobody_gives_is_none():
    @check(challenge="x")
    def rare(test_inputs, prevalence=None):
        return prevalence is None

    registry = Registry.of(rare)
    assert compute(registry, FIELDS, ["rare"])["rare"].value is True
    assert compute(registry, {**FIELDS, "prevalence": 0.1}, ["rare"])["rare"].value is False


def test_a_split_that_lacks_a_field_is_missing_it():
    (outcome,) = compute(REGISTRY, FIELDS, ["production_doubled"]).values()
    assert outcome.state == "missing"
    assert outcome.code == "missing_input"
    assert "inputs for its production rows" in (outcome.reason or "")


@check(challenge="x")
def wants_a_typo(typo_below):
    return 0


@artifact()
def typo_below(test_doubbled):
    return 0


def test_a_name_that_leads_nowhere_is_told_with_the_chain_of_requesters_and_the_nearest():
    registry = Registry.of(wants_a_typo, typo_below, doubled, factor, spread, centred)
    outcomes = compute(registry, FIELDS, ["wants_a_typo", "spread"])
    assert outcomes["spread"].state == "done", "the rest goes on"
    found = outcomes["wants_a_typo"]
    assert (found.state, found.code) == ("error", "lookup")
    below, check_line = typo_below.__code__.co_firstlineno, wants_a_typo.__code__.co_firstlineno
    assert found.reason == (
        f'No field or artifact "test_doubbled", asked for by artifact typo_below ({__file__}:{below}), '
        f"asked for by check wants_a_typo ({__file__}:{check_line}). "
        'Did you mean "test_doubled"?'
    )


def test_the_nearest_name_says_that_it_is_missing():
    @check(challenge="x")
    def grouped(test_grups):
        return 0

    fields = {"test_groups": Missing("missing_input", "no column has the role sensitive")}
    (found,) = compute(Registry.of(grouped), fields, ["grouped"]).values()
    assert 'Did you mean "test_groups"? (It is missing here: no column' in (found.reason or "")


def test_a_circle_is_told_apart_from_a_missing_name():
    @artifact()
    def hen(egg):
        return 0

    @artifact()
    def egg(hen):
        return 0

    @check(challenge="x")
    def first(hen):
        return 0

    registry = Registry.of(hen, egg, first)
    (found,) = compute(registry, {}, ["first"]).values()
    assert found.code == "lookup"
    reason = found.reason or ""
    assert reason.startswith("Circular: check first (")
    assert (
        reason.index("artifact hen (") < reason.index("artifact egg (") < reason.index("hen again")
    )
    assert compute(registry, {"egg": 1}, ["first"])["first"].state == "done"


@pytest.mark.parametrize(
    ("names", "options", "said"),
    [
        (["spred"], {}, 'no field, artifact or check "spred". Did you mean "spread"?'),
        (["spread"], {"spred": {}}, 'Options are given for "spred".*Did you mean "spread"'),
        (
            ["spread_is_large"],
            {"spread_is_large": {"bin": 3}},
            'no option "bin".*"bins".*Its options: bins',
        ),
        (["factor"], {"factor": {"x": 3}}, 'no option "x".*It has no options'),
    ],
)
def test_an_unknown_name_or_option_is_refused_with_the_nearest(names, options, said):
    with pytest.raises(UserError, match=said):
        compute(REGISTRY, FIELDS, names, options=options)


def test_an_option_of_a_per_split_artifact_holds_for_all_splits_unless_one_is_named():
    @artifact(per="split")
    def shifted(inputs, *, by=0):
        return inputs + by

    options = {"shifted": {"by": 1}, "test_shifted": {"by": 2}}
    names = ["train_shifted", "test_shifted"]
    found = compute(Registry.of(shifted), FIELDS, names, options=options)
    assert found["train_shifted"].value.tolist() == [1, 2, 3]
    assert found["test_shifted"].value.tolist() == [2, 3, 4, 5]


def test_what_exists_is_a_field_or_can_be_looked_up():
    some = {**FIELDS, "gone": Missing("missing_input", "no")}
    names = [
        "test_inputs",
        "gone",
        "validation_inputs",
        "test_doubled",
        "factor",
        "spread_is_large",
    ]
    assert all(exists(REGISTRY, some, name) for name in names)
    assert not any(
        exists(REGISTRY, some, name) for name in ["doubled", "nonsense", "test_nonsense"]
    )
