"""Whether answers go with a concept that the user names by examples."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.interpretability.inside import Inside
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable, UserError
from roadworthy.results import Axis, Estimate, Intervals, Measurement
from roadworthy.statistics import largest_of
from roadworthy.statistics.rates import measured

if TYPE_CHECKING:
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

    By 20 directions for each concept, each a linear classifier between half of its examples and other random training rows, in what the last layer with weights before the last call is given that all of an
    answer passes through and where slopes differ from row to row (in the last one every row would have the same); and under the name "" by as many directions of random rows against random rows: what no concept at all looks like. A class without 20
    rows has NaN (Kim et al. 2018, ICML, "Testing with concept activation vectors", 3.2 to 3.4).
    """
    if predictor.module is None or not task.is_classification:
        raise NotApplicable("directions of concepts need a network of classes, not a black box")
    _refuse_few(concepts, len(train_inputs))
    size = min(*(len(rows) for rows in concepts.values()), len(train_inputs) // 4)
    c = len(task.classes)
    with Inside.before_the_last(predictor.module, train_inputs, c) as inside:
        rows = _of_each_answer(test_predicted, rng)
        slopes, answers = (
            inside.slopes(test_inputs[rows], test_predicted[rows]),
            test_predicted[rows],
        )
        order = rng.permutation(len(train_inputs))[: 8 * size]
        of_train = inside.activations(train_inputs[order])
        of_concepts = {name: inside.activations(given) for name, given in concepts.items()}

    def shares(positive: np.ndarray) -> np.ndarray:
        other = of_train[rng.permutation(len(of_train))[: len(positive)]]
        grows = slopes @ _direction(positive, other) > 0
        of_class = [grows[answers == k] for k in range(c)]
        return np.array([g.mean() if len(g) >= FEWEST_EXAMPLES else np.nan for g in of_class])

    def of_directions(held: np.ndarray) -> np.ndarray:
        # Half of them each time: halves differ from one another by as much as such examples from others of the same concept.
        drawn = (held[rng.permutation(len(held))[: size // 2]] for _ in range(RANDOM_CONCEPTS))
        return np.stack([shares(positive) for positive in drawn])

    return {name: of_directions(held) for name, held in {**of_concepts, "": of_train}.items()}


@check(challenge="interpretability")
def concept_influence(concept_scores: Mapping[str, np.ndarray], task: "Task") -> Measurement:
    """How much more often answers grow with a named concept than with random directions, at most over concepts and classes.

    Difference of the mean shares over 20 directions each, by size, corrected for the number of concepts and classes (Kim et al. 2018, ICML, 3.4: without random concepts to
    compare with, any direction seems to mean something). Its error is the spread over halves of the examples, undivided: all 20 share the luck of these examples, and a
    t-test of 20 would call most concepts that mean nothing an influence.

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
                apart = float(scores[:, k].mean() - chance[:, k].mean())
                more = apart >= 0
                found.append(_apart(abs(apart), scores[:, k], chance[:, k]))
                names.append(f"{label}: {'with' if more else 'against'} {name}")
    if not found:
        raise NotApplicable(
            f"no class was answered on {FEWEST_EXAMPLES} of the test rows that were looked at"
        )
    surest = int(np.argmax([m.low for m in found]))
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
    details = (
        f"Surest: {names[surest]}."
        if found[surest].low > 0.0
        else "No concept is shown to go with an answer more than random directions do."
    )
    worst = largest_of(found, unit="share of rows", details=details, evidence=(figure,))
    return replace(worst, high=min(worst.high, 1.0))  # of two shares


def _apart(value: float, scores: np.ndarray, chance: np.ndarray) -> Measurement:
    error = float(np.sqrt(scores.var(ddof=1) + chance.var(ddof=1) / len(chance)))
    distribution = Estimate(value, error, len(scores) - 1)
    n, method = len(scores) + len(chance), "t interval, spread over halves of the examples"
    return measured(value, n, distribution, unit="share of rows", method=method)


def _refuse_few(concepts: Mapping[str, np.ndarray], rows: int) -> None:
    if not concepts:
        raise UserError(f"The mapping of concepts is empty; at least one was expected: {WAY}.")
    sizes = {name: len(given) for name, given in concepts.items()}
    few = [f'"{name}" has {size}' for name, size in sizes.items() if size < FEWEST_EXAMPLES]
    if few:
        raise UserError(
            f"Of examples of concepts {', '.join(few)}; at least {FEWEST_EXAMPLES} were expected. Give more."
        )
    if rows < 4 * FEWEST_EXAMPLES:
        raise NotApplicable(
            f"there are {rows} training rows; {4 * FEWEST_EXAMPLES} are needed for random directions to compare with"
        )


def _of_each_answer(answers: np.ndarray, rng: Generator) -> np.ndarray:
    """Return positions of at most 200 rows of each class answered, ascending."""
    order = rng.permutation(len(answers))
    few = [order[answers[order] == k][:MOST_ROWS] for k in np.unique(answers)]
    return np.sort(np.concatenate(few))


def _direction(examples: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the normal of a linear classifier between examples of a concept and other rows: (f,)."""
    from sklearn.linear_model import RidgeClassifier

    rows = np.concatenate([examples, others]).astype(np.float64)
    # One scale for all units: with one for each, those that hardly ever fire would lead.
    scale = max(float(np.sqrt(rows.var(axis=0).mean())), 1e-9)
    fitted = RidgeClassifier(alpha=1.0).fit(
        rows / scale, np.repeat([1, 0], [len(examples), len(others)])
    )
    return np.ravel(fitted.coef_)  # (1, f), or (f,) since scikit-learn 1.9
