"""From arrays (images, series, rows of numbers) and what the user says of them, to a subject."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from roadworthy.errors import UserError
from roadworthy.subject.columns import Attribute, Column
from roadworthy.subject.divide import Division, Rows, completed, drawn, sealed
from roadworthy.subject.options import DataOptions
from roadworthy.subject.problems import Problems, listed, nearest
from roadworthy.subject.role_columns import are_people
from roadworthy.subject.splitting import hashes_of_arrays, hashes_of_columns
from roadworthy.subject.streamed import as_float64, in_chunks, in_own_type, is_streamed, rows_taken
from roadworthy.subject.subject import Split, Subject
from roadworthy.subject.table import ReadColumn, table_from_arrow
from roadworthy.subject.target import Target, target_of

UNDIVIDED = "all"
UNLABELLED = "unlabelled"
WIDEST_TABLE = 256  # columns; wider rows of numbers are treated as one array


@dataclass(frozen=True, eq=False)
class Part:
    """Arrays of one split as they came, or of all rows (under the name "all").

    Parameters
    ----------
    inputs : (n, ...) ndarray
    target : (n,) ndarray or None
        Of any type that names classes or numbers.
    beside : mapping of str to (n,) ndarray
        What describes the rows beside the inputs, by name.
    """

    inputs: np.ndarray
    target: np.ndarray | None
    beside: Mapping[str, np.ndarray] = field(default_factory=dict)


def subject_from_arrays(
    parts: Mapping[str, Part],
    options: DataOptions | None = None,
    *,
    name: str,
    class_names: tuple[str, ...] | None = None,
    notes: tuple[str, ...] = (),
) -> Subject:
    """Return the subject of arrays, without a model.

    Rows of up to 256 numbers are a table whose columns are called x0, x1, ...; all else, and whole
    numbers for a trained model, which may be codes of tokens, is handed on as it is. The same holds of inputs that do
    not fit in memory (`numpy.memmap`, `ParquetRows`, which names its columns): they are read in chunks and never copied.

    Parameters
    ----------
    parts : mapping of split name (or "all") to Part
        Those called "unlabelled" need no target.
    options : DataOptions
    name : str
        Of the file or argument, for messages.
    class_names : tuple of str, optional
        Names of the classes 0, 1, ...; None: spelled as in the target.
    """
    options = options or DataOptions()
    # Those without a target come last, so that attributes begin with the labelled rows.
    in_order = sorted(parts, key=lambda split: split == UNLABELLED)
    given = {split: _as_rows(parts[split]) for split in in_order}
    parts = {split: part for split, part in given.items() if split != UNLABELLED}
    problems = Problems(name)
    _check(given, options, problems)
    problems.raise_if_any()
    target = _target(parts, options, class_names, problems)
    attributes = _attributes(given, options, problems)
    problems.raise_if_any()
    assert target is not None
    is_table = _is_table(parts, options)
    input_range = None if is_table else _input_range(given, options, name)
    labelled = {n: a.take(np.arange(len(target.values))) for n, a in attributes.items()}
    rows = _rows(parts, target, labelled, options)
    division = _division(parts, rows, options)
    splits = _splits(parts, target, labelled, division, as_table=is_table)
    if UNLABELLED in given:
        splits[UNLABELLED] = _unlabelled(given[UNLABELLED], attributes, as_table=is_table)
    return Subject(
        name=name,
        task=target.task,
        modality="table" if is_table else "array",
        splits=splits,
        columns=_columns(parts) if is_table else (),
        roles=options.roles,
        input_range=input_range,
        people=are_people(options.roles, options),
        notes=(*notes, *target.notes, *division.notes),
    )


def _input_range(
    parts: Mapping[str, Part], options: DataOptions, name: str
) -> tuple[float, float] | None:
    """Return the stated range after a look whether the inputs keep to it."""
    stated = options.input_range
    if stated is None:
        as_bytes = all(part.inputs.dtype == np.uint8 for part in parts.values())
        return (0.0, 255.0) if as_bytes else None
    return _kept_to(stated, {split: part.inputs for split, part in parts.items()}, name)


def with_input_range(subject: Subject, stated: tuple[float, float]) -> Subject:
    """Return the subject with the range that its inputs are said to keep to; a table, whose columns have their own, as it is.

    Raises
    ------
    UserError
        Where inputs lie outside of it.
    """
    if subject.modality == "table":
        return subject
    inputs = {n: s.inputs for n, s in subject.splits.items() if s.inputs is not None}
    return replace(subject, input_range=_kept_to(stated, inputs, subject.name))


def _kept_to(
    stated: tuple[float, float], inputs: Mapping[str, np.ndarray], name: str
) -> tuple[float, float]:
    low, high = stated
    if not low < high:
        raise UserError(
            f"{name}: inputs were said to run from {low:g} to {high:g}; the first number must be below the second."
        )
    for split, of_split in inputs.items():
        rows = _rows_where(of_split, lambda rows: (rows < low) | (rows > high))
        if len(rows):
            first = np.asarray(of_split[rows[:1]])
            worst = first[(first < low) | (first > high)][0]
            raise UserError(
                f"{name}: inputs were said to run from {low:g} to {high:g}, but {len(rows)} {split} rows "
                f"hold values outside of it, the first {worst:g} in row {rows[0]} (counted from 0). "
                "State the range that the model is given, or mend the rows."
            )
    return stated


def _rows_where(inputs: np.ndarray, is_meant: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the positions of the rows of which any value is meant; they are read in chunks."""
    found = [
        chunk.start + np.flatnonzero(is_meant(chunk.rows).reshape(len(chunk.rows), -1).any(axis=1))
        for chunk in in_chunks(inputs)
    ]
    return np.concatenate([np.empty(0, np.int64), *found])


