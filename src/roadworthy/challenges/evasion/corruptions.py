"""What the model loses on rows that noise, weather, broken sensors and wrong cells have changed."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from roadworthy.engine import artifact
from roadworthy.errors import NotApplicable
from roadworthy.perturbation.noise import RowNoise

if TYPE_CHECKING:
    from roadworthy.subject import Column, Predictor, Task

Effort = Literal["quick", "adaptive", "standard"]
Scale = Mapping[str, Any]  # Any: arrays and numbers by name

MOST_ROWS: Mapping[Effort, int] = {"quick": 300, "adaptive": 1_000, "standard": 5_000}
SEVERITIES_AT: Mapping[Effort, tuple[int, ...]] = {
    "quick": (1, 3, 5),
    "adaptive": (1, 2, 3, 4, 5),
    "standard": (1, 2, 3, 4, 5),
}
WORST = 3.0  # spreads of the target; a prediction that is further off counts as this far
VALUES_AT_A_TIME = 1 << 23  # bounds the corrupted copies of large images


@artifact()
def corruption_kinds(
    modality: str,
    columns: "tuple[Column, ...] | None" = None,
    validation_inputs: np.ndarray | None = None,
    train_inputs: np.ndarray | None = None,
) -> tuple[str, ...]:
    """Names of the corruptions that make sense for these inputs."""
    from roadworthy.perturbation.corruptions import kinds_for, table_kinds_for

    if columns is not None:
        return table_kinds_for(columns)
    reference = _reference(modality, validation_inputs, train_inputs)
    kinds = kinds_for(reference.shape)
    if not kinds:
        raise NotApplicable(f"inputs of shape {reference.shape} have one value per row")
    return kinds


@artifact(cost="forward")
def corruption_scale(
    modality: str,
    rng: np.random.Generator,
    corruption_kinds: tuple[str, ...],
    columns: "tuple[Column, ...] | None" = None,
    validation_inputs: np.ndarray | None = None,
    train_inputs: np.ndarray | None = None,
    train_targets: np.ndarray | None = None,
    input_range: tuple[float, float] | None = None,
) -> Scale:
    """How large each corruption is at each severity here, from validation rows (else training rows).

    Arrays: `amounts` (kinds, 5) and `range`, that of the rows where none is stated. Tables: the spread of
    columns and so on, see `perturbation.corruptions.table_facts`. With them the `seed` of the noise and the
    `unit` of an error of a numeric target, its standard deviation.
    """
    from roadworthy.perturbation.corruptions import calibrated, table_facts

    reference = _reference(modality, validation_inputs, train_inputs)
    spread = 1.0 if train_targets is None else float(np.std(train_targets))
    common = {"seed": int(rng.integers(1 << 31)), "unit": spread or 1.0}
    if columns is not None:
        return {**common, **table_facts(reference, columns)}
    low, high = input_range or (float(np.nanmin(reference)), float(np.nanmax(reference)))
    if not low < high:
        raise NotApplicable(
            f"all values of the inputs are {low:g} and no range is stated; give it with --input-range LOW,HIGH"
        )
    amounts = calibrated(reference, (low, high), tuple(corruption_kinds))
    return {
        **common,
        "range": np.array([low, high]),
        "amounts": np.stack([amounts[kind] for kind in corruption_kinds]),
    }


@artifact(per="split", shape="n")
def corruption_rows(row_ids: np.ndarray, *, attack: Effort = "quick") -> np.ndarray:
    """Which rows are corrupted: (n,) bool, at most 300, 1,000 or 5,000, drawn by their names."""
    most = MOST_ROWS[attack]
    if len(row_ids) <= most:
        return np.ones(len(row_ids), bool)
    order = np.argsort(RowNoise(row_ids).bits(1, "corruptions")[:, 0], kind="stable")
    chosen = np.zeros(len(row_ids), bool)
    chosen[order[:most]] = True
    return chosen


@artifact(per="split", shape="n k", rows=True, cost="attack")
def corruption_losses(
    predictor: "Predictor",
    inputs: np.ndarray,
    row_ids: np.ndarray,
    corruption_rows: np.ndarray,
    corruption_kinds: tuple[str, ...],
    corruption_scale: Scale,
    task: "Task",
    output_kind: str,
    labels: np.ndarray | None = None,
    targets: np.ndarray | None = None,
    *,
    attack: Effort = "quick",
) -> np.ndarray:
    """How wrong the answer is as the row is, and with each kind at each severity: (n, 1 + kinds x severities) float32.

    1 where the class is wrong, 0 where it is right; of a numeric target the error in standard deviations of it, at
    most 3. An answer that is not a number is wrong. Kinds follow each other, severities within. Rows that
    `corruption_rows` leaves out are NaN throughout. An error of the model goes up: it is no robust row.
    """
    truth = labels if targets is None else targets
    if truth is None:
        raise NotApplicable("the rows have no target; give one with --target COLUMN")
    severities = SEVERITIES_AT[attack]
    found = np.full((len(inputs), 1 + len(corruption_kinds) * len(severities)), np.nan, np.float32)
    chosen = np.flatnonzero(corruption_rows)
    size = max(1, VALUES_AT_A_TIME // max(1, inputs[:1].size))
    for first in range(0, len(chosen), size):
        rows = chosen[first : first + size]
        noise = RowNoise(row_ids[rows], corruption_scale["seed"])
        versions = _versions(inputs[rows], noise, corruption_kinds, severities, corruption_scale)
        for column, version in enumerate(versions):
            outputs = np.asarray(predictor(version), np.float64)
            found[rows, column] = (
                _wrong(outputs, truth[rows], output_kind)
                if task.is_classification
                else _error(outputs, truth[rows], corruption_scale["unit"])
            )
    return found


def _versions(
    inputs: np.ndarray,
    noise: RowNoise,
    kinds: tuple[str, ...],
    severities: tuple[int, ...],
    scale: Scale,
) -> Iterator[np.ndarray]:
    """Yield the rows as they are, and with each kind at each severity."""
    from roadworthy.perturbation.corruptions import corrupted, corrupted_table

    yield inputs
    if "range" not in scale:
        for kind in kinds:
            for severity in severities:
                yield corrupted_table(inputs, kind, severity, noise, facts=scale)
        return
    low, high = (float(end) for end in scale["range"])
    amounts = dict(zip(kinds, scale["amounts"], strict=True))
    for kind in kinds:
        for severity in severities:
            yield corrupted(inputs, kind, severity, noise, amounts=amounts, input_range=(low, high))


def _wrong(outputs: np.ndarray, labels: np.ndarray, output_kind: str) -> np.ndarray:
    outputs = outputs.reshape(len(labels), -1)
    if outputs.shape[1] == 1:
        answer = outputs[:, 0] > (0.5 if output_kind == "probabilities" else 0.0)
    else:
        answer = outputs.argmax(axis=1)
    return (answer != labels) | ~np.isfinite(outputs).all(axis=1)


def _error(outputs: np.ndarray, targets: np.ndarray, unit: float) -> np.ndarray:
    off = np.abs(outputs.reshape(len(targets)) - targets) / unit
    return np.minimum(np.where(np.isfinite(off), off, WORST), WORST)


def _reference(
    modality: str, validation_inputs: np.ndarray | None, train_inputs: np.ndarray | None
) -> np.ndarray:
    if modality not in ("table", "array"):
        raise NotApplicable(f"corruptions are known of tables and arrays, not of {modality}")
    reference = train_inputs if validation_inputs is None else validation_inputs
    if reference is None or len(reference) == 0:
        raise NotApplicable(
            "there are no validation or training rows to set severities by; give some with --validation FILE"
        )
    return reference
