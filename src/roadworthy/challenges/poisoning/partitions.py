"""A vote of networks that each saw one part of the training rows: what it certifies, and the vote as a network."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import Axis, Curve, Measurement, Series
from roadworthy.statistics import clopper_pearson, rate
from roadworthy.subject import Network

if TYPE_CHECKING:
    from torch import nn

    from roadworthy.subject import Recipe, Task, Trainer, Variant

PARTS = 10
LEAST_ROWS = 20  # of each part
STEPS = 300  # of the training on each part


@artifact(shape="n")
def partition(train_content_hashes: np.ndarray) -> np.ndarray:
    """Part of ten that each training row belongs to, by its content alone: (n,) int64.

    A row that somebody adds, takes away or labels otherwise changes one part and no other.
    """
    return (train_content_hashes[:, 0] % np.uint64(PARTS)).astype(np.int64)


@artifact(cost="training")
def partition_weights(trainer: "Trainer", partition: np.ndarray) -> list[dict[str, np.ndarray]]:
    """Weights of the network trained on each part alone: ten mappings of name to array.

    Validation rows are not looked at, so that nothing but the rows of its part decides a network.
    """
    return [dict(each) for each in trainer.weights(_parts(trainer, partition))]


@artifact(shape="n k", cost="training")
def partition_votes(
    trainer: "Trainer", partition: np.ndarray, test_inputs: np.ndarray
) -> np.ndarray:
    """Class that the network of each part answers for each test row: (n, 10) int64."""
    return np.stack(trainer.predictions(_parts(trainer, partition), test_inputs), axis=1)


def _parts(trainer: "Trainer", partition: np.ndarray) -> "list[Variant]":
    from roadworthy.subject import Variant

    rows = [np.flatnonzero(partition == part) for part in range(PARTS)]
    fewest = min(len(each) for each in rows)
    if fewest < LEAST_ROWS:
        raise NotApplicable(
            f"a tenth of the training rows is {fewest} rows; a vote over ten parts needs {LEAST_ROWS} in each"
        )
    recipe = recipe_of_a_part(trainer.recipe, fewest)
    return [Variant(rows=each, recipe=recipe) for each in rows]


@check(challenge="poisoning", cost="training")
def certified_against_poison(
    partition_votes: np.ndarray, test_labels: np.ndarray, task: "Task"
) -> Measurement:
    """Share of test rows that a vote over ten parts of the data would answer rightly whatever one training row is.

    Deep partition aggregation (Levine & Feizi 2021, ICLR, theorem 1): rows are dealt to ten networks by a hash of their content, and the majority
    answers. Adding, taking away or relabelling r rows changes r of the votes at most, so an answer with a lead of more than 2 r stands. Not a
    property of the model as it is, but what `partition_vote` would buy, and its price in accuracy. A row that is changed is one taken away and one added: it counts twice.

    Unit: share of test rows.
    Qualified at: a description; nothing is required of it.
    Next: where rows come from strangers, weigh the certificate against the accuracy it costs.
    """
    right, certified = certificate(partition_votes, test_labels, len(task.classes))
    counts = np.arange(PARTS // 2 + 1)
    hits = [int(np.sum(right & (certified >= r))) for r in counts.tolist()]
    n = len(test_labels)
    limits = [clopper_pearson(hit, n) for hit in hits]
    curve = Curve(
        "Certified accuracy of a vote over ten parts",
        Axis("poisoned training rows", "rows"),
        Axis("rightly answered, whatever they are", "share of test rows"),
        (
            Series(
                "vote over ten parts",
                tuple(counts.tolist()),
                tuple(hit / n for hit in hits),
                tuple(each.low for each in limits),
                tuple(each.high for each in limits),
            ),
        ),
    )
    return rate(
        hits[1],
        n,
        unit="share of test rows",
        details=f"The vote answers {hits[0] / n:.1%} of test rows rightly without poison; {hits[1] / n:.1%} whatever one row is, "
        f"{hits[2] / n:.1%} whatever two are.".replace("%", " %"),
        evidence=(curve,),
    )


def certificate(
    votes: np.ndarray, labels: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return whether the vote is right (n,), and how many poisoned rows it bears (n,) int64.

    With the votes n_a for the winner and n_b for another class b, at most (n_a - n_b - [b < a]) / 2, rounded
    down, where a tie goes to the lower code.

    >>> votes = np.array([[0] * 7 + [1] * 3, [1] * 7 + [0] * 3])
    >>> certificate(votes, np.array([0, 1]), 2)[1].tolist()  # (7 - 3) / 2; (7 - 3 - 1) / 2
    [2, 1]
    """
    counts = (votes[:, :, None] == np.arange(classes)).sum(axis=1)  # (n, c)
    winner = counts.argmax(axis=1)
    most = counts[np.arange(len(votes)), winner]
    lower = np.arange(classes) < winner[:, None]
    against = (counts + lower).astype(np.int64)
    against[np.arange(len(votes)), winner] = -1
    return winner == labels, (most - against.max(axis=1)) // 2


def recipe_of_a_part(recipe: "Recipe", rows: int) -> "Recipe":
    """Return the recipe for a part: without validation rows or anything that other parts decide, and long enough."""
    per_epoch = max(1, -(-rows // recipe.batch_size))
    epochs = max(recipe.epochs, -(-STEPS // per_epoch))
    return replace(
        recipe, patience=None, epochs=epochs, pretraining=None, pseudo_labels=None, synthetic=0.0
    )


def voting(
    network: Network, parts: list[dict[str, np.ndarray]], classes: int
) -> tuple[Network, Mapping[str, np.ndarray]]:
    """Return network and weights of the vote; what is trained again is each part on its own rows, as before."""
    built = Network(
        _Vote(network, len(parts), classes),
        f"{network.source or 'network'}, vote over {len(parts)} parts",
    )
    weights = {f"members.{i}.{k}": v for i, part in enumerate(parts) for k, v in part.items()}
    return built, weights


@dataclass(frozen=True, eq=False)
class _Vote:
    """The factory of the vote."""

    network: Network
    parts: int
    classes: int

    def __call__(self) -> "nn.Module":
        from roadworthy.challenges.poisoning.vote_module import Vote

        return Vote([self.network.build() for _ in range(self.parts)], self.classes)
