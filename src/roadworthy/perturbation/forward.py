"""Forward passes through onnxruntime, for attacks that need no gradient."""

import importlib.util
import io
import logging
import time
import warnings
from contextlib import redirect_stderr, redirect_stdout
from copy import copy
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from roadworthy.perturbation.attack import Attack, Found, Points
from roadworthy.perturbation.losses import lost_margin
from roadworthy.perturbation.model import AttackedModel, Forward, Passes
from roadworthy.perturbation.reverse import Reverse, Unknown, models_of
from roadworthy.perturbation.silence import silenced
from roadworthy.perturbation.threat import Threat

NEEDED = ("onnxruntime", "onnx", "onnxscript")
PAYS_FROM = (
    0.15  # seconds of passes through torch: to trace takes 0.05, and they are halved at least
)
PAYS_SLOWLY_FROM = 3.0  # seconds; where a trace does not do, the export takes 1 to 2
OPSET = 17
ALIKE = 1e-3  # of the largest part of a row's gradient
AGREES = 1e-4  # of the spread of the logits; float32 in another order of summation differs by less


@dataclass(frozen=True, eq=False)
class Runner:
    """What forward-only attacks run on.

    Parameters
    ----------
    name : {"onnxruntime", "torch"}
    call : callable, optional
        (n, ...) inputs to outputs; None: the network itself.
    reason : str
        Why it is torch; empty otherwise.
    """

    name: Literal["onnxruntime", "torch"]
    call: Forward | None = None
    reason: str = ""

    def of(self, model: AttackedModel) -> AttackedModel:
        """Return the model with forward passes by this runner, counting into the same passes."""
        found = copy(model)
        found.forward = self.call
        return found


def trace_of(model: AttackedModel, inputs: Tensor) -> bytes | str:
    """Return the network as ONNX from one call on two of these rows, or why there is none."""
    reason = _untraceable(model, inputs)
    if reason or not isinstance(model.module, nn.Module):
        return reason
    return _traced(model.module, inputs[:2])


def _untraceable(model: AttackedModel, inputs: Tensor) -> str:
    """Say why nothing can be traced here; empty where it can be tried."""
    absent = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        return f"{', '.join(absent)} not installed"
    if not isinstance(model.module, nn.Module):
        return "a black box cannot be exported"
    if inputs.device.type != "cpu" or len(inputs) < 2:
        return "not on the processor, or a single row"
    return ""


def fastest_runner(
    model: AttackedModel,
    inputs: Tensor,
    passes: int | None = None,
    trace: bytes | str | None = None,
) -> Runner:
    """Return onnxruntime on one thread, or torch where that gives other answers or does not pay.

    The export is tried on these rows, which must be answered as by torch: a network that draws random numbers, or
    does what the exporter does not know, stays in torch. What is found to be wrong is confirmed in torch anyway.

    Parameters
    ----------
    model : AttackedModel
    inputs : (n, ...) Tensor
        Real rows; the first `chunk` are compared.
    passes : int
        How many rows are about to be passed, of which some are timed: few are not worth an export. None: whether it
        pays was settled before.
    trace : bytes or str, optional
        What `trace_of` gave for this network before.
    """
    reason = _untraceable(model, inputs)
    if reason or not isinstance(model.module, nn.Module):
        return Runner("torch", reason=reason)
    seconds = float("inf") if passes is None else passes * _seconds(model, inputs[: model.chunk])
    if seconds < PAYS_FROM:
        return Runner("torch", reason=f"{passes:,} passes are not worth an export")
    session = _session(_traced(model.module, inputs[:2]) if trace is None else trace)
    if isinstance(session, str) and seconds >= PAYS_SLOWLY_FROM:
        session = _session(_exported(model.module, inputs[:2]))
    if isinstance(session, str):
        return Runner("torch", reason=session)
    name = session.get_inputs()[0].name

    def call(given: Tensor) -> Tensor:
        array = np.ascontiguousarray(given.detach().numpy())
        return torch.from_numpy(session.run(None, {name: array})[0])

    found = Runner("onnxruntime", call)
    theirs, ours = Runner("torch").of(model), found.of(model)
    ours.passes = theirs.passes = Passes()
    for rows in (inputs[: model.chunk], inputs[:1]):
        if not _agree(theirs.logits(rows), ours.logits(rows)):
            return Runner("torch", reason="onnxruntime gives other answers")
    return found


