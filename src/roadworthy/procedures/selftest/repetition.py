"""One repetition: make clean, plant, compute the check's cone, judge, compare with the truth."""

import time

import numpy as np

from roadworthy.engine import Outcome
from roadworthy.procedures.selftest.bench import Bench, seed_of
from roadworthy.procedures.selftest.ladder import Rung
from roadworthy.procedures.selftest.localisation import Footprint, footprint, share_named
from roadworthy.procedures.selftest.plan import Trial
from roadworthy.procedures.selftest.tally import Repetition
from roadworthy.results import Measurement, Verdict
from roadworthy.statistics import judged
from roadworthy.subject import Subject


def repeated(bench: Bench, trial: Trial, rung: Rung, number: int) -> Repetition:
    """Plant one severity once; `number` alone tells one repetition from another.

    Raises
    ------
    CannotApply
        When control or fault do not apply to this subject, or break.
    """
    clock = time.perf_counter()
    seed = seed_of(
        bench.computing.seed, trial.check.name, trial.fault.name, repr(rung.severity), number
    )
    before, planted = planted_subject(bench, trial, rung.severity, seed)
    outcome = bench.outcomes(planted, [trial.check.name], seed)[trial.check.name]
    # Comparing subjects costs as much as a small check, and only what is harmful must be found.
    touched = footprint(before, planted) if rung.role == "harmful" else told(planted)
    return _judged(trial, rung, outcome, touched, seed, time.perf_counter() - clock)


def planted_subject(
    bench: Bench, trial: Trial, severity: float, seed: int
) -> tuple[Subject, Subject]:
    """Return the subject that the trial's control made clean, and the same with the fault planted."""
    rng = np.random.default_rng(seed)
    clean = bench.subject
    if trial.control is not None:
        clean = bench.applied(trial.control, clean, rng)
    return clean, bench.applied(trial.fault, clean, rng, severity)


def told(planted: Subject) -> Footprint:
    """Return what the fault itself says of what it planted."""
    return footprint(planted, planted)


def _judged(
    trial: Trial, rung: Rung, outcome: Outcome, touched: Footprint, seed: int, seconds: float
) -> Repetition:
    truth = rung.severity if touched.truth is None else touched.truth
    measurement = outcome.value
    if outcome.state == "done" and isinstance(measurement, Measurement):
        judgement = judged(measurement, trial.requirement, least=trial.least)
        return Repetition(
            verdict=judgement.verdict,
            estimate=measurement.value,
            low=measurement.low,
            high=measurement.high,
            truth=truth,
            localised=share_named(touched, measurement),
            seconds=seconds,
            seed=seed,
            n=measurement.n,
            unit=measurement.unit,
            is_fact=measurement.distribution.kind == "fact",
        )
    if outcome.state == "done":
        reason = f"{trial.check.name} returned {type(measurement).__name__}, not a Measurement"
        return _unmeasured("error", truth, seconds, seed, reason)
    is_error = outcome.state in ("error", "dependency_failed")
    reason = outcome.reason or outcome.state
    return _unmeasured("error" if is_error else "not_run", truth, seconds, seed, reason)


def _unmeasured(
    verdict: Verdict, truth: float, seconds: float, seed: int, reason: str
) -> Repetition:
    return Repetition(verdict, None, None, None, truth, None, seconds, seed, reason=reason)
