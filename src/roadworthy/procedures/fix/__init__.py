"""Fix and prove: remedies for failing checks, chosen on validation, measured on test, confirmed on sealed rows."""

from roadworthy.procedures.fix.run import MEANS, FixRun, Trying, fix
from roadworthy.procedures.fix.workshop import Means

__all__ = ["MEANS", "FixRun", "Means", "Trying", "fix"]
