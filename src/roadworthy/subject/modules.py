"""A live PyTorch module taken apart: what it is (structure), what it has learned (weights)."""

import copy
import dataclasses
import enum
import functools
import inspect
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy.errors import UserError
from roadworthy.subject.model import Network

if TYPE_CHECKING:
    import torch
    from torch import nn

Identity = Any  # Any: nested tuples and dicts of what the engine can hash

PLAIN = (bool, int, float, complex, str, bytes, type(None), np.ndarray, np.generic)
DEEPEST = 20  # levels of configuration objects; beyond, the rest counts as unreadable


def identity_of_module(module: "nn.Module") -> Identity:
    """Return what tells this architecture from another, without the values of its weights.

    Classes and functions are handed on as they are, for the engine to follow their code. Tensors
    that a state dict does not carry count with their values. What cannot be read counts as new
    each time: recomputed, never stale.
    """
    import torch

    return {"torch": torch.__version__, "module": _Reader().module(module)}


def identity_of_value(value: Any) -> Identity:  # Any: any live object
    """Return what tells a live object (a fitted estimator, a callable) from another."""
    return _Reader().value(value, "model")


class _Reader:
    """Walks a module once; an object met again is named by the place where it was met first."""

    def __init__(self) -> None:
        self._met: dict[int, str] = {}
        self._kept: list[Any] = []  # Any: keeps ids of temporary objects from being reused

    def module(self, module: "nn.Module", path: str = "module") -> Identity:
        if id(module) in self._met:
            return ("same as", self._met[id(module)])
        self._remember(module, path)
        persistent = set(module.state_dict(keep_vars=True))
        tensors: dict[str, Identity] = {
            name: (*_form(tensor), self._tied(tensor, f"{path}.{name}"))
            for name, tensor in module.named_parameters(recurse=False, remove_duplicate=False)
        }
        for name, tensor in module.named_buffers(recurse=False):
            tensors[name] = (
                _form(tensor) if name in persistent else ("not in the weights", _array_of(tensor))
            )
        settings = {
            name: self.value(value, f"{path}.{name}")
            for name, value in sorted(vars(module).items())
            if name not in _bookkeeping()
        }
        children = {
            name: self.module(child, f"{path}.{name}") for name, child in module.named_children()
        }
        return {
            "class": self.kind(type(module)),
            "tensors": tensors,
            "settings": settings,
            "hooks": self._hooks(module, path),
            "children": list(children.items()),
        }

    def value(self, value: Any, path: str, depth: int = 0) -> Identity:  # Any: configuration
        if isinstance(value, np.ndarray) and value.dtype.kind in "OV":
            return self._odd_array(value, path, depth)
        if isinstance(value, PLAIN):
            return value
        if depth > DEEPEST:
            return _never_the_same(value)
        if isinstance(value, enum.Enum):
            return (self.kind(type(value)), value.name)
        if isinstance(value, list | tuple):
            parts = [self.value(v, f"{path}[{i}]", depth + 1) for i, v in enumerate(value)]
            return (type(value).__name__, parts)
        if isinstance(value, set | frozenset):
            if all(isinstance(v, str | int) for v in value):
                return ("set", sorted(map(repr, value)))
            return _never_the_same(value)
        if isinstance(value, Mapping):
            pairs = [
                (self.value(k, path, depth + 1), self.value(v, f"{path}[{k!s}]", depth + 1))
                for k, v in value.items()
            ]
            return (type(value).__name__, pairs)
        return self._object(value, path, depth)

    def _odd_array(self, value: np.ndarray, path: str, depth: int) -> Identity:
        if value.dtype.hasobject:
            return ("objects", value.shape, self.value(value.tolist(), path, depth + 1))
        raw = np.frombuffer(value.tobytes(), np.uint8)
        return ("records", str(value.dtype.descr), value.shape, raw)

    def _object(self, value: Any, path: str, depth: int) -> Identity:  # Any: configuration
        import torch

        if isinstance(value, torch.Tensor):
            return ("tensor", _array_of(value))
        if isinstance(value, torch.nn.Module):
            return self.module(value, path)
        if isinstance(value, torch.dtype | torch.device | torch.memory_format | torch.layout):
            return str(value)
        if inspect.isclass(value):
            return self.kind(value)
        if inspect.ismethod(value):
            owner = self.value(value.__self__, f"{path}.__self__", depth + 1)
            return ("method", owner, value.__func__)
        if inspect.isfunction(value):
            return self._function(value, path, depth)
        if isinstance(value, functools.partial):
            parts = (value.func, value.args, value.keywords)
            return ("partial", [self.value(part, path, depth + 1) for part in parts])
        if callable(value) and hasattr(value, "__qualname__"):
            return ("compiled", str(value.__module__), value.__qualname__)
        return self._fields(value, path, depth)

    def _function(self, value: Any, path: str, depth: int) -> Identity:  # Any: a function
        if value.__module__.split(".")[0] == "torch":
            return ("torch function", value.__module__, value.__qualname__)
        if id(value) in self._met:
            return ("same as", self._met[id(value)])
        self._remember(value, path)
        cells = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
        return ("function", value, [self.value(v, f"{path}.cell", depth + 1) for v in cells])

    def _fields(self, value: Any, path: str, depth: int) -> Identity:  # Any: configuration
        if id(value) in self._met:
            return ("same as", self._met[id(value)])
        if hasattr(value, "__roadworthy_identity__"):
            return value
        self._remember(value, path)
        if dataclasses.is_dataclass(value):
            fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        elif hasattr(value, "__dict__") and not _keeps_state_elsewhere(type(value)):
            fields = vars(value)
        else:
            return self._reduced(value, path, depth)
        read = {n: self.value(v, f"{path}.{n}", depth + 1) for n, v in sorted(fields.items())}
        return (self.kind(type(value)), read)

    def _reduced(self, value: Any, path: str, depth: int) -> Identity:  # Any: a compiled object
        """Read an object of a compiled class by what it would tell a pickler; nothing is pickled."""
        try:
            told = value.__reduce_ex__(4)
        except TypeError:
            return _never_the_same(value)
        if isinstance(told, str):
            return ("global", type(value).__module__, told)
        plain = [list(part) if inspect.isgenerator(part) else part for part in told]
        self._kept.append(plain)
        return ("reduced", [self.value(part, path, depth + 1) for part in plain])

    def kind(self, kind: type) -> Identity:
        """Return torch's own classes by name (its version stands beside), others with their bases."""
        own = [k for k in kind.__mro__ if not _is_library(k)]
        library = [k for k in kind.__mro__ if _is_library(k)]
        return (own, f"{library[0].__module__}.{library[0].__qualname__}")

    def _hooks(self, module: "nn.Module", path: str) -> Identity:
        names = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
        return [
            (name, [self.value(hook, f"{path}.{name}") for hook in getattr(module, name).values()])
            for name in names
            if getattr(module, name, None)
        ]

    def _tied(self, tensor: "torch.Tensor", path: str) -> str:
        first = self._met.setdefault(id(tensor), path)
        return "" if first == path else first

    def _remember(self, value: Any, path: str) -> None:  # Any: any object with fields
        self._met[id(value)] = path
        self._kept.append(value)


