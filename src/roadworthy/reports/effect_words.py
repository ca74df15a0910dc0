"""How effects are said in words: helped or harmed, by how much, and what came of each repair.

One place, so that page, terminal, pull request and table say the same of the same effect. Numbers are
said as better or worse, never by their sign: for one check less is better, for the next one more.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from roadworthy.reports import wording
from roadworthy.reports.wording import Look
from roadworthy.results import Candidate, Claim, Diff, Effect, Fix, Verdict

State = Literal[
    "harmed", "open", "tolerated", "helped", "none", "noted", "not_measured", "untouched"
]

EFFECTS: Mapping[State, Look] = {
    "harmed": Look("Harmed", "▼", "v", "worse, and the harm may exceed the margin"),
    "open": Look(
        "Harm not ruled out",
        "?",
        "?",
        "no effect shown, but harm may exceed the margin; the number is the most that it may be",
    ),
    "tolerated": Look(
        "Harmed within margin", "▽", "u", "worse, but the whole interval lies within the margin"
    ),
    "helped": Look("Helped", "▲", "^", "better, luck among so many checks allowed for"),
    "none": Look(
        "No effect shown", "≈", "~", "no difference is shown, luck among so many checks allowed for"
    ),
    "noted": Look("Note", "i", "i", "a description; neither direction is better"),
    "not_measured": Look("Not measured", "–", "-", "one side has no number, for the reason given"),
    "untouched": Look("Untouched", "·", ".", "nothing that the check rests on was changed"),
}
STATES: tuple[State, ...] = tuple(EFFECTS)  # worst first
SHOWN: tuple[State, ...] = ("harmed", "open", "tolerated", "helped")  # what a reader must see

OUTCOMES: Mapping[str, Look] = {
    "accepted": Look("Accepted", "✓", "+", "better than its sham, and no harm beyond a margin"),
    "rejected": Look("Rejected", "✗", "x", "the evidence does not carry it, or it may do harm"),
    "error": Look("Error", "!", "!", "it broke; nothing is known of it"),
    "not_applicable": Look("Does not apply", "–", "-", "it cannot be used on this subject"),
    "not_run": Look("Not run", "–", "-", "it was not tried, for the reason given"),
}
SHADES: Mapping[str, Verdict] = {
    "accepted": "pass",
    "rejected": "fail",
    "error": "error",
    "not_applicable": "not_run",
    "not_run": "not_run",
}
CLAIMS: Mapping[str, str] = {
    "these_weights": "These weights",
    "this_remedy": "This remedy",
    "beyond_sham": "Beyond the sham",
    "confirmed": "Confirmed",
}
UNSEALED = "No proof rows were sealed"  # begins the note of a fix without them


@dataclass(frozen=True)
class Amount:
    """An effect's numbers in words, all to one precision.

    `size` and `span`, the interval, are said in the direction of `side`; where the interval reaches
    over zero, `span` names the direction of both its ends. It is "" where nothing is left to chance.
    `worst` is the largest harm within the interval.
    """

    size: str
    span: str
    span_unit: str
    worst: str
    side: Literal["better", "worse", "more", "less", "the same"]
    before: str
    after: str
    change: str
    low: str
    high: str
    unit: str


def state_of(effect: Effect) -> State:
    """Tell harm that is tolerated, and harm that is left open, from the rest."""
    match effect.effect:
        case "harmed":
            return "tolerated" if effect.non_inferior or not effect.required else "harmed"
        case "no_effect_shown" if effect.larger_is == "neither":
            return "noted"
        case "no_effect_shown":
            return "open" if effect.required and effect.non_inferior is False else "none"
        case known:
            return known


def name_words(name: str) -> str:
    """Say a name of the code: "temperature_scaling + dropout" is "Temperature scaling + dropout"."""
    return wording.challenge_words(name)


def in_sentence(name: str) -> str:
    """Say a name of the code within a sentence: "temperature scaling"."""
    return name.replace("_", " ")


def gain(effect: Effect) -> tuple[float, float, float] | None:
    """Give value, low and high of the difference with better above zero; None without a difference."""
    found = effect.difference
    if found is None:
        return None
    if effect.larger_is == "worse":
        return -found.value, -found.high, -found.low
    return found.value, found.low, found.high


def amount(effect: Effect) -> Amount | None:
    """Say by how much; None where there is no difference."""
    found, turned = effect.difference, gain(effect)
    if found is None or turned is None:
        return None
    scale, unit = difference_unit(effect.unit)
    value, low, high = (scale * v for v in (found.value, found.low, found.high))
    decimals = wording.decimals_for(value, low, high, None)

    def said(value: float) -> str:
        return wording.number(scale * value, decimals)

    value, low, high = turned
    good, bad = ("more", "less") if effect.larger_is == "neither" else ("better", "worse")
    digits = None if low == high else decimals  # an exact difference says nothing of their digits
    least, most = sorted((abs(low), abs(high)))
    span = f"{said(least)} to {said(most)}"
    ends = wording.join_unit(span, unit)
    if low < 0 < high:
        span = f"{said(-low)} {bad} to {said(high)} {good}"
        ends = f"{wording.join_unit(said(-low), unit)} {bad} to {said(high)} {good}"
    return Amount(
        size=said(abs(value)),
        span="" if low == high else span,
        span_unit="" if low == high else ends,
        worst=said(max(0.0, -low)),
        side=good if value > 0 else bad if value < 0 else "the same",
        before=_value(effect.before, effect.unit, digits),
        after=_value(effect.after, effect.unit, digits),
        change=_signed(said(found.value)),
        low=_signed(said(found.low)),
        high=_signed(said(found.high)),
        unit=unit,
    )


def difference_unit(unit: str) -> tuple[float, str]:
    """Give factor and words of a difference's unit: shares differ by points of a percentage."""
    scale, shown = wording.percent_unit(unit)
    return scale, "points" if shown.startswith("%") else shown


