"""Many models at once, each as the loop trains it alone."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from roadworthy.errors import UserError
from roadworthy.subject import Network, Recipe
from roadworthy.training.arrays import ArrayShape, ImageNetwork
from roadworthy.training.conduct import Unstackable
from roadworthy.training.fleet import train_fleet
from roadworthy.training.jobs import Diverged, Examples, Job
from roadworthy.training.loop import train
from roadworthy.training.tables import TableNetwork, TableShape

QUICK = Recipe(epochs=3, batch_size=16, learning_rate=1e-3, patience=None)
RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(150, 8))
LABELS = (INPUTS[:, 0] + RNG.normal(size=150) > 0).astype(np.int64)
CLASSES = Examples(INPUTS, LABELS)
NEW = RNG.normal(size=(60, 8))
HELD_OUT = Examples(NEW, (NEW[:, 0] + RNG.normal(size=60) > 0).astype(np.int64))


def dense(last: int = 2) -> nn.Module:
    return nn.Sequential(
        nn.Linear(8, 32),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(32, 32),
        nn.ReLU(),
        nn.Linear(32, last),
    )


def normalised() -> nn.Module:
    return nn.Sequential(
        nn.Linear(8, 16, bias=False),
        nn.BatchNorm1d(16),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(16, 2),
    )


def family(
    factory: Callable[[], nn.Module],
    training: Examples = CLASSES,
    recipe: Recipe = QUICK,
    validation: Examples | None = None,
) -> list[Job]:
    """Five models with rates, seeds, rows and numbers of batches of their own."""
    network, n = Network(factory), len(training.target)
    return [
        Job(
            network,
            replace(recipe, seed=k, learning_rate=recipe.learning_rate * (1 + k)),
            training,
            rows=np.random.default_rng(k).permutation(n)[: n - 13 * k],
            validation=validation,
        )
        for k in range(5)
    ]


def alone(job: Job) -> dict[str, np.ndarray]:
    return train(job.network, job.recipe, job.examples, job.validation)


def assert_alike(jobs: list[Job], tolerance: float = 2e-5) -> None:
    together = dict(train_fleet(jobs))
    assert sorted(together) == list(range(len(jobs)))
    for position, job in enumerate(jobs):
        expected, found = alone(job), together[position]
        assert not isinstance(found, Diverged)
        assert list(found) == list(expected)
        for name, values in expected.items():
            assert found[name].dtype == values.dtype
            assert found[name] == pytest.approx(values, rel=1e-4, abs=tolerance), (position, name)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"schedule": "constant", "weight_decay": 0.1},
        {"optimizer": "sgd", "learning_rate": 0.02},
        {"label_smoothing": 0.2},
        {"dropout": 0.6},
        {"l1": 1e-3},
        {"clip_norm": 0.05},
        {"logit_adjustment": 1.0},
    ],
)
def test_a_fleet_gives_the_weights_of_the_loop_dropout_included(changes: dict[str, object]) -> None:
    assert_alike(family(dense, recipe=replace(QUICK, **changes)))  # type: ignore[arg-type]


def test_settings_differ_within_a_fleet() -> None:
    changes = [
        {"label_smoothing": 0.1, "epochs": 1},
        {"l1": 1e-3, "weight_decay": 0.2},
        {"clip_norm": 0.05, "dropout": 0.5},
        {"logit_adjustment": 0.5, "schedule": "constant"},
        {"epochs": 2, "dropout": 0.0},
    ]
    pairs = zip(family(dense), changes, strict=True)
    assert_alike([replace(job, recipe=replace(job.recipe, **c)) for job, c in pairs])


def test_momentum_differs_within_a_fleet() -> None:
    sgd = replace(QUICK, optimizer="sgd", learning_rate=0.02)
    pairs = zip(family(dense, recipe=sgd), (0.0, 0.5, 0.8, 0.9, 0.95), strict=True)
    assert_alike([replace(job, recipe=replace(job.recipe, momentum=m)) for job, m in pairs])


def test_a_dropout_layer_that_the_recipe_adds() -> None:
    assert_alike(family(lambda: nn.Linear(8, 2), recipe=replace(QUICK, dropout=0.4)))


def test_weights_of_rows_and_a_single_logit() -> None:
    weighed = Examples(INPUTS, LABELS, RNG.random(150) + 0.1)
    assert_alike(family(partial(dense, 1), weighed))


def test_batch_normalisation_sees_the_rows_of_its_own_batch_alone() -> None:
    assert_alike(family(normalised))


def test_numbers_in_their_own_unit() -> None:
    assert_alike(family(partial(dense, 1), Examples(INPUTS, INPUTS[:, 0] * 3 + 10)))


def test_images_with_convolution_and_batch_normalisation() -> None:
    images = Examples(RNG.normal(size=(90, 8, 8)), RNG.integers(0, 3, 90))
    shape = ArrayShape((8, 8), 3)
    assert_alike(family(partial(ImageNetwork, shape, width=4), images), tolerance=2e-3)


@pytest.mark.parametrize("classes", [2, 0])
def test_the_default_network_for_tables_with_members_and_missing_values(classes: int) -> None:
    table = INPUTS.copy()
    table[:, 3], table[:, 5] = RNG.integers(0, 4, 150), RNG.integers(0, 9, 150)
    table[::9, 0] = table[::7, 3] = np.nan
    target = LABELS if classes else INPUTS[:, 1] * 2 + 5
    shape = TableShape((0, 1, 2, 4, 6, 7), (3, 5), (4, 9), classes)
    assert_alike(family(partial(TableNetwork, shape, width=16), Examples(table, target)))


def test_each_model_stops_by_its_own_validation_loss_with_its_best_weights() -> None:
    hasty = replace(QUICK, epochs=30, learning_rate=0.01, patience=2)
    ends: list[int] = []
    jobs = family(normalised, recipe=hasty, validation=HELD_OUT)
    for job in jobs:
        seen: list[int] = []
        train(
            job.network,
            job.recipe,
            job.examples,
            job.validation,
            progress=lambda epoch, *_, seen=seen: seen.append(epoch),
        )
        ends.append(seen[-1])
    assert len(set(ends)) > 1  # else nothing is tested
    assert_alike(jobs)


def test_models_with_inputs_and_targets_of_their_own() -> None:
    jobs = family(dense)
    jobs[1] = replace(jobs[1], training=Examples(INPUTS, 1 - LABELS))
    jobs[3] = replace(jobs[3], training=Examples(INPUTS * 2, LABELS))
    assert_alike(jobs)


def test_company_changes_no_weights() -> None:
    jobs = family(dense)
    few, many = dict(train_fleet(jobs[:2])), dict(train_fleet(jobs))
    for position in (0, 1):
        a, b = few[position], many[position]
        assert not isinstance(a, Diverged)
        assert not isinstance(b, Diverged)
        assert all(a[name] == pytest.approx(b[name], abs=1e-6) for name in a)


def test_a_model_that_diverges_leaves_the_others_alone() -> None:
    jobs = family(dense, recipe=replace(QUICK, optimizer="sgd", learning_rate=0.01))
    jobs[2] = replace(jobs[2], recipe=replace(jobs[2].recipe, learning_rate=1e30))
    together = dict(train_fleet(jobs))
    assert isinstance(together[2], Diverged)
    assert "learning rate 1e+30" in str(together[2])
    expected = alone(jobs[4])
    found = together[4]
    assert not isinstance(found, Diverged)
    assert all(found[name] == pytest.approx(expected[name], abs=1e-5) for name in expected)


class Branching(nn.Linear):
    def forward(self, inputs: Tensor) -> Tensor:
        outputs = super().forward(inputs)
        return outputs * 2 if outputs.sum() > 0 else outputs


class Noisy(nn.Linear):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(nn.functional.dropout(inputs, 0.5, self.training))


class HoldsTensor(nn.Linear):
    def prepare(self, inputs: Tensor) -> None:
        self.centre = inputs.mean(dim=0)

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs - self.centre)


class Counts(nn.Linear):
    calls = 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls = self.calls + 1
        return super().forward(inputs) / self.calls


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Branching, "data-dependent control flow|vmap"),
        (Noisy, "random"),
        (HoldsTensor, "centre holds a tensor that is no buffer"),
        (Counts, "outside of its buffers"),
    ],
)
def test_modules_that_cannot_be_run_as_one_say_why(kind: type[nn.Linear], why: str) -> None:
    with pytest.raises(Unstackable, match=why):
        list(train_fleet(family(lambda: kind(8, 2))))


def test_frozen_and_unused_parameters_stay_as_they_were() -> None:
    class Partly(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(8, 8), nn.Linear(8, 2)
            self.unused = nn.Linear(3, 3)
            self.first.requires_grad_(False)

        def forward(self, inputs: Tensor) -> Tensor:
            return self.last(self.first(inputs).relu())

    assert_alike(family(Partly))


def test_too_few_rows_and_labels_beyond_the_outputs_are_refused() -> None:
    jobs = family(dense)
    with pytest.raises(UserError, match="at least 2 rows"):
        list(train_fleet([*jobs[:2], replace(jobs[2], rows=np.array([3]))]))
    with pytest.raises(UserError, match="outputs for 2 classes"):
        list(train_fleet([replace(job, training=Examples(INPUTS, LABELS + 3)) for job in jobs]))


def test_a_fleet_leaves_random_state_and_threads_alone() -> None:
    before, state = torch.get_num_threads(), torch.get_rng_state()
    for _ in train_fleet(family(dense, recipe=replace(QUICK, epochs=1))):
        assert torch.get_num_threads() == before
        assert (torch.get_rng_state() == state).all()
