"""CONTRIBUTING's "add a check in ten minutes", followed to the letter by a stranger's package."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from roadworthy.engine import Registry

PAGE = Path(__file__).resolve().parent.parent / "CONTRIBUTING.md"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder from which the package of the page can be imported, entry point and all."""
    folder = tmp_path_factory.mktemp("stranger")
    text = PAGE.read_text(encoding="utf-8")
    (project,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (checks,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (repair,) = re.findall(r"```py\n(.*?)```", text, re.DOTALL)
    (docstring,) = re.findall(r'`("""Checks of misplaced certainty\.""")`', text)
    (folder / "pyproject.toml").write_text(project)
    package = folder / "overconfidence"
    package.mkdir()
    (package / "__init__.py").write_text(docstring + "\n")
    (package / "checks.py").write_text(checks)
    (package / "mitigations.py").write_text(repair)
    target = folder / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "--no-deps", "--no-index", "--no-build-isolation", "--target", target, folder],
        check=True,
    )
    return target


def roadworthy(site: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "roadworthy", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={
            "PYTHONPATH": str(site),
            "PATH": "/usr/bin:/bin",
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "160",
            "HOME": str(folder),
        },
    )


def test_the_new_check_is_listed_audited_and_described(installed: Path, tmp_path: Path) -> None:
    listed = roadworthy(installed, "list", folder=tmp_path)
    assert "confident_mistakes" in listed.stdout, listed.stderr
    audited = roadworthy(installed, "audit", "digits", "--only", "overconfidence", folder=tmp_path)
    assert audited.returncode in (0, 2), audited.stdout + audited.stderr
    assert "confident_mistakes" in audited.stdout
    described = roadworthy(installed, "describe", "confident_mistakes", folder=tmp_path)
    assert "more than 90 % sure" in described.stdout


@pytest.mark.slow
def test_the_new_fault_qualifies_the_new_check(installed: Path, tmp_path: Path) -> None:
    tested = roadworthy(
        installed,
        "selftest",
        "digits",
        "--only",
        "overconfidence",
        "--budget",
        "40s",
        folder=tmp_path,
    )
    assert tested.returncode == 0, tested.stderr
    assert "confident_mistakes" in tested.stdout


@pytest.mark.slow
def test_a_stranger_adds_a_repair(installed: Path, tmp_path: Path) -> None:
    listed = roadworthy(installed, "list", "--mitigations", folder=tmp_path)
    assert "smoothed_labels" in listed.stdout
    rooms = ",".join({c.mark.challenge for c in Registry.discover().checks.values()})  # pyright: ignore
    tried = roadworthy(installed, "fix", "digits", "--profile", "quick", "--only", "smoothed_labels",
                       "--skip", rooms, "--quiet", "--out", "mended", folder=tmp_path)  # fmt: skip
    assert tried.returncode in (0, 1), tried.stderr
    assert "smoothed labels" in tried.stdout
    assert (tmp_path / "mended" / "fix.json").is_file()
