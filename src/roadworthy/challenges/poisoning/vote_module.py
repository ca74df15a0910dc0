"""The module of a vote over parts. Apart because importing it imports torch."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

SHARP = 4.0  # logit per vote: a lead of one vote is a probability of .98 between two classes


class Vote(nn.Module):
    """Members that each learn from their own part of the rows; in evaluation mode the majority answers.

    In training mode a row goes to one member, chosen by its values, so that training again keeps the parts apart. (The
    certificate is of members that were trained one by one.)

    Parameters
    ----------
    members : sequence of nn.Module
    classes : int
    """

    def __init__(self, members: Sequence[nn.Module], classes: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.classes = classes

    def prepare(self, inputs: Tensor) -> None:
        """Let every member fit its preprocessing, where it has any."""
        for member in self.members:
            if hasattr(member, "prepare"):
                member.prepare(inputs)  # type: ignore[operator]  # a hook, see Network

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (n, c): four times the votes, a tie going to the lower class."""
        if self.training:
            return self._of_parts(inputs)
        votes = torch.stack([self._answer(member(inputs)) for member in self.members])
        counts = nn.functional.one_hot(votes, self.classes).sum(dim=0).float()
        tie = torch.arange(self.classes, device=inputs.device) * 1e-3
        return SHARP * (counts - tie)

    def _of_parts(self, inputs: Tensor) -> Tensor:
        values = inputs.reshape(len(inputs), -1).double().nan_to_num(nan=-1.0)
        places = torch.arange(1, values.shape[1] + 1, device=inputs.device).double()
        mixed = (torch.sin(places * 12.9898) * values).sum(dim=1) * 43758.5453
        part = ((mixed - mixed.floor()) * len(self.members)).long() % len(self.members)
        every = torch.stack([self._wide(member(inputs)) for member in self.members])  # (k, n, c)
        return every[part, torch.arange(len(inputs), device=inputs.device)]

    def _wide(self, outputs: Tensor) -> Tensor:
        outputs = outputs.reshape(len(outputs), -1)
        if outputs.shape[1] == 1 and self.classes == 2:
            return torch.cat([torch.zeros_like(outputs), outputs], dim=1)
        return outputs

    def _answer(self, outputs: Tensor) -> Tensor:
        return self._wide(outputs).argmax(dim=1)