def amount_words(effect: Effect) -> str:
    """Say the difference: "better by 6.6 points (95 % interval 5.2 to 8.0)"; "" without one."""
    found = amount(effect)
    if found is None:
        return ""
    said = (
        "the same"
        if found.side == "the same"
        else f"{found.side} by {wording.join_unit(found.size, _noun(found.size, found.unit))}"
    )
    if not found.span:
        return f"{said}, counted exactly" if found.side != "the same" else said
    assert effect.difference is not None
    level = wording.plain(100 * effect.difference.level)
    return f"{said} ({level}\u00a0% interval {found.span})"


def passage(effect: Effect) -> str:
    """Say from what to what: "8.7 % → 2.1 %", with a dash where there is no number."""
    found = amount(effect)
    before = found.before if found else _value(effect.before, effect.unit, None)
    after = found.after if found else _value(effect.after, effect.unit, None)
    return f"{before} → {after}"


def margin_number(effect: Effect) -> str:
    """Say the largest harm that is tolerated without its unit, "" where there is none."""
    if effect.margin is None:
        return ""
    return wording.plain(float(f"{difference_unit(effect.unit)[0] * effect.margin:.4g}"))


def margin_words(effect: Effect) -> str:
    """Say the largest harm that is tolerated, "" where there is none."""
    said, unit = margin_number(effect), difference_unit(effect.unit)[1]
    if not said:
        return ""
    return wording.join_unit(said, _noun(said, unit))


def _noun(said: str, unit: str) -> str:
    return "point" if (said, unit) == ("1", "points") else unit


def spoken(effect: Effect) -> str:
    """Say all of an effect in one short paragraph: what a pointer, or a screen reader, asks for."""
    look = EFFECTS[state_of(effect)]
    parts = [f"{name_words(effect.check)}: {look.word.lower()}."]
    if said := amount_words(effect):
        parts.append(f"{wording.sentence(said)} {wording.sentence(passage(effect))}")
    if effect.verdict_before != effect.verdict_after:
        parts.append(wording.sentence(verdict_words(effect)))
    if effect.margin is not None and effect.effect not in ("untouched", "not_measured"):
        parts.append(f"Largest harm tolerated: {margin_words(effect)}.")
    found = effect.difference
    if found is not None and effect.effect != "untouched":
        trainings = f", {wording.counted(found.seeds, 'training')}" if found.seeds > 1 else ""
        parts.append(f"{wording.counted(found.n, 'pair')}{trainings}.")
    if effect.reason:
        parts.append(wording.sentence(effect.reason))
    return " ".join(parts)


