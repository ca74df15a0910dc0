"""Remedies against shams: one that helps is told from one that does nothing, and words and files keep it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.random import Generator

from roadworthy.engine import Registry, artifact, check, fault, mitigation, sham
from roadworthy.errors import NotApplicable
from roadworthy.procedures.remedies import (
    Proof,
    Unproven,
    code_of,
    current,
    in_words,
    prove,
    published,
    read_proofs,
    write_proofs,
)
from roadworthy.results import AtMost, Measurement
from roadworthy.statistics import rate
from roadworthy.subject import Network, Recipe, Split, Subject, Task


@check(challenge="made_up", requires=AtMost(0.1, "a test"))
def wrong_ones(test_inputs: np.ndarray, test_labels: np.ndarray) -> Measurement:
    """Share of rows whose input is not the label. Unit: share of rows."""
    return rate(
        int((test_inputs[:, 0] != test_labels).sum()), len(test_labels), unit="share of rows"
    )


@artifact()
def nothing() -> int:
    """Return nothing of use."""
    return 0


@fault(breaks="wrong_ones", severities=(0.1, 0.4), truth=False)
def noise(subject: Subject, severity: float, rng: Generator) -> Subject:
    """Flip inputs."""
    for name, split in subject.splits.items():
        flipped = rng.random(split.n) < severity
        inputs = np.where(flipped[:, None], 1 - split.inputs, split.inputs)
        subject = subject.with_inputs(name, inputs)
    return subject


def _mended(subject: Subject, share: float, rng: Generator) -> Subject:
    for name, split in subject.splits.items():
        right = split.target[:, None].astype(float)  # type: ignore[index]
        chosen = rng.random(split.n) < share
        subject = subject.with_inputs(name, np.where(chosen[:, None], right, split.inputs))
    return subject


@mitigation(targets="wrong_ones", strengths=(0.1, 0.5), sham="as_it_is", repairs="noise")
def put_right(subject: Subject, strength: float, rng: Generator) -> Subject:
    """Put some inputs right."""
    return _mended(subject, strength, rng)


@sham()
def as_it_is(subject: Subject, strength: float, rng: Generator) -> Subject:
    """Put a few right whatever the strength."""
    return _mended(subject, 0.02, rng)


@mitigation(targets="wrong_ones", strengths=(1.0,), sham="as_it_is", repairs="noise", at=0.1)
def luck(subject: Subject, strength: float, rng: Generator) -> Subject:
    """Do what the sham does."""
    return _mended(subject, 0.02, rng)


@mitigation(targets="wrong_ones", strengths=(1.0,), repairs="noise")
def impossible(subject: Subject, strength: float) -> Subject:
    """Never apply."""
    raise NotApplicable("it never does")


@mitigation(targets="wrong_ones", strengths=(1.0,))
def untested(subject: Subject, strength: float) -> Subject:
    """Name no fault."""
    return subject


@check(challenge="made_up", requires=AtMost(0.1, "a test"))
def frozen_wrong(test_answers: np.ndarray, test_labels: np.ndarray) -> Measurement:
    """Share of rows whose frozen answer is not the label. Unit: share of rows."""
    return rate(int((test_answers != test_labels).sum()), len(test_labels), unit="share of rows")


@fault(breaks="frozen_wrong", severities=(0.3,), truth=False)
def frozen(subject: Subject, severity: float, rng: Generator) -> Subject:
    """Freeze answers of which every other one is wrong."""
    answers = {
        f"{name}_answers": (split.target + np.arange(split.n)) % 2
        for name, split in subject.splits.items()
        if split.target is not None
    }
    return subject.with_given(**answers)


@mitigation(targets="frozen_wrong", strengths=(0.25, 0.5, 1.0), repairs="frozen")
def half_is_best(subject: Subject, strength: float) -> Subject:
    """Put frozen answers right, most of them at strength one half."""
    right: dict[str, np.ndarray] = {}
    for name, split in subject.splits.items():
        assert split.target is not None
        answers = subject.given[f"{name}_answers"]
        is_mended = np.arange(split.n) % 4 < (4 if strength == 0.5 else 2)
        right[f"{name}_answers"] = np.where(is_mended, split.target, answers)
    return subject.with_given(**right)


@check(challenge="made_up", requires=AtMost(0.1, "a test"))
def errors_left(
    test_inputs: np.ndarray, test_labels: np.ndarray, test_outputs_kept: np.ndarray | None = None
) -> Measurement:
    """Share of rows whose input, or 0 where it is not kept, is not the label. Unit: share of rows."""
    answers = test_inputs[:, 0] * (1 if test_outputs_kept is None else test_outputs_kept)
    return rate(int((answers != test_labels).sum()), len(test_labels), unit="share of rows")


@mitigation(targets="frozen_wrong", strengths=(0.5,), repairs="frozen")
def right_at_a_price(subject: Subject, strength: float) -> Subject:
    """Put frozen answers right, and spoil the outputs that another check looks at."""
    made = half_is_best(subject, strength)
    return made.with_given(test_outputs_kept=np.arange(subject.splits["test"].n) % 5 > 0)


@mitigation(targets="frozen_wrong", strengths=(0.5,), repairs="frozen")
def right_on_other_rows(subject: Subject, strength: float) -> Subject:
    """Put frozen answers right, and change what the test rows are."""
    inputs = subject.splits["test"].inputs
    assert inputs is not None
    return half_is_best(subject, strength).with_inputs("test", 0 * inputs)


@artifact(stored=False)
def network() -> None:
    """Stand for the default network."""


@artifact(stored=False)
def recipe() -> Recipe:
    """Stand for the default recipe."""
    return Recipe()


REGISTRY = Registry.of(
    wrong_ones, nothing, noise, put_right, as_it_is, luck, impossible, untested, network, recipe
)


def subject() -> Subject:
    rng = np.random.default_rng(0)

    def split(n: int) -> Split:
        labels = rng.integers(0, 2, n)
        return Split(labels[:, None].astype(float), labels)

    splits = {"train": split(60), "validation": split(200), "test": split(300)}
    network = Network(lambda: None)  # type: ignore[arg-type,return-value]
    return Subject(
        "made", Task("binary", ("a", "b"), 1), "array", splits, network=network, recipe=Recipe()
    )


def test_what_helps_beats_its_sham_and_luck_does_in_half() -> None:
    found = {p.mitigation: p for p in prove(subject(), REGISTRY, seeds=30)}
    helps, chance = found["put_right"], found["luck"]
    assert isinstance(helps, Proof)
    assert isinstance(chance, Proof)
    assert (helps.improved, helps.seeds, helps.strength) == (30, 30, 0.5)
    assert helps.is_shown
    assert helps.gain == pytest.approx(0.2 - 0.008, abs=0.02)
    assert helps.before == pytest.approx(0.4, abs=0.03)
    assert not chance.is_shown
    assert chance.before == pytest.approx(0.1, abs=0.02)
    assert chance.gain_low < 0 < chance.gain_high
    assert found["impossible"] == Unproven("impossible", "it never does")
    assert "no fault" in found["untested"].reason  # type: ignore[union-attr]
    assert "30 of 30 seeds" in in_words(helps)
    assert helps.mistakes is None
    assert "mistakes" not in in_words(helps)


def test_the_strength_is_chosen_on_validation_rows_also_where_answers_are_frozen() -> None:
    registry = Registry.of(frozen_wrong, frozen, half_is_best, network, recipe)
    (proof,) = prove(subject(), registry, seeds=4)
    assert isinstance(proof, Proof)
    assert proof.strength == 0.5
    assert (proof.improved, proof.gain) == (4, pytest.approx(0.5))


def test_a_proof_says_what_a_remedy_costs_in_mistakes_on_the_same_rows() -> None:
    remedies = half_is_best, right_at_a_price, right_on_other_rows
    registry = Registry.of(frozen_wrong, errors_left, frozen, *remedies, network, recipe)
    fine, dear, other = prove(subject(), registry, seeds=30)
    assert isinstance(fine, Proof)
    assert isinstance(dear, Proof)
    assert isinstance(other, Proof)
    assert [p.improved for p in (fine, dear, other)] == [30, 30, 30]
    assert (fine.mistakes, fine.costs_mistakes) == (0, False)
    assert dear.mistakes == pytest.approx(0.1, abs=0.02)  # of every fifth row half have the label 1
    assert dear.costs_mistakes
    assert "but at a price: mistakes left +0.1" in in_words(dear)
    assert other.mistakes is None


@fault(breaks="wrong_ones", severities=(0.4,), truth=False)
def seldom_planted(subject: Subject, severity: float, rng: Generator) -> Subject:
    """Flip inputs, on some splits alone."""
    if rng.random() < severity / 4:
        raise NotApplicable("this split does not take it")
    return noise(subject, 0.4, rng)


@mitigation(targets="wrong_ones", strengths=(0.5,), sham="as_it_is", repairs="seldom_planted")
def put_right_there(subject: Subject, strength: float, rng: Generator) -> Subject:
    """Put half of the inputs right."""
    return _mended(subject, strength, rng)


@mitigation(targets="wrong_ones", strengths=(0.5,), repairs="never_planted")
def put_right_nowhere(subject: Subject, strength: float, rng: Generator) -> Subject:
    """Put half of the inputs right."""
    return _mended(subject, strength, rng)


@fault(breaks="wrong_ones", severities=(0.4,), truth=False)
def never_planted(subject: Subject, severity: float) -> Subject:
    """Never do."""
    raise NotApplicable("no split takes it")


def test_a_split_on_which_the_fault_cannot_be_planted_is_not_counted() -> None:
    faults = seldom_planted, never_planted
    registry = Registry.of(
        wrong_ones, *faults, put_right_there, put_right_nowhere, as_it_is, network, recipe
    )
    none, some = prove(subject(), registry, seeds=40)
    assert isinstance(some, Proof)
    assert 30 <= some.seeds < 40
    assert some.improved == some.seeds
    assert none == Unproven("put_right_nowhere", "no split takes it")


def test_the_same_seeds_give_the_same_proof() -> None:
    one, other = (prove(subject(), REGISTRY, ["put_right"], seeds=5) for _ in range(2))
    assert one == other
    assert one != prove(subject(), REGISTRY, ["put_right"], seeds=5, seed=1)


def test_proofs_are_kept_and_count_for_the_code_that_was_tested(tmp_path: Path) -> None:
    (proof,) = prove(subject(), REGISTRY, ["put_right"], seeds=3)
    assert isinstance(proof, Proof)
    write_proofs(tmp_path / "p.json", [proof, replace(proof, seeds=2)])
    assert read_proofs(tmp_path / "p.json") == (replace(proof, seeds=2),)
    assert current([proof], REGISTRY) == (proof,)
    assert current([replace(proof, code="other")], REGISTRY) == ()
    assert code_of(REGISTRY, "put_right") != code_of(REGISTRY, "luck")


def test_proofs_that_ship_with_the_package_hold_under_this_python() -> None:
    # They were made under another one: a key of bytecode, or of its version, would let none of them count.
    shipped = published()
    assert len(current(shipped, Registry.discover())) >= 0.9 * len(shipped) > 0
