"""Where value, interval and bound of a finding lie on a short line: what the page draws with CSS."""

from dataclasses import dataclass

from roadworthy.reports import wording
from roadworthy.results import Finding

MARGIN = 0.06  # free space beyond the outermost mark, so that its end is visible
CHARACTER = (
    2.4  # per cent of the narrowest line (about 280 pixels) that a character of a label takes
)


@dataclass(frozen=True)
class IntervalLine:
    """Positions in per cent from the left, and the words beside them."""

    low: float
    high: float
    value: float
    bound: float
    allowed_from: float
    allowed_to: float
    left: str
    right: str
    label: str
    label_align: str
    spoken: str


def interval_line(finding: Finding) -> IntervalLine | None:
    """Lay out a finding's number against its bound; None without a number or a requirement."""
    said = wording.quantity(finding)
    if said is None or finding.requirement is None:
        return None
    assert finding.value is not None
    assert finding.low is not None
    assert finding.high is not None
    bound = finding.requirement.bound
    first = min(0.0, finding.low, bound)
    last = max(0.0, finding.high, bound)
    start = first - MARGIN * (last - first) if first < 0 else 0.0
    end = last + MARGIN * (last - start) if last > 0 else 0.0
    if finding.unit is not None and finding.unit.startswith("share") and start >= 0:
        end = min(end, 1.0) if last <= 1 else end
    width = (end - start) or 1.0

    def place(value: float) -> float:
        return round(100 * (value - start) / width, 2)

    at = place(bound)
    good = finding.requirement.direction
    percent = "\u00a0%" if said.unit.startswith("%") else ""
    label = wording.requirement_words(finding.requirement, finding.unit or "")
    align, label_from, label_to = _label_at(at, len(label) * CHARACTER)
    left, right = _end(start, said.scale) + percent, _end(end, said.scale) + percent
    return IntervalLine(
        low=place(finding.low),
        high=place(finding.high),
        value=place(finding.value),
        bound=at,
        allowed_from=0.0 if good == "at_most" else at,
        allowed_to=at if good == "at_most" else 100.0,
        left=left if (len(left) + 1) * CHARACTER <= label_from else "",
        right=right if (len(right) + 1) * CHARACTER <= 100 - label_to else "",
        label=label,
        label_align=align,
        spoken=wording.number_line(finding).replace("\u00a0", " "),
    )


def _label_at(mark: float, width: float) -> tuple[str, float, float]:
    """Return how a label of this width stands at its mark, so that the line holds it, and where it begins and ends."""
    if mark < width / 2 and mark <= 50:
        return "start", mark, mark + width
    if mark > 100 - width / 2:
        return "end", mark - width, mark
    return "middle", mark - width / 2, mark + width / 2


def _end(value: float, scale: float) -> str:
    return wording.plain(float(f"{scale * value:.2g}"))
