"""What explanations are put through: parts removed, weights scrambled, inputs nudged, other methods asked."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.challenges.interpretability.explaining import Explained, Explaining, positions_of
from roadworthy.engine import artifact
from roadworthy.errors import NotApplicable, UserError

if TYPE_CHECKING:
    from roadworthy.subject import Column

Facts = Mapping[str, np.ndarray]

NETWORKS = 8  # with scrambled weights
NUDGE = 0.02  # standard deviations of each value
RIVAL_ROWS = 100


@artifact()
def removal_fillers(attribution_reference: Facts) -> tuple[str, ...]:
    """Names of what removed values become, in the order of `faithfulness_curves`."""
    from roadworthy.attribution.fillers import names_of_fillers

    return names_of_fillers(attribution_reference["point"].shape[1:])


@artifact(per="split", rows=True, cost="attack")
def faithfulness_curves(
    explainer: Explaining,
    explained_inputs: np.ndarray,
    explained_classes: np.ndarray,
    explained_ids: np.ndarray,
    attributions: np.ndarray,
    attribution_reference: Facts,
    attribution_seed: int,
) -> np.ndarray:
    """Probability of the answer as values are removed in the order of their attributions: (m, f, 3, k + 1) float32.

    For each of `removal_fillers` a curve of deletion, of insertion, and the mean of random orders, from nothing removed (or shown)
    to everything. A numeric answer is seen from that of the reference, in standard deviations of the answers.
    """
    rows = Explained(explained_inputs, explained_classes, explained_ids, attribution_seed)
    return explainer.curves(attributions, rows, attribution_reference)


@artifact(per="split", rows=True, cost="attack")
def sanity_correlations(
    explainer: Explaining,
    explained_inputs: np.ndarray,
    explained_classes: np.ndarray,
    explained_ids: np.ndarray,
    attributions: np.ndarray,
    attribution_reference: Facts,
    attribution_method: str,
    attribution_seed: int,
) -> np.ndarray:
    """Rank correlation of attributions with those of networks with scrambled weights, and with no model: (m, s + 1) float64.

    Signed, over values that differ from the reference's; the last column is that of their sizes with the distance from the
    reference, which no model is needed for. NaN where a row has no three such values.
    """
    from roadworthy.attribution.likeness import rank_correlations

    rows = Explained(explained_inputs, explained_classes, explained_ids, attribution_seed)
    far = distances(explained_inputs, attribution_reference)
    found: list[np.ndarray] = []
    for number in range(NETWORKS):
        other = explainer.with_scrambled_weights(attribution_seed + number)
        values = positions_of(other.by(attribution_method, rows, attribution_reference).values)
        found.append(rank_correlations(attributions, values, far > 0))
    found.append(rank_correlations(np.abs(attributions), far, far > 0))
    return np.stack(found, axis=1)


@artifact(per="split", rows=True, cost="attack")
def stability_correlations(
    explainer: Explaining,
    explained_inputs: np.ndarray,
    explained_classes: np.ndarray,
    explained_ids: np.ndarray,
    attributions: np.ndarray,
    attribution_reference: Facts,
    attribution_method: str,
    attribution_seed: int,
    columns: "tuple[Column, ...] | None" = None,
    *,
    nudge: float = NUDGE,
) -> np.ndarray:
    """Rank correlation of attributions with those of the same row with a little noise: (m,) float64.

    The noise has `nudge` times the standard deviation of each value; categories and what is missing stay. NaN where the answer does
    not stay, which is no matter of the explanation, where the noise changes nothing, or where all attributions are alike.
    """
    from roadworthy.attribution.likeness import rank_correlations

    if nudge <= 0:
        raise UserError(
            f"stability_correlations.nudge is {nudge:g}; it is a share of a standard deviation, above 0."
        )
    rows = Explained(explained_inputs, explained_classes, explained_ids, attribution_seed)
    moved = explainer.nudged(rows, attribution_reference["sample"], nudge, columns)
    differs = (moved.inputs != explained_inputs) & np.isfinite(explained_inputs)
    is_moved = differs.any(axis=tuple(range(1, differs.ndim)))
    values = positions_of(explainer.by(attribution_method, moved, attribution_reference).values)
    found = rank_correlations(attributions, values)
    stays = explainer.answers(moved.inputs) == explained_classes
    return np.where(stays & is_moved, found, np.nan)


@artifact(per="split")
def rival_rows(explained_ids: np.ndarray, *, most: int = RIVAL_ROWS) -> np.ndarray:
    """Which of the explained rows are explained by every method: positions among them, (r,) int64, ascending."""
    if most < 2:
        raise UserError(f"rival_rows.most is {most}; at least two rows must be explained.")
    return np.sort(np.argsort(explained_ids, kind="stable")[:most])


@artifact(per="split", cost="attack")
def rival_attributions(
    explainer: Explaining,
    explained_inputs: np.ndarray,
    explained_classes: np.ndarray,
    explained_ids: np.ndarray,
    rival_rows: np.ndarray,
    attribution_reference: Facts,
    attribution_methods: Mapping[str, str],
    attribution_seed: int,
) -> Mapping[str, np.ndarray]:
    """Attributions of some rows by every method that fits, chance among them, by name: (r, p) float32 each.

    A method that refuses these rows, having fitted those that it was tried on, is not among them.
    """
    rows = Explained(
        explained_inputs[rival_rows],
        explained_classes[rival_rows],
        explained_ids[rival_rows],
        attribution_seed,
    )
    fit = [name for name, reason in attribution_methods.items() if not reason]
    return dict(_by_each(explainer, fit, rows, attribution_reference))


@artifact(per="split", cost="attack")
def rival_gains(
    explainer: Explaining,
    explained_inputs: np.ndarray,
    explained_classes: np.ndarray,
    explained_ids: np.ndarray,
    rival_rows: np.ndarray,
    rival_attributions: Mapping[str, np.ndarray],
    attribution_reference: Facts,
    attribution_seed: int,
) -> Mapping[str, np.ndarray]:
    """Half the area between insertion and deletion, by every method, for each filler: (r, f) float64 each.

    Of random orders it is 0 on average (symmetric relevance gain, Blücher, Vielhaben & Strodthoff 2024).
    """
    if len(rival_rows) == 0:
        raise NotApplicable("there are no rows to explain")
    rows = Explained(
        explained_inputs[rival_rows],
        explained_classes[rival_rows],
        explained_ids[rival_rows],
        attribution_seed,
    )
    return {
        name: explainer.gains(values, rows, attribution_reference)
        for name, values in rival_attributions.items()
    }


def _by_each(
    explainer: Explaining, names: Sequence[str], rows: Explained, reference: Facts
) -> Iterator[tuple[str, np.ndarray]]:
    for name in names:
        try:
            found = explainer.by(name, rows, reference)
        except NotApplicable:  # of one method; the others have something to say
            continue
        yield name, positions_of(found.values)


def distances(inputs: np.ndarray, reference: Facts) -> np.ndarray:
    """Return how far each position lies from the reference, over its channels: (m, p) float32."""
    import torch

    off = np.abs(np.nan_to_num(inputs) - reference["point"]).astype(np.float32)
    return positions_of(torch.from_numpy(off))
