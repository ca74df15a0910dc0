"""The check × fault matrix: who else alarms when a fault is planted, and would not without it."""

from collections.abc import Sequence

from roadworthy.engine import CheckMark, Marked
from roadworthy.procedures.selftest.bench import Bench, seed_of
from roadworthy.procedures.selftest.plan import Trial
from roadworthy.procedures.selftest.records import CrossBatch
from roadworthy.procedures.selftest.repetition import planted_subject
from roadworthy.results import Measurement, Verdict
from roadworthy.statistics import judged
from roadworthy.subject import Subject


def crossed(
    bench: Bench,
    trial: Trial,
    checks: Sequence[Marked],
    severity: float,
    number: int,
    subject_key: str,
) -> dict[str, CrossBatch]:
    """Plant a fault once and ask all checks that can feel it and train nothing.

    A check of which no field differs says the same with and without the fault, and is left out.

    Raises
    ------
    CannotApply
    """
    seed = seed_of(bench.computing.seed, trial.fault.name, "crossing", number)
    before, planted = planted_subject(bench, trial, severity, seed)
    others = [check for check in checks if check.name != trial.check.name]
    felt = [check for check in others if _feels(bench, check, before, planted)]
    names = [check.name for check in felt]
    if not names:
        return {}
    with_fault = bench.outcomes(planted, names, seed)
    without = bench.outcomes(before, names, seed)
    found: dict[str, CrossBatch] = {}
    for check in felt:
        verdict = _verdict(check, with_fault[check.name].value)
        earlier = _verdict(check, without[check.name].value)
        broke = with_fault[check.name].state == "error" and without[check.name].state != "error"
        found[check.name] = CrossBatch(
            subject_key=subject_key,
            seed=bench.computing.seed,
            first=number,
            n=1,
            alarms=int(verdict == "fail"),
            alarms_without=int(earlier == "fail"),
            errors=int(broke),
        )
    return found


def _feels(bench: Bench, check: Marked, before: Subject, planted: Subject) -> bool:
    assert isinstance(check.mark, CheckMark)
    if check.mark.cost == "training":
        return False
    graph = bench.graph(planted, [check.name])
    if any(node.mark.cost == "training" for node in graph.nodes.values()):
        return False
    roots = {
        need.name
        for node in graph.nodes.values()
        for need in node.needs
        if need.name not in graph.nodes
    }
    changed = bench.differing(before, planted)
    return bool(roots & changed)


def _verdict(check: Marked, value: object) -> Verdict | None:
    assert isinstance(check.mark, CheckMark)
    if not isinstance(value, Measurement) or check.mark.requires is None:
        return None
    return judged(value, check.mark.requires, least=check.mark.least).verdict