def _as_rows(part: Part) -> Part:
    target = part.target
    if target is not None:
        target = np.asarray(target)
        if target.ndim == 2 and target.shape[1] == 1:
            target = target[:, 0]
        if target.ndim == 2 and _is_one_hot(target):
            target = target.argmax(axis=1)
    inputs = part.inputs if is_streamed(part.inputs) else np.asarray(part.inputs)
    return Part(inputs, target, part.beside)


def _is_one_hot(target: np.ndarray) -> bool:
    return bool(np.isin(target, (0, 1)).all() and (target.sum(axis=1) == 1).all())


def _check(parts: Mapping[str, Part], options: DataOptions, problems: Problems) -> None:
    shapes = {part.inputs.shape[1:] for part in parts.values()}
    if len(shapes) > 1:
        said = ", ".join(f"{split} {part.inputs.shape}" for split, part in parts.items())
        problems.add(f"rows of all splits must have one shape, and these differ: {said}")
    named = {split: _names_of_columns(part.inputs) for split, part in parts.items()}
    if len(set(named.values()) - {()}) > 1:
        said = "; ".join(f"{split} {listed(names)}" for split, names in named.items())
        problems.add(f"columns must be the same in the same order, and these differ: {said}")
    for split, part in parts.items():
        _check_part(split, part, problems)
    if options.roles.dropped or options.split is not None:
        problems.add(
            "arrays have no named columns, so --drop and --split do not apply; give a table, or the "
            "arrays of each split"
        )
    known = set[str]().union(*(part.beside for part in parts.values()))
    asked: list[tuple[str, str | None]] = [("sensitive", n) for n in options.roles.sensitive]
    roles = ("entity", "time", "source", "domain", "id", "weight")
    asked += [(role, getattr(options.roles, role)) for role in roles]
    for role, column in asked:
        if column is not None and column not in known:
            problems.add(
                f'no array "{column}" (--{role}) beside the inputs.{nearest(column, known)}'
            )


def _check_part(split: str, part: Part, problems: Problems) -> None:
    inputs, target = part.inputs, part.target
    if inputs.ndim < 1 or len(inputs) == 0:
        problems.add(f"{split} holds no rows (shape {inputs.shape}); there is nothing to audit")
        return
    if inputs.dtype.kind not in "fiub":
        problems.add(
            f"the inputs of {split} are {inputs.dtype}, not numbers; encode them as numbers, or "
            "give a table (pandas, pyarrow, CSV), in which text columns are categories"
        )
    elif inputs.dtype.kind == "f" and len(rows := _rows_where(inputs, np.isinf)):
        problems.add(f"the inputs of {split} hold infinite values (first at index {rows[0]})")
    if target is None:
        if split != UNLABELLED:
            problems.add(f"{split} has no target; give (inputs, target)")
    elif target.ndim != 1 or len(target) != len(inputs):
        problems.add(
            f"{split} has inputs of shape {inputs.shape} and a target of shape {target.shape}; "
            f"a target of shape ({len(inputs)},) was expected"
        )
    for name, values in part.beside.items():
        if np.shape(values)[:1] != (len(inputs),) or np.ndim(values) != 1:
            problems.add(
                f'"{name}" of {split} has shape {np.shape(values)}; ({len(inputs)},) was expected'
            )


def _read(name: str, pieces: list[Any]) -> ReadColumn:  # Any: arrays of any type
    import pyarrow as pa

    joined = np.concatenate([np.asarray(piece) for piece in pieces])
    if joined.dtype.kind in "US":
        joined = joined.astype(np.str_).astype(object)
    arrow = pa.table({name: pa.array(joined, from_pandas=True)})
    return table_from_arrow(arrow, name).columns[name]


