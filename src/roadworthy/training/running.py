"""Running a torch module on arrays: conversion, batches, threads, and torch's random state."""

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import pause
from roadworthy.errors import LackOfMemory, UserError, is_lack_of_memory
from roadworthy.fewer_rows import in_parts
from roadworthy.subject import Network

if TYPE_CHECKING:
    from torch import Tensor, nn

# On two cores a second thread made the default network for tables 2.2 times slower (3.7 s to 1.6 s,
# 12 columns); images of 32 x 32 gained 1.8 times.
FEW_VALUES = 512  # of a row of inputs
FEW_PARAMETERS = 1_000_000
ROWS_AT_A_TIME = 1024
VALUES_AT_A_TIME = 1 << 22
MORE_MEMORY = (
    "Memory does not suffice: free some, allow more (ulimit -v) or run elsewhere (--device); where it is being "
    "trained, a smaller batch_size of the recipe needs less."
)


def tensor_of(inputs: np.ndarray, module: "nn.Module", device: str = "cpu") -> "Tensor":
    """Copy inputs as float32; integers as int64 where the module looks codes up in an embedding."""
    import torch

    looks_up = any(
        isinstance(m, torch.nn.Embedding | torch.nn.EmbeddingBag) for m in module.modules()
    )
    kind = np.int64 if looks_up and inputs.dtype.kind in "iu" else np.float32
    with np.errstate(over="ignore"):  # beyond float32 is infinite, which the module must bear
        return torch.from_numpy(np.array(inputs, kind)).to(device)


def load(network: Network, weights: Mapping[str, np.ndarray], device: str = "cpu") -> "nn.Module":
    """Return a module of `network` with these weights, in evaluation mode.

    Raises
    ------
    UserError
        Where names or shapes are not those of the architecture.
    """
    import torch

    with reproducible(0):
        module = network.build()
    expected = module.state_dict()
    problems = [f"{name} is missing" for name in expected if name not in weights]
    problems += [f"{name} is not in the architecture" for name in weights if name not in expected]
    problems += [
        f"{name} has shape {np.shape(weights[name])}, not {tuple(value.shape)}"
        for name, value in expected.items()
        if name in weights and np.shape(weights[name]) != tuple(value.shape)
    ]
    if problems:
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise UserError(
            f"The weights do not fit the architecture ({network.source or 'the given network'}): "
            f"{'; '.join(problems[:5])}{more}. Give the weights of this architecture, or build "
            "the architecture with the options that they were trained with."
        )
    module.load_state_dict({n: torch.from_numpy(np.array(v)) for n, v in weights.items()})
    return module.to(device, torch.float32).eval()


def forward(module: "nn.Module", batch: "Tensor") -> "Tensor":
    """Call the module; what goes wrong inside it is told with the shape that it was given.

    Raises
    ------
    LackOfMemory
        Where memory does not suffice for so many rows at once.
    UserError
        Where the module raises for another reason, or returns something else than one tensor.
    """
    import torch

    try:
        found = module(batch)
    except (RuntimeError, ValueError, TypeError, IndexError, MemoryError) as error:
        kind = str(batch.dtype).removeprefix("torch.")
        failed = (
            f"The model ({type(module).__name__}) failed on a batch of shape {tuple(batch.shape)}, {kind}: "
            f"{str(error) or type(error).__name__}. "
        )
        if is_lack_of_memory(error):
            raise LackOfMemory(failed + MORE_MEMORY) from error
        raise UserError(
            f"{failed}Give inputs of the shape that it takes, or adapt its forward method."
        ) from error
    if not isinstance(found, torch.Tensor):
        raise UserError(
            f"The model ({type(module).__name__}) returned a {type(found).__name__}; one tensor of "
            "outputs, a row for each row of inputs, was expected. Wrap it in a module that "
            "returns that tensor alone."
        )
    return found


def rows_at_a_time(shape: Sequence[int]) -> int:
    """Return how many rows of inputs of this shape (n, ...) are run at once without gradients."""
    return max(1, min(ROWS_AT_A_TIME, VALUES_AT_A_TIME // max(1, prod(shape[1:]))))


def evaluate(module: "nn.Module", inputs: np.ndarray, device: str = "cpu") -> np.ndarray:
    """Return the outputs of the module in evaluation mode: (n, c) or (n,) float32.

    Run in batches, which are halved where memory does not suffice.
    """
    import torch

    def answered(rows: slice) -> np.ndarray:
        pause()
        outputs = forward(module, tensor_of(inputs[rows], module, device))
        return outputs.float().cpu().numpy()

    was_training = module.training
    module.eval()
    try:
        with torch.inference_mode(), threads(module, inputs):
            batches, _ = in_parts(len(inputs), rows_at_a_time(inputs.shape), answered)
    finally:
        module.train(was_training)
    return np.concatenate(batches)


@contextmanager
def reproducible(seed: int, device: str = "cpu") -> Generator[None]:
    """Seed torch inside, and leave its random state outside as it was."""
    import torch

    devices = [torch.device(device)] if device.startswith("cuda") else []
    with (
        torch.random.fork_rng(devices),
        torch.backends.cudnn.flags(
            enabled=torch.backends.cudnn.enabled, benchmark=False, deterministic=True
        ),
    ):
        if device == "cpu":
            # torch.manual_seed takes 50 us to note who called, for accelerators that are not in use.
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)
        yield


def random_state(device: str) -> "dict[str, Tensor]":
    """Return the states of torch's own generators that a training on this device draws from."""
    import torch

    states = {"cpu": torch.get_rng_state()}
    if device.startswith("cuda"):
        states["cuda"] = torch.cuda.get_rng_state(torch.device(device))
    if device.startswith("mps"):
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_state(states: "Mapping[str, Tensor]", device: str) -> None:
    """Set what `random_state` returned."""
    import torch

    torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], torch.device(device))
    if "mps" in states:
        torch.mps.set_rng_state(states["mps"])


def half_precision(device: str, wanted: bool) -> AbstractContextManager[object]:
    """Let torch compute in bfloat16 inside what bears it, where it is wanted and the device can."""
    import torch

    kind = torch.device(device).type if wanted else None
    if kind not in ("cpu", "cuda"):
        return nullcontext()
    if kind == "cuda" and not torch.cuda.is_bf16_supported():
        return nullcontext()
    return torch.autocast(kind, torch.bfloat16)


@contextmanager
def threads(module: "nn.Module", inputs: np.ndarray) -> Generator[None]:
    """Let a small module on small rows run on one thread, a large one on all, and set it back."""
    import torch

    before = torch.get_num_threads()
    parameters = sum(parameter.numel() for parameter in module.parameters())
    values = inputs[:1].size
    small = parameters < FEW_PARAMETERS and values < FEW_VALUES
    torch.set_num_threads(1 if small else max(before, _cores()))
    try:
        yield
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


def _cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
