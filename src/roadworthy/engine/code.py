"""What a code object does and which names it reaches, read from its bytecode.

Bytecode rather than source: it is there in a notebook too, and comments, line numbers and docstrings
are not in it. A code object never changes, so each is read once in a process.
"""

import dis
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR, CO_VARARGS, CO_VARKEYWORDS
from types import CodeType
from typing import NamedTuple

GLOBAL_LOADS = frozenset(
    dis.opmap[name]
    for name in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
    if name in dis.opmap
)
ATTRIBUTE_LOADS = frozenset(("LOAD_ATTR", "LOAD_METHOD"))
STORES = frozenset(("STORE_FAST", "STORE_DEREF", "STORE_NAME", "STORE_GLOBAL"))
WALKS = frozenset(("IMPORT_FROM", "SWAP", "POP_TOP"))  # from a to b and c in `import a.b.c as d`
CONSTANT_LOADS = frozenset(("LOAD_CONST", "LOAD_SMALL_INT"))
HAS_CONSTANT = frozenset(dis.hasconst)
# Some store one variable and load another: STORE_FAST_LOAD_FAST (3.13).
VARIABLE_LOADS = frozenset(
    code
    for name, code in dis.opmap.items()
    if "LOAD_" in name
    and name not in (*ATTRIBUTE_LOADS, "LOAD_CLOSURE")
    and code not in HAS_CONSTANT
)
HAS_NAME = frozenset(dis.hasname)

NOT_CODE = frozenset(("__doc__", "__qualname__", "__firstlineno__", "__static_attributes__"))
"""Names that the body of a class stores and that say where or how it is written, not what it does."""

FLAGS = CO_VARARGS | CO_VARKEYWORDS | CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR


class Import(NamedTuple):
    """A module, or a name of one, that a function imports in its body."""

    level: int
    module: str
    name: str | None


class Reference(NamedTuple):
    """A global name or a local import, and the attributes that are read from it: `module.helper`."""

    source: str | Import
    path: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """What is read from a code object and those nested in it."""

    digest: bytes
    references: tuple[Reference, ...]


_INSTRUCTIONS: dict[int, list[dis.Instruction]] = {}  # while one reading is made; they are large
_READINGS: dict[int, tuple[CodeType, Reading]] = {}  # holds the code, so that its id stays taken


def reading_of(code: CodeType) -> Reading:
    """Return what a code object does (a digest) and the names that it reaches."""
    known = _READINGS.get(id(code))
    if known is None:
        references = dict.fromkeys(_references(code, {}))
        known = (code, Reading(_digest(code), tuple(references)))
        _READINGS[id(code)] = known
        _INSTRUCTIONS.clear()
    return known[1]


def _digest(code: CodeType) -> bytes:
    """Hash operations and arguments; a constant counts where it is used, so a docstring never does."""
    content = sha256()
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
    names = (code.co_varnames, code.co_freevars, code.co_cellvars)
    content.update(_text((*counts, code.co_flags & FLAGS, *names)) + code.co_exceptiontable)
    for step in _without_place(_instructions(code)):
        content.update(step.opcode.to_bytes(2, "little"))
        if step.opcode in HAS_CONSTANT:
            content.update(_constant_digest(step.argval))
        else:
            content.update(_text(step.argval if step.opcode in HAS_NAME else step.arg))
    return content.digest()


def _without_place(instructions: list[dis.Instruction]) -> Iterator[dis.Instruction]:
    """Leave out what a class body stores of where and how it is written."""
    held: dis.Instruction | None = None
    for step in instructions:
        if step.opname == "STORE_NAME" and step.argval in NOT_CODE and held is not None:
            held = None
            continue
        if held is not None:
            yield held
        held = step if step.opname in CONSTANT_LOADS else None
        if held is None:
            yield step
    if held is not None:
        yield held


def _constant_digest(value: object) -> bytes:
    """Hash a constant of a code object: a scalar, nested code, or tuples and frozensets of them."""
    if isinstance(value, CodeType):
        return reading_of(value).digest
    if isinstance(value, tuple):
        parts = [_constant_digest(v) for v in value]
    elif isinstance(value, frozenset):
        parts = sorted(_constant_digest(v) for v in value)
    else:
        # The text of a literal is the literal: it tells 1 from True, 1.0 and "1", and 0.0 from -0.0.
        return sha256(_text(value)).digest()
    return sha256(type(value).__name__.encode() + b"".join(parts)).digest()


