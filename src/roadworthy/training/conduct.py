"""What a module does in training mode, found out by running a copy of it on a few rows."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.subject import Network
from roadworthy.training.running import forward, reproducible, tensor_of

if TYPE_CHECKING:
    from torch import Tensor, nn

ROWS = 4
PLAIN = (type(None), bool, int, float, str)


@dataclass(frozen=True)
class DropoutCall:
    """One call of a dropout layer in a forward pass.

    Parameters
    ----------
    layer : str
    shape : tuple of int
        Of the noise for one row.
    """

    layer: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Conduct:
    """How a module behaves in training mode.

    Parameters
    ----------
    learns : frozenset of str
        Parameters that the outputs depend on.
    writes : frozenset of str
        Buffers that a call changes.
    dropout : tuple of DropoutCall
        In the order of the calls.
    mixes_rows : bool
        Whether outputs of a row may depend on the other rows of its batch (batch normalisation).
    """

    learns: frozenset[str]
    writes: frozenset[str]
    dropout: tuple[DropoutCall, ...]
    mixes_rows: bool


class Unstackable(Exception):
    """These modules cannot be run as one; the message says why. They can be trained one by one."""


def conduct_of(module: "nn.Module", inputs: "Tensor") -> Conduct:
    """Watch a copy of a module on the first rows of `inputs`; the module stays as it is."""
    import torch

    inputs = inputs[:ROWS]
    with torch.random.fork_rng([inputs.device] if inputs.is_cuda else []):
        copy = deepcopy(module).train()
        before = {name: buffer.clone() for name, buffer in copy.named_buffers()}
        calls = _watched(copy, len(inputs))
        rows = inputs.clone().requires_grad_(inputs.is_floating_point())
        plain = plain_attributes(copy)
        random = torch.get_rng_state()
        outputs = forward(copy, rows)
        if not calls and not torch.equal(random, torch.get_rng_state()):
            raise Unstackable("the module draws random numbers outside of its dropout layers")
        if plain_attributes(copy) != plain:
            raise Unstackable("the module keeps count of its calls outside of its buffers")
        if outputs.shape[:1] != inputs.shape[:1]:
            raise Unstackable("the module does not return a row for each row of inputs")
        outputs.sum().backward(retain_graph=True)
        learns = frozenset(name for name, p in _trainable(copy) if p.grad is not None)
        writes = frozenset(n for n, b in copy.named_buffers() if not _same(b, before[n]))
        mixes = bool(writes) or _mixes(outputs, rows)
    return Conduct(learns, writes, tuple(calls), mixes)


@dataclass(frozen=True)
class Size:
    """What a model takes up in training, in numbers of single precision.

    Parameters
    ----------
    parameters : int
    values_a_row : int
        Intermediate values that are held for the gradient.
    """

    parameters: int
    values_a_row: int


def size_of(network: Network, inputs: np.ndarray) -> Size:
    """Measure a network on a few rows."""
    import torch

    with reproducible(0):
        module = network.build().to(torch.float32).train()
        held: dict[int, int] = {}

        def note(values: "Tensor") -> "Tensor":
            held[values.data_ptr()] = values.numel()
            return values

        rows = tensor_of(inputs[:ROWS], module)
        try:
            with torch.autograd.graph.saved_tensors_hooks(note, lambda values: values):
                _ = module(rows)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise Unstackable(str(error)) from error
    own = {p.data_ptr(): p.numel() for p in module.parameters()}
    values = sum(size for place, size in held.items() if place not in own)
    return Size(sum(own.values()), values // max(len(rows), 1))


def _trainable(module: "nn.Module") -> "list[tuple[str, nn.Parameter]]":
    import torch

    found = [(n, p) for n, p in module.named_parameters() if p.requires_grad]
    if not found:
        raise Unstackable("no parameter asks for a gradient")
    if any(p.dtype != torch.float32 for _, p in found):
        raise Unstackable("a parameter is not in single precision")
    return found


def plain_attributes(module: "nn.Module") -> dict[str, object]:
    """Return numbers, texts and collections of them that the parts of a module hold.

    Raises
    ------
    Unstackable
        Where a part holds a tensor or an array that is neither parameter nor buffer.
    """
    import torch
    from torch import nn

    own = vars(nn.Module()).keys()
    found: dict[str, object] = {}
    for name, part in module.named_modules():
        for key, value in vars(part).items():
            if key in own:
                continue
            parts = value if isinstance(value, list | tuple) else (value,)
            if any(isinstance(each, torch.Tensor | np.ndarray) for each in parts):
                raise Unstackable(f"{name or 'the module'}.{key} holds a tensor that is no buffer")
            if all(isinstance(each, PLAIN) for each in parts) and key != "p":
                found[f"{name}.{key}"] = value
    return found


def _watched(module: "nn.Module", n: int) -> list[DropoutCall]:
    """Note the calls of the dropout layers in the list that is returned."""
    from torch import nn

    calls: list[DropoutCall] = []

    def noter(name: str, dims: int | None) -> "Callable[[nn.Module, tuple[Tensor, ...]], None]":
        def note(_: "nn.Module", given: "tuple[Tensor, ...]") -> None:
            shape = given[0].shape
            if shape[0] != n or (dims is not None and len(shape) < 3):
                raise Unstackable(f"the dropout layer {name} is called on something else than rows")
            noise = shape[1:] if dims is None else (shape[1], *[1] * (len(shape) - 2))
            calls.append(DropoutCall(name, tuple(noise)))

        return note

    for name, part in module.named_modules():
        if type(part) is nn.Dropout:
            part.register_forward_pre_hook(noter(name, None))
        elif type(part) in (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d):
            part.register_forward_pre_hook(noter(name, 1))
    return calls


def _mixes(outputs: "Tensor", rows: "Tensor") -> bool:
    if not rows.requires_grad or len(rows) < 2:
        return True
    rows.grad = None
    outputs[0].sum().backward()
    return rows.grad is None or bool((rows.grad[1:] != 0).any())


def _same(a: "Tensor", b: "Tensor") -> bool:
    import torch

    return torch.equal(a, b) or bool(((a == b) | ((a != a) & (b != b))).all())
