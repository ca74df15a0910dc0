"""Wrong answers that are also given: the joint aim of an adversary where a model may hold an answer back.

A detector that looks good against attacks which do not know of it need not be one (Carlini & Wagner 2017, "Adversarial
examples are not easily detected"): an attack that stops at the first wrong answer ends where the model is unsure, and is
held back. Here an attack is right only where the answer is wrong *and* sure enough to be given.
"""

from collections.abc import Callable
from copy import copy
from math import log

import torch
from torch import Tensor, nn

from roadworthy.perturbation.model import AttackedModel, Backward, Forward, as_logits

Run = nn.Module | Forward


def answered(model: AttackedModel, label: int, threshold: float) -> AttackedModel:
    """Return the model of rows of one label as its adversary sees it: its answer is wrong where a wrong answer is given.

    Logit j other than the label is min(z_j - z_label, log p_j - log threshold), that of the label 0: it is positive for
    some j if and only if the most probable class is not the label and is at least as probable as the threshold. For let j
    be such a class: then z_j > z_label, and the most probable class is at least as probable as j; the converse is plain.
    The gradient is that of the one of the two aims that is further off (selective gradients, Bryniarski, Hingun, Pachuca,
    Wang & Carlini 2021, "Evading adversarial example detection defenses with orthogonal projected gradient descent",
    section 4.1), and every attack on logits may climb it.

    Parameters
    ----------
    model : AttackedModel
    label : int
        Of all rows that will be attacked.
    threshold : float
        Least probability of a class that is given as the answer.
    """

    def aims(outputs: Tensor) -> Tensor:
        return _aims(as_logits(outputs, model.classes, model.gives_probabilities), label, threshold)

    def through(run: Run) -> Run:
        return _Through(run, aims) if isinstance(run, nn.Module) else lambda x: aims(run(x))

    found = copy(model)
    found.module = through(model.module)
    found.answers = None if model.answers is None else through(model.answers)
    found.judge = None if model.judge is None else through(model.judge)
    found.forward = None if model.forward is None else through(model.forward)
    found.reverse = None if model.reverse is None else _back_through(model.reverse, aims)
    found.gives_probabilities = False
    return found


class _Through(nn.Module):
    """What an adversary aims at, from what a module gives."""

    def __init__(self, module: nn.Module, aims: Forward) -> None:
        super().__init__()
        self.module = module
        self.aims = aims
        self.eval()

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the joint logits."""
        return self.aims(self.module(inputs))


def _aims(logits: Tensor, label: int, threshold: float) -> Tensor:
    least = log(max(threshold, torch.finfo(torch.float32).tiny))
    found = torch.minimum(logits - logits[:, label : label + 1], logits.log_softmax(dim=1) - least)
    is_label = torch.arange(logits.shape[1], device=logits.device) == label
    return found.masked_fill(is_label, 0.0)


def _back_through(reverse: Backward, aims: Forward) -> Backward:
    def ahead(inputs: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        outputs, pull = reverse(inputs)
        at = outputs.detach().requires_grad_()
        with torch.enable_grad():
            found = aims(at)

        def back(slope: Tensor) -> Tensor:
            (of_outputs,) = torch.autograd.grad(found, at, slope)
            return pull(of_outputs)

        return found.detach().clone(), back

    return ahead
