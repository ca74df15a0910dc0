"""The number that is explained: how strongly a network says the class it answers."""

from torch import Tensor, nn

from roadworthy.perturbation.model import AttackedModel, as_logits


def score(logits: Tensor, classes: Tensor) -> Tensor:
    """Logit of a class less the mean of all logits; of a numeric target the number itself: (n,).

    Probabilities do not change where all logits grow alike, so a part that they share explains nothing.

    >>> import torch
    >>> score(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([0])).tolist()
    [1.0]
    """
    of_class = logits.gather(1, classes[:, None])[:, 0]
    return of_class if logits.shape[1] == 1 else of_class - logits.mean(1)


def probability(logits: Tensor, classes: Tensor) -> Tensor:
    """Probability of a class; of a numeric target the number itself: (n,)."""
    if logits.shape[1] == 1:
        return logits[:, 0]
    return logits.softmax(1).gather(1, classes[:, None])[:, 0]


def scores(model: AttackedModel, inputs: Tensor, classes: Tensor) -> Tensor:
    """Return the scores of these classes, without gradients: (n,)."""
    return score(model.logits(inputs), classes)


class Scored(nn.Module):
    """A network that gives a logit of every class, whatever it gives by itself: (n, c).

    What turns its outputs into logits is thereby a part of what is explained.
    """

    def __init__(self, module: nn.Module, classes: int, *, gives_probabilities: bool) -> None:
        super().__init__()
        self.module = module
        self.classes = classes
        self.gives_probabilities = gives_probabilities

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits, or the numbers as one column."""
        return as_logits(self.module(inputs), self.classes, self.gives_probabilities)
