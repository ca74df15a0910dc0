"""The HTML page as text: what it says first, what it hides, what it never lets in."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import synthetic_audits as made

from roadworthy.reports import html
from roadworthy.reports.document import with_code
from roadworthy.reports.page import MOST_BYTES
from roadworthy.results import Audit


class Reader(HTMLParser):
    """Collects text outside scripts and styles, and every tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.silent = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.silent = tag in ("script", "style")

    def handle_endtag(self, tag):
        self.silent = False

    def handle_data(self, data):
        self.text += "" if self.silent else data

    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.tags if attributes.get("id")]


@pytest.fixture(scope="module")
def full() -> Reader:
    return Reader(html(made.full()))


def without_library(page: str) -> str:
    """Mask what depends on the versions of the libraries that draw and compress."""
    page = re.sub(r"(data:image/png;base64,)[^\"]+", r"\1…", page)
    page = re.sub(r"(?s)<script>.*</script>", "<script>the drawing library</script>", page)
    return re.sub(r"sha256-[^']+", "sha256-of-the-library", page)


@pytest.mark.parametrize("name", ["full", "passing", "empty"])
def test_the_page_is_as_it_was(name: str, golden) -> None:
    golden(f"{name}.html", without_library(html(getattr(made, name)())))


def test_the_page_opens_with_what_a_decision_needs(full: Reader) -> None:
    says = [
        "Evidence, not certification", "digits", "2 January 2026, 12:00 UTC",
        "3 of 5 decided checks fail.", "Exit status 1: at least one check fails.",
        "What fails", "Share of test labels that are wrong", "8.1", "95\u00a0% interval 6.0 to 11.0",
        "at most 5\u00a0%", "Look through the rows listed", "What is undecided",
        "About 1,780 more examples would decide (2,140 in all, 360 now).", "All checks, by challenge",
        "Many verdicts at once", "How to get the same numbers again",
    ]  # fmt: skip
    at = -1
    for said in says:
        found = full.text.find(said, at + 1)
        assert found > at, said
        at = found


def test_every_finding_stands_on_the_page_with_its_reason() -> None:
    page = html(made.full())
    for finding in made.findings():
        assert f'id="finding-{finding.check}"' in page
    for reason in ("too few trainings", "no training recipe was given", "the run was interrupted"):
        assert reason in page.lower()


def test_ids_are_unique_and_links_within_the_page_arrive(full: Reader) -> None:
    ids = full.ids()
    assert len(ids) == len(set(ids))
    for tag, attributes in full.tags:
        if tag == "a":
            assert (attributes["href"] or "").removeprefix("#") in ids
        for name in ("aria-labelledby", "data-spec"):
            assert attributes.get(name) is None or attributes[name] in ids


def test_nothing_on_the_page_asks_the_network_for_anything(full: Reader) -> None:
    assert not [tag for tag, _ in full.tags if tag in ("link", "iframe", "object", "form", "base")]
    for tag, attributes in full.tags:
        for name in ("src", "href", "srcset", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/png;base64,")), tag


def test_text_of_users_is_text_wherever_it_stands() -> None:
    page = html(made.hostile())
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "javascript:" not in without_library(page)
    reader = Reader(page)
    assert 'alert("x")' in reader.text
    assert not [a for _, attributes in reader.tags for a in attributes if a.startswith("on")]
    scripts = [a for tag, a in reader.tags if tag == "script" and a.get("type") is None]
    assert len(scripts) == 1


def test_what_stands_between_backticks_is_code_and_lets_no_markup_through() -> None:
    said = with_code("ask `a_check`, <b>`<i>`</b>")
    assert said == "ask <code>a_check</code>, &lt;b&gt;<code>&lt;i&gt;</code>&lt;/b&gt;"


def test_a_name_that_closes_its_script_stays_within_the_figures_data() -> None:
    specs = re.findall(
        r'(?s)<script type="application/json"[^>]*>(.*?)</script>', html(made.hostile())
    )
    assert specs
    assert not any("<" in spec for spec in specs)


def test_rows_that_are_people_are_named_by_number_alone() -> None:
    page = html(made.people())
    assert "data:image/png" not in page.replace("img-src data:", "")
    assert "labelled 3, taken for 6" not in page
    assert "<td>51</td>" in page  # the row is still named
    assert "none of their contents" in page


def test_contents_are_shown_where_they_are_asked_for() -> None:
    page = html(made.people(), contents=True)
    assert "labelled 3, taken for 6" in page
    assert "as asked for" in page


@pytest.mark.slow
def test_a_page_of_far_too_much_evidence_stays_under_two_megabytes_and_says_what_it_left_out() -> (
    None
):
    page = html(made.large())
    assert len(page.encode()) <= MOST_BYTES
    assert re.search(r"[\d,]+ further rows in audit.json", page)


def test_the_page_is_the_same_each_time() -> None:
    assert html(made.full()) == html(made.full())


def test_an_exit_status_that_lets_fails_through_is_explained() -> None:
    lenient: Audit = replace(made.full(), exit_code=0)
    assert "The gate was set to let fails through." in html(lenient)