@functools.cache
def _bookkeeping() -> frozenset[str]:
    from torch import nn

    empty = nn.Module()
    return frozenset(vars(empty)) | {"_is_full_backward_hook", "_compiled_call_impl"}


def _is_library(kind: type) -> bool:
    return kind is object or kind.__module__.split(".")[0] in ("torch", "builtins", "typing", "abc")


def _keeps_state_elsewhere(kind: type) -> bool:
    """Whether a C type or slots hide part of an object's state from its `__dict__`."""
    slotted = any(getattr(k, "__slots__", ()) for k in kind.__mro__)
    is_plain = kind.__basicsize__ <= _Plain.__basicsize__
    return slotted or not is_plain


class _Plain:
    """A class whose objects keep everything in `__dict__`: the size to compare with."""


def _is_filled(cell: Any) -> bool:  # Any: CellType
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _never_the_same(value: Any) -> Identity:  # Any: what could not be read
    kind = type(value)
    return ("cannot be read", f"{kind.__module__}.{kind.__qualname__}", secrets.token_hex(16))


def _form(tensor: "torch.Tensor") -> tuple[Any, ...]:  # Any: strings and whole numbers
    return (str(tensor.dtype), tuple(tensor.shape), bool(tensor.requires_grad))


def weights_of(module: "nn.Module") -> dict[str, np.ndarray]:
    """Return parameters and buffers by name, as arrays of their own.

    What numpy cannot hold (bfloat16, 8-bit floats) is widened to float32, which loses nothing:
    loading it back into the module rounds to the same value.
    """
    return weights_of_state(module.state_dict())


