"""Modules of one architecture as one: their parameters lie in one matrix, a row for each module."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING

from roadworthy.training.conduct import Conduct, Unstackable, plain_attributes

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


class Stack:
    """K modules that are called as one. Each stays a module of its own: its tensors are views.

    Parameters
    ----------
    modules : sequence of Module
        Alike but for the values of their tensors.
    generators : sequence of torch.Generator
        What the dropout of each draws from.
    conduct : Conduct
        Of each of them in training mode.
    """

    def __init__(
        self, modules: "Sequence[nn.Module]", generators: "Sequence[Generator]", conduct: Conduct
    ) -> None:
        import torch

        from roadworthy.training.masks import Masks

        _refuse_unlike(modules)
        self.modules = list(modules)
        first = self.modules[0]
        self.shapes = {n: p.shape for n, p in first.named_parameters() if n in conduct.learns}
        self.places: dict[str, slice] = {}
        end = 0
        for name, shape in self.shapes.items():
            self.places[name] = slice(end, end + shape.numel())
            end += shape.numel()
        with torch.no_grad():
            self.flat = torch.stack([self._row(module) for module in modules])  # (K, P)
            self.others = {
                name: torch.stack([_tensor(module, name) for module in modules])
                for name in _tensors(first)
                if name not in self.shapes
            }
        # One copy serves all where they are equal and stay so.
        self.alike = frozenset(
            name
            for name, values in self.others.items()
            if name not in conduct.writes and _are_equal(values)
        )
        template = deepcopy(first).train()
        self.masks = Masks(template, modules, generators, conduct.dropout)
        self._call = self._called(template)
        self._run = self._vectorised()
        self.gradients = torch.zeros_like(self.flat)
        self._leaves: dict[range, dict[str, Tensor]] = {}
        self._slopes: dict[range, list[Tensor]] = {}
        self._point()

    def __len__(self) -> int:
        return len(self.modules)

    def forward(self, chosen: range, inputs: "Tensor", sizes: Sequence[int]) -> "Tensor":
        """Return outputs in training mode of neighbouring modules: (k, b, ...) for (k, b, ...).

        `sizes` are the rows of each that count; those after them fill up.
        """
        part = slice(chosen.start, chosen.stop)
        others = {n: v[0] if n in self.alike else v[part] for n, v in self.others.items()}
        masks = self.masks.draw(chosen, inputs.shape[1], sizes)
        parameters = self._parameters(chosen)
        if len(chosen) > 1:
            return self._run(parameters, others, masks, inputs)
        # The last one left is not vectorised: for a small model that would take twice as long.
        alone = {n: v if n in self.alike else v[0] for n, v in others.items()}
        one = {n: v[0] for n, v in parameters.items()}
        return self._call(one, alone, {n: v[0] for n, v in masks.items()}, inputs[0])[None]

    def differentiate(self, chosen: range, total: "Tensor") -> None:
        """Put the gradient of a sum over neighbouring modules in their rows of `gradients`."""
        import torch

        leaves = self._parameters(chosen)
        if chosen not in self._slopes:
            self._slopes[chosen] = list(self._named(self.gradients, chosen).values())
        found = torch.autograd.grad(total, list(leaves.values()))
        for slopes, values in zip(self._slopes[chosen], found, strict=True):
            slopes.copy_(values)

    def _parameters(self, chosen: range) -> "dict[str, Tensor]":
        if chosen not in self._leaves:
            named = self._named(self.flat, chosen)
            self._leaves[chosen] = {n: v.requires_grad_() for n, v in named.items()}
        return self._leaves[chosen]

    def _named(self, matrix: "Tensor", chosen: range) -> "dict[str, Tensor]":
        rows = matrix[chosen.start : chosen.stop]
        return {
            name: rows[:, self.places[name]].view(len(chosen), *shape)
            for name, shape in self.shapes.items()
        }

    def keep(self, positions: list[int]) -> None:
        """Let the other modules go."""
        self.modules = [self.modules[k] for k in positions]
        self.flat = self.flat[positions]
        self.others = {name: values[positions] for name, values in self.others.items()}
        self.masks.keep(positions)
        self.gradients = self.gradients[positions]
        self._leaves.clear()
        self._slopes.clear()
        self._point()

    def share(self, names: frozenset[str]) -> None:
        """Let one copy of these tensors, which are no parameters, serve all modules."""
        if names != self.alike:
            self.alike = names
            self._run = self._vectorised()

    def _row(self, module: "nn.Module") -> "Tensor":
        import torch

        return torch.cat([_tensor(module, name).flatten() for name in self.shapes])

    def _point(self) -> None:
        """Make the tensors of each module views of its share of the stack."""
        for k, module in enumerate(self.modules):
            for name, tensor in _tensors(module).items():
                tensor.data = (
                    self.flat[k, self.places[name]].view(self.shapes[name])
                    if name in self.shapes
                    else self.others[name][k]
                )

    def _called(self, template: "nn.Module") -> "Callable[..., Tensor]":
        """Return what calls one module whose tensors are given."""
        from torch.func import functional_call

        # To look for shared tensors again at each call took a tenth of a small model's step.
        shares = len(_tensors(template)) < _count_with_repetition(template)

        def call(
            parameters: "Mapping[str, Tensor]",
            others: "Mapping[str, Tensor]",
            masks: "Mapping[str, Tensor]",
            inputs: "Tensor",
        ) -> "Tensor":
            self.masks.begin()
            given = {**parameters, **others, **masks}
            return functional_call(template, given, (inputs,), tie_weights=shares)

        return call

    def _vectorised(self) -> "Callable[..., Tensor]":
        from torch.func import vmap

        by_module = {name: None if name in self.alike else 0 for name in self.others}
        return vmap(self._call, in_dims=(0, by_module, 0, 0), randomness="error")


def _tensors(module: "nn.Module") -> "dict[str, Tensor]":
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _tensor(module: "nn.Module", name: str) -> "Tensor":
    return _tensors(module)[name].detach()


def _count_with_repetition(module: "nn.Module") -> int:
    parameters = module.named_parameters(remove_duplicate=False)
    return len([*parameters, *module.named_buffers(remove_duplicate=False)])


def _are_equal(values: "Tensor") -> bool:
    first = values[:1]
    return bool(((values == first) | ((values != values) & (first != first))).all())


def _refuse_unlike(modules: "Sequence[nn.Module]") -> None:
    def described(module: "nn.Module") -> object:
        tensors = [(n, v.shape, v.dtype) for n, v in _tensors(module).items()]
        parts = [(n, type(part)) for n, part in module.named_modules()]
        return parts, tensors, plain_attributes(module)

    expected = described(modules[0])
    if any(described(module) != expected for module in modules[1:]):
        raise Unstackable("the modules differ in structure")
