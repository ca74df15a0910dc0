"""Inputs and models that give the group away: a column that stands in for it, a model that asks for it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from roadworthy.challenges.fairness.coins import COIN, SIDES, rows_of, with_coins
from roadworthy.engine import control, fault
from roadworthy.errors import NotApplicable
from roadworthy.subject.columns import Column
from roadworthy.subject.predictor import Predictor

if TYPE_CHECKING:
    from roadworthy.subject import Grouping, Subject

BUCKETS = 1 << 32


@control(clears="proxy_strength")
def nothing_tells_the_coin(subject: "Subject", rng: Generator) -> "Subject":
    """Let a coin decide who is of which group: then no column can tell it."""
    return with_coins(subject, rng)


@fault(
    breaks="proxy_strength",
    severities=(0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0),
    starts_from="nothing_tells_the_coin",
)
def proxy_column(
    subject: "Subject", severity: float, rng: Generator, train_groups: "Mapping[str, Grouping]"
) -> "Subject":
    """Put the group into the last column of the training rows, wrong in (1 - s) / 2 of them.

    Told by that column alone it has the balanced accuracy (1 + s) / 2: s of the way from chance to certainty.
    The other columns stay as they are.
    """
    inputs = subject.splits["train"].inputs
    if severity == 0.0:
        return subject
    if inputs is None or inputs.ndim != 2:
        raise NotApplicable("a proxy is planted in a column of a table")
    heads = rows_of(train_groups, "heads", COIN)
    wrong = rng.random(len(heads)) < (1.0 - severity) / 2.0
    other = inputs.copy()
    other[:, -1] = heads ^ wrong
    return subject.with_inputs("train", other)


@control(clears="counterfactual_flip")
def model_that_ignores_the_coin(
    subject: "Subject", rng: Generator, predictor: Predictor
) -> "Subject":
    """Show the model a coin beside the other columns, which it does not look at."""
    if not subject.columns:
        raise NotApplicable("the inputs are no table, so the group is no column of them")
    tossed = with_coins(subject, rng)
    splits = {
        name: split
        if split.inputs is None
        else replace(
            split,
            inputs=np.concatenate([split.inputs, split.attributes[COIN].values[:, None]], axis=1),
        )
        for name, split in tossed.splits.items()
    }

    def call(inputs: np.ndarray) -> np.ndarray:
        return predictor(inputs[:, :-1])

    return replace(
        tossed,
        splits=splits,
        columns=(*subject.columns, Column(COIN, "category", SIDES)),
        predictor=Predictor(call, predictor.gives, ("without the coin", predictor.identity)),
    )


@fault(
    breaks="counterfactual_flip",
    severities=(0.0125, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2),
    starts_from="model_that_ignores_the_coin",
)
def model_that_asks_for_the_coin(
    subject: "Subject", severity: float, rng: Generator, predictor: Predictor
) -> "Subject":
    """Let the model decide a share s of rows by the coin: for heads one class, for tails another.

    Which rows they are follows from the other columns. Of numbers: a difference of the largest output.

    Also alarms: demographic_parity_gap (decisions follow the coin), error_rate_gap (some are mistakes).
    """
    salt = int(rng.integers(1, BUCKETS))

    def call(inputs: np.ndarray) -> np.ndarray:
        outputs = np.asarray(predictor(inputs), np.float64)
        by_coin = _share_of(inputs[:, :-1], salt) < severity
        is_sure = predictor.gives == "probabilities"
        return _decided_by(outputs, by_coin, inputs[:, -1] > 0.5, is_sure=is_sure)

    identity = ("asks for the coin", severity, salt, predictor.identity)
    return replace(subject, predictor=Predictor(call, predictor.gives, identity))


def _decided_by(
    outputs: np.ndarray, rows: np.ndarray, tails: np.ndarray, *, is_sure: bool
) -> np.ndarray:
    """Return the outputs with the first or the last class (a low or a high number) on top in these rows."""
    found = outputs.copy()
    least, most = (0.0, 1.0) if is_sure else (float(outputs.min()), float(outputs.max()))
    if outputs.ndim == 1 or outputs.shape[1] == 1:
        found[rows] = np.where(tails[rows], most, least).reshape(found[rows].shape)
        return found
    one_hot = np.full((int(rows.sum()), outputs.shape[1]), least)
    one_hot[:, 0] = np.where(tails[rows], least, most)
    one_hot[:, -1] = np.where(tails[rows], most, least)
    found[rows] = one_hot
    return found


def _share_of(inputs: np.ndarray, salt: int) -> np.ndarray:
    """Return a number from 0 to 1 for each row that looks random and follows from its contents: (n,)."""
    mixed = np.full(len(inputs), salt, np.uint64)
    values = np.where(np.isfinite(inputs), inputs, -1.0).astype(np.float64) + 0.0
    for bits in np.ascontiguousarray(values).view(np.uint64).reshape(len(inputs), -1).T:
        mixed = (mixed ^ bits) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return (mixed >> np.uint64(11)).astype(np.float64) / float(1 << 53)
