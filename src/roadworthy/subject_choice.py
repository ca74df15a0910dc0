"""Which subject an audit is of: a built-in name, a Python file, or what the settings describe."""

import inspect
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from roadworthy import config
from roadworthy.config import Settings, SplitFiles, SubjectSection
from roadworthy.errors import UserError
from roadworthy.subject import BUILTIN, Roles, Subject, subject_from
from roadworthy.subject.arrays import with_input_range
from roadworthy.subject.intake import model_from_file, with_model
from roadworthy.subject.options import DataOptions
from roadworthy.subject.predictions import PredictionColumns, subject_from_predictions
from roadworthy.subject.python_file import load_subject, require_subject
from roadworthy.subject.readers import subject_from_file
from roadworthy.subject.reading import Reading
from roadworthy.subject.saved import is_saved

RECORDED = ("probabilities", "score", "predicted")
BESIDE_A_NAME = ("input_range", "reviewed", "trust")

NOTHING = (
    "Nothing to audit: no subject, no --data (nor --train and --test), no --predictions, and no roadworthy.toml in this "
    "folder. Try `roadworthy audit digits`, or `roadworthy init DATA` to begin with your own data."
)


def settled(
    named: str | None,
    sections: Mapping[str, Mapping[str, object]],
    checks: Collection[str] | None = None,
) -> Settings:
    """Return the settings of the command line and of this folder's roadworthy.toml, if any.

    The file holds for a subject that the command line names too, unless it has a subject of its own.
    `checks` are the names of checks and challenges that exist; others are then refused, with their line.
    """
    path = Path(config.FILE_NAME)
    given = sections.get("subject", {})
    said = {key for key, value in given.items() if value not in (None, ())}
    has_files = isinstance(given.get("split"), Mapping)
    elsewhere = named is not None or has_files or said & {"data", "predictions"}
    file = config.read_config(path, None if elsewhere else checks) if path.is_file() else None
    # A file that describes another subject must not lend its roles, purpose and bounds to the one that was named,
    # nor stop it by the checks of that subject's plugins.
    if file is not None and elsewhere:
        holds = file.subject == SubjectSection()
        file = config.read_config(path, checks) if holds else None
    return config.settle(file, sections, folder=path.parent)


def chosen_subject(named: str | None, settings: Settings) -> Subject:
    """Return the subject.

    Raises
    ------
    UserError
        When there is none, or it cannot be read.
    """
    asked = settings.subject
    said = _said(asked)
    if named is not None:
        require_subject(named)
        _refuse_beside_a_name(named, said)
        subject = load_subject(named, trust=asked.trust, model=asked.model)
        if asked.input_range is None:
            return subject
        return with_input_range(subject, asked.input_range)
    if asked.predictions is not None:
        _refuse_beside_predictions(asked, said)
        columns = PredictionColumns(asked.probabilities, asked.score, asked.predicted)
        subject = subject_from_predictions(asked.predictions, columns, _options(settings))
        return replace(subject, name=_name_of(asked.predictions))
    source = _source(asked)
    if recorded := [said[name] for name in RECORDED if name in said]:
        raise UserError(
            f"{', '.join(recorded)} names columns of recorded predictions, and none are given. Name their file in place of "
            "data and model (--predictions FILE), or leave it out."
        )
    model = model_from_file(asked.model, asked.weights, trust=asked.trust)
    model = replace(model, random_draws=asked.random_draws)
    options = replace(_options(settings), model_is_trained=model.is_trained)
    subject = with_model(subject_from_file(source, options, asked.unlabelled), model)
    return replace(subject, name=_name_of(source))


def _said(asked: SubjectSection) -> dict[str, str]:
    """Return what differs from its default, by field: each spelled as on the command line."""
    usual = SubjectSection()
    return {
        name: _spelled(name, value)
        for name in SubjectSection.model_fields
        if (value := getattr(asked, name)) != getattr(usual, name)
    }


def _spelled(name: str, value: object) -> str:
    if isinstance(value, SplitFiles):
        files = value.model_dump(exclude_none=True).items()
        return " ".join(f"--{split} {file}" for split, file in files)
    flag = config.flag_of(name)
    if isinstance(value, bool):
        return flag if value else flag.replace("--", "--no-")
    return f"{flag} {','.join(map(str, value)) if isinstance(value, tuple) else value}"


def _refuse_beside_a_name(named: str, said: Mapping[str, str]) -> None:
    """Refuse what describes data or a model where a subject is named, which brings its own."""
    is_kept = named not in BUILTIN and is_saved(Path(named))
    taken = (*BESIDE_A_NAME, "model") if is_kept else BESIDE_A_NAME
    beside = {name: spelled for name, spelled in said.items() if name not in taken}
    if not beside:
        return
    is_own_code = not is_kept and named not in BUILTIN
    arguments = inspect.signature(subject_from).parameters
    sayable = [f"{name}=..." for name in beside if name in arguments]
    if not {"data", "split", "predictions"}.isdisjoint(beside):
        way_out = f"Leave {named} out, or the rest."
    elif is_own_code and sayable:
        way_out = f"Say it there, as in subject_from(..., {', '.join(sayable)}), or leave it out."
    else:
        way_out = f"Leave it out, or name data of your own in place of {named} (--data FILE)."
    raise UserError(
        f"{', '.join(beside.values())} would be ignored: {named} brings its own rows, their roles and its model. {way_out}"
    )


def _refuse_beside_predictions(asked: SubjectSection, said: Mapping[str, str]) -> None:
    """Refuse what describes data or a model, in place of which recorded predictions are audited."""
    takes = ("split",) if isinstance(asked.split, str) else ()  # a column of theirs
    replaced = config.REPLACED["predictions"]
    beside = [said[name] for name in replaced if name in said and name not in takes]
    if beside:
        raise UserError(
            f"{', '.join(beside)} would be ignored: --predictions {asked.predictions} is audited in place of data and model. "
            "Leave one of them out."
        )


def _name_of(source: str | Mapping[str, str]) -> str:
    """Return what reports call the data: its name, not where it lies on this machine."""
    file = source if isinstance(source, str) else next(iter(source.values()))
    return Path(file).stem


def _source(asked: SubjectSection) -> str | Mapping[str, str]:
    """Return the file of the data, or the file of each split."""
    if isinstance(asked.split, SplitFiles):
        if asked.data is not None:
            split, file = next(iter(asked.split.model_dump(exclude_none=True).items()))
            raise UserError(
                f"--data {asked.data} and --{split} {file} are both given. Give one file with all "
                "rows, or one for each split."
            )
        return asked.split.model_dump(exclude_none=True)
    if asked.data is None:
        raise UserError(NOTHING)
    return asked.data


def _options(settings: Settings) -> DataOptions:
    asked = settings.subject
    roles = Roles(
        target=asked.target,
        sensitive=asked.sensitive,
        entity=asked.entity,
        time=asked.time,
        id=asked.id,
        domain=asked.domain,
        source=asked.source,
        weight=asked.weight,
        consent=asked.consent,
        dropped=asked.drop,
    )
    return DataOptions(
        roles=roles,
        split=asked.split if isinstance(asked.split, str) else None,
        positive=asked.positive,
        task=asked.task,
        proof=asked.proof,
        people=asked.people,
        input_range=asked.input_range,
        reading=Reading(asked.encoding, asked.delimiter, asked.decimal, tuple(asked.missing_codes)),
    )
