"""What changed between two subjects as one HTML page, what got worse first."""

from roadworthy.reports import document, effect_words, wording
from roadworthy.reports.effect_words import State
from roadworthy.reports.fix_page import STYLES, EffectView, effect_view
from roadworthy.reports.page import MOST_BYTES
from roadworthy.results import Diff

SECTIONS: tuple[tuple[State, str, str], ...] = (
    ("harmed", "What got worse", "Each is worse, and that it is by more than its margin is not ruled out."),
    (
        "open",
        "Where harm is not ruled out",
        "No effect is shown here, but harm beyond the margin is not ruled out either.",
    ),
    ("tolerated", "Worse, within the margin", "Worse for certain, and for certain by less than the margin."),
    ("helped", "What got better", "Better, luck among so many checks allowed for."),
)  # fmt: skip
ROOMS = (2000, 300, 40)  # effects shown: the first that fits the size is taken


def diff_html(diff: Diff) -> str:
    """Write a diff as one HTML page under 2 MB."""
    page = ""
    for most in ROOMS:
        page = _page(diff, most)
        if len(page.encode()) <= MOST_BYTES:
            break
    return page


def _page(diff: Diff, most: int) -> str:
    state, headline = effect_words.diff_headline(diff)
    ordered = effect_words.worst_first(diff.effects)
    views = [effect_view(effect) for effect in ordered[:most]]
    sections: list[tuple[State, str, str, list[EffectView]]] = [
        (name, title, lead, [view for view in views if view.state == name])
        for name, title, lead in SECTIONS
    ]
    return document.render(
        "diff.html.jinja",
        STYLES,
        document.matrix_script(figures=False),
        diff=diff,
        version=diff.roadworthy_version,
        words=wording,
        says=effect_words,
        looks=wording.LOOKS,
        state=state,
        headline=headline,
        counts=effect_words.count_states(diff.effects),
        sections=[section for section in sections if section[3]],
        quiet=[v for v in views if v.state not in (*effect_words.SHOWN, "untouched")],
        untouched=[view for view in views if view.state == "untouched"],
        left_out=len(ordered) - len(views),
    )
