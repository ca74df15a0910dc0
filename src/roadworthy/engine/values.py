"""Taking values apart for their identity: numbers, strings, arrays, containers, dataclasses, objects.

Never by pickling and never by `repr` of an object: what is not known here is `Unknown`.
"""

import logging
import re
import struct
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import cache
from pathlib import PurePath
from types import GenericAlias, MappingProxyType, SimpleNamespace, UnionType
from typing import Any, ParamSpec, TypeVar

import numpy as np

from roadworthy.engine.arrays import digest_of_array
from roadworthy.engine.isolation import Failure, attempt
from roadworthy.engine.parts import Parts, Unknown, text

Read = Parts | Unknown
UNSET = Parts("unset")


def parts_of_value(value: Any) -> Read:  # Any: whatever a field or a constant may hold
    """Take a value apart that is neither a function, nor a class, nor a module."""
    plain = PLAIN.get(type(value))
    if plain is not None:
        return plain(value)
    if hasattr(type(value), "__roadworthy_identity__"):
        return _by_its_own_account(value)
    for kinds, read in BY_KIND:
        if isinstance(value, kinds):
            return read(value)
    if type(value).__module__.partition(".")[0] == "torch" and "torch" in sys.modules:
        found = _of_torch(value)
        if found is not None:
            return found
    if is_dataclass(value):
        held = [getattr(value, f.name, UNSET) for f in fields(value)]
        return Parts("dataclass", children=(type(value), *held))
    return _object(value)


def _by_its_own_account(value: Any) -> Read:  # Any: an object with __roadworthy_identity__
    outcome = attempt(value.__roadworthy_identity__)
    if isinstance(outcome, Failure):
        return Unknown(f"{_name(type(value))}, whose identity failed with {outcome.reason}")
    return Parts("identity", children=(type(value), outcome.value))


def _integer(value: int) -> Parts:
    return Parts("int", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))


def _mapping(value: Mapping[Any, Any]) -> Parts:  # Any: whatever the mapping holds
    return Parts("dict", children=tuple(part for item in value.items() for part in item))


def _array(value: np.ndarray) -> Read:
    kind = type(value)
    if kind is np.ma.MaskedArray:
        return Parts("masked", children=(np.asarray(value.data), np.ma.getmaskarray(value)))
    if kind not in (np.ndarray, np.memmap):
        return Unknown(f"an array of type {_name(kind)}")
    if value.dtype.hasobject or value.dtype.kind == "T":
        head = text(f"{value.dtype.str}{value.shape}")
        return Parts("objects", head, tuple(value.ravel().tolist()))
    return Parts("array", digest_of_array(value))


def _numpy_scalar(value: np.generic) -> Read:
    return Parts("scalar", children=(np.asarray(value),))


PLAIN: dict[type, Callable[[Any], Read]] = {  # Any: a value of the type in the key
    type(None): lambda _: Parts("none"),
    type(...): lambda _: Parts("ellipsis"),
    type(NotImplemented): lambda _: Parts("not implemented"),
    object: lambda _: Parts("object"),
    bool: lambda v: Parts("bool", b"1" if v else b"0"),
    int: _integer,
    float: lambda v: Parts("float", struct.pack("<d", v)),
    complex: lambda v: Parts("complex", struct.pack("<dd", v.real, v.imag)),
    str: lambda v: Parts("str", text(v)),
    bytes: lambda v: Parts("bytes", v),
    bytearray: lambda v: Parts("bytearray", bytes(v)),
    tuple: lambda v: Parts("tuple", children=v),
    list: lambda v: Parts("list", children=tuple(v)),
    deque: lambda v: Parts("deque", children=(v.maxlen, *v)),
    dict: _mapping,
    OrderedDict: _mapping,
    MappingProxyType: _mapping,
    SimpleNamespace: lambda v: Parts("namespace", children=(_mapping(vars(v)),)),
    defaultdict: lambda v: Parts("defaultdict", children=(v.default_factory, _mapping(v))),
    set: lambda v: Parts("set", children=tuple(v)),
    frozenset: lambda v: Parts("set", children=tuple(v)),
    range: lambda v: Parts("range", children=(v.start, v.stop, v.step)),
    slice: lambda v: Parts("slice", children=(v.start, v.stop, v.step)),
    np.ndarray: _array,
}

