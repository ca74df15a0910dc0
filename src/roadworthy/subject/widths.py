"""Following the data through a module, to give its hidden layers other sizes. Importing it imports torch."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import fx, nn
from torch.nn import functional

from roadworthy.errors import NotApplicable

WAY_OUT = "give a factory with an argument `width` to let other sizes be tried"

Conv = nn.Conv1d | nn.Conv2d | nn.Conv3d
Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d

ELEMENTWISE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish),
    *(nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.Softsign),
    *(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.Identity),
)
POOLING = (
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
    *(
        nn.Upsample,
        nn.ZeroPad2d,
        nn.ReflectionPad2d,
        nn.ReplicationPad2d,
        nn.Softmax,
        nn.LogSoftmax,
    ),
)
FUNCTIONS: frozenset[object] = frozenset(
    {
        *(functional.relu, functional.leaky_relu, functional.elu, functional.gelu, functional.silu),
        *(functional.sigmoid, functional.tanh, functional.softplus, functional.dropout),
        *(
            functional.dropout2d,
            functional.max_pool1d,
            functional.max_pool2d,
            functional.max_pool3d,
        ),
        *(functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d),
        *(functional.adaptive_avg_pool1d, functional.adaptive_avg_pool2d),
        *(functional.adaptive_max_pool2d, functional.softmax, functional.log_softmax),
        *(torch.relu, torch.tanh, torch.sigmoid, torch.softmax, torch.log_softmax),
    }
)
FLATTENING: frozenset[object] = frozenset({torch.flatten, "flatten"})
JOINING: frozenset[object] = frozenset(
    {operator.add, torch.add, operator.mul, torch.mul, operator.sub}
)
# What a forward method raises when it is run on symbols; a TraceError is a ValueError.
UNTRACED = (
    *(ValueError, TypeError, RuntimeError, NotImplementedError),
    *(AttributeError, LookupError, AssertionError),
)
METHODS = frozenset({"relu", "tanh", "sigmoid", "softmax", "log_softmax", "contiguous", "float"})


@dataclass(frozen=True)
class Sizes:
    """The new sizes of one layer: units or channels that it takes and gives."""

    taken: int
    given: int


@dataclass(frozen=True)
class _Width:
    """How many units or channels run along a way through the module: before, and after the change."""

    old: int
    new: int


def is_elementwise(layer: nn.Module) -> bool:
    """Whether a layer maps each number by itself."""
    return isinstance(layer, ELEMENTWISE)


def is_normalisation(layer: nn.Module) -> bool:
    """Whether a layer only shifts and scales each channel."""
    return isinstance(
        layer, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm, nn.GroupNorm)
    )


def sizes_of(module: nn.Module, share: float) -> Mapping[str, Sizes]:
    """Return the sizes that the layers of a module have after its hidden widths are scaled.

    Raises
    ------
    NotApplicable
        Where the way of the data cannot be followed, or nothing is hidden.
    """
    try:
        graph = fx.Tracer().trace(module)
    except Exception as error:  # the user's own forward, run on symbols
        raise NotApplicable(
            f"the way of the data through {type(module).__name__} cannot be followed "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}); {WAY_OUT}"
        ) from error
    return _Walk(module, graph, share).sizes()


def resized(module: nn.Module, sizes: Mapping[str, Sizes]) -> nn.Module:
    """Put layers of these sizes in the place of those of the same names."""
    for name, size in sizes.items():
        parent, _, own = name.rpartition(".")
        setattr(module.get_submodule(parent), own, _like(module.get_submodule(name), size))
    return module


class _Walk:
    """One pass over the graph of a module, noting for each value how wide it is."""

    def __init__(self, module: nn.Module, graph: fx.Graph, share: float) -> None:
        self.module = module
        self.graph = graph
        self.share = share
        self.found: dict[str, Sizes] = {}
        # None: no layer has been passed yet, or it is no tensor; such values keep their sizes.
        self.widths: dict[fx.Node, _Width | None] = {}

    def sizes(self) -> Mapping[str, Sizes]:
        answers = self._answers()
        hidden = 0
        for node in self.graph.nodes:
            inputs = [self.widths[each] for each in node.all_input_nodes]
            wide = [each for each in inputs if each is not None]
            layer = (
                self.module.get_submodule(str(node.target)) if node.op == "call_module" else None
            )
            if layer is not None and isinstance(layer, Conv | nn.Linear):
                is_last = node in answers
                self.widths[node] = self._weighed(str(node.target), layer, wide, is_last=is_last)
                hidden += not is_last
            elif node.op == "output" or not wide:
                self.widths[node] = None
                self._refuse_early_weights(node, layer)
            else:
                self.widths[node] = self._passed(node, layer, wide)
        if hidden == 0:
            raise NotApplicable("the network has no hidden layer that could be given another width")
        return self.found

    def _answers(self) -> set[fx.Node]:
        """Return the layers behind which no other layer follows: they give the answer."""
        reached: set[fx.Node] = set()  # values from which a later layer can be reached
        last: set[fx.Node] = set()
        for node in reversed(self.graph.nodes):
            is_layer = node.op == "call_module" and isinstance(
                self.module.get_submodule(str(node.target)), Conv | nn.Linear
            )
            if is_layer and node not in reached:
                last.add(node)
            if is_layer or node in reached:
                reached.update(node.all_input_nodes)
        return last

    def _weighed(
        self, name: str, layer: "Conv | nn.Linear", wide: list[_Width], *, is_last: bool
    ) -> _Width:
        taken, given = _taken(layer), _given(layer)
        new_taken = taken
        if wide:
            # A flattened image has several numbers for each channel.
            each, rest = divmod(taken, wide[0].old)
            if rest:
                raise self._lost(name, layer)
            new_taken = each * wide[0].new
        new_given = given if is_last else max(1, round(given * self.share))
        groups = 1 if isinstance(layer, nn.Linear) else layer.groups
        if groups > 1:
            if groups != taken or given % taken or is_last:
                raise NotApplicable(f"{name} is a convolution in {groups} groups; {WAY_OUT}")
            new_given = new_taken * (given // taken)
        size = Sizes(new_taken, new_given)
        self._set(name, size)
        return _Width(given, new_given)

    def _passed(self, node: fx.Node, layer: nn.Module | None, wide: list[_Width]) -> _Width | None:
        if layer is not None:
            return self._through(str(node.target), layer, wide[0])
        if node.op == "call_function" and node.target in JOINING:
            # A value without a width comes from the inputs or is a parameter: it keeps its size.
            alike = len({(w.old, w.new) for w in wide}) == 1
            if not alike or len(wide) < len(node.all_input_nodes):
                raise NotApplicable(
                    f"values of different width are joined at {node.name}; {WAY_OUT}"
                )
            return wide[0]
        if node.op == "call_function" and (node.target in FUNCTIONS or node.target in FLATTENING):
            return wide[0]
        if node.op == "call_method" and (node.target in METHODS or node.target in FLATTENING):
            return wide[0]
        if node.op == "call_method" and node.target == "size":
            return None
        if node.op == "call_function" and node.target is getattr and node.args[1] == "shape":
            return None
        flat = node.op == "call_method" and node.target in ("view", "reshape")
        if flat and len(node.args) == 3 and node.args[2] == -1:
            return wide[0]
        raise NotApplicable(
            f"what {node.name} does with hidden values cannot be followed; {WAY_OUT}"
        )

    def _through(self, name: str, layer: nn.Module, width: _Width) -> _Width:
        if isinstance(layer, (nn.Flatten, *ELEMENTWISE, *POOLING)):
            return width
        if isinstance(layer, Norm) and layer.num_features == width.old:
            self._set(name, Sizes(width.new, width.new))
            return width
        if isinstance(layer, nn.LayerNorm) and layer.normalized_shape == (width.old,):
            self._set(name, Sizes(width.new, width.new))
            return width
        if isinstance(layer, nn.GroupNorm) and layer.num_channels == width.old:
            if width.new % layer.num_groups:
                raise NotApplicable(
                    f"{name} normalises in {layer.num_groups} groups, which {width.new} channels do not "
                    f"divide into; {WAY_OUT}"
                )
            self._set(name, Sizes(width.new, width.new))
            return width
        raise self._lost(name, layer)

    def _set(self, name: str, size: Sizes) -> None:
        if self.found.setdefault(name, size) != size:
            raise NotApplicable(f"{name} is used twice, with values of different width; {WAY_OUT}")

    def _refuse_early_weights(self, node: fx.Node, layer: nn.Module | None) -> None:
        """Let preprocessing pass, but nothing that learns a width of its own before the first layer."""
        if layer is None or is_normalisation(layer):
            return
        if any(p.requires_grad for p in layer.parameters()):
            raise self._lost(str(node.target), layer)

    def _lost(self, name: str, layer: nn.Module) -> NotApplicable:
        return NotApplicable(
            f"{name} ({type(layer).__name__}) is no layer whose width can be changed; {WAY_OUT}"
        )


def _taken(layer: "Conv | nn.Linear") -> int:
    return layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels


def _given(layer: "Conv | nn.Linear") -> int:
    return layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels


def _like(layer: nn.Module, size: Sizes) -> nn.Module:
    """Return a fresh layer of the same kind and options with other sizes."""
    if isinstance(layer, nn.Linear):
        return type(layer)(size.taken, size.given, bias=_has_bias(layer))
    if isinstance(layer, Conv):
        kind = cast(Callable[..., nn.Module], type(layer))
        return kind(
            size.taken,
            size.given,
            layer.kernel_size,
            stride=layer.stride,
            padding=layer.padding,
            dilation=layer.dilation,
            groups=size.taken if layer.groups > 1 else 1,
            bias=_has_bias(layer),
            padding_mode=layer.padding_mode,
        )
    if isinstance(layer, Norm):
        return type(layer)(
            size.given,
            eps=layer.eps,
            momentum=layer.momentum,
            affine=layer.affine,
            track_running_stats=layer.track_running_stats,
        )
    if isinstance(layer, nn.LayerNorm):
        return nn.LayerNorm(size.given, layer.eps, layer.elementwise_affine)
    assert isinstance(layer, nn.GroupNorm)
    return nn.GroupNorm(layer.num_groups, size.given, layer.eps, layer.affine)


def _has_bias(layer: nn.Module) -> bool:
    return any(name == "bias" for name, _ in layer.named_parameters(recurse=False))
