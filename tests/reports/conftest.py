"""What tests of reports share: made-up audits, a browser where there is one, and golden files.

Renew the golden files with `pytest tests/reports --renew-golden`, and read the difference.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:  # tests are no package; their own modules lie beside them
    sys.path.insert(0, str(HERE))

import chromium  # noqa: E402 - found through the line above


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew-golden", action="store_true", help="write golden files anew")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the golden file of that name, or write it."""

    def compare(name: str, text: str) -> None:
        path = HERE / "golden" / name
        if request.config.getoption("--renew-golden", default=False):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.is_file(), f"{path} is missing: run pytest tests/reports --renew-golden"
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture(scope="session")
def browser() -> Iterator[chromium.Page]:
    program = chromium.find()
    if program is None:
        pytest.skip(f"no browser found: none of {', '.join(chromium.NAMES)} is on the path")
    with chromium.browser(program) as page:
        yield page
