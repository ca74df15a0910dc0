"""What a remedy changed in the subject, in words: its recipe, architecture, rows, decisions."""

from dataclasses import fields
from typing import Any

import numpy as np

from roadworthy.subject import Recipe, Split, Subject


def changes_between(before: Subject, after: Subject) -> tuple[str, ...]:
    """Return one phrase for each thing that differs; `before` has network and recipe filled in."""
    said = _of_recipe(before.recipe, after.recipe)
    if after.network is not None and after.network is not before.network:
        said.append(f"architecture: {after.network.source or 'another network'}")
    if after.predictor is not None and after.predictor is not before.predictor:
        said.append("model: wrapped, its outputs are changed")
    if after.decision_rule != before.decision_rule and after.decision_rule is not None:
        rule = after.decision_rule
        kind = "no answer" if rule.kind == "abstain" else "sets of classes"
        aim = f" ({rule.aim})" if rule.aim else ""
        said.append(f"decisions: {kind} by a threshold of {rule.threshold:.3g}{aim}")
    for name, split in after.splits.items():
        said += _of_split(name, before.splits.get(name), split)
    gone = [name for name in before.splits if name not in after.splits]
    return (*said, *(f"{name} rows: left out" for name in gone))


def _of_recipe(before: Recipe | None, after: Recipe | None) -> list[str]:
    if before is None or after is None or before == after:
        return []
    return [
        f"recipe: {f.name} from {_shown(getattr(before, f.name))} to {_shown(getattr(after, f.name))}"
        for f in fields(Recipe)
        if getattr(before, f.name) != getattr(after, f.name)
    ]


def _shown(value: Any) -> str:  # Any: a field of a recipe
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _of_split(name: str, before: Split | None, after: Split) -> list[str]:
    if before is after:
        return []
    if before is None:
        return [f"{name} rows: {after.n:,} added"]
    if before.n != after.n:
        return [f"{name} rows: {after.n:,} instead of {before.n:,}"]
    said: list[str] = []
    if _differ(before.target, after.target):
        said.append(f"{name} rows: {_count(before.target, after.target):,} targets changed")
    if _differ(before.inputs, after.inputs):
        said.append(f"{name} rows: inputs of {_count(before.inputs, after.inputs):,} rows changed")
    if _differ(before.row_weights, after.row_weights):
        said.append(f"{name} rows: weighed anew")
    if after.row_groups is not None and _differ(before.row_groups, after.row_groups):
        said.append(f"{name} rows: their groups are told to the training")
    return said


def _differ(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    if one is other:
        return False
    return one is None or other is None or not _equal(one, other).all()


def _count(one: np.ndarray | None, other: np.ndarray | None) -> int:
    if one is None or other is None or one.shape != other.shape:
        return 0 if other is None else len(other)
    same = _equal(one, other)
    return int((~same.reshape(len(same), -1).all(axis=1)).sum())


def _equal(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    if one.shape != other.shape:
        return np.zeros(1, bool)
    same = one == other
    if one.dtype.kind == "f" == other.dtype.kind:
        same |= np.isnan(one) & np.isnan(other)
    return same
