"""The fields of a subject: the roots of the graph that artifacts and checks are computed from."""

from typing import Any

import numpy as np

from roadworthy.engine.missing import Missing
from roadworthy.subject.columns import Attribute
from roadworthy.subject.subject import Split, Subject

SPLITS = ("train", "validation", "test", "production", "unlabelled")
"""The splits that checks see; `proof` is none of them."""
FILES = ("train", "validation", "test")
"""Those of them that may come as a file of their own."""

SPLIT_FIELDS = (
    "inputs",
    "labels",
    "targets",
    "entities",
    "times",
    "sources",
    "sensitive",
    "source_rows",
    "row_weights",
    "row_groups",
)
PURPOSE = (
    "accuracy",
    "prevalence",
    "label_price",
    "label_minutes",
    "currency",
    "smallest_group",
    "latency_ms",
)
"""Answers about the purpose, which the subject does not know; an audit puts those that were given here."""

RECORDED = {
    "probabilities": ("probabilities", "--proba COLUMNS"),
    "scores": ("scores", "--score COLUMN"),
    "predicted": ("decisions", "--predicted COLUMN"),
}

NO_RULE = "no rule of abstaining or of giving several classes is set; the most probable class is the answer"
NO_MODEL_CALLS = "predictions were given instead of a model"
NO_RANGE = (
    "the range of the input values is not stated, so the size of a perturbation means nothing; give it with "
    "--input-range LOW,HIGH"
)
NO_COMMON_RANGE = "this is for arrays, whose values have one range in common; each column of a table has a range of its own"
GIVE_MODEL = "give a model with --model FILE_OR_FACTORY and its data with --data"
NO_INPUTS = (
    "predictions were given without the inputs they are of; give the data with --data, and the model "
    "with --model"
)
BLACK_BOX = (
    "the model is a black box; give its architecture as a Python factory (--model module:function)"
)

Fields = dict[str, Any]  # Any: a field may hold whatever an artifact takes


def fields_of(subject: Subject) -> Fields:
    """Return every field by name, `Missing` with the way to give it where there is none.

    Fields that an artifact can make (`network`, `recipe`, `weights`, `predictor`, predictions) are
    left out where the artifact should make them. The sealed proof rows are never among them.
    """
    fields: Fields = {
        "task": subject.task,
        "modality": subject.modality,
        "roles": subject.roles,
        "people": subject.people,
        "device": "cpu",
        "input_range": _input_range(subject),
        "decision_rule": subject.decision_rule or Missing("not_applicable", NO_RULE),
        **{
            name: Missing(
                "missing_input", f"{name} is not answered in [purpose] of roadworthy.toml"
            )
            for name in PURPOSE
        },
        "columns": subject.columns
        or Missing("not_applicable", "the inputs are no table, so they have no named columns"),
    }
    fields |= _model_fields(subject)
    entities = _entities(subject)
    sources = _sources(subject)
    for name in SPLITS:
        split = subject.splits.get(name)
        if split is None:
            fields |= _absent(name, subject)
            continue
        fields |= _data_fields(name, split, subject)
        fields[f"{name}_entities"] = entities[name] if entities else _no_role("entity")
        fields[f"{name}_sources"] = sources[name] if sources else _no_role("source")
    return fields | dict(subject.given)


def _input_range(subject: Subject) -> Any:  # Any: two numbers or Missing
    if subject.modality == "table":
        return Missing("not_applicable", NO_COMMON_RANGE)
    return subject.input_range or Missing("missing_input", NO_RANGE)


def _model_fields(subject: Subject) -> Fields:
    if subject.modality == "predictions":
        reason = f"{NO_MODEL_CALLS}; {GIVE_MODEL}"
        fields: Fields = {n: Missing("missing_input", reason) for n in _MODEL}
        return fields | {"recipe": Missing("missing_recipe", reason)}
    fields = {}
    if subject.predictor is not None:
        fields["predictor"] = subject.predictor
        missing = Missing("missing_input", BLACK_BOX)
        fields["network"] = subject.network or missing
        fields["weights"] = subject.weights or missing
    else:
        if subject.network is not None:
            fields["network"] = subject.network
        if subject.weights is not None:
            fields["weights"] = subject.weights
    trained = subject.predictor is not None or subject.weights is not None
    if subject.recipe is not None:
        fields["recipe"] = subject.recipe
    elif trained:
        fields["recipe"] = Missing(
            "missing_recipe",
            "how the model was trained is not known; give a Recipe in a subject.py",
        )
    return fields


_MODEL = ("network", "weights", "predictor")


def _data_fields(name: str, split: Split, subject: Subject) -> Fields:
    fields: Fields = {f"{name}_source_rows": split.source_rows}
    fields[f"{name}_row_weights"] = (
        Missing("not_applicable", f"all {name} rows count alike")
        if split.row_weights is None
        else split.row_weights
    )
    fields[f"{name}_row_groups"] = (
        Missing("not_applicable", f"no training looks at the groups of {name} rows")
        if split.row_groups is None
        else split.row_groups
    )
    fields[f"{name}_inputs"] = (
        Missing("missing_input", NO_INPUTS) if split.inputs is None else split.inputs
    )
    fields[f"{name}_labels"], fields[f"{name}_targets"] = _targets(name, split, subject)
    time = split.attributes.get(subject.roles.time or "")
    fields[f"{name}_times"] = time.values if time else _no_role("time")
    sensitive = {c: split.attributes[c] for c in subject.roles.sensitive if c in split.attributes}
    fields[f"{name}_sensitive"] = sensitive or _no_role("sensitive")
    return fields | _recorded(name, split, subject)