def weights_of_state(state: Mapping[str, Any]) -> dict[str, np.ndarray]:  # Any: tensors
    """Return the tensors of a state dict as arrays; see `weights_of`."""
    return {name: _array_of(tensor, name) for name, tensor in state.items()}


def _array_of(tensor: Any, name: str = "a tensor") -> np.ndarray:  # Any: a tensor or extra state
    import torch

    if not isinstance(tensor, torch.Tensor):
        raise UserError(
            f'The module\'s state holds "{name}" of type {type(tensor).__name__}, and only tensors '
            "can be kept; give the model as a factory without extra state."
        )
    if tensor.is_quantized or tensor.layout != torch.strided:
        raise UserError(
            f'The module\'s weights "{name}" are {tensor.dtype} ({tensor.layout}), which cannot be '
            "audited as they are; give the model as a callable (a black box)."
        )
    if tensor.is_meta:
        raise UserError(
            f'The module\'s weights "{name}" have no values (meta device); load them before.'
        )
    tensor = tensor.detach().cpu()
    if tensor.dtype in _held_by_numpy():
        return tensor.numpy().copy()
    wide = torch.complex64 if tensor.dtype.is_complex else torch.float32
    return tensor.to(wide).numpy()


@functools.cache
def _held_by_numpy() -> frozenset["torch.dtype"]:
    import torch

    floats = (torch.float16, torch.float32, torch.float64, torch.complex64, torch.complex128)
    whole = (torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.bool)
    return frozenset((*floats, *whole))


def load_weights(module: "nn.Module", weights: Mapping[str, np.ndarray]) -> "nn.Module":
    """Put weights into a module, each in the type that the module has for it; return the module."""
    import torch

    tensors = {name: torch.from_numpy(np.array(values)) for name, values in weights.items()}
    module.load_state_dict(tensors)
    return module


class Copies:
    """Makes modules like a given one, with fresh weights and what it holds beside them."""

    def __init__(self, module: "nn.Module") -> None:
        self._module = copy.deepcopy(module).cpu()

    def __call__(self) -> "nn.Module":
        """Return a copy in training mode, its parameters drawn anew."""
        fresh = copy.deepcopy(self._module).train()
        for part in fresh.modules():
            _draw_anew(part)
        return fresh

    def __roadworthy_identity__(self) -> Identity:
        """Identity of the module that is copied, for the engine."""
        return identity_of_module(self._module)


def network_of(module: "nn.Module", source: str = "") -> Network:
    """Return the architecture of a live module; the module itself is never changed afterwards."""
    return Network(Copies(module), source or f"module {type(module).__qualname__}")


def _draw_anew(part: "nn.Module") -> None:
    import torch

    parameters = dict(part.named_parameters(recurse=False))
    reset = getattr(part, "reset_parameters", None) or getattr(part, "_reset_parameters", None)
    if callable(reset):
        reset()
        return
    if not parameters and hasattr(part, "reset_running_stats"):
        part.reset_running_stats()  # type: ignore[operator]: batch norm without affine parameters
        return
    with torch.no_grad():
        # A bare parameter has no rule of its own: the same mean and spread, other values.
        for parameter in parameters.values():
            if parameter.is_floating_point() and parameter.numel() > 1:
                parameter.normal_(float(parameter.mean()), float(parameter.std()))
