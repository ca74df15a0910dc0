"""Near copies of pictures and rows, and the neighbours that they are sought among."""

import numpy as np
import pytest

from roadworthy.challenges.data_quality.alignment import agreement, band_passed, grey
from roadworthy.challenges.data_quality.near_duplicates import (
    close_row,
    near_copies,
    near_copies_within,
    near_duplicates_across_splits,
    same_picture,
)
from roadworthy.challenges.data_quality.neighbours import nearest
from roadworthy.challenges.data_quality.outliers import class_distance, outliers
from roadworthy.errors import NotApplicable
from roadworthy.quantities.identity import content_hashes


def pictures(n: int, side: int = 24, seed: int = 0) -> np.ndarray:
    """Smooth random pictures, as photographs are."""
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(seed).normal(size=(n, side, side))
    return gaussian_filter(noise, (0, 1.5, 1.5), mode="wrap").astype(np.float32)


def test_neighbours_agree_with_brute_force() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(300, 7)), rng.normal(size=(50, 7))
    distances, positions = nearest(a, b, 4)
    table = np.sqrt(((b[:, None] - a) ** 2).sum(axis=2))
    assert (positions == np.argsort(table, axis=1)[:, :4]).all()
    assert distances == pytest.approx(np.sort(table, axis=1)[:, :4], abs=1e-3)


def test_a_picture_agrees_with_itself_and_with_its_mirror_image() -> None:
    edges = band_passed(pictures(3))
    mirrored = edges[:, :, ::-1]
    same = np.arange(3)
    assert agreement(edges, edges, same, same) == pytest.approx(1.0, abs=1e-3)
    assert agreement(edges, mirrored, same, same) == pytest.approx(1.0, abs=1e-3)
    assert agreement(edges, edges, same, np.roll(same, 1)).max() < 0.7


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x + 0.02 * np.random.default_rng(1).normal(size=x.shape),
        lambda x: 0.7 * x + 0.2,
        lambda x: np.pad(x, ((0, 0), (2, 0), (0, 0)), mode="edge")[:, :-2],  # a real shift
        lambda x: x[:, :, ::-1],
    ],
    ids=["noise", "contrast", "shift", "mirror"],
)
def test_changed_copies_are_found_and_others_are_not(change) -> None:
    seen, other = pictures(150), pictures(40, seed=5)
    asked = np.concatenate([other, change(seen[:10]).astype(np.float32)])
    found = same_picture(seen, asked, np.random.default_rng(0))
    assert found[40:, 0].tolist() == list(range(10))
    assert (found[:40, 0] == -1).all()


def test_grey_takes_any_layout_and_leaves_what_is_no_picture() -> None:
    assert grey(np.zeros((2, 3, 20, 30))).shape == (2, 20, 30)
    assert grey(np.zeros((2, 20, 30, 3))).shape == (2, 20, 30)
    assert grey(np.ones((2, 1, 100, 64))).shape == (2, 25, 16)  # averaged by four
    assert grey(np.zeros((2, 8, 8))) is None
    assert grey(np.zeros((2, 9))) is None


def test_a_row_far_nearer_than_the_fourth_is_close() -> None:
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(200, 6)).astype(np.float32)
    asked = np.concatenate([rng.normal(size=(20, 6)), seen[:3] + 0.01]).astype(np.float32)
    found = close_row(seen, asked)
    assert found[20:, 0].tolist() == [0, 1, 2]
    assert (found[:20, 0] == -1).all()


def whole(train: np.ndarray, test: np.ndarray):
    rng = np.random.default_rng(0)
    leaked = np.full(len(test), -1)
    features = (train.reshape(len(train), -1), test.reshape(len(test), -1))
    copies = near_copies(train, test, *features, leaked, rng)
    within = near_copies_within(train, features[0], content_hashes(train), rng)
    return near_duplicates_across_splits(copies, within, train)


def test_what_rows_show_among_themselves_is_taken_away() -> None:
    rng = np.random.default_rng(0)
    half = rng.normal(size=(300, 6))
    table = np.concatenate([half, half + 0.01])  # every row has a near copy, on either side
    order = rng.permutation(600)
    found = whole(table[order[:400]], table[order[400:]])
    assert found.low < 0.005  # about two thirds here and two thirds there
    fresh = rng.normal(size=(200, 6))
    fresh[:40] = table[order[:40]] + 0.01
    planted = whole(rng.permutation(np.concatenate([half, fresh[:0]]))[:250], fresh)
    assert planted.low < planted.value


def test_near_copies_of_pictures_are_facts_named_by_pair() -> None:
    train = pictures(150)
    test = np.concatenate([pictures(30, seed=9), train[[4, 8]] + 0.2])
    found = whole(train, test)
    assert found.value == 2 / 32
    assert found.distribution.kind == "fact"
    assert {(e.row, e.note) for e in found.evidence[0].examples} == {
        (30, "nearly train row 4"),
        (31, "nearly train row 8"),
    }


def test_identical_rows_are_left_to_the_check_of_identical_rows() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(60, 5)).astype(np.float32)
    copies = near_copies(table[:50], table[:10], table[:50], table[:10], np.arange(10), rng)
    assert (copies[:, 0] == -1).all()


def test_ten_rows_are_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="10 training rows"):
        whole(np.zeros((10, 4)), np.ones((3, 4)))
    with pytest.raises(NotApplicable, match="20"):
        outliers(np.zeros(10))


def test_a_row_far_from_its_class_is_listed_and_nothing_is_judged() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 3))
    features[7] = 40
    found = outliers(class_distance(features, rng, np.arange(300) % 2))
    assert found.evidence[0].examples[0].row == 7


def test_constant_columns_have_no_outliers() -> None:
    assert outliers(class_distance(np.zeros((50, 2)), np.random.default_rng(0))).value == 0
