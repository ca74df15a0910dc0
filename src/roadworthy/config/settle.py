"""Settings in force: the command line goes before roadworthy.toml, which goes before the defaults."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from roadworthy.config.duration import parse_duration
from roadworthy.config.profiles import PROFILES, Profile
from roadworthy.config.read import Problem, problems_of
from roadworthy.config.sections import (
    AuditSection,
    Bound,
    ChecksSection,
    Config,
    PurposeSection,
    SubjectSection,
)
from roadworthy.errors import UserError

Origin = Literal["command line", "roadworthy.toml", "default"]
Overrides = Mapping[str, Mapping[str, object]]

_PATHS = {
    "subject": ("data", "unlabelled", "weights", "predictions", "reviewed"),
    "audit": ("out", "store"),
}
REPLACED = {
    "data": ("unlabelled", "predictions", "probabilities", "score", "predicted"),
    "predictions": (
        *("data", "split", "unlabelled", "input_range", "proof"),
        *("model", "weights", "random_draws", "trust"),
    ),
}
"""Keys of a subject in place of which another source of data comes; from the command line it sets aside those of the file."""

_FLAGS = {"probabilities": "proba"}


@dataclass(frozen=True)
class Settings:
    """What is in force, and where each setting came from.

    Parameters
    ----------
    config : Config
        Paths from the file are anchored at its folder.
    origin : mapping of "section.key" to Origin
        Of every key that is not a default.
    """

    config: Config
    origin: Mapping[str, Origin]

    @property
    def subject(self) -> SubjectSection:
        """What is audited."""
        return self.config.subject

    @property
    def purpose(self) -> PurposeSection:
        """What it is for."""
        return self.config.purpose

    @property
    def requirements(self) -> Mapping[str, Bound]:
        """Bounds in place of the checks' own."""
        return self.config.requirements

    @property
    def checks(self) -> ChecksSection:
        """Which checks run."""
        return self.config.checks

    @property
    def audit(self) -> AuditSection:
        """How thoroughly, with what, where to."""
        return self.config.audit

    @property
    def profile(self) -> Profile:
        """The chosen profile."""
        return PROFILES[self.config.audit.profile]

    @property
    def budget(self) -> float | None:
        """Seconds to spend; None for no limit."""
        written = self.config.audit.budget
        return None if written is None else parse_duration(written)

    def origin_of(self, section: str, key: str) -> Origin:
        """Return where a setting came from."""
        return self.origin.get(f"{section}.{key}", "default")


def settle(
    file: Config | None, overrides: Overrides | None = None, folder: Path | None = None
) -> Settings:
    """Return the settings in force.

    Parameters
    ----------
    file : Config, optional
        What roadworthy.toml says.
    overrides : mapping of section to mapping of key to value, optional
        What the command line says; None as a value: not said.
    folder : Path, optional
        Where the file lies: its relative paths start there. Those of the command line start where
        the command was given.

    Raises
    ------
    UserError
        Where an override is unknown or has a wrong value.

    Examples
    --------
    >>> file = Config(audit=AuditSection(seed=1, profile="full"))
    >>> settings = settle(file, {"audit": {"seed": 2, "budget": None}})
    >>> settings.audit.seed, settings.audit.profile, settings.audit.device
    (2, 'full', 'cpu')
    >>> settings.origin_of("audit", "seed"), settings.origin_of("audit", "device")
    ('command line', 'default')
    """
    written = {} if file is None else _written(file, folder)
    said = {
        section: {key: value for key, value in keys.items() if value is not None}
        for section, keys in (overrides or {}).items()
    }
    problems = problems_of({name: keys for name, keys in said.items() if keys})
    if problems:
        raise UserError("\n".join(_on_command_line(problem) for problem in problems))
    for given, replaced in REPLACED.items():
        if given in said.get("subject", {}):
            for key in replaced:
                written.get("subject", {}).pop(key, None)
    names = (*written, *(name for name in said if name not in written))
    merged = {name: {**written.get(name, {}), **said.get(name, {})} for name in names}
    merged["options"] = _both(written.get("options", {}), said.get("options", {}))
    origin: dict[str, Origin] = {
        f"{section}.{key}": "command line" if key in said.get(section, {}) else "roadworthy.toml"
        for section, keys in merged.items()
        for key in keys
    }
    return Settings(Config.model_validate(merged), origin)


def _both(
    written: Mapping[str, Any],  # Any: options by name
    said: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the options of each check or artifact, those of the command line before those of the file."""
    return {name: {**written.get(name, {}), **said.get(name, {})} for name in {**written, **said}}


def _on_command_line(problem: Problem) -> str:
    if problem.names_itself:
        return f"command line: {problem.wrong}"
    if problem.path[0] == "options":
        return f"--set {'.'.join(problem.path[1:])} {problem.wrong}"
    return f"{flag_of(problem.path[-1])} {problem.wrong}"


def flag_of(key: str) -> str:
    """Return how the command line spells a key of the file."""
    return "--" + _FLAGS.get(key, key.replace("_", "-"))


def _written(file: Config, folder: Path | None) -> dict[str, dict[str, Any]]:  # Any: field values
    """Return the keys that the file sets, its paths anchored."""
    found: dict[str, dict[str, Any]] = {}
    for section in Config.model_fields:
        values = getattr(file, section)
        if isinstance(values, Mapping):
            found[section] = dict(values)
        else:
            found[section] = {key: getattr(values, key) for key in values.model_fields_set}
    if folder is not None:
        for section, keys in _PATHS.items():
            for key in keys:
                if found[section].get(key) is not None:
                    found[section][key] = str(folder / found[section][key])
        subject = found["subject"]
        if not isinstance(subject.get("split"), str | None):
            files = subject["split"].model_dump(exclude_none=True)
            subject["split"] = {name: str(folder / path) for name, path in files.items()}
        if subject.get("model") is not None:
            subject["model"] = _anchored_model(subject["model"], folder)
    return found


def _anchored_model(model: str, folder: Path) -> str:
    """Anchor a file of a model, and file.py:function; leave module:function as it is."""
    file, colon, function = model.rpartition(":")
    if colon and not file.endswith(".py"):
        return model
    return str(folder / (file if colon else model)) + colon + (function if colon else "")
