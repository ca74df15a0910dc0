"""The same architecture, narrower, wider or shallower: what decides how much a network can hold."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from roadworthy.errors import NotApplicable
from roadworthy.subject.model import Network

if TYPE_CHECKING:
    from torch import nn

    from roadworthy.subject.widths import Sizes

WORDS = {
    0.125: "an eighth as wide",
    0.25: "a quarter as wide",
    0.5: "half as wide",
    2.0: "twice as wide",
    4.0: "four times as wide",
}


def scaled(network: Network, share: float) -> Network:
    """Return the network with this share of its hidden units or channels; inputs and outputs stay.

    A factory with an argument `width` is given another one. Otherwise every hidden linear and convolutional
    layer is replaced by one of another size, where the way of the data through the module can be
    followed: chains and sums of the usual layers. Weights start anew, as torch draws them.

    Parameters
    ----------
    network : Network
    share : float
        Above 0; 1 returns the network itself.

    Raises
    ------
    NotApplicable
        Where the module does what cannot be followed, or has no hidden layer.
    """
    assert share > 0.0, f"a share of {share} of the width"
    if share == 1.0:
        return network
    source = f"{network.source or 'the network'}, {WORDS.get(share, f'{share:g} times as wide')}"
    width = _argument(network.factory, "width")
    if width is not None:
        narrowed = max(1, round(width * share))
        return Network(_with(network, width=narrowed), source)
    from roadworthy.subject.widths import sizes_of

    sizes = sizes_of(network.build(), share)
    return Network(_Resized(network.factory, sizes), source)


def shallower(network: Network, layers: int = 1) -> Network:
    """Return the network without this many of its hidden layers, the last ones first.

    A factory with an argument `depth` is given a smaller one. Otherwise blocks of an `nn.Sequential` are
    taken out that begin with a linear or convolutional layer and give back the shape that they take.

    Parameters
    ----------
    network : Network
    layers : int
        0 returns the network itself.

    Raises
    ------
    NotApplicable
        Where fewer layers can go.
    """
    if layers == 0:
        return network
    source = f"{network.source or 'the network'}, without {layers} of its hidden layers"
    depth = _argument(network.factory, "depth")
    if depth is not None:
        if depth - layers < 1:
            raise NotApplicable(
                f"the network has {depth} hidden layer(s); {layers} cannot be taken away"
            )
        return Network(_with(network, depth=depth - layers), source)
    found = _blocks(network.build())
    if len(found) < layers:
        raise NotApplicable(
            f"{len(found)} layer(s) of the network give back the shape that they take, so that {layers} "
            "cannot be taken out; build it with an argument `depth` to let this be tried"
        )
    return Network(_Shortened(network.factory, tuple(found[-layers:])), source)


def _with(network: Network, **arguments: int) -> "Callable[[], nn.Module]":
    factory: Callable[..., nn.Module] = network.factory
    return partial(factory, **arguments)


@dataclass(frozen=True, eq=False)
class _Resized:
    """A factory whose modules get layers of other sizes."""

    factory: "Callable[[], nn.Module]"
    sizes: "Mapping[str, Sizes]"

    def __call__(self) -> "nn.Module":
        from roadworthy.subject.widths import resized

        return resized(self.factory(), self.sizes)


@dataclass(frozen=True)
class _Block:
    """Positions `start` to `end` (not included) in the `nn.Sequential` of this name."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class _Shortened:
    """A factory whose modules lose blocks."""

    factory: "Callable[[], nn.Module]"
    blocks: tuple[_Block, ...]

    def __call__(self) -> "nn.Module":
        module = self.factory()
        for block in reversed(self.blocks):
            chain = cast("nn.Sequential", module.get_submodule(block.name))
            del chain[block.start : block.end]
        return module


def _argument(factory: Callable[..., Any], name: str) -> int | None:  # Any: a module
    """Return the value of an argument that can be given to a factory by name; None where there is none."""
    try:
        parameter = inspect.signature(factory).parameters.get(name)
    except (TypeError, ValueError):  # built-in callables have no signature
        return None
    if parameter is None or parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        return None
    value = parameter.default
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _blocks(module: "nn.Module") -> list[_Block]:
    """Return what can be taken out of a module, in the order of its layers; no block overlaps another."""
    from torch import nn

    weighing = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    found: list[_Block] = []
    answer = [m for m in module.modules() if isinstance(m, weighing)][-1:]
    for name, chain in module.named_modules():
        if not isinstance(chain, nn.Sequential):
            continue
        layers = list(chain)
        starts = [i for i, m in enumerate(layers) if _keeps_shape(m) and m not in answer]
        for start in starts:
            end = start + 1
            while end < len(layers) and _follows(layers[end]):
                end += 1
            if end > start + 1:
                found.append(_Block(name, start, end))
    return found


def _keeps_shape(layer: "nn.Module") -> bool:
    from torch import nn

    if isinstance(layer, nn.Linear):
        return layer.in_features == layer.out_features
    if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        padding = layer.padding
        same = padding == "same" or all(
            isinstance(p, int) and 2 * p == d * (k - 1)
            for p, d, k in zip(padding, layer.dilation, layer.kernel_size, strict=True)
        )
        return layer.in_channels == layer.out_channels and set(layer.stride) == {1} and same
    return False


def _follows(layer: "nn.Module") -> bool:
    """Whether a layer belongs to the block of the one before it: it keeps the shape and mixes nothing."""
    from roadworthy.subject.widths import is_elementwise, is_normalisation

    return is_elementwise(layer) or is_normalisation(layer)
