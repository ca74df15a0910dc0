"""ONNX files through onnxruntime: a black box. Nothing in the file is run but its operators."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np

from roadworthy.errors import UserError
from roadworthy.subject.blackbox import decoded, spelled_class
from roadworthy.subject.claims import require_file
from roadworthy.subject.predictor import Predictor
from roadworthy.subject.problems import listed
from roadworthy.subject.subject import Subject

TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}
Outputs = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """A model in an ONNX file."""

    path: Path

    def predictor(self, subject: Subject) -> Predictor:
        """Return the model as a function of the subject's inputs."""
        session = _session(self.path)
        feed = _feed(session, subject, self.path)
        place, gives = _output(session, subject, self.path)
        name = session.get_outputs()[place].name
        size = _fixed_batch(session)

        def outputs(inputs: np.ndarray) -> np.ndarray:
            return _array(session.run([name], feed(inputs))[0], subject)

        call = outputs if size is None else in_batches_of(size, outputs)
        identity = ("onnx", sha256(self.path.read_bytes()).hexdigest(), place)
        return Predictor(call, gives, identity)


def _session(path: Path) -> Any:  # Any: onnxruntime has no annotations
    require_file(path)
    if importlib.util.find_spec("onnxruntime") is None:
        raise UserError(
            f"{path}: reading ONNX needs onnxruntime. Install it: pip install 'roadworthy[onnx]'."
        )
    import onnxruntime

    raised: Any = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")

    unreadable = (
        raised.Fail,
        raised.InvalidArgument,
        raised.InvalidGraph,
        raised.InvalidProtobuf,
        raised.NoModel,
        raised.NoSuchFile,
        raised.NotImplemented,
        raised.RuntimeException,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except unreadable as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: not a readable ONNX model ({reason}). Export it again.") from None


def _feed(session: Any, subject: Subject, path: Path) -> Callable[[np.ndarray], dict[str, Any]]:
    """Return what turns our inputs into the model's: one array, or one per column of a table."""
    wanted = session.get_inputs()
    unknown = [f"{i.name} {i.type}" for i in wanted if i.type not in TYPES]
    if unknown:
        raise UserError(f"{path}: inputs of a type that cannot be given: {listed(unknown)}.")
    if len(wanted) == 1 and wanted[0].type != "tensor(string)":
        only, dtype = wanted[0].name, TYPES[wanted[0].type]
        return lambda inputs: {only: inputs.astype(dtype)}
    columns = {column.name: (j, column) for j, column in enumerate(subject.columns)}
    missing = [i.name for i in wanted if i.name not in columns]
    if missing:
        raise UserError(
            f"{path}: the model takes {len(wanted)} inputs, and {listed(missing)} are no columns of "
            f"the data ({listed(columns)}). Export it with one input, or name the columns alike."
        )

    def feed(inputs: np.ndarray) -> dict[str, Any]:
        named: dict[str, Any] = {}
        for i in wanted:
            j, column = columns[i.name]
            values = inputs[:, j]
            if i.type == "tensor(string)":
                values = np.array([str(v) for v in decoded(values, column)], object)
            named[i.name] = values.astype(TYPES[i.type])[:, None]
        return named

    return feed


def _output(
    session: Any, subject: Subject, path: Path
) -> tuple[int, Literal["probabilities", "values", "unknown"]]:
    found = session.get_outputs()
    if not subject.task.is_classification:
        return 0, "values"
    for i, output in enumerate(found):
        if "prob" in output.name.lower():
            return i, "probabilities"
    for i, output in enumerate(found):
        if output.type in ("tensor(float)", "tensor(double)", "tensor(float16)"):
            return i, "unknown"
    said = [f"{o.name} {o.type}" for o in found]
    raise UserError(
        f"{path}: gives {listed(said)}, none of which are logits or probabilities. Export the "
        "model with its probabilities as an output."
    )


def _array(found: Any, subject: Subject) -> np.ndarray:  # Any: an array, or a list of dicts
    if not isinstance(found, list):
        return np.asarray(found)
    keys = {spelled_class(key): key for key in found[0]}
    missing = [name for name in subject.task.classes if name not in keys]
    if missing:
        raise UserError(
            f"The target has the classes {listed(missing)}, which the model does not know; it "
            f"knows {listed(keys)}. Give the target in the model's classes."
        )
    return np.array([[row[keys[name]] for name in subject.task.classes] for row in found])


def _fixed_batch(session: Any) -> int | None:
    sizes = {i.shape[0] for i in session.get_inputs() if i.shape}
    fixed = [size for size in sizes if isinstance(size, int) and size > 0]
    return fixed[0] if fixed else None


def in_batches_of(size: int, outputs: Outputs) -> Outputs:
    """Return a function that calls `outputs` on exactly `size` rows at a time, the last ones padded."""

    def whole(inputs: np.ndarray) -> np.ndarray:
        pieces: list[np.ndarray] = []
        for start in range(0, max(len(inputs), 1), size):
            batch = inputs[start : start + size]
            lacking = size - len(batch)
            padded = np.concatenate([batch, np.repeat(batch[-1:], lacking, axis=0)])
            pieces.append(outputs(padded)[: len(batch)])
        return np.concatenate(pieces)

    return whole
