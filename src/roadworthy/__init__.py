"""Inspect a deep-learning model and the data it was made from: pass, fail or inconclusive.

>>> import roadworthy
>>> report = roadworthy.audit("digits", profile="quick")  # doctest: +SKIP
>>> report["overfitting_gap"].verdict  # doctest: +SKIP
'pass'
"""

# Names are looked up when first used: the command line shows its help without any of this.
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roadworthy.api import audit, selftest
    from roadworthy.comparing import compare, diff
    from roadworthy.effect_reports import ComparisonReport, DiffReport, FixReport
    from roadworthy.engine import artifact, check, control, fault, mitigation, natural_fault, sham
    from roadworthy.errors import NotApplicable, UserError
    from roadworthy.repairing import fix
    from roadworthy.report import Report, read_report
    from roadworthy.results import AtLeast, AtMost, Measurement, Requirement
    from roadworthy.subject import (
        Attribute,
        Augmentation,
        Column,
        DecisionRule,
        Network,
        Predictor,
        Pretraining,
        Recipe,
        Roles,
        Split,
        Subject,
        Task,
        Variant,
    )
    from roadworthy.subject.live import subject_from
    from roadworthy.training.sources import ParquetRows

__all__ = [
    "AtLeast",
    "AtMost",
    "Attribute",
    "Augmentation",
    "Column",
    "ComparisonReport",
    "DecisionRule",
    "DiffReport",
    "FixReport",
    "Measurement",
    "Network",
    "NotApplicable",
    "ParquetRows",
    "Predictor",
    "Pretraining",
    "Recipe",
    "Report",
    "Requirement",
    "Roles",
    "Split",
    "Subject",
    "Task",
    "UserError",
    "Variant",
    "artifact",
    "audit",
    "check",
    "compare",
    "control",
    "diff",
    "fault",
    "fix",
    "mitigation",
    "natural_fault",
    "read_report",
    "selftest",
    "sham",
    "subject_from",
]

_HOMES = {
    "AtLeast": "roadworthy.results",
    "AtMost": "roadworthy.results",
    "Attribute": "roadworthy.subject",
    "Augmentation": "roadworthy.subject",
    "Column": "roadworthy.subject",
    "ComparisonReport": "roadworthy.effect_reports",
    "DecisionRule": "roadworthy.subject",
    "DiffReport": "roadworthy.effect_reports",
    "FixReport": "roadworthy.effect_reports",
    "Measurement": "roadworthy.results",
    "Network": "roadworthy.subject",
    "NotApplicable": "roadworthy.errors",
    "ParquetRows": "roadworthy.training.sources",
    "Predictor": "roadworthy.subject",
    "Pretraining": "roadworthy.subject",
    "Recipe": "roadworthy.subject",
    "Report": "roadworthy.report",
    "Requirement": "roadworthy.results",
    "Roles": "roadworthy.subject",
    "Split": "roadworthy.subject",
    "Subject": "roadworthy.subject",
    "Task": "roadworthy.subject",
    "UserError": "roadworthy.errors",
    "Variant": "roadworthy.subject",
    "artifact": "roadworthy.engine",
    "audit": "roadworthy.api",
    "check": "roadworthy.engine",
    "compare": "roadworthy.comparing",
    "control": "roadworthy.engine",
    "diff": "roadworthy.comparing",
    "fault": "roadworthy.engine",
    "fix": "roadworthy.repairing",
    "mitigation": "roadworthy.engine",
    "natural_fault": "roadworthy.engine",
    "read_report": "roadworthy.report",
    "selftest": "roadworthy.api",
    "sham": "roadworthy.engine",
    "subject_from": "roadworthy.subject.live",
}


def __getattr__(name: str) -> Any:  # Any: whatever the name stands for
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)
