"""Attributions as artifacts: chosen by name, compared with what is usual, each row by itself, and refused with reasons."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.attribution import library
from roadworthy.challenges.interpretability import artifacts
from roadworthy.challenges.interpretability.checks import attribution_stability
from roadworthy.challenges.interpretability.explaining import Explained, Explaining
from roadworthy.engine import Registry, compute
from roadworthy.errors import NotApplicable, UserError
from roadworthy.subject import Column, Predictor, Task, fields_of
from roadworthy.subject.subject import Split, Subject

BINARY = Task("binary", ("no", "yes"))


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.discover()


def subject_of(module: nn.Module | None, *, call=None, inputs: np.ndarray, columns=()) -> Subject:
    def run(given: np.ndarray) -> np.ndarray:
        assert module is not None
        with torch.no_grad():
            return module(torch.from_numpy(np.asarray(given, np.float32))).numpy()

    labels = np.arange(len(inputs)) % 2
    return Subject(
        name="made",
        task=BINARY,
        modality="table" if columns else "array",
        splits={"train": Split(inputs, labels), "test": Split(inputs[::-1].copy(), labels)},
        columns=columns,
        predictor=Predictor(call or run, "logits", identity=("made", len(inputs)), module=module),
    )


def line(weights: list[float]) -> nn.Module:
    layer = nn.Linear(len(weights), 2, bias=False)
    layer.weight.data = torch.tensor([[-w for w in weights], weights])
    return layer.eval()


def done(registry: Registry, subject: Subject, names: list[str], options=None):
    found = compute(registry, fields_of(subject), names, options=options or {})
    for name in names:
        assert found[name].state == "done", f"{name}: {found[name].reason} {found[name].traceback}"
    return [found[name].value for name in names]


@pytest.mark.parametrize(
    "method", ["auto", "integrated_gradients", "occlusion", "kernel_shap", "smooth_gradient"]
)
def test_a_line_is_explained_by_its_weights_whatever_the_method(registry, method) -> None:
    inputs = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    subject = subject_of(line([2.0, -1.0, 0.0]), inputs=inputs)
    found, classes, rows = done(
        registry,
        subject,
        ["test_attributions", "test_explained_classes", "test_explained_rows"],
        {"attribution_method": {"method": method}},
    )
    # Scores of the two classes are -wx and wx: the weights times the distance from the mean, with the sign of the answer.
    sign = np.where(classes == 1, 1, -1)[:, None]
    far = inputs[::-1][rows] - inputs.mean(axis=0)
    assert np.allclose(found, sign * far * [2.0, -1.0, 0.0], atol=1e-4)


def test_a_black_box_is_explained_by_what_needs_no_gradients(registry) -> None:
    inputs = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    subject = subject_of(None, call=lambda x: np.stack([-x[:, 0], x[:, 0]], axis=1), inputs=inputs)
    methods, chosen, found = done(
        registry, subject, ["attribution_methods", "attribution_method", "test_attributions"]
    )
    assert {name for name, reason in methods.items() if not reason} == {
        "occlusion",
        "kernel_shap",
        "chance",
    }
    assert "no gradients" in methods["integrated_gradients"]
    assert chosen == "kernel_shap"
    assert np.allclose(found[:, 1:], 0, atol=1e-6)


def test_what_is_asked_for_and_does_not_fit_says_why(registry) -> None:
    fits = {"deeplift": "", "saliency": "no slope"}
    with pytest.raises(NotApplicable, match="saliency does not fit this model: no slope"):
        artifacts.attribution_method(fits, method="saliency")
    with pytest.raises(UserError, match=r'no method of attribution "lime".*deeplift, saliency'):
        artifacts.attribution_method(fits, method="lime")
    with pytest.raises(UserError, match=r"explained_rows.most is 0"):
        artifacts.explained_rows(np.arange(5, dtype=np.uint64), most=0)


def test_a_method_that_breaks_is_an_error_and_not_a_matter_of_the_model(registry) -> None:
    class Fussy(nn.Module):
        """Takes no more rows at once than methods are tried on, so that what removes parts breaks on it."""

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            if len(rows) > artifacts.TRIED:
                raise ValueError("too many rows")
            return torch.stack([-rows.sum(1), rows.sum(1)], dim=1)

    inputs = np.random.default_rng(0).normal(size=(artifacts.TRIED, 3)).astype(np.float32)
    fields = fields_of(subject_of(Fussy(), inputs=inputs))
    name = "attribution_method"
    found = compute(registry, fields, [name], options={name: {"method": "occlusion"}})[name]
    assert found.state == "error"
    assert "occlusion does not fit this model: it breaks on this model: ValueError" in str(
        found.reason
    )
    assert compute(registry, fields, [name])[name].value == "deeplift"


def test_where_all_of_auto_break_it_is_an_error_and_where_none_fits_it_is_not() -> None:
    breaks = f"{library.BROKEN}: TypeError: two values"
    with pytest.raises(RuntimeError, match=r"no method fits: it breaks .* two values"):
        artifacts.attribution_method(dict.fromkeys(artifacts.AUTO, breaks))
    of_categories = {"deeplift": "no slope", "integrated_gradients": "no slope"}
    with pytest.raises(RuntimeError, match="two values"):
        artifacts.attribution_method({**of_categories, "kernel_shap": breaks, "occlusion": breaks})
    with pytest.raises(NotApplicable, match="no method fits: a value is missing"):
        artifacts.attribution_method(dict.fromkeys(artifacts.AUTO, "a value is missing"))
    some = {**dict.fromkeys(artifacts.AUTO, breaks), "kernel_shap": ""}
    assert artifacts.attribution_method(some) == "kernel_shap"


def test_categories_have_no_slope_and_are_explained_by_removal(registry) -> None:
    rng = np.random.default_rng(0)
    inputs = np.stack([rng.normal(size=60), rng.integers(0, 3, 60)], axis=1)
    inputs[0, 0] = np.nan

    class Coded(nn.Module):
        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            worth = torch.tensor([0.0, 3.0, 1.0])[rows[:, 1].long()] + rows[:, 0].nan_to_num()
            return torch.stack([-worth, worth], dim=1)

    columns = (Column("size", "numeric"), Column("colour", "category", ("red", "green", "blue")))
    subject = subject_of(Coded(), inputs=inputs, columns=columns)
    methods, chosen, found = done(
        registry, subject, ["attribution_methods", "attribution_method", "test_attributions"]
    )
    assert "colour are categories" in methods["deeplift"]
    assert chosen == "kernel_shap"
    assert np.isfinite(found).all()


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_one_missing_number_in_any_split_chooses_a_method_that_can_explain_it(
    registry, split
) -> None:
    class Filling(nn.Module):
        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            worth = rows.nan_to_num().sum(1)
            return torch.stack([-worth, worth], dim=1)

    inputs = np.random.default_rng(0).normal(size=(3_000, 3)).astype(np.float32)
    subject = subject_of(Filling(), inputs=inputs)
    assert done(registry, subject, ["attribution_method"]) == ["deeplift"]
    gap = inputs.copy()
    gap[2_500, 1] = np.nan
    splits = {**subject.splits, split: Split(gap, np.arange(3_000) % 2)}
    subject = replace(subject, splits=splits)
    chosen, found = done(registry, subject, ["attribution_method", "test_attributions"])
    assert chosen == "kernel_shap"
    assert np.isfinite(found).all()


def test_methods_are_tried_on_values_of_the_kind_that_the_model_takes(registry) -> None:
    seen = []

    def run(given: np.ndarray) -> np.ndarray:
        seen.append(given.dtype)
        worth = given.astype(np.float64).sum(1)
        return np.stack([-worth, worth], axis=1)

    inputs = np.random.default_rng(0).integers(0, 256, (40, 3)).astype(np.uint8)
    done(registry, subject_of(None, call=run, inputs=inputs), ["attribution_method"])
    assert set(seen) == {np.dtype(np.uint8)}


def test_the_reference_is_the_mean_of_what_is_present_and_the_usual_row_of_a_table() -> None:
    rows = np.array([[1.0, 0.0], [np.nan, 2.0], [3.0, 2.0]])
    rng = np.random.default_rng(0)
    mean = artifacts.attribution_reference("array", rng, train_inputs=rows)
    assert mean["point"].tolist() == [[2.0, pytest.approx(4 / 3)]]
    columns = (Column("size", "numeric"), Column("colour", "category", ("red", "green", "blue")))
    usual = artifacts.attribution_reference("table", rng, test_inputs=rows, columns=columns)
    assert usual["point"].tolist() == [[2.0, 2.0]]  # median of 1 and 3; blue twice
    with pytest.raises(NotApplicable, match="no rows"):
        artifacts.attribution_reference("array", rng)
    with pytest.raises(NotApplicable, match="not of text"):
        artifacts.attribution_reference("text", rng, train_inputs=rows)


def test_rows_are_chosen_by_their_names(registry) -> None:
    names = np.array([9, 2, 7, 4], np.uint64)
    assert artifacts.explained_rows(names, most=2).tolist() == [1, 3]
    assert artifacts.explained_rows(names, most=9).tolist() == [0, 1, 2, 3]


def test_a_numeric_target_is_explained_in_its_own_unit(registry) -> None:
    inputs = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    single = nn.Linear(2, 1, bias=False)
    single.weight.data = torch.tensor([[5.0, 0.0]])
    subject = subject_of(single.eval(), inputs=inputs)
    subject = replace(
        subject,
        task=Task("regression", ()),
        splits={n: Split(s.inputs, np.zeros(s.n)) for n, s in subject.splits.items()},
        predictor=replace(subject.predictor, gives="values"),
    )
    found, rows = done(registry, subject, ["test_attributions", "test_explained_rows"])
    assert np.allclose(found[:, 0], 5 * (inputs[::-1][rows] - inputs.mean(axis=0))[:, 0], atol=1e-4)


def test_probabilities_are_explained_through_their_logarithm(registry) -> None:
    inputs = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    plain = subject_of(line([2.0, -1.0]), inputs=inputs)
    sure = subject_of(nn.Sequential(line([2.0, -1.0]), nn.Softmax(1)).eval(), inputs=inputs)
    assert sure.predictor is not None
    sure = replace(sure, predictor=replace(sure.predictor, gives="probabilities"))
    (of_logits,) = done(registry, plain, ["test_attributions"])
    (of_probabilities,) = done(registry, sure, ["test_attributions"])
    # Half the log odds, whichever way they are given; DeepLift hands it through softmax and logarithm exactly in sum.
    assert np.allclose(of_logits.sum(axis=1), of_probabilities.sum(axis=1), atol=1e-3)


class Pixels(nn.Module):
    """A smooth network of whole numbers from 0 to 255."""

    def forward(self, inputs):
        worth = (inputs.flatten(1) / 64 * torch.linspace(0.5, 2, 16)).sin().sum(1)
        return torch.stack([-worth, worth], dim=1)


@pytest.mark.parametrize("is_black_box", [False, True])
@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.bool_, np.float32])
def test_noise_on_whole_numbers_neither_wraps_nor_shifts(kind, is_black_box) -> None:
    most = 1 if kind is np.bool_ else 255
    inputs = (most * np.random.default_rng(0).integers(0, 2, (400, 16))).astype(kind)
    module = None if is_black_box else Pixels()
    explaining = Explaining(Predictor(lambda x: x, "logits", None, module), BINARY, "logits")
    rows = Explained(inputs, np.zeros(400, np.int64), np.arange(400, dtype=np.uint64), 0)
    moved = explaining.nudged(rows, inputs.astype(np.float32), 0.02, None).inputs
    off = moved.astype(np.float64) - inputs
    assert np.abs(off).max() < 0.02 * inputs.std() * 6 + 0.5
    assert abs(off.mean()) < 0.02 * inputs.std() / 10
    assert is_black_box == (moved.dtype == kind) or kind is np.float32


def test_a_black_box_of_whole_numbers_gets_whole_numbers_in_their_range(registry) -> None:
    seen = []

    def run(given):
        seen.append(given)
        worth = given.reshape(len(given), -1).astype(np.float64).sum(1) - 1_000
        return np.stack([-worth, worth], axis=1)

    inputs = np.random.default_rng(0).integers(0, 256, (60, 16)).astype(np.uint8)
    done(registry, subject_of(None, call=run, inputs=inputs), ["test_stability_correlations"])
    assert {given.dtype for given in seen} == {np.dtype(np.uint8)}


def test_noise_that_changes_no_value_says_nothing_of_stability(registry) -> None:
    def run(given):
        worth = given.astype(np.float64) @ [3.0, -1.0, 2.0, 0.5] - 2
        return np.stack([-worth, worth], axis=1)

    inputs = np.random.default_rng(0).integers(0, 2, (60, 4)).astype(np.int64)
    subject = subject_of(None, call=run, inputs=inputs)
    (found,) = done(registry, subject, ["test_stability_correlations"])
    assert np.isnan(found).all()
    with pytest.raises(NotApplicable, match="too coarse"):
        attribution_stability(found, np.arange(60))


def test_codes_that_are_looked_up_have_no_neighbours(registry) -> None:
    class Codes(nn.Module):
        def __init__(self):
            super().__init__()
            self.codes = nn.Embedding(10, 2)

        def forward(self, inputs):
            return self.codes(inputs.long()).sum(1)

    inputs = np.random.default_rng(0).integers(0, 10, (60, 4))
    name = "test_stability_correlations"
    found = compute(registry, fields_of(subject_of(Codes(), inputs=inputs)), [name])[name]
    assert found.state == "not_applicable"
    assert "looks codes up" in str(found.reason)