def _text(value: object) -> bytes:
    return f"{value!r};".encode("utf-8", "surrogatepass")


def _instructions(code: CodeType) -> list[dis.Instruction]:
    found = _INSTRUCTIONS.get(id(code))
    if found is None:
        found = [i for i in dis.get_instructions(code) if i.opname != "EXTENDED_ARG"]
        _INSTRUCTIONS[id(code)] = found
    return found


def _references(code: CodeType, inherited: Mapping[str, Import]) -> Iterator[Reference]:
    """Yield what a code object reaches, nested code included.

    `inherited` maps variables of the enclosing functions to what they import.
    """
    instructions = _instructions(code)
    imports = list(_imports(instructions))
    known = {**inherited, **{i.variable: i.source for i in imports if i.variable}}
    cells = {*code.co_cellvars, *code.co_freevars}
    seen: set[str | Import] = set()
    for position, step in enumerate(instructions):
        if step.opcode in HAS_CONSTANT:
            nested = isinstance(step.argval, CodeType)
            found = list(_references(step.argval, known)) if nested else []
        elif step.opcode in GLOBAL_LOADS or (known and step.opcode in VARIABLE_LOADS):
            path = _path(instructions, position + 1)
            found = list(_loads(step, known, cells, path))
        else:
            continue
        seen |= {reference.source for reference in found}
        yield from found
    yield from (Reference(i.source, ()) for i in imports if i.source not in seen)


def _loads(
    step: dis.Instruction, known: Mapping[str, Import], cells: set[str], path: tuple[str, ...]
) -> Iterator[Reference]:
    if step.opname == "LOAD_NAME" and step.argval == "__name__":
        return  # what a class body stores as __module__
    if step.opcode in GLOBAL_LOADS:
        yield Reference(step.argval, path)
    # One operation may load two variables (3.13); only the last can be what is read from.
    names = step.argval if isinstance(step.argval, tuple) else (step.argval,)
    for name in names:
        # A cell that is loaded as a variable is handed on to a closure: it counts where it is read.
        is_handed_on = step.opname.startswith("LOAD_FAST") and name in cells
        if name in known and not is_handed_on:
            yield Reference(known[name], path if name == names[-1] else ())


def _path(instructions: list[dis.Instruction], start: int) -> tuple[str, ...]:
    path: list[str] = []
    for step in instructions[start:]:
        if step.opname not in ATTRIBUTE_LOADS:
            break
        path.append(step.argval)
    return tuple(path)


class _Bound(NamedTuple):
    """An import, and the variable that it is bound to where that is plain to see."""

    source: Import
    variable: str | None


def _imports(instructions: list[dis.Instruction]) -> Iterator[_Bound]:
    level, module, names = 0, "", ()
    for position, step in enumerate(instructions):
        if step.opname == "IMPORT_NAME":
            level, names = (s.argval for s in instructions[position - 2 : position])
            module = step.argval
            if not names:
                yield _plain_import(instructions, position, level)
        elif step.opname == "IMPORT_FROM" and names:
            source = Import(level, module, step.argval)
            yield _Bound(source, _stored(instructions, position + 1))


def _plain_import(instructions: list[dis.Instruction], position: int, level: int) -> _Bound:
    """Read `import a.b`, which binds a, or `import a.b as c`, which walks to b and binds that."""
    module: str = instructions[position].argval
    variable = _stored(instructions, position + 1)
    if variable is not None and variable == module.partition(".")[0]:
        return _Bound(Import(level, variable, None), variable)
    after = position + 1
    while after < len(instructions) and instructions[after].opname in WALKS:
        after += 1
    return _Bound(Import(level, module, None), _stored(instructions, after))


def _stored(instructions: list[dis.Instruction], position: int) -> str | None:
    if position < len(instructions) and instructions[position].opname in STORES:
        return instructions[position].argval
    return None
