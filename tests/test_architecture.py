"""The house: imports point down, rooms on one floor do not know each other, nothing heavy at the door."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "roadworthy"

# What each room may import beside itself. `errors`, `files` and `fewer_rows` are open to all.
MAY_IMPORT = {
    "errors": set(),
    "files": set(),
    "fewer_rows": {"errors"},
    "results": {"errors"},
    "engine": {"results"},
    "statistics": {"results"},
    "subject": {"engine"},
    "perturbation": set(),
    "attribution": {"perturbation"},
    "config": {"results"},
    "training": {"results", "engine", "statistics", "subject", "config", "perturbation"},
    "quantities": {"results", "engine", "statistics", "subject", "config"},
    "procedures": {"results", "engine", "statistics", "subject", "config"},
    "reports": {"results"},
    "challenges": {
        "results",
        "engine",
        "statistics",
        "subject",
        "config",
        "perturbation",
        "attribution",
    },
}
TOP = {
    "api",
    "catalogue",
    "cli",
    "comparing",
    "effect_reports",
    "initialise",
    "options",
    "progress",
    "repairing",
    "report",
    "subject_choice",
    "__init__",
    "__main__",
}
HEAVY = {"torch", "sklearn", "scipy", "pandas", "altair", "vl_convert", "onnxruntime", "pyarrow"}


def imports_of(path: Path) -> set[tuple[str, ...]]:
    """Dotted names below roadworthy that a file imports, at any depth of its code."""
    found: set[tuple[str, ...]] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.startswith("roadworthy")
        ):
            assert node.level == 0, f"{path}: relative import"
            parts = tuple(node.module.split(".")[1:])
            found |= {parts} if parts else {(alias.name,) for alias in node.names}
        elif isinstance(node, ast.Import):
            names = [a.name for a in node.names if a.name.split(".")[0] == "roadworthy"]
            found |= {tuple(name.split(".")[1:]) for name in names}
    return {parts for parts in found if parts}


def files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def place(path: Path) -> tuple[str, ...]:
    return path.relative_to(SOURCE).with_suffix("").parts


@pytest.mark.parametrize("path", files(), ids=lambda p: "/".join(place(p)))
def test_a_file_imports_only_the_rooms_below_its_own(path: Path) -> None:
    room, *rest = place(path)
    if room in TOP:
        return
    for target in imports_of(path):
        if target[0] == room:
            continue
        allowed = MAY_IMPORT[room] | {"errors", "files", "fewer_rows"}
        assert target[0] in allowed, f"{path} imports {'.'.join(target)}; {room} may use {allowed}"
    if room == "challenges" and rest and rest[0] != "__init__":
        others = {t[1] for t in imports_of(path) if t[0] == "challenges" and len(t) > 1}
        assert others <= {rest[0]}, f"{path} imports another challenge: {others - {rest[0]}}"


def test_the_rooms_have_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in files():
        room = place(path)[0]
        graph.setdefault(room, set()).update(t[0] for t in imports_of(path) if t[0] != room)
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError naming the circle


def test_the_command_line_imports_nothing_heavy() -> None:
    code = "import sys, roadworthy.cli; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(out.stdout.split())


def test_every_folder_of_code_is_a_package() -> None:
    for folder in {path.parent for path in files()}:
        assert (folder / "__init__.py").is_file(), f"{folder} has no __init__.py"


@pytest.mark.parametrize("path", files(), ids=lambda p: "/".join(place(p)))
def test_every_file_says_what_it_is_and_no_file_is_a_drawer(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{path}: no docstring"
    assert path.stem not in {"utils", "helpers", "common", "misc"}
