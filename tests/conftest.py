"""What all tests share: where the real data lies, and the strictest settings."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")

# Property tests are not timed: the machine that runs them may be slow and busy.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real data sets with ground truth; the test is skipped where it is absent."""
    folder = Path(os.environ.get("ROADWORTHY_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set ROADWORTHY_DATA to a folder that has them")
    return folder
