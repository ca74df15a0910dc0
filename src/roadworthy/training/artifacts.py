"""From architecture, recipe and rows to a model that answers: the artifacts around training."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import advance, artifact
from roadworthy.errors import NotApplicable, UserError
from roadworthy.subject import Network, Predictor, Recipe

if TYPE_CHECKING:
    from torch import nn

    from roadworthy.subject import Column, Task

Weights = Mapping[str, np.ndarray]

STEPS = 1600  # of 256 rows: validation loss on Adult .274, as with twice the steps at half the rate


@artifact(stored=False)
def network(
    task: "Task",
    modality: str,
    train_inputs: np.ndarray,
    columns: "tuple[Column, ...] | None" = None,
) -> Network:
    """Architecture that is trained where none was given: by the kind of the inputs."""
    if columns:
        from roadworthy.training.tables import TableNetwork, TableShape

        shape = TableShape.of(columns, len(task.classes))
        return Network(partial(TableNetwork, shape), "default network for tables")
    if modality != "array":
        raise NotApplicable(
            f"there is no default network for inputs of the kind {modality!r}; give a model"
        )
    from roadworthy.training.arrays import ArrayShape, DenseNetwork, ImageNetwork

    shape = ArrayShape(train_inputs.shape[1:], len(task.classes))
    if shape.is_image:
        return Network(partial(ImageNetwork, shape), "default network for images")
    return Network(partial(DenseNetwork, shape), "default network for arrays")


@artifact(stored=False)
def recipe(train_inputs: np.ndarray) -> Recipe:
    """How a model is trained where it came without a recipe and untrained.

    Batches grow with the data, from 32 to 1,024 rows; about 1,600 steps, within 4 to 60 epochs.
    """
    n = len(train_inputs)
    batch_size = int(np.clip(2 ** np.round(np.log2(max(n, 1) / 100)), 32, 256))
    if n > 256 * STEPS // 4:
        batch_size = 1024
    steps_per_epoch = max(1, n // batch_size)
    epochs = int(np.clip(STEPS // steps_per_epoch, 4, 60))
    return Recipe(
        epochs=epochs,
        learning_rate=4e-3,
        weight_decay=3e-4,
        batch_size=batch_size,
        patience=max(6, epochs // 5),
    )


@artifact(cost="training")
def weights(
    network: Network,
    recipe: Recipe,
    train_inputs: np.ndarray,
    train_labels: np.ndarray | None = None,
    train_targets: np.ndarray | None = None,
    validation_inputs: np.ndarray | None = None,
    validation_labels: np.ndarray | None = None,
    validation_targets: np.ndarray | None = None,
    device: str | None = None,
) -> Weights:
    """Trained weights and buffers by name, from the training rows alone.

    Validation rows, where there are some, decide when to stop and which epoch to keep.
    """
    from roadworthy.training.loop import Examples, train

    target = train_labels if train_labels is not None else train_targets
    if target is None:
        raise NotApplicable("the training rows have no target, so no model can be trained on them")
    held_out = validation_labels if validation_labels is not None else validation_targets
    validation = None
    if validation_inputs is not None and held_out is not None:
        validation = Examples(validation_inputs, held_out)
    return train(
        network,
        recipe,
        Examples(train_inputs, target),
        validation,
        device=device or "cpu",
        progress=lambda epoch, epochs, _: advance(epoch, epochs),
    )


@artifact(stored=False)
def predictor(network: Network, weights: Weights, device: str | None = None) -> Predictor:
    """Return the model as a function of inputs: network and weights put together."""
    from roadworthy.training.running import evaluate

    where = device or "cpu"
    module = load(network, weights, where)
    return Predictor(
        call=lambda inputs: evaluate(module, inputs, where),
        gives="unknown",
        identity=(network, dict(weights)),
        module=module,
    )


def load(network: Network, weights: Weights, device: str = "cpu") -> "nn.Module":
    """Return a module of `network` with these weights, in evaluation mode.

    Raises
    ------
    UserError
        Where names or shapes are not those of the architecture.
    """
    import torch

    from roadworthy.training.running import reproducible

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
