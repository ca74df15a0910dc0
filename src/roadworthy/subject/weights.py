"""Files of trained weights: safetensors and state dicts. The one place that calls `torch.load`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy.errors import UserError
from roadworthy.subject.claims import refuse_false_safetensors, require_file
from roadworthy.subject.modules import weights_of_state
from roadworthy.subject.pickles import look_inside
from roadworthy.subject.problems import Problems, listed

if TYPE_CHECKING:
    from torch import nn

STATE_DICT_SUFFIXES = (".pt", ".pth", ".ckpt", ".bin", ".tar")
PLACES = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
CONVERT = (
    "Where the file was made, save the weights alone: "
    "safetensors.torch.save_file(model.state_dict(), 'weights.safetensors'), and give the "
    "architecture as a Python factory: --model file.py:function --weights weights.safetensors."
)


def read_weights(path: str | Path) -> dict[str, np.ndarray]:
    """Return the weights in a `.safetensors` file or in a state dict (`.pt`, Lightning `.ckpt`).

    Raises
    ------
    UserError
        Where the file holds more than tensors: it is then refused without being loaded.
    """
    path = Path(path)
    require_file(path)
    if path.suffix.lower() == ".safetensors":
        return _read_safetensors(path)
    refuse_unsafe(path)
    return weights_of_state(_state_in(_loaded(path), path))


def refuse_unsafe(path: Path) -> None:
    """Raise where a file would run code when loaded, or is no file of weights; nothing is loaded."""
    inside = look_inside(path)
    if inside.kind == "state_dict":
        return
    if inside.kind == "exported":
        raise UserError(
            f"{path}: an exported program, not weights. Give it as the model: --model {path} --trust."
        )
    if inside.kind == "torchscript":
        raise UserError(f"{path}: a TorchScript archive, which is not supported. {CONVERT}")
    if inside.kind == "other":
        raise UserError(
            f"{path}: neither safetensors nor a PyTorch state dict. Give a file written by "
            "safetensors.torch.save_file or torch.save(model.state_dict(), ...)."
        )
    what = "a whole module" if inside.kind == "module" else "a pickle"
    calls = f" that would call {listed(inside.calls, 4)}" if inside.calls else ""
    raise UserError(
        f"{path}: holds {what}{calls}; loading it can run any code, so it was not read. {CONVERT}"
    )


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    refuse_false_safetensors(path)
    try:
        return weights_of_state(load_file(path))
    except SafetensorError as error:
        raise UserError(
            f"{path}: not a readable safetensors file ({error}). Write it again."
        ) from None


def _loaded(path: Path) -> Any:  # Any: containers of tensors
    import torch

    # The exception of a refusal lives in a module that is banned here; torch has it under a name.
    serialization: Any = torch.serialization
    refused = serialization.pickle.UnpicklingError
    try:
        return torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251 (the one reader)
    except refused:
        raise UserError(f"{path}: holds more than tensors and was not read. {CONVERT}") from None
    except (RuntimeError, OSError, ValueError, KeyError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: not a readable state dict ({reason}). {CONVERT}") from None


def _state_in(loaded: Any, path: Path) -> Mapping[str, Any]:  # Any: containers of tensors
    import torch

    candidates = [loaded]
    if isinstance(loaded, Mapping):
        candidates += [loaded[place] for place in PLACES if place in loaded]
    for candidate in candidates:
        if isinstance(candidate, Mapping) and candidate:
            tensors = [isinstance(value, torch.Tensor) for value in candidate.values()]
            if all(tensors):
                return candidate
    kind = type(loaded).__name__
    keys = f" with the keys {listed([str(k) for k in loaded], 6)}" if kind != "Tensor" else ""
    raise UserError(f"{path}: no weights by name were found in this {kind}{keys}. {CONVERT}")


def fitted_to(
    module: "nn.Module", weights: Mapping[str, np.ndarray], path: str | Path
) -> dict[str, np.ndarray]:
    """Return the weights under the names that the module has for them.

    A prefix common to all names ("module." of DataParallel, "model." of Lightning) is taken off.

    Raises
    ------
    UserError
        With every name and shape that does not agree.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    weights = _without_prefix(weights, expected)
    problems = Problems(str(path))
    missing = [name for name in expected if name not in weights]
    extra = [name for name in weights if name not in expected]
    wrong = [
        f"{name} {weights[name].shape} instead of {shape}"
        for name, shape in expected.items()
        if name in weights and weights[name].shape != shape
    ]
    kind = type(module).__qualname__
    if missing:
        problems.add(f"lacks {len(missing)} of the weights of {kind}: {listed(missing, 5)}")
    if extra:
        problems.add(f"has {len(extra)} weights that {kind} has not: {listed(extra, 5)}")
    if wrong:
        problems.add(f"{len(wrong)} weights have another shape: {listed(wrong, 5)}")
    problems.raise_if_any()
    return {name: weights[name] for name in expected}


def _without_prefix(
    weights: Mapping[str, np.ndarray], expected: Mapping[str, object]
) -> Mapping[str, np.ndarray]:
    if set(expected) <= set(weights):
        return weights
    first = next(iter(expected), "")
    for name in weights:
        prefix = name.removesuffix(first)
        if prefix != name and all(f"{prefix}{e}" in weights for e in expected):
            inside = {n: v for n, v in weights.items() if n.startswith(prefix)}
            return {n.removeprefix(prefix): v for n, v in inside.items()}
    return weights
