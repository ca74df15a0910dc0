"""Each remedy tested on the fault that it is for: how often it does better than its sham.

A self-test of checks plants faults of known size; one of remedies plants a grave fault, applies the remedy and
its sham, and compares what the target check then measures, over many seeds: other splits of the rows, other
initial weights, another draw of the fault. Luck does better than its twin in half of the seeds.
"""

from collections.abc import Callable, Mapping, Sequence

from roadworthy.engine import Registry, Store
from roadworthy.procedures.remedies.bench import Bench
from roadworthy.procedures.remedies.record import Proof, Unproven
from roadworthy.procedures.remedies.rows import MOST_ROWS
from roadworthy.procedures.transforms import CannotApply
from roadworthy.subject import Subject

SEEDS = 40


def prove(
    subject: Subject,
    registry: Registry,
    names: Sequence[str] = (),
    *,
    seeds: int = SEEDS,
    seed: int = 0,
    options: Mapping[str, Mapping[str, object]] | None = None,
    store: Store | None = None,
    most_rows: Mapping[str, int] = MOST_ROWS,
    say: Callable[[Proof | Unproven], None] | None = None,
) -> list[Proof | Unproven]:
    """Test remedies on a subject.

    Parameters
    ----------
    subject : Subject
        Its rows are pooled and split anew for each seed.
    registry : Registry
    names : sequence of str
        Of mitigations; empty: all.
    seeds : int
    seed : int
        Of the whole.
    options : mapping, optional
        Of artifacts and checks.
    store : Store, optional
        Where trained models are kept; remedies of one fault share those without a remedy.
    most_rows : mapping of split to int
        By default 500 to train, 450 to validate, 900 to test; what is told by small groups takes more.
    say : callable, optional
        Receives each result as it comes.
    """
    bench = Bench(subject, registry, seed, options or {}, store or Store(), most_rows)
    found: list[Proof | Unproven] = []
    for name in names or registry.mitigations:
        marked = registry.mitigations[name]
        try:
            result = bench.proof(marked, seeds)
        except CannotApply as why:
            result = Unproven(name, why.reason)
        found.append(result)
        if say is not None:
            say(result)
    return found