def _target(
    parts: Mapping[str, Part],
    options: DataOptions,
    class_names: tuple[str, ...] | None,
    problems: Problems,
) -> Target | None:
    column = _read("target", [part.target for part in parts.values()])
    if class_names is not None:
        codes = np.concatenate([np.asarray(part.target) for part in parts.values()])
        column = ReadColumn("target", "category", codes.astype(np.int64), "string", class_names)
    return target_of(column, problems, positive=options.positive, kind=options.task)


def _attributes(
    parts: Mapping[str, Part], options: DataOptions, problems: Problems
) -> dict[str, Attribute]:
    roles = options.roles
    beside = (roles.entity, roles.time, roles.source, roles.domain, roles.id, roles.weight)
    found: dict[str, Attribute] = {}
    for name in dict.fromkeys((*roles.sensitive, *(b for b in beside if b is not None))):
        lacking = [split for split, part in parts.items() if name not in part.beside]
        if lacking:
            problems.add(f'"{name}" is missing for {", ".join(lacking)}')
            continue
        column = _read(name, [part.beside[name] for part in parts.values()])
        if name not in (roles.time, roles.weight):
            column = column.as_category() if column.distinct <= 10 else column
        found[name] = Attribute(column.values, column.categories)
    return found


def _is_table(parts: Mapping[str, Part], options: DataOptions) -> bool:
    """Whether rows are lists of numbers. Whole numbers may be codes of tokens to a given model."""
    kinds = "f" if options.model_is_trained else "fiub"
    return all(
        p.inputs.ndim == 2 and p.inputs.dtype.kind in kinds and p.inputs.shape[1] <= WIDEST_TABLE
        for p in parts.values()
    )


def _columns(parts: Mapping[str, Part]) -> tuple[Column, ...]:
    first = next(iter(parts.values())).inputs
    names = _names_of_columns(first) or tuple(f"x{j}" for j in range(first.shape[1]))
    return tuple(Column(name, "numeric") for name in names)


def _names_of_columns(inputs: np.ndarray) -> tuple[str, ...]:
    """Return the names that a `ParquetRows` brings; empty for an array."""
    return tuple(getattr(inputs, "columns", ()))


def _rows(
    parts: Mapping[str, Part],
    target: Target,
    attributes: Mapping[str, Attribute],
    options: DataOptions,
) -> Rows:
    keys = np.concatenate([hashes_of_arrays(part.inputs) for part in parts.values()])
    roles = options.roles
    if roles.entity is not None:
        entity = attributes[roles.entity]
        kind = "category" if entity.names else "numeric"
        column = ReadColumn("entity", kind, entity.values, "other", entity.names)
        keys = np.where(column.is_missing, keys, hashes_of_columns([column], len(keys)))
    times = None if roles.time is None else attributes[roles.time].values
    is_class = target.task.is_classification
    return Rows(keys, target.values, is_class, times, by_entity=roles.entity is not None)


def _division(parts: Mapping[str, Part], rows: Rows, options: DataOptions) -> Division:
    trained = options.model_is_trained
    if set(parts) == {UNDIVIDED}:
        return sealed(drawn(rows, model_is_trained=trained), rows, options.proof)
    names = np.concatenate([np.full(len(p.inputs), s, "<U10") for s, p in parts.items()])
    return sealed(completed(names, rows, model_is_trained=trained), rows, options.proof)


def _splits(
    parts: Mapping[str, Part],
    target: Target,
    attributes: Mapping[str, Attribute],
    division: Division,
    *,
    as_table: bool,
) -> dict[str, Split]:
    """Take each split from the part it lies in: arrays that stay whole are not copied."""
    splits: dict[str, Split] = {}
    for name in ("train", "validation", "test", "production", "proof"):
        rows = division.rows(name)
        if len(rows) == 0:
            continue
        inputs = _inputs_of(parts, rows)
        taken = {n: a.take(rows) for n, a in attributes.items()}
        splits[name] = Split(
            as_float64(inputs) if as_table else in_own_type(inputs),
            target.values[rows],
            taken,
            _positions(parts, rows),
        )
    return splits


def _unlabelled(part: Part, attributes: Mapping[str, Attribute], *, as_table: bool) -> Split:
    inputs = as_float64(part.inputs) if as_table else in_own_type(part.inputs)
    last = slice(-len(inputs), None)
    return Split(
        inputs, None, {n: Attribute(a.values[last], a.names) for n, a in attributes.items()}
    )


def _inputs_of(parts: Mapping[str, Part], rows: np.ndarray) -> np.ndarray:
    pieces: list[np.ndarray] = []
    start = 0
    for part in parts.values():
        n = len(part.inputs)
        here = rows[(rows >= start) & (rows < start + n)] - start
        if len(here):
            pieces.append(rows_taken(part.inputs, here))
        start += n
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _positions(parts: Mapping[str, Part], rows: np.ndarray) -> np.ndarray:
    """Position of each row in the array that it came from."""
    own = [np.arange(len(part.inputs), dtype=np.int64) for part in parts.values()]
    return np.concatenate(own)[rows]
