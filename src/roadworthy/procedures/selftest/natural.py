"""Natural faults: published data with a known defect, and what the check says of it."""

from collections.abc import Mapping
from pathlib import Path

from roadworthy.engine import CheckMark, Marked, NaturalMark
from roadworthy.engine.isolation import Failure, attempt
from roadworthy.procedures.selftest.bench import Bench, Computing
from roadworthy.procedures.selftest.plan import Skipped
from roadworthy.procedures.selftest.records import NaturalRecord
from roadworthy.procedures.source import VERDICT, code_name, codes
from roadworthy.results import Measurement, Verdict
from roadworthy.statistics import judged
from roadworthy.subject.natural import Natural


def observed(
    natural: Marked,
    checks: Mapping[str, Marked],
    computing: Computing,
    data_dir: Path | None,
    *,
    trains: bool,
) -> NaturalRecord | Skipped | None:
    """Ask the check of a natural fault; None where that check was not chosen.

    `trains` permits the training of a model, which takes minutes on real data.
    """
    mark = natural.mark
    assert isinstance(mark, NaturalMark)
    if mark.breaks not in checks:
        return None
    check = checks[mark.breaks]
    if data_dir is None:
        return Skipped(natural.name, "no folder of published data was named (--data-dir)")
    if not (data_dir / mark.data).exists():
        return Skipped(natural.name, f"{data_dir / mark.data} is not there")
    loaded = attempt(lambda: natural.function(data_dir))
    if isinstance(loaded, Failure):
        return Skipped(natural.name, f"it could not be loaded: {loaded.reason}")
    published = loaded.value
    assert isinstance(published, Natural), f"{natural.name} returned {type(published).__name__}"
    bench = Bench(published.subject, computing)
    cone = bench.cone(check.name)
    if not trains and any(node.mark.cost == "training" for node in cone.nodes.values()):
        return Skipped(
            natural.name, "it needs a model to be trained, which the quick profile leaves"
        )
    outcome = bench.outcomes(published.subject, [check.name], computing.seed)[check.name]
    verdict, value = _judged(check, outcome.state, outcome.value)
    code_of = codes(computing.registry)
    used = (natural, *(node.marked for node in cone.nodes.values()))
    keys = {name: code_of(name) for name in (*(code_name(m) for m in used), VERDICT)}
    return NaturalRecord(
        fault=natural.name,
        check=check.name,
        where=published.where,
        source=published.source,
        expected=tuple(sorted(published.verdict)),
        verdict=verdict,
        value=value.value if value else None,
        low=value.low if value else None,
        high=value.high if value else None,
        n=value.n if value else None,
        reason=outcome.reason or "",
        code={name: key for name, key in keys.items() if key is not None},
    )


def _judged(check: Marked, state: str, value: object) -> tuple[Verdict, Measurement | None]:
    assert isinstance(check.mark, CheckMark)
    if not isinstance(value, Measurement):
        return ("error" if state in ("error", "dependency_failed") else "not_run"), None
    if check.mark.requires is None:
        return "note", value
    return judged(value, check.mark.requires, least=check.mark.least).verdict, value
