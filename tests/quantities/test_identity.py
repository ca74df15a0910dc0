"""Who a row is."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from roadworthy.quantities.identity import content_hashes, occurrence_numbers, row_ids


def test_minus_zero_and_every_nan_hash_like_zero_and_nan() -> None:
    other_nan = np.frombuffer(np.uint64(0xFFF8_0000_0000_0001).tobytes(), np.float64)[0]
    hashes = content_hashes(np.array([[0.0, np.nan], [-0.0, other_nan], [0.0, 1.0]]))
    assert (hashes[0] == hashes[1]).all()
    assert (hashes[0] != hashes[2]).all()


def test_the_dtype_does_not_matter_where_the_values_are_equal() -> None:
    images = np.arange(24).reshape(2, 3, 4)
    expected = content_hashes(images.astype(np.float64))
    for dtype in (np.uint8, np.int64, np.float32, ">f4"):
        assert (content_hashes(images.astype(dtype)) == expected).all()


def test_the_same_values_in_another_shape_are_another_row() -> None:
    images = np.arange(24.0).reshape(2, 3, 4)
    assert (content_hashes(images) != content_hashes(images.reshape(2, 12))).all()


def test_rows_are_hashed_alone_whatever_chunk_they_are_in() -> None:
    inputs = np.random.default_rng(0).normal(size=(10_000, 2))
    hashes = content_hashes(inputs)
    assert (content_hashes(inputs[5_000:5_010]) == hashes[5_000:5_010]).all()
    assert hashes.dtype == np.uint64
    assert content_hashes(inputs[:0]).shape == (0, 2)


def test_writing_a_hash_leaves_the_inputs_alone() -> None:
    inputs = np.array([[-0.0, np.nan]])
    content_hashes(inputs)
    assert np.signbit(inputs[0, 0])


def test_copies_are_numbered_in_order_of_appearance() -> None:
    hashes = np.array([[7, 7], [8, 8], [7, 7], [7, 8], [7, 7]], np.uint64)
    assert occurrence_numbers(hashes).tolist() == [0, 0, 1, 0, 2]
    assert occurrence_numbers(hashes[:0]).tolist() == []


def test_row_ids_are_unique_and_the_first_copy_keeps_the_hash() -> None:
    inputs = np.repeat(np.arange(500.0), 20)[:, None]
    hashes = content_hashes(inputs)
    ids = row_ids(hashes)
    assert len(np.unique(ids)) == 10_000
    assert (ids[::20] == hashes[::20, 0]).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=30), st.randoms(use_true_random=False))
def test_reordering_rows_permutes_the_set_of_ids(values: list[int], random: object) -> None:
    inputs = np.array(values, float).reshape(-1, 1)
    shuffled = inputs.copy()
    random.shuffle(shuffled.reshape(-1))  # type: ignore[attr-defined]
    ids, again = (row_ids(content_hashes(x)) for x in (inputs, shuffled))
    assert sorted(ids.tolist()) == sorted(again.tolist())
