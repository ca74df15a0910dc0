"""The network trained again: on rows drawn anew, by other seeds, at other widths."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.engine import artifact

if TYPE_CHECKING:
    from roadworthy.subject import Network, Trainer

MOST_ROWS = 2_000  # that each training gets
MOST_TEST_ROWS = 5_000
LEAST = 3  # trainings; of two the spread has no spread
WIDTHS = ("0.5", "2")


@artifact()
def bootstrap_rows(
    train_inputs: np.ndarray,
    rng: Generator,
    train_entities: np.ndarray | None = None,
    *,
    draws: int = 4,
) -> np.ndarray:
    """Training rows drawn with replacement: (d, m) int64 positions, m at most 2,000, d at least 3.

    Entities are drawn as wholes, and then m of their rows.
    """
    n, d = len(train_inputs), max(draws, LEAST)
    m = min(n, MOST_ROWS)
    if train_entities is None:
        return rng.integers(0, n, (d, m))
    _, codes = np.unique(train_entities, return_inverse=True)
    of_entity = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    drawn = [
        np.concatenate([of_entity[e] for e in rng.integers(0, len(of_entity), len(of_entity))])
        for _ in range(d)
    ]
    return np.stack([rng.choice(rows, m) for rows in drawn])


@artifact()
def bootstrap_share(bootstrap_rows: np.ndarray, train_inputs: np.ndarray) -> float:
    """Rows that a training of `retrained_answers` gets, per training row."""
    return bootstrap_rows.shape[1] / len(train_inputs)


@artifact(shape="m")
def compared_rows(test_inputs: np.ndarray, rng: Generator) -> np.ndarray:
    """Positions of the test rows on which trainings are compared: (m,) int64, ascending, at most 5,000."""
    return np.sort(rng.permutation(len(test_inputs))[:MOST_TEST_ROWS])


@artifact(stored=False)
def other_widths(network: "Network") -> "dict[str, Network]":
    """Return the subject's network half and twice as wide, by the share as text."""
    from roadworthy.subject.capacity import scaled

    return {width: scaled(network, float(width)) for width in WIDTHS}


@artifact(cost="training")
def retrained_answers(
    trainer: "Trainer",
    bootstrap_rows: np.ndarray,
    test_inputs: np.ndarray,
    compared_rows: np.ndarray,
    train_labels: np.ndarray | None = None,
    *,
    seeds: int = 3,
) -> np.ndarray:
    """Answers of the network trained on each draw of rows with each seed: (d, s, n, c) float32.

    Probabilities, or one number.
    """
    inputs, is_class = test_inputs[compared_rows], train_labels is not None
    return _answers(trainer, [trainer.network], bootstrap_rows, seeds, inputs, is_class)[0]


@artifact(cost="training")
def other_width_answers(
    trainer: "Trainer",
    other_widths: "Mapping[str, Network]",
    bootstrap_rows: np.ndarray,
    test_inputs: np.ndarray,
    compared_rows: np.ndarray,
    train_labels: np.ndarray | None = None,
    *,
    seeds: int = 3,
) -> dict[str, np.ndarray]:
    """Answers of other widths, trained on the same draws with the same seeds, see `retrained_answers`."""
    inputs, is_class = test_inputs[compared_rows], train_labels is not None
    networks = list(other_widths.values())
    found = _answers(trainer, networks, bootstrap_rows, seeds, inputs, is_class)
    return dict(zip(other_widths, found, strict=True))


@artifact(shape="m")
def architecture_rows(train_inputs: np.ndarray, rng: Generator) -> np.ndarray:
    """Positions of the training rows that architectures are compared on: (m,) int64, at most 2,000."""
    return np.sort(rng.permutation(len(train_inputs))[:MOST_ROWS])


@artifact(cost="training")
def architecture_answers(
    trainer: "Trainer",
    architecture_rows: np.ndarray,
    train_inputs: np.ndarray,
    test_inputs: np.ndarray,
    compared_rows: np.ndarray,
    other_widths: "Mapping[str, Network] | None" = None,
    default_network: "Network | None" = None,
    *,
    seeds: int = 3,
) -> dict[str, np.ndarray]:
    """Predictions of each architecture for test rows, trained on the same rows: name to (s, n), s >= 3."""
    from roadworthy.subject import Variant

    own = trainer.network
    networks = {"model under audit": own}
    networks |= {_words(width): network for width, network in (other_widths or {}).items()}
    if default_network is not None and default_network.source != own.source:
        networks[default_network.source] = default_network
    s = max(seeds, LEAST)
    whole = len(architecture_rows) == len(train_inputs)
    rows = None if whole else architecture_rows
    recipes = [replace(trainer.recipe, seed=trainer.recipe.seed + i) for i in range(s)]
    variants = [
        Variant(rows=rows, recipe=recipe, network=network)
        for network in networks.values()
        for recipe in recipes
    ]
    answers = trainer.predictions(variants, test_inputs[compared_rows])
    return {name: np.stack(answers[i * s : (i + 1) * s]) for i, name in enumerate(networks)}


def _words(width: str) -> str:
    return {"0.5": "half as wide", "2": "twice as wide"}[width]


def _answers(
    trainer: "Trainer",
    networks: "Sequence[Network]",
    draws: np.ndarray,
    seeds: int,
    inputs: np.ndarray,
    is_class: bool,
) -> list[np.ndarray]:
    """Return (d, s, n, c) for each network; no seed is used for two draws, which would share its luck."""
    from roadworthy.subject import Variant

    first = trainer.recipe.seed + 1
    family: list[Variant] = []
    for network in networks:
        for d, rows in enumerate(draws):
            recipes = [replace(trainer.recipe, seed=first + d * seeds + i) for i in range(seeds)]
            family += [Variant(rows=rows, recipe=recipe, network=network) for recipe in recipes]
    answer = trainer.probabilities if is_class else trainer.predictions
    found = np.stack(answer(family, inputs)).astype(np.float32)
    return list(found.reshape(len(networks), len(draws), seeds, len(inputs), -1))
