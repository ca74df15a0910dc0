"""Published models whose confidence is known to be wrong are found out."""

from pathlib import Path

import numpy as np
import pytest

from roadworthy.challenges.uncertainty import natural
from roadworthy.challenges.uncertainty.calibration import calibration_error
from roadworthy.engine.marks import CheckMark, mark_of
from roadworthy.statistics import judge


@pytest.mark.parametrize(
    "load",
    [natural.compas_deciles_read_as_probabilities, natural.published_resnet_on_compressed_images],
)
def test_the_check_says_of_it_what_is_published(load: object, data_dir: Path) -> None:
    found = load(data_dir)  # type: ignore[operator]
    split = found.subject.splits["test"]
    measurement = calibration_error(
        split.recorded["probabilities"], split.target, found.subject.task
    )
    mark = mark_of(calibration_error)
    assert isinstance(mark, CheckMark)
    assert mark.requires is not None
    assert judge(measurement, mark.requires, mark.least).verdict in found.verdict


def test_the_network_is_the_published_one(data_dir: Path) -> None:
    """The README of the data reports 81.03 % on all 10,000 JPEG copies; here 2,000 of them."""
    split = natural.published_resnet_on_compressed_images(data_dir).subject.splits["test"]
    assert split.target is not None
    right = np.mean(split.recorded["probabilities"].argmax(axis=1) == split.target)
    assert right == pytest.approx(0.8103, abs=0.02)  # 2 standard errors: 0.0175
