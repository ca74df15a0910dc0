"""Models that draw random numbers when they answer: declared, their answer is the mean over a stated number of draws."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from roadworthy.errors import UserError
from roadworthy.subject.model import Network
from roadworthy.subject.predictor import Predictor
from roadworthy.subject.probe import some_rows
from roadworthy.subject.subject import Subject

if TYPE_CHECKING:
    from torch import Tensor, nn

Kind = Literal["logits", "probabilities", "values"]
Call = Callable[[np.ndarray], np.ndarray]
Weights = Mapping[str, np.ndarray]

PREFIX = "module."
FEWEST, USUAL = 2, 16
MOST = 1024
ANSWERS = "answers"
"""The stream of random numbers that the user's answers are drawn from; attacks search by others."""
SUM_TOLERANCE = 1e-3
LOOKED_AT = 4  # rows, to see whether those of one batch draw apart


def said_of(draws: int | None) -> tuple[str, ...]:
    """Return the note on a model that was declared to answer at random; refuse a number of draws that makes no mean."""
    if draws is None:
        return ()
    if isinstance(draws, bool) or not FEWEST <= draws <= MOST:
        raise UserError(
            f"random_draws is {draws}; it is how many draws of a model that answers at random are averaged, from "
            f"{FEWEST} to {MOST} (usual: {USUAL})."
        )
    return (
        f"the model answers at random: its answer is the mean over {draws} draws, seeded by the content of a row",
    )


def declared_random(
    network: Network,
    weights: Weights | None,
    draws: int,
    module: "nn.Module",
    outputs: Call,
    subject: Subject,
) -> tuple[Network, Weights | None]:
    """Return network and weights of the model whose answer is the mean over draws, after a look at some rows.

    Parameters
    ----------
    network : Network
    weights : mapping of str to ndarray, optional
    draws : int
    module : nn.Module
        The network built, with its weights.
    outputs : callable
        What it gives for inputs.
    subject : Subject
    """
    import torch

    from roadworthy.subject.random_answers_module import draws_apart

    rows = some_rows(subject)
    if rows is None:
        raise UserError("random_draws needs rows of inputs to look at, and the data have none.")
    seen = outputs(rows)
    kind = _kind_of(seen, subject)
    if weights is None and kind == "probabilities" and seen[:1].size == 1:
        raise UserError(
            "random_draws: whether the one output of a network that is still to be trained is a logit or a probability "
            "cannot be told. Let it give an output for each class, or give its trained weights."
        )

    def run(tensor: "Tensor") -> "Tensor":
        return torch.from_numpy(outputs(tensor.numpy()))

    apart = draws_apart(run, torch.from_numpy(rows[:LOOKED_AT]))
    return averaged(network, weights, draws, kind, apart=apart)


def steadied(predictor: Predictor, draws: int, outputs: Call, subject: Subject) -> Predictor:
    """Return a black box whose answer is the mean over draws."""
    rows = some_rows(subject)
    if rows is None:
        return predictor
    kind = predictor.gives if predictor.gives != "unknown" else _kind_of(outputs(rows), subject)
    gives = "values" if kind == "values" else "logits"
    identity = (predictor.identity, "mean of draws", draws, kind)
    return Predictor(MeanOfCalls(predictor.call, draws, kind), gives, identity)


def averaged(
    network: Network,
    weights: Weights | None,
    draws: int,
    kind: Kind,
    *,
    apart: bool,
) -> tuple[Network, Weights | None]:
    """Return network and weights of the model whose answer is the mean over draws.

    In training mode the module is the one that it was. Probabilities are averaged, and given as their logarithms.

    Parameters
    ----------
    network : Network
    weights : mapping of str to ndarray, optional
    draws : int
    kind : {"logits", "probabilities", "values"}
        What the network gives.
    apart : bool
        Rows of one batch draw numbers of their own, so that one call on copies of a row gives all draws.
    """
    source = f"{network.source or 'network'}, mean of {draws} draws"
    inner = None if weights is None else {f"{PREFIX}{n}": np.asarray(w) for n, w in weights.items()}
    return Network(_Averaged(network, draws, kind, apart), source), inner


@dataclass(frozen=True, eq=False)
class _Averaged:
    """The factory of the module."""

    network: Network
    draws: int
    kind: Kind
    apart: bool

    def __call__(self) -> "nn.Module":
        from roadworthy.subject.random_answers_module import MeanOfDraws

        return MeanOfDraws(self.network.build(), self.draws, self.kind, apart=self.apart)


@dataclass(frozen=True, eq=False)
class MeanOfCalls:
    """A black box that draws random numbers, as a function with defined answers.

    Its numbers have to come from Python, numpy or torch, which are seeded here for each row by its content.

    Parameters
    ----------
    call : callable
    draws : int
    kind : {"logits", "probabilities", "values"}
    stream : str
        Of random numbers.
    """

    call: Call
    draws: int
    kind: Kind
    stream: str = ANSWERS

    def redrawn(self, stream: str, times: int = 1) -> "MeanOfCalls":
        """Return the same with other numbers, and `times` as many of them."""
        return replace(self, stream=stream, draws=self.draws * times)

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Return log probabilities (n, c), or values (n, ...)."""
        import torch

        from roadworthy.subject.random_answers_module import (
            draws_of_rows,
            log_mean,
            seed_of,
        )

        # An empty array still needs one call, which tells the number of outputs.
        rows = inputs if len(inputs) else np.zeros((1, *inputs.shape[1:]), inputs.dtype)
        found: list[np.ndarray] = []
        with draws_of_rows() as begin:
            for row in range(len(rows)):
                one = rows[row : row + 1]
                begin(seed_of(one, self.stream))
                parts = [np.array(self.call(one), np.float64) for _ in range(self.draws)]
                whole = torch.from_numpy(np.concatenate(parts))
                found.append(log_mean(whole, self.kind).numpy())
        return np.concatenate(found)[: len(inputs)]


def _kind_of(outputs: np.ndarray, subject: Subject) -> Kind:
    """Tell what a model gives from a few of its outputs, as `quantities.outputs` does from more of them."""
    if not subject.task.is_classification:
        return "values"
    found = outputs.reshape(len(outputs), -1)
    if found.min(initial=0.0) < 0 or found.max(initial=0.0) > 1 + SUM_TOLERANCE:
        return "logits"
    is_sure = found.shape[1] == 1 or np.abs(found.sum(axis=1) - 1).max() <= SUM_TOLERANCE
    return "probabilities" if is_sure else "logits"
