"""How strong a remedy is to be, and its sham: what is best on validation rows and harms nothing there.

Both have as many choices, and choose by one rule.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from roadworthy.engine import Marked
from roadworthy.procedures.best_strength import best_strength
from roadworthy.procedures.fix.affordable import light_checks
from roadworthy.procedures.fix.claims import refuse_out_of_time
from roadworthy.procedures.fix.verdict import harm_of_values
from roadworthy.procedures.fix.workshop import Workshop, mark_of, settled
from roadworthy.procedures.paired import Comparison, direction_of, effects_of
from roadworthy.procedures.transforms import CannotApply
from roadworthy.results import Attempt, Measurement
from roadworthy.subject import Subject

NOTHING = "doing nothing"
TRAINED_AGAIN = "the same model trained again with other seeds"


@dataclass(frozen=True, eq=False)
class Chosen:
    """The strength that was best on validation rows without harm there, and what all of them gave.

    `subject` and `strength` are None where none could be measured; `broke` has the traceback where
    something was broken rather than not applicable.
    """

    subject: Subject | None
    strength: float | None
    attempts: tuple[Attempt, ...]
    reason: str = ""
    broke: str | None = None


def chosen_strength(
    shop: Workshop, marked: Marked, target: str, checks: Sequence[str] = ()
) -> Chosen:
    """Apply each strength of a mitigation and keep the best of those that harm none of `checks` on validation rows.

    Raises
    ------
    OutOfTime
    """
    return _best(shop, target, _ladder(shop, marked, mark_of(marked).strengths), checks)


def chosen_sham(
    shop: Workshop, marked: Marked, target: str, made: Subject, checks: Sequence[str] = ()
) -> tuple[str, Chosen]:
    """Return the control of a mitigation and its best, from as many choices and by the same rule.

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
        return mark.sham, _best(shop, target, _ladder(shop, control, mark.strengths), checks)
    if not shop.retrains(made):
        return NOTHING, Chosen(shop.subject, None, ())
    try:
        again = shop.base_reseeded(max(len(mark.strengths), shop.means.seeds))
    except CannotApply as why:
        return TRAINED_AGAIN, Chosen(None, None, (), why.reason, why.traceback)
    tried = [(float(1 + i), partial(_as_it_is, each)) for i, each in enumerate(again)]
    return TRAINED_AGAIN, _best(shop, target, tried[: len(mark.strengths)], checks)


def _ladder(
    shop: Workshop, marked: Marked, strengths: Sequence[float]
) -> list[tuple[float, Callable[[], Subject]]]:
    return [(strength, partial(shop.applied, marked, strength)) for strength in strengths]


def _best(
    shop: Workshop,
    target: str,
    tried: Sequence[tuple[float, Callable[[], Subject]]],
    checks: Sequence[str],
) -> Chosen:
    makes = dict(tried)
    made: dict[float, Subject] = {}

    def value_of(strength: float) -> float:
        made[strength] = makes[strength]()
        return measured_on_validation(shop, made[strength], target).value

    best = best_strength(
        list(makes),
        value_of,
        direction_of(shop.how.requirement(target)),
        lambda strength: harm_on_validation(shop, made[strength], target, checks),
    )
    if best.strength is None:
        return Chosen(None, None, best.attempts, best.reason, best.broke)
    return Chosen(made[best.strength], best.strength, best.attempts, best.reason)


def _as_it_is(subject: Subject) -> Subject:
    return subject


def harm_on_validation(
    shop: Workshop, made: Subject, target: str, checks: Sequence[str]
) -> str | None:
    """Return which required check a subject harms by more than its margin on validation rows; None: none.

    By the values alone: an interval of so few rows rules out harm for hardly anything. Checks that would train or
    attack anew are not asked, because that for every strength is beyond any budget; test rows tell it of the
    chosen one.

    Raises
    ------
    OutOfTime
    """
    before, after = shop.base_on_validation, shop.on(made, "validation")
    required = [c for c in checks if c != target and shop.how.requirement(c) is not None]
    found = Comparison(before, after).values_alone(light_checks(before, after, required))
    refuse_out_of_time(found)
    return harm_of_values(effects_of(found, shop.how, name=""))


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
