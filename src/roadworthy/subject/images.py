"""A folder of images: one folder per class, or one per split with one per class below."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from roadworthy.errors import UserError
from roadworthy.subject.arrays import UNDIVIDED, Part
from roadworthy.subject.divide import SPELLINGS
from roadworthy.subject.problems import Problems, listed

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset([".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm"])


def read_image_folder(
    folder: Path,
) -> tuple[dict[str, Part], tuple[str, ...], tuple[str, ...]]:
    """Return the images by split, the names of the classes, and notes on how they were read.

    Images become (n, channels, h, w) float32 between 0 and 1; files are read in order of their
    names.
    """
    problems = Problems(str(folder))
    by_split = _folders(folder)
    classes = sorted({c.name for inside in by_split.values() for c in inside})
    files = {
        split: [(f, classes.index(c.name)) for c in inside for f in _images_in(c)]
        for split, inside in by_split.items()
    }
    empty = [split for split, found in files.items() if not found]
    if not files or empty:
        problems.add(
            f"no images ({listed(sorted(SUFFIXES))}) in {listed(empty) if files else 'its folders'}; "
            "put them into one folder per class, or into train/CLASS and test/CLASS"
        )
    problems.raise_if_any()
    channels = _channels([f for found in files.values() for f, _ in found], problems)
    problems.raise_if_any()
    parts = {
        split: Part(
            np.stack([_pixels(f, channels) for f, _ in found]),
            np.array([code for _, code in found], np.int64),
        )
        for split, found in files.items()
    }
    colour = "grey" if channels == 1 else "colour"
    note = f"images were read as {colour} with values from 0 to 1, in order of their names"
    return parts, tuple(classes), (note,)


def _folders(folder: Path) -> dict[str, list[Path]]:
    inside = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    splits = {SPELLINGS.get(p.name.lower()): p for p in inside}
    if inside and None not in splits:
        return {
            str(split): sorted(c for c in p.iterdir() if c.is_dir()) for split, p in splits.items()
        }
    return {UNDIVIDED: inside}


def _images_in(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)


def _channels(files: list[Path], problems: Problems) -> int:
    """Return the number of channels that all images are read with; sizes must agree."""
    sizes: dict[tuple[int, int], Path] = {}
    grey = True
    for file in files:
        with _opened(file) as image:
            sizes.setdefault(image.size, file)
            grey = grey and image.mode in ("1", "L", "LA", "I;16", "I")
    if len(sizes) > 1:
        said = [f"{w} by {h} ({file.name})" for (w, h), file in sizes.items()]
        problems.add(f"images have {len(sizes)} sizes: {listed(said, 4)}; scale them to one size")
    return 1 if grey else 3


def _opened(file: Path) -> "Image":
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(file)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError) as error:
        raise UserError(
            f"{file}: not a readable image ({error}). Remove it or save it again."
        ) from None


def _pixels(file: Path, channels: int) -> np.ndarray:
    with _opened(file) as image:
        deep = image.mode.startswith("I")
        try:
            plain = image if deep else image.convert("L" if channels == 1 else "RGB")
            values = np.asarray(plain, np.float32) / (65535 if deep else 255)
        except OSError as error:
            raise UserError(f"{file}: the image is cut off ({error}). Save it again.") from None
    if values.ndim == 2:
        return np.repeat(values[None], channels, axis=0)
    return np.ascontiguousarray(values.transpose(2, 0, 1))
