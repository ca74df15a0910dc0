"""Training that looks at groups: what the loss becomes, by hand, and what it does to a gap that was planted."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roadworthy.engine.identity import key_of
from roadworthy.errors import UserError
from roadworthy.subject import Augmentation, GroupTraining, Network, Recipe
from roadworthy.training import checkpoint
from roadworthy.training.augmentation import Batch, Part
from roadworthy.training.group_aware import (
    Cells,
    EqualizedOdds,
    Judged,
    WorstCase,
    crossed,
)
from roadworthy.training.jobs import Examples, Job
from roadworthy.training.loop import train
from roadworthy.training.objective import cross_entropy
from roadworthy.training.semi_supervised import joined
from roadworthy.training.together import _suits_a_fleet  # pyright: ignore[reportPrivateUsage]

RECIPE = Recipe(epochs=12, learning_rate=0.03, batch_size=64, weight_decay=0.0, patience=None)
LINEAR = Network(partial(nn.Linear, 3, 2), "linear")
METHODS = ("equalized_odds", "group_dro", "adversary")


def people(n: int, seed: int = 0) -> Examples:
    """Two classes; column 0 tells them as well in both groups, but four fifths of group 0 and a fifth of group 1 are positive.

    Column 1 is the group: who uses it well is right more often, and unequal in both odds.
    """
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 2, n)
    labels = (rng.random(n) < np.where(group == 0, 0.8, 0.2)).astype(np.int64)
    inputs = np.stack([labels + rng.normal(0, 0.7, n), group, rng.normal(size=n)], axis=1)
    return Examples(inputs, labels, row_groups=group[:, None])


TRAINING, TEST = people(1200), people(4000, 1)


def planned(method: Any, amount: float, **more: Any) -> Recipe:
    return replace(RECIPE, groups=GroupTraining(method, amount), **more)


def rates(weights: dict[str, np.ndarray]) -> dict[tuple[int, int], float]:
    """Share of each class and group that is decided rightly."""
    logits = TEST.inputs @ weights["weight"].T + weights["bias"]
    right = logits.argmax(axis=1) == TEST.target
    assert TEST.row_groups is not None
    group = TEST.row_groups[:, 0]
    return {
        (y, g): float(right[(TEST.target == y) & (group == g)].mean())
        for y in (0, 1)
        for g in (0, 1)
    }


def gap(weights: dict[str, np.ndarray]) -> float:
    found = rates(weights)
    return max(abs(found[y, 0] - found[y, 1]) for y in (0, 1))


@pytest.fixture(scope="module")
def plain() -> dict[str, np.ndarray]:
    return train(LINEAR, RECIPE, TRAINING)


@pytest.mark.parametrize(("method", "amount"), [("equalized_odds", 0.5), ("adversary", 3.0)])
def test_a_gap_that_was_planted_narrows_and_not_by_shuffled_groups(
    method: Any, amount: float, plain: dict[str, np.ndarray]
) -> None:
    fair = train(LINEAR, planned(method, amount), TRAINING)
    assert TRAINING.row_groups is not None
    order = np.random.default_rng(3).permutation(len(TRAINING.target))
    dealt = replace(TRAINING, row_groups=TRAINING.row_groups[order])
    luck = train(LINEAR, planned(method, amount), dealt)
    assert gap(plain) > 0.35
    assert gap(fair) < 0.6 * gap(plain)
    assert gap(luck) > 0.85 * gap(plain)


def test_the_worst_group_is_lifted_by_training_on_the_worst_case(
    plain: dict[str, np.ndarray],
) -> None:
    found = train(LINEAR, planned("group_dro", 1.0), TRAINING)
    assert min(rates(found).values()) > min(rates(plain).values()) + 0.1


@pytest.mark.parametrize("method", METHODS)
def test_an_amount_of_nothing_gives_the_same_weights(
    method: Any, plain: dict[str, np.ndarray]
) -> None:
    found = train(LINEAR, planned(method, 0.0), TRAINING)
    assert all(np.array_equal(found[name], plain[name]) for name in plain)


def test_groups_alone_change_no_weights_and_tell_trainings_apart(
    plain: dict[str, np.ndarray],
) -> None:
    bare = replace(TRAINING, row_groups=None)
    found = train(LINEAR, RECIPE, bare)
    assert all(np.array_equal(found[name], plain[name]) for name in plain)
    assert TRAINING.row_groups is not None
    other = replace(TRAINING, row_groups=1 - TRAINING.row_groups)
    assert len({key_of({"training": each}) for each in (bare, TRAINING, other)}) == 3


def test_the_distance_of_mean_answers_by_hand() -> None:
    # Class 0: group 0 answers 1 with .2, group 1 with .6. Class 1 has one group, and is not looked at.
    known = torch.tensor([[True, True], [False, False]])
    odds = EqualizedOdds(1.0, Cells((known,)), probabilities=True)
    scores = torch.tensor([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6], [0.5, 0.5]])
    rows = Judged(scores, torch.tensor([0, 0, 0, 1]), torch.tensor([[0], [0], [1], [0]]))
    assert float(odds.distance(rows, scores)) == pytest.approx(0.4)


def test_the_slope_of_the_penalty_is_that_of_the_distance_once_batches_are_remembered() -> None:
    """With the same batch again and again, memory and batch agree: the slope is that of the plain distance."""
    torch.manual_seed(0)
    target, groups = torch.randint(0, 2, (200,)), torch.randint(0, 2, (200, 1))
    # The groups are far apart, so that no distance is in the part of the penalty that is square.
    outputs = torch.randn(200, 2) + (groups == 1) * torch.tensor([0.0, 1.5])
    outputs.requires_grad_()
    odds = EqualizedOdds(2.0, Cells.of(target, groups, 2), probabilities=False)
    batch = Batch(torch.zeros(200, 1), (Part(target, None, groups),))
    first = odds.loss(batch, outputs, cross_entropy, 0.0)
    assert float(first.detach()) == pytest.approx(
        float(cross_entropy(outputs.detach(), target, 0.0))
    )
    found = odds.loss(batch, outputs, cross_entropy, 0.0)
    (slope,) = torch.autograd.grad(found, outputs)
    judged = odds.judged(Judged(outputs, target, groups), cross_entropy)
    (expected,) = torch.autograd.grad(judged, outputs)
    torch.testing.assert_close(slope, expected)


def test_the_worst_case_weighs_cells_by_how_they_fare() -> None:
    # Four cells of one row; losses log(2) but for one of log(1 + e^2) = 2.127.
    outputs = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [2.0, 0.0]])
    target, groups = torch.tensor([0, 0, 1, 1]), torch.tensor([[0], [1], [0], [1]])
    known = torch.ones(2, 2, dtype=torch.bool)
    worst = WorstCase(1.0, Cells((known,)), (2,))
    batch = Batch(torch.zeros(4, 1), (Part(target, None, groups),))
    worst.loss(batch, outputs, cross_entropy, 0.0)
    grown = np.exp(0.02 * np.array([np.log(2.0)] * 3 + [np.log(1 + np.e**2)]))
    assert worst.get_buffer("shares").numpy() == pytest.approx(grown / grown.sum(), rel=1e-5)
    judged = worst.judged(Judged(outputs, target, groups), cross_entropy)
    assert float(judged) == pytest.approx(np.log(1 + np.e**2), rel=1e-5)


def test_cells_are_those_with_twenty_rows_in_classes_where_two_groups_have_them() -> None:
    target = torch.tensor([0] * 20 + [0] * 20 + [1] * 20 + [1] * 19)
    groups = torch.tensor([0] * 20 + [1] * 20 + [0] * 20 + [1] * 19)[:, None]
    cells = Cells.of(target, groups, 2)
    assert cells.known[0].tolist() == [[True, True], [False, False]]
    unknown = torch.tensor([[-1], [5], [1]])
    assert cells.of_rows(0, torch.tensor([0, 0, 0]), unknown).tolist() == [-1, -1, 1]


def test_crossed_groups_by_hand() -> None:
    groups = torch.tensor([[0, 2], [1, 0], [-1, 1], [1, 3]])
    assert crossed(groups, (2, 3)).tolist() == [[2], [3], [-1], [-1]]


def test_rows_of_unknown_group_are_trained_on_and_take_no_part(
    plain: dict[str, np.ndarray],
) -> None:
    assert TRAINING.row_groups is not None
    some = TRAINING.row_groups.copy()
    some[::2] = -1
    found = train(LINEAR, planned("equalized_odds", 0.5), replace(TRAINING, row_groups=some))
    assert gap(found) < 0.75 * gap(plain)


@pytest.mark.parametrize("method", METHODS)
def test_the_epoch_that_is_kept_is_best_by_what_is_trained_for(method: Any) -> None:
    seen: list[float | None] = []
    recipe = planned(method, 0.5, patience=3)
    train(LINEAR, recipe, TRAINING, people(400, 2), progress=lambda _, __, loss: seen.append(loss))
    bare: list[float | None] = []
    held_out = replace(people(400, 2), row_groups=None)
    train(LINEAR, recipe, TRAINING, held_out, progress=lambda _, __, loss: bare.append(loss))
    assert seen[0] is not None
    assert bare[0] is not None
    assert seen[0] > bare[0], "it counts the gap, or the worst cell, beside the mean"


@pytest.mark.parametrize("method", METHODS)
def test_it_goes_on_after_a_kill_with_the_same_weights(
    method: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0.0)
    recipe = planned(method, 0.5, epochs=3)
    whole = train(LINEAR, recipe, TRAINING)

    class Killed(Exception):
        pass

    class Failing(nn.Linear):
        left = 30

        def forward(self, input: Tensor) -> Tensor:
            if self.training:
                Failing.left -= 1
                if Failing.left == 0:
                    raise Killed
            return super().forward(input)

    network = Network(partial(Failing, 3, 2))
    file = tmp_path / "state"
    with pytest.raises(Killed):
        train(network, recipe, TRAINING, unfinished=file)
    assert file.is_file()
    again = train(network, recipe, TRAINING, unfinished=file)
    assert all(np.array_equal(again[name], whole[name]) for name in whole)


def test_mixed_rows_count_for_both_groups() -> None:
    recipe = planned("equalized_odds", 0.5, augmentation=(Augmentation("mixup", 0.2),))
    found = train(LINEAR, recipe, TRAINING)
    assert gap(found) < gap(train(LINEAR, replace(recipe, groups=None), TRAINING))


def test_the_worst_case_works_for_numbers_and_the_others_say_why_not() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 2, 400)
    inputs = rng.normal(size=(400, 3))
    target = inputs[:, 0] * np.where(group == 1, -1.0, 1.0) + (group == 1) * 2.0
    rows = Examples(inputs, target, row_groups=group[:, None])
    numbers = Network(partial(nn.Linear, 3, 1))
    assert train(numbers, planned("group_dro", 1.0), rows)["bias"].shape == (1,)
    with pytest.raises(UserError, match="the target is a number"):
        train(numbers, planned("equalized_odds", 1.0), rows)


@pytest.mark.parametrize(
    ("plan", "rows", "said"),
    [
        (GroupTraining("group_dro", 1.5), TRAINING, "from 0 to 1"),
        (GroupTraining("adversary", -1.0), TRAINING, "from 0 to inf"),
        (GroupTraining("adversary", 1.0), replace(TRAINING, row_groups=None), "row_groups"),
        (GroupTraining("adversary", 1.0), replace(TRAINING, row_groups=np.zeros((3, 1), int)), "shape"),
        (GroupTraining("adversary", 1.0), replace(TRAINING, row_groups=np.zeros((1200, 1), int)), "larger"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_the_way_out(
    plan: GroupTraining, rows: Examples, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        train(LINEAR, replace(RECIPE, groups=plan), rows)


def test_a_fleet_leaves_it_to_the_loop_and_added_rows_are_of_no_group() -> None:
    assert not _suits_a_fleet(Job(LINEAR, planned("group_dro", 0.5), TRAINING))
    more = joined(TRAINING, np.zeros((2, 3)), np.array([0, 1]))
    assert more.row_groups is not None
    assert more.row_groups[-3:].tolist() == [TRAINING.row_groups[-1].tolist(), [-1], [-1]]  # type: ignore[index]
