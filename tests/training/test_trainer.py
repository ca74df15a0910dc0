"""Families of variants trained through one object."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from roadworthy.engine import Registry, Store, artifact, compute
from roadworthy.errors import UserError
from roadworthy.subject import Network, Recipe, Trainer, Variant
from roadworthy.training.jobs import Diverged, Examples
from roadworthy.training.loop import train
from roadworthy.training.trainer import SubjectTrainer

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(60, 4))
LABELS = (INPUTS[:, 0] > 0).astype(np.int64)
SGD = Recipe(epochs=2, optimizer="sgd", learning_rate=0.1, batch_size=16, patience=None)
HOT = Variant(recipe=replace(SGD, learning_rate=1e38, seed=7))


def build() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


def trainer() -> SubjectTrainer:
    return SubjectTrainer(Network(build), SGD, Examples(INPUTS, LABELS), classes=2)


def test_each_variant_is_what_the_loop_makes_of_its_rows_recipe_and_target() -> None:
    rows, other = np.arange(40), replace(SGD, learning_rate=0.02)
    variants = [Variant(), Variant(rows=rows), Variant(recipe=other), Variant(target=1 - LABELS)]
    expected = [
        train(Network(build), SGD, Examples(INPUTS, LABELS)),
        train(Network(build), SGD, Examples(INPUTS[rows], LABELS[rows])),
        train(Network(build), other, Examples(INPUTS, LABELS)),
        train(Network(build), SGD, Examples(INPUTS, 1 - LABELS)),
    ]
    for found, oracle in zip(trainer().weights(variants), expected, strict=True):
        assert all(found[name] == pytest.approx(oracle[name], abs=1e-5) for name in oracle)


def test_answers_are_the_likelier_class_and_inputs_may_differ_by_variant() -> None:
    variants = [Variant(), Variant(target=1 - LABELS)]
    first, second = trainer().probabilities(variants, [INPUTS, INPUTS[:5]])
    assert first.shape == (60, 2)
    assert second.shape == (5, 2)
    assert first.sum(axis=1) == pytest.approx(1)
    assert (trainer().predictions([Variant()], INPUTS)[0] == first.argmax(axis=1)).all()


def test_a_variant_that_diverges_is_named_or_is_an_answer() -> None:
    variants = [Variant(), HOT]
    with pytest.raises(Diverged, match=r"rate 1e\+38.*variant 2 of 2, seed 7"):
        trainer().weights(variants)
    found = trainer().weights(variants, diverged="none")
    assert found[0] is not None
    assert found[1] is None
    assert trainer().predictions(variants, INPUTS, diverged="none")[1] is None
    assert trainer().probabilities(variants, INPUTS, diverged="none")[1] is None
    with pytest.raises(UserError, match="broke down"):
        trainer().predictions(variants, INPUTS)


def test_what_converged_and_what_did_not_is_kept(tmp_path: Path) -> None:
    calls: list[int] = []

    @artifact(stored=False)
    def trainer_() -> Trainer:
        return trainer()

    @artifact(stored=False)
    def found(trainer_: Trainer, count: int) -> int:
        variants = [Variant(recipe=replace(SGD, seed=k)) for k in range(count)]
        return sum(each is not None for each in trainer_.weights([*variants, HOT], diverged="none"))

    registry, store = Registry.of(trainer_, found), Store(tmp_path)

    def run(count: int) -> object:
        progress = lambda event: calls.append(1) if "Progress" in repr(event) else None  # noqa: E731
        return compute(registry, {"count": count}, ["found"], store=store, emit=progress)["found"]

    assert run(2).value == 2  # type: ignore[attr-defined]
    before = len(calls)
    assert before > 0
    assert run(2).value == 2  # type: ignore[attr-defined]
    assert len(calls) == before  # nothing was trained again


def test_what_each_epoch_was_judged_by_is_kept_beside_the_weights() -> None:
    held = Examples(INPUTS[:20], LABELS[:20])
    watched = replace(SGD, epochs=3, patience=3)
    seen: list[float | None] = []
    train(Network(build), watched, held, held, progress=lambda _, __, loss: seen.append(loss))
    of = SubjectTrainer(Network(build), watched, held, held, classes=2)
    assert of.judged(Variant()).tolist() == seen
    assert np.isnan(trainer().judged(Variant())).tolist() == [True, True]
    with pytest.raises(Diverged):
        trainer().judged(HOT)


def test_of_a_training_in_two_parts_the_second_is_judged() -> None:
    held = Examples(INPUTS[:20], LABELS[:20])
    recipe = replace(SGD, epochs=3, patience=3, distillation=2.0)
    found = SubjectTrainer(Network(build), recipe, held, held, classes=2).judged(Variant())
    assert found.shape == (3,)