def reverse_of(
    model: AttackedModel, inputs: Tensor, trace: bytes | str | None = None
) -> Reverse | str:
    """Return gradients through onnxruntime, or why torch gives them.

    Tried on these rows, on which the gradients must be those of torch. `trace` is what `trace_of` gave before.
    """
    content = trace_of(model, inputs) if trace is None else trace
    if isinstance(content, str):
        return content
    try:
        ahead, back, kept = models_of(content, straight_through=model.straight_through)
    except Unknown as unknown:
        return f"no way back through {unknown}"
    sessions = [_session(each.SerializeToString()) for each in (ahead, back)]
    for session in sessions:
        if isinstance(session, str):
            return session
    forwards, backwards = sessions
    first, (slope, *_) = forwards.get_inputs()[0].name, backwards.get_inputs()
    outputs = [each.name for each in forwards.get_outputs()]
    names = [outputs[0], *kept]

    def run_ahead(given: np.ndarray) -> list[np.ndarray]:
        return forwards.run(names, {first: given})

    def run_back(given: np.ndarray, held: list[np.ndarray]) -> np.ndarray:
        fed = dict(zip(kept, held, strict=True)) | {slope.name: given}
        return backwards.run(None, fed)[0]

    found = Reverse(run_ahead, run_back)
    theirs, ours = model.exact(), copy(model)
    ours.reverse = found
    ours.passes = theirs.passes = Passes()
    labels = theirs.logits(inputs).argmax(1)
    for rows in (inputs, inputs[:1]):
        (_, slope_there, there), (_, slope_here, here) = (
            each.gradient(rows, labels[: len(rows)], lost_margin) for each in (theirs, ours)
        )
        if not _agree(there, here) or not _alike(slope_there, slope_here):
            return "onnxruntime gives other gradients"
    return found


def _alike(ours: Tensor, theirs: Tensor) -> bool:
    far = (ours - theirs).flatten(1).abs().amax(1)
    return bool((far <= ALIKE * ours.flatten(1).abs().amax(1)).all())


def _seconds(model: AttackedModel, inputs: Tensor) -> float:
    """Return the least seconds for one row."""
    timed = Runner("torch").of(model)
    timed.passes = Passes()
    found = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        timed.logits(inputs)
        found = min(found, (time.perf_counter() - start) / len(inputs))
    return found


def _traced(module: nn.Module, example: Tensor) -> bytes | str:
    """Return the network as ONNX from one call, or why there is none: where the call was led by values or sizes."""
    held = io.BytesIO()
    axes = {"inputs": {0: "rows"}, "outputs": {0: "rows"}}
    with warnings.catch_warnings(record=True) as said, silenced():
        warnings.simplefilter("always")
        try:
            torch.onnx.export(
                module,
                (example,),
                held,  # pyright: ignore[reportArgumentType] - a file in memory does for a trace
                dynamo=False,
                input_names=["inputs"],
                output_names=["outputs"],
                dynamic_axes=axes,
                opset_version=OPSET,
            )
        except (RuntimeError, TypeError, ValueError) as error:
            return f"cannot be traced ({_first_line(error)})"
    if any(warning.category.__name__ == "TracerWarning" for warning in said):
        return "its steps depend on values or sizes, which a trace does not see"
    return held.getvalue()


def _exported(module: nn.Module, example: Tensor) -> bytes | str:
    """Return the network as ONNX from its program, or why there is none."""
    rows = {0: torch.export.Dim("rows", min=1)}
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            program: Any = torch.onnx.export(
                module, (example,), dynamo=True, dynamic_shapes=(rows,), verbose=False
            )
    except torch.onnx.OnnxExporterError as error:
        return f"cannot be exported ({_first_line(error)})"
    finally:
        logger.setLevel(level)
    return program.model_proto.SerializeToString()


def _session(content: bytes | str) -> Any:  # Any: a session, or why there is none
    if isinstance(content, str):
        return content
    import onnxruntime

    # Not by importlib: what a called name imports has no identity, and nothing that rests on it would be kept.
    from onnxruntime.capi import (
        onnxruntime_pybind11_state as raised,  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]  # compiled
    )

    refused = (raised.Fail, raised.InvalidGraph, raised.InvalidArgument, raised.NotImplemented)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except refused as error:
        return f"onnxruntime cannot run it ({_first_line(error)})"
    if any(isinstance(length, int) for length in session.get_inputs()[0].shape[:1]):
        return "exported for one number of rows alone"
    return session


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _agree(ours: Tensor, theirs: Tensor) -> bool:
    spread = float((ours.amax() - ours.amin()).clamp_min(1e-6))
    return ours.shape == theirs.shape and bool(
        ((ours - theirs).abs() <= AGREES * spread).all()
        & (ours.argmax(1) == theirs.argmax(1)).all()
    )


@dataclass(frozen=True)
class OnRunner:
    """A forward-only attack that searches by a runner; who calls it confirms what it finds by the network itself.

    Parameters
    ----------
    attack : Attack
    runner : Runner
    """

    attack: Attack
    runner: Runner

    @property
    def name(self) -> str:
        """See `Attack`."""
        return f"{self.attack.name} ({self.runner.name})"

    def __call__(self, model: AttackedModel, points: Points, threat: Threat) -> Found:
        """See `Attack`."""
        return self.attack(self.runner.of(model), points, threat)
