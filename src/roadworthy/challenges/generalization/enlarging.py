"""A network with more hidden layers than it needs, each wider than what it takes."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from roadworthy.errors import NotApplicable

if TYPE_CHECKING:
    from torch import nn

    from roadworthy.subject import Network

WIDER = 2  # times what the last layer takes, or the `width` that the network has


def enlarged(network: "Network", layers: int) -> "Network":
    """Return the network with this many hidden layers more, twice as wide.

    A factory with an argument `depth`, and `width` if it has one, is given larger ones. Otherwise dense layers
    with rectifiers are put before the last linear layer, as in AlexNet and VGG (Krizhevsky, Sutskever &
    Hinton 2012, NIPS 25; Simonyan & Zisserman 2015, ICLR).

    Parameters
    ----------
    network : Network
    layers : int
        0 returns the network itself.

    Raises
    ------
    NotApplicable
        Where there is neither such an argument nor a linear layer.
    """
    from roadworthy.subject import Network

    if layers == 0:
        return network
    source = f"{network.source or 'the network'}, with {layers} wide hidden layers more"
    factory: Callable[..., Any] = network.factory
    depth, width = _default(factory, "depth"), _default(factory, "width")
    if depth is not None:
        wider = {} if width is None else {"width": WIDER * width}
        return Network(partial(factory, depth=depth + layers, **wider), source)
    if not _linear_layers(network.build()):
        raise NotApplicable(
            "the network has no linear layer before which hidden ones could be put; build it with an argument "
            "`depth` to let this be tried"
        )
    return Network(_Deepened(network.factory, layers), source)


@dataclass(frozen=True, eq=False)
class _Deepened:
    """A factory whose modules get hidden layers before their last linear one."""

    factory: "Callable[[], nn.Module]"
    layers: int

    def __call__(self) -> "nn.Module":
        from torch import nn

        module = self.factory()
        name, last = _linear_layers(module)[-1]
        width = WIDER * last.in_features
        chain: list[nn.Module] = []
        for taken in [last.in_features] + [width] * (self.layers - 1):
            chain += [nn.Linear(taken, width), nn.ReLU()]
        head = nn.Sequential(*chain, nn.Linear(width, last.out_features))
        if not name:
            return head
        parent, _, own = name.rpartition(".")
        setattr(module.get_submodule(parent), own, head)
        return module


def _linear_layers(module: "nn.Module") -> "list[tuple[str, nn.Linear]]":
    from torch import nn

    return [(name, m) for name, m in module.named_modules() if isinstance(m, nn.Linear)]


def _default(factory: Callable[..., Any], name: str) -> int | None:  # Any: a module
    """Return the whole number that an argument of a factory has unless told otherwise."""
    try:
        parameter = inspect.signature(factory).parameters.get(name)
    except (TypeError, ValueError):  # built-in callables have no signature
        return None
    value = None if parameter is None else parameter.default
    return value if isinstance(value, int) and not isinstance(value, bool) else None
