"""Trained weights for an architecture that a Python session gives: a class, a factory or a network."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from roadworthy.errors import UserError
from roadworthy.subject.intake import Model, called
from roadworthy.subject.model import Network, Recipe
from roadworthy.subject.modules import weights_of_state
from roadworthy.subject.own_code import own_code
from roadworthy.subject.weights import fitted_to, read_weights

Weights = Any
"""A file (.safetensors, a state dict), or a mapping of names to tensors or arrays."""


def model_with_weights(
    model: Any,  # Any: a class of modules, a factory, a Network
    weights: Weights,
    recipe: Recipe | None = None,
) -> Model:
    """Return the model that an architecture and its trained weights are.

    Raises
    ------
    UserError
        Where there is no architecture to put them in, or they do not fit it.
    """
    from torch import nn

    if model is None:
        raise UserError(
            "weights=...: weights without an architecture. Give the class, or a function that builds the module: "
            "subject_from(Net, weights=...)."
        )
    if isinstance(model, nn.Module):
        raise UserError(
            f"weights=...: the model is a {type(model).__qualname__} that has weights already. Load them into it "
            "(model.load_state_dict), or give its class or a function that builds it."
        )
    if not isinstance(model, Network) and not callable(model):
        raise UserError(
            f"weights=...: the model is a {type(model).__qualname__}; a class of modules or a function that builds "
            "one was expected."
        )
    network = model if isinstance(model, Network) else _network(model)
    with own_code(f"The model ({network.source}) cannot be built"):
        module = network.build()
    file = isinstance(weights, str | Path)
    arrays = read_weights(weights) if file else _arrays(weights)
    name = str(weights) if file else "weights=..."
    note = f"{network.source} with weights from {Path(name).name if file else 'memory'}"
    again = "" if recipe else "; training it again needs a recipe"
    return Model(
        network, fitted_to(module, arrays, name), recipe=recipe, note=f"{note}: everything can be audited{again}"
    )  # fmt: skip


def _network(factory: Callable[[], Any]) -> Network:
    from torch import nn

    name = getattr(factory, "__qualname__", type(factory).__qualname__)
    made = called(factory, name)
    if not isinstance(made, nn.Module):
        raise UserError(
            f"weights=...: {name} returns a {type(made).__qualname__}, not a torch module that weights could be "
            "loaded into."
        )
    return Network(factory, name)


def _arrays(weights: Any) -> Mapping[str, np.ndarray]:  # Any: see Weights
    import torch

    if not isinstance(weights, Mapping) or not weights:
        raise UserError(
            f"weights=... is a {type(weights).__qualname__}; a file (.safetensors, or .pt with a state dict) or "
            "model.state_dict() was expected."
        )
    tensors = {
        str(name): torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        for name, value in weights.items()  # pyright: ignore[reportUnknownVariableType] - of weights
    }
    return weights_of_state(tensors)
