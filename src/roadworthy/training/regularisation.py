"""What a recipe adds to a module so that it learns less by heart: dropout, and a penalty on weights."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from roadworthy.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

ADDED = "added_dropout"


def set_dropout(module: "nn.Module", rate: float | None) -> None:
    """Give every dropout layer this rate; where there is none, put one before the last linear layer.

    The added layer has no weights and changes no name, so the weights still fit the architecture.
    Dropout inside attention and recurrent layers is set where it is not 0. None changes nothing.

    Raises
    ------
    UserError
        Where the rate is not in [0, 1), or there is no linear layer to put one before.
    """
    if rate is None:
        return
    if not 0 <= rate < 1:
        raise UserError(
            f"The recipe asks for dropout of {rate:g}; a share of at least 0 and below 1 was "
            "expected. Set `dropout` of the recipe to such a share, or to None."
        )
    from torch import nn
    from torch.nn.modules import dropout

    found = False
    for part in module.modules():
        if isinstance(part, dropout._DropoutNd):  # pyright: ignore[reportPrivateUsage]  # the common base
            part.p, found = rate, True
        elif isinstance(part, nn.MultiheadAttention | nn.RNNBase) and part.dropout > 0:
            part.dropout, found = rate, True
    if not found and rate > 0:
        _add_dropout(_last_linear(module), rate)


def penalised(module: "nn.Module") -> "Iterator[tuple[str, nn.Parameter]]":
    """Yield name and value of what an L1 penalty counts: no biases, nothing of normalisation layers."""
    from torch import nn
    from torch.nn.modules import batchnorm, instancenorm

    normalisations = (
        batchnorm._NormBase,  # pyright: ignore[reportPrivateUsage]  # the common base
        instancenorm._InstanceNorm,  # pyright: ignore[reportPrivateUsage]  # the common base
        nn.LayerNorm,
        nn.GroupNorm,
        nn.RMSNorm,
    )
    for path, part in module.named_modules():
        if isinstance(part, normalisations):
            continue
        for name, parameter in part.named_parameters(path, recurse=False):
            if parameter.requires_grad and "bias" not in name.rpartition(".")[2]:
                yield name, parameter


def absolute_sum(parameters: "list[nn.Parameter]") -> "Tensor":
    """Return the sum of the absolute values of all of them."""
    import torch

    return torch.stack([parameter.abs().sum() for parameter in parameters]).sum()


def _last_linear(module: "nn.Module") -> "nn.Module":
    from torch import nn

    # The projection of attention is a linear layer whose weights are read without calling it.
    inner = {
        id(part.out_proj) for part in module.modules() if isinstance(part, nn.MultiheadAttention)
    }
    linear = [m for m in module.modules() if isinstance(m, nn.Linear) and id(m) not in inner]
    if not linear:
        raise UserError(
            f"The recipe asks for dropout, but the model ({type(module).__name__}) has neither a "
            "dropout layer whose rate could be set nor a linear layer to put one before. Add a "
            "torch.nn.Dropout to the model, or set `dropout` of the recipe to None."
        )
    return linear[-1]


def _add_dropout(linear: "nn.Module", rate: float) -> None:
    from torch import nn

    linear.add_module(ADDED, nn.Dropout(rate))
    linear.register_forward_pre_hook(_drop)


def _drop(linear: "nn.Module", given: "tuple[Tensor, ...]") -> "tuple[Tensor, ...]":
    return (linear.get_submodule(ADDED)(given[0]), *given[1:])
