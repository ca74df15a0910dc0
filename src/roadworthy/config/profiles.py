"""Profiles: how thoroughly an audit measures. They never change a bound."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from roadworthy.config.sections import ProfileName


@dataclass(frozen=True)
class Profile:
    """Budgets of one profile.

    Parameters
    ----------
    name : str
    summary : str
        In plain words, for help texts and reports.
    resamples : int
        Of every bootstrap, permutation or simulated null.
    repetitions : int
        Of procedures that are repeated with other randomness (planted faults, random orders).
    seeds : int
        Trainings behind a claim about a recipe rather than about one set of weights.
    folds : int
        Of a cross-validation.
    draws : int
        Of the rows behind each point of a learning curve.
    attack : {"quick", "adaptive", "standard"}
        How hard a model is attacked; "standard" is the full protocol of AutoAttack, "adaptive" spends as much only
        where a row or a doubt asks for it.
    required : tuple of str, optional
        Checks that must be decided; None: all that the inputs permit.
    """

    name: ProfileName
    summary: str
    resamples: int
    repetitions: int
    seeds: int
    folds: int
    draws: int
    attack: Literal["quick", "adaptive", "standard"]
    required: tuple[str, ...] | None = None

    def requires(self, check: str) -> bool:
        """Return whether an undecided `check` keeps an audit from being complete."""
        return self.required is None or check in self.required


PROFILES: Mapping[ProfileName, Profile] = {
    "quick": Profile(
        "quick", "a minute or so on a laptop for a small subject", 199, 20, 1, 5, 2, "quick"
    ),
    "standard": Profile("standard", "a release gate", 999, 100, 3, 10, 4, "adaptive"),
    "full": Profile(
        "full", "the full budgets of the published protocols", 4999, 400, 5, 10, 5, "standard"
    ),
}


def profile_options(
    profile: Profile, options: Mapping[str, Collection[str]]
) -> dict[str, dict[str, object]]:
    """Return what a profile sets, for each check or artifact that has an option of that name.

    Parameters
    ----------
    profile : Profile
    options : mapping of node name to its option names

    Examples
    --------
    >>> profile_options(PROFILES["quick"], {"calibration_error": ["bins", "resamples"]})
    {'calibration_error': {'resamples': 199}}
    """
    owned: dict[str, object] = {
        "resamples": profile.resamples,
        "repetitions": profile.repetitions,
        "seeds": profile.seeds,
        "folds": profile.folds,
        "draws": profile.draws,
        "attack": profile.attack,
    }
    chosen = {
        node: {name: owned[name] for name in owned if name in names}
        for node, names in options.items()
    }
    return {node: values for node, values in chosen.items() if values}
