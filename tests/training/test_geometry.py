"""Moved pixels, against scipy."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from roadworthy.training.geometry import Warp, rotations, scalings, shifts, warped

# Smooth, so that two ways to interpolate near the border agree.
IMAGE = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(14, 20)), 1.5) * 10


def moved(matrices: torch.Tensor, image: np.ndarray = IMAGE) -> np.ndarray:
    planes = torch.tensor(image, dtype=torch.float32)[None, None]
    return warped(planes, matrices)[0, 0].numpy()


@pytest.mark.parametrize("degrees", [10.0, -35.0, 90.0])
def test_a_rotation_is_that_of_scipy_also_where_sides_differ(degrees: float) -> None:
    expected = ndimage.rotate(IMAGE, degrees, reshape=False, order=1, mode="nearest")
    assert moved(rotations(torch.tensor([degrees]))) == pytest.approx(expected, abs=1e-4)


def test_a_shift_is_that_of_scipy() -> None:
    found = moved(shifts(torch.tensor([3.0]), torch.tensor([-1.5])))
    assert found == pytest.approx(
        ndimage.shift(IMAGE, (-1.5, 3), order=1, mode="nearest"), abs=1e-4
    )


def test_enlarging_by_a_half_is_that_of_scipy() -> None:
    centre = (np.array(IMAGE.shape) - 1) / 2
    inverse = np.eye(2) / 1.5
    expected = ndimage.affine_transform(
        IMAGE, inverse, centre - inverse @ centre, order=1, mode="nearest"
    )
    assert moved(scalings(torch.tensor([1.5]))) == pytest.approx(expected, abs=1e-4)


def test_a_product_is_one_move_after_the_other() -> None:
    turn, shift = rotations(torch.tensor([90.0])), shifts(torch.tensor([2.0]), torch.tensor([0.0]))
    image = np.zeros((9, 9))
    image[2, 4] = 1  # two above the centre
    assert np.argwhere(moved(turn @ shift, image) > 0.99).tolist() == [[4, 4]]
    assert np.argwhere(moved(shift @ turn, image) > 0.99).tolist() == [[2, 2]]


def test_each_row_is_moved_by_its_own_matrix_and_all_channels_alike() -> None:
    planes = torch.tensor(IMAGE, dtype=torch.float32).expand(3, 2, -1, -1)
    found = warped(planes, rotations(torch.tensor([0.0, 20.0, 40.0])))
    assert found[0] == pytest.approx(planes[0], abs=1e-4)
    assert torch.equal(found[:, 0], found[:, 1])
    assert found[2, 0].numpy() == pytest.approx(moved(rotations(torch.tensor([40.0]))), abs=1e-5)


def test_moves_are_drawn_evenly_up_to_the_amount() -> None:
    generator = torch.Generator().manual_seed(0)
    turned = Warp("rotation", 30.0).matrices(4000, 10, 20, generator)
    degrees = torch.rad2deg(torch.atan2(turned[:, 1, 0], turned[:, 0, 0]))
    assert 29 < float(degrees.abs().max()) <= 30.001
    assert float(degrees.std()) == pytest.approx(60 / 12**0.5, rel=0.05)
    scaled = 1 / Warp("scaling", 0.2).matrices(4000, 10, 20, generator)[:, 0, 0]
    assert (float(scaled.min()), float(scaled.max())) == pytest.approx((0.8, 1.2), abs=0.005)
    shifted = Warp("shift", 0.1).matrices(4000, 10, 20, generator)[:, :2, 2]
    assert shifted.abs().amax(dim=0).tolist() == pytest.approx([2, 1], rel=0.01)
