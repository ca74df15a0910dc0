"""How attacks are run on this machine: how many rows at a time, and how exact the search."""

import time
from copy import copy
from dataclasses import dataclass
from math import ceil, isfinite, log2, prod

import torch
from torch import Tensor

from roadworthy.perturbation.attack import margin
from roadworthy.perturbation.forward import reverse_of
from roadworthy.perturbation.losses import cross_entropy
from roadworthy.perturbation.model import AttackedModel, Passes, Precision

CHUNKS = (32, 128, 512)
WIDER = 0.85  # of the time of the chunk before: where a wider one gains no more, the next will not pay for the trial
FEW = 16  # rows; as many are left late in an attack, and a pass is fast where it is for them too
USUAL_CHUNK = 128  # the fastest for two small networks on images of 8 x 8 and 28 x 28
MOST_VALUES = 1 << 17  # of a chunk, where nothing was timed
TIMED_PASSES = 2
MARGIN = 0.9  # of the time in float32: less exact only where that is plainly faster


SATURATED = 0.1  # of the rows answered right; their cross-entropy is exactly 0 in float32
LARGE = 8.0  # margin of logits, in nats: the gradient of the cross-entropy is exact to four digits there
MOST_LIE_BELOW = 0.9


@dataclass(frozen=True)
class Conduct:
    """How a model is run. It changes no outcome beyond rounding: what is found is confirmed in float32.

    Parameters
    ----------
    chunk : int
        Rows at a time.
    precision : {"float32", "bfloat16"}
        Of gradients.
    reverse : bool
        Gradients come through onnxruntime.
    """

    chunk: int
    precision: Precision = "float32"
    reverse: bool = False


def usual(inputs: Tensor) -> Conduct:
    """Return how to run a model without having timed it: the same on every machine."""
    values = prod(inputs.shape[1:])
    return Conduct(max(8, min(USUAL_CHUNK, MOST_VALUES // max(values, 1))))


def scale_of(model: AttackedModel, inputs: Tensor, labels: Tensor) -> float:
    """Return what to divide logits by so that cross-entropy has a gradient: a power of two, 1 where none is needed."""
    logits = model.logits(inputs)
    right = logits.argmax(1) == labels
    if not bool(right.any()):
        return 1.0
    logits, labels = logits[right], labels[right]
    if float((cross_entropy(logits, labels) == 0).float().mean()) <= SATURATED:
        return 1.0
    typical = float(margin(logits, labels).quantile(MOST_LIE_BELOW))
    return 2.0 ** ceil(log2(typical / LARGE)) if isfinite(typical) else 1.0


def timed(model: AttackedModel, inputs: Tensor, labels: Tensor) -> Conduct:
    """Return what is fastest for this model on these inputs, by trying.

    Gradients through onnxruntime first, which are those of float32: where they are plainly faster, neither other
    chunks nor lower precision are tried, so that a short attack does not spend its time on trials.
    """
    values = max(prod(inputs.shape[1:]), 1)
    found = usual(inputs)
    least = sum(_seconds(model, inputs, labels, rows) for rows in (found.chunk, FEW))
    reverse = reverse_of(model, inputs)
    if not isinstance(reverse, str):
        turned = copy(model)
        turned.reverse = reverse
        seconds = sum(_seconds(turned, inputs, labels, rows) for rows in (found.chunk, FEW))
        if seconds < MARGIN * least:
            wide = min(CHUNKS[-1], 4 * MOST_VALUES // values)
            return Conduct(max(found.chunk, wide), reverse=True)
    return _timed_in_torch(model, inputs, labels)


def _timed_in_torch(model: AttackedModel, inputs: Tensor, labels: Tensor) -> Conduct:
    values = max(prod(inputs.shape[1:]), 1)
    best, least = usual(inputs), float("inf")
    for chunk in CHUNKS:
        if chunk * values > 4 * MOST_VALUES and least < float("inf"):
            break
        seconds, before = _seconds(model, inputs, labels, chunk), least
        if seconds < least:
            best, least = Conduct(chunk), seconds
        if seconds > WIDER * before:
            break
    least += _seconds(model, inputs, labels, FEW)
    coarse = copy(model)
    coarse.precision = "bfloat16"
    seconds = sum(_seconds(coarse, inputs, labels, rows) for rows in (best.chunk, FEW))
    return Conduct(best.chunk, "bfloat16") if seconds < MARGIN * least else best


def _seconds(model: AttackedModel, inputs: Tensor, labels: Tensor, chunk: int) -> float:
    """Return the least seconds for one row forward and backward."""
    tried = copy(model)
    tried.chunk, tried.passes = chunk, Passes()
    rows = torch.arange(chunk, device=inputs.device) % len(inputs)
    at, of = inputs[rows], labels[rows]
    # On one thread the time of the processor counts, which other programs do not lengthen.
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    found = float("inf")
    for _ in range(TIMED_PASSES):
        start = clock()
        tried.gradient(at, of, cross_entropy)
        found = min(found, clock() - start)
    return found / chunk
