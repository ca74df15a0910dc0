"""Decorators that mark a plain function as an artifact, a check, a fault, a control or a mitigation.

They return the function itself, so that each can be called from a test with plain arrays. What a
function needs is read from its parameter names when a plan is made, never here:

* a positional parameter is the name of an artifact or of a field of the subject;
* one with the default None is an optional need: None where the subject has no such thing;
* `rng` is a `numpy.random.Generator` seeded from the run's seed, the node's name and its options;
* a keyword-only parameter with a default is an option (three at most).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from roadworthy.results import Requirement

F = TypeVar("F", bound=Callable[..., object])
Cost = Literal["light", "forward", "attack", "training"]

ATTRIBUTE = "__roadworthy__"


@dataclass(frozen=True)
class ArtifactMark:
    """A shared quantity. See `artifact`."""

    per: Literal["split"] | None
    shape: str | None
    rows: bool
    stored: bool
    cost: Cost
    streams: bool = False


@dataclass(frozen=True)
class CheckMark:
    """A number held against a requirement; without one it is a note. See `check`."""

    challenge: str
    requires: Requirement | None
    least: int
    cost: Cost
    about: tuple[str, ...] = ()


@dataclass(frozen=True)
class FaultMark:
    """A transform that plants a known defect. See `fault`."""

    breaks: str
    severities: tuple[float, ...]
    starts_from: str | None
    truth: bool


@dataclass(frozen=True)
class ControlMark:
    """A transform that makes a subject clean of one defect. See `control`."""

    clears: str


@dataclass(frozen=True)
class NaturalMark:
    """A loader of published data with a known defect. See `natural_fault`."""

    breaks: str
    data: str


@dataclass(frozen=True)
class MitigationMark:
    """A transform that repairs. See `mitigation`."""

    targets: tuple[str, ...]
    strengths: tuple[float, ...]
    sham: str | None
    repairs: str | None
    at: float | None


@dataclass(frozen=True)
class ShamMark:
    """A transform that goes through the motions of a mitigation without its active part. See `sham`."""


Mark = ArtifactMark | CheckMark | FaultMark | ControlMark | NaturalMark | MitigationMark | ShamMark


def artifact(
    *,
    per: Literal["split"] | None = None,
    shape: str | None = None,
    rows: bool = False,
    stored: bool = True,
    cost: Cost = "light",
    streams: bool = False,
) -> Callable[[F], F]:
    """Mark a function as a shared quantity, computed once and found by its name.

    Parameters
    ----------
    per : {"split", None}
        "split" makes a family: `correct` becomes `train_correct`, `validation_correct`,
        `test_correct`, and its parameter `labels` becomes `train_labels` and so on.
    shape : str, optional
        Shape of the array result in dimension letters, as "n c"; verified when computed.
    rows : bool
        Row i of the result depends on row i of its row-wise inputs alone: the engine may compute it
        in shards, resume at a shard and hand it on memory-mapped.
    stored : bool
        False for live objects (a loaded model): made anew when a consumer needs it, never written.
    cost : {"light", "forward", "attack", "training"}
        What computing it takes, for the order under a budget; "attack" runs the model thousands of times on
        each row, which makes shards smaller.
    streams : bool
        It takes inputs that are no array, and reads their rows in batches or not at all; for all other functions
        they are read into memory, where that is possible. A row-wise quantity is given arrays in any case.
    """
    return _marking(ArtifactMark(per, shape, rows, stored, cost, streams))


def check(
    *,
    challenge: str,
    requires: Requirement | None = None,
    least: int = 1,
    cost: Cost = "light",
    about: tuple[str, ...] = (),
) -> Callable[[F], F]:
    """Mark a function that returns a `Measurement` as a check of `challenge`.

    Parameters
    ----------
    challenge : str
        The room, in the words of the field.
    requires : Requirement, optional
        The bound; None for a descriptive list, whose verdict is `note`.
    least : int
        Least n of the measurement below which the verdict is `inconclusive (insufficient_n)`.
    cost : {"light", "forward", "attack", "training"}
        Of the check itself, without what it needs.
    about : tuple of str
        Fields that the quantity is a property of, where everything else is the instrument that it is estimated
        with: while these are the same, another model changes the estimate and not the truth.
    """
    return _marking(CheckMark(challenge, requires, least, cost, about))


def fault(
    *,
    breaks: str,
    severities: tuple[float, ...],
    starts_from: str | None = None,
    truth: bool = True,
) -> Callable[[F], F]:
    """Mark `(subject, severity, rng, ...artifacts) -> subject` as the planting of a known defect.

    The severity *is the true value* that the check named by `breaks` should find, in its unit,
    when the fault is applied to a subject that the control `starts_from` made clean. Severity 0
    changes nothing. Further positional parameters are artifacts of the subject it is applied to.

    With `truth=False` the severity has a unit of its own (how many rows are left, how many labels are
    noise), because what the check should find follows from training: such a fault is what mitigations are
    proven on, and says nothing of bias or coverage.
    """
    return _marking(FaultMark(breaks, severities, starts_from, truth))


def control(*, clears: str) -> Callable[[F], F]:
    """Mark `(subject, rng, ...artifacts) -> subject` as making the true value of check `clears` zero.

    The truth of a self-test starts here: labels redrawn from a fitted probability model, splits
    redrawn at random, duplicates dropped. The docstring says what is assumed.
    """
    return _marking(ControlMark(clears))


def natural_fault(*, breaks: str, data: str) -> Callable[[F], F]:
    """Mark `(folder) -> Natural` as published data with ground truth.

    `data` is the path of its file below a folder of data sets that the user names; where the file
    is absent the natural fault is skipped, with that reason.
    """
    return _marking(NaturalMark(breaks, data))


def mitigation(
    *,
    targets: str | tuple[str, ...],
    strengths: tuple[float, ...],
    sham: str | None = None,
    repairs: str | None = None,
    at: float | None = None,
) -> Callable[[F], F]:
    """Mark `(subject, strength, ...artifacts) -> subject` as a remedy for what the checks `targets` measure.

    It edits data, recipe, architecture or the wrapper around the model and trains nothing. Strength 0
    changes nothing. Further positional parameters are `rng` and artifacts of the subject it is applied to;
    a remedy that is fitted asks for artifacts of validation rows, never of test rows.

    Parameters
    ----------
    targets : str or tuple of str
        Names of checks, the one it is most meant for first.
    strengths : tuple of float
        Above 0, the weakest first; one of them is chosen on validation rows.
    sham : str, optional
        Name of the function marked by `sham` that is its control. None: doing nothing, where the remedy
        leaves the weights as they are, and training once more with another seed where it trains.
    repairs : str, optional
        Name of the fault that it is proven on.
    at : float, optional
        Severity of that fault; None: its largest.
    """
    named = (targets,) if isinstance(targets, str) else targets
    return _marking(MitigationMark(named, strengths, sham, repairs, at))


def sham() -> Callable[[F], F]:
    """Mark `(subject, strength, rng, ...artifacts) -> subject` as the control of a mitigation.

    It takes as many choices and as much work, with the active part off or drawn at random: what it
    "repairs" is luck. A mitigation names it.
    """
    return _marking(ShamMark())


def mark_of(candidate: object) -> Mark | None:
    """Return the mark of a function, or None where it carries none."""
    return getattr(candidate, ATTRIBUTE, None)


def _marking(mark: Mark) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        assert mark_of(function) is None, f"{function.__qualname__} is marked twice"
        function.__dict__[ATTRIBUTE] = mark
        return function

    return decorate
