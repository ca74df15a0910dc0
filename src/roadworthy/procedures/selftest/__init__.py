"""The self-test: every check is qualified on planted faults, and its record is kept."""

from roadworthy.procedures.selftest.course import EFFORTS, Effort
from roadworthy.procedures.selftest.ledger import accumulate, published, read
from roadworthy.procedures.selftest.outcome import SelfTest, Step
from roadworthy.procedures.selftest.records import Records, current, merged
from roadworthy.procedures.selftest.run import Profile, selftest
from roadworthy.procedures.selftest.standing import kind_of, record_for
from roadworthy.procedures.selftest.table import console, markdown, power_curve
from roadworthy.procedures.source import codes

__all__ = [
    "EFFORTS",
    "Effort",
    "Profile",
    "Records",
    "SelfTest",
    "Step",
    "accumulate",
    "codes",
    "console",
    "current",
    "kind_of",
    "markdown",
    "merged",
    "power_curve",
    "published",
    "read",
    "record_for",
    "selftest",
]
