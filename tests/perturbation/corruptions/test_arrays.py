"""Corruptions of arrays: as strong as a severity says, inside the range, alike however rows are cut."""

import numpy as np
import pytest
from scipy import ndimage

from roadworthy.errors import NotApplicable
from roadworthy.perturbation.corruptions import (
    DECIBELS,
    SEVERITIES,
    SUITE,
    blurs,
    calibrated,
    corrupted,
    geometry,
    kinds_for,
    light,
    noises,
)
from roadworthy.perturbation.corruptions.sampling import plasma, sampled
from roadworthy.perturbation.noise import RowNoise

SHAPES = [(12, 8, 8), (12, 1, 8, 8), (12, 3, 17, 11), (12, 4, 32, 32), (12, 40), (12, 2, 1, 30)]


def noise_of(n: int) -> RowNoise:
    return RowNoise(np.arange(n, dtype=np.uint64) * np.uint64(977) + np.uint64(13))


def pictures(shape: tuple[int, ...]) -> np.ndarray:
    """Smooth images with edges: what photos and digits have in common."""
    n, *inner = shape
    h, w = (1, inner[-1]) if len(inner) == 1 else inner[-2:]
    c = int(np.prod(inner)) // (h * w)
    base = plasma(noise_of(n * c), h, w, "picture", finest=4)
    base = np.where(base > 0.5, base, 0.3 * base)
    return base.reshape(shape).astype(np.float32)


def applied(x: np.ndarray, kind: str, severity: float) -> np.ndarray:
    amounts = calibrated(x, (0, 1))
    return corrupted(x, kind, severity, noise_of(len(x)), amounts=amounts, input_range=(0, 1))


def test_the_suite_has_enough_kinds_of_different_names() -> None:
    names = [kind.name for kind in SUITE]
    assert len(set(names)) == len(names) >= 15
    assert len(kinds_for((1, 1, 8, 8))) >= 15


@pytest.mark.parametrize("shape", SHAPES)
def test_every_kind_keeps_shape_dtype_and_range_and_is_nothing_at_severity_0(
    shape: tuple[int, ...],
) -> None:
    x = pictures(shape)
    amounts = calibrated(x, (0, 1))
    for kind in kinds_for(shape):
        for severity in (0, 1, 5):
            y = corrupted(x, kind, severity, noise_of(len(x)), amounts=amounts, input_range=(0, 1))
            assert y.shape == x.shape, kind
            assert y.dtype == x.dtype, kind
            assert 0 <= y.min() <= y.max() <= 1, kind
            if severity != 1:  # a fiftieth of the lines of twelve small images may be none
                assert np.array_equal(x, y) == (severity == 0), kind


@pytest.mark.parametrize("shape", [(256, 1, 8, 8), (48, 3, 32, 28)])
def test_a_severity_is_the_same_ratio_of_signal_to_noise_at_any_size(
    shape: tuple[int, ...],
) -> None:
    x = pictures(shape)
    amounts = calibrated(x, (0, 1))
    power = x.reshape(len(x), -1).var(axis=1).mean()
    for kind in SUITE:
        if kind.name not in amounts:
            continue
        for severity in SEVERITIES:
            if amounts[kind.name][severity - 1] >= 0.999 * kind.greatest:
                continue  # what the kind can do is less than the severity asks for
            y = corrupted(
                x, kind.name, severity, noise_of(len(x)), amounts=amounts, input_range=(0, 1)
            )
            decibels = 10 * np.log10(power / np.mean((y - x) ** 2))
            # The noise is that of other rows: few of them are hit, and what hits them differs.
            few = kind.name in ("impulse noise", "dead lines", "occlusion", "coarse levels")
            within = 4.5 if few else 1.0
            assert decibels == pytest.approx(DECIBELS[severity - 1], abs=within), kind.name


def test_gaussian_noise_within_the_range_has_the_standard_deviation_of_its_decibels() -> None:
    # Values .45 and .55 by halves: standard deviation .05. At 20 dB the noise has a tenth of it, far from the ends.
    x = np.tile(np.float32([0.45, 0.55]), (64, 200))
    y = applied(x, "gaussian noise", 1)
    assert (y - x).std() == pytest.approx(0.005, rel=0.05)


