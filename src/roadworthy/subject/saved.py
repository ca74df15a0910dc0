"""A subject in a folder: JSON and safetensors, which `audit`, `fix` and `diff` read back. Nothing in it runs."""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from roadworthy import files
from roadworthy.errors import UserError
from roadworthy.subject.blueprint import (
    Indescribable,
    Own,
    blueprint_of,
    names_own,
    network_from,
    refused,
)
from roadworthy.subject.columns import Attribute, Column, Roles
from roadworthy.subject.decision import DecisionRule
from roadworthy.subject.model import Recipe
from roadworthy.subject.subject import Split, Subject
from roadworthy.subject.task import Task
from roadworthy.subject.validity import require_valid

if TYPE_CHECKING:
    from pydantic import TypeAdapter

DESCRIPTION = "subject.json"
WEIGHTS = "weights.safetensors"
DATA = "data.safetensors"
FORMAT = 1
MODALITIES = ("table", "array", "text", "predictions")
RECORDS: Mapping[str, type] = {
    "task": Task,
    "roles": Roles,
    "recipe": Recipe,
    "decision_rule": DecisionRule,
}

T = TypeVar("T")
Json = dict[str, Any]  # Any: what json.loads gives


def is_saved(path: Path) -> bool:
    """Whether a folder holds a saved subject, or what is left of one."""
    return any((path / name).is_file() for name in (DESCRIPTION, WEIGHTS, DATA))


BLACK_BOX = (
    "{}: the model is a black box, which cannot be saved as data. Give its architecture as "
    "a Python factory and its weights (--model file.py:function --weights FILE)."
)


def require_savable(subject: Subject) -> None:
    """Refuse a model that no file describes: a black box, or a module handed over as an object.

    Raises
    ------
    UserError
    """
    if subject.predictor is not None:
        raise UserError(BLACK_BOX.format(subject.name))
    if subject.network is None:
        return
    try:
        blueprint_of(subject.network)
    except Indescribable as why:
        raise UserError(
            f"{subject.name}: the model cannot be saved, for its architecture is {why}. Give the class, or a "
            "function that builds it, at the top of a Python file, with the weights beside it: "
            "--model file.py:function --weights FILE."
        ) from None


def save_subject(subject: Subject, folder: Path, provenance: Mapping[str, object]) -> Path:
    """Write a subject into a folder: all of its files or none.

    Parameters
    ----------
    subject : Subject
        With trained weights; a black box cannot be written.
    folder : Path
    provenance : mapping
        Plain values: what it was made from and how.

    Raises
    ------
    UserError
        Where the model cannot be written as data, or the folder cannot be written.
    """
    from safetensors.numpy import save

    require_savable(subject)
    if subject.network is None or subject.weights is None:
        raise UserError(BLACK_BOX.format(subject.name))
    blueprint = blueprint_of(subject.network)
    arrays: dict[str, np.ndarray] = {}
    description: Json = {
        "format": FORMAT,
        "name": subject.name,
        "modality": subject.modality,
        "people": subject.people,
        "input_range": subject.input_range,
        "notes": list(subject.notes),
        **{name: _record(getattr(subject, name)) for name in RECORDS},
        "columns": [_record(column) for column in subject.columns],
        "network": blueprint,
        "weights": list(subject.weights),
        "splits": {name: _described(name, s, arrays) for name, s in subject.splits.items()},
        "arrays": sorted(arrays),
        "provenance": dict(provenance),
    }
    contents = {
        folder / WEIGHTS: save({n: np.array(w, order="C") for n, w in subject.weights.items()}),
        folder / DATA: save(arrays),
        folder / DESCRIPTION: (
            json.dumps(description, indent=1, ensure_ascii=False) + "\n"
        ).encode(),
    }
    files.write_all(contents)
    return folder


def read_subject(
    folder: Path, own: Own = refused, factory: "Callable[[], Any] | None" = None
) -> Subject:
    """Read a saved subject.

    Parameters
    ----------
    folder : Path
    own : callable
        What to do about the user's own factories: `blueprint.refused` or `blueprint.trusted`.
    factory : callable, optional
        In place of every factory of the user that the architecture names.

    Raises
    ------
    UserError
        Where a file is missing or damaged, or foreign code would have to be run.
    """
    description = _description(folder / DESCRIPTION)
    weights, arrays = _arrays(folder / WEIGHTS), _arrays(folder / DATA)
    lost = [name for name in description.get("arrays", ()) if name not in arrays]
    if lost:
        raise UserError(
            f"{folder / DATA}: {', '.join(lost)} should be in it and is not. Save the subject again."
        )
    chosen: Own = own if factory is None else lambda _: factory
    try:
        subject = Subject(
            name=_as(str, description["name"]),
            modality=_one_of(MODALITIES, description["modality"]),
            people=_as(bool, description["people"]),
            input_range=_range(description.get("input_range")),  # absent before there were attacks
            notes=(*(_as(str, note) for note in description["notes"]), _origin(description)),
            **{name: _read_record(name, description[name]) for name in RECORDS},
            columns=tuple(_adapter(Column).validate_python(c) for c in description["columns"]),
            splits={n: _split(n, s, arrays) for n, s in description["splits"].items()},
            network=network_from(description["network"], chosen),
            weights={name: weights[name] for name in description["weights"]},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{folder / DESCRIPTION}: not a saved subject, or a damaged one ({_problem(error)}). "
            "Save it again with `roadworthy fix --accept`."
        ) from None
    return require_valid(subject)


