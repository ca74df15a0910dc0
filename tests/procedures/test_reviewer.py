"""A simulated reviewer: what is shown, how often it errs and how, and that remedy and sham get the same review."""

import numpy as np
import pytest
from numpy.random import Generator

from roadworthy.engine import Registry, artifact, check, fault, mitigation, sham
from roadworthy.procedures.remedies import Proof, Unproven, code_of, prove
from roadworthy.procedures.remedies.reviewer import decisions, simulated_review, wants_review
from roadworthy.procedures.rows import RowTable
from roadworthy.procedures.transforms import CannotApply
from roadworthy.results import AtMost, Measurement
from roadworthy.statistics import rate
from roadworthy.subject import Network, Recipe, Split, Subject, Task
from roadworthy.subject.label_review import LEFT_OUT, LabelReview

CLASSES = ("a", "b", "c")


def subject(n: int = 300) -> Subject:
    rng = np.random.default_rng(0)

    def split(n: int, start: int) -> Split:
        labels = rng.integers(0, 3, n)
        return Split(labels[:, None].astype(float), labels, source_rows=start + rng.permutation(n))

    splits = {"train": split(n, 0), "validation": split(200, n), "test": split(200, n + 200)}
    network = Network(lambda: None)  # type: ignore[arg-type,return-value]
    task = Task("multiclass", CLASSES, 0)
    return Subject("made", task, "array", splits, network=network, recipe=Recipe())


def sheet(sound: Subject, labels: np.ndarray, suggested: np.ndarray) -> RowTable:
    names = np.array(CLASSES, dtype=object)
    n = len(labels)
    return RowTable(
        {
            "split": np.full(n, "train", dtype=object),
            "source_row": sound.splits["train"].source_rows,
            "label": names[labels],
            "suggested": names[suggested],
        }
    )


def test_one_decision_in_twenty_is_wrong_and_then_the_sheet_is_believed() -> None:
    sound = subject(9_000)
    truth = sound.splits["train"].target
    assert truth is not None
    labels, suggested = truth.copy(), (truth + 1) % 3
    labels[:3_000] = (truth[:3_000] + 1) % 3  # wrong, and the models suggest something wrong too
    suggested[:3_000] = (truth[:3_000] + 2) % 3
    found = decisions(sheet(sound, labels, suggested), sound, np.random.default_rng(1))
    names = np.array(CLASSES, dtype=object)
    right = np.where(np.arange(9_000) < 3_000, names[truth], "keep")
    errs = found != right
    # 5 % of 9,000: 450 with a standard deviation of 21
    assert errs.sum() == pytest.approx(450, abs=70)
    assert set(found[:3_000][errs[:3_000]]) == {"keep"}
    assert (found[3_000:][errs[3_000:]] == names[suggested[3_000:]][errs[3_000:]]).all()


@check(challenge="made_up", requires=AtMost(0.1, "a test"))
def wrong_labels(train_inputs: np.ndarray, train_labels: np.ndarray) -> Measurement:
    """Share of training labels that are not what the input says. Unit: share of rows."""
    wrong = train_inputs[:, 0] != train_labels
    return rate(int(wrong.sum()), len(train_labels), unit="share of rows")


@fault(breaks="wrong_labels", severities=(0.2,), truth=False)
def planted(subject: Subject, severity: float, rng: Generator) -> Subject:
    """Give some training rows the next label."""
    labels = subject.splits["train"].target
    assert labels is not None
    return subject.with_target("train", (labels + (rng.random(len(labels)) < severity)) % 3)


@artifact()
def train_label_doubts(train_inputs: np.ndarray, train_labels: np.ndarray) -> dict[str, np.ndarray]:
    """Doubt the labels that are not what the input says, and no other."""
    suggested = train_inputs[:, 0].astype(np.int64)
    doubted = (suggested != train_labels).astype(float)
    return {
        "suggested": suggested,
        "sureness": doubted,
        "own": 0.5 * np.ones(len(suggested)),
        "suspicion": doubted,
    }


