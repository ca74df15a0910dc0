"""How many answers are proven to stand: by interval bounds for the model, by noise for its smoothed twin."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from roadworthy.challenges.evasion.attacking import (
    Attacking,
    Threatened,
    ball_of,
    refuse_outside,
)
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable, UserError
from roadworthy.results import Axis, Curve, Measurement, Series
from roadworthy.statistics import clopper_pearson, rate

if TYPE_CHECKING:
    from roadworthy.perturbation.certify.smoothing import Smoothing
    from roadworthy.subject import Predictor, Task

Threat = Mapping[str, object]
Plan = Mapping[str, float]

ROWS = {"quick": 50, "adaptive": 200, "standard": 500}
SAMPLES = {"quick": 200, "adaptive": 1_000, "standard": 10_000}
"""Noisy copies of a row; Cohen et al. (2019) take 100,000."""
GUESSES = {"quick": 20, "adaptive": 100, "standard": 100}
POINTS = 21  # of the curve


@artifact(rows=True, cost="forward")
def test_certified_lead(
    predictor: "Predictor",
    task: "Task",
    output_kind: str,
    test_attacked_inputs: np.ndarray,
    test_attacked_labels: np.ndarray,
    attack_threat: Threat,
) -> np.ndarray:
    """By how much the label leads anywhere within the threat, at least: (m,) float64; above 0 it is proven to stand."""
    if predictor.module is None:
        raise NotApplicable(
            "the model is a black box, and bounds pass through the layers of a network; see `smoothed_error`"
        )
    if output_kind == "probabilities" and len(task.classes) == 2:
        raise NotApplicable(
            "the network gives probabilities of two classes; bounds need its outputs before they are made of them"
        )
    import torch

    from roadworthy.perturbation.certify.intervals import Bounds, certified_lead
    from roadworthy.perturbation.threat import TOLERANCE

    inputs = torch.from_numpy(np.array(test_attacked_inputs, np.float32))
    labels = torch.from_numpy(np.array(test_attacked_labels, np.int64))
    with Attacking(predictor, task, output_kind).model():
        bounds = Bounds.of(predictor.module)
    ball, at = ball_of(attack_threat), inputs.double()
    # More than `Ball.allows` forgives, so that nothing that counts as an attack is left out of the proof.
    eps = ball.eps + TOLERANCE * max(ball.eps, abs(ball.low), abs(ball.high))
    low, high = ((at + side * eps).clamp(ball.low, ball.high) for side in (-1, 1))
    return certified_lead(bounds, inputs, labels, low, high).numpy()


@check(challenge="evasion")
def certified_error(test_certified_lead: np.ndarray, attack_threat: Threat) -> Measurement:
    """Share of rows for which there is no proof that a small change of every value leaves the answer right.

    Interval bound propagation (Gowal et al. 2018) against the threat of `adversarial_error`. A proof and no attack: what
    is certified stands against every adversary within the threat, so the true harm lies between `adversarial_error`,
    which attacks have shown, and this. The bounds are wide: on a network that was not trained for them they prove little,
    and that says nothing against it.

    Unit: share of test rows.
    Qualified at: a description; nothing is required of it.
    Next: nothing by itself; train with bounds or on attacked rows where proofs are asked for.
    """
    n = len(test_certified_lead)
    if n == 0:
        raise NotApplicable("there are no test rows to certify")
    proven = int((test_certified_lead > 0).sum())
    details = (
        f"{proven} of {n:,} rows are proven to be answered right within {ball_of(attack_threat).name}; of the others "
        "nothing is said."
    )
    measured = rate(n - proven, n, unit="share of test rows", details=details)
    return replace(measured, method=f"{measured.method}; interval bounds, which are wide")


@artifact()
def smoothing_plan(
    l2_attack_threat: Threat,
    input_range: tuple[float, float],
    attack_budget: str,
    *,
    sigma: float = 0.0,
    samples: int = 0,
    alpha: float = 0.001,
) -> Plan:
    """How the model is smoothed: `sigma` of the noise in the unit of the inputs, samples, guesses, alpha, radius.

    The option `sigma` is a share of the range of inputs; 0: as much noise as the L2 threat is large. `samples` 0: 200 in
    the quick budget, 1,000 or 10,000 otherwise. So few that not even unanimous samples certify the threat are refused.
    """
    low, high = (float(value) for value in input_range)
    radius = float(cast(float, l2_attack_threat["eps"]))
    noise = sigma * (high - low) if sigma else radius
    if noise == 0:
        raise NotApplicable("the threat has no size, so there is nothing to certify")
    plan = {
        "sigma": noise,
        "samples": samples or SAMPLES[attack_budget],
        "guesses": GUESSES[attack_budget],
        "alpha": alpha,
        "radius": radius,
    }
    _smoothing(plan).require(radius)
    return plan


@artifact(per="split")
def smoothed_rows(
    row_ids: np.ndarray, inputs: np.ndarray, input_range: tuple[float, float], attack_budget: str
) -> np.ndarray:
    """Positions of the rows that are smoothed: (m,) int64, ascending; 50, 200 or 500, chosen by their names."""
    refuse_outside(inputs, input_range)
    most = ROWS[attack_budget]
    return np.sort(np.argsort(row_ids, kind="stable")[:most])


@artifact(per="split", stored=False)
def smoothed_inputs(inputs: np.ndarray, smoothed_rows: np.ndarray) -> np.ndarray:
    """Return the inputs of these rows: (m, ...)."""
    return inputs[smoothed_rows]


@artifact(per="split", stored=False)
def smoothed_labels(labels: np.ndarray, smoothed_rows: np.ndarray) -> np.ndarray:
    """Labels of these rows: (m,) int64."""
    return labels[smoothed_rows]


@artifact(per="split", stored=False)
def smoothed_ids(row_ids: np.ndarray, smoothed_rows: np.ndarray) -> np.ndarray:
    """Names of these rows: (m,) uint64."""
    return row_ids[smoothed_rows]


@artifact(rows=True, cost="attack")
def test_smoothed_votes(
    predictor: "Predictor",
    task: "Task",
    output_kind: str,
    test_smoothed_inputs: np.ndarray,
    test_smoothed_labels: np.ndarray,
    test_smoothed_ids: np.ndarray,
    smoothing_plan: Plan,
    attack_seed: int,
) -> np.ndarray:
    """Class that most noisy copies of a row get, and how many of the further samples do: (m, 2) int64."""
    from roadworthy.perturbation.certify.smoothing import votes

    rows = Threatened(test_smoothed_inputs, test_smoothed_labels, test_smoothed_ids, attack_seed)
    with Attacking(predictor, task, output_kind, {"chunk": 512}).model() as attacked:
        guessed, hits = votes(attacked.model, rows.points(), _smoothing(smoothing_plan))
    return np.stack([guessed.numpy(), hits.numpy()], axis=1)


@check(challenge="evasion")
def smoothed_error(
    test_smoothed_votes: np.ndarray, test_smoothed_labels: np.ndarray, smoothing_plan: Plan
) -> Measurement:
    """Share of rows that the model, asked many times under noise, answers wrongly or not for certain.

    Randomized smoothing (Cohen, Rosenfeld & Kolter 2019): the answer is the class that most noisy copies of a row get. It
    is certified where a Clopper-Pearson bound on that class's share proves that no L2 change within the threat of
    `adversarial_l2_error` turns it; each certificate fails with probability alpha. This speaks of the smoothed model,
    which is another one than the model under audit: it is what a deployment that asks many times would be worth.

    Unit: share of test rows.
    Qualified at: a description; nothing is required of it.
    Next: train with Gaussian noise of the same size before smoothing, or take more samples.
    """
    n = len(test_smoothed_votes)
    if n == 0:
        raise NotApplicable("there are no test rows to certify")
    smoothing, wanted = _smoothing(smoothing_plan), float(smoothing_plan["radius"])
    hits = test_smoothed_votes[:, 1].astype(np.float64)
    trials = np.full(n, float(smoothing.samples))
    share = clopper_pearson(hits, trials, 1 - 2 * smoothing.alpha).low  # one-sided
    radius = smoothing.radius(np.asarray(share))
    right = test_smoothed_votes[:, 0] == test_smoothed_labels
    certain = right & (radius >= wanted)
    abstained = int((radius == 0).sum())
    wrong = int((~right & (radius > 0)).sum())
    less = n - int(certain.sum()) - abstained - wrong
    details = (
        f"With noise of {smoothing.sigma:.3g} and {smoothing.samples:,} samples {int(certain.sum())} of {n:,} rows are "
        f"right and certified at an L2 radius of {wanted:.3g}; {abstained} abstain, {wrong} are wrong, {less} are "
        f"right and certified at less. No row can be certified beyond {_farthest(smoothing):.3g} with so many samples."
    )
    measured = rate(
        n - int(certain.sum()),
        n,
        unit="share of test rows",
        details=details,
        evidence=(_curve(right, radius, _farthest(smoothing)),),
    )
    return replace(measured, method=f"{measured.method}; alpha {smoothing.alpha:g} for each row")


def _smoothing(plan: Plan) -> "Smoothing":
    from roadworthy.perturbation.certify.smoothing import Smoothing

    samples, guesses = int(plan["samples"]), int(plan["guesses"])
    if samples < 1:
        raise UserError(f"At least 1 sample is needed to certify an answer, not {samples}.")
    return Smoothing(float(plan["sigma"]), guesses, samples, float(plan["alpha"]))


def _farthest(smoothing: "Smoothing") -> float:
    """Return the radius that unanimous samples certify."""
    return float(smoothing.radius(np.array([smoothing.alpha ** (1 / smoothing.samples)]))[0])


def _curve(right: np.ndarray, radius: np.ndarray, farthest: float) -> Curve:
    at, n = np.linspace(0.0, farthest, POINTS), len(right)
    # Rounding must not take what is certified at the very end.
    reached = right & (radius > 0)
    counts = (reached & (radius + 1e-12 >= at[:, None])).sum(axis=1)
    band = clopper_pearson(counts, np.full(POINTS, n))
    return Curve(
        title="Rows answered right and certified, by radius",
        x=Axis("L2 change", "unit of the inputs"),
        y=Axis("certified (at least)", "share of test rows"),
        series=(
            Series(
                "smoothed model",
                x=_rounded(at),
                y=_rounded(counts / n),
                low=_rounded(band.low),
                high=_rounded(band.high),
            ),
        ),
    )


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(v), 6) for v in values)