def _range(stated: Any) -> tuple[float, float] | None:  # Any: of JSON
    if stated is None:
        return None
    low, high = (float(bound) for bound in _as(list, stated))
    return low, high


def _as(kind: type[T], value: object) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} where a {kind.__name__} was expected")
    return value


def _one_of(known: tuple[Any, ...], value: object) -> Any:  # Any: one of them
    if value not in known:
        raise ValueError(f"{value!r} where one of {', '.join(known)} was expected")
    return value


def _problem(error: Exception) -> str:
    """Return in one line what is wrong with a description."""
    from pydantic import ValidationError

    if isinstance(error, KeyError):
        return f"{error} is missing"
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{error.title}: {'.'.join(str(each) for each in first['loc'])}: {first['msg']}"
    return str(error).splitlines()[0]


def asks_for_trust(folder: Path) -> bool:
    """Whether reading a saved subject runs the user's own code."""
    return names_own(_description(folder / DESCRIPTION)["network"])


def provenance_of(folder: Path) -> Json:
    """Return what a saved subject was made from and how."""
    return _description(folder / DESCRIPTION)["provenance"]


def _origin(description: Json) -> str:
    provenance = description["provenance"]
    done = provenance.get("mitigation")
    return f"saved subject: {provenance.get('from', 'a subject')}" + (f", {done}" if done else "")


def _record(value: Any) -> Json | None:  # Any: a dataclass of plain values
    if value is None:
        return None
    return {
        f.name: _plain(getattr(value, f.name))
        for f in fields(value)
    }  # fmt: skip


def _plain(value: Any) -> Any:  # Any: a field of a record
    if is_dataclass(value) and not isinstance(value, type):
        return _record(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in cast(tuple[Any, ...], value)]
    return value


@cache
def _adapter(kind: type) -> "TypeAdapter[Any]":  # Any: an instance of the kind
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _read_record(name: str, plain: Json | None) -> Any:  # Any: a record
    return None if plain is None else _adapter(RECORDS[name]).validate_python(plain)


def _described(name: str, split: Split, arrays: dict[str, np.ndarray]) -> Json:
    """Return the plain part of a split and put its arrays beside those of the others."""
    kept = {
        "inputs": split.inputs,
        "target": split.target,
        "source_rows": split.source_rows,
        "row_weights": split.row_weights,
        "row_groups": split.row_groups,
    }
    kept |= {f"recorded.{k}": v for k, v in split.recorded.items()}
    kept |= {f"attributes.{column}": a.values for column, a in split.attributes.items()}
    arrays.update({f"{name}.{k}": np.array(v, order="C") for k, v in kept.items() if v is not None})
    return {"attributes": {column: list(a.names) for column, a in split.attributes.items()}}


def _split(name: str, plain: Json, arrays: Mapping[str, np.ndarray]) -> Split:
    def of(part: str) -> np.ndarray | None:
        return arrays.get(f"{name}.{part}")

    prefix = f"{name}.recorded."
    source_rows = of("source_rows")
    return Split(
        inputs=of("inputs"),
        target=of("target"),
        attributes={
            column: Attribute(arrays[f"{name}.attributes.{column}"], tuple(names))
            for column, names in plain["attributes"].items()
        },
        source_rows=np.empty(0, np.int64) if source_rows is None else source_rows,
        recorded={k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)},
        row_weights=of("row_weights"),
        row_groups=of("row_groups"),
    )


def _description(path: Path) -> Json:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; a saved subject has it.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}). Save the subject again.") from None
    if not isinstance(found, dict) or "format" not in found:
        raise UserError(
            f"{path}: no saved subject. Give a folder that `roadworthy fix --accept` wrote."
        )
    if found["format"] != FORMAT:
        raise UserError(
            f"{path}: a saved subject of format {found['format']}, and this roadworthy reads format {FORMAT}. Upgrade "
            "it (pip install --upgrade roadworthy), or save the subject again with this version."
        )
    return found


def _arrays(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; a saved subject has it.") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(
            f"{path}: damaged or no safetensors file ({error}). Save the subject again."
        ) from None