def verdict_words(effect: Effect) -> str:
    """Say how the verdict changed: "fail before, pass after"."""
    before, after = (
        wording.LOOKS[v].word.lower() for v in (effect.verdict_before, effect.verdict_after)
    )
    return f"{before} before and after" if before == after else f"{before} before, {after} after"


def short_verdicts(effect: Effect) -> str:
    """Say the verdict, or how it changed, as briefly as a table needs: "fail → pass"."""
    names = (wording.LOOKS[v].word.lower() for v in (effect.verdict_before, effect.verdict_after))
    return " → ".join(dict.fromkeys(names))


def arranged(fix: Fix) -> Fix:
    """Put what is accepted first, then what is rejected, then what was not measured."""
    states = list(OUTCOMES)
    ordered = sorted(fix.candidates, key=lambda candidate: states.index(candidate.state))
    return replace(fix, candidates=tuple(ordered))


def effects_of(fix: Fix, mitigation: str) -> list[Effect]:
    """Give one repair's effects, worst first."""
    return worst_first(e for e in fix.effects if e.mitigation == mitigation)


def worst_first(effects: Iterable[Effect]) -> list[Effect]:
    """Order effects by their state; as they were given within."""
    return sorted(effects, key=lambda e: STATES.index(state_of(e)))


def count_states(effects: Iterable[Effect]) -> dict[State, int]:
    """Count the effects of each state, worst first, zeros included."""
    counts = dict.fromkeys(STATES, 0)
    for effect in effects:
        counts[state_of(effect)] += 1
    return counts


def target_effect(fix: Fix, candidate: Candidate) -> Effect | None:
    """Give what a repair did to the check that it is to repair."""
    of = (candidate.mitigation, candidate.target)
    return next((e for e in fix.effects if (e.mitigation, e.check) == of), None)


def also_changed(fix: Fix, candidate: Candidate) -> list[Effect]:
    """Give the descriptions that an accepted repair changed beyond chance.

    Fewer mistakes are no news without how many rows are no longer answered.
    """
    if not candidate.accepted:
        return []
    noted = (e for e in effects_of(fix, candidate.mitigation) if state_of(e) == "noted")
    return [e for e in noted if e.difference and not e.difference.low <= 0 <= e.difference.high]


def fix_headline(fix: Fix) -> tuple[Verdict, str]:
    """Say in one sentence how many repairs are accepted."""
    accepted = sum(c.accepted for c in fix.candidates)
    tried = sum(c.state in ("accepted", "rejected") for c in fix.candidates)
    if not fix.candidates and not fix.complete:
        return "inconclusive", "No repair was tried: the audit did not come to its end."
    if not fix.candidates and fix.targets:
        return (
            "inconclusive",
            f"No repair is known for {listed([in_sentence(t) for t in fix.targets])}.",
        )
    if not fix.candidates:
        return "note", "No check fails, so there is nothing to repair."
    if accepted:
        return "pass", f"{accepted} of {wording.counted(tried, 'repair')} accepted."
    if tried:
        none = "The one repair that was tried is" if tried == 1 else f"None of {tried} repairs is"
        return "inconclusive", f"{none} {'not ' if tried == 1 else ''}accepted."
    broke = sum(c.state == "error" for c in fix.candidates)
    return ("error" if broke else "not_run"), "No repair could be measured."


def gist(fix: Fix, candidate: Candidate) -> str:
    """Say what one repair came to, for someone who decides."""
    name = wording.sentence(in_sentence(candidate.mitigation)).rstrip(".")
    target, effect = in_sentence(candidate.target), target_effect(fix, candidate)
    if not candidate.accepted or effect is None or effect.difference is None:
        state = OUTCOMES[candidate.state].word.lower()
        return f"{name}: {state}. {wording.sentence(candidate.reason)}".strip()
    return (
        f"{name} brings {target} from {passage(effect).replace(' → ', ' to ')}, "
        f"{amount_words(effect)}, and {harm_words(effects_of(fix, candidate.mitigation))}."
        f"{_also(fix, candidate)}"
    )


def _also(fix: Fix, candidate: Candidate) -> str:
    said = [
        f"{in_sentence(e.check)} from {passage(e).replace(' → ', ' to ')}"
        for e in also_changed(fix, candidate)
    ]
    return f" It also changes {listed(said)}." if said else ""


