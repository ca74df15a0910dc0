"""Labels reviewed by a person: the sheet that an audit writes, and the decisions that come back."""

from roadworthy.procedures.review.decisions import Reviewed, in_words, read_review
from roadworthy.procedures.review.sheet import (
    COLUMNS,
    DECISION,
    SheetRows,
    is_filled,
    review_sheet,
    row_ids,
    sheet_csv,
)

__all__ = [
    "COLUMNS",
    "DECISION",
    "Reviewed",
    "SheetRows",
    "in_words",
    "is_filled",
    "read_review",
    "review_sheet",
    "row_ids",
    "sheet_csv",
]
