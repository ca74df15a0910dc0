"""Whether a subject that somebody put together by hand holds together."""

import numpy as np

from roadworthy.subject.problems import Problems, listed, rows_named
from roadworthy.subject.recipe_validity import problems_of
from roadworthy.subject.subject import Split, Subject


def require_valid(subject: Subject) -> Subject:
    """Return the subject, or raise with everything that contradicts itself in it.

    Raises
    ------
    UserError
        Naming the split and the array, the shapes found and those expected.
    """
    problems = Problems(f"subject {subject.name}")
    task = subject.task
    if task.is_classification and len(task.classes) < 2:
        problems.add(
            f"a {task.kind} task needs two classes or more; Task.classes is {task.classes}"
        )
    if task.positive is not None and not 0 <= task.positive < len(task.classes):
        problems.add(f"Task.positive is {task.positive}, and there are {len(task.classes)} classes")
    if not subject.splits:
        problems.add("there are no splits; give at least a test Split")
    if subject.recipe is not None:
        for problem in problems_of(subject.recipe):
            problems.add(problem)
    for name, split in subject.splits.items():
        _check(name, split, subject, problems)
    named = {*subject.roles.sensitive, subject.roles.entity, subject.roles.time} - {None}
    for column in sorted(str(n) for n in named):
        lacking = [name for name, s in subject.splits.items() if column not in s.attributes]
        if lacking:
            problems.add(f'"{column}" has a role, and {listed(lacking)} lacks its Attribute')
    problems.raise_if_any()
    return subject


def _check(name: str, split: Split, subject: Subject, problems: Problems) -> None:
    sized: dict[str, np.ndarray | None] = {
        "inputs": split.inputs,
        "target": split.target,
        "row_groups": split.row_groups,
    }
    sized |= {f"attribute {n}": a.values for n, a in split.attributes.items()}
    sized |= {f"recorded {n}": values for n, values in split.recorded.items()}
    for what, values in sized.items():
        if values is not None and len(values) != split.n:
            problems.add(f"{what} of {name} has {len(values)} rows, and the split has {split.n}")
    if split.n == 0:
        problems.add(f"{name} has no rows; leave the split out")
    columns = subject.columns
    if columns and split.inputs is not None and split.inputs.shape[1:] != (len(columns),):
        problems.add(
            f"inputs of {name} have shape {split.inputs.shape}, and {len(columns)} columns are named"
        )
    if split.target is not None:
        _check_target(name, split.target, subject, problems)


def _check_target(name: str, target: np.ndarray, subject: Subject, problems: Problems) -> None:
    c = len(subject.task.classes)
    if target.ndim != 1:
        problems.add(
            f"the target of {name} has shape {target.shape}; ({len(target)},) was expected"
        )
        return
    if not subject.task.is_classification:
        bad = np.flatnonzero(~np.isfinite(target.astype(float)))
        if len(bad):
            problems.add(f"the target of {name} is not finite in {rows_named(bad)}")
        return
    if target.dtype.kind not in "iu":
        problems.add(
            f"the target of {name} is {target.dtype}; whole numbers were expected, the codes of the "
            f"classes {listed(subject.task.classes, 5)}"
        )
        return
    bad = np.flatnonzero((target < 0) | (target >= c))
    if len(bad):
        problems.add(
            f"the target of {name} holds {target[bad[0]]} ({rows_named(bad)}), and codes run from 0 "
            f"to {c - 1} for {c} classes"
        )
