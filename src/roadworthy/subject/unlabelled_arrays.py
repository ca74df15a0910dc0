"""Rows without a target that are arrays: read from what the user gave. Apart, since reading needs the readers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roadworthy.errors import UserError
from roadworthy.subject.arrays import UNDIVIDED, UNLABELLED, Part
from roadworthy.subject.live_tables import is_table_like
from roadworthy.subject.loaders import as_array, is_loader, read_loader


@dataclass(frozen=True, eq=False)
class PartWithoutTarget:
    """Inputs without a target, and what was done for it."""

    part: Part
    notes: tuple[str, ...] = ()


def part_of(value: Any) -> PartWithoutTarget:  # Any: an array, a tensor, a pair, a loader or a file
    """Return rows without a target beside labelled rows that are arrays.

    Raises
    ------
    UserError
        Where they are a table, or a file that is no npz with inputs.
    """
    if isinstance(value, str | Path):
        return _without_target(_part_in(Path(value)))
    if is_loader(value):
        loaded = read_loader(value, UNLABELLED)
        found = _without_target(loaded.part)
        return PartWithoutTarget(found.part, (*loaded.notes, *found.notes))
    is_pair = isinstance(value, tuple | list) and len(value) == 2
    if is_table_like(value) or (is_pair and is_table_like(value[0])):
        raise UserError(
            f"{UNLABELLED} is a table, and the rows with a target are arrays. Give an array of inputs."
        )
    if is_pair and hasattr(value[0], "__len__") and hasattr(value[0], "shape"):
        return _without_target(Part(as_array(value[0]), as_array(value[1])))
    return PartWithoutTarget(Part(as_array(value), None))


def _part_in(path: Path) -> Part:
    from roadworthy.subject.readers import read_npz

    if path.suffix.lower() != ".npz":
        raise UserError(
            f"{path}: the rows with a target are arrays. Give those without one as an npz file with an array x, "
            "or as subject_from(unlabelled=...) in a subject.py."
        )
    parts = read_npz(path)
    found = parts.get(UNLABELLED) or parts.get(UNDIVIDED)
    if found is None:
        raise UserError(
            f"{path}: holds {', '.join(parts)}, and no rows without a target. Call them x or x_unlabelled."
        )
    return found


def _without_target(part: Part) -> PartWithoutTarget:
    if part.target is None:
        return PartWithoutTarget(part)
    note = f"the target of the {UNLABELLED} rows was not looked at"
    return PartWithoutTarget(Part(part.inputs, None, part.beside), (note,))
