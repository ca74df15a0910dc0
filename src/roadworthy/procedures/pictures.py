"""Thumbnails of the examples that a finding names, for images of things (never of people)."""

import base64
import io
from dataclasses import replace

import numpy as np

from roadworthy.results import Evidence, Example, Examples, Finding
from roadworthy.subject import Subject

MOST = 12  # pictures per list: about 1 kB each, so that a report stays small
SIDE = (
    96  # pixels of the longer side, enlarged without smoothing so that single pixels stay visible
)


def with_pictures(finding: Finding, subject: Subject) -> Finding:
    """Return the finding with a picture in each of the first examples, where rows are images."""
    if subject.modality != "array" or subject.people:
        return finding
    return replace(finding, evidence=tuple(_pictured(e, subject) for e in finding.evidence))


def _pictured(evidence: Evidence, subject: Subject) -> Evidence:
    if not isinstance(evidence, Examples):
        return evidence
    first = [_with_picture(example, subject) for example in evidence.examples[:MOST]]
    return replace(evidence, examples=(*first, *evidence.examples[MOST:]))


def _with_picture(example: Example, subject: Subject) -> Example:
    split = subject.splits.get(example.split)
    if split is None or split.inputs is None or not 0 <= example.row < split.n:
        return example
    pixels = _pixels(split.inputs[example.row])
    return example if pixels is None else replace(example, picture=_data_url(pixels))


def _pixels(values: np.ndarray) -> np.ndarray | None:
    """Return (h, w) or (h, w, 3) uint8 pixels of one input, or None where it is no image."""
    if values.ndim == 3 and values.shape[0] in (1, 3):
        values = np.moveaxis(values, 0, -1)
    if values.ndim == 3 and values.shape[-1] == 1:
        values = values[..., 0]
    is_image = values.ndim == 2 or (values.ndim == 3 and values.shape[-1] == 3)
    if not is_image or min(values.shape[:2]) < 4 or not np.isfinite(values).all():
        return None
    if values.dtype == np.uint8:
        return values
    low, high = float(values.min()), float(values.max())
    return ((values - low) / ((high - low) or 1.0) * 255).astype(np.uint8)


def _data_url(pixels: np.ndarray) -> str:
    from PIL import Image

    image = Image.fromarray(pixels)
    scale = SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    buffer = io.BytesIO()
    image.resize(size, Image.Resampling.NEAREST).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
