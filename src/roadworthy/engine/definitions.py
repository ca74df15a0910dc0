"""Taking functions, classes and modules apart for their identity: own code, libraries by version."""

import collections
import functools
import importlib
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from importlib.util import resolve_name
from types import (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any, NamedTuple

import numpy as np

from roadworthy.engine.code import Import, Reference, reading_of
from roadworthy.engine.isolation import Failure, attempt
from roadworthy.engine.libraries import library_of, resolves_to
from roadworthy.engine.marks import ATTRIBUTE
from roadworthy.engine.parts import Parts, Unknown, text

Read = Parts | Unknown
Own = frozenset[str]

UNREADABLE = frozenset(
    [
        "builtins.eval",
        "builtins.exec",
        "builtins.globals",
        "builtins.__import__",
        "importlib.import_module",
        "importlib.reload",
        "runpy.run_path",
        "runpy.run_module",
        "sys.modules",
    ]
)
"""Functions through which code reaches what its bytecode does not name."""
HANDS_ON = frozenset(["roadworthy.engine.recall.recall"])
"""Functions of the engine that hand values on and decide none: their own code counts by name alone."""

NOT_STATE = frozenset(
    (
        *("__doc__", "__module__", "__qualname__", "__dict__", "__weakref__", "__annotations__"),
        "__slotnames__",  # which copy.copy leaves behind
        *("__annotate__", "__annotate_func__", "__annotations_cache__", "__firstlineno__"),
        *("__static_attributes__", "__abstractmethods__", "_abc_impl", "__orig_bases__"),
        *("__parameters__", "__type_params__", "__dataclass_fields__", "__dataclass_params__"),
        # Derived by torch.autograd.Function, with a number that depends on the order of definitions.
        *("_backward_cls", "_autograd_function_id"),
    )
)
"""Entries of a class that say where it is written or are derived from others."""

HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: a class made by a class statement
C_FUNCTIONS = (
    BuiltinFunctionType,
    ClassMethodDescriptorType,
    MethodDescriptorType,
    MethodWrapperType,
    WrapperDescriptorType,
    np.ufunc,
)
UFUNC_HOMES = ("numpy", "scipy.special")  # scipy's ufuncs do not say where they are from


def parts_of_definition(value: Any, own: Own) -> Read | None:  # Any: any object
    """Take a function, class, module, method or descriptor apart; None for any other value."""
    if isinstance(value, FunctionType):
        return _function(value, own)
    if isinstance(value, type):
        return _class(value, own)
    if isinstance(value, ModuleType):
        return _module(value, own)
    if isinstance(value, MethodType):
        return Parts("method", children=(value.__func__, value.__self__))
    if isinstance(value, functools.partial):
        return Parts("partial", children=(value.func, value.args, value.keywords))
    if isinstance(value, staticmethod | classmethod):
        return Parts(type(value).__name__, children=(value.__func__,))
    if isinstance(value, property):
        return Parts("property", children=(value.fget, value.fset, value.fdel))
    if isinstance(value, functools.cached_property):
        return Parts("property", children=(value.func,))
    if isinstance(value, MemberDescriptorType | GetSetDescriptorType):
        return Parts("slot", text(value.__name__))
    if isinstance(value, C_FUNCTIONS) or _is_named_callable(value, own):
        return _named(value, own)
    if hasattr(value, "cache_parameters"):  # functools.lru_cache
        return Parts("cached", children=(value.__wrapped__,))
    return None


def _function(function: FunctionType, own: Own) -> Read:
    home = str(function.__globals__.get("__name__", ""))
    library = library_of(home, own)
    if f"{home}.{function.__qualname__}" in HANDS_ON:
        return Parts("hands on", text(function.__qualname__))
    if library is None:
        return Parts("function", reading_of(function.__code__).digest, _reached(function, own))
    name = f"{function.__module__}.{function.__qualname__}"
    if name in UNREADABLE:
        return Unknown(f"{name}()")
    # Made by a library from something of the user's own, as by @torch.no_grad().
    held = () if _is_from_library(function, own) else _held(function)
    return Parts("library", text(f"{home}.{function.__qualname__} {library}"), held)


def _is_from_library(function: FunctionType, own: Own) -> bool:
    module, name = function.__module__ or "", function.__qualname__
    return library_of(module, own) is not None and resolves_to(module, name, function)


def _held(function: FunctionType) -> tuple[Any, ...]:  # Any: whatever the function holds
    cells = tuple(_content(cell) for cell in function.__closure__ or ())
    return (*cells, getattr(function, "__wrapped__", None))


def _reached(function: FunctionType, own: Own) -> tuple[Any, ...]:  # Any: whatever it reaches
    names = sorted(set(vars(function)) - {ATTRIBUTE})
    return (
        Parts("defaults", children=function.__defaults__ or ()),
        function.__kwdefaults__,
        Parts("closure", children=tuple(_content(c) for c in function.__closure__ or ())),
        Parts("attributes", children=tuple(x for n in names for x in (n, vars(function)[n]))),
        *(
            _resolved(reference, function.__globals__, own)
            for reference in reading_of(function.__code__).references
        ),
    )


def _content(cell: Any) -> Any:  # Any: a cell, and what is in it
    try:
        return cell.cell_contents
    except ValueError:
        return Parts("empty cell")


def _resolved(reference: Reference, names: dict[str, Any], own: Own) -> Any:  # Any: what is reached
    """Return what a reference leads to: the object, or the library that it is part of."""
    source, path = reference
    if isinstance(source, Import):
        found, path = _imported(source, path, names, own)
    else:
        found = names[source] if source in names else _built_in(source)
    for attribute in path:
        if not isinstance(found, ModuleType):
            break
        if library_of(found.__name__, own) is not None:
            return _of_library(f"{found.__name__}.{attribute}", own)
        inner = _attribute(found, attribute)
        if inner is None:
            break
        found = inner
    return found


def _built_in(name: str) -> Read:
    if f"builtins.{name}" in UNREADABLE:
        return Unknown(f"{name}()")
    return Parts("builtin", text(name))


def _of_library(name: str, own: Own) -> Read:
    if name in UNREADABLE:
        return Unknown(f"{name}()")
    return Parts("library", text(f"{name} {library_of(name, own)}"))


class _Imported(NamedTuple):
    """What an import statement gives, and the attributes of it that are still to be read."""

    found: Any  # Any: an object, or the library that it is part of
    path: tuple[str, ...]


def _imported(
    source: Import, path: tuple[str, ...], names: dict[str, Any], own: Own
) -> _Imported:  # Any: global names
    module = source.module
    if source.level:
        module = resolve_name("." * source.level + module, str(names.get("__package__") or ""))
    if library_of(module, own) is not None:  # not imported: that may take seconds
        dotted = (module, *((source.name,) if source.name else ()), *path[:1])
        return _Imported(_of_library(".".join(dotted), own), ())
    loaded = attempt(lambda: importlib.import_module(module))
    if isinstance(loaded, Failure):
        if isinstance(loaded.error, ModuleNotFoundError):  # an extra that is not installed
            return _Imported(Parts("absent", text(f"{module} {loaded.error.name}")), ())
        what = f"module {module}, which cannot be imported ({loaded.reason})"
        return _Imported(Unknown(what), ())
    if source.name is None:
        return _Imported(loaded.value, path)
    found = _attribute(loaded.value, source.name)
    return _Imported(loaded.value if found is None else found, path)


def _attribute(module: ModuleType, name: str) -> Any:  # Any: what a module holds
    """Return what a module holds under a name, a submodule that is not loaded yet included."""
    if name in vars(module):
        return vars(module)[name]
    if not hasattr(module, "__path__"):
        return None
    loaded = attempt(lambda: importlib.import_module(f"{module.__name__}.{name}"))
    return None if isinstance(loaded, Failure) else loaded.value


def _module(module: ModuleType, own: Own) -> Read:
    library = library_of(module.__name__, own)
    if library is not None:
        return Parts("library", text(f"{module.__name__} {library}"))
    names = sorted(n for n in vars(module) if n == "__getattr__" or not n.startswith("__"))
    return Parts("module", children=tuple(x for n in names for x in (n, vars(module)[n])))


def _class(kind: type, own: Own) -> Read:
    library = library_of(kind.__module__, own)
    is_made_in_python = bool(kind.__flags__ & HEAP_TYPE)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if library is not None and (
        not is_made_in_python or resolves_to(kind.__module__, kind.__qualname__, kind)
    ):
        return Parts("library", text(f"{name} {library}"))
    metaclass = () if type(kind) is type else (type(kind),)
    members = _enum_members(kind) if issubclass(kind, Enum) else _members(kind)
    return Parts(
        "class", text(kind.__qualname__), (*kind.__bases__, *metaclass, *_form(kind), *members)
    )


def _form(kind: type) -> Iterator[Any]:  # Any: defaults of fields
    """Yield what a dataclass or a named tuple declares; its methods are generated from that."""
    if "__dataclass_fields__" in vars(kind):
        parameters = vars(kind)["__dataclass_params__"]
        yield tuple(getattr(parameters, n) for n in ("init", "eq", "order", "frozen"))
        for each in fields(kind):  # pyright: ignore[reportArgumentType] - a dataclass, just seen
            flags = (each.init, each.compare, each.hash, each.kw_only is True)
            given = [v for v in (each.default, each.default_factory) if v is not MISSING]
            yield Parts("field", text(f"{each.name} {flags}"), (*given, *each.metadata.items()))
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        yield (kind._fields, getattr(kind, "_field_defaults", None))  # pyright: ignore[reportAttributeAccessIssue] - a named tuple


def _members(kind: type) -> Iterator[Any]:  # Any: whatever a class holds
    for name, value in sorted(vars(kind).items()):
        if name not in NOT_STATE and not _is_generated(kind, value):
            yield from (name, value)


def _enum_members(kind: type[Enum]) -> Iterator[Any]:  # Any: values of the members
    for name, member in kind.__members__.items():
        yield from (name, member.value)
    for name, value in sorted(vars(kind).items()):
        if isinstance(value, FunctionType | property | classmethod | staticmethod):
            yield from (name, value)


def _is_generated(kind: type, value: Any) -> bool:  # Any: whatever a class holds
    if not (is_dataclass(kind) or issubclass(kind, tuple)):
        return False
    inner: Any = getattr(value, "__func__", value)  # Any: a function, or what is none
    if type(value).__name__ == "_tuplegetter":
        return True
    if not isinstance(inner, FunctionType):
        return False
    inner = getattr(inner, "__wrapped__", inner)
    file = inner.__code__.co_filename
    # Dataclasses and named tuples write their methods as text and execute that.
    return file.startswith("<string>") or file == collections.__file__


def _is_named_callable(value: Any, own: Own) -> bool:  # Any: any object
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None)
    return (
        callable(value)
        and isinstance(module, str)
        and isinstance(name, str)
        and library_of(module, own) is not None
        and resolves_to(module, name, value)
    )


def _named(value: Any, own: Own) -> Read:  # Any: a function written in C
    name = str(getattr(value, "__qualname__", value.__name__))
    module = getattr(value, "__module__", None)
    if module is None and isinstance(value, np.ufunc):
        module = next((m for m in UFUNC_HOMES if resolves_to(m, name, value)), None)
    if module is not None and not resolves_to(module, name, value):
        name = str(value.__name__)  # torch.relu calls itself _VariableFunctionsClass.relu
    if module is not None and resolves_to(module, name, value):
        library = library_of(module, own)
        if f"{module}.{name}" in UNREADABLE or library is None:
            return Unknown(f"{module}.{name}()")
        return Parts("library", text(f"{module}.{name} {library}"))
    for holder in ("__objclass__", "__self__"):
        held = getattr(value, holder, None)
        if held is not None:
            return Parts("bound", text(name), (held,))
    return Unknown(f"the compiled function {name}")
