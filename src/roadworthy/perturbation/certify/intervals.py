"""Interval bound propagation: where the logits can lie for any input between two ends.

Gowal et al. (2018), "On the effectiveness of interval bound propagation for training verifiably robust models",
section 3. Sound and wide: what it certifies is proven, what it does not certify may still stand.
"""

import operator
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from roadworthy.errors import NotApplicable

Node = Any
"""Of torch.fx, whose annotations leave open what a node holds."""
ROUNDING = 1e-5  # of the largest logit: a lead below it is not told from an error of float32
MONOTONE_MODULES = (
    nn.ReLU,
    nn.ReLU6,
    nn.Hardtanh,
    nn.Sigmoid,
    nn.Tanh,
    nn.Softplus,
    nn.ELU,
    nn.MaxPool1d,
    nn.MaxPool2d,
    nn.AvgPool1d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d,
    nn.Flatten,
    nn.Identity,
)
"""They raise no output when an input falls, element by element, so that both ends may pass by themselves."""
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
MONOTONE_FUNCTIONS: tuple[Callable[..., Any], ...] = (  # Any: as torch declares them
    functional.relu,
    torch.relu,
    torch.sigmoid,
    torch.tanh,
    torch.flatten,
    functional.max_pool1d,
    functional.max_pool2d,
    functional.avg_pool1d,
    functional.avg_pool2d,
    functional.adaptive_avg_pool1d,
    functional.adaptive_avg_pool2d,
)
MONOTONE_METHODS = (
    "relu",
    "sigmoid",
    "tanh",
    "flatten",
    "view",
    "reshape",
    "squeeze",
    "unsqueeze",
    "permute",
    "transpose",
    "mean",
    "clamp",
)
UNCHANGED_METHODS = ("contiguous", "float", "double")
LINEAR = (operator.add, operator.sub, operator.mul, operator.truediv, torch.add, torch.sub)


@dataclass(frozen=True, eq=False)
class Interval:
    """Everything between two ends: low, high (n, ...) float64."""

    low: Tensor
    high: Tensor

    @property
    def middle(self) -> Tensor:
        """Half-way."""
        return (self.low + self.high) / 2

    @property
    def half(self) -> Tensor:
        """Half the width."""
        return (self.high - self.low) / 2

    def through(self, run: Callable[[Tensor], Tensor]) -> "Interval":
        """Pass both ends through what is monotone."""
        return Interval(run(self.low), run(self.high))


