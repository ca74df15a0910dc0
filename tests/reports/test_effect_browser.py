"""Pages of fixes, diffs and comparisons as a browser shows them: silent, within the screen, by keyboard, printed."""

from itertools import pairwise
from pathlib import Path

import chromium
import pytest
import synthetic_effects as made

from roadworthy import reports

pytestmark = pytest.mark.browser

PAGES = ("full", "one", "many", "hostile", "empty", "diff", "family")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("effects")
    for name in PAGES[:5]:
        (folder / f"{name}.html").write_text(reports.fix_html(getattr(made, name)()))
    (folder / "diff.html").write_text(reports.diff_html(made.diff()))
    compared = reports.comparison(made.family())
    (folder / "family.html").write_text(reports.comparison_html(compared))
    return folder


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [320, 390, 800, 1280])
def test_nothing_reaches_beyond_the_screen_and_nothing_is_said_on_the_console(
    name: str, width: int, folder: Path, browser: chromium.Page
) -> None:
    browser.open(folder / f"{name}.html", width=width, dark=width == 800)
    assert browser.js("document.documentElement.scrollWidth") <= width
    browser.js("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert browser.js("document.documentElement.scrollWidth") <= width
    assert browser.js(  # nor is a column of effects cut off within the page
        "[...document.querySelectorAll('table.effects')].every("
        "t => t.scrollWidth <= t.parentElement.clientWidth)"
    )
    assert browser.problems() == []
    assert browser.requests() == []


@pytest.mark.parametrize("name", PAGES)
def test_a_screen_reader_hears_headings_in_order_and_a_table_as_a_table(
    name: str, folder: Path, browser: chromium.Page
) -> None:
    browser.open(folder / f"{name}.html", width=390)  # where the matrix looks like cards
    levels = browser.js("[...document.querySelectorAll('h1,h2,h3')].map(h => +h.tagName[1])")
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert browser.js("[...document.querySelectorAll('[role=img]')].every(i => i.ariaLabel)")
    assert browser.js(
        "[...document.querySelectorAll('.matrix, .compared, .effects')].every("
        "t => [...t.querySelectorAll('tr, th, td')].every(c => c.getAttribute('role')))"
    )


def test_a_cell_says_its_numbers_to_a_pointer_and_to_the_keyboard(
    folder: Path, browser: chromium.Page
) -> None:
    browser.open(folder / "full.html")
    cell = "document.querySelector('.matrix .cell.harmed a')"
    tip = "document.getElementById('tip')"
    browser.js(f"{cell}.focus()")
    assert browser.js(f"{tip}.checkVisibility() && {tip}.textContent").startswith(
        "Log loss: harmed."
    )
    box = browser.js(
        f"(() => {{ const b = {tip}.getBoundingClientRect(); return [b.left, b.right] }})()"
    )
    assert box[0] >= 0
    assert box[1] <= 1280
    browser.js(f"{cell}.blur()")
    assert browser.js(f"{tip}.checkVisibility()") is False


def test_a_cell_says_its_numbers_behind_another_tab_as_well(
    folder: Path, browser: chromium.Page
) -> None:
    browser.open(folder / "full.html")
    page = browser.session
    with chromium.tab(browser):
        browser.open(folder / "one.html")
        front, browser.session = browser.session, page
        browser.js("document.querySelector('.matrix .cell.harmed a').focus()")
        assert browser.js("document.getElementById('tip').checkVisibility()")
        browser.session = front


def test_the_link_of_a_cell_opens_the_repair_and_its_row(
    folder: Path, browser: chromium.Page
) -> None:
    browser.open(folder / "full.html")
    row = browser.js("document.querySelector('.matrix .cell.harmed a').hash.slice(1)")
    shown = f"document.getElementById({row!r}).checkVisibility()"
    assert browser.js(shown) is False
    browser.js("document.querySelector('.matrix .cell.harmed a').click()")
    browser.until(shown)


def test_states_are_told_by_signs_and_words_not_by_colour_alone(
    folder: Path, browser: chromium.Page
) -> None:
    browser.open(folder / "full.html")
    signs = browser.js(
        "Object.fromEntries([...document.querySelectorAll('.matrix .cell')].map("
        "c => [c.classList[1], c.querySelector('b').textContent]))"
    )
    assert len(set(signs.values())) == len(signs) >= 6


def test_print_shows_the_matrix_and_every_number_of_every_repair(
    folder: Path, browser: chromium.Page
) -> None:
    browser.open(folder / "full.html", dark=True)
    browser.media(dark=True, kind="print")
    browser.js("window.dispatchEvent(new Event('beforeprint'))")
    hidden = browser.js(
        "[...document.querySelectorAll('.effects tr')].filter(r => !r.checkVisibility()).length"
    )
    assert hidden == 0
    assert browser.js("document.querySelector('.matrix').checkVisibility()")
    browser.js("window.dispatchEvent(new Event('afterprint'))")
    browser.media()
