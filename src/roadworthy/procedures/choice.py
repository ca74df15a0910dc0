"""Which checks run: all, or those that `only` and `skip` name by challenge or by check."""

from collections.abc import Mapping

from roadworthy.engine import CheckMark, Marked, Registry, suggestion
from roadworthy.errors import UserError


def chosen_checks(
    registry: Registry, only: tuple[str, ...] = (), skip: tuple[str, ...] = ()
) -> Mapping[str, Marked]:
    """Return the chosen checks by name, in the order of challenge and name.

    Raises
    ------
    UserError
        When a name is neither a challenge nor a check, or nothing is left.
    """
    challenge = {name: _challenge(marked) for name, marked in registry.checks.items()}
    known = known_names(registry)
    for option, names in (("--only", only), ("--skip", skip)):
        for name in names:
            if name not in known:
                raise UserError(
                    f'{option} names "{name}", which is neither a challenge nor a check.'
                    f"{suggestion(name, known)} `roadworthy list` shows all."
                )
    kept = [
        name
        for name, room in challenge.items()
        if (not only or name in only or room in only) and name not in skip and room not in skip
    ]
    if not kept:
        raise UserError("--only and --skip together leave no check. `roadworthy list` shows all.")
    return {name: registry.checks[name] for name in sorted(kept, key=lambda n: (challenge[n], n))}


def known_names(registry: Registry) -> set[str]:
    """Return the names of all checks and challenges."""
    return {*registry.checks, *(_challenge(marked) for marked in registry.checks.values())}


def _challenge(marked: Marked) -> str:
    assert isinstance(marked.mark, CheckMark)
    return marked.mark.challenge