@dataclass(frozen=True, eq=False)
class Bounds:
    """A network through which intervals pass, in float64.

    Parameters
    ----------
    module : fx.GraphModule
        As `of` traces it.
    """

    module: Any  # Any: annotations of fx.GraphModule are as open

    @classmethod
    def of(cls, module: nn.Module) -> "Bounds":
        """Take a network apart.

        Raises
        ------
        NotApplicable
            Where it has a step for which there are no bounds here.
        """
        own = deepcopy(module).double().eval().requires_grad_(False)
        try:
            traced = fx.symbolic_trace(nn.Sequential(own))  # a layer by itself stays whole
        except (TypeError, ValueError, RuntimeError, AttributeError, NameError) as error:
            raise NotApplicable(
                f"the network cannot be taken apart into its layers ({error}), so no bounds pass through it; "
                "write its forward without branches on values"
            ) from error
        if len([node for node in traced.graph.nodes if node.op == "placeholder"]) != 1:
            raise NotApplicable("bounds pass through networks of one input, and this one has more")
        return cls(traced)

    def lead(self, inputs: Interval, labels: Tensor) -> Tensor:
        """Return a lower bound on the lead of the label over every other class: (n,) float64.

        The last layer is bounded together with the difference of two classes, which is tighter.
        """
        last = self._last()
        if last is not None:
            layer, of = last
            inner = self._passed(inputs, of)
            if isinstance(inner, Interval) and inner.low.ndim == 2 and layer.out_features > 1:
                return _lead_of(layer, inner, labels)
        found = self._passed(inputs, self._output())
        if not isinstance(found, Interval):
            raise NotApplicable("the outputs do not depend on the inputs")
        found = found.through(lambda end: end.reshape(len(end), -1))
        if found.low.shape[1] == 1:
            return torch.where(labels == 1, found.low[:, 0], -found.high[:, 0])
        others = found.high.scatter(1, labels[:, None], -torch.inf).amax(1)
        return found.low.gather(1, labels[:, None])[:, 0] - others

    def largest(self, inputs: Tensor) -> Tensor:
        """Return the size of the largest logit of each row: (n,) float64."""
        found = self._passed(Interval(inputs, inputs.clone()), self._output())
        return found.high.reshape(len(inputs), -1).abs().amax(1)

    def _output(self) -> Node:
        (output,) = (node for node in self.module.graph.nodes if node.op == "output")
        (of,) = output.args
        if not hasattr(of, "op"):
            raise NotApplicable("bounds pass through networks of one output, and this one has more")
        while of.op == "call_module" and self._is_order_alone(of):
            (of,) = of.args
        return of

    def _is_order_alone(self, node: Node) -> bool:
        """Whether a step at the end leaves the order of the classes: it is passed over."""
        layer = self.module.get_submodule(str(node.target))
        return isinstance(layer, nn.Softmax | nn.LogSoftmax) and layer.dim in (1, -1)

    def _last(self) -> tuple[nn.Linear, Node] | None:
        of = self._output()
        if of.op != "call_module":
            return None
        layer = self.module.get_submodule(str(of.target))
        return (layer, of.args[0]) if isinstance(layer, nn.Linear) else None

    def _passed(self, inputs: Interval, until: Node) -> Any:  # Any: an interval or a constant
        values: dict[Node, Any] = {}
        for node in self.module.graph.nodes:
            args = fx.map_arg(node.args, lambda n: values[n])
            named = fx.map_arg(node.kwargs, lambda n: values[n])
            if node.op == "placeholder":
                values[node] = inputs
            elif node.op == "get_attr":
                values[node] = _attribute(self.module, str(node.target))
            elif node.op == "call_module":
                values[node] = _through(self.module.get_submodule(str(node.target)), args[0])
            elif node.op in ("call_function", "call_method"):
                values[node] = _called(node, args, named)
            if node is until:
                break
        return values[until]


def certified_lead(
    bounds: Bounds, inputs: Tensor, labels: Tensor, low: Tensor, high: Tensor, *, chunk: int = 256
) -> Tensor:
    """Return by how much the label leads at any point between `low` and `high`, at least: (n,) float64.

    What rounding in float32 may take is taken off; above 0 the answer is certain.
    """
    found: list[Tensor] = []
    with torch.no_grad():
        for at in range(0, len(inputs), chunk):
            rows = slice(at, at + chunk)
            # Copies, because a layer may work in place.
            box = Interval(*(end[rows].double().clone() for end in (low, high)))
            scale = bounds.largest(inputs[rows].double().clone())
            lead = bounds.lead(box, labels[rows])
            found.append(lead - ROUNDING * torch.maximum(lead.abs(), scale).clamp_min(1.0))
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.float64)


def _lead_of(layer: nn.Linear, inner: Interval, labels: Tensor) -> Tensor:
    weight = layer.weight[labels][:, None] - layer.weight  # (n, c, f)
    lead = torch.einsum("ncf,nf->nc", weight, inner.middle)
    lead = lead - torch.einsum("ncf,nf->nc", weight.abs(), inner.half)
    bias: Any = layer.bias  # Any: None where there is none, which torch does not declare
    if bias is not None:
        lead = lead + bias[labels][:, None] - bias
    return lead.scatter(1, labels[:, None], torch.inf).amin(1)


