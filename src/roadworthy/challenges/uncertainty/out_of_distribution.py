"""Whether rows that the model was never trained for stand out: scores of novelty, and checks of them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from roadworthy.challenges.uncertainty import foreign_rows, novelty
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.perturbation.noise import RowNoise
from roadworthy.results import AtMost, Axis, Counts, Matrix, Measurement, Table
from roadworthy.statistics import auc, mean, measured, percent

if TYPE_CHECKING:
    from roadworthy.results import Evidence
    from roadworthy.subject import Column, Predictor

KEPT = 0.95  # of validation rows
POOL = 512
LEAST_ROWS = 20  # of validation: 5 % of fewer is less than one row
CONFIDENCE = "confidence"
Fitted = Mapping[str, Any]  # Any: arrays, names and numbers


@artifact(cost="forward")
def novelty_reference(
    predictor: "Predictor",
    train_inputs: np.ndarray,
    output_kind: str,
    modality: str,
    rng: np.random.Generator,
    train_labels: np.ndarray | None = None,
    columns: "tuple[Column, ...] | None" = None,
    input_range: tuple[float, float] | None = None,
) -> Fitted:
    """Where training rows lie and how rows are made foreign, from at most 4,000 training rows.

    `spaces` by name (see `novelty.fitted_space`), `pool` of rows, `seed`; of tables their facts, of arrays the mean and
    spread of elements, the `range` and one `order` of elements.
    """
    from roadworthy.perturbation.corruptions import table_facts

    if modality not in ("table", "array"):
        raise NotApplicable(f"foreign rows are made of tables and arrays, not of {modality}")
    if len(train_inputs) < 2:
        raise NotApplicable(f"{len(train_inputs)} training row(s); novelty is distance from them")
    rows = np.sort(rng.permutation(len(train_inputs))[: novelty.MOST_ROWS])
    inputs = train_inputs[rows]
    fitted: dict[str, Any] = {"seed": int(rng.integers(1 << 31))}  # Any: see above
    if columns is not None:
        fitted |= table_facts(inputs, columns)
    else:
        low, high = input_range or (float(np.nanmin(inputs)), float(np.nanmax(inputs)))
        fitted |= {"range": np.array([low, high]), "pool": inputs[:POOL]}
        fitted |= {"order": rng.permutation(inputs[0].size), **novelty.standardisation(inputs)}
    seen = novelty.seen_by(predictor, inputs, output_kind)
    labels = None if train_labels is None else train_labels[rows]
    spaces = novelty.spaces_of(inputs, seen, fitted)
    return {
        **fitted,
        "spaces": {
            name: novelty.fitted_space(x, labels if name == "embeddings" else None)
            for name, x in spaces.items()
        },
    }


@artifact(per="split", shape="n s", rows=True, cost="forward")
def novelty_scores(
    predictor: "Predictor", inputs: np.ndarray, novelty_reference: Fitted, output_kind: str
) -> np.ndarray:
    """How far each row is from the training rows by each score: (n, s) float64, larger is further.

    Columns by name in alphabetical order: see `score_names`.
    """
    found = novelty.scores_of(predictor, inputs, novelty_reference, output_kind)
    return np.stack([found[name] for name in sorted(found)], axis=1)


@artifact(per="split", shape="n w s", rows=True, cost="forward")
def foreign_novelty_scores(
    predictor: "Predictor",
    inputs: np.ndarray,
    row_ids: np.ndarray,
    novelty_reference: Fitted,
    output_kind: str,
) -> np.ndarray:
    """How far each row is by each score once it is made foreign in each way: (n, ways, s) float64."""
    noise = RowNoise(row_ids, novelty_reference["seed"])
    of_ways: list[np.ndarray] = []
    for way in foreign_rows.ways("numeric" in novelty_reference):
        made = foreign_rows.foreign(inputs, way, noise, novelty_reference)
        found = novelty.scores_of(predictor, made, novelty_reference, output_kind)
        of_ways.append(np.stack([found[name] for name in sorted(found)], axis=1))
    return np.stack(of_ways, axis=1)


@artifact()
def score_names(novelty_reference: Fitted, output_kind: str) -> tuple[str, ...]:
    """Names of the scores of novelty, in the order of their columns."""
    spaces = novelty_reference["spaces"]
    names = [f"nearest rows, {name}" for name in spaces] + [
        novelty.distance_in(name) for name in spaces
    ]
    if "numeric" in novelty_reference:
        names.append("isolation forest")
    if output_kind != "values":
        names += ["energy", CONFIDENCE] if output_kind == "logits" else [CONFIDENCE]
    return tuple(sorted(names))


@artifact()
def novelty_choice(
    validation_novelty_scores: np.ndarray,
    validation_foreign_novelty_scores: np.ndarray,
    novelty_reference: Fitted,
) -> Mapping[str, Any]:  # Any: a number and arrays
    """Which score tells foreign validation rows best, and for each the threshold that keeps 95 % of them.

    `score`: position of the score with the largest mean area under the ROC curve over the ways that are for choosing;
    `areas` (s,); `thresholds` (s,): the ceil(.95 (n + 1))-th smallest of validation rows, as for conformal sets.
    """
    n = len(validation_novelty_scores)
    if n < LEAST_ROWS:
        raise NotApplicable(
            f"{n} validation rows cannot set a threshold that keeps 95 % of them; at least {LEAST_ROWS} are needed"
        )
    some = foreign_rows.choosing("numeric" in novelty_reference)
    areas = np.array(
        [
            np.mean([_area(own, validation_foreign_novelty_scores[:, w, s]) for w in range(some)])
            for s, own in enumerate(validation_novelty_scores.T)
        ]
    )
    rank = min(int(np.ceil(KEPT * (n + 1))), n)
    thresholds = np.partition(validation_novelty_scores, rank - 1, axis=0)[rank - 1]
    return {"score": int(areas.argmax()), "areas": areas, "thresholds": thresholds}


@check(
    challenge="uncertainty",
    requires=AtMost(
        0.5,
        "house default: half of plainly foreign inputs must stand out where 5 % of ordinary ones are held back",
    ),
    least=50,
)
def unseen_inputs_missed(
    test_foreign_novelty_scores: np.ndarray,
    test_novelty_scores: np.ndarray,
    novelty_choice: Mapping[str, Any],
    score_names: tuple[str, ...],
    test_entities: np.ndarray | None = None,
) -> Measurement:
    """How many inputs of a kind that the model was never trained for could not be told from ordinary ones.

    Test rows are made foreign (inverted, replaced by noise, blended with another row; columns of tables mirrored, or
    filled from anywhere in their range). Missed are those that pass a threshold which keeps 95 % of ordinary validation
    rows (false positive rate at 95 %, Hendrycks & Gimpel 2017), by the score of novelty that told *other*
    kinds of foreign validation rows best: no score is chosen on what is reported. No single score wins everywhere
    (Zhang et al. 2023, OpenOOD v1.5). Interval: Student's t over rows, entities kept together.

    Unit: share of foreign rows.
    Qualified at: severity 1 of `foreign_rows_taken_for_own`, n = 50; passes from 100 rows where a quarter is missed.
    Next: see which score tells most in the table; other inputs or another model may tell foreign rows apart.
    """
    chosen = int(novelty_choice["score"])
    return _missed(
        test_foreign_novelty_scores,
        test_novelty_scores,
        novelty_choice,
        score_names,
        chosen,
        test_entities,
    )


@check(
    challenge="uncertainty",
    requires=AtMost(
        0.5,
        "house default: half of plainly foreign inputs must lower the model's confidence below that of 95 % of ordinary ones",
    ),
    least=50,
)
def unseen_inputs_trusted(
    test_foreign_novelty_scores: np.ndarray,
    test_novelty_scores: np.ndarray,
    novelty_choice: Mapping[str, Any],
    score_names: tuple[str, ...],
    test_entities: np.ndarray | None = None,
) -> Measurement:
    """How many inputs of a kind that the model was never trained for get an answer as sure as an ordinary one.

    As `unseen_inputs_missed`, by the one score that its user sees: the probability of the answer. A model may hold the
    knowledge that a row is foreign and still answer surely; where this is much larger than
    `unseen_inputs_missed`, it does.

    Unit: share of foreign rows.
    Qualified at: severity 1 of `foreign_rows_answered_surely`, n = 50; passes from 100 rows where a quarter is trusted.
    Next: lower the confidence of rows far from the training rows and abstain there (`roadworthy fix --only abstention_far_away`).
    """
    if CONFIDENCE not in score_names:
        raise NotApplicable("the target is a number, so no answer has a probability")
    chosen = score_names.index(CONFIDENCE)
    return _missed(
        test_foreign_novelty_scores,
        test_novelty_scores,
        novelty_choice,
        score_names,
        chosen,
        test_entities,
    )


@check(
    challenge="uncertainty",
    requires=AtMost(0.05, "house default: 5 points more than the 5 % that was promised"),
    least=100,
)
def novelty_false_alarms(
    test_novelty_scores: np.ndarray,
    novelty_choice: Mapping[str, Any],
    score_names: tuple[str, ...],
) -> Measurement:
    """How many more ordinary test rows would be held back as foreign than the 5 % that was promised.

    By the score of `unseen_inputs_missed` and its threshold, which keeps 95 % of validation rows. Where test rows come
    from where validation rows came from the promise holds for any score; an excess says that they do not.
    Interval: Clopper-Pearson. Negative: fewer are held back than promised.

    Unit: share of rows above 5 %.
    Qualified at: severity 0.1 of `own_rows_taken_for_foreign`, n = 1,500.
    Next: compare test with validation rows (shift, leakage); set the threshold on rows like those in use.
    """
    n = len(test_novelty_scores)
    if n == 0:
        raise NotApplicable("there are no test rows")
    chosen = int(novelty_choice["score"])
    held = int(np.sum(test_novelty_scores[:, chosen] > novelty_choice["thresholds"][chosen]))
    return measured(
        held / n - (1 - KEPT),
        n,
        Counts(held, n, 1.0, -(1 - KEPT)),
        unit="share of rows above 5 %",
        method="Clopper-Pearson",
        details=f"{held} of {n} test rows ({percent(held / n)}) lie beyond the threshold of {score_names[chosen]}.",
    )


def _missed(
    foreign: np.ndarray,
    own: np.ndarray,
    choice: Mapping[str, Any],
    names: tuple[str, ...],
    chosen: int,
    entities: np.ndarray | None,
) -> Measurement:
    if len(foreign) == 0:
        raise NotApplicable("there are no test rows")
    is_table = foreign.shape[1] == len(foreign_rows.ways(True))
    ways, first = foreign_rows.ways(is_table), foreign_rows.choosing(is_table)
    accepted = foreign <= choice["thresholds"]  # (n, ways, s)
    reported = accepted[:, first:, chosen]
    by_way = ", ".join(
        f"{percent(float(share))} {way}"
        for way, share in zip(ways[first:], reported.mean(axis=0), strict=True)
    )
    return mean(
        reported.mean(axis=1),
        entities,
        unit="share of foreign rows",
        bounds=(0.0, 1.0),
        details=f"By {names[chosen]}: {by_way} pass the threshold that keeps 95 % of ordinary rows.",
        evidence=_evidence(foreign, own, accepted, names, ways),
    )


def _evidence(
    foreign: np.ndarray,
    own: np.ndarray,
    accepted: np.ndarray,
    names: tuple[str, ...],
    ways: tuple[str, ...],
) -> "tuple[Evidence, ...]":
    rates = accepted.mean(axis=0).T  # (s, ways)
    positive = np.repeat([False, True], [len(own), len(foreign)])
    rows: list[tuple[str | float, ...]] = []
    for s, name in enumerate(names):
        for w, way in enumerate(ways):
            area = auc(np.concatenate([own[:, s], foreign[:, w, s]]), positive)
            rows.append((name, way, round(area.value, 4), round(area.low, 4), round(area.high, 4)))
    return (
        Matrix(
            title="Foreign rows that pass where 95 % of ordinary rows do",
            row=Axis("score"),
            column=Axis("made foreign"),
            rows=names,
            columns=ways,
            values=tuple(tuple(round(float(v), 6) for v in row) for row in rates),
            value=Axis("passed", "share of foreign rows"),
        ),
        Table(
            title="Area under the ROC curve of foreign against ordinary rows",
            header=("score", "made foreign", "area", "low", "high"),
            rows=tuple(rows),
        ),
    )


def _area(own: np.ndarray, foreign: np.ndarray) -> float:
    """Return the share of pairs in which the foreign row scores above the own one, ties half."""
    ordered = np.sort(own)
    below = np.searchsorted(ordered, foreign, "left") + np.searchsorted(ordered, foreign, "right")
    return float(below.mean() / (2 * len(own)))
