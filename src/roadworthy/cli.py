"""The command line: parses, calls one procedure, renders, sets the exit code."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from roadworthy import options
from roadworthy.errors import UserError

USAGE_ERROR = 4

app = typer.Typer(
    name="roadworthy",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Inspect a deep-learning model and the data it was made from: pass, fail or inconclusive, "
    "with the evidence.\n\nFirst look:  roadworthy audit digits --profile quick",
)


def _many(help_text: str, *names: str) -> Any:  # Any: typer's own type for an option
    return typer.Option(*names, help=f"{help_text} (repeat, or separate by commas)")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        sys.stdout.write(f"roadworthy {version('roadworthy')}\n")
        raise typer.Exit


@app.callback()
def _options_of_all(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


SUBJECT_HELP = (
    "digits, diabetes, a subject.py, module:function, or a folder that `fix --accept` saved. Without one: --data, "
    "--predictions, or the roadworthy.toml of this folder."
)


@app.command()
@options.describing_a_subject
def audit(
    subject: Annotated[str | None, typer.Argument(help=SUBJECT_HELP)] = None,
    *,
    given: Mapping[str, Any],
    only: options.Only = None,
    skip: options.Skip = None,
    profile: options.Profile = None,
    budget: options.Budget = None,
    device: options.Device = None,
    seed: options.Seed = None,
    set_: options.Set = None,
    store: options.Store = None,
    out: options.Out = None,
    fail_on: options.FailOn = None,
    quiet: options.Quiet = False,
) -> None:
    """Inspect a model and its data; write a report.

    Names of several columns or checks are separated by commas, or the option is repeated.

    Exit code: 0 all required checks pass, 1 one fails, 2 one is undecided, 3 one broke, 4 usage.

    Example:  roadworthy audit digits --profile quick --only uncertainty
    """
    from roadworthy import api

    sections = {
        "subject": options.subject_section(given),
        "checks": {"only": options.named(only), "skip": options.named(skip)},
        "options": options.chosen(set_),
        "audit": {
            "profile": profile,
            "budget": budget,
            "device": device,
            "seed": seed,
            "out": out,
            "fail_on": fail_on,
            "store": store,
        },
    }
    raise typer.Exit(api.audit_from_command_line(subject, sections, quiet=quiet))


@app.command()
@options.describing_a_subject
def fix(
    subject: Annotated[str | None, typer.Argument(help=SUBJECT_HELP)] = None,
    *,
    given: Mapping[str, Any],
    reviewed: options.Reviewed = None,
    only: options.Repairs = None,
    skip: options.Skip = None,
    profile: options.Profile = None,
    seeds: options.Seeds = None,
    budget: options.Budget = None,
    device: options.Device = None,
    seed: options.Seed = None,
    set_: options.Set = None,
    store: options.Store = None,
    proof_log: options.ProofLog = None,
    accept: options.Accept = None,
    out: options.Out = None,
    quiet: options.Quiet = False,
) -> None:
    """Try repairs, and prove on rows that nothing was chosen on what each mended and what it harmed.

    Candidates are the repairs that the failing checks name, or those asked for. The strength is chosen on
    validation rows, the effect measured on test rows beside a sham, and confirmed on sealed rows.

    --reviewed takes the review.csv of an audit back, its column "decision" filled in by a person.

    Exit code: 0 every failing check has an accepted repair, 1 one has none, 2 time ran out, 4 usage.

    Example:  roadworthy fix digits --profile quick --only uncertainty
    """
    from roadworthy import repairing

    sections = {
        "subject": {**options.subject_section(given), "reviewed": reviewed},
        "checks": {"skip": options.named(skip)},
        "options": options.chosen(set_),
        "audit": {
            "profile": profile,
            "budget": budget,
            "device": device,
            "seed": seed,
            "out": out,
            "store": store,
        },
    }
    asked = repairing.Asked(
        options.named(only) or (), options.named(accept) or (), seeds, proof_log
    )
    raise typer.Exit(repairing.from_command_line(subject, sections, asked, quiet=quiet))


@app.command()
def diff(
    subjects: Annotated[
        list[str],
        typer.Argument(
            help="Two or more: folders of finished audits, or subjects (digits, subject.py, saved folders). The first "
            "is what the others are compared with.",
            metavar="A B...",
        ),
    ],
    only: options.Only = None,
    skip: options.Skip = None,
    profile: options.Profile = None,
    device: options.Device = None,
    seed: options.Seed = None,
    store: options.Store = None,
    trust: options.Trust = False,
    form: options.Form = None,
    out: options.Out = None,
    fail_on: options.FailOn = None,
    quiet: options.Quiet = False,
) -> None:
    """Say what got worse and what got better between two models or audits; compare several in one table.

    Paired where the rows are the same. With three or more a table of all values is printed.

    Exit code: 0 nothing required got worse than is tolerated, 1 something did, 3 a check broke, 4 usage;
    with --fail-on undecided, 2 where that is open.

    Example:  roadworthy diff roadworthy-runs/before roadworthy-runs/after --format markdown
    """
    from roadworthy import comparing

    sections = {
        "checks": {"only": options.named(only), "skip": options.named(skip)},
        "audit": {
            "profile": profile,
            "device": device,
            "seed": seed,
            "store": store,
            "fail_on": fail_on or "fail,error",
        },
    }
    code = comparing.from_command_line(
        subjects, sections, trust=trust, form=form, out=out, quiet=quiet
    )
    raise typer.Exit(code)


@app.command()
def init(
    data: Annotated[Path, typer.Argument(help="Table to look at: CSV or Parquet")],
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Take every default", rich_help_panel="Output")
    ] = False,
    out: Annotated[
        Path, typer.Option(help="File to write", rich_help_panel="Output", metavar="FILE")
    ] = Path("roadworthy.toml"),
    force: Annotated[
        bool,
        typer.Option("--force", help="Write over an existing file", rich_help_panel="Output"),
    ] = False,
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
    decimal: options.Decimal = None,
    missing_codes: options.MissingCodes = None,
    target: options.Target = None,
    sensitive: options.Sensitive = None,
    drop: options.Drop = None,
    entity: options.Entity = None,
    time: options.Time = None,
    id_: options.Id = None,
    split: options.Split = None,
    source: options.Source = None,
    weight: options.Weight = None,
    decides: options.Decides = None,
    harmed_by: options.HarmedBy = None,
    prevalence: options.Prevalence = None,
    accuracy: options.Accuracy = None,
    latency_ms: options.LatencyMs = None,
    hardware: options.Hardware = None,
    label_price: options.LabelPrice = None,
    law: options.Law = None,
    smallest_group: options.SmallestGroup = None,
) -> None:
    """Look at a data file, propose the role of each column, and write roadworthy.toml.

    Example:  roadworthy init data.parquet --yes
    """
    from roadworthy.initialise import initialise

    reading = {
        "encoding": encoding,
        "delimiter": delimiter,
        "decimal": decimal,
        "missing_codes": options.named(missing_codes),
    }
    roles = {
        "target": target,
        "sensitive": options.named(sensitive),
        "drop": options.named(drop),
        "entity": entity,
        "time": time,
        "id": id_,
        "split": split,
        "source": source,
        "weight": weight,
    }
    purpose = {
        "decides": decides,
        "harmed_by": harmed_by,
        "prevalence": prevalence,
        "accuracy": accuracy,
        "latency_ms": latency_ms,
        "hardware": hardware,
        "label_price": label_price,
        "law": law,
        "smallest_group": smallest_group,
    }
    initialise(data, out, reading=reading, roles=roles, purpose=purpose, ask=not yes, force=force)


@app.command("list")
def list_(
    artifacts: Annotated[
        bool, typer.Option("--artifacts", help="Names a check may ask for")
    ] = False,
    faults: Annotated[bool, typer.Option("--faults", help="Faults and what they break")] = False,
    mitigations: Annotated[
        bool, typer.Option("--mitigations", help="Repairs and what they mend")
    ] = False,
) -> None:
    """Show the checks by challenge, with what they need and what they cost.

    Example:  roadworthy list --faults
    """
    from roadworthy import catalogue

    asked = {"artifacts": artifacts, "faults": faults, "mitigations": mitigations}
    kind = next((kind for kind, is_asked in asked.items() if is_asked), "checks")
    _print(catalogue.listing(kind))


@app.command()
def describe(
    check: Annotated[str, typer.Argument(help="Name of a check, fault, repair or artifact")],
) -> None:
    """Say what a check measures, where its method and bound come from, and how well it is proven.

    Example:  roadworthy describe overfitting_gap
    """
    from roadworthy import catalogue

    _print(catalogue.description(check))


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="Folder of an audit, a fix or a diff")],
    form: Annotated[
        str | None, typer.Option("--format", help="html, markdown, junit, json or csv")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write instead of the terminal")] = None,
) -> None:
    """Show a finished audit, fix or diff again, in any format.

    Example:  roadworthy report roadworthy-runs/digits --format markdown
    """
    from roadworthy import files
    from roadworthy.effect_reports import read_effects
    from roadworthy.report import read_report

    found = read_effects(run) or read_report(run)
    if form is None:
        _print(found)
        return
    text = found.render(form)
    if out is None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
    else:
        files.write(out, text.encode())


@app.command()
def selftest(
    subject: Annotated[
        str, typer.Argument(help="digits, diabetes, a subject.py or module:function")
    ] = "digits",
    only: Annotated[list[str] | None, _many("Challenges or checks to test")] = None,
    skip: Annotated[list[str] | None, _many("Challenges or checks to leave out")] = None,
    profile: Annotated[
        Literal["quick", "standard", "full"], typer.Option(help="quick takes about two minutes")
    ] = "quick",
    budget: Annotated[
        str | None,
        typer.Option(help="Time to spend: 90s, 10m, 1h; each fault is planted once at least"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of every random choice")] = 0,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of published data sets, for natural faults")
    ] = None,
    record: Annotated[Path, typer.Option(help="File in which what was learned accumulates")] = Path(
        ".roadworthy/selftest.json"
    ),
    mitigations: Annotated[
        bool, typer.Option("--mitigations", help="Test repairs against their shams, not checks")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the result alone")] = False,
) -> None:
    """Plant known faults and count how often each check finds them, and how often it cries wolf.

    With --mitigations, count on planted faults how often each repair does better than its sham.

    Example:  roadworthy selftest digits --only uncertainty --budget 1m
    """
    from roadworthy import api
    from roadworthy.procedures.selftest import console
    from roadworthy.subject.python_file import load_subject

    if mitigations:
        from roadworthy import repairing

        wanted = options.named(only) or ()
        found = repairing.selftest(load_subject(subject), only=wanted, seed=seed, quiet=quiet)
        _print(repairing.proofs_console(found))
        return

    found = api.selftest(
        load_subject(subject),
        only=options.named(only) or (),
        skip=options.named(skip) or (),
        profile=profile,
        budget=budget,
        seed=seed,
        data_dir=data_dir,
        record=record,
        progress=False if quiet else None,
    )
    _print(console(found.tested, title=f"Self-test on {found.subject}"))
    for skipped in found.skipped:
        _print(f"[dim]{skipped.name}: {skipped.reason}[/]")
    for planted, trace in found.broken.items():
        sys.stderr.write(f"roadworthy: {planted} broke:\n{trace}\n")
    raise typer.Exit(3 if found.broken else 0)


def _print(renderable: object) -> None:
    from rich.console import Console

    Console().print(renderable)


def main() -> None:
    """Run the command line; a user's mistake is one message and exit code 4, never a traceback."""
    # Small work on many threads spends its time waiting (3 to 6 times the CPU on a busy machine), and
    # results are the same byte for byte only on the same number. Large networks ask for more by themselves.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        code = app(standalone_mode=False)
    except UserError as error:
        sys.stderr.write(f"roadworthy: {error}\n")
        sys.exit(USAGE_ERROR)
    except typer.Abort:
        sys.stderr.write("roadworthy: stopped\n")
        sys.exit(USAGE_ERROR)
    except BrokenPipeError:
        # The reader of a pipe went away (`roadworthy list | head`): nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        # The parser's own exceptions have moved between versions of typer; all have this method.
        message = getattr(error, "format_message", None)
        if message is None:
            raise
        command = getattr(getattr(error, "ctx", None), "command_path", "roadworthy")
        sys.stderr.write(
            f"roadworthy: {message().rstrip('.')}. `{command} --help` shows what there is.\n"
        )
        sys.exit(USAGE_ERROR)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
