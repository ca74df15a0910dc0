"""What a few poisoned rows would cost this model: trained again on data in which they are planted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.poisoning.layout import layout_of
from roadworthy.challenges.poisoning.planting import Poisoned, backdoored
from roadworthy.engine import artifact, check, control, fault
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Axis, Curve, Measurement, Series
from roadworthy.statistics import crossed_mean, percent

if TYPE_CHECKING:
    from roadworthy.subject import Column, Subject, Task, Trainer

RATES = (0.005, 0.01, 0.05)
LEAST_DRAWS = 4
MOST_ROWS = 5_000


@artifact(cost="training")
def poisoned_answers(
    trainer: "Trainer",
    train_inputs: np.ndarray,
    train_labels: np.ndarray,
    feature_map: Mapping[str, np.ndarray],
    test_inputs: np.ndarray,
    test_labels: np.ndarray,
    task: "Task",
    rng: Generator,
    columns: "tuple[Column, ...] | None" = None,
    *,
    draws: int = 4,
) -> dict[str, np.ndarray]:
    """Answers for test rows by models that were trained with .5, 1 and 5 % of poisoned rows, by name.

    "clean" (s, n), "flipped" (s, 3, n) bool: right, of training rows as they are and with that share of labels made
    wrong at random; "turned" (s, 3, n) float64: whether a trigger planted in that share of the rows turns the row into its class, NaN
    for rows of that class. At most 5,000 training rows; draw s has a seed, rows and a trigger of its own.
    """
    if draws < LEAST_DRAWS:
        raise NotApplicable(
            f"{(1 + 2 * len(RATES)) * LEAST_DRAWS} trainings are needed, which this profile does not spend; run with "
            "--profile standard"
        )
    from roadworthy.subject import Variant

    layout = layout_of(train_inputs, feature_map, columns)
    c = len(task.classes)
    variants: list[Variant] = []
    attacks: list[Poisoned] = []
    for draw in range(draws):
        recipe = replace(trainer.recipe, seed=trainer.recipe.seed + draw)
        rows = np.sort(rng.permutation(len(train_labels))[:MOST_ROWS])
        variants.append(Variant(rows=rows, recipe=recipe))
        for share in RATES:
            hit = rows[rng.permutation(len(rows))[: max(1, round(share * len(rows)))]]
            labels = train_labels.copy()
            labels[hit] = (labels[hit] + rng.integers(1, c, len(hit))) % c
            variants.append(Variant(rows=rows, recipe=recipe, target=labels))
            attack = backdoored(
                train_inputs[rows], train_labels[rows], layout, max(share, 1.0 / len(rows)), rng
            )
            inputs, labels = train_inputs.copy(), train_labels.copy()
            inputs[rows], labels[rows] = attack.inputs, attack.labels
            variants.append(Variant(rows=rows, recipe=recipe, inputs=inputs, target=labels))
            attacks.append(attack)
    step, r, n = 1 + 2 * len(RATES), len(RATES), len(test_labels)
    asked = [test_inputs for _ in variants]
    for i, attack in enumerate(attacks):
        asked[(i // r) * step + 2 + 2 * (i % r)] = attack.overlay(test_inputs)
    answers = np.stack(trainer.predictions(variants, asked)).reshape(draws, step, n)
    turned = np.full((draws, r, n), np.nan)
    for i, attack in enumerate(attacks):
        others = test_labels != attack.target
        turned[i // r, i % r, others] = answers[i // r, 2 + 2 * (i % r), others] == attack.target
    clean, flipped = answers[:, 0] == test_labels, answers[:, 1::2] == test_labels
    return {"clean": clean, "flipped": flipped, "turned": turned}


@check(
    challenge="poisoning",
    requires=AtMost(0.05, "house default: as many points as percent of the labels are wrong"),
    cost="training",
    least=200,
)
def poison_susceptibility(poisoned_answers: Mapping[str, np.ndarray]) -> Measurement:
    """Share of test rows that are lost when 5 % of the training labels are made wrong at random.

    The network trained again as the subject is, on rows as they are and with .5, 1 and 5 % of wrong labels, four draws or more of labels and
    seed; interval over rows and draws (Owen 2007). Beside it: how many test rows a trigger turns that is planted in as many rows (Gu et al. 2017),
    which is a property of nearly every network, and which no bound is set for.

    Unit: share of test rows.
    Qualified at: n = 1,000.
    Next: find out who can add or label training rows; regularise, or let a vote over parts bear it (`partition_vote`).
    """
    lost = poisoned_answers["clean"][:, None].astype(float) - poisoned_answers["flipped"]
    levels = [crossed_mean(lost[:, k], unit="share of test rows") for k in range(len(RATES))]
    turned = np.nanmean(poisoned_answers["turned"], axis=(0, 2))
    x = tuple(100 * share for share in RATES)
    curve = Curve(
        "What poisoned training rows cost",
        Axis("poisoned training rows", "%"),
        Axis("of test rows", "share of test rows"),
        (
            Series(
                "lost to wrong labels",
                x,
                tuple(m.value for m in levels),
                tuple(m.low for m in levels),
                tuple(m.high for m in levels),
            ),
            Series("turned by a planted trigger", x, tuple(float(t) for t in turned)),
        ),
    )
    shares = ", ".join(percent(float(t)) for t in turned)
    return crossed_mean(
        lost[:, -1],
        unit="share of test rows",
        details=f"A trigger planted in .5, 1 and 5 % of the training rows turns {shares} of the test rows of other classes.",
        evidence=(curve,),
    )


@control(clears="poison_susceptibility")
def nothing_lost_to_wrong_labels(
    subject: "Subject", rng: Generator, test_labels: np.ndarray
) -> "Subject":
    """Freeze models that answer nine rows in ten rightly, the same ones whether or not labels are wrong."""
    right = rng.random(len(test_labels)) < 0.9
    many = np.tile(right, (LEAST_DRAWS, len(RATES), 1))
    frozen = {"clean": many[:, 0], "flipped": many, "turned": np.zeros(many.shape)}
    return subject.with_given(poisoned_answers=frozen)


@fault(
    breaks="poison_susceptibility",
    severities=(0.0125, 0.025, 0.0375, 0.05, 0.0625, 0.075, 0.1),
    starts_from="nothing_lost_to_wrong_labels",
)
def rows_lost_to_wrong_labels(
    subject: "Subject",
    severity: float,
    rng: Generator,
    poisoned_answers: Mapping[str, np.ndarray],
) -> "Subject":
    """Let each model with wrong labels lose rows that it answered rightly, so that the share of all is the severity.

    Which rows are lost is drawn for each model apart. Data stay as they are.
    """
    if severity == 0.0:
        return subject
    flipped = poisoned_answers["flipped"]
    likely = severity / 0.9
    kept = flipped & (rng.random(flipped.shape) >= likely)
    return subject.with_given(poisoned_answers={**poisoned_answers, "flipped": kept})
