"""Modules around a trained one: logits shifted by group, a second last layer. Apart because importing it imports torch."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

Kind = Literal["logits", "probabilities"]


class ShiftedByGroup(nn.Module):
    """A module whose log odds are shifted by the group that one input column tells.

    In training mode it is the module that it was, so that it can be trained again as before.

    Parameters
    ----------
    module : nn.Module
    kind : {"logits", "probabilities"}
        What the module gives.
    column : int
        Of the inputs (n, d).
    groups, edges : int
        How many shifts there are, and how many values divide the column into steps.
    """

    def __init__(
        self,
        module: nn.Module,
        kind: Kind,
        column: int,
        groups: int,
        edges: int,
    ) -> None:
        super().__init__()
        self.module, self.column = module, column
        self.kind: Kind = kind
        self.register_buffer("edges", torch.zeros(edges))
        self.register_buffer("group", torch.zeros(edges + 1, dtype=torch.int64))
        self.register_buffer("shift", torch.zeros(groups + 1))

    def prepare(self, inputs: Tensor) -> None:
        """Let the module fit its preprocessing, where it has any."""
        if hasattr(self.module, "prepare"):
            self.module.prepare(inputs)  # type: ignore[operator]  # a hook, see Network

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (n, 2), the second less the threshold of the row's group; no group: as it was."""
        outputs = self.module(inputs)
        if self.training:
            return outputs
        logits = two_logits(outputs, self.kind)
        values = inputs[:, self.column].contiguous()
        step = torch.bucketize(values.nan_to_num(), self.get_buffer("edges"), right=True)
        group = self.get_buffer("group")[step].where(values.isfinite(), -1)
        shift = self.get_buffer("shift")[group]  # -1: the last, which is 0
        return torch.stack([logits[:, 0], logits[:, 1] + shift], dim=1)


class SecondLastLayer(nn.Module):
    """A module beside whose last linear layer another one answers too: logits are a mixture of both.

    In training mode it is the module that it was.

    Parameters
    ----------
    module : nn.Module
    kind : {"logits", "probabilities"}
    classes, features : int
        Of the second layer; features are what the last linear layer of the module is given.
    """

    def __init__(
        self,
        module: nn.Module,
        kind: Kind,
        classes: int,
        features: int,
    ) -> None:
        super().__init__()
        self.module, self.classes = module, classes
        self.kind: Kind = kind
        self.register_buffer("weight", torch.zeros(classes, features))
        self.register_buffer("bias", torch.zeros(classes))
        self.register_buffer("share", torch.zeros(()))
        self._seen: Tensor | None = None
        last = [part for part in module.modules() if isinstance(part, nn.Linear)][-1]
        last.register_forward_pre_hook(self._look)

    def _look(self, _: nn.Module, given: tuple[Tensor, ...]) -> None:
        self._seen = given[0].flatten(1)

    def prepare(self, inputs: Tensor) -> None:
        """Let the module fit its preprocessing, where it has any."""
        if hasattr(self.module, "prepare"):
            self.module.prepare(inputs)  # type: ignore[operator]  # a hook, see Network

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (n, c)."""
        outputs = self.module(inputs)
        seen, self._seen = self._seen, None
        if self.training:
            return outputs
        assert seen is not None
        second = seen @ self.get_buffer("weight").T + self.get_buffer("bias")
        first = outputs.reshape(len(outputs), -1)
        if self.classes == 2:
            first = two_logits(outputs, self.kind)
        elif self.kind == "probabilities":
            first = first.clamp_min(torch.finfo(first.dtype).tiny).log()
        return torch.lerp(first.log_softmax(1), second.log_softmax(1), self.get_buffer("share"))


def two_logits(outputs: Tensor, kind: Kind) -> Tensor:
    """Return logits (n, 2) of the outputs of a module for two classes: one column or two."""
    outputs = outputs.reshape(len(outputs), -1)
    if outputs.shape[1] == 1:
        other = 1 - outputs if kind == "probabilities" else torch.zeros_like(outputs)
        outputs = torch.cat([other, outputs], dim=1)
    if kind == "probabilities":
        outputs = outputs.clamp_min(torch.finfo(outputs.dtype).tiny).log()
    return outputs


class Mixed(nn.Module):
    """Members that answer together by the mean of their probabilities, each with its share.

    In training mode it is the first of them alone, so that it can be trained again as it was before it was mixed.

    Parameters
    ----------
    members : sequence of nn.Module
        For two classes.
    kind : {"logits", "probabilities"}
        What each gives.
    """

    def __init__(self, members: Sequence[nn.Module], kind: Kind) -> None:
        super().__init__()
        self.kind: Kind = kind
        self.members = nn.ModuleList(members)
        self.register_buffer("shares", torch.full((len(members),), 1 / len(members)))

    def prepare(self, inputs: Tensor) -> None:
        """Let every member fit its preprocessing, where it has any."""
        for member in self.members:
            if hasattr(member, "prepare"):
                member.prepare(inputs)  # type: ignore[operator]  # a hook, see Network

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (n, 2)."""
        if self.training:
            return self.members[0](inputs)
        each = [two_logits(member(inputs), self.kind).log_softmax(dim=1) for member in self.members]
        shares = self.get_buffer("shares").clamp_min(torch.finfo(torch.float32).tiny)
        return (torch.stack(each, dim=2) + shares.log()).logsumexp(dim=2)
