"""What a function says, with all of the project's or its package's own code that it reaches.

The engine's identity is of bytecode and library versions, so that a stored value is never stale. A record
lives longer: it ships with the package and is read under other versions of Python, so its key is of the
*source*, without comments, docstrings, annotations and decorators. Libraries do not count.
"""

import ast
import linecache
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256
from inspect import unwrap
from types import CodeType, FunctionType, ModuleType
from typing import Any

from roadworthy.engine.code import reading_of
from roadworthy.engine.definitions import parts_of_definition
from roadworthy.engine.parts import Parts, Unknown
from roadworthy.engine.registry import Marked, Registry
from roadworthy.statistics import judged

VERDICT = "procedure judged"  # with `judge`, which it reaches

BY_NAME = ("library", "hands on")  # what counts by its name alone

ADDED = ("'__replace__'",)  # what newer versions of Python give every dataclass

SCALARS = (bool, int, float, complex, str, bytes, type(None))
NOT_SAID = ("decorator_list", "annotation", "returns", "type_comment", "type_params", "ctx")


def codes(registry: Registry) -> Callable[[str], str | None]:
    """Return a function from names as in `Entry.code` ("check accuracy_gap") to keys of code as it stands."""

    def code_of(name: str) -> str | None:
        kind, _, rest = name.partition(" ")
        if name == VERDICT:
            return source_key(judged)
        mappings: dict[str, Mapping[str, Marked]] = {
            "artifact": registry.artifacts,
            "check": registry.checks,
            "control": registry.controls,
            "fault": registry.faults,
            "natural": registry.natural_faults,
        }
        found = mappings[kind].get(rest) if kind in mappings else None
        return None if found is None else source_key(found.function, registry.packages)

    return code_of


def code_name(marked: Marked) -> str:
    """Return the name under which `codes` finds a marked function."""
    return f"{marked.kind.split()[0]} {marked.name}"


@cache
def source_key(function: Callable[..., object], own: frozenset[str] = frozenset()) -> str:
    """Return a key of the function and what it reaches, as 20 hexadecimal digits.

    `own` names top-level packages whose code counts though they are installed.
    """
    seen: dict[int, object] = {}
    lines: set[str] = set()
    stack: list[Any] = [unwrap(function)]
    while stack:
        value = stack.pop()
        if id(value) in seen:
            continue
        seen[id(value)] = value
        parts = value if isinstance(value, Parts) else parts_of_definition(value, own)
        if parts is None or isinstance(parts, Unknown) or parts.tag in BY_NAME:
            continue
        if isinstance(value, FunctionType):
            lines.add(_line(value, parts))
        elif isinstance(value, type):
            told = [_plain(child) for child in parts.children]
            constants = [plain for plain in told if plain is not None and plain not in ADDED]
            lines.add(f"{value.__module__}.{value.__qualname__}:{constants}")
        elif isinstance(value, ModuleType):
            lines.add(value.__name__)
        stack.extend(parts.children)
    return sha256("\n".join(sorted(lines)).encode("utf-8", "surrogatepass")).hexdigest()[:20]


def _line(function: FunctionType, parts: Parts) -> str:
    """Say what a function is, and the constants that it reaches by name."""
    references = reading_of(function.__code__).references
    reached = parts.children[len(parts.children) - len(references) :]
    named = zip(references, reached, strict=True)
    constants = sorted(
        f"{reference.source}{reference.path}={plain}"
        for reference, value in named
        if (plain := _plain(value)) is not None
    )
    defaults = (_plain(function.__defaults__), _plain(function.__kwdefaults__))
    said = _said(function.__code__)
    return f"{function.__module__}.{function.__qualname__}:{said}:{defaults}:{constants}"


def _plain(value: Any) -> str | None:  # Any: whatever a name leads to
    """Return the text of a scalar or of a container of scalars; None for anything else."""
    if isinstance(value, SCALARS):
        return repr(value)
    if type(value) in (tuple, list):
        items = [_plain(item) for item in value]
        return None if None in items else f"({items})"
    if type(value) in (set, frozenset):
        items = [_plain(item) for item in value]
        return None if None in items else f"{{{sorted(map(str, items))}}}"
    if type(value) is dict:
        items = [_plain(item) for pair in value.items() for item in pair]
        return None if None in items else f"{{{items}}}"
    return None


def _said(code: CodeType) -> str:
    node = _definitions(code.co_filename).get((code.co_name, code.co_firstlineno))
    # A lambda, or code whose text is gone, is told by its bytecode.
    said = reading_of(code).digest if node is None else _digest(node)
    return said.hex()[:20]


@cache
def _definitions(file: str) -> dict[tuple[str, int], ast.AST]:
    """Return the functions of a source file by name and first line (that of the first decorator)."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return {}
    return {
        (node.name, min([node.lineno, *(d.lineno for d in node.decorator_list)])): node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def _digest(node: ast.AST) -> bytes:
    return sha256(_text(node).encode("utf-8", "surrogatepass")).digest()


def _text(node: Any) -> str:  # Any: a node, a list of nodes, or a literal
    """Write a syntax tree in a form that is the same in every version of Python."""
    if isinstance(node, list):
        return f"[{','.join(_text(n) for n in node if not _is_docstring(n))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [
        f"{name}={_text(value)}"
        for name, value in ast.iter_fields(node)
        if name not in NOT_SAID and value is not None and value != []
    ]
    return f"{type(node).__name__}({','.join(fields)})"


def _is_docstring(node: Any) -> bool:  # Any: an item of a syntax tree
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