def rest_words(fix: Fix) -> str:
    """Name the repairs that are not accepted, by what became of them."""
    said: list[str] = []
    for state, look in OUTCOMES.items():
        names = [in_sentence(c.mitigation) for c in fix.candidates if c.state == state]
        if names and state != "accepted":
            said.append(f"{look.word}: {listed(names)}.")
    return " ".join(said)


def harm_words(effects: Sequence[Effect]) -> str:
    """Say what an accepted repair harms."""
    worse = [in_sentence(e.check) for e in effects if state_of(e) in ("harmed", "tolerated")]
    if worse:
        return f"makes {listed(worse)} worse, within the margin"
    return "no harm is shown"


def listed(names: Sequence[str], most: int = 4) -> str:
    """Put names in a row: "a, b and c", "a, b, c, d and 3 more"."""
    shown = list(names[:most])
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most} more"
    return " and ".join([*([", ".join(shown[:-1])] if len(shown) > 1 else []), *shown[-1:]])


def diff_headline(diff: Diff) -> tuple[Verdict, str]:
    """Say in one sentence what got worse."""
    counts = count_states(diff.effects)
    worse = counts["harmed"] + counts["tolerated"]
    measured = sum(counts[s] for s in (*SHOWN, "none", "untouched"))
    if counts["harmed"]:
        verb = "is" if worse == 1 else "are"
        beyond = "for one" if counts["harmed"] == 1 else f"for {counts['harmed']}"
        said = "and the harm" if worse == 1 else f"{beyond} of them the harm"
        return "fail", (
            f"{worse} of {wording.counted(measured, 'check')} {verb} worse, {said} may exceed its margin."
        )
    if counts["open"]:
        return "inconclusive", (
            f"No harm beyond a margin is shown, but for {wording.counted(counts['open'], 'check')} "
            "it is not ruled out."
        )
    if not measured:
        return "inconclusive", "Nothing could be compared."
    if worse:
        return "pass", f"{worse} of {wording.counted(measured, 'check')} worse, within the margin."
    return "pass", (
        f"No harm is shown on any of {wording.counted(measured, 'check')}, "
        "and harm beyond a margin is ruled out."
    )


def pairing_words(diff: Diff) -> str:
    """Say whether the two were measured on the same rows."""
    if diff.paired:
        return f"Paired over {wording.counted(diff.paired, 'test row')} that both have."
    return "Not paired: measured on different rows, so that only large differences show."


def proof_words(fix: Fix) -> str:
    """Say how often the sealed rows were looked at."""
    if any(note.startswith(UNSEALED) for note in fix.notes):
        return "No rows are sealed for a proof: what is accepted is confirmed by turns on fifths of the test rows."
    if not fix.openings:
        return "The sealed proof rows were not opened."
    last = max(opening.time for opening in fix.openings)
    if last == 1:
        return "The sealed proof rows were opened once, for the first time."
    n = len(fix.openings)
    here = "once in this run" if n == 1 else f"{n} times in this run"
    said = here if n == last else f"{here}, {last} times in all"
    return f"The sealed proof rows were opened {said}: each opening leaves them less to prove."


def claim_mark(claim: Claim) -> tuple[str, str]:
    """Return sign and word of a claim: what was not measured is not said to fail."""
    if claim.holds:
        return "✓", "holds"
    if claim.difference is None:
        return "–", "not measured"
    return "✗", "not shown"


def worth_saying(fix: Fix) -> list[str]:
    """Return the notes on what was and was not tried, without what is said elsewhere."""
    known = (*fix.subject.notes, fix_headline(fix)[1])
    return [note for note in fix.notes if note not in known and not note.startswith(UNSEALED)]


def _value(value: float | None, unit: str, decimals: int | None) -> str:
    if value is None:
        return "–"
    scale, shown = wording.percent_unit(unit)
    said = (
        wording.plain(float(f"{scale * value:.3g}"))
        if decimals is None
        else wording.number(scale * value, decimals)
    )
    return wording.join_unit(said, "%") if shown.startswith("%") else said


def _signed(said: str) -> str:
    return said if said.startswith("−") or not said.strip("0.,") else f"+{said}"
