"""The effects matrix laid out: repairs as rows, checks as columns by challenge, and what each cell says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from roadworthy.reports import cost_words, effect_words, wording
from roadworthy.reports.effect_words import EFFECTS, Amount, State
from roadworthy.reports.wording import Look
from roadworthy.results import Candidate, Effect, Fix

MOST_COLUMNS = (
    24  # more cannot be taken in at a glance: those without any effect then stand together
)
FREE = 0.08  # of the line's half, beyond the outermost mark
QUIET: tuple[State, ...] = ("none", "noted", "untouched", "not_measured")


@dataclass(frozen=True)
class Glyph:
    """A difference on a short line, in per cent from the left: zero in the middle, better to the right."""

    low: float
    high: float
    value: float
    margin: float | None


@dataclass(frozen=True)
class Column:
    """A check, or (`names` longer than one) those of a challenge on which nothing had an effect."""

    names: tuple[str, ...]
    name: str
    unit: str
    title: str

    @property
    def check(self) -> str:
        """The one check; "" where there are several."""
        return self.names[0] if len(self.names) == 1 else ""


@dataclass(frozen=True)
class Group:
    """The columns of one challenge."""

    key: str
    name: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Cell:
    """What a repair did to a check, at a glance (`size`, `glyph`) and in words (`spoken`)."""

    column: Column
    state: State
    look: Look
    target: bool
    size: str
    span: str
    verdicts: str
    glyph: Glyph | None
    spoken: str
    anchor: str
    first: bool


@dataclass(frozen=True)
class Row:
    """A repair; no cells where nothing of it was measured."""

    candidate: Candidate
    cells: tuple[Cell, ...]
    costs: tuple[cost_words.CostChange, ...]
    anchor: str


@dataclass(frozen=True)
class Matrix:
    """The whole picture; `untouched` and `unmeasured` are the checks without a column, by challenge."""

    groups: tuple[Group, ...]
    rows: tuple[Row, ...]
    untouched: tuple[tuple[str, tuple[str, ...]], ...]
    unmeasured: tuple[tuple[str, tuple[str, ...]], ...]
    states: tuple[State, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns, from left to right."""
        return tuple(column for group in self.groups for column in group.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """What each column is called where no challenge stands above it."""
        return tuple(
            column.name if column.check else f"{group.name}: {column.name}"
            for group in self.groups
            for column in group.columns
        )


def matrix(fix: Fix, most: int = MOST_COLUMNS) -> Matrix:
    """Lay out a fix; checks that nothing touched, or that were never measured, have no column."""
    fix = effect_words.arranged(fix)
    by_check: dict[str, list[Effect]] = {}
    for effect in fix.effects:
        by_check.setdefault(effect.check, []).append(effect)
    moved = {
        check: effects
        for check, effects in by_check.items()
        if any(e.effect not in ("untouched", "not_measured") for e in effects)
    }
    rest = [effects[0] for check, effects in by_check.items() if check not in moved]
    targets = tuple(dict.fromkeys(candidate.target for candidate in fix.candidates))
    groups = _groups(moved, targets, most)
    scales = {check: _scale(effects) for check, effects in moved.items()}
    rows = tuple(_row(fix, i, groups, scales) for i in range(len(fix.candidates)))
    shown = {cell.state for row in rows for cell in row.cells}
    return Matrix(
        groups=groups,
        rows=rows,
        untouched=_by_challenge(e for e in rest if _untouched(by_check[e.check])),
        unmeasured=_by_challenge(e for e in rest if not _untouched(by_check[e.check])),
        states=tuple(state for state in effect_words.STATES if state in shown),
    )


def glyph(effect: Effect, scale: float | None = None) -> Glyph | None:
    """Lay out one difference, on a scale of its own unless one is given; None without a difference."""
    turned = effect_words.gain(effect)
    if turned is None:
        return None
    half = (reach(effect) if scale is None else scale) * (1 + FREE)

    def place(value: float) -> float:
        return round(50 + 50 * max(-1.0, min(1.0, value / half)), 1) if half else 50.0

    value, low, high = turned
    margin = None if effect.margin is None else place(-effect.margin)
    return Glyph(place(low), place(high), place(value), margin)


def anchor(*names: str) -> str:
    """Make an id of names, other names giving other ids."""
    return "-".join(
        "".join(
            c if c.isascii() and c.isalnum() else f"_{ord(c):x}_" for c in name.replace(" ", "")
        )
        for name in names
    )


def _groups(
    moved: Mapping[str, Sequence[Effect]], targets: Sequence[str], most: int
) -> tuple[Group, ...]:
    """Put challenges with a target first, for there the eye begins, and in each its targets."""
    quiet = {check for check, effects in moved.items() if _quiet(effects)} - set(targets)
    gathered: set[str] = quiet if len(moved) > most else set()
    challenges: dict[str, list[Effect]] = {}
    aimed = [check for check in targets if check in moved]
    for check in (*aimed, *(check for check in moved if check not in aimed)):
        challenges.setdefault(moved[check][0].challenge, []).append(moved[check][0])
    groups: list[Group] = []
    for challenge, firsts in challenges.items():
        ordered = sorted(firsts, key=lambda e: (e.check not in targets, _worst(moved[e.check])))
        columns = [_column(e) for e in ordered if e.check not in gathered]
        together = tuple(e.check for e in ordered if e.check in gathered)
        if together:
            name = f"{len(together)} more" if columns else wording.counted(len(together), "check")
            said = ", ".join(effect_words.in_sentence(check) for check in together)
            columns.append(Column(together, name, "", f"No effect of anything is shown on: {said}"))
        groups.append(Group(challenge, wording.challenge_words(challenge), tuple(columns)))
    return tuple(groups)


def _column(effect: Effect) -> Column:
    _, unit = effect_words.difference_unit(effect.unit)
    name = effect_words.name_words(effect.check)
    return Column((effect.check,), name, unit, effect.title or name)


def _row(fix: Fix, i: int, groups: Sequence[Group], scales: Mapping[str, float]) -> Row:
    candidate = fix.candidates[i]
    own = {e.check: e for e in fix.effects if e.mitigation == candidate.mitigation}
    cells = [
        _cell(candidate, column, own, scales, place == 0)
        for group in groups
        for place, column in enumerate(group.columns)
    ]
    return Row(
        candidate=candidate,
        cells=tuple(cells) if own else (),
        costs=cost_words.costs(candidate.before, candidate.after),
        anchor=anchor("repair", candidate.mitigation),
    )


def _cell(
    candidate: Candidate,
    column: Column,
    own: Mapping[str, Effect],
    scales: Mapping[str, float],
    first: bool,
) -> Cell:
    effect = own.get(column.check)
    if effect is None:
        return _gathered(column, own, first)
    state, amount = effect_words.state_of(effect), effect_words.amount(effect)
    before = wording.LOOKS[effect.verdict_before].symbol
    after = wording.LOOKS[effect.verdict_after].symbol
    measured = amount is not None and state != "untouched"
    return Cell(
        column=column,
        state=state,
        look=EFFECTS[state],
        target=effect.check == candidate.target,
        size=_size(state, amount),
        span=amount.span_unit if amount and measured else "",
        verdicts=f"{before}→{after}" if measured and before != after else "",
        glyph=glyph(effect, scales[effect.check]) if measured else None,
        spoken=effect_words.spoken(effect),
        anchor=anchor("effect", candidate.mitigation, effect.check),
        first=first,
    )


def _size(state: State, amount: Amount | None) -> str:
    """Say what a glance needs: how large the effect is, or the harm that is not ruled out."""
    if amount is None or state in ("none", "untouched"):
        return ""
    return f"≤{amount.worst}" if state == "open" else amount.size


def _gathered(column: Column, own: Mapping[str, Effect], first: bool) -> Cell:
    """Say of several checks at once that nothing is shown, or of one that nobody measured it."""
    counts = effect_words.count_states(own[name] for name in column.names if name in own)
    known: list[tuple[State, int]] = [(kind, count) for kind, count in counts.items() if count]
    state: State = known[0][0] if known else "not_measured"
    said = ", ".join(f"{count} {EFFECTS[kind].word.lower()}" for kind, count in known)
    return Cell(
        column=column,
        state=state,
        look=EFFECTS[state],
        target=False,
        size="" if column.check or not known else str(known[0][1]),
        span="",
        verdicts="",
        glyph=None,
        spoken=f"{column.name}: {said or EFFECTS['not_measured'].word.lower()}.",
        anchor="",
        first=first,
    )


def _scale(effects: Iterable[Effect]) -> float:
    """Give a column one scale, so that its cells can be compared."""
    return max((reach(effect) for effect in effects), default=0.0)


def reach(effect: Effect) -> float:
    """Give how far from zero a difference and its margin go."""
    turned = effect_words.gain(effect)
    return 0.0 if turned is None else max(*map(abs, turned), effect.margin or 0.0)


def _worst(effects: Iterable[Effect]) -> int:
    order = effect_words.STATES
    return min(order.index(effect_words.state_of(e)) for e in effects)


def _quiet(effects: Iterable[Effect]) -> bool:
    return all(effect_words.state_of(e) in QUIET for e in effects)


def _untouched(effects: Iterable[Effect]) -> bool:
    return any(e.effect == "untouched" for e in effects)


def _by_challenge(effects: Iterable[Effect]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found: dict[str, list[str]] = {}
    for effect in effects:
        found.setdefault(effect.challenge, []).append(effect.check)
    return tuple((wording.challenge_words(c), tuple(names)) for c, names in found.items())
