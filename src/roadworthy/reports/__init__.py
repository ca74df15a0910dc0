"""Views of an audit: page, pull request, test results, table, terminal. Nothing here measures or judges."""

from roadworthy.reports.build_server import junit
from roadworthy.reports.page import html
from roadworthy.reports.pull_request import markdown, markdown_pictures
from roadworthy.reports.table import csv, rows
from roadworthy.reports.terminal import console

__all__ = ["console", "csv", "html", "junit", "markdown", "markdown_pictures", "rows"]
