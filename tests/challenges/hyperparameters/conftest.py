"""Rows for trainings whose errors are known."""

import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:  # tests are no package; their own modules lie beside them
    sys.path.insert(0, str(HERE))

from known_trainer import labels_of  # noqa: E402 - found through the line above


@pytest.fixture
def rows() -> dict[str, np.ndarray]:
    validation, test = np.arange(20_000.0)[:, None], np.arange(20_000.0, 40_000.0)[:, None]
    return {
        "tuning_rows": np.arange(1_000),
        "validation_inputs": validation,
        "validation_labels": labels_of(validation[:, 0]),
        "test_inputs": test,
        "test_labels": labels_of(test[:, 0]),
    }
