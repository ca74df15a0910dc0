"""From what lives in a Python session (models, arrays, loaders, tables) to a subject."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from roadworthy.errors import UserError
from roadworthy.subject.arrays import UNDIVIDED, UNLABELLED, Part, subject_from_arrays
from roadworthy.subject.assemble import subject_from_table
from roadworthy.subject.columns import Roles
from roadworthy.subject.intake import model_from_object, with_model
from roadworthy.subject.live_tables import LiveTable, is_table_like, live_table, stacked
from roadworthy.subject.live_weights import Weights, model_with_weights
from roadworthy.subject.loaders import as_array, is_loader, read_loader
from roadworthy.subject.model import Recipe
from roadworthy.subject.options import DataOptions
from roadworthy.subject.subject import Subject
from roadworthy.subject.unlabelled import table_of
from roadworthy.subject.unlabelled_arrays import part_of

Data = Any
"""A table (pandas, pyarrow, dict of columns), (inputs, target), a DataLoader, a Dataset or a file."""


def subject_from(
    model: Any = None,  # Any: a module, an estimator, a callable
    *,
    weights: Weights = None,
    train: Data = None,
    validation: Data = None,
    test: Data = None,
    data: Data = None,
    unlabelled: Data = None,
    target: str | None = None,
    sensitive: str | Iterable[str] = (),
    entity: str | None = None,
    time: str | None = None,
    source: str | None = None,
    id: str | None = None,
    weight: str | None = None,
    drop: str | Iterable[str] = (),
    split: str | None = None,
    positive: str | int | bool | None = None,
    task: Literal["classification", "binary", "multiclass", "regression"] | None = None,
    classes: Iterable[str] | None = None,
    recipe: Recipe | None = None,
    proof: float | None = None,
    people: bool | None = None,
    input_range: tuple[float, float] | None = None,
    random_draws: int | None = None,
    name: str | None = None,
) -> Subject:
    """Return the subject of a live model and its data.

    Parameters
    ----------
    model : nn.Module, estimator or callable, optional
        None: a default model is trained. A class of modules is trained by the recipe.
    weights : path or mapping of name to tensor, optional
        Trained weights of a class of modules, or of a function that builds a module.
    train, validation, test : data, optional
        Tables with a target column, (inputs, target) pairs, DataLoaders, Datasets, or files. Inputs of a pair that
        do not fit in memory may be a `numpy.memmap` or a `ParquetRows`: they are read batch by batch and never copied.
        As with arrays in memory, rows of up to 256 numbers are a table, wider ones and images an array.
    data : data, optional
        Rows that are not yet divided, or a table with a split column.
    unlabelled : table, array of inputs, DataLoader or file, optional
        Rows without a target, in the form of the others; remedies such as pseudo-labels and pretraining learn from them.
    target, entity, time, source, id, weight, split : str, optional
        Names of columns.
    sensitive, drop : str or names of columns
    positive : str, int or bool, optional
        The class whose detection matters.
    task : str, optional
        None: seen from the target.
    classes : names, optional
        Of the classes 0, 1, ... where the target of arrays holds codes.
    recipe : Recipe, optional
        How the model was trained; what must train again needs it.
    proof : float, optional
        Share of test rows to seal.
    people : bool, optional
        Whether rows are persons.
    input_range : (float, float), optional
        Least and greatest value of an element of array inputs.
    random_draws : int, optional
        The model draws random numbers when it answers: its answer is the mean probability over so many draws (16 is
        usual), seeded by the content of a row.
    name : str, optional
        For reports.
    """
    taken = (
        model_from_object(model, recipe)
        if weights is None
        else model_with_weights(model, weights, recipe)
    )
    taken = replace(taken, random_draws=random_draws)
    options = DataOptions(
        roles=Roles(
            target=target,
            sensitive=_names(sensitive),
            entity=entity,
            time=time,
            source=source,
            id=id,
            weight=weight,
            dropped=_names(drop),
        ),
        split=split,
        positive=None if positive is None else str(positive),
        task=task,
        proof=proof,
        people=people,
        input_range=input_range,
        model_is_trained=taken.is_trained,
    )
    given = {"train": train, "validation": validation, "test": test, UNDIVIDED: data}
    given = {split_name: value for split_name, value in given.items() if value is not None}
    _require_data(given)
    names = None if classes is None else tuple(classes)
    subject = subject_of_data(given, options, names, unlabelled=unlabelled)
    if name is not None:
        subject = replace(subject, name=name)
    return with_model(subject, taken)


def _names(names: str | Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _require_data(given: Mapping[str, Data]) -> None:
    if not given:
        raise UserError(
            "No data to audit. Give train=... and test=... (tables with target='column', "
            "(inputs, target) pairs or DataLoaders), or data=... for rows that are not divided."
        )
    if UNDIVIDED in given and len(given) > 1:
        raise UserError(
            "data=... holds rows that are not divided; give it alone, or train, validation and test."
        )


def subject_of_data(
    given: Mapping[str, Data],
    options: DataOptions,
    classes: tuple[str, ...] | None = None,
    *,
    unlabelled: Data = None,
) -> Subject:
    """Return the subject of the data of each split (or of "all" rows) and of rows without a target, without a model."""
    if set(given) == {"train"} and not options.model_is_trained:
        given = {UNDIVIDED: given["train"]}  # nobody has seen these rows: they can be divided
    if set(given) == {UNDIVIDED} and isinstance(given[UNDIVIDED], str | Path):
        from roadworthy.subject.readers import subject_from_file

        return subject_from_file(given[UNDIVIDED], options, unlabelled)
    tables: dict[str, LiveTable] = {}
    parts: dict[str, Part] = {}
    notes: list[str] = []
    target = options.roles.target or "target"
    for split, value in given.items():
        if is_loader(value):
            loaded = read_loader(value, split)
            parts[split] = loaded.part
            notes += loaded.notes
        elif isinstance(value, tuple | list) and len(value) == 2 and not is_table_like(value[0]):
            parts[split] = Part(as_array(value[0]), as_array(value[1]))
        else:
            tables[split] = live_table(value, split, target, options.reading)
    if tables and parts:
        raise UserError(
            f"Some splits are tables ({', '.join(tables)}) and others arrays ({', '.join(parts)}). "
            "Give all of them in one form."
        )
    if parts and unlabelled is not None:
        others = part_of(unlabelled)
        parts[UNLABELLED] = others.part
        notes += others.notes
    if parts:
        return subject_from_arrays(
            parts, options, name="arrays", class_names=classes, notes=tuple(notes)
        )
    return _from_tables(tables, options, target, unlabelled)


def _from_tables(
    tables: Mapping[str, LiveTable], options: DataOptions, target: str, unlabelled: Data
) -> Subject:
    table, names = stacked(tables, options.reading)
    roles = options.roles
    if roles.target is None and target in table.columns:
        options = replace(options, roles=replace(roles, target=target))
    others = None if unlabelled is None else table_of(unlabelled, options)
    marks = None if set(tables) == {UNDIVIDED} else np.array(names)
    return subject_from_table(table, options, split_names=marks, unlabelled=others)
