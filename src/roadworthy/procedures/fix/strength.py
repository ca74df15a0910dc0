"""How strong a remedy is to be, and its sham: what is best on validation rows, with as many choices."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from roadworthy.engine import Marked
from roadworthy.procedures.best_strength import best_strength
from roadworthy.procedures.fix.workshop import Workshop, mark_of, settled
from roadworthy.procedures.paired import direction_of
from roadworthy.procedures.transforms import CannotApply
from roadworthy.results import Attempt, Measurement
from roadworthy.subject import Subject

NOTHING = "doing nothing"
TRAINED_AGAIN = "the same model trained again with other seeds"


@dataclass(frozen=True, eq=False)
class Chosen:
    """The strength that was best on validation rows, and what all of them gave.

    `subject` and `strength` are None where none could be measured; `broke` has the traceback where
    something was broken rather than not applicable.
    """

    subject: Subject | None
    strength: float | None
    attempts: tuple[Attempt, ...]
    reason: str = ""
    broke: str | None = None


def chosen_strength(shop: Workshop, marked: Marked, target: str) -> Chosen:
    """Apply each strength of a mitigation and keep the best.

    Raises
    ------
    OutOfTime
    """
    return _best(shop, target, _ladder(shop, marked, mark_of(marked).strengths))


def chosen_sham(shop: Workshop, marked: Marked, target: str, made: Subject) -> tuple[str, Chosen]:
    """Return the control of a mitigation and its best, from as many choices as the mitigation had.

    Raises
    ------
    OutOfTime
    """
    mark = mark_of(marked)
    if mark.sham is not None:
        control = shop.registry.shams.get(mark.sham)
        if control is None:
            said = f"its sham {mark.sham} does not exist; mark a function of that name with @sham()"
            return mark.sham, Chosen(None, None, (), said, broke=said)
        return mark.sham, _best(shop, target, _ladder(shop, control, mark.strengths))
    if not shop.retrains(made):
        return NOTHING, Chosen(shop.subject, None, ())
    try:
        again = shop.base_reseeded(max(len(mark.strengths), shop.means.seeds))
    except CannotApply as why:
        return TRAINED_AGAIN, Chosen(None, None, (), why.reason, why.traceback)
    tried = [(float(1 + i), partial(_as_it_is, each)) for i, each in enumerate(again)]
    return TRAINED_AGAIN, _best(shop, target, tried[: len(mark.strengths)])


def _ladder(
    shop: Workshop, marked: Marked, strengths: Sequence[float]
) -> list[tuple[float, Callable[[], Subject]]]:
    return [(strength, partial(shop.applied, marked, strength)) for strength in strengths]


def _best(
    shop: Workshop, target: str, tried: Sequence[tuple[float, Callable[[], Subject]]]
) -> Chosen:
    makes = dict(tried)
    made: dict[float, Subject] = {}

    def value_of(strength: float) -> float:
        made[strength] = makes[strength]()
        return measured_on_validation(shop, made[strength], target).value

    best = best_strength(list(makes), value_of, direction_of(shop.how.requirement(target)))
    if best.strength is None:
        return Chosen(None, None, best.attempts, best.reason, best.broke)
    return Chosen(made[best.strength], best.strength, best.attempts, best.reason)


def _as_it_is(subject: Subject) -> Subject:
    return subject


def measured_on_validation(shop: Workshop, subject: Subject, target: str) -> Measurement:
    """Measure a check with the validation rows in the place of the test rows.

    Raises
    ------
    CannotApply
        Where it cannot be measured.
    OutOfTime
    """
    found = settled(shop.on(subject, "validation").outcomes([target])[target])
    assert isinstance(found, Measurement)
    return found
