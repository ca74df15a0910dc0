"""`.pt2` files of `torch.export`: read only where the user trusts them, because loading runs code."""

import warnings
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy.errors import UserError
from roadworthy.subject.claims import require_file
from roadworthy.subject.onnx import in_batches_of
from roadworthy.subject.predictor import Predictor
from roadworthy.subject.subject import Subject

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, eq=False)
class ExportedProgram:
    """A model in a `.pt2` file, which the user trusts."""

    path: Path

    def predictor(self, subject: Subject) -> Predictor:
        """Return the unflattened program: gradients and hooks work, training it again does not."""
        import torch

        program = _loaded(self.path)
        with warnings.catch_warnings():
            # torch 2.13 copies its own deprecated class here; to be removed when it no longer does.
            warnings.simplefilter("ignore", FutureWarning)
            module = torch.export.unflatten(program)
        size = _fixed_batch(program)

        def outputs(inputs: np.ndarray) -> np.ndarray:
            return _forward(module, inputs)

        return Predictor(
            outputs if size is None else in_batches_of(size, outputs),
            "unknown" if subject.task.is_classification else "values",
            ("exported", sha256(self.path.read_bytes()).hexdigest(), torch.__version__),
            module=module,
        )


def require_trust(path: Path, *, trust: bool) -> None:
    """Raise unless the user said that the file may run code."""
    require_file(path)
    if not trust:
        raise UserError(
            f"{path}: loading a .pt2 file can run any code in it, so it was not read. If you made "
            "it, or trust who did, add --trust; a Python factory with .safetensors weights needs "
            "no trust and allows more."
        )


def _loaded(path: Path) -> Any:  # Any: torch.export.ExportedProgram
    import torch

    try:
        return torch.export.load(path)
    except (RuntimeError, OSError, ValueError, KeyError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: not a readable .pt2 file ({reason}). Export it again.") from None


def _forward(module: "nn.Module", inputs: np.ndarray) -> np.ndarray:
    import torch

    whole = inputs.dtype.kind in "iu" and inputs.dtype.itemsize >= 4 and inputs.ndim <= 2
    tensor = torch.from_numpy(inputs.astype(np.int64 if whole else np.float32))
    with torch.no_grad():
        found = module(tensor)
    return np.asarray(found.float().cpu().numpy())


def _fixed_batch(program: Any) -> int | None:
    """Return the number of rows that the program was exported for, None where any will do."""
    names = set(program.graph_signature.user_inputs)
    for node in program.graph.nodes:
        value = node.meta.get("val") if node.name in names else None
        first: Any = next(iter(getattr(value, "shape", ())), None)
        if first is not None:
            return first if isinstance(first, int) else None  # a symbol stands for any number
    return None
