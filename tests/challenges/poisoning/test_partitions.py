"""The certificate of a vote is that of the theorem, the network votes, and remedies at strength 0 are none."""

from itertools import product

import numpy as np
import pytest

from roadworthy.challenges.poisoning.detectors import conformal, odd_rows, row_p_values
from roadworthy.challenges.poisoning.mitigations import partition_vote, suspect_rows_dropped
from roadworthy.challenges.poisoning.partitions import certificate, voting
from roadworthy.engine import MitigationMark, Registry, Store, compute, mark_of
from roadworthy.errors import NotApplicable
from roadworthy.subject import Task, builtin_subject, fields_of
from roadworthy.training.running import evaluate, load


def winner(votes: np.ndarray, classes: int) -> int:
    return int(np.bincount(votes, minlength=classes).argmax())


@pytest.mark.parametrize("classes", [2, 3])
def test_no_change_of_as_many_votes_as_certified_changes_the_answer_and_one_more_can(
    classes: int,
) -> None:
    for votes in map(np.array, product(range(classes), repeat=5)):
        first = winner(votes, classes)
        _, found = certificate(votes[None], np.array([first]), classes)
        bears = int(found[0])
        answers = {
            (int(np.sum(votes != other)), winner(other, classes))
            for other in map(np.array, product(range(classes), repeat=5))
        }
        changed = [count for count, answer in answers if answer != first]
        assert min(changed) == bears + 1


def test_the_network_of_a_vote_answers_as_its_members_do_by_majority() -> None:
    subject = builtin_subject("digits")
    assert subject.network is not None
    names = ["partition_weights", "partition_votes", "network", "suspect_pattern"]
    found = compute(Registry.discover(), fields_of(subject), names, store=Store())
    votes = found["partition_votes"].value
    built = partition_vote(subject, 1.0, found["partition_weights"].value, found["network"].value)
    assert built.weights is not None
    assert built.network is not None
    inputs = subject.splits["test"].inputs
    assert inputs is not None
    answers = evaluate(load(built.network, built.weights), inputs).argmax(axis=1)
    assert answers.tolist() == [winner(row, 10) for row in votes]
    again = voting(subject.network, found["partition_weights"].value, 10)[0].build()
    assert again.training
    with pytest.raises(NotApplicable):
        suspect_rows_dropped(subject, 1.0, found["suspect_pattern"].value)


def test_remedies_of_strength_zero_are_none() -> None:
    subject = builtin_subject("digits")
    assert subject.network is not None
    assert partition_vote(subject, 0.0, [], subject.network) is subject
    assert suspect_rows_dropped(subject, 0.0, {"left_out": np.arange(3)}) is subject


def test_suspect_rows_leave_all_of_them() -> None:
    # Half of them still plant the pattern, and validation rows need not tell half from all.
    mark = mark_of(suspect_rows_dropped)
    assert isinstance(mark, MitigationMark)
    assert mark.strengths == (1.0,)
    subject = builtin_subject("digits")
    left = suspect_rows_dropped(subject, 1.0, {"left_out": np.array([1, 5])}).splits["train"]
    kept = np.delete(subject.splits["train"].source_rows, [1, 5])
    assert left.source_rows.tolist() == kept.tolist()


def test_p_values_of_rows_like_the_clean_ones_are_seldom_small() -> None:
    rng = np.random.default_rng(0)
    p = np.concatenate([conformal(rng.normal(size=50), rng.normal(size=199)) for _ in range(40)])
    # exchangeable: P(p <= 0.1) = 20/200 at most
    assert np.mean(p <= 0.1) == pytest.approx(0.1, abs=0.02)
    assert mark_of(row_p_values) is not None


def test_where_no_row_is_odd_enough_to_be_listed_it_is_said_how_many_would_have_been() -> None:
    labels, task = np.zeros(2_000, np.int64), Task("binary", ("no", "yes"), positive=1)
    p = np.full((2_000, 4), 0.9)
    p[:100] = 1 / 801  # as small as 800 clean rows allow
    found = odd_rows(p, labels, task)
    assert found.value == 0.0
    needed = int(np.ceil(4 / 801 * 2_000 / 0.05))
    assert f"; {needed} of them as odd as that would have been listed" in found.details
    p[:needed] = 1 / 801
    assert odd_rows(p, labels, task).value == needed / 2_000
    p[needed - 1] = 0.9
    assert odd_rows(p, labels, task).value == 0.0
