"""Which rows are explained, compared with what, by which method, and what their answers rest on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.challenges.interpretability.explaining import (
    Explained,
    Explaining,
    positions_of,
    refuse_text,
)
from roadworthy.engine import artifact
from roadworthy.errors import NotApplicable, UserError

if TYPE_CHECKING:
    from roadworthy.subject import Column, Predictor, Task

Facts = Mapping[str, np.ndarray]

MOST_ROWS = 400
SAMPLE = 200  # rows that references are drawn from
TRIED = 16  # rows on which methods are tried
AUTO = ("deeplift", "integrated_gradients", "kernel_shap", "occlusion")
"""What is taken where none is asked for, the first that fits: cheap and complete before dear, sums before single losses."""


@artifact(per="split")
def explained_rows(row_ids: np.ndarray, *, most: int = MOST_ROWS) -> np.ndarray:
    """Positions of the rows whose answers are explained: (m,) int64, ascending.

    Chosen by their names: the same in every audit of the same data, whatever the model.
    """
    if most < 1:
        raise UserError(f"explained_rows.most is {most}; at least one row must be explained.")
    if len(row_ids) <= most:
        return np.arange(len(row_ids))
    return np.sort(np.argsort(row_ids, kind="stable")[:most])


@artifact(per="split", stored=False)
def explained_inputs(inputs: np.ndarray, explained_rows: np.ndarray) -> np.ndarray:
    """Return the inputs of the explained rows: (m, ...)."""
    return inputs[explained_rows]


@artifact(per="split", stored=False)
def explained_ids(row_ids: np.ndarray, explained_rows: np.ndarray) -> np.ndarray:
    """Names of the explained rows: (m,) uint64."""
    return row_ids[explained_rows]


@artifact(stored=False)
def explainer(predictor: "Predictor", task: "Task", output_kind: str) -> Explaining:
    """Return the model as methods of attribution ask it."""
    return Explaining(predictor, task, output_kind)


@artifact(per="split", cost="forward")
def explained_classes(explainer: Explaining, explained_inputs: np.ndarray) -> np.ndarray:
    """Classes that are answered, whose scores are explained: (m,) int64, 0 for a numeric target."""
    return explainer.answers(explained_inputs)


@artifact()
def attribution_reference(
    modality: str,
    rng: np.random.Generator,
    train_inputs: np.ndarray | None = None,
    validation_inputs: np.ndarray | None = None,
    test_inputs: np.ndarray | None = None,
    columns: "tuple[Column, ...] | None" = None,
) -> Facts:
    """Give what answers are compared with: `point` (1, ...), a row without news, and `sample` (r, ...), real rows.

    The point is the mean of training rows; of a table the median of numbers and the commonest category. (A black image
    would make black pixels unimportant by definition.) Both from training rows, else validation, else test rows.
    """
    refuse_text(modality)
    held = [x for x in (train_inputs, validation_inputs, test_inputs) if x is not None and len(x)]
    if not held:
        raise NotApplicable("there are no rows that answers could be compared with")
    rows = held[0]
    sample = np.asarray(rows[np.sort(rng.permutation(len(rows))[:SAMPLE])], np.float32)
    point = _mean_row(rows) if columns is None else _usual_row(rows, columns)
    return {"point": np.asarray(point, np.float32)[None], "sample": sample}


@artifact()
def attribution_seed(rng: np.random.Generator) -> int:
    """Seed of the random numbers of attributions, which are drawn for each row by its name."""
    return int(rng.integers(2**31))


@artifact(cost="forward")
def attribution_methods(
    explainer: Explaining,
    attribution_reference: Facts,
    columns: "tuple[Column, ...] | None" = None,
    train_inputs: np.ndarray | None = None,
    validation_inputs: np.ndarray | None = None,
    test_inputs: np.ndarray | None = None,
) -> Mapping[str, str]:
    """Every method of attribution, with why it does not fit this model; an empty text where it does.

    Each is tried on a few rows that the model may know already, and on rows of every split with something missing: a method that
    has no answer to these would later explain no row at all.
    """
    held = [x for x in (train_inputs, validation_inputs, test_inputs) if x is not None and len(x)]
    sample = attribution_reference["sample"]
    tried = [
        *(_with_missing(rows, TRIED // 4) for rows in held),
        sample.astype(held[0].dtype if held else sample.dtype),
    ]
    inputs = np.concatenate(tried)[:TRIED]
    rows = Explained(inputs, explainer.answers(inputs), np.arange(len(inputs), dtype=np.uint64), 0)
    found = explainer.unfit(rows, attribution_reference)
    return {name: _no_slope(name, columns) or reason for name, reason in found.items()}


@artifact()
def attribution_method(attribution_methods: Mapping[str, str], *, method: str = "auto") -> str:
    """Name of the method that explains: the one asked for, else the first of `AUTO` that fits."""
    if method == "auto":
        fit = [name for name in AUTO if not attribution_methods[name]]
        if not fit:
            # The last asks for answers alone, so what stands in its way stands in everyone's.
            raise _refusal("no method fits", attribution_methods[AUTO[-1]])
        return fit[0]
    if method not in attribution_methods:
        raise UserError(
            f'There is no method of attribution "{method}" (attribution_method.method); there are '
            f"{', '.join(attribution_methods)}, or auto."
        )
    if attribution_methods[method]:
        raise _refusal(f"{method} does not fit this model", attribution_methods[method])
    return method


@artifact(per="split", rows=True, cost="attack")
def attributed(
    explainer: Explaining,
    explained_inputs: np.ndarray,
    explained_classes: np.ndarray,
    explained_ids: np.ndarray,
    attribution_reference: Facts,
    attribution_method: str,
    attribution_seed: int,
) -> np.ndarray:
    """Attributions of the explained rows, and how far their sum misses what it promises: (m, p + 1) float32.

    See `attributions` and `attribution_incompleteness`.
    """
    rows = Explained(explained_inputs, explained_classes, explained_ids, attribution_seed)
    found = explainer.by(attribution_method, rows, attribution_reference)
    missed = found.incompleteness().numpy()[:, None]
    return np.concatenate([positions_of(found.values), missed], axis=1, dtype=np.float32)


@artifact(per="split", stored=False)
def attributions(attributed: np.ndarray) -> np.ndarray:
    """Give what each position of the explained rows adds to the score of the answer: (m, p) float32.

    Positions are the pixels of an image in rows (the sum over its channels), else the values of a row: the columns of a table.
    The score is the logit of the answered class less the mean of all logits; of a numeric target the number itself.
    """
    return attributed[:, :-1]


@artifact(per="split", stored=False)
def attribution_incompleteness(attributed: np.ndarray) -> np.ndarray:
    """How far the attributions of a row are from summing to what its score differs from the reference's: (m,) float32.

    As a share of that; NaN where the method promises no sum.
    """
    return attributed[:, -1]


def _with_missing(rows: np.ndarray, most: int) -> np.ndarray:
    """Return the first rows in which a value is missing."""
    found = rows[:0]
    if rows.dtype.kind != "f":
        return found
    for first in range(0, len(rows), 1024):
        some = rows[first : first + 1024]
        present = np.isfinite(some.reshape(len(some), -1)).all(axis=1)
        found = np.concatenate([found, some[~present]])[:most]
        if len(found) == most:
            break
    return found


def _mean_row(rows: np.ndarray) -> np.ndarray:
    """Return the mean of what is present; 0 where nothing is."""
    total, count = np.zeros(rows.shape[1:]), np.zeros(rows.shape[1:])
    for first in range(0, len(rows), 1024):
        some = np.asarray(rows[first : first + 1024], np.float64)
        present = np.isfinite(some)
        total += np.where(present, some, 0).sum(axis=0)
        count += present.sum(axis=0)
    return total / np.maximum(count, 1)


def _usual_row(rows: np.ndarray, columns: "tuple[Column, ...]") -> np.ndarray:
    """Return the median of each number and the commonest code of each category; 0 where nothing is present."""
    found = np.zeros(len(columns))
    for j, column in enumerate(columns):
        present = rows[:, j][np.isfinite(rows[:, j])]
        if len(present) == 0:
            continue
        if column.kind == "numeric":
            found[j] = np.median(present)
        else:
            codes, counts = np.unique(present, return_counts=True)
            found[j] = codes[counts.argmax()]
    return found


def _refusal(what: str, reason: str) -> Exception:
    """Return what to raise where no method explains: where one broke, that is an error and not a matter of the model."""
    from roadworthy.attribution.library import BROKEN

    kind = RuntimeError if reason.startswith(BROKEN) else NotApplicable
    return kind(f"{what}: {reason}")


def _no_slope(name: str, columns: "tuple[Column, ...] | None") -> str:
    """Say which columns have no slope, where a method rests on slopes."""
    from roadworthy.attribution.library import BLIND

    named = [c.name for c in columns or () if c.kind == "category"]
    if not named or name in BLIND:
        return ""
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    return f"{', '.join(named[:3])}{more} are categories, whose codes have no slope"
