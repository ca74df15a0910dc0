"""Values as JSON and arrays, exactly: what comes back has the same types all the way down.

Records (frozen dataclasses) are written by name and made again from an allow-list alone.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any

import numpy as np

MOST_EXACT = 1 << 53  # beyond, some JSON readers round

KEPT = "arrays, numbers, str, bool, None, tuples, lists and dicts of them, and records"
ARRAY_KINDS = "biufcUSmM"


@dataclass(frozen=True)
class Encoded:
    """A value as a JSON structure, in which {"array": [index, dtype, shape]} stands for an array."""

    structure: Any  # Any: JSON
    arrays: tuple[np.ndarray, ...]


Records = Mapping[str, type]


def encode(value: Any, records: Records) -> Encoded:  # Any: what an artifact returned
    """Take a value apart.

    Raises
    ------
    TypeError
        When it holds something that cannot be kept.
    """
    arrays: list[np.ndarray] = []
    return Encoded(_encoded(value, arrays, records), tuple(arrays))


def decode(encoded: Encoded, records: Records) -> Any:  # Any: what an artifact returned
    """Put a value together again, with containers of its own and the arrays as they are.

    Raises
    ------
    Exception
        Of any kind, when the structure is not one that `encode` makes.
    """
    return _decoded(encoded.structure, encoded.arrays, records)


def _encoded(value: Any, arrays: list[np.ndarray], records: Records) -> Any:  # Any: see `encode`
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return value if abs(value) <= MOST_EXACT else {"int": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"float": str(value)}
    if kind is complex:
        return {"complex": [_encoded(x, arrays, records) for x in (value.real, value.imag)]}
    if kind is list:
        return [_encoded(v, arrays, records) for v in value]
    if kind is tuple:
        return {"tuple": [_encoded(v, arrays, records) for v in value]}
    if kind is dict:
        items = value.items()
        return {"dict": [[_encoded(x, arrays, records) for x in item] for item in items]}
    if kind in (np.ndarray, np.memmap) or isinstance(value, np.generic):
        return _encoded_array(value, arrays)
    if is_dataclass(value) and records.get(kind.__name__) is kind:
        names = [f.name for f in fields(value) if f.init]
        held = [[n, _encoded(getattr(value, n), arrays, records)] for n in names]
        return {"record": [kind.__name__, held]}
    raise TypeError(f"it returned or holds {_described(value)}; what can be kept: {KEPT}")


def _encoded_array(value: np.ndarray | np.generic, arrays: list[np.ndarray]) -> Any:  # Any: JSON
    array = np.asarray(value)
    if array.dtype.kind not in ARRAY_KINDS:
        raise TypeError(f"it returned or holds {_described(value)}; what can be kept: {KEPT}")
    arrays.append(array)
    kind = "scalar" if isinstance(value, np.generic) else "array"
    return {kind: [len(arrays) - 1, array.dtype.str, list(array.shape)]}


def _described(value: Any) -> str:  # Any: anything
    if isinstance(value, np.ndarray | np.generic):
        return f"an array of type {type(value).__name__} and dtype {value.dtype}"
    kind = type(value)
    return f"a {kind.__module__}.{kind.__qualname__}"


def _decoded(structure: Any, arrays: Sequence[np.ndarray], records: Records) -> Any:  # Any: JSON
    if isinstance(structure, list):
        return [_decoded(s, arrays, records) for s in structure]
    if not isinstance(structure, dict):
        return structure
    ((tag, content),) = structure.items()
    if tag == "record":
        return _record(content, arrays, records)
    if tag in ("array", "scalar"):
        array = _read_only(arrays[content[0]])
        return array[()] if tag == "scalar" else array
    if tag == "dict":
        return {_decoded(k, arrays, records): _decoded(v, arrays, records) for k, v in content}
    inner = content if isinstance(content, str) else [_decoded(s, arrays, records) for s in content]
    return READERS[tag](inner)


READERS: dict[str, Callable[[Any], Any]] = {  # Any: JSON, and what it stands for
    "tuple": tuple,
    "int": lambda s: int(s, 16),
    "float": float,
    "complex": lambda parts: complex(*parts),
}


def _record(content: Any, arrays: Sequence[np.ndarray], records: Records) -> Any:  # Any: JSON
    name, pairs = content
    held = dict(pairs)
    kind = records[name]
    names = {f.name for f in fields(kind) if f.init}
    needed = {
        f.name
        for f in fields(kind)
        if f.init and f.default is MISSING and f.default_factory is MISSING
    }
    if not needed <= set(held) <= names:
        raise ValueError(f"{name} with fields {sorted(held)}, where {sorted(names)} were expected")
    return kind(**{n: _decoded(s, arrays, records) for n, s in held.items()})


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view
