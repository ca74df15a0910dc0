"""The Python face of `fix`: repairs tried and proven. The command line calls the same functions."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadworthy import config, engine, files
from roadworthy.api import (
    RUNS,
    STORE,
    file_name,
    request_of,
    say_how_it_was_read,
    subject_of,
)
from roadworthy.effect_reports import FixReport
from roadworthy.errors import UserError
from roadworthy.procedures import remedies
from roadworthy.procedures import review as reviews
from roadworthy.procedures.choice import known_names
from roadworthy.procedures.fix import fix as run_fix
from roadworthy.procedures.stored import STORED
from roadworthy.subject import Subject
from roadworthy.subject.saved import asks_for_trust, require_savable
from roadworthy.subject.streamed import require_in_memory
from roadworthy.subject_choice import chosen_subject, settled

if TYPE_CHECKING:
    from rich.console import Group

    from roadworthy.config import Settings

PROOF_LOG = Path(".roadworthy/proof-openings.jsonl")
RECORD = Path(".roadworthy/remedies.json")
SEEDS = 5


@dataclass(frozen=True)
class Asked:
    """What `roadworthy fix` was asked for beside the settings of an audit.

    Parameters
    ----------
    only : tuple of str
        Repairs, or checks or challenges that are to be repaired; empty: what the failing checks name.
    accept : tuple of str
        Accepted repairs whose subjects are to be saved.
    seeds : int, optional
        Trainings behind what is said of a repair in general.
    proof_log : Path, optional
        Where looks at sealed rows are recorded.
    reviewed : path or DataFrame, optional
        Review sheet of labels that a person has filled in.
    """

    only: tuple[str, ...] = ()
    accept: tuple[str, ...] = ()
    seeds: int | None = None
    proof_log: Path | None = None
    reviewed: Any = None  # Any: a path, or a data frame of pandas


def fix(
    model: Any = None,  # Any: as for `audit`
    *,
    only: tuple[str, ...] | str = (),
    skip: tuple[str, ...] | str = (),
    profile: str = "standard",
    requirements: Mapping[str, float] | None = None,
    purpose: Mapping[str, object] | None = None,
    options: Mapping[str, Mapping[str, object]] | None = None,
    seeds: int = SEEDS,
    budget: str | None = None,
    seed: int = 0,
    device: str = "cpu",
    plugins: tuple[str, ...] = (),
    store: str | Path | None = STORE,
    proof_log: str | Path | None = PROOF_LOG,
    reviewed: Any = None,  # Any: a path, or a data frame of pandas
    progress: bool | None = None,
    **data: Any,  # Any: handed on to `subject_from`, which names each
) -> FixReport:
    """Try repairs of what fails, and prove on untouched rows what each mended and what it harmed.

    Parameters
    ----------
    model : object
        As for `roadworthy.audit`.
    only : str or tuple of str
        Names of mitigations, or of checks or challenges to repair; empty: what the failing checks name.
    skip : str or tuple of str
        Checks or challenges that are neither repaired nor measured.
    profile, requirements, purpose, options, budget, seed, device, plugins, store, progress
        As for `roadworthy.audit`.
    seeds : int
        Trainings behind the claim about a remedy rather than about one set of weights; at least 2.
    proof_log : path or None
        File in which every look at the sealed proof rows is recorded; None: for this call alone.
    reviewed : path or DataFrame, optional
        The `review.csv` of an audit, its column "decision" filled in by a person: what is decided of training and
        validation rows is done, and proven as any other repair.
    **data
        As for `roadworthy.audit`.

    Returns
    -------
    FixReport

    Examples
    --------
    >>> found = roadworthy.fix("digits", profile="quick", only="temperature_scaling")  # doctest: +SKIP
    >>> found.accept("temperature_scaling", "cooler")  # doctest: +SKIP
    """
    subject = subject_of(model, data)
    overrides = {
        "checks": {"skip": skip, "plugins": plugins},
        "purpose": dict(purpose or {}),
        "requirements": {name: {"bound": bound} for name, bound in (requirements or {}).items()},
        "options": {name: dict(chosen) for name, chosen in (options or {}).items()},
        "audit": {"profile": profile, "budget": budget, "seed": seed, "device": device},
    }
    settings = config.settle(None, overrides)
    registry = engine.Registry.discover(plugins)
    asked = Asked(
        only=config.names_in(only) if isinstance(only, str) else tuple(only),
        seeds=seeds,
        proof_log=None if proof_log is None else Path(proof_log),
        reviewed=reviewed,
    )
    where = Path(store) if store else None
    return run(subject, settings, registry, asked, store=where, progress=progress)


def run(
    subject: Subject,
    settings: "Settings",
    registry: engine.Registry,
    asked: Asked,
    *,
    store: Path | None,
    progress: bool | None = None,
) -> FixReport:
    """Fix a subject under settled settings."""
    from roadworthy.progress import display

    require_in_memory(subject, "a repair")
    request, kept = request_of(settings, registry), engine.Store(store, records=STORED)
    review = None
    if asked.reviewed is not None:
        review = reviews.read_review(
            asked.reviewed, subject, reviews.row_ids(subject, registry, kept)
        )
    with display(progress) as shown:
        done = run_fix(
            subject,
            registry,
            store=kept,
            request=request,
            only=asked.only,
            seeds=asked.seeds or SEEDS,
            label_review=None if review is None else review.labels,
            proof_log=asked.proof_log,
            emit=shown.receive,
        )
    if review is None:
        return FixReport(done.fix, done.subjects)
    notes = (*done.fix.notes, *reviews.in_words(review.record))
    return FixReport(replace(done.fix, review=review.record, notes=notes), done.subjects)


def from_command_line(
    named: str | None,
    sections: Mapping[str, Mapping[str, object]],
    asked: Asked,
    *,
    quiet: bool,
) -> int:
    """Do what `roadworthy fix` was asked for; return the exit code."""
    from rich.console import Console

    registry = engine.Registry.discover(settled(named, sections).checks.plugins)
    settings = settled(named, sections, known_names(registry))
    files.require_writable(Path(settings.audit.out or RUNS))
    _refuse_unknown(asked, registry, named)
    subject = chosen_subject(named, settings)
    if asked.accept:
        require_savable(subject)  # before an hour is spent, not after
    if not quiet:
        say_how_it_was_read(subject)
    store = Path(settings.audit.store) if settings.audit.store else STORE
    wanted = replace(
        asked, proof_log=asked.proof_log or PROOF_LOG, reviewed=settings.subject.reviewed
    )
    report = run(
        subject, settings, registry, wanted, store=store, progress=False if quiet else None
    )
    default = RUNS / f"{file_name(subject.name)}-fix-{report.fix.subject.key[:8]}"
    folder = Path(settings.audit.out or default)
    console = Console()
    console.print(report)  # before it is saved: a full disk does not hide what was found
    report.save(folder)
    console.print(f"Report: [bold]{folder / 'report.html'}[/]", soft_wrap=True)
    refused: list[str] = []
    for name in asked.accept:
        try:
            saved = report.accept(name, folder / "accepted" / name)
        except UserError as why:  # the others are saved all the same
            refused.append(f"--accept {name}: {why}")
            continue
        trust = " --trust" if asks_for_trust(saved) else ""
        console.print(
            f"Saved with {name}: [bold]{saved}[/]  (roadworthy audit {saved}{trust})",
            soft_wrap=True,
        )
    if refused:
        raise UserError("\n".join(refused))
    if report.accepted and not asked.accept:
        name = report.accepted[0].mitigation
        console.print(f"Save a repaired model: the same command with --accept {name}", style="dim")
    return report.exit_code


def _refuse_unknown(asked: Asked, registry: engine.Registry, named: str | None) -> None:
    """Refuse names that exist nowhere before anything is read or computed."""
    unread = ""
    if named is not None and Path(config.FILE_NAME).is_file():
        unread = (
            f" {config.FILE_NAME} is not read where a subject is named ({named}), and so the plug-ins that it names are "
            "not known: install them, or give data and model in that file."
        )
    known = {*registry.mitigations, *known_names(registry)}
    for option, names in (("--only", asked.only), ("--accept", asked.accept)):
        for name in names:
            parts = [part.strip() for part in name.split("+")]
            strange = [part for part in parts if part not in known]
            if strange:
                raise UserError(
                    f'{option} names "{strange[0]}", which is no mitigation, check or challenge.'
                    f"{engine.suggestion(strange[0], known)} `roadworthy list --mitigations` shows all."
                    f"{unread}"
                )


def selftest(
    model: Any = "digits",  # Any: as for `audit`
    *,
    only: tuple[str, ...] = (),
    seeds: int = remedies.SEEDS,
    seed: int = 0,
    record: Path | None = RECORD,
    plugins: tuple[str, ...] = (),
    quiet: bool = True,
) -> list[remedies.Proof | remedies.Unproven]:
    """Test repairs on the faults that they are for: how often each does better than its sham.

    Parameters
    ----------
    model : Subject or str
    only : tuple of str
        Mitigations; empty: all.
    seeds, seed : int
    record : Path or None
        File in which what was found is kept.
    plugins : tuple of str
    quiet : bool
        Say nothing while it goes on.
    """
    subject = subject_of(model, {})
    require_in_memory(subject, "a test of repairs")
    registry = engine.Registry.discover(plugins)
    strange = [name for name in only if name not in registry.mitigations]
    if strange:
        raise UserError(
            f'--only names "{strange[0]}", which is no mitigation.'
            f"{engine.suggestion(strange[0], registry.mitigations)} `roadworthy list --mitigations` shows all."
        )
    options = request_of(config.settle(None, {"audit": {"profile": "quick"}}), registry).options

    def say(result: remedies.Proof | remedies.Unproven) -> None:
        if not quiet:
            sys.stderr.write(f"{result.mitigation}\n")

    found = remedies.prove(
        subject, registry, only, seeds=seeds, seed=seed, options=options, say=say
    )
    proofs = [each for each in found if isinstance(each, remedies.Proof)]
    if record is not None and proofs:
        known = remedies.read_proofs(record) if record.is_file() else ()
        remedies.write_proofs(record, [*known, *proofs])
    return found


def proofs_console(found: list[remedies.Proof | remedies.Unproven]) -> "Group":
    """Return what a test of repairs found, for the terminal."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    lines: list[Any] = []  # Any: what rich renders
    for each in found:
        if isinstance(each, remedies.Unproven):
            lines += [Text(f"– {each.mitigation}", style="dim")]
            lines += [Padding(Text(each.reason, style="dim"), (0, 0, 0, 2))]
            continue
        lines.append(Text(f"{'✓' if each.is_shown else '?'} {each.mitigation}", style="bold"))
        lines.append(Padding(Text(remedies.in_words(each)), (0, 0, 0, 2)))
    return Group(*lines)
