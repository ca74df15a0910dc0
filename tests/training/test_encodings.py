"""Preprocessing as modules."""

import numpy as np
import pytest
import torch

from roadworthy.training.encodings import (
    CategoryEncoding,
    NumericEncoding,
    TargetScale,
    levels_of,
)


def prepared(values: list[float], bins: int = 4, width: int = 1) -> NumericEncoding:
    encoding = NumericEncoding(width, bins, (None,))
    with torch.no_grad():
        encoding.prepare(torch.tensor(values)[:, None])
    return encoding


def through(encoding: NumericEncoding, value: float) -> list[float]:
    """How far a value has come through each bin that exists."""
    bins = encoding.piecewise[0]
    part = ((value - bins.left[0]) * bins.slope[0]).clamp(0, 1)
    return part[bins.slope[0] > 0].tolist()


def test_bins_of_evenly_spread_values_are_even() -> None:
    encoding = prepared([float(v) for v in range(101)])
    # half of 4 edges by values, half by distinct values: both 0, 50, 100
    assert through(encoding, 25) == [0.5, 0]
    assert through(encoding, 75) == [1, 0.5]
    assert through(encoding, -5) == [0, 0]
    assert through(encoding, 500) == [1, 1]


def test_a_column_mostly_zero_still_has_bins_for_what_is_not_zero() -> None:
    encoding = prepared([0.0] * 920 + [float(v) for v in range(1, 81)], bins=16)
    assert int((encoding.piecewise[0].slope > 0).sum()) >= 8


def test_few_rows_have_few_bins() -> None:
    rng = np.random.default_rng(0)
    encoding = prepared(rng.normal(size=100).tolist(), bins=256)
    assert int((encoding.piecewise[0].slope > 0).sum()) <= 100 // 20


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
    numbers, categories = NumericEncoding(3, 8, ()), CategoryEncoding((), 3)
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


def test_levels_are_counted_where_values_come_back() -> None:
    rng = np.random.default_rng(0)
    columns = [rng.integers(0, k, 200) for k in (2, 5, 40)]
    inputs = np.column_stack([*columns, rng.normal(size=200), np.full(200, np.nan)])
    inputs[0, 0] = np.nan
    assert levels_of(inputs) == (2, 5, None, None, 0)
    assert levels_of(inputs[:10, :4]) == (None,) * 4  # ten rows tell nothing of other rows


def test_columns_of_few_and_many_bins_are_encoded_as_each_alone() -> None:
    rng = np.random.default_rng(0)
    inputs = np.column_stack(
        [
            rng.normal(size=600),
            rng.integers(0, 2, 600),
            rng.integers(0, 6, 600),
            rng.normal(size=600),
            rng.integers(0, 2, 600),
        ]
    ).astype(np.float32)
    rows = torch.from_numpy(inputs)
    together = NumericEncoding(3, 16, levels_of(inputs))
    with torch.no_grad():
        together.prepare(rows)
        assert [len(bins.learned) for bins in together.piecewise] == [2, 1, 2]
        for bins in together.piecewise:
            bins.learned.normal_()
        found = together(rows).reshape(600, 5, 3)
        for j in range(5):
            alone = NumericEncoding(3, 16, (None,))  # room for more bins than there are
            alone.prepare(rows[:, [j]])
            block, i = next(
                (bins, bins.columns.tolist().index(j))
                for bins in together.piecewise
                if j in bins.columns.tolist()
            )
            size = block.learned.shape[1]
            assert (alone.piecewise[0].slope[0, size:] == 0).all()
            alone.piecewise[0].learned[0, :size] = block.learned[i]
            for name in ("linear", "shift", "missing"):
                getattr(alone, name)[0] = getattr(together, name)[j]
            torch.testing.assert_close(alone(rows[:, [j]]), found[:, j])


def test_values_that_were_not_there_when_the_network_was_laid_out_share_its_bins() -> None:
    encoding = NumericEncoding(1, 256, (2, 5))
    rows = torch.from_numpy(np.random.default_rng(0).normal(size=(1_000, 2)).astype(np.float32))
    with torch.no_grad():
        encoding.prepare(rows)
    assert [int((bins.slope > 0).sum()) for bins in encoding.piecewise] == [1, 4]
    for j, bins in enumerate(encoding.piecewise):
        width = float((1 / bins.slope).sum())
        assert width == pytest.approx(float(rows[:, j].max() - rows[:, j].min()), rel=1e-5)


def test_an_encoding_that_is_fitted_again_keeps_nothing_of_the_first_rows() -> None:
    first, second = torch.arange(400.0)[:, None], torch.arange(40.0)[:, None]
    again, once = NumericEncoding(1, 16, (None,)), NumericEncoding(1, 16, (None,))
    with torch.no_grad():
        again.prepare(first)
        again.prepare(second)
        once.prepare(second)
    torch.testing.assert_close(again.piecewise[0].slope, once.piecewise[0].slope)
