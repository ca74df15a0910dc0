"""Gradients through onnxruntime: a traced network taken backwards, step by step, where each step is a known one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

Node = Any  # of onnx, which has no types of its own
Graph = Any
Pull = Callable[[Tensor], Tensor]
"""Gradient by the outputs (n, c) to that by the inputs (n, ...)."""
STEPS = ("Round", "Floor", "Ceil", "Sign")
LARGE = 3e38  # of float32 as the least is small: their product is 1 or more
SHAPES = ("Flatten", "Reshape", "Squeeze", "Unsqueeze")


class Unknown(Exception):
    """A step that is not known here, by its name."""


@dataclass(frozen=True, eq=False)
class Reverse:
    """A network forwards, and backwards from what came up on the way.

    Parameters
    ----------
    ahead : callable
        (n, ...) inputs to the outputs and what was kept, as arrays.
    back : callable
        Gradient by the outputs and what was kept to the gradient by the inputs, as arrays.
    """

    ahead: Callable[[np.ndarray], list[np.ndarray]]
    back: Callable[[np.ndarray, list[np.ndarray]], np.ndarray]

    def __call__(self, inputs: Tensor) -> tuple[Tensor, Pull]:
        """Return the outputs (n, c), and what takes gradients back."""
        outputs, *kept = self.ahead(np.ascontiguousarray(inputs.detach().numpy()))

        def pull(slope: Tensor) -> Tensor:
            found = self.back(np.ascontiguousarray(slope.numpy()), kept)
            return torch.from_numpy(found).view_as(inputs)

        return torch.from_numpy(outputs), pull


def models_of(content: bytes, *, straight_through: bool) -> tuple[Any, Any, list[str]]:
    """Return the network that gives what its way back needs, the way back, and the names of what is kept.

    Raises
    ------
    Unknown
        By a step whose way back is not known here.
    """
    import onnx

    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(content))
    graph = model.graph
    back = _Back(graph, straight_through)
    back.walk()
    kept = list(back.kept)
    floats, places = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
    values = {
        name: onnx.helper.make_tensor_value_info(
            name, places if name in back.places else floats, None
        )
        for name in kept
    }
    known = {value.name for value in graph.output}
    graph.output.extend(value for name, value in values.items() if name not in known)
    slope = f"slope of {graph.output[0].name}"
    given = [onnx.helper.make_tensor_value_info(slope, floats, None), *values.values()]
    result = onnx.helper.make_tensor_value_info(back.result, floats, None)
    way = onnx.helper.make_graph(back.nodes, "back", given, [result], back.constants)
    opset = onnx.helper.make_opsetid("", model.opset_import[0].version)
    backwards = onnx.helper.make_model(way, opset_imports=[opset], ir_version=model.ir_version)
    return model, backwards, kept


@dataclass(eq=False)
class _Back:
    """The way back through a graph, as it is laid out from the last node to the first."""

    graph: Graph
    straight_through: bool
    nodes: list[Node] = field(default_factory=list[Node])
    constants: list[Any] = field(default_factory=list[Any])
    kept: dict[str, None] = field(default_factory=dict[str, None])
    places: set[str] = field(default_factory=set[str])
    slopes: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        from onnx import numpy_helper

        self._known = {c.name: numpy_helper.to_array(c) for c in self.graph.initializer}
        values = (*self.graph.value_info, *self.graph.input, *self.graph.output)
        self._shapes = {
            v.name: [int(d.dim_value) for d in v.type.tensor_type.shape.dim] for v in values
        }

    def walk(self) -> None:
        from onnx import helper, numpy_helper

        for node in self.graph.node:
            if node.op_type == "Constant":
                value = helper.get_attribute_value(node.attribute[0])
                self._known[node.output[0]] = numpy_helper.to_array(value)
            elif node.op_type == "Identity" and node.input[0] in self._known:
                self._known[node.output[0]] = self._known[node.input[0]]
        last = self.graph.output[0].name
        self.slopes[last] = f"slope of {last}"
        for node in reversed(self.graph.node):
            if node.output[0] in self._known or node.output[0] not in self.slopes:
                continue
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            self._step(node, attributes, self.slopes[node.output[0]])

    @property
    def result(self) -> str:
        name = self.slopes.get(self.graph.input[0].name)
        if name is None:
            raise Unknown("no step that starts from the inputs")
        return name

    def _step(self, node: Node, given: dict[str, Any], slope: str) -> None:
        kind, of = node.op_type, node.input[0]
        passes = STEPS if self.straight_through else ()
        if kind in ("Identity", *passes):
            self._give(of, slope)
        elif kind in SHAPES:
            self._give(of, self._add("Reshape", slope, self._constant([0, *self._sizes(of)])))
        elif kind == "Relu":
            self._give(of, self._add("Mul", slope, self._is_on(self._keep(node.output[0]))))
        elif kind == "Conv":
            self._give(of, self._unconvolved(node, given, slope))
        elif kind == "MaxPool":
            self._give(of, self._unpooled(node, given, slope))
        elif kind in ("GlobalAveragePool", "ReduceMean"):
            self._give(of, self._averaged(node, given, slope))
        elif kind == "Gemm":
            self._give(of, self._add("MatMul", slope, self._constant(self._matrix(node, given))))
        elif kind in ("Add", "Sub", "Mul", "Div"):
            self._arithmetic(node, slope)
        else:
            raise Unknown(kind)

    def _matrix(self, node: Node, given: dict[str, Any]) -> np.ndarray:
        plain = given.get("alpha", 1.0) == 1.0 and not given.get("transA", 0)
        if not plain or node.input[1] not in self._known:
            raise Unknown("Gemm of another kind")
        weight = self._known[node.input[1]]
        return weight if given.get("transB", 0) else weight.T

    def _arithmetic(self, node: Node, slope: str) -> None:
        kind, (left, right) = node.op_type, node.input
        if right in self._known and self._sizes(left) == self._sizes(node.output[0]):
            by = self._known[right].astype(np.float32)
            turned = {"Mul": by, "Div": 1 / by if kind == "Div" else by}
            scaled = kind in turned
            self._give(
                left,
                self._add("Mul", slope, self._constant(turned[kind])) if scaled else slope,
            )
        elif left in self._known and kind == "Mul":
            self._give(right, self._add("Mul", slope, self._constant(self._known[left])))
        elif (
            kind == "Add"
            and not {left, right} & set(self._known)
            and self._sizes(left) == self._sizes(right)
        ):
            self._give(left, slope)
            self._give(right, slope)
        else:
            raise Unknown(f"{kind} of another kind")

    def _is_on(self, name: str) -> str:
        """Return 1 where a value that is never below 0 is above it, 0 elsewhere.

        By a product beyond 1, cut there: for onnxruntime a comparison and a choice of elements take twice as long.
        """
        large = self._add("Mul", name, self._constant(np.full(1, LARGE, np.float32)))
        ends = (self._constant(np.float32(value)) for value in (0, 1))
        return self._add("Clip", large, *ends)

    def _unconvolved(self, node: Node, given: dict[str, Any], slope: str) -> str:
        if given.get("group", 1) != 1 or node.input[1] not in self._known:
            raise Unknown("Conv of another kind")
        weight = self._known[node.input[1]]
        places = weight.ndim - 2
        size = weight.shape[2:]
        strides, apart = (given.get(n, [1] * places) for n in ("strides", "dilations"))
        pads = given.get("pads", [0] * 2 * places)
        reach = [d * (k - 1) for d, k in zip(apart, size, strict=True)]
        around = [r - p for r, p in zip((*reach, *reach), pads, strict=True)]
        if set(strides) == {1} and min(around) >= 0:
            flipped = np.flip(weight, tuple(range(2, weight.ndim))).swapaxes(0, 1)
            turned = self._constant(np.ascontiguousarray(flipped))
            return self._add("Conv", slope, turned, pads=around, dilations=apart)
        before = self._sizes(node.input[0])[1:]
        left_over = [
            (n + pads[i] + pads[i + places] - reach[i] - 1) % strides[i]
            for i, n in enumerate(before)
        ]
        return self._add(
            "ConvTranspose", slope, self._constant(weight),
            strides=strides, pads=pads, dilations=apart, output_padding=left_over,
        )  # fmt: skip

    def _unpooled(self, node: Node, given: dict[str, Any], slope: str) -> str:
        """Give the slope of a window to its largest value, of ties the first."""
        window = list(given["kernel_shape"])
        strides = list(given.get("strides", [1] * len(window)))
        uneven = any(n % k for n, k in zip(self._sizes(node.input[0])[1:], window, strict=True))
        if strides != window or any(given.get("pads", [0])) or uneven:
            raise Unknown("MaxPool of another kind")
        if len(node.output) == 1:
            node.output.append(f"{node.output[0]} from")
        places = self._keep(node.output[1])
        self.places.add(places)
        return self._add("MaxUnpool", slope, places, kernel_shape=window, strides=strides)

    def _averaged(self, node: Node, given: dict[str, Any], slope: str) -> str:
        """Give each position its share of the slope of a mean over all positions."""
        channels, *sizes = self._sizes(node.input[0])
        every = list(range(2, 2 + len(sizes)))
        if node.op_type == "ReduceMean" and sorted(given.get("axes", [])) != every:
            raise Unknown("ReduceMean of another kind")
        one = self._add("Reshape", slope, self._constant([0, channels, *[1] * len(sizes)]))
        shares = np.full((1, 1, *sizes), 1 / prod(sizes), np.float32)
        return self._add("Mul", one, self._constant(shares))

    def _keep(self, name: str) -> str:
        self.kept[name] = None
        return name

    def _sizes(self, name: str) -> list[int]:
        """Return the dimensions after that of the rows."""
        found = self._shapes.get(name, [])[1:]
        if not found or prod(found) == 0:
            raise Unknown("a step of unknown size")
        return found

    def _give(self, name: str, slope: str) -> None:
        if name in self.slopes:
            slope = self._add("Add", self.slopes[name], slope)
        self.slopes[name] = slope

    def _constant(self, value: Any) -> str:
        from onnx import numpy_helper

        array = np.asarray(value, np.int64 if isinstance(value, list) else np.float32)
        name = f"constant {len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def _add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        name = f"back {len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name