def test_contrast_has_a_closed_form() -> None:
    # (1 - a) of the deviation is left, so the mean squared change is a^2 of the variance: a = 10^(-dB / 20).
    x = pictures((64, 1, 8, 8))
    assert calibrated(x, (0, 1), ("contrast",))["contrast"] == pytest.approx(
        [10 ** (-d / 20) for d in DECIBELS], rel=0.02
    )


@pytest.mark.parametrize("kind", kinds_for((9, 3, 9, 10)))
def test_a_row_is_changed_alike_whatever_the_other_rows(kind: str) -> None:
    x = pictures((9, 3, 9, 10))
    amounts = calibrated(x, (0, 1))
    noise = noise_of(9)
    whole = corrupted(x, kind, 3, noise, amounts=amounts, input_range=(0, 1))
    order = np.array([4, 0, 7])
    part = corrupted(x[order], kind, 3, noise.take(order), amounts=amounts, input_range=(0, 1))
    np.testing.assert_allclose(part, whole[order], atol=1e-6)


@pytest.mark.parametrize("kind", kinds_for((9, 3, 9, 10)))
def test_a_greater_severity_changes_more(kind: str) -> None:
    x = pictures((32, 3, 9, 10))
    amounts = calibrated(x, (0, 1))
    changes = [
        np.mean((corrupted(x, kind, s, noise_of(32), amounts=amounts, input_range=(0, 1)) - x) ** 2)
        for s in (0.5, 1, 2, 3.5, 5)
    ]
    assert changes == sorted(changes)


def test_another_range_gives_the_same_images_in_other_units() -> None:
    x = pictures((8, 1, 8, 8))
    amounts = calibrated(x, (0, 1))
    wide = calibrated(255 * x, (0, 255))
    for kind in amounts:
        y = corrupted(x, kind, 2, noise_of(8), amounts=amounts, input_range=(0, 1))
        z = corrupted(255 * x, kind, 2, noise_of(8), amounts=wide, input_range=(0, 255))
        np.testing.assert_allclose(z, 255 * y, atol=0.3, err_msg=kind)


def test_bytes_stay_bytes() -> None:
    x = np.round(255 * pictures((8, 3, 8, 8))).astype(np.uint8)
    amounts = calibrated(x, (0, 255))
    y = corrupted(x, "brightness", 5, noise_of(8), amounts=amounts, input_range=(0, 255))
    assert y.dtype == np.uint8
    assert not np.array_equal(x, y)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_constant_images_are_corrupted_without_a_warning(value: float) -> None:
    x = np.full((5, 1, 8, 8), value, np.float32)
    amounts = calibrated(x, (0, 1))
    for kind in amounts:
        y = corrupted(x, kind, 3, noise_of(5), amounts=amounts, input_range=(0, 1))
        assert np.isfinite(y).all()


def test_images_of_one_pixel_and_no_rows() -> None:
    assert kinds_for((5, 1, 1, 1)) == ()
    with pytest.raises(NotApplicable, match="nothing can be corrupted"):
        calibrated(np.zeros((5, 1, 1, 1), np.float32), (0, 1))
    with pytest.raises(NotApplicable, match="nothing can be corrupted"):
        calibrated(np.zeros((0, 8, 8), np.float32), (0, 1))
    x = pictures((8, 8, 8))
    amounts = calibrated(x, (0, 1))
    none = corrupted(x[:0], "fog", 3, noise_of(0), amounts=amounts, input_range=(0, 1))
    assert none.shape == (0, 8, 8)


def test_what_is_no_number_stays_none_and_spreads_nowhere() -> None:
    x = pictures((4, 1, 8, 8))
    x[2, 0, 3, 3] = np.nan
    y = applied(x, "gaussian blur", 3)
    assert np.isnan(y).sum() == 1
    assert np.isnan(y[2, 0, 3, 3])


# --- single kinds against scipy and by hand