def _through(layer: nn.Module, box: Any) -> Any:  # Any: an interval or a constant
    if not isinstance(box, Interval):
        return layer(box)
    if isinstance(layer, nn.Linear):
        return _affine(box, lambda x, w, b: functional.linear(x, w, b), layer.weight, layer.bias)
    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        run: Any = layer._conv_forward  # pyright: ignore[reportPrivateUsage] - it knows the mode of padding
        return _affine(box, run, layer.weight, layer.bias)
    if isinstance(layer, NORMS):
        return _normed(layer, box)
    if isinstance(layer, DROPOUTS):
        return box
    if isinstance(layer, MONOTONE_MODULES) or _rises(layer):
        return box.through(layer)
    raise _unknown(f"a layer {type(layer).__name__}")


def _rises(layer: nn.Module) -> bool:
    return isinstance(layer, nn.LeakyReLU) and layer.negative_slope >= 0


def _affine(
    box: Interval,
    run: Callable[[Tensor, Tensor, Tensor | None], Tensor],
    weight: Tensor,
    bias: Tensor | None,
) -> Interval:
    middle, half = run(box.middle, weight, bias), run(box.half, weight.abs(), None)
    return Interval(middle - half, middle + half)


def _normed(layer: Any, box: Interval) -> Interval:
    """Batch normalisation in evaluation mode: a scale and a shift for each channel."""
    if layer.running_mean is None:
        raise NotApplicable(
            "a batch normalisation keeps no statistics, so that an answer depends on the rows beside it; no row "
            "can be certified by itself"
        )
    at_zero = torch.zeros_like(box.low)
    shift = layer(at_zero)
    slope = layer(at_zero + 1) - shift
    return _ordered(box.low * slope + shift, box.high * slope + shift)


def _called(
    node: Node, args: tuple[Any, ...], named: Mapping[str, Any]
) -> Any:  # Any: see `_through`
    is_method = node.op == "call_method"
    boxes = [a for a in (*args, *named.values()) if isinstance(a, Interval)]
    run: Any = getattr(torch.Tensor, str(node.target)) if is_method else node.target
    if not boxes:
        return (
            getattr(args[0], str(node.target))(*args[1:], **named)
            if is_method
            else run(*args, **named)
        )
    if len(boxes) == 1 and boxes[0] is args[0]:
        rest = args[1:]
        if node.target in ("size", "dim") or node.target is getattr:
            return run(args[0].low, *rest, **named)
        if is_method and node.target in UNCHANGED_METHODS:
            return args[0]
        if node.target in (functional.dropout, functional.dropout2d):
            return args[0]
        if node.target in (MONOTONE_METHODS if is_method else MONOTONE_FUNCTIONS):
            return args[0].through(lambda end: run(end, *rest, **named))
    if node.target in LINEAR and not named and len(args) == 2:
        return _combined(node.target, *args)
    raise _unknown(
        f"a step {node.target if is_method else getattr(node.target, '__name__', node.target)}"
    )


def _combined(
    run: Any, a: Any, b: Any
) -> Interval:  # Any: functions of torch, intervals or constants
    """Add, subtract, multiply or divide, at most one of two being an interval where that is no sum."""
    if isinstance(a, Interval) and isinstance(b, Interval):
        if run in (operator.add, torch.add):
            return Interval(a.low + b.low, a.high + b.high)
        if run in (operator.sub, torch.sub):
            return Interval(a.low - b.high, a.high - b.low)
        raise _unknown("a product of two values that both depend on the input")
    if isinstance(a, Interval):
        return _ordered(run(a.low, b), run(a.high, b))
    if run is operator.truediv:
        raise _unknown("a division by what depends on the input")
    return _ordered(run(a, b.low), run(a, b.high))


def _ordered(one: Tensor, other: Tensor) -> Interval:
    return Interval(torch.minimum(one, other), torch.maximum(one, other))


def _attribute(module: nn.Module, name: str) -> Any:  # Any: a tensor or what a module holds
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _unknown(what: str) -> NotApplicable:
    return NotApplicable(
        f"interval bounds do not pass through {what}; they pass through linear and convolution layers, ReLU and other "
        "monotone activations, pooling, batch normalisation, dropout, sums, and scaling by constants"
    )
