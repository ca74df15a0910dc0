"""The state of an unfinished training in a file: all of it or nothing, and only for the same training.

Tensors are kept as safetensors, the rest as JSON in the header.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError

from roadworthy.errors import UserError
from roadworthy.files import write
from roadworthy.subject import Recipe
from roadworthy.training.jobs import Examples

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "roadworthy checkpoint 1"
SECONDS_BETWEEN = 5.0
SAMPLED_VALUES = 1 << 22  # of inputs that tell one training from another
UNREADABLE = (
    OSError,
    RuntimeError,
    SafetensorError,
)  # safetensors raises the second where a file has just gone

Numbers = dict[str, Any]  # Any: JSON


@dataclass(frozen=True, eq=False)
class State:
    """Everything that the next step of a training depends on."""

    tensors: "Mapping[str, Tensor]"
    numbers: Numbers


class Checkpoint:
    """A file that holds the latest state of one training.

    Parameters
    ----------
    file : Path or None
        None: nothing is kept.
    identity : str
        Of the training; a state of another one is not read.
    """

    def __init__(self, file: Path | None, identity: str) -> None:
        self.file = file
        self.identity = identity
        self._written = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the last state was laid down long enough ago."""
        return self.file is not None and time.monotonic() - self._written >= SECONDS_BETWEEN

    def lay_down(self, state: State) -> None:
        """Put a state in place of the one before.

        Where the disk is full, training goes on without.
        """
        from safetensors.torch import save

        assert self.file is not None
        tensors = {name: value.detach().cpu().clone() for name, value in state.tensors.items()}
        header = {
            "format": FORMAT,
            "identity": self.identity,
            "numbers": json.dumps(state.numbers),
            "content": digest_of(tensors),
        }
        try:
            write(self.file, save(tensors, header))
        except UserError:
            self.file = None  # the weights themselves are still to come, and say what is wrong
        self._written = time.monotonic()

    def read(self) -> State | None:
        """Return the state that was laid down; None where there is none, or it is damaged or foreign."""
        from safetensors import safe_open

        if self.file is None or not self.file.is_file():
            return None
        try:
            with safe_open(self.file, "pt") as opened:
                header = opened.metadata() or {}
                if (header.get("format"), header.get("identity")) != (FORMAT, self.identity):
                    return None
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 # no mapping
        except UNREADABLE:
            return None
        if header.get("content") != digest_of(tensors):
            return None
        return State(tensors, json.loads(header["numbers"]))


def identity_of_training(
    start: "Mapping[str, Tensor]",
    recipe: Recipe,
    training: Examples,
    validation: Examples | None,
    device: str,
) -> str:
    """Return what tells one training from another.

    That is the recipe, the weights it starts from (preprocessing included), all targets and evenly spread
    rows of the inputs, and the device.
    """
    import torch

    settings = json.dumps([torch.__version__, asdict(recipe), device], sort_keys=True, default=str)
    parts = [settings.encode(), digest_of(start).encode()]
    for examples in (training, validation):
        parts += digests_of_examples(examples)
    return sha256(b"\n".join(parts)).hexdigest()


def digests_of_examples(examples: Examples | None) -> list[bytes]:
    """Return what tells these rows from others: all targets and weights, evenly spread rows of the inputs."""
    if examples is None:
        return [b"none"]
    n = len(examples.target)
    most = max(1, SAMPLED_VALUES // max(1, prod(examples.inputs.shape[1:])))
    rows = np.linspace(0, max(n - 1, 0), min(n, most)).astype(np.int64)
    beside = (examples.row_weights, examples.row_groups)
    arrays = (examples.target, *beside, examples.inputs[rows])
    return [b"none" if each is None else digest_of_array(each).encode() for each in arrays]


def numbers_in(file: Path, identity: str) -> Numbers | None:
    """Return the numbers of a state without its tensors, which may be damaged; None as `Checkpoint.read`."""
    from safetensors import safe_open

    if not file.is_file():
        return None
    try:
        with safe_open(file, "pt") as opened:
            header = opened.metadata() or {}
    except UNREADABLE:
        return None
    if (header.get("format"), header.get("identity")) != (FORMAT, identity):
        return None
    return json.loads(header["numbers"])


def digest_of(tensors: "Mapping[str, Tensor]") -> str:
    """Return what tells these tensors from others."""
    digest = sha256()
    for name in sorted(tensors):
        array = tensors[name].detach().cpu().contiguous().numpy()
        digest.update(f"{name} {digest_of_array(array)}\n".encode())
    return digest.hexdigest()


def digest_of_array(array: np.ndarray) -> str:
    """Return what tells an array from others."""
    digest = sha256(f"{array.dtype} {array.shape}".encode())
    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
