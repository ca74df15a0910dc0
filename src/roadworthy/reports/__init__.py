"""Views of results: pages, pull requests, test results, tables, terminal. Nothing here measures or judges."""

from roadworthy.reports.build_server import diff_junit, junit
from roadworthy.reports.compared import Comparison, comparison
from roadworthy.reports.comparison_views import (
    comparison_console,
    comparison_csv,
    comparison_html,
    comparison_latex,
    comparison_markdown,
)
from roadworthy.reports.diff_page import diff_html
from roadworthy.reports.effect_pull_request import diff_markdown, fix_markdown
from roadworthy.reports.effect_table import diff_csv, diff_rows, fix_csv, fix_rows
from roadworthy.reports.effect_terminal import diff_console, fix_console
from roadworthy.reports.fix_page import fix_html
from roadworthy.reports.page import html
from roadworthy.reports.pull_request import markdown, markdown_pictures
from roadworthy.reports.table import csv, rows
from roadworthy.reports.terminal import console

__all__ = [
    "Comparison",
    "comparison",
    "comparison_console",
    "comparison_csv",
    "comparison_html",
    "comparison_latex",
    "comparison_markdown",
    "console",
    "csv",
    "diff_console",
    "diff_csv",
    "diff_html",
    "diff_junit",
    "diff_markdown",
    "diff_rows",
    "fix_console",
    "fix_csv",
    "fix_html",
    "fix_markdown",
    "fix_rows",
    "html",
    "junit",
    "markdown",
    "markdown_pictures",
    "rows",
]
