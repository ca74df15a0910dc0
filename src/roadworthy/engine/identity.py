"""Identity: what tells a value, or the code of a function, from any other. See `Identifier`."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from roadworthy.engine.definitions import parts_of_definition
from roadworthy.engine.libraries import PYTHON
from roadworthy.engine.missing import Missing
from roadworthy.engine.parts import Parts, Unknown, text
from roadworthy.engine.values import PLAIN, parts_of_value


@dataclass(frozen=True)
class Fingerprint:
    """Identity of an object, as 64 hexadecimal digits.

    `unknown` names what could not be told from another of its kind: such a fingerprint is new each
    time, so that nothing which depends on it is ever taken from the store. None where all was read.
    """

    digest: str
    unknown: str | None = None


class Identifier:
    """Takes fingerprints.

    Of a function: its bytecode without docstring, its defaults, and the functions, classes and
    constants that it reaches through global names, attributes of modules, closures and imports in
    its body, and so on from there. Code of libraries counts by name and version.
    Of an object: its class, and what it holds, or what its `__roadworthy_identity__()` returns.

    Not seen: files and environment variables that code reads, and modules that it finds by a name
    that is computed other than by the functions listed as UNREADABLE (those make it unknown).

    Parameters
    ----------
    own : frozenset of str
        Top-level packages whose code is read though they are installed.
    """

    def __init__(self, own: frozenset[str] = frozenset()) -> None:
        self._own = own
        self._known: dict[int, tuple[object, Fingerprint]] = {}

    def of(self, value: Any) -> Fingerprint:  # Any: whatever a field may hold, or a function
        """Return the fingerprint of a value or a function.

        What it reaches is taken to be as it was when this identifier first met it.
        """
        return _Walk(self._own, self._of_definition).fingerprint(value)

    def _of_definition(self, value: object) -> Fingerprint:
        """Walk what a definition reaches, once for all that reach it."""
        known = self._known.get(id(value))
        if known is None:
            known = (value, _Walk(self._own).fingerprint(value))
            self._known[id(value)] = known
        return known[1]


def key_of(fields: Mapping[str, Any]) -> str:  # Any: values of fields
    """Return one key for all fields of a subject, as 64 hexadecimal digits; order does not count."""
    present = {n: v for n, v in sorted(fields.items()) if not isinstance(v, Missing)}
    return Identifier().of(present).digest


def base_versions() -> str:
    """Return what every computation rests on: versions of Python and numpy."""
    return f"{PYTHON}, numpy {np.__version__}"


class _Leave(NamedTuple):
    """Marks on the stack the end of an object, for telling a circle from a second occurrence."""

    value: Any  # Any: the object; held, so that its id is not taken by another


class _Walk:
    """One walk over an object, depth first, without recursion: chains of calls can be long.

    With `known`, definitions other than the root count by the fingerprint that it returns; without,
    they are walked too. (Walking them apart at every depth would make the fingerprint of functions
    that call each other depend on where a walk begins.)
    """

    def __init__(
        self, own: frozenset[str], known: Callable[[object], Fingerprint] | None = None
    ) -> None:
        self.unknown: str | None = None
        self._own = own
        self._known = known
        self._open: dict[int, int] = {}
        self._definitions: dict[int, tuple[object, int]] = {}

    def fingerprint(self, root: Any) -> Fingerprint:  # Any: any object
        """Return the fingerprint of the object to walk from."""
        content = self._content(root)
        return Fingerprint(sha256(content).hexdigest(), self.unknown)

    def _content(self, root: Any) -> bytes:  # Any: any object
        found: list[bytes] = []
        stack: list[Any] = [root]
        while stack:
            value = stack.pop()
            if type(value) is _Leave:
                del self._open[id(value.value)]
                continue
            tag, data, children = self._parts(value, stack, is_root=not found)
            found.append(text(f"{tag}:{len(data)}:{len(children)}:"))
            found.append(data)
            if tag == "set":
                found.extend(sorted(self._apart(child) for child in children))
            else:
                stack.extend(reversed(children))
        return b"".join(found)

    def _parts(self, value: Any, stack: list[Any], *, is_root: bool) -> Parts:  # Any: any object
        kind = type(value)
        if kind is Parts:
            return value
        if kind is Unknown:
            return self._strange(value)
        if kind in LEAVES:
            found = PLAIN[kind](value)
            assert isinstance(found, Parts)
            return found
        if isinstance(value, FunctionType | type | ModuleType):
            # The second time a definition is met it counts as the one met before: circles end.
            if id(value) in self._definitions:
                return Parts("met", text(str(self._definitions[id(value)][1])))
            if self._known is not None and not is_root:
                return self._counted(self._known(value))
            self._definitions[id(value)] = (value, len(self._definitions))
        elif id(value) in self._open:
            return Parts("circle", text(str(len(self._open) - self._open[id(value)])))
        else:
            self._open[id(value)] = len(self._open)
            stack.append(_Leave(value))
        read = PLAIN.get(kind)
        found = read(value) if read else self._taken_apart(value)
        return self._strange(found) if isinstance(found, Unknown) else found

    def _taken_apart(self, value: Any) -> Parts | Unknown:  # Any: any object
        return parts_of_definition(value, self._own) or parts_of_value(value)

    def _counted(self, found: Fingerprint) -> Parts:
        self.unknown = self.unknown or found.unknown
        return Parts("fingerprint", bytes.fromhex(found.digest))

    def _strange(self, found: Unknown) -> Parts:
        self.unknown = self.unknown or found.what
        return Parts("unknown", secrets.token_bytes(16))

    def _apart(self, value: Any) -> bytes:  # Any: an element of a set
        return self._counted(_Walk(self._own, self._known).fingerprint(value)).data


LEAVES = frozenset((type(None), bool, int, float, complex, str, bytes))
