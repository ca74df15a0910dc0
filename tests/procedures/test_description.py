"""Docstrings of checks, taken apart for reports."""

from roadworthy.challenges.fairness.mitigations.thresholds import thresholds_by_group
from roadworthy.procedures.description import describe


def one_per_line() -> None:
    """Share of wrong answers.

    By counting (Nobody 1900).

    Unit: share of rows.
    Qualified at: severity 0.1 of `some_fault`,
    n = 500.
    Next: answer better: e.g. think.
    """


def in_one_line() -> None:
    """Share of wrong answers.

    By counting. The Unit is a share.

    Unit: share of rows. Qualified at: n = 500. Next: answer better.
    """


def bare() -> None: ...


def test_labels_on_lines_of_their_own_are_found() -> None:
    about = describe(one_per_line)
    assert about.title == "Share of wrong answers"
    assert about.body == "By counting (Nobody 1900)."
    assert about.unit == "share of rows"
    assert about.qualified_at == "severity 0.1 of `some_fault`, n = 500"
    assert about.next == "answer better: e.g. think."


def test_labels_after_one_another_are_found() -> None:
    about = describe(in_one_line)
    assert (about.unit, about.qualified_at, about.next) == (
        "share of rows",
        "n = 500",
        "answer better.",
    )
    assert about.body == "By counting. The Unit is a share."


def test_a_function_without_docstring_has_empty_parts() -> None:
    assert describe(bare).title == ""


def test_what_to_mind_of_a_repair_is_apart_from_what_it_does() -> None:
    about = describe(thresholds_by_group)
    assert "must be known for every answer" in about.caution
    assert "Mind" not in about.body
    assert describe(bare).caution == ""
