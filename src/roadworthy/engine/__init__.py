"""How a quantity is computed once: marks, registry, graph, identity, store, run."""

from roadworthy.engine.marks import artifact, check, control, fault, mitigation, natural_fault
from roadworthy.engine.missing import Missing

__all__ = ["Missing", "artifact", "check", "control", "fault", "mitigation", "natural_fault"]
