"""Learning from inputs without their targets: weights to start training from."""

from functools import partial
from math import cos, isfinite, pi
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.subject import Network
from roadworthy.training.backbone import Backbone
from roadworthy.training.jobs import Diverged, Job
from roadworthy.training.loop import Progress
from roadworthy.training.running import reproducible, tensor_of, threads

if TYPE_CHECKING:
    from torch import Tensor, nn

    from roadworthy.subject import Recipe

BATCH = 128
LEARNING_RATE = 1e-3


def pretrained(job: Job, progress: Progress | None = None) -> Network:
    """Return the network of a job, its modules starting from weights that were pretrained as the recipe says.

    All but the head (the last linear layer) of a fresh module is trained with a small network in the
    head's place, on the training inputs and those without a target: which network, see `pretext`. Preprocessing is fitted
    to the training rows, as training itself does, and statistics of batch normalisation are taken anew from
    them, unchanged, in the end. The head starts as it is built.

    Raises
    ------
    UserError
        Where the network has no linear layer, or nothing before it.
    Diverged
        Where the loss is not finite.
    """
    recipe, training = job.recipe, job.examples.inputs
    asked = recipe.pretraining
    if asked is None or asked.epochs == 0:
        return job.network
    inputs = training
    if job.unlabelled is not None and len(job.unlabelled):
        inputs = np.concatenate([training, job.unlabelled])
    if recipe.sham:
        inputs = without_structure(inputs, np.random.default_rng(recipe.seed))
    import torch

    with reproducible(recipe.seed, job.device):
        module = job.network.build().to(job.device, torch.float32)
        with threads(module, inputs):
            known = tensor_of(training, module, job.device)
            _prepare(module, known)
            backbone = Backbone(module)
            rows = tensor_of(inputs, module, job.device)
            pretext = _pretext(job, rows, backbone.width(rows[:2]))
            _learn(backbone, pretext.to(job.device), rows, recipe, progress)
            backbone.release()
            _settle(module, known)
        state = {name: value.detach().cpu().clone() for name, value in module.state_dict().items()}
    return Network(partial(_started, job.network, state), job.network.source)


def without_structure(inputs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shuffle each column or pixel over the rows: its values stay, what they tell of each other goes."""
    flat = inputs.reshape(len(inputs), -1)
    return rng.permuted(flat, axis=0).reshape(inputs.shape)


def _started(network: Network, state: "dict[str, Tensor]") -> "nn.Module":
    module = network.build()
    module.load_state_dict(state)
    return module


def _prepare(module: "nn.Module", rows: "Tensor") -> None:
    import torch

    if hasattr(module, "prepare"):
        with torch.no_grad():
            module.prepare(rows)  # type: ignore[operator]  # a hook, see Network


def _pretext(job: Job, rows: "Tensor", width: int) -> "nn.Module":
    from roadworthy.training import pretext

    asked = job.recipe.pretraining
    assert asked is not None
    # Codes of words or letters have no mean and no half: they are treated as the cells of a table.
    has_cells = bool(job.columns) or not rows.is_floating_point()
    if asked.method == "contrastive":
        views = pretext.views_of_cells if has_cells else pretext.views_of_arrays
        return pretext.Contrast(views(rows), width)
    if has_cells:
        return pretext.HiddenCells(rows, width, job.columns)
    return pretext.HiddenPatches(rows, width)


def _learn(
    backbone: Backbone,
    pretext: "nn.Module",
    rows: "Tensor",
    recipe: "Recipe",
    progress: Progress | None,
) -> None:
    import torch

    asked = recipe.pretraining
    assert asked is not None
    trained = [p for p in backbone.module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [*trained, *pretext.parameters()], lr=LEARNING_RATE, weight_decay=recipe.weight_decay
    )
    batches = max(1, round(len(rows) / BATCH))
    order = torch.Generator().manual_seed(recipe.seed)
    backbone.module.train()
    for epoch in range(asked.epochs):
        total = torch.zeros((), device=rows.device)
        chosen = torch.randperm(len(rows), generator=order).to(rows.device).tensor_split(batches)
        for step, batch in enumerate(chosen, start=epoch * batches):
            share = (1 + cos(pi * step / (asked.epochs * batches))) / 2
            optimizer.param_groups[0]["lr"] = LEARNING_RATE * share
            loss = pretext(backbone, rows[batch])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.detach()
        if not isfinite(float(total)):
            raise Diverged(
                f"Pretraining ({asked.method}) broke down in epoch {epoch + 1} of {asked.epochs}: the loss is "
                f"{float(total) / batches}; a finite one was expected. Scale the inputs and fill in missing "
                "values inside the module, or take `pretraining` out of the recipe."
            )
        if progress is not None:
            progress(epoch + 1, asked.epochs, None)


def _settle(module: "nn.Module", rows: "Tensor") -> None:
    """Take the statistics of batch normalisation anew, from unchanged training rows."""
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]  # the only common class

    layers = [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean over all batches
    module.train()
    with torch.no_grad():
        for batch in rows.tensor_split(max(1, round(len(rows) / BATCH))):
            module(batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
