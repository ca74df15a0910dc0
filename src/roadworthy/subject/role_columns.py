"""Columns in their roles: which are named, which exist, what they say of the rows."""

import numpy as np

from roadworthy.subject.columns import Attribute, Roles
from roadworthy.subject.divide import names_splits
from roadworthy.subject.options import DataOptions
from roadworthy.subject.problems import Problems, listed, nearest
from roadworthy.subject.table import ReadColumn, Table
from roadworthy.subject.target import Target, target_of

BESIDE = ("entity", "time", "id", "domain", "source", "weight", "consent")
"""Roles whose column is kept beside the inputs; a sensitive column stays an input as well."""

MOST_NUMERIC_GROUPS = 10


def checked_roles(table: Table, options: DataOptions, problems: Problems) -> Roles:
    """Return the roles, every name that is no column added to `problems`."""
    roles = options.roles
    asked = [("--target", roles.target)]
    asked += [("--sensitive", name) for name in roles.sensitive]
    asked += [("--drop", name) for name in roles.dropped]
    asked += [(f"--{role}", getattr(roles, role)) for role in BESIDE]
    for option, name in asked:
        if name is not None and name not in table.columns:
            problems.add(f'no column "{name}" ({option}).{nearest(name, table.columns)}')
    if roles.target is None:
        problems.add(
            f"no target is named; name one with --target. There are: {listed(table.columns)}."
        )
        return roles
    for option, name in asked[1:]:
        if name == roles.target:
            problems.add(f'column "{name}" cannot be --target and {option} at once')
    return roles


def split_column_of(table: Table, options: DataOptions, problems: Problems) -> str | None:
    """Return the column that marks splits: the named one, or one that is called "split" and does."""
    if options.split is not None:
        if options.split not in table.columns:
            near = nearest(options.split, table.columns)
            problems.add(f'no column "{options.split}" (--split).{near}')
            return None
        return options.split
    column = table.columns.get("split")
    if column is not None and options.roles.target != "split" and names_splits(column):
        return "split"
    return None


def target_in(
    table: Table, roles: Roles, options: DataOptions, problems: Problems
) -> Target | None:
    """Return the task and the target of each row, or None with the reasons added to `problems`."""
    assert roles.target is not None
    column = table.columns[roles.target]
    if column.kind == "unreadable":
        problems.add(f"{column.notes[0]}; name another column with --target")
        return None
    return target_of(column, problems, positive=options.positive, kind=options.task)


def attributes_of(table: Table, roles: Roles) -> dict[str, Attribute]:
    """Return what describes the rows: sensitive attributes and the columns beside the inputs."""
    named = {name: _grouped(table.columns[name]) for name in roles.sensitive}
    for role in BESIDE:
        name = getattr(roles, role)
        if name is None:
            continue
        column = table.columns[name]
        named[name] = column if role in ("time", "weight") else column.as_category()
    return {name: Attribute(c.values, c.categories) for name, c in named.items()}


def notes_on_groups(table: Table, roles: Roles, target: Target) -> tuple[str, ...]:
    """Say of sensitive columns that compare nobody, or the classes with themselves, that they do."""
    said: list[str] = []
    for name in roles.sensitive:
        column = _grouped(table.columns[name])
        if column.values.dtype.kind == "f":  # many numbers, which are cut into groups later
            continue
        known = column.values >= 0
        groups = np.unique(column.values[known])
        if len(groups) == 0:
            said.append(f'nobody\'s group is known in "{name}": nothing is compared by it')
        elif len(groups) == 1:
            only = column.categories[int(groups[0])]
            unknown = f", {int((~known).sum()):,} are not known" if not known.all() else ""
            said.append(
                f'in "{name}" all rows are of one group ("{only}"{unknown}): nothing is compared by it'
            )
        elif _says_the_same(column.values[known], target.values[known]):
            said.append(
                f'"{name}" says the same as the target in every row: by it classes are compared with each other, '
                "and no gap means anything; name another column as sensitive"
            )
    return tuple(said)


def _says_the_same(groups: np.ndarray, target: np.ndarray) -> bool:
    """Whether each group has one class and each class one group."""
    if target.dtype.kind == "f":
        return False
    pairs = len(np.unique(np.stack([groups, target]), axis=1).T)
    return pairs == len(np.unique(groups)) == len(np.unique(target))


def _grouped(column: ReadColumn) -> ReadColumn:
    """Return a sensitive column with few values as groups; many numbers (an age) stay numbers."""
    few = column.kind == "numeric" and column.distinct <= MOST_NUMERIC_GROUPS
    return column.as_category() if few else column


def are_people(roles: Roles, options: DataOptions) -> bool:
    """Whether rows are persons: as said, else where there is a sensitive attribute or an entity."""
    return bool(roles.sensitive or roles.entity) if options.people is None else options.people
