"""Models that answer at random: refused unless declared, and then defined, whatever stands beside a row."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from roadworthy.engine import Registry, compute
from roadworthy.errors import UserError
from roadworthy.quantities import outputs as quantities
from roadworthy.subject import Recipe, Subject, fields_of, subject_from
from roadworthy.subject.blueprint import trusted
from roadworthy.subject.random_answers_module import (
    CALLS,
    COPIES,
    SHARED,
    MeanOfDraws,
    draws_apart,
    draws_in,
    seed_of,
)
from roadworthy.subject.saved import read_subject, save_subject
from roadworthy.training import artifacts as training

REGISTRY = Registry.of(quantities, training)
RNG = np.random.default_rng(0)
INPUTS, LABELS = RNG.random((30, 1, 4, 4)).astype(np.float32), np.arange(30) % 3


class Noisy(nn.Module):
    """A linear network that adds noise to every row."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(16, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(inputs.flatten(1) + torch.randn(len(inputs), 16, device=inputs.device))


class Scaled(Noisy):
    """One factor for all rows of a call, drawn by Python."""

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(inputs.flatten(1) * random.uniform(0.2, 5.0))


def declared(model: object, draws: int = 8, **given: object) -> Subject:
    return subject_from(model, test=(INPUTS, LABELS), random_draws=draws, **given)  # pyright: ignore


def probabilities(subject: Subject, rows: slice = slice(None)) -> np.ndarray:
    fields = {**fields_of(subject), "test_inputs": INPUTS[rows], "test_labels": LABELS[rows]}
    found = compute(REGISTRY, fields, ["test_probabilities"])["test_probabilities"]
    assert found.state == "done", found.reason
    return found.value


def module_of(kind: type[Noisy]) -> Noisy:
    torch.manual_seed(0)
    return kind()


@pytest.mark.parametrize("kind", [Noisy, Scaled])
def test_what_answers_at_random_is_refused_and_the_message_names_the_way_out(
    kind: type[Noisy],
) -> None:
    with pytest.raises(UserError, match=r"random_draws=16 in subject_from, --random-draws 16"):
        subject_from(module_of(kind), test=(INPUTS, LABELS))
    with pytest.raises(UserError, match="answers differently"):  # before it is trained, too
        subject_from(kind, train=(INPUTS, LABELS), test=(INPUTS, LABELS), recipe=Recipe(epochs=1))


def test_the_answer_is_the_mean_probability_over_draws_seeded_by_the_row() -> None:
    module = module_of(Noisy).eval()
    found = probabilities(declared(module, 8))
    row = INPUTS[4:5]
    with torch.random.fork_rng([]), torch.no_grad():
        torch.manual_seed(seed_of(row, "answers"))
        noise = torch.randn(8, 16)
        logits = module.head(torch.from_numpy(row.reshape(1, 16)) + noise)
    by_hand = logits.softmax(1).mean(0).numpy()
    np.testing.assert_allclose(found[4], by_hand, atol=1e-6)


@pytest.mark.parametrize("kind", [Noisy, Scaled])
def test_neither_neighbours_nor_earlier_draws_change_an_answer(kind: type[Noisy]) -> None:
    subject = declared(module_of(kind))
    whole = probabilities(subject)
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state())  # noqa: NPY002 - the global one, which must not move
    again = probabilities(subject, slice(7, 12))
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002 - see above
    assert torch.equal(torch.get_rng_state(), before[2])
    np.testing.assert_allclose(again, whole[7:12], atol=1e-6)
    assert "mean over 8 draws" in " ".join(subject.notes)


def test_more_draws_come_nearer_to_the_expected_answer() -> None:
    module = module_of(Noisy)
    expected = probabilities(declared(module, 1024))
    errors = [np.abs(probabilities(declared(module, k)) - expected).mean() for k in (4, 64)]
    assert errors[1] < 0.5 * errors[0]  # by the square root of 16, a quarter


