"""How costs are said in words: what a model takes to train, to ask and to keep, before a repair and after it."""

from dataclasses import dataclass

from roadworthy.reports import wording
from roadworthy.results import Candidate, Cost

SAME_COST = 0.05  # of the cost: timings differ that much by themselves
# Of microseconds a row where the model is as large as before: they differ by what else runs on the machine.
SAME_LATENCY = 1.0
SIZES = ("B", "kB", "MB", "GB", "TB")
TIMES = ("ms", "µs", "ns")
LATENCY = "Latency per row"
TOGETHER = "not known, for it was trained together with others"


@dataclass(frozen=True)
class CostChange:
    """One cost before and after, in words; `ratio` is "" where one side is unknown."""

    name: str
    before: str
    after: str
    ratio: str
    changes: bool


def costs(before: Cost, after: Cost) -> tuple[CostChange, ...]:
    """Say what a model cost and costs: training, latency, size."""
    pairs = (
        ("Training", before.training_seconds, after.training_seconds, _seconds),
        (LATENCY, before.milliseconds_per_row, after.milliseconds_per_row, _milliseconds),
        ("Size", before.bytes, after.bytes, _bytes),
    )
    same = {LATENCY: SAME_LATENCY} if before.bytes == after.bytes else {}
    return tuple(
        CostChange(
            name,
            say(old),
            say(new),
            _ratio(old, new),
            _changes(old, new, same.get(name, SAME_COST)),
        )
        for name, old, new, say in pairs
    )


def training_words(before: Cost, after: Cost) -> str:
    """Say why nobody knows what a repaired model takes to train, "" where that is known or was not known before."""
    is_unknown = after.training_seconds is None and after.bytes is not None
    return TOGETHER if is_unknown and before.training_seconds is not None else ""


def cost_line(candidate: Candidate) -> str:
    """Say the costs that change in one line, "" where none is known."""
    known = [c for c in costs(candidate.before, candidate.after) if c.ratio]
    said = [f"{c.name.lower()} {c.before} → {c.after} ({c.ratio})" for c in known if c.changes]
    if why := training_words(candidate.before, candidate.after):
        said.append(f"training {_seconds(candidate.before.training_seconds)} → {why}")
    return ", ".join(said) if said or not known else "costs as much as before"


def _seconds(value: float | None) -> str:
    return "–" if value is None else wording.seconds_words(float(f"{value:.3g}"))


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "–"
    for unit in TIMES[:-1]:
        if value >= 0.1:
            return f"{wording.plain(float(f'{value:.2g}'))} {unit}"
        value *= 1000
    return f"{wording.plain(float(f'{value:.2g}'))} {TIMES[-1]}"


def _bytes(value: float | None) -> str:
    if value is None:
        return "–"
    size = float(value)
    for unit in SIZES[:-1]:
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} {SIZES[-1]}"


def _ratio(before: float | None, after: float | None) -> str:
    if not before or after is None:
        return ""
    return f"×{after / before:.2g}" if after / before < 10 else f"×{after / before:,.0f}"


def _changes(before: float | None, after: float | None, same: float) -> bool:
    """Whether a cost changes by more than timings do from run to run."""
    if not before or after is None:
        return False
    return max(after / before, before / max(after, 1e-12)) > 1 + same
