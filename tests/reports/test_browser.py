"""The page as a browser shows it: drawn, silent, within the screen, reachable by keyboard, printed."""

import io
from itertools import pairwise
from pathlib import Path

import chromium
import numpy as np
import pytest
import synthetic_audits as made

from roadworthy.reports import html

pytestmark = pytest.mark.browser

FIGURES = 6  # of the eight kinds of evidence, examples and tables are no drawings
AUDITS = ("full", "people", "passing", "empty", "hostile")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    for name in AUDITS:
        (folder / f"{name}.html").write_text(html(getattr(made, name)()), encoding="utf-8")
    return folder


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", AUDITS)
def test_every_figure_is_drawn_without_a_word_on_the_console_or_the_network(
    name: str, dark: bool, folder: Path, browser: chromium.Page
) -> None:
    browser.open(folder / f"{name}.html", dark=dark)
    assert browser.problems() == []
    assert browser.requests() == []
    wanted = browser.js("document.querySelectorAll('[data-spec]').length")
    drawn = browser.js("document.querySelectorAll('[data-spec] svg').length")
    assert drawn == wanted
    if name == "full":
        assert wanted == FIGURES
        shapes = "[...document.querySelectorAll('[data-spec] svg')].map(s => s.querySelectorAll('path,text').length)"
        assert min(browser.js(shapes)) > 5


def test_no_code_of_a_stranger_runs(folder: Path, browser: chromium.Page) -> None:
    browser.open(folder / "hostile.html")
    assert not [e for e in browser.events if e.get("method") == "Page.javascriptDialogOpening"]
    assert browser.js("document.querySelectorAll('img').length") == 0


def test_the_page_allows_no_other_script(
    folder: Path, tmp_path: Path, browser: chromium.Page
) -> None:
    page = (folder / "full.html").read_text(encoding="utf-8")
    (tmp_path / "attacked.html").write_text(
        page.replace("<main", "<script>window.ran = true</script><main", 1), encoding="utf-8"
    )
    browser.open(tmp_path / "attacked.html")
    assert browser.js("window.ran") is None
    assert any("Content Security Policy" in said for said in browser.problems())


@pytest.mark.parametrize("name", AUDITS)
@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_nothing_reaches_beyond_the_screen(
    name: str, width: int, folder: Path, browser: chromium.Page
) -> None:
    browser.open(folder / f"{name}.html", width=width)
    assert browser.js("document.documentElement.scrollWidth") <= width
    browser.js("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert browser.js("document.documentElement.scrollWidth") <= width


def test_figures_follow_a_window_that_becomes_narrow(folder: Path, browser: chromium.Page) -> None:
    browser.open(folder / "full.html", width=1280)
    browser.resize(360, 800)
    figures = "[...document.querySelectorAll('[open] > .body [data-spec] svg')]"
    assert browser.js(f"{figures}.length") > 0
    browser.until(f"{figures}.every(s => s.getBoundingClientRect().width <= 360)")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_stands_out_from_its_background(
    dark: bool, folder: Path, browser: chromium.Page
) -> None:
    browser.open(folder / "full.html", dark=dark)
    variables = ("ink", "quiet", "link", "fail", "pass", "inconclusive", "error", "note", "not_run")
    for name in variables:
        assert _contrast(browser, name, "paper") >= 4.5, name  # WCAG 2.2, 1.4.3
    for i in range(1, 7):
        assert _contrast(browser, f"series-{i}", "paper") >= 3, i  # WCAG 2.2, 1.4.11


def test_everything_that_can_be_used_is_reached_by_keyboard(
    folder: Path, browser: chromium.Page
) -> None:
    browser.open(folder / "full.html")
    usable = browser.js(
        "[...document.querySelectorAll('a[href], summary, [tabindex=\"0\"]')]"
        ".filter(e => e.checkVisibility()).length"
    )
    mark = "(() => { const e = document.activeElement; e.dataset.seen = 1; return e.tagName })()"
    for _ in range(usable + 2):
        browser.press("Tab")
        browser.js(mark)
    missed = browser.js(
        "[...document.querySelectorAll('a[href], summary, [tabindex=\"0\"]')]"
        ".filter(e => e.checkVisibility() && !e.dataset.seen).map(e => e.outerHTML.slice(0, 80))"
    )
    assert missed == []


def test_a_closed_finding_opens_by_keyboard_and_by_the_link_to_it(
    folder: Path, browser: chromium.Page
) -> None:
    browser.open(folder / "full.html")
    closed = "document.getElementById('finding-inconsistent_values')"
    assert browser.js(f"{closed}.open") is False
    browser.js(f"{closed}.querySelector('summary').focus()")
    browser.press("Enter")
    assert browser.js(f"{closed}.open") is True
    other = "document.getElementById('finding-unmeasured_budget')"
    browser.js("location.hash = '#finding-unmeasured_budget'")
    browser.until(f"{other}.open")


def test_a_screen_reader_hears_headings_in_order_and_a_name_for_every_picture(
    folder: Path, browser: chromium.Page
) -> None:
    browser.open(folder / "full.html")
    levels = browser.js("[...document.querySelectorAll('h1,h2,h3')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert browser.js("document.documentElement.lang") == "en"
    assert browser.js("[...document.querySelectorAll('img')].every(i => i.alt)")
    assert browser.js("[...document.querySelectorAll('[role=img]')].every(i => i.ariaLabel)")
    assert browser.js(
        "[...document.querySelectorAll('figure')].every(f => f.querySelector('table'))"
    )


def test_verdicts_are_told_by_words_not_by_colour_alone(
    folder: Path, browser: chromium.Page
) -> None:
    browser.open(folder / "full.html")
    words = browser.js(
        "[...document.querySelectorAll('.finding > summary .verdict')].map(v => v.innerText.trim())"
    )
    assert {word.split(maxsplit=1)[1] for word in words} == {
        "Fail", "Error", "Inconclusive", "Pass", "Note", "Not run",
    }  # fmt: skip


def test_print_shows_every_finding_with_its_figures_in_ink_on_paper(
    folder: Path, browser: chromium.Page
) -> None:
    browser.open(folder / "full.html", dark=True)
    browser.media(dark=True, kind="print")
    browser.js("window.dispatchEvent(new Event('beforeprint'))")
    hidden = browser.js(
        "[...document.querySelectorAll('[data-spec] svg')].filter(s => !s.checkVisibility()).length"
    )
    assert hidden == 0
    paper = browser.js("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(255, 255, 255)"
    browser.js("window.dispatchEvent(new Event('afterprint'))")
    assert browser.js("document.getElementById('finding-inconsistent_values').open") is False
    browser.media()
    assert browser.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_first_screen_is_dark_or_light_as_the_reader_likes(
    dark: bool, folder: Path, browser: chromium.Page
) -> None:
    from PIL import Image

    browser.open(folder / "full.html", dark=dark)
    pixels = np.asarray(Image.open(io.BytesIO(browser.screenshot())).convert("L"))
    assert (pixels.mean() < 80) == dark


def _contrast(browser: chromium.Page, first: str, second: str) -> float:
    """Contrast ratio of two of the page's colours (WCAG 2.2, relative luminance)."""
    lights = []
    for name in (first, second):
        value = browser.js(
            f"getComputedStyle(document.documentElement).getPropertyValue('--{name}').trim()"
        )
        channels = [int(value[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)