def _targets(name: str, split: Split, subject: Subject) -> tuple[Any, Any]:
    kind = subject.task.kind
    if subject.task.is_classification:
        absent = Missing("not_applicable", f"the target is a class ({kind}), not a number")
    else:
        absent = Missing("not_applicable", "the target is a number (regression), not a class")
    present: Any = split.target  # Any: an array or Missing
    if present is None:
        present = Missing(
            "missing_input", f"the {name} rows have no target; give one with --target COLUMN"
        )
    return (present, absent) if subject.task.is_classification else (absent, present)


def _recorded(name: str, split: Split, subject: Subject) -> Fields:
    fields: Fields = {f"{name}_{kind}": values for kind, values in split.recorded.items()}
    if subject.modality != "predictions" or "probabilities" in split.recorded:
        return fields
    for kind, (words, option) in RECORDED.items():
        if kind not in split.recorded:
            reason = f"the recorded predictions hold no {words}; give them with {option}"
            fields[f"{name}_{kind}"] = Missing("missing_input", reason)
    return fields


def _absent(name: str, subject: Subject) -> Fields:
    recorded = subject.modality == "predictions"
    found = f"recorded predictions of {name} rows" if recorded else f"{name} rows"
    missing = Missing("missing_input", f"there are no {found}; {_way_to_give(name, subject)}")
    fields: Fields = {f"{name}_{field}": missing for field in SPLIT_FIELDS}
    if recorded:
        fields |= {f"{name}_{kind}": missing for kind in RECORDED}
        fields[f"{name}_inputs"] = Missing("missing_input", NO_INPUTS)
    other = "targets" if subject.task.is_classification else "labels"
    fields[f"{name}_{other}"] = Missing(
        "not_applicable", f"the task is {subject.task.kind}, which has no {other}"
    )
    return fields


def _way_to_give(name: str, subject: Subject) -> str:
    if name == "unlabelled":
        return (
            "give them with --unlabelled FILE, or as subject_from(unlabelled=...) in a subject.py"
        )
    if subject.modality == "array" and name in FILES:
        return f"give them as subject_from({name}=...) in a subject.py, or as x_{name} and y_{name} of an npz file"
    is_file = name in FILES and subject.modality != "predictions"
    way_out = f"give them with --{name} FILE" if is_file else "add them"
    return f"{way_out}, or mark them as {name} in a column and name it with --split COLUMN"


def _no_role(role: str) -> Missing:
    said = {
        "entity": "no column says which person or device a row belongs to; name one with --entity COLUMN",
        "time": "no column says when a row was recorded; name one with --time COLUMN",
        "source": "no column says where a row was recorded; name one with --source COLUMN",
        "sensitive": "no sensitive attribute is named; name some with --sensitive COLUMN,COLUMN",
    }
    return Missing("missing_input", said[role])


def _entities(subject: Subject) -> dict[str, np.ndarray]:
    """Codes per split; a row whose entity is not known is an entity of its own."""
    codes = _common_codes(subject, subject.roles.entity)
    following = max((int(c.max(initial=-1)) for c in codes.values()), default=-1) + 1
    for name, values in codes.items():
        unknown = values < 0
        own = np.arange(following, following + int(unknown.sum()))
        following += len(own)
        codes[name] = values.copy()
        codes[name][unknown] = own
    return codes


def _sources(subject: Subject) -> dict[str, np.ndarray]:
    return _common_codes(subject, subject.roles.source or subject.roles.domain)


def _common_codes(subject: Subject, column: str | None) -> dict[str, np.ndarray]:
    """Return int64 codes that mean the same in every split; empty where a split lacks the column."""
    attributes = {
        name: subject.splits[name].attributes.get(column or "")
        for name in SPLITS
        if name in subject.splits
    }
    present = {name: a for name, a in attributes.items() if a is not None}
    if len(present) < len(attributes) or not present:
        return {}
    names = {a.names for a in present.values()}
    if len(names) == 1 and names != {()}:
        return {name: a.values.astype(np.int64) for name, a in present.items()}
    spelled = {name: _spelled(a, as_text=names != {()}) for name, a in present.items()}
    distinct = np.unique(np.concatenate(list(spelled.values())))
    codes = {name: np.searchsorted(distinct, values) for name, values in spelled.items()}
    return {
        name: np.where(_is_missing(present[name]), -1, values) for name, values in codes.items()
    }


def _spelled(attribute: Attribute, *, as_text: bool) -> np.ndarray:
    if attribute.names:
        return np.array([*attribute.names, ""], np.str_)[attribute.values]
    return attribute.values.astype(np.str_) if as_text else attribute.values


def _is_missing(attribute: Attribute) -> np.ndarray:
    if attribute.values.dtype.kind == "f":
        return np.isnan(attribute.values)
    return attribute.values < 0
