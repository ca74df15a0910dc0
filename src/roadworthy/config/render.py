"""Writing roadworthy.toml: every key with what it means, in plain words."""

import json
import re
import textwrap
from collections.abc import Mapping

from pydantic import BaseModel

from roadworthy.config.sections import Bound, Config

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_OPENING = """\
# What is audited, what it is for, and how thoroughly. `roadworthy audit` in this folder reads it.
# A line that begins with "#" is not in force: it shows the default or an example.
"""
_SECTIONS = {
    "subject": "What is audited: the data, the part each column plays, and the model.",
    "purpose": "What the model is for. Bounds follow from the answers: answer before you see results.",
    "requirements": "Bounds of your own in place of a check's default; `roadworthy describe CHECK` shows it.",
    "options": "Options of checks and of what they are computed from; `roadworthy describe NAME` shows them.",
    "checks": "Which checks run: names of checks or of whole challenges, see `roadworthy list`.",
    "audit": "How thoroughly, with which resources, and where results go.",
}
_EXAMPLES: Mapping[str, object] = {
    "data": "data.parquet",
    "split": "split",
    "unlabelled": "unlabelled.parquet",
    "target": "label",
    "task": "binary",
    "positive": "1",
    "entity": "patient",
    "time": "admitted",
    "id": "row",
    "domain": "hospital",
    "source": "scanner",
    "weight": "weight",
    "consent": "consent",
    "people": True,
    "model": "model.py:build",
    "weights": "model.safetensors",
    "random_draws": 16,
    "predictions": "predictions.csv",
    "score": "score",
    "predicted": "predicted",
    "reviewed": "review.csv",
    "input_range": (0, 255),
    "decimal": ",",
    "delimiter": ";",
    "encoding": "cp1252",
    "proof": 0.2,
    "decides": "who is called in for a second scan",
    "harmed_by": "the ill, by a missed case",
    "prevalence": 0.02,
    "accuracy": 0.9,
    "latency_ms": 100.0,
    "hardware": "2 CPU cores, 4 GB",
    "label_price": 2.5,
    "currency": "EUR",
    "label_minutes": 2.0,
    "law": "EU AI Act, high risk",
    "smallest_group": 30,
    "budget": "10m",
    "out": "roadworthy-runs",
    "store": ".roadworthy",
}


def render_toml(config: Config) -> str:
    """Return the file that reads back as this configuration, with a comment on every key.

    Examples
    --------
    >>> from roadworthy.config.read import parse_config
    >>> parse_config(render_toml(Config())) == Config()
    True
    """
    parts = [_OPENING]
    for name in Config.model_fields:
        section = getattr(config, name)
        parts.append(f"\n# {_SECTIONS[name]}\n[{name}]\n")
        if isinstance(section, BaseModel):
            parts.append(_keys(section))
        elif name == "options":
            parts.append(_options(section))
        else:
            parts.append(_bounds(section))
    return "".join(parts)


def _keys(section: BaseModel) -> str:
    lines: list[str] = []
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        lines += textwrap.wrap(
            field.description or "", 96, initial_indent="# ", subsequent_indent="# "
        )
        if value == field.default:
            shown = _EXAMPLES.get(name, value) if value is None else value
            lines.append(f"# {name} = {_value(shown)}")
        else:
            lines.append(f"{name} = {_value(value)}")
    return "\n".join(lines) + "\n"


def _bounds(bounds: Mapping[str, Bound]) -> str:
    if not bounds:
        return '# calibration_error = { bound = 0.03, source = "agreed with the clinic" }\n'
    lines: list[str] = []
    for check, bound in bounds.items():
        shown = _value(bound.bound if bound.source is None else bound)
        lines.append(f"{_key(check)} = {shown}")
    return "\n".join(lines) + "\n"


def _options(options: Mapping[str, Mapping[str, object]]) -> str:
    if not options:
        return "# attack_threat = { eps = 0.03 }\n"
    return "".join(f"{_key(name)} = {_table(chosen)}\n" for name, chosen in options.items())


def _table(values: Mapping[str, object]) -> str:
    return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in values.items()) + " }"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, BaseModel):
        return _table(value.model_dump(exclude_none=True))
    # JSON's escapes are TOML's; only DEL may not stand as it is.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)
