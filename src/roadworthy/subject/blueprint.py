"""An architecture as plain data, and built again from it: no pickle, and nothing foreign runs unasked.

Classes and functions of this package are written by name. The user's own factory is written as the place
where its file lies, and is run again only where the user says so.
"""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from roadworthy.errors import UserError
from roadworthy.subject.intake import function_named
from roadworthy.subject.model import Network

PACKAGE = "roadworthy"

Json = Any  # Any: what json.loads gives
Own = Callable[[str], Callable[..., Any]]
"""From the place of a user's factory to the factory; raises where it must not be run."""


class Indescribable(Exception):
    """Part of an architecture that plain data cannot say; the message says what."""


def blueprint_of(network: Network) -> Json:
    """Return a network as JSON.

    Raises
    ------
    Indescribable
        Where it holds what cannot be found again by name, such as a live module.
    """
    return {"factory": _plain(network.factory), "source": network.source}


def network_from(blueprint: Json, own: Own) -> Network:
    """Return the network that a blueprint describes; `own` gives the user's factories by their place.

    Raises
    ------
    UserError
        Where it names what is not in this package.
    """
    return Network(_made(blueprint["factory"], own), blueprint["source"])


def trusted(place: str) -> Callable[..., Any]:  # Any: a module
    """Return the user's factory at a place: its file is run."""
    return function_named(place, option="the saved subject")


def refused(place: str) -> Callable[..., Any]:  # Any: never returned
    """Refuse to run the user's factory."""
    raise UserError(
        f"The saved subject is built by your own code, {place}, which would be run. Allow it with --trust; "
        "`audit` and `fix` also take the factory from you, with --model file.py:function."
    )


def names_own(blueprint: Json) -> bool:
    """Whether a network can be built from a blueprint by running the user's own code alone."""
    parts = [blueprint]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            if "yours" in part:
                return True
            parts += part.values()
        elif isinstance(part, list):
            parts += part
    return False


def _plain(value: Any) -> Json:  # Any: a part of an architecture
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, partial):
        return {
            "partial": _plain(cast(Any, value.func)),
            "arguments": [_plain(each) for each in value.args],
            "keywords": {name: _plain(each) for name, each in value.keywords.items()},
        }
    if isinstance(value, tuple | list):
        return {"tuple": [_plain(each) for each in cast(tuple[Any, ...], value)]}
    if isinstance(value, Mapping):
        items = cast(Mapping[Any, Any], value).items()
        return {"mapping": [[_plain(key), _plain(each)] for key, each in items]}
    if isinstance(value, Network):
        return {"network": blueprint_of(value)}
    if inspect.isclass(value) or inspect.isfunction(value):
        return _named(value)
    if is_dataclass(value) and _is_ours(type(value)):
        values = {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
        return {"record": f"{type(value).__module__}:{type(value).__qualname__}", "fields": values}
    raise Indescribable("an object in memory, and no file says how it was built")


def _named(value: Any) -> Json:  # Any: a class or a function
    if "<" in value.__qualname__ or "." in value.__qualname__:
        raise Indescribable(f"{value.__qualname__}, which is written inside another function")
    if _is_ours(value):
        return {"ours": f"{value.__module__}:{value.__qualname__}"}
    file = inspect.getsourcefile(value)
    if file is None or not Path(file).is_file():
        raise Indescribable(f"{value.__qualname__}, whose file is not known")
    return {"yours": f"{Path(file).resolve()}:{value.__qualname__}"}


def _is_ours(value: Any) -> bool:  # Any: a class or a function
    return value.__module__.partition(".")[0] == PACKAGE


def _made(plain: Json, own: Own) -> Any:  # Any: a part of an architecture
    if not isinstance(plain, dict):
        return plain
    data = cast(dict[str, Any], plain)
    if "partial" in data:
        arguments = [_made(each, own) for each in data["arguments"]]
        keywords = {name: _made(each, own) for name, each in data["keywords"].items()}
        return partial(_made(data["partial"], own), *arguments, **keywords)
    if "tuple" in data:
        return tuple(_made(each, own) for each in data["tuple"])
    if "mapping" in data:
        return {_made(key, own): _made(each, own) for key, each in data["mapping"]}
    if "network" in data:
        return network_from(data["network"], own)
    if "yours" in data:
        return own(data["yours"])
    if "ours" in data:
        return _builder(data["ours"])
    if "record" in data:
        kind = _found(data["record"])
        if not (inspect.isclass(kind) and is_dataclass(kind)):
            raise _strange(data["record"])
        return kind(**{name: _made(each, own) for name, each in data["fields"].items()})
    raise _strange(next(iter(data), "nothing"))


def _builder(name: str) -> Any:  # Any: a module class or a factory of modules
    """Return a class of modules or a factory of this package; nothing else of it can be named."""
    import torch

    found = _found(name)
    if inspect.isclass(found) and issubclass(found, torch.nn.Module):
        return found
    if inspect.isfunction(found) and inspect.signature(found).return_annotation == "nn.Module":
        return found
    raise _strange(name)


def _found(name: str) -> Any:  # Any: what a module of this package holds
    module, _, qualified = name.partition(":")
    if module.partition(".")[0] != PACKAGE or not qualified.isidentifier():
        raise _strange(name)
    try:
        return getattr(importlib.import_module(module), qualified)
    except (ImportError, AttributeError):
        raise _strange(name) from None


def _strange(name: str) -> UserError:
    return UserError(
        f'The saved subject names "{name}" as a part of its architecture, which this version of roadworthy does '
        "not have. Read it with the version that wrote it, or name the factory with --model file.py:function."
    )
