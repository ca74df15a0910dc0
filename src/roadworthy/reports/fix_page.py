"""What a fix tried and what came of it, as one HTML page that opens with the effects matrix."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from roadworthy.reports import cost_words, document, effect_words, wording
from roadworthy.reports.effect_words import Amount, State
from roadworthy.reports.figures import Limits
from roadworthy.reports.matrix import MOST_COLUMNS, Glyph, anchor, glyph, matrix, reach
from roadworthy.reports.page import MOST_BYTES, Exhibit, Room, exhibit
from roadworthy.reports.wording import Look
from roadworthy.results import Attempt, Axis, Candidate, Claim, Curve, Effect, Fix, Series

STYLES = ("report.css", "effects.css")
ROOM = Room(Limits(points=60, labels=20), rows=40, pictures=0, evidence=1)


@dataclass(frozen=True)
class Extent:
    """How much of a fix a page shows: the first of these that fits the size is taken."""

    candidates: int
    effects: int
    columns: int
    figures: bool = True


EXTENTS = (
    Extent(candidates=200, effects=1000, columns=MOST_COLUMNS),
    Extent(candidates=200, effects=40, columns=MOST_COLUMNS),
    Extent(candidates=100, effects=8, columns=12, figures=False),
    Extent(candidates=20, effects=8, columns=12, figures=False),
)


@dataclass(frozen=True)
class EffectView:
    """An effect with everything that a page says of it."""

    effect: Effect
    state: State
    look: Look
    name: str
    amount: Amount | None
    glyph: Glyph | None
    anchor: str


@dataclass(frozen=True)
class ClaimView:
    """A claim with its difference in words and laid out, all of a repair on one scale."""

    claim: Claim
    name: str
    said: str
    glyph: Glyph | None


@dataclass(frozen=True)
class CandidateView:
    """A repair with everything that the page says of it."""

    candidate: Candidate
    name: str
    look: Look
    shade: str
    anchor: str
    target: EffectView | None
    claims: tuple[ClaimView, ...]
    exhibit: Exhibit | None
    effects: tuple[EffectView, ...]
    untouched: int
    left_out: int
    costs: tuple[cost_words.CostChange, ...]
    training: str
    open: bool


def fix_html(fix: Fix) -> str:
    """Write a fix as one HTML page under 2 MB; what has no room is left out, with a word that says so."""
    page, fix = "", effect_words.arranged(fix)
    for extent in EXTENTS:
        page = _page(fix, extent)
        if len(page.encode()) <= MOST_BYTES:
            break
    return page


def effect_view(effect: Effect) -> EffectView:
    """Lay out one effect."""
    state = effect_words.state_of(effect)
    return EffectView(
        effect=effect,
        state=state,
        look=effect_words.EFFECTS[state],
        name=effect_words.name_words(effect.check),
        amount=effect_words.amount(effect),
        glyph=glyph(effect),
        anchor=anchor("effect", effect.mitigation, effect.check),
    )


def _page(fix: Fix, extent: Extent) -> str:
    candidates = fix.candidates[: extent.candidates]
    named = {candidate.mitigation for candidate in candidates}
    effects = tuple(e for e in fix.effects if e.mitigation in named)
    shown = replace(fix, candidates=candidates, effects=effects)
    views = [_candidate(shown, candidate, extent) for candidate in candidates]
    figures = any(view.exhibit and view.exhibit.spec for view in views)
    state, headline = effect_words.fix_headline(fix)
    return document.render(
        "fix.html.jinja",
        STYLES,
        document.matrix_script(figures),
        fix=fix,
        version=fix.roadworthy_version,
        words=wording,
        says=effect_words,
        looks=wording.LOOKS,
        state=state,
        headline=headline,
        accepted=[view for view in views if view.candidate.accepted],
        matrix=matrix(shown, extent.columns),
        candidates=views,
        left_out=len(fix.candidates) - len(views),
        anchor=anchor,
    )


def _candidate(fix: Fix, candidate: Candidate, extent: Extent) -> CandidateView:
    effects = effect_words.effects_of(fix, candidate.mitigation)
    touched = [e for e in effects if e.effect != "untouched"]
    target = effect_words.target_effect(fix, candidate)
    curve = _strengths(candidate, target) if extent.figures else None
    name = anchor("strengths", candidate.mitigation)
    return CandidateView(
        candidate=candidate,
        name=effect_words.name_words(candidate.mitigation),
        look=effect_words.OUTCOMES[candidate.state],
        shade=effect_words.SHADES[candidate.state],
        anchor=anchor("repair", candidate.mitigation),
        target=effect_view(target) if target else None,
        claims=_claims(candidate.claims, target),
        exhibit=exhibit(curve, name, ROOM, contents=True) if curve else None,
        effects=tuple(effect_view(e) for e in touched[: extent.effects]),
        untouched=len(effects) - len(touched),
        left_out=max(0, len(touched) - extent.effects),
        costs=cost_words.costs(candidate.before, candidate.after),
        training=cost_words.training_words(candidate.before, candidate.after),
        open=candidate.accepted or len(fix.candidates) == 1,
    )


def _claims(claims: Sequence[Claim], target: Effect | None) -> tuple[ClaimView, ...]:
    like = {c.name: replace(target, difference=c.difference, margin=None) for c in claims if target}
    scale = max((reach(effect) for effect in like.values()), default=0.0)
    return tuple(
        ClaimView(
            claim,
            effect_words.CLAIMS[claim.name],
            effect_words.amount_words(like[claim.name]) if target else "",
            glyph(like[claim.name], scale) if target else None,
        )
        for claim in claims
    )


def _strengths(candidate: Candidate, target: Effect | None) -> Curve | None:
    """Give what each strength came to on validation rows; None where there was nothing to choose."""
    tried = [(candidate.mitigation, candidate.attempts)]
    if candidate.sham_attempts:
        tried.append(("sham", candidate.sham_attempts))
    if len(candidate.attempts) < 2:
        return None
    name, unit = effect_words.name_words(candidate.target), target.unit if target else ""
    return Curve(
        title="What each strength came to on validation rows",
        x=Axis("Strength"),
        y=Axis(name, "share" if unit.startswith("share") else unit),
        series=tuple(_line(effect_words.in_sentence(n), attempts) for n, attempts in tried),
    )


def _line(name: str, attempts: Sequence[Attempt]) -> Series:
    ordered = sorted(attempts, key=lambda attempt: attempt.strength)
    return Series(name, tuple(a.strength for a in ordered), tuple(a.value for a in ordered))
