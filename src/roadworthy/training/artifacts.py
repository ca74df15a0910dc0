"""From architecture, recipe and rows to a model that answers: the artifacts around training."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import artifact
from roadworthy.errors import NotApplicable
from roadworthy.subject import Network, Predictor, Recipe, Trainer, Variant

if TYPE_CHECKING:
    from roadworthy.subject import Column, Task

Weights = Mapping[str, np.ndarray]

STEPS = 1600  # of 256 rows: validation loss on Adult .274, as with twice the steps at half the rate


@artifact(stored=False, streams=True)
def default_network(
    task: "Task",
    modality: str,
    train_inputs: np.ndarray,
    columns: "tuple[Column, ...] | None" = None,
) -> Network:
    """Architecture by the kind of the inputs, whether or not one was given."""
    if columns:
        from roadworthy.training.tables import TableNetwork, TableShape

        shape = TableShape.of(columns, len(task.classes), train_inputs)
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


@artifact(stored=False, streams=True)
def readable_network(
    task: "Task",
    modality: str,
    train_inputs: np.ndarray,
    columns: "tuple[Column, ...] | None" = None,
) -> Network:
    """Architecture that can be read: of a table a sum of one function for each column, of an array a linear one."""
    from roadworthy.training.additive import AdditiveTable, LinearArray

    if columns:
        from roadworthy.training.tables import TableShape

        shape = TableShape.of(columns, len(task.classes), train_inputs)
        return Network(partial(AdditiveTable, shape), "additive network for tables")
    if modality != "array":
        raise NotApplicable(f"no readable network is known for inputs of the kind {modality!r}")
    from roadworthy.training.arrays import ArrayShape

    shape = ArrayShape(train_inputs.shape[1:], len(task.classes))
    return Network(partial(LinearArray, shape), "linear network for arrays")


@artifact(stored=False)
def network(default_network: Network) -> Network:
    """Architecture that is trained where none was given."""
    return default_network


@artifact(stored=False, streams=True)
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


@artifact(stored=False, streams=True)
def trainer(
    network: Network,
    recipe: Recipe,
    train_inputs: np.ndarray,
    train_labels: np.ndarray | None = None,
    train_targets: np.ndarray | None = None,
    train_row_weights: np.ndarray | None = None,
    train_row_groups: np.ndarray | None = None,
    validation_inputs: np.ndarray | None = None,
    validation_labels: np.ndarray | None = None,
    validation_targets: np.ndarray | None = None,
    validation_row_groups: np.ndarray | None = None,
    unlabelled_inputs: np.ndarray | None = None,
    task: "Task | None" = None,
    device: str | None = None,
    columns: "tuple[Column, ...] | None" = None,
) -> Trainer:
    """Who trains the subject's network again, on other rows, by other recipes: see `Trainer`.

    Validation rows, where there are some, decide when to stop and which epoch to keep.
    """
    from roadworthy.training.jobs import Examples
    from roadworthy.training.trainer import SubjectTrainer

    target = train_labels if train_labels is not None else train_targets
    if target is None:
        raise NotApplicable("the training rows have no target, so no model can be trained on them")
    held_out = validation_labels if validation_labels is not None else validation_targets
    validation = None
    if validation_inputs is not None and held_out is not None:
        validation = Examples(validation_inputs, held_out, row_groups=validation_row_groups)
    return SubjectTrainer(
        network=network,
        recipe=recipe,
        training=Examples(train_inputs, target, train_row_weights, train_row_groups),
        validation=validation,
        unlabelled=unlabelled_inputs,
        classes=_classes(task, train_labels),
        device=device or "cpu",
        columns=columns or (),
    )


def _classes(task: "Task | None", labels: np.ndarray | None) -> int:
    if labels is None:
        return 0
    return len(task.classes) if task is not None else int(labels.max()) + 1


@artifact(cost="training")
def weights(trainer: Trainer) -> Weights:
    """Trained weights and buffers by name, from the training rows alone."""
    return trainer.weights([Variant()])[0]


@artifact(cost="training")
def judged_epochs(trainer: Trainer) -> np.ndarray:
    """Loss that each epoch of the training was judged by, (epochs,) float64: see `Trainer.judged`."""
    return trainer.judged(Variant())


@artifact(stored=False)
def predictor(network: Network, weights: Weights, device: str | None = None) -> Predictor:
    """Return the model as a function of inputs: network and weights put together."""
    from roadworthy.training.running import evaluate, load

    where = device or "cpu"
    module = load(network, weights, where)
    return Predictor(
        call=lambda inputs: evaluate(module, inputs, where),
        gives="unknown",
        identity=(network, dict(weights)),
        module=module,
    )
