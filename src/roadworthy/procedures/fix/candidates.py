"""Which remedies are tried, and on which check each of them is judged."""

from collections.abc import Sequence
from dataclasses import dataclass

from roadworthy.engine import CheckMark, Marked, Registry, suggestion
from roadworthy.errors import UserError
from roadworthy.procedures.fix.workshop import mark_of
from roadworthy.results import Finding


@dataclass(frozen=True)
class Plan:
    """What is to be repaired, and with what.

    Parameters
    ----------
    targets : tuple of str
        Checks that failed (or were asked for), in the order of the audit.
    failing : tuple of str
        Those of them that failed: each needs a remedy.
    trials : tuple of (Marked, str)
        A mitigation and the check that it is judged on.
    """

    targets: tuple[str, ...]
    failing: tuple[str, ...]
    trials: tuple[tuple[Marked, str], ...]


def planned(
    registry: Registry,
    findings: Sequence[Finding],
    only: tuple[str, ...],
    also: tuple[str, ...] = (),
) -> Plan:
    """Return the mitigations that failing checks ask for, or those that `only` names.

    Parameters
    ----------
    registry : Registry
    findings : sequence of Finding
    only : tuple of str
        Names of mitigations, checks or challenges.
    also : tuple of str
        Mitigations that are tried beside what fails, where `only` is empty.

    Raises
    ------
    UserError
        When `only` names what does not exist.
    """
    mitigations = registry.mitigations
    asked = asked_checks(registry, only)
    named = [name for name in only if name in mitigations] if only else also
    failing = [f.check for f in findings if f.verdict == "fail"]
    order = [f.check for f in findings]
    if not only:
        targets = failing
    elif asked:
        # A challenge that is asked for is repaired where it fails; a check that is asked for, anyhow.
        broad = {c for c in asked if c not in only}
        targets = [c for c in order if c in asked and (c in failing or c not in broad)]
        targets = targets or [c for c in order if c in asked]
    else:
        targets = []
    trials: list[tuple[Marked, str]] = []
    for name, marked in mitigations.items():
        aims = [t for t in mark_of(marked).targets if t in registry.checks]
        if name in named:
            # One that aims at nothing that exists is told, not left out in silence.
            fitting = [t for t in aims if t in failing] or aims or list(mark_of(marked).targets)
        elif only and not asked:
            fitting = []
        else:
            fitting = [t for t in aims if t in targets]
        if fitting:
            trials.append((marked, fitting[0]))
    for _, target in trials:
        if target not in targets:
            targets = [*targets, target]
    return Plan(
        targets=tuple(targets),
        failing=tuple(t for t in targets if t in failing),
        trials=tuple(trials),
    )


def asking_for(registry: Registry, option: str) -> tuple[str, ...]:
    """Return the mitigations that have an option of this name."""
    return tuple(
        name
        for name, marked in registry.mitigations.items()
        if any(p.name == option for p in marked.parameters)
    )


def asked_checks(registry: Registry, only: tuple[str, ...]) -> set[str]:
    """Return the checks that `only` names, by themselves or by their challenge.

    Raises
    ------
    UserError
        When a name is no mitigation, check or challenge.
    """
    challenge = {
        name: marked.mark.challenge
        for name, marked in registry.checks.items()
        if isinstance(marked.mark, CheckMark)
    }
    known = {*registry.mitigations, *challenge, *challenge.values()}
    for name in only:
        if name not in known:
            raise UserError(
                f'--only names "{name}", which is no mitigation, check or challenge.'
                f"{suggestion(name, known)} `roadworthy list` shows all."
            )
    return {c for c, room in challenge.items() if c in only or room in only}