def _done(subject: Subject, review: LabelReview | None, shift: int) -> Subject:
    assert review is not None
    split = subject.splits["train"]
    assert split.target is not None
    decided = review["train"]
    assert (decided.decisions != LEFT_OUT).all()
    labels = split.target.copy()
    places = decided.places(split.source_rows, labels)
    assert (places >= 0).all()
    labels[places] = (decided.decisions + shift) % 3
    return subject.with_target("train", labels)


@mitigation(targets="wrong_labels", strengths=(1.0,), sham="undone", repairs="planted")
def done(subject: Subject, strength: float, *, label_review: LabelReview | None = None) -> Subject:
    """Do what was decided."""
    return _done(subject, label_review, 0)


@sham()
def undone(
    subject: Subject, strength: float, *, label_review: LabelReview | None = None
) -> Subject:
    """Write the label after the one that was decided."""
    return _done(subject, label_review, 1)


@artifact(stored=False)
def network() -> None:
    """Stand for the default network."""


@artifact(stored=False)
def recipe() -> Recipe:
    """Stand for the default recipe."""
    return Recipe()


REGISTRY = Registry.of(wrong_labels, planted, train_label_doubts, done, undone, network, recipe)


def test_a_remedy_that_acts_on_a_review_is_proven_with_a_reviewer_who_errs() -> None:
    (proof,) = prove(subject(), REGISTRY, seeds=20)
    assert isinstance(proof, Proof)
    assert (proof.improved, proof.seeds, proof.sham) == (20, 20, "undone")
    assert proof.before == pytest.approx(0.2, abs=0.02)
    # All doubted labels are wrong. With the remedy those are left that the reviewer kept (5 % of 20 %), with the sham
    # all that it named (95 % of 20 %): those that it kept are not acted upon.
    assert proof.gain == pytest.approx(0.2 * 0.9, abs=0.02)
    assert proof.gain < 0.2  # an oracle's


def test_the_review_is_of_the_rows_on_the_sheet_and_no_others() -> None:
    sound = subject()
    broken = planted(sound, 0.2, np.random.default_rng(2))
    train = broken.splits["train"]
    assert train.inputs is not None
    assert train.target is not None
    doubts = train_label_doubts(train.inputs, train.target)
    asked: list[str] = []

    def values(names: list[str]) -> dict[str, object]:
        asked.extend(names)
        return {"train_label_doubts": doubts}

    review = simulated_review(sound, broken, values, np.random.default_rng(3))  # type: ignore[arg-type]
    assert {"train_label_doubts", "validation_label_doubts", "train_row_ids"} <= set(asked)
    wrong = train.source_rows[train.inputs[:, 0] != train.target]
    assert set(review["train"].source_rows) <= set(wrong)
    assert 0.85 * len(wrong) < len(review["train"].source_rows) < len(wrong)
    assert "test" not in review
    with pytest.raises(CannotApply, match="nothing to review"):
        simulated_review(sound, broken, lambda _: {}, np.random.default_rng(3))


def test_only_who_asks_for_a_review_is_given_one_and_its_proof_names_the_reviewer() -> None:
    assert wants_review(REGISTRY.mitigations["done"])
    assert wants_review(REGISTRY.shams["undone"])
    assert not wants_review(REGISTRY.faults["planted"])
    assert not wants_review(None)
    assert len(code_of(REGISTRY, "done")) == 16


def test_where_nothing_is_doubted_it_is_not_proven() -> None:
    @artifact()
    def train_label_doubts(train_labels: np.ndarray) -> dict[str, np.ndarray]:
        """Doubt nothing."""
        nothing = np.zeros(len(train_labels))
        return {
            "suggested": train_labels,
            "sureness": nothing,
            "own": nothing,
            "suspicion": nothing,
        }

    registry = Registry.of(wrong_labels, planted, train_label_doubts, done, undone, network, recipe)
    (found,) = prove(subject(), registry, seeds=4)
    assert isinstance(found, Unproven)
    assert "doubt no label" in found.reason
