"""Generated pages say what the program says."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_current(generate: ModuleType) -> None:
    stale = [
        str(path.relative_to(ROOT))
        for path, text in generate.pages().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    assert not stale, "renew them with `make docs`"


def test_every_check_is_described_whole() -> None:
    from roadworthy.engine import Registry
    from roadworthy.procedures.description import describe

    registry = Registry.discover()
    proven = {getattr(m.mark, "breaks", None) for m in registry.faults.values()}
    for name, marked in registry.checks.items():
        about = describe(marked.function)
        assert about.title, name
        assert about.unit, f"{name}: no Unit:"
        if getattr(marked.mark, "requires", None) is not None:
            assert about.qualified_at, f"{name}: no Qualified at:"
            assert about.next, f"{name}: no Next:"
            assert name in proven, f"{name}: no fault plants what it looks for"


def test_every_fault_starts_from_a_control_that_exists() -> None:
    from roadworthy.engine import FaultMark, Registry

    registry = Registry.discover()
    for name, marked in registry.faults.items():
        assert isinstance(marked.mark, FaultMark)
        assert marked.mark.breaks in registry.checks, name
        assert marked.mark.starts_from is None or marked.mark.starts_from in registry.controls, name


def test_options_that_pages_set_are_there_to_be_set() -> None:
    from roadworthy.engine import Registry

    registry = Registry.discover()
    known = {
        name: {p.name for p in marked.parameters if p.kind is p.KEYWORD_ONLY}
        for name, marked in {**registry.checks, **registry.artifacts}.items()
    }
    found = [
        (page.name, node, option)
        for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
        for node, option in re.findall(
            r"--set \W?([a-z]\w*)\.([a-z]\w*)=", page.read_text(encoding="utf-8")
        )
    ]
    assert len(found) >= 10
    assert not [each for each in found if each[2] not in known.get(each[1], set())]
