"""The rows of a subject dealt anew: other ones to train, validate and test on for every seed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from roadworthy.subject import Split, Subject

MOST_ROWS = {"train": 500, "validation": 450, "test": 900}
POOLED = ("train", "validation", "test")


def dealt_anew(
    subject: Subject, rng: np.random.Generator, most: Mapping[str, int] = MOST_ROWS
) -> Subject:
    """Return the subject with its rows dealt anew to splits of the sizes it has, and of `most` rows at most."""
    sizes = {n: min(subject.splits[n].n, most[n]) for n in POOLED if n in subject.splits}
    pool = _joined([subject.splits[name] for name in sizes])
    order = rng.permutation(pool.n)
    splits: dict[str, Split] = {}
    start = 0
    for name, size in sizes.items():
        splits[name] = pool.take(order[start : start + size])
        start += size
    return replace(subject, splits=splits)


def _joined(splits: Sequence[Split]) -> Split:
    first = splits[0]

    def of(name: str) -> np.ndarray | None:
        parts = [getattr(split, name) for split in splits]
        return None if any(part is None for part in parts) else np.concatenate(parts)

    columns = set.intersection(*(set(s.attributes) for s in splits))
    return Split(
        inputs=of("inputs"),
        target=of("target"),
        attributes={
            name: replace(
                first.attributes[name],
                values=np.concatenate([s.attributes[name].values for s in splits]),
            )
            for name in first.attributes
            if name in columns
        },
        source_rows=np.arange(sum(s.n for s in splits)),
    )
