"""Which subject an audit is of: a built-in name, a Python file, or what the settings describe."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from roadworthy import config
from roadworthy.config import Settings, SplitFiles, SubjectSection
from roadworthy.errors import UserError
from roadworthy.subject import Roles, Subject
from roadworthy.subject.arrays import with_input_range
from roadworthy.subject.intake import model_from_file, with_model
from roadworthy.subject.options import DataOptions
from roadworthy.subject.predictions import PredictionColumns, subject_from_predictions
from roadworthy.subject.python_file import load_subject
from roadworthy.subject.readers import subject_from_file
from roadworthy.subject.reading import Reading

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
    if named is not None:
        if asked.random_draws is not None:
            raise UserError(
                f"--random-draws {asked.random_draws} goes with --model; {named} declares its own: "
                f"subject_from(..., random_draws={asked.random_draws}) in a subject.py."
            )
        if asked.unlabelled is not None:
            raise UserError(
                f"--unlabelled {asked.unlabelled} goes with --data or --train; {named} brings its own rows: "
                "subject_from(..., unlabelled=...) in a subject.py."
            )
        subject = load_subject(named, trust=asked.trust, model=asked.model)
        if asked.input_range is None:
            return subject
        return with_input_range(subject, asked.input_range)
    if asked.predictions is not None:
        if asked.unlabelled is not None:
            raise UserError(
                f"--unlabelled {asked.unlabelled} is for a model that learns from rows without a target, and "
                "--predictions come without a model. Leave one out."
            )
        columns = PredictionColumns(asked.probabilities, asked.score, asked.predicted)
        subject = subject_from_predictions(asked.predictions, columns, _options(settings))
        return replace(subject, name=_name_of(asked.predictions))
    source = _source(asked)
    model = model_from_file(asked.model, asked.weights, trust=asked.trust)
    model = replace(model, random_draws=asked.random_draws)
    options = replace(_options(settings), model_is_trained=model.is_trained)
    subject = with_model(subject_from_file(source, options, asked.unlabelled), model)
    return replace(subject, name=_name_of(source))


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
