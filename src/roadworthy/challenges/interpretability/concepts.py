"""Whether answers go with a concept that the user names by examples."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable, UserError
from roadworthy.results import Axis, Intervals, Measurement
from roadworthy.statistics import largest_of, mean_difference

if TYPE_CHECKING:
    from torch import Tensor, nn

    from roadworthy.subject import Predictor, Task

FEWEST_EXAMPLES = 20
RANDOM_CONCEPTS = 20
MOST_ROWS = 200
WAY = 'name examples in a subject.py: `subject_from(...).with_given(concepts={"striped": inputs})`'


@artifact()
def concepts() -> Mapping[str, np.ndarray]:
    """Examples of each concept, by its name: (k, ...) inputs each. The user's own take its place."""
    raise NotApplicable(f"no concepts are named; {WAY}")


@artifact(cost="training")
def concept_scores(
    predictor: "Predictor",
    task: "Task",
    concepts: Mapping[str, np.ndarray],
    train_inputs: np.ndarray,
    test_inputs: np.ndarray,
    test_predicted: np.ndarray,
    rng: Generator,
) -> Mapping[str, np.ndarray]:
    """Share of rows of each answered class whose score grows in the direction of a concept: name to (r, c) float64.

    By 20 directions for each concept, each a linear classifier between its examples and other random training rows, in the layer before the last two (in the last one every row would
    have the same slope); and under the name "" by as many directions of random rows against random rows: what no concept at all looks like. A class without 20
    rows has NaN (Kim et al. 2018, ICML, "Testing with concept activation vectors", 3.2 to 3.4).
    """
    import torch

    if predictor.module is None or not task.is_classification:
        raise NotApplicable("directions of concepts need a network of classes, not a black box")
    sizes = {name: len(rows) for name, rows in concepts.items()}
    few = [name for name, size in sizes.items() if size < FEWEST_EXAMPLES]
    if few:
        raise UserError(
            f'The concept "{few[0]}" has {sizes[few[0]]} examples; at least {FEWEST_EXAMPLES} were expected. Give more.'
        )
    layer = _layer(predictor.module)
    size = min(*sizes.values(), len(train_inputs) // 4)

    def inside(rows: np.ndarray) -> np.ndarray:
        return _activations(predictor.module, layer, rows)

    slopes, rows = _slopes(predictor.module, layer, test_inputs, test_predicted, rng)
    of_train = inside(train_inputs[rng.permutation(len(train_inputs))[: 8 * size]])

    def shares(positive: np.ndarray) -> np.ndarray:
        other = of_train[rng.permutation(len(of_train))[: len(positive)]]
        way = _direction(positive, other)
        grows = torch.from_numpy(slopes @ way > 0).numpy()
        c = len(task.classes)
        return np.array(
            [
                grows[rows == k].mean() if np.sum(rows == k) >= FEWEST_EXAMPLES else np.nan
                for k in range(c)
            ]
        )

    found = {}
    for name, examples in concepts.items():
        of_concept = inside(examples)
        found[name] = np.stack(
            [
                shares(of_concept[rng.permutation(len(of_concept))[:size]])
                for _ in range(RANDOM_CONCEPTS)
            ]
        )
    found[""] = np.stack(
        [shares(of_train[rng.permutation(len(of_train))[:size]]) for _ in range(RANDOM_CONCEPTS)]
    )
    return found


@check(challenge="interpretability")
def concept_influence(concept_scores: Mapping[str, np.ndarray], task: "Task") -> Measurement:
    """How much more often answers grow with a named concept than with random directions, at most over concepts and classes.

    Difference of the mean shares over 20 directions each, by size, with Welch's interval, corrected for the number of concepts and classes (Kim et al. 2018, ICML, 3.4: without random concepts to
    compare with, any direction seems to mean something).

    Unit: share of rows.
    Qualified at: a description, nothing is required of it.
    Next: ask whether answers of the class listed may rest on that concept.
    """
    chance = np.asarray(concept_scores[""])
    names: list[str] = []
    found: list[Measurement] = []
    for name, scores in concept_scores.items():
        for k, label in enumerate(task.classes):
            if name and np.isfinite(scores[:, k]).all() and np.isfinite(chance[:, k]).all():
                more = float(scores[:, k].mean() - chance[:, k].mean()) >= 0
                pair = (scores[:, k], chance[:, k]) if more else (chance[:, k], scores[:, k])
                found.append(mean_difference(*pair, unit="share of rows"))
                names.append(f"{label}: {'with' if more else 'against'} {name}")
    if not found:
        raise NotApplicable(
            f"no class was answered on {FEWEST_EXAMPLES} of the test rows that were looked at"
        )
    worst = int(np.argmax([m.value for m in found]))
    figure = Intervals(
        title="Answers that grow with a concept, beyond random directions",
        label=Axis("class and concept"),
        value=Axis("difference of shares", "share of rows"),
        labels=tuple(names),
        values=tuple(m.value for m in found),
        lows=tuple(m.low for m in found),
        highs=tuple(m.high for m in found),
        reference=0.0,
    )
    return largest_of(
        found, unit="share of rows", details=f"Most: {names[worst]}.", evidence=(figure,)
    )


def _layer(module: "nn.Module") -> "nn.Module":
    """Return the layer whose inputs are looked at: the one before the last with weights."""
    from torch import nn

    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    layers = [m for m in module.modules() if isinstance(m, kinds)]
    if len(layers) < 2:
        raise NotApplicable("the network has one layer with weights: every row has the same slope")
    return layers[-2]


def _activations(module: "nn.Module | None", layer: "nn.Module", rows: np.ndarray) -> np.ndarray:
    import torch

    assert module is not None
    seen: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    try:
        with torch.no_grad():
            module.eval()(torch.from_numpy(np.array(rows, np.float32)))
    finally:
        hook.remove()
    return seen[0].flatten(1).double().numpy()


def _slopes(
    module: "nn.Module | None",
    layer: "nn.Module",
    inputs: np.ndarray,
    answers: np.ndarray,
    rng: Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the slope of each row's answered score by the layer's inputs, and the class answered."""
    import torch

    assert module is not None
    order = rng.permutation(len(inputs))
    few = [order[answers[order] == k][:MOST_ROWS] for k in np.unique(answers)]
    rows = np.sort(np.concatenate(few))
    seen: list[Tensor] = []

    def watch(_: "nn.Module", given: "tuple[Tensor, ...]") -> "tuple[Tensor, ...]":
        seen.append(given[0].detach().requires_grad_())
        return (seen[-1], *given[1:])

    hook = layer.register_forward_pre_hook(watch)
    try:
        outputs = module.eval()(torch.from_numpy(np.array(inputs[rows], np.float32)))
    finally:
        hook.remove()
    outputs = outputs.reshape(len(rows), -1)
    classes = torch.from_numpy(np.asarray(answers[rows], np.int64))
    if outputs.shape[1] == 1:
        score = torch.where(classes == 1, outputs[:, 0], -outputs[:, 0])
    else:
        score = outputs.gather(1, classes[:, None])[:, 0]
    (slopes,) = torch.autograd.grad(score.sum(), seen[0])
    return slopes.flatten(1).double().numpy(), answers[rows]


def _direction(examples: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the normal of a linear classifier between examples of a concept and other rows: (f,)."""
    from sklearn.linear_model import RidgeClassifier

    rows = np.concatenate([examples, others])
    spread = rows.std(axis=0)
    scale = np.where(spread > 1e-9, spread, 1.0)
    fitted = RidgeClassifier(alpha=1.0).fit(
        rows / scale, np.repeat([1, 0], [len(examples), len(others)])
    )
    return np.asarray(fitted.coef_)[0] / scale
