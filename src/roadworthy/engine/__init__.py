"""How a quantity is computed once: marks, registry, graph, identity, store, run."""

from roadworthy.engine.events import (
    Event,
    Failed,
    Finished,
    NotKept,
    Planned,
    Progress,
    Started,
)
from roadworthy.engine.graph import exists
from roadworthy.engine.identity import key_of
from roadworthy.engine.marks import (
    ArtifactMark,
    CheckMark,
    ControlMark,
    FaultMark,
    MitigationMark,
    NaturalMark,
    ShamMark,
    artifact,
    check,
    control,
    fault,
    mark_of,
    mitigation,
    natural_fault,
    sham,
)
from roadworthy.engine.missing import Missing
from roadworthy.engine.outcome import Outcome
from roadworthy.engine.progress import advance
from roadworthy.engine.recall import Lacking, pause, recall
from roadworthy.engine.registry import Marked, PlugInWarning, Registry
from roadworthy.engine.run import compute
from roadworthy.engine.seeds import generator
from roadworthy.engine.store import Store
from roadworthy.engine.suggestion import suggestion

__all__ = [
    "ArtifactMark",
    "CheckMark",
    "ControlMark",
    "Event",
    "Failed",
    "FaultMark",
    "Finished",
    "Lacking",
    "Marked",
    "Missing",
    "MitigationMark",
    "NaturalMark",
    "NotKept",
    "Outcome",
    "Planned",
    "PlugInWarning",
    "Progress",
    "Registry",
    "ShamMark",
    "Started",
    "Store",
    "advance",
    "artifact",
    "check",
    "compute",
    "control",
    "exists",
    "fault",
    "generator",
    "key_of",
    "mark_of",
    "mitigation",
    "natural_fault",
    "pause",
    "recall",
    "sham",
    "suggestion",
]
