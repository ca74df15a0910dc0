"""The Python face: audit and self-test a subject. The command line calls the same functions."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadworthy import config, engine, files
from roadworthy.errors import UserError
from roadworthy.procedures.audit import Request
from roadworthy.procedures.audit import audit as run_audit
from roadworthy.procedures.choice import chosen_checks, known_names
from roadworthy.procedures.review import review_sheet
from roadworthy.procedures.stored import STORED
from roadworthy.report import REVIEW, Report
from roadworthy.results import Record, Requirement
from roadworthy.subject import Subject
from roadworthy.subject.python_file import load_subject
from roadworthy.subject.streamed import require_in_memory
from roadworthy.subject.validity import require_valid
from roadworthy.subject_choice import chosen_subject, settled

if TYPE_CHECKING:
    from roadworthy.config import Settings
    from roadworthy.procedures.selftest import Profile as SelfTestProfile
    from roadworthy.procedures.selftest import Records, SelfTest

STORE = Path(".roadworthy/store")
RUNS = Path("roadworthy-runs")
USER_RECORD = Path(".roadworthy/selftest.json")


def audit(
    model: Any = None,  # Any: a Subject, its name, a module, a factory, an estimator, a callable
    *,
    profile: str = "standard",
    only: tuple[str, ...] | str = (),
    skip: tuple[str, ...] | str = (),
    requirements: Mapping[str, float] | None = None,
    purpose: Mapping[str, object] | None = None,
    options: Mapping[str, Mapping[str, object]] | None = None,
    budget: str | None = None,
    seed: int = 0,
    device: str = "cpu",
    plugins: tuple[str, ...] = (),
    store: str | Path | None = STORE,
    progress: bool | None = None,
    **data: Any,  # Any: handed on to `subject_from`, which names each
) -> Report:
    """Inspect a model and its data.

    Parameters
    ----------
    model : object
        A `Subject`, the name of a built-in one ("digits"), a `torch.nn.Module`, a factory of
        modules, a scikit-learn estimator, any callable; None trains a default for the data.
    profile : {"quick", "standard", "full"}
    only, skip : str or tuple of str
        Challenges or checks to run, or to leave out.
    requirements : mapping of check name to bound, optional
        In place of the checks' own bounds.
    purpose : mapping, optional
        Answers as in the `[purpose]` section of roadworthy.toml, such as `{"prevalence": 0.02}`.
    options : mapping of check or artifact to mapping of option to value, optional
        As `--set` on the command line, such as `{"attack_threat": {"eps": 0.1}}`.
    budget : str, optional
        Time to spend, like "10m"; checks that do not fit are `not_run`.
    seed : int
    device : str
    plugins : tuple of str
        Modules with checks of your own.
    store : path or None
        Where computed quantities are kept for the next audit; None keeps nothing.
    progress : bool, optional
        Show what runs. None: bars in a terminal, elsewhere a line on standard error each half minute.
    **data
        `train`, `validation`, `test`, `target`, `sensitive`, `recipe`, ... as in
        `roadworthy.subject_from`.

    Returns
    -------
    Report

    Raises
    ------
    UserError
        When something in the call or the data has to be mended first.

    Examples
    --------
    >>> report = roadworthy.audit("digits", profile="quick")  # doctest: +SKIP
    >>> report.passed  # doctest: +SKIP
    False
    """
    subject = subject_of(model, data)
    overrides = {
        "checks": {"only": only, "skip": skip, "plugins": plugins},
        "purpose": dict(purpose or {}),
        "requirements": {name: {"bound": bound} for name, bound in (requirements or {}).items()},
        "options": {name: dict(chosen) for name, chosen in (options or {}).items()},
        "audit": {"profile": profile, "budget": budget, "seed": seed, "device": device},
    }
    settings = config.settle(None, overrides)
    registry = engine.Registry.discover(plugins)
    where = Path(store) if store else None
    return run(subject, settings, registry, store=where, progress=progress)


def run(
    subject: Subject,
    settings: "Settings",
    registry: engine.Registry,
    *,
    store: Path | None,
    progress: bool | None = None,
) -> Report:
    """Audit a subject under settled settings."""
    from roadworthy.progress import display

    request, kept = request_of(settings, registry), engine.Store(store, records=STORED)
    with display(progress) as shown:
        done = run_audit(
            subject,
            registry,
            store=kept,
            request=request,
            record_for=records_for(subject, registry),
            emit=shown.receive,
        )
    sheet = review_sheet(subject, registry, store=kept, request=request, audit=done.audit)
    return Report(done.audit, done.rows, sheet)


def request_of(settings: "Settings", registry: engine.Registry) -> Request:
    """Turn settings into what the audit procedure takes."""
    own: dict[str, Requirement | None] = {
        name: marked.mark.requires
        for name, marked in registry.checks.items()
        if isinstance(marked.mark, engine.CheckMark)
    }
    unknown = [name for name in settings.requirements if name not in own]
    if unknown:
        raise UserError(
            f'[requirements] names "{unknown[0]}", which is no check.'
            f"{engine.suggestion(unknown[0], own)} `roadworthy list` shows all."
        )
    return Request(
        profile=settings.profile.name,
        only=settings.checks.only,
        skip=settings.checks.skip,
        requirements=config.requirements_of(settings.config, own, origin=settings.origin),
        options=_options(settings, registry),
        budget=settings.budget,
        seed=settings.audit.seed,
        device=settings.audit.device,
        purpose=config.purpose_words(settings.purpose),
        purpose_key=config.purpose_key(settings.config),
        purpose_fields=config.purpose_fields(settings.purpose),
        fail_on=settings.audit.fail_on,
    )


def _options(settings: "Settings", registry: engine.Registry) -> dict[str, dict[str, object]]:
    """Return what the profile sets and, before it, what the user set, by check or artifact."""
    known = {
        name: {p.name: p for p in marked.parameters if p.kind is p.KEYWORD_ONLY}
        for name, marked in {**registry.checks, **registry.artifacts}.items()
    }
    found = config.profile_options(settings.profile, known)
    for name, chosen in settings.config.options.items():
        if name not in known:
            raise UserError(
                f'[options] names "{name}", which is no check or artifact.'
                f"{engine.suggestion(name, known)} `roadworthy list` shows all."
            )
        for option, value in chosen.items():
            config.require_option(name, option, value, known[name])
        found[name] = {**found.get(name, {}), **chosen}
    return found


def audit_from_command_line(
    named: str | None, sections: Mapping[str, Mapping[str, object]], *, quiet: bool
) -> int:
    """Do what `roadworthy audit` was asked for; return the exit code."""
    from rich.console import Console

    registry = engine.Registry.discover(settled(named, sections).checks.plugins)
    settings = settled(named, sections, known_names(registry))
    files.require_writable(Path(settings.audit.out or RUNS))
    subject = chosen_subject(named, settings)
    if not quiet:
        say_how_it_was_read(subject)
    store = Path(settings.audit.store) if settings.audit.store else STORE
    report = run(subject, settings, registry, store=store, progress=False if quiet else None)
    default = RUNS / f"{file_name(subject.name)}-{report.audit.subject.key[:8]}"
    folder = Path(settings.audit.out or default)
    kept = report.is_kept_in(folder)
    report.save(folder)
    console = Console()
    console.print(report)
    counted = f"{report.audit.computed} quantities computed, {report.audit.reused} kept from before"
    console.print(f"{counted}{'; nothing changed' if kept else ''}.", style="dim", highlight=False)
    console.print(f"Report: [bold]{folder / 'report.html'}[/]", soft_wrap=True)
    if report.review is not None:
        sheet = folder / REVIEW
        said = f"fill in its column decision, then: roadworthy fix ... --reviewed {sheet}"
        console.print(f"Labels to review: [bold]{sheet}[/]  ({said})", soft_wrap=True)
    return report.exit_code


def say_how_it_was_read(subject: Subject) -> None:
    """Say on standard error, before a long wait, what was found out and what was assumed."""
    from textwrap import fill

    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    for note in subject.notes:
        lines = fill(note, console.width, initial_indent="  - ", subsequent_indent="    ")
        console.print(lines, style="dim")


def selftest(
    model: Any = "digits",  # Any: as for `audit`
    *,
    only: tuple[str, ...] = (),
    skip: tuple[str, ...] = (),
    profile: "SelfTestProfile" = "quick",
    budget: str | None = None,
    seed: int = 0,
    data_dir: str | Path | None = None,
    record: str | Path | None = USER_RECORD,
    plugins: tuple[str, ...] = (),
    store: str | Path | None = STORE,
    progress: bool | None = None,
) -> "SelfTest":
    """Plant known faults in a subject and count how often each check finds them.

    What was learned accumulates in the file `record` and stands beside each verdict of later audits
    of subjects of the same kind.

    Parameters
    ----------
    model : Subject or str
        A subject, or the name of a built-in one.
    only, skip : tuple of str
        Challenges or checks to test, or to leave out.
    profile : {"quick", "standard", "full"}
    budget : str, optional
        Time to spend, like "2m", in place of the profile's; each fault is planted once at least.
    seed : int
    data_dir : path, optional
        Folder of published data sets; natural faults are skipped without it.
    record : path or None
        None keeps nothing.
    plugins, store, progress
        As for `audit`.
    """
    from roadworthy.procedures import selftest as room
    from roadworthy.progress import display

    subject = subject_of(model, {})
    require_in_memory(subject, "a self-test")
    settings = config.settle(None, {"checks": {"plugins": plugins}})
    registry = engine.Registry.discover(plugins)
    options = request_of(settings, registry).options
    records = room.published() if record is None else _known(Path(record))
    with display(progress) as shown:
        found = room.selftest(
            subject,
            registry,
            store=engine.Store(Path(store) if store else None, records=STORED),
            checks=tuple(chosen_checks(registry, only, skip)),
            profile=profile,
            budget=config.parse_duration(budget) if budget else None,
            seed=seed,
            known=room.current(records, room.codes(registry)),
            options=options,
            data_dir=Path(data_dir) if data_dir else None,
            emit=shown.receive,
        )
    if record is not None:
        room.accumulate(Path(record), found.found)
    return found


def subject_of(model: Any, data: Mapping[str, Any]) -> Subject:  # Any: see `audit`
    """Return the subject that the arguments of `audit` stand for."""
    if isinstance(model, Subject):
        if data:
            raise UserError(
                f"audit(subject, {next(iter(data))}=...): a Subject brings its own data. Leave the "
                "argument out, or give the model instead of the subject."
            )
        return require_valid(model)
    if isinstance(model, str) and not data:
        return load_subject(model)
    if isinstance(model, Path) and not data:
        return load_subject(str(model))
    from roadworthy.subject.live import subject_from

    return require_valid(subject_from(model, **data))


def records_for(subject: Subject, registry: engine.Registry) -> "Callable[[str], Record | None]":
    """Return what is known of each check as it stands, from the package's record and the user's own."""
    from roadworthy.procedures import selftest as room

    records = room.current(_known(USER_RECORD), room.codes(registry), room.kind_of(subject))
    return lambda check: room.record_for(check, subject, records)


def _known(path: Path) -> "Records":
    from roadworthy.procedures import selftest as room

    return room.merged((room.published(), room.read(path)))


def file_name(name: str) -> str:
    """Return a name that a folder can have."""
    stem = Path(name).stem or name
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in stem)
