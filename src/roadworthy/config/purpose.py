"""From the purpose to bounds: what each answer demands, with where it came from."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from roadworthy.config.sections import FILE_NAME, Bound, Config, PurposeSection
from roadworthy.errors import UserError
from roadworthy.results import Requirement


@dataclass(frozen=True)
class Rule:
    """What one answer demands of one check, if there is such a check."""

    answer: str
    check: str
    bound: Callable[[float], float]
    says: str
    direction: Literal["at_most", "at_least"] = "at_most"


# A check named here need not exist: rooms come and go, answers stay.
RULES = (
    Rule("accuracy", "error_rate", lambda a: round(1.0 - a, 12), "accuracy needed {answer:g}"),
    Rule("accuracy", "wrong_decisions", lambda a: round(1.0 - a, 12), "accuracy needed {answer:g}"),
    Rule("latency_ms", "latency", lambda t: t, "one answer within {answer:g} ms"),
)


def requirements_of(
    config: Config,
    requirements: Mapping[str, Requirement | None],
    origin: Mapping[str, str] | None = None,
) -> dict[str, Requirement]:
    """Return the requirements that take the place of the checks' own.

    A bound written under [requirements] goes before one that follows from the purpose. The side of
    the bound that is good stays that of the check.

    Parameters
    ----------
    config : Config
    requirements : mapping of check name to its own Requirement, or None for a note
    origin : mapping of "section.key" to str, optional
        Where each setting came from (`Settings.origin`), for the source; else roadworthy.toml.

    Raises
    ------
    UserError
        Where a bound is set for a check that only notes.

    Examples
    --------
    >>> own = {"error_rate": Requirement("at_most", 0.2, "house default")}
    >>> config = Config(purpose=PurposeSection(accuracy=0.9))
    >>> requirements_of(config, own)["error_rate"].source
    'roadworthy.toml: accuracy needed 0.9'
    """
    found: dict[str, Requirement] = {}
    for rule in RULES:
        answer = getattr(config.purpose, rule.answer)
        if answer is not None and rule.check in requirements:
            origin_of = _origin(origin, f"purpose.{rule.answer}")
            source = f"{origin_of}: {rule.says.format(answer=answer)}"
            found[rule.check] = Requirement(rule.direction, rule.bound(answer), source)
    for check, override in config.requirements.items():
        if check not in requirements:
            continue
        own, origin_of = requirements[check], _origin(origin, f"requirements.{check}")
        if own is None:
            raise UserError(
                f"{origin_of}: [requirements] sets a bound for {check}, which only notes what it finds and "
                "is never judged. Leave the line out."
            )
        found[check] = Requirement(own.direction, override.bound, _source(override, origin_of))
    return found


def purpose_fields(purpose: PurposeSection) -> dict[str, object]:
    """Return the answers that checks may ask for by name; those not given are absent."""
    names = (
        "accuracy",
        "prevalence",
        "label_price",
        "label_minutes",
        "currency",
        "smallest_group",
        "latency_ms",
    )
    return {name: value for name in names if (value := getattr(purpose, name)) is not None}


def purpose_words(purpose: PurposeSection) -> dict[str, str]:
    """Return the answers as they stand in a report.

    Examples
    --------
    >>> purpose_words(PurposeSection(prevalence=0.02, decides="who is called back"))
    {'decides': 'who is called back', 'prevalence': '0.02'}
    """
    answers = purpose.model_dump(exclude_none=True)
    return {name: f"{v:g}" if isinstance(v, float) else str(v) for name, v in answers.items()}


def purpose_key(config: Config) -> str:
    """Return the SHA-256 of purpose and requirements: proof of what was fixed before measuring.

    The order of keys, the layout of the file and the other sections do not enter.
    """
    canonical = {
        "purpose": config.purpose.model_dump(exclude_none=True),
        "requirements": {
            name: bound.model_dump(exclude_none=True) for name, bound in config.requirements.items()
        },
    }
    if config.options:  # how hard a model is attacked is part of what was fixed
        canonical["options"] = {name: dict(chosen) for name, chosen in config.options.items()}
    text = json.dumps(canonical, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _source(override: Bound, origin: str) -> str:
    return f"{origin}: {override.source}" if override.source else origin


def _origin(origin: Mapping[str, str] | None, key: str) -> str:
    return (origin or {}).get(key, FILE_NAME)
