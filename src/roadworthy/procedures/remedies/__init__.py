"""Each remedy tested on the fault that it is for, and the record of what was found."""

from roadworthy.procedures.remedies.proving import SEEDS, prove
from roadworthy.procedures.remedies.record import (
    PUBLISHED,
    Proof,
    Unproven,
    code_of,
    current,
    in_words,
    published,
    read_proofs,
    write_proofs,
)

__all__ = [
    "PUBLISHED",
    "SEEDS",
    "Proof",
    "Unproven",
    "code_of",
    "current",
    "in_words",
    "prove",
    "published",
    "read_proofs",
    "write_proofs",
]
