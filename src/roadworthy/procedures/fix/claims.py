"""What is said of a remedy, each with its evidence: these weights, beyond its sham, the remedy itself, confirmed."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np

from roadworthy.engine.identity import Identifier
from roadworthy.engine.keys import keys_of
from roadworthy.procedures.fix.standing_in import with_some_test_rows, with_test_rows_of
from roadworthy.procedures.fix.words import change_in_words, named
from roadworthy.procedures.fix.workshop import OutOfTime, Workshop, positions, settled
from roadworthy.procedures.paired import (
    Compared,
    Comparison,
    Side,
    difference_of,
    direction_of,
)
from roadworthy.procedures.proof import ProofLog, hash_of_rows
from roadworthy.results import Claim, Difference, Estimate, Measurement, Opening
from roadworthy.results.effects import ClaimName, Rows
from roadworthy.statistics import interval_of, measured
from roadworthy.subject import Subject

FOLDS = 5
LEAST_FOLD = 10  # rows
NORMAL = 1.959963984540054


@dataclass(frozen=True)
class Claimed:
    """A claim, and the distribution that its interval is read from."""

    claim: Claim
    measurement: Measurement | None = None


def compared_on(before: Side, after: Side, checks: list[str]) -> dict[str, Compared]:
    """Compare two sides.

    Raises
    ------
    OutOfTime
        Where one side of a check was not reached.
    """
    found = Comparison(before, after).compared(checks)
    refuse_out_of_time(found)
    return found


def refuse_out_of_time(found: Mapping[str, Compared]) -> None:
    """Raise `OutOfTime` where one side of a check was not reached."""
    for each in found.values():
        for outcome in (each.before, each.after):
            if outcome.state == "budget":
                raise OutOfTime(outcome.reason)


def rows_of(shop: Workshop, target: str) -> Rows:
    """Return the rows that a check rests on: "train" where its identity is the same with other test rows."""
    sides = (shop.base, shop.on(shop.subject, "validation"))
    identifier = Identifier(shop.registry.packages)
    keys = [keys_of(side.graph([target]), identifier, shop.how.seed).get(target) for side in sides]
    known = keys[0] is not None and not keys[0].unknown
    return "train" if known and keys[0] == keys[1] else "test"


def claim_of(
    shop: Workshop,
    name: ClaimName,
    target: str,
    compared: Compared,
    *,
    words: tuple[str, str],
    rows: Rows = "test",
    level: float = 0.95,
) -> Claimed:
    """Return whether the whole interval lies on the good side, with the sentence that says so.

    Parameters
    ----------
    words : tuple of str
        What is compared, and with what: ("the repaired model", "the original").
    """
    if compared.difference is None:
        said = f"Not measured: {named(target)} has no value on both sides ({compared.reason})."
        return Claimed(Claim(name, holds=False, statement=said, rows=rows))
    difference = difference_of(compared.difference, level)
    return judged(shop, name, target, difference, compared.difference, words=words, rows=rows)


def nothing_to_confirm(target: str) -> Claimed:
    """Return the last claim of a check that sealed rows cannot speak of."""
    said = (
        f"{named(target)} is measured on the data that are trained on, which a repair changes and no sealed test row "
        "can confirm; whether the model is better for it is told by the checks of its answers"
    )
    return not_claimed("confirmed", said, "train")


def judged(
    shop: Workshop,
    name: ClaimName,
    target: str,
    difference: Difference,
    measurement: Measurement,
    *,
    words: tuple[str, str],
    rows: Rows = "test",
    note: str = "",
) -> Claimed:
    """Return the claim that a difference carries or does not."""
    larger_is = direction_of(shop.how.requirement(target))
    better = is_better(shop, target, difference)
    what, against = words
    said = (
        f"{what} is better than {against}"
        if better
        else f"{what} is not shown to be better than {against}"
    )
    statement = (
        f"{said[0].upper()}{said[1:]}: {named(target)} is "
        f"{change_in_words(difference, measurement.unit, larger_is)}.{note}"
    )
    return Claimed(Claim(name, better, statement, rows, difference), measurement)


def is_better(shop: Workshop, target: str, difference: Difference) -> bool:
    """Whether the whole interval lies on the good side."""
    larger_is = direction_of(shop.how.requirement(target))
    return difference.high < 0.0 if larger_is == "worse" else difference.low > 0.0


def this_remedy(
    shop: Workshop,
    target: str,
    before: tuple[Subject, ...],
    after: tuple[Subject, ...],
    these: Measurement,
) -> Claimed:
    """Compare trainings under several seeds: their spread and that of the test rows together.

    The mean difference over s seeds; its variance is that between seeds over s plus that from redrawing test
    rows, which all seeds share (as for `these`); Student's t with s - 1 degrees of freedom.
    """
    differences = np.array(
        [
            _value(shop, other, target) - _value(shop, one, target)
            for one, other in zip(before, after, strict=True)
        ]
    )
    s = len(differences)
    low, high = interval_of(these.distribution)
    of_rows = (high - low) / (2.0 * NORMAL)
    of_seeds = float(differences.std(ddof=1)) / sqrt(s)
    mean = float(differences.mean())
    method = f"mean over {s} seeds; variance between seeds and of test rows, t with {s - 1}"
    found = measured(
        mean,
        these.n,
        Estimate(mean, sqrt(of_rows**2 + of_seeds**2), s - 1),
        unit=these.unit,
        method=method,
    )
    difference = difference_of(found, seeds=s)
    words = f"trained {s} times, the remedy", f"the original trained {s} times"
    return judged(shop, "this_remedy", target, difference, found, words=words)


def not_claimed(name: ClaimName, reason: str, rows: Rows = "test") -> Claimed:
    """Return a claim that nothing was measured for."""
    return Claimed(Claim(name, holds=False, statement=f"Not measured: {reason}.", rows=rows))


@dataclass(frozen=True)
class Confirmed:
    """The last claim, and the opening of proof rows that it took."""

    claimed: Claimed
    opening: Opening | None = None


def confirmed_on_proof(
    shop: Workshop, log: ProofLog, made: Subject, mitigation: str, target: str
) -> Confirmed:
    """Open the sealed rows, log that, and measure the target on them.

    Raises
    ------
    OutOfTime
    """
    base = shop.on(shop.subject, "proof")
    n = shop.subject.splits["proof"].n
    look = log.open(
        subject=shop.key(shop.subject),
        rows=_hash_of_test_rows(shop, base),
        n=n,
        mitigation=mitigation,
        target=target,
        what=shop.key(with_test_rows_of(made, "proof")),
    )
    found = compared_on(base, shop.on(made, "proof"), [target])[target]
    opening = Opening(mitigation, target, look.when, n, look.time)
    if found.difference is None:
        said = f"{named(target)} cannot be measured on the proof rows ({found.reason})"
        return Confirmed(not_claimed("confirmed", said, "proof"), opening)
    times = (
        ""
        if look.time == 1
        else f" These rows were opened {_times(look.time - 1)} before, so the interval is at {100 * look.level:.4g} %."
    )
    claimed = judged(
        shop,
        "confirmed",
        target,
        difference_of(found.difference, look.level),
        found.difference,
        words=("on untouched rows the repaired model", "the original"),
        rows="proof",
        note=times,
    )
    return Confirmed(claimed, opening)


def confirmed_by_folds(shop: Workshop, made: Subject, sham: Subject, target: str) -> Confirmed:
    """Decide on four fifths of the test rows, measure on the last; pool the fifths where it was chosen.

    For subjects without sealed rows.

    Raises
    ------
    OutOfTime
    """
    n = shop.subject.splits["test"].n
    if n < FOLDS * LEAST_FOLD:
        said = f"{n} test rows are too few to decide on four fifths and measure on the last; "
        said += f"{FOLDS * LEAST_FOLD} are needed"
        return Confirmed(not_claimed("confirmed", said, "test, cross-fitted"))
    fold = positions(n, FOLDS, shop.how.seed)
    chosen = [f for f in range(FOLDS) if _decided(shop, made, sham, target, fold != f)]
    if not chosen:
        said = "on four fifths of the test rows it would not have been chosen, whichever fifth is left out"
        return Confirmed(not_claimed("confirmed", said, "test, cross-fitted"))
    rows = np.flatnonzero(np.isin(fold, chosen))
    found = _on_rows(shop, shop.subject, made, target, rows)
    if found.difference is None:
        said = f"{named(target)} cannot be measured on these rows ({found.reason})"
        return Confirmed(not_claimed("confirmed", said, "test, cross-fitted"))
    note = (
        f" There are no sealed proof rows: it was chosen on four fifths of the test rows and measured on the last, "
        f"in {len(chosen)} of {FOLDS} folds."
    )
    claimed = judged(
        shop,
        "confirmed",
        target,
        difference_of(found.difference),
        found.difference,
        words=("on rows that it was not chosen on the repaired model", "the original"),
        rows="test, cross-fitted",
        note=note,
    )
    return Confirmed(claimed)


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


def _decided(shop: Workshop, made: Subject, sham: Subject, target: str, kept: np.ndarray) -> bool:
    rows = np.flatnonzero(kept)
    against = [shop.subject] if sham is shop.subject else [shop.subject, sham]
    for other in against:
        found = _on_rows(shop, other, made, target, rows)
        if found.difference is None or not is_better(shop, target, difference_of(found.difference)):
            return False
    return True


def _on_rows(
    shop: Workshop, before: Subject, after: Subject, target: str, rows: np.ndarray
) -> Compared:
    one, other = (shop.side(with_some_test_rows(each, rows)) for each in (before, after))
    return compared_on(one, other, [target])[target]


def _hash_of_test_rows(shop: Workshop, side: Side) -> str:
    known: Mapping[str, object] = {}
    if "row_ids" in shop.registry.artifacts:
        known = side.values(["test_row_ids"])
    ids = known.get("test_row_ids")
    return hash_of_rows(ids if isinstance(ids, np.ndarray) else side.fields["test_source_rows"])


def _value(shop: Workshop, subject: Subject, target: str) -> float:
    found = settled(shop.side(subject).outcomes([target])[target])
    assert isinstance(found, Measurement)
    return found.value
