"""Simple twins: what repeats the model, what is as good as it, and a network that can be read."""

import numpy as np
import pytest

from roadworthy.challenges.interpretability.readable import replaced_by_a_readable_network
from roadworthy.challenges.interpretability.twin_faults import (
    answers_of_the_stand_in,
    answers_that_follow_no_rule,
)
from roadworthy.challenges.interpretability.twins import (
    LEAVES,
    TREE,
    WEIGHTS,
    Views,
    _linear,
    _tree,
    gain_over_simple_twin,
    surrogate_answers,
    surrogate_choice,
    unexplained_answers,
)
from roadworthy.errors import NotApplicable
from roadworthy.statistics import paired_rate_difference, rate
from roadworthy.subject import Column, Recipe, Split, Subject, Task

RNG = np.random.default_rng(0)
COLUMNS = (Column("a", "numeric"), Column("b", "numeric"), Column("c", "numeric"))
TRAIN, TEST = RNG.normal(size=(2000, 3)), RNG.normal(size=(1000, 3))
TASK = Task("binary", ("no", "yes"), positive=1)


def rule(inputs: np.ndarray) -> np.ndarray:
    """A rule of two leaves crossed: a tree says it in four, a line cannot."""
    return ((inputs[:, 0] > 0) ^ (inputs[:, 1] > 0)).astype(np.int64)


def given(train: np.ndarray) -> dict[str, object]:
    return {
        "train_inputs": TRAIN,
        "train_features": TRAIN,
        "train_predicted": train,
        "rng": np.random.default_rng(1),
        "train_labels": train,
        "columns": COLUMNS,
    }


def test_a_crossed_rule_is_repeated_by_the_tree_and_not_by_the_line() -> None:
    answers = surrogate_answers(test_inputs=TEST, test_features=TEST, **given(rule(TRAIN)))  # type: ignore[arg-type]
    chosen = surrogate_choice(**given(rule(TRAIN)))  # type: ignore[arg-type]
    assert chosen == TREE
    found = unexplained_answers(rule(TEST), answers, chosen)
    assert found.value < 0.03
    assert found.high == rate(int(np.sum(answers[TREE] != rule(TEST))), 1000).high
    line = answers["sparse linear model"]
    assert np.mean(line == rule(TEST)) < 0.65


def test_twins_fit_on_a_page() -> None:
    noisy = RNG.normal(size=(1500, 60))
    labels = (noisy @ RNG.normal(size=60) > 0).astype(np.int64)
    views = Views(noisy, noisy, None)
    assert _tree(views, labels).get_n_leaves() <= LEAVES
    assert np.sum(np.abs(_linear(views, labels).coef_) > 1e-6) <= WEIGHTS


def test_missing_values_are_lower_than_all_others_for_trees() -> None:
    rows = TRAIN.copy()
    rows[:1000, 0] = np.nan
    labels = np.repeat([1, 0], 1000)
    tree = _tree(Views(rows, TRAIN, COLUMNS), labels)
    assert tree.score(Views(rows, TRAIN, COLUMNS).plain(), labels) == 1.0


def test_a_twin_that_is_as_good_is_recommended_and_one_that_is_not_is_priced() -> None:
    labels = rule(TEST)
    flipped = np.where(np.arange(1000) < 100, 1 - labels, labels)  # wrong on a tenth
    found = gain_over_simple_twin(labels, labels, {TREE: flipped})
    expected = paired_rate_difference(np.ones(1000, bool), flipped == labels)
    assert (found.value, found.low, found.high) == (expected.value, expected.low, expected.high)
    assert "right more often than the sparse tree" in found.details
    assert "may do" in gain_over_simple_twin(labels, labels, {TREE: labels}).details
    assert "use it" in gain_over_simple_twin(flipped, labels, {TREE: labels}).details


def test_control_and_fault_plant_what_they_say() -> None:
    subject = Subject("s", TASK, "table", {"test": Split(None, rule(TEST))})
    rng = np.random.default_rng(3)
    clean = answers_of_the_stand_in(subject, rng, {TREE: rule(TEST)}, TREE)
    asked = clean.given["test_predicted"], {TREE: rule(TEST)}, TREE
    assert unexplained_answers(*asked).value == 0.0
    assert answers_that_follow_no_rule(clean, 0.0, rng, asked[0]) is clean
    made = answers_that_follow_no_rule(clean, 0.2, rng, asked[0])
    found = unexplained_answers(made.given["test_predicted"], *asked[1:])
    assert found.low <= 0.2 <= found.high


def test_one_answer_for_all_has_no_rule() -> None:
    with pytest.raises(NotApplicable, match="same answer"):
        surrogate_choice(**given(np.zeros(2000, np.int64)))  # type: ignore[arg-type]


def test_the_readable_network_is_a_sum_of_one_function_for_each_column() -> None:
    import torch

    from roadworthy.training.additive import AdditiveTable
    from roadworthy.training.tables import TableShape

    columns = (Column("a", "numeric"), Column("b", "category", ("x", "y", "z")))
    torch.manual_seed(0)
    module = AdditiveTable(TableShape.of(columns, 2))
    rows = torch.tensor([[float(a), float(b)] for a in range(4) for b in range(3)])
    module.prepare(rows)
    with torch.no_grad():
        table = module(rows).reshape(4, 3, 2)
    # Without interaction, differences between rows are the same in every column of the table.
    interaction = table - table[:1] - table[:, :1] + table[:1, :1]
    assert interaction.abs().max() < 1e-5
    assert (table[1:] - table[:1]).abs().max() > 1e-3


def test_the_mitigation_asks_for_another_training_and_changes_nothing_at_strength_nought() -> None:
    from roadworthy.training.artifacts import readable_network

    network = readable_network(TASK, "array", TRAIN)
    assert network.source == "linear network for arrays"
    subject = Subject("s", TASK, "array", {}, recipe=Recipe())
    assert replaced_by_a_readable_network(subject, 0.0, network) is subject
    made = replaced_by_a_readable_network(subject, 1.0, network)
    assert made.network is network
    assert made.weights is None
    with pytest.raises(NotApplicable, match="Recipe"):
        replaced_by_a_readable_network(Subject("s", TASK, "array", {}), 1.0, network)


def test_an_explainable_boosting_machine_repeats_a_sum_of_curves_of_columns_with_gaps() -> None:
    pytest.importorskip("interpret", reason="the extra [explain] is not installed")
    columns = (
        Column("a", "numeric"),
        Column("b", "numeric"),
        Column("c", "category", ("x", "y", "z")),
    )
    rng = np.random.default_rng(4)
    rows = np.stack(
        [rng.normal(size=1200), rng.normal(size=1200), rng.integers(0, 3, 1200)], axis=1
    )
    labels = (np.sin(3 * rows[:, 0]) + rows[:, 1] ** 2 + (rows[:, 2] == 1) > 1.0).astype(np.int64)
    rows[::10, 1] = np.nan
    asked = {**given(rule(TRAIN)), "train_inputs": rows, "train_features": np.nan_to_num(rows)}
    asked |= {"train_predicted": labels, "train_labels": labels, "columns": columns}
    answers = surrogate_answers(
        test_inputs=rows,
        test_features=np.nan_to_num(rows),
        **asked,  # type: ignore[arg-type]
    )
    whole = np.isfinite(rows[:, 1])
    repeated = answers["explainable boosting"] == labels
    assert repeated[whole].mean() > 0.9
    assert repeated[whole].mean() > np.mean(answers["sparse linear model"] == labels) + 0.1