def test_blurs_are_those_of_scipy() -> None:
    x = pictures((3, 2, 20, 20))
    found = blurs.gaussian_blur(x, 0.1, noise_of(3))
    np.testing.assert_allclose(
        found, ndimage.gaussian_filter(x, (0, 0, 2, 2), mode="nearest", truncate=3.0), atol=1e-5
    )
    found = blurs.box_blur(x, 0.2, noise_of(3))  # 2 pixels either way
    np.testing.assert_allclose(
        found, ndimage.uniform_filter(x, (1, 1, 5, 5), mode="nearest"), atol=1e-5
    )


def test_motion_blur_of_a_series_is_a_moving_average() -> None:
    x = pictures((3, 1, 1, 60))
    # Length 5 of 60 points: in the frequency domain a sinc, five points by hand up to its ringing.
    found = blurs.motion_blur(x, 5 / 60, noise_of(3))
    np.testing.assert_allclose(
        found, ndimage.uniform_filter(x, (1, 1, 1, 5), mode="nearest"), atol=0.03
    )


def test_pixelation_by_two_takes_means_of_four() -> None:
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    found = blurs.pixelate(x, 1 / 3, noise_of(1))
    by_hand = np.kron([[2.5, 4.5], [10.5, 12.5]], np.ones((2, 2)))
    np.testing.assert_allclose(found[0, 0], by_hand)


def test_compression_without_loss_changes_nothing_and_keeps_block_means() -> None:
    x = pictures((2, 3, 19, 21))
    np.testing.assert_allclose(blurs.block_compression(x, 1e-3, noise_of(2)), x, atol=1e-3)


def test_sampling_is_linear_interpolation() -> None:
    x = pictures((3, 2, 9, 7))
    rng = np.random.default_rng(0)
    rows, columns = rng.uniform(-1, 9, (3, 9, 7)), rng.uniform(-1, 7, (3, 9, 7))
    found = sampled(x, rows, columns)
    for i in range(3):
        for c in range(2):
            by_scipy = ndimage.map_coordinates(
                x[i, c], (rows[i], columns[i]), order=1, mode="nearest"
            )
            np.testing.assert_allclose(found[i, c], by_scipy, atol=1e-5)


def test_half_a_turn_turns_an_image_upside_down() -> None:
    x = pictures((3, 2, 8, 8))
    np.testing.assert_allclose(
        geometry.rotated(x, 1.0, noise_of(3)), x[:, :, ::-1, ::-1], atol=1e-5
    )


def test_an_occlusion_covers_its_share() -> None:
    x = np.full((40, 1, 12, 12), 2.0, np.float32)  # a value that no grey has
    covered = (x - geometry.occluded(x, 0.25, noise_of(40))) / (
        2 - noise_of(40).uniform((3,), "occlusion")[:, 2][:, None, None, None]
    )
    np.testing.assert_allclose(covered.mean(axis=(1, 2, 3)), 0.25, atol=1e-4)


def test_impulses_hit_their_share_in_all_channels() -> None:
    x = np.full((50, 3, 20, 20), 0.5, np.float32)
    y = noises.impulse_noise(x, 0.3, noise_of(50))
    hit = y != 0.5
    assert (hit.all(axis=1) == hit.any(axis=1)).all()
    assert hit.mean() == pytest.approx(0.3, abs=0.02)


def test_light_by_hand() -> None:
    x = np.float32([0.2, 0.4, 0.6, 0.8]).reshape(1, 1, 2, 2)
    assert abs(light.brightness(x, 0.1, noise_of(1)) - x) == pytest.approx(0.1)
    by_hand = np.float32([0.4, 0.8, 0.8, 0.4]).reshape(1, 1, 2, 2)
    assert light.solarised(x, 1.0, noise_of(1)) == pytest.approx(by_hand)
    assert light.contrast(x, 1.0, noise_of(1)) == pytest.approx(0.5)
    cast = light.colour_cast(np.repeat(x, 3, axis=1), 0.1, noise_of(1)) - x
    assert cast.sum() == pytest.approx(0, abs=1e-5)