BY_KIND: tuple[tuple[Any, Callable[[Any], Read]], ...] = (  # Any: types, and values of them
    (Enum, lambda v: Parts("enum", text(v.name), (type(v), v.value))),
    (np.ndarray, _array),
    (np.generic, _numpy_scalar),
    (np.dtype, lambda v: Parts("dtype", text(f"{v.str}{v.descr}"))),
    (re.Pattern, lambda v: Parts("pattern", children=(v.pattern, v.flags))),
    (PurePath, lambda v: Parts("path", text(str(v)))),
    ((datetime, date, time), lambda v: Parts(type(v).__name__, text(v.isoformat()))),
    (timedelta, lambda v: Parts("timedelta", children=(v.days, v.seconds, v.microseconds))),
    (Decimal, lambda v: Parts("decimal", text(str(v)))),
    (Fraction, lambda v: Parts("fraction", children=(v.numerator, v.denominator))),
    # What is written to or set during a run is not part of what a function computes.
    (logging.Logger, lambda v: Parts("logger", text(v.name))),
    (ContextVar, lambda v: Parts("context", text(v.name))),
    ((GenericAlias, UnionType), lambda v: Parts("alias", children=_alias(v))),
    ((TypeVar, ParamSpec), lambda v: Parts("type variable", text(v.__name__))),
)

PAYLOADS = (OrderedDict, dict, list, tuple, str, int, float, set, frozenset, bytes)


def _alias(value: Any) -> tuple[Any, ...]:  # Any: a generic alias or a union of types
    return (getattr(value, "__origin__", None), *value.__args__)


def _object(value: Any) -> Read:  # Any: an instance of a class that is not known here
    """Read `__dict__`, slots and what a built-in base holds, where that is all there is."""
    kind = type(value)
    base = next((each for each in kind.__mro__ if each in PAYLOADS), object)
    slots = [name for each in kind.__mro__ for name in _slots(each)]
    if _size(kind) != _expected_size(
        base, len(slots), kind.__dictoffset__ != 0, kind.__weakrefoffset__ != 0
    ):
        return Unknown(f"an object of type {_name(kind)}")
    payload = () if base is object else (PLAIN[base](_as(base, value)),)
    state = {name: getattr(value, name, UNSET) for name in slots} | getattr(value, "__dict__", {})
    return Parts("instance", children=(kind, *payload, _mapping(state)))


def _as(
    base: Any, value: Any
) -> Any:  # Any: one of PAYLOADS, and a value of a class derived from it
    return base(value)


def _size(kind: type) -> tuple[int, int]:
    return kind.__basicsize__, kind.__itemsize__


@cache
def _expected_size(base: type, slots: int, has_dict: bool, has_weakref: bool) -> tuple[int, int]:
    """Return how large an object is that is written in Python: a larger one hides state in C.

    Where a class says it is from does not tell: operator.itemgetter is written in C.
    """
    names = [f"slot{i}" for i in range(slots)]
    names += ["__dict__"] * (has_dict and not base.__dictoffset__)
    names += ["__weakref__"] * (has_weakref and not base.__weakrefoffset__)
    return _size(type("Written", (base,), {"__slots__": tuple(names)}))


def _slots(kind: type) -> tuple[str, ...]:
    names = vars(kind).get("__slots__", ())
    names = (names,) if isinstance(names, str) else tuple(names)
    return tuple(
        f"_{kind.__name__.lstrip('_')}{n}" if n.startswith("__") and not n.endswith("__") else n
        for n in names
        if n not in ("__dict__", "__weakref__")
    )


def _of_torch(value: Any) -> Read | None:  # Any: an object of a class in torch
    import torch

    if isinstance(value, torch.dtype | torch.device | torch.layout | torch.memory_format):
        return Parts("torch", text(str(value)))
    if not isinstance(value, torch.Tensor):
        return None
    if value.layout != torch.strided or value.is_quantized or value.is_meta:
        return Unknown(f"a tensor with {value.dtype} and {value.layout} on {value.device}")
    plain = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
    if plain.is_complex():
        plain = torch.view_as_real(plain)
    content = plain.reshape(-1).view(torch.uint8).numpy()
    head = f"{value.dtype}{tuple(value.shape)}{value.requires_grad}"
    return Parts("tensor", text(head) + digest_of_array(content))


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
