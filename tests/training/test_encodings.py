"""Preprocessing as modules."""

import numpy as np
import pytest
import torch

from roadworthy.training.encodings import CategoryEncoding, NumericEncoding, TargetScale


def prepared(values: list[float], bins: int = 4, width: int = 1) -> NumericEncoding:
    encoding = NumericEncoding(1, width, bins)
    with torch.no_grad():
        encoding.prepare(torch.tensor(values)[:, None])
    return encoding


def through(encoding: NumericEncoding, value: float) -> list[float]:
    """How far a value has come through each bin that exists."""
    part = ((value - encoding.left[0]) * encoding.slope[0]).clamp(0, 1)
    return part[encoding.slope[0] > 0].tolist()


def test_bins_of_evenly_spread_values_are_even() -> None:
    encoding = prepared([float(v) for v in range(101)])
    # half of 4 edges by values, half by distinct values: both 0, 50, 100
    assert through(encoding, 25) == [0.5, 0]
    assert through(encoding, 75) == [1, 0.5]
    assert through(encoding, -5) == [0, 0]
    assert through(encoding, 500) == [1, 1]


def test_a_column_mostly_zero_still_has_bins_for_what_is_not_zero() -> None:
    encoding = prepared([0.0] * 920 + [float(v) for v in range(1, 81)], bins=16)
    assert int((encoding.slope > 0).sum()) >= 8


def test_few_rows_have_few_bins() -> None:
    rng = np.random.default_rng(0)
    encoding = prepared(rng.normal(size=100).tolist(), bins=256)
    assert int((encoding.slope > 0).sum()) <= 100 // 20


def test_median_and_scale_are_robust() -> None:
    encoding = prepared([0.0, 1.0, 2.0, 3.0, 1e9])
    assert float(encoding.median) == 2
    assert float(encoding.scale) == pytest.approx(2 / 1.349)


@pytest.mark.parametrize("values", [[3.0] * 10, [1e9 / 3] * 10, [float("nan")] * 10])
def test_constant_and_empty_columns_encode_to_finite_numbers(values: list[float]) -> None:
    encoding = prepared(values, width=3)
    inputs = torch.tensor([[3.0], [float("nan")], [float("inf")], [1e38], [-1e38]])
    assert encoding(inputs).isfinite().all()
    assert encoding(inputs).shape == (5, 3)


def test_missing_numbers_have_a_vector_of_their_own_and_pass_finite_gradients() -> None:
    encoding = prepared([float(v) for v in range(101)], width=2)
    with torch.no_grad():
        encoding.missing[0] = torch.tensor([7.0, 8.0])
    inputs = torch.tensor([[float("nan")], [3.0]], requires_grad=True)
    found = encoding(inputs)
    assert found[0].tolist() == [7, 8]
    found.sum().backward()
    assert inputs.grad is not None
    assert inputs.grad.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoding.parameters())


def test_missing_unknown_and_unseen_categories_share_the_vector_zero() -> None:
    encoding = CategoryEncoding((3, 2), width=4)
    with torch.no_grad():
        encoding.prepare(torch.tensor([[0.0, 0], [2, 1], [0, 1]]))  # 1 of column 0 never occurs
    found = encoding(torch.tensor([[1.0, float("nan")], [7, -1], [0, 1]]))
    assert found.shape == (3, 8)
    assert (found[:2] == 0).all()
    assert (found[2] != 0).all()


def test_categories_of_two_columns_are_not_mixed_up() -> None:
    encoding = CategoryEncoding((2, 2), width=1)
    with torch.no_grad():
        encoding.vectors.copy_(torch.arange(6.0)[:, None])  # slots: ?, a, b, ?, c, d
    assert encoding(torch.tensor([[0.0, 1], [1, 0]])).tolist() == [[1, 5], [2, 4]]


def test_no_columns_encode_to_no_numbers() -> None:
    nothing = torch.empty(5, 0)
    numbers, categories = NumericEncoding(0, 3, 8), CategoryEncoding((), 3)
    with torch.no_grad():
        numbers.prepare(nothing)
        categories.prepare(nothing)
    assert numbers(nothing).shape == categories(nothing).shape == (5, 0)


def test_target_scale_restores_the_unit() -> None:
    scale = TargetScale()
    scale.prepare(torch.tensor([10.0, 14.0]))
    assert scale(torch.tensor([-1.0, 1.0])).tolist() == pytest.approx([12 - 8**0.5, 12 + 8**0.5])
    scale.prepare(torch.tensor([5.0, 5.0]))
    assert scale(torch.tensor([0.0])).tolist() == [5]