def test_whether_rows_of_a_batch_draw_apart_is_seen() -> None:
    assert pytest.approx(stats.f.ppf(0.999, CALLS - 1, CALLS * (COPIES - 1)), abs=0.05) == SHARED
    rows = torch.from_numpy(INPUTS[:4])
    assert draws_apart(module_of(Noisy).eval(), rows)
    assert not draws_apart(module_of(Scaled).eval(), rows)
    assert not draws_apart(nn.Flatten(), rows)


def test_in_training_the_module_is_the_one_that_it_was() -> None:
    inner = module_of(Noisy)
    wrapped = MeanOfDraws(inner, 4, "logits", apart=True).train()
    torch.manual_seed(3)
    expected = inner(torch.from_numpy(INPUTS))
    torch.manual_seed(3)
    assert torch.equal(wrapped(torch.from_numpy(INPUTS)), expected)


def test_a_network_that_is_trained_here_keeps_its_defence() -> None:
    subject = declared(Noisy, train=(INPUTS, LABELS), recipe=Recipe(epochs=2))
    found = compute(REGISTRY, fields_of(subject), ["predictor", "test_probabilities"])
    assert draws_in(found["predictor"].value.module) == 8
    assert found["test_probabilities"].value.shape == (30, 3)


def test_one_logit_is_widened_and_probabilities_are_averaged_as_they_are() -> None:
    drawn = nn.Sequential(nn.Flatten(), nn.Dropout(0.0), nn.Linear(16, 1))
    both = [nn.Sequential(drawn), nn.Sequential(drawn, nn.Sigmoid())]
    rows = torch.from_numpy(INPUTS)
    expected = drawn(rows).sigmoid()[:, 0]
    for module, kind in zip(both, ("logits", "probabilities"), strict=True):
        found = MeanOfDraws(module, 4, kind, apart=True).eval()(rows).exp()
        torch.testing.assert_close(found[:, 1], expected, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found.sum(1), torch.ones(30), rtol=1e-5, atol=1e-6)


def test_a_black_box_that_draws_by_numpy_is_steadied_too() -> None:
    def answers(inputs: np.ndarray) -> np.ndarray:
        noise = np.random.normal(size=(len(inputs), 3))  # noqa: NPY002 - as foreign models do
        return inputs.reshape(len(inputs), -1)[:, :3] + noise

    with pytest.raises(UserError, match="random_draws"):
        subject_from(answers, test=(INPUTS, LABELS))
    subject = declared(answers)
    whole = probabilities(subject)
    np.testing.assert_allclose(probabilities(subject, slice(3, 9)), whole[3:9], atol=1e-6)


def test_numbers_of_a_generator_of_its_own_cannot_be_defined_and_are_refused() -> None:
    own = np.random.default_rng(0)

    def answers(inputs: np.ndarray) -> np.ndarray:
        return inputs.reshape(len(inputs), -1)[:, :3] + own.normal(size=(len(inputs), 3))

    with pytest.raises(UserError, match="a generator of its own"):
        declared(answers)


def test_a_saved_subject_answers_as_before(tmp_path: Path) -> None:
    weights = {name: value.numpy() for name, value in module_of(Noisy).state_dict().items()}
    subject = declared(Noisy, weights=weights, train=(INPUTS, LABELS))
    save_subject(subject, tmp_path / "kept", {})
    again = read_subject(tmp_path / "kept", trusted)
    np.testing.assert_allclose(probabilities(again), probabilities(subject), atol=1e-6)


@pytest.mark.parametrize("draws", [0, 1, 5000, True])
def test_a_number_of_draws_that_makes_no_mean_is_refused(draws: int) -> None:
    with pytest.raises(UserError, match=r"random_draws is .*from 2 to 1024"):
        declared(module_of(Noisy), draws)


def test_random_draws_without_a_model_are_refused() -> None:
    with pytest.raises(UserError, match="none is given"):
        declared(None, train=(INPUTS, LABELS))
