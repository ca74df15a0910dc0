"""Rows that are nearly the same on both sides of a split."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from roadworthy.challenges.data_quality.alignment import agreement, band_passed, grey
from roadworthy.challenges.data_quality.duplicates import first_identical
from roadworthy.challenges.data_quality.neighbours import nearest
from roadworthy.challenges.data_quality.splits import concatenated, located
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Example, Examples, Measurement
from roadworthy.statistics import fact, rate_difference

CANDIDATES = 5  # of each kind of feature
COMPONENTS = 64
FITTED_ROWS = 10_000
COARSE = 8  # pixels of a side of the picture by whose grey values candidates are found
LEAST_AGREEMENT = 0.8
LOOK_ALIKES = 0.98  # of second best candidates must agree less than a copy does
LARGEST_RATIO = 0.45  # of distances: the best candidate against the median of the others
TABLE_RATIO = 0.1  # of distances: nearest row against the fourth nearest
FOURTH = 4
ASKED_WITHIN = 10_000
FEWEST_SEEN = 20
SHOWN = 20


@artifact(shape="n 2")
def near_copies(
    train_inputs: np.ndarray,
    test_inputs: np.ndarray,
    train_features: np.ndarray,
    test_features: np.ndarray,
    leaked_test_rows: np.ndarray,
    rng: np.random.Generator,
    validation_inputs: np.ndarray | None = None,
    validation_features: np.ndarray | None = None,
) -> np.ndarray:
    """For each test row a training (then validation) row that it nearly equals, and how nearly: (n, 2).

    -1 and 0 where there is none, or an identical one. Pictures: see `same_picture`. Others: the nearest row by
    standardised features, at .1 of the distance to the fourth nearest or less.
    """
    seen, asked = grey(concatenated(train_inputs, validation_inputs)), grey(test_inputs)
    if seen is not None and asked is not None and len(seen) >= FEWEST_SEEN:
        found = same_picture(seen, asked, rng)
    else:
        found = close_row(concatenated(train_features, validation_features), test_features)
    found[leaked_test_rows >= 0] = (-1, 0)
    return found


@artifact()
def near_copies_within(
    train_inputs: np.ndarray,
    train_features: np.ndarray,
    train_content_hashes: np.ndarray,
    rng: np.random.Generator,
    validation_features: np.ndarray | None = None,
    validation_content_hashes: np.ndarray | None = None,
) -> tuple[int, int]:
    """Training and validation rows that nearly equal another one, of how many asked.

    Of at most 10,000 rows, those with identical ones left out. For pictures 0 of 0: there a pair is verified, and nothing is taken away.
    """
    if grey(train_inputs) is not None:
        return 0, 0
    hashes = concatenated(train_content_hashes, validation_content_hashes)
    seen = concatenated(train_features, validation_features)
    first = first_identical(hashes, hashes)
    alone = np.flatnonzero(np.bincount(first, minlength=len(first))[first] == 1)
    asked = rng.permutation(alone)[:ASKED_WITHIN]
    if len(seen) < FEWEST_SEEN:
        return 0, len(asked)
    found = close_row(seen, seen[asked], itself=True)
    return int((found[:, 0] >= 0).sum()), len(asked)


@check(
    challenge="data_quality",
    requires=AtMost(
        0.005, "house default; CIFAR-10 has 3.3 %, Barz & Denzler 2020 (J. Imaging 6, 41)"
    ),
)
def near_duplicates_across_splits(
    near_copies: np.ndarray, near_copies_within: tuple[int, int], train_inputs: np.ndarray
) -> Measurement:
    """Share of test rows that are nearly the same as a row that the model was trained or chosen on.

    Pictures: candidates by whitened grey values, mirrored ones, and a spectrum that shifts leave alone; a candidate
    counts if the middle of the one is found in the other (normalised correlation of edges .8 or more and
    above that of 98 % of all second best candidates; mirrored, 10 % smaller or larger) and at .45 of the distance of the other candidates or less. Found pairs are
    facts, without an interval; copies turned by more than a few degrees are not found. Other data: the nearest
    row at .1 of the distance to the fourth nearest or less, and of that share is taken away
    how often rows seen before have such a row among themselves, with Newcombe's interval: coarse
    tables have look-alikes, and copies within the whole file count as such. Identical rows are left to
    `exact_duplicates_across_splits`.

    Unit: share of test rows. Qualified at: n = 20,000 (pictures: 1,000).
    Next: look at the listed pairs, take the copies out of the test split, and measure again.
    """
    rows = np.flatnonzero(near_copies[:, 0] >= 0)
    n = len(near_copies)
    if n == 0 or len(train_inputs) < FEWEST_SEEN:
        raise NotApplicable(
            f"{n} test rows and {len(train_inputs)} training rows; at least one and {FEWEST_SEEN} are needed"
        )
    worst = rows[np.argsort(-near_copies[rows, 1], kind="stable")][:SHOWN]
    examples = tuple(
        Example(
            "test",
            int(row),
            f"nearly {located(int(near_copies[row, 0]), len(train_inputs))}",
            float(near_copies[row, 1]),
        )
        for row in worst
    )
    evidence = (Examples("Test rows nearly seen before", examples),) if examples else ()
    unit = "share of test rows"
    details = f"{len(rows)} of {n} test rows are nearly the same as a row seen before."
    hits, asked = near_copies_within
    if asked == 0:
        return fact(len(rows) / n, n, unit=unit, details=details, evidence=evidence)
    # Two rows near each other are both hits: so many independent ones there are at least.
    found = rate_difference(len(rows), n, hits // 2, asked // 2, unit=unit, evidence=evidence)
    return replace(
        found,
        n=n,
        details=f"{details} Among themselves {hits} of {asked} rows seen before are, which is taken away.",
    )


def same_picture(seen: np.ndarray, asked: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return for each asked picture the seen one that it is a copy of, and their agreement: (n, 2).

    How much pictures agree that are no copies differs from data set to data set; the second best candidates
    tell: the least agreement of a copy is what 98 % of them stay below, and .8 or more. On 3,000 MNIST
    test digits, which have look-alikes by the thousand, 3 are found.
    """
    pairs = _candidates(seen, asked, rng)
    edges, seen_edges = band_passed(asked), band_passed(seen)
    score = agreement(edges, seen_edges, pairs[:, 0], pairs[:, 1])
    found = np.tile([-1.0, 0.0], (len(asked), 1))
    starts = np.searchsorted(pairs[:, 0], np.arange(len(asked) + 1))
    ranked = [
        start + np.argsort(-score[start:stop], kind="stable") for start, stop in pairwise(starts)
    ]
    second = np.array([score[order[1]] for order in ranked])
    least = max(LEAST_AGREEMENT, float(np.quantile(second, LOOK_ALIKES)))
    for row, order in enumerate(ranked):
        distances = np.sqrt(2 * np.maximum(1 - score[order], 1e-6))
        if score[order[0]] >= least and distances[0] <= LARGEST_RATIO * np.median(distances[1:]):
            found[row] = (pairs[order[0], 1], score[order[0]])
    return found


def close_row(seen: np.ndarray, asked: np.ndarray, *, itself: bool = False) -> np.ndarray:
    """Return for each asked row the seen one far nearer than its fourth nearest, and 1 - ratio: (n, 2).

    With `itself`, the asked rows are among the seen ones and do not count as their own neighbours.
    """
    distances, positions = nearest(seen, asked, FOURTH + itself)
    if itself:
        distances, positions = distances[:, 1:], positions[:, 1:]
    ratio = distances[:, 0] / np.maximum(distances[:, -1], 1e-12)
    near = (ratio <= TABLE_RATIO) & (distances[:, -1] > 0)
    return np.stack([np.where(near, positions[:, 0], -1), np.where(near, 1 - ratio, 0)], axis=1)


def _candidates(seen: np.ndarray, asked: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return pairs (asked, seen) that may be copies, sorted, each once: (m, 2) int64."""
    fitted = rng.permutation(len(seen))[:FITTED_ROWS]
    k = min(CANDIDATES, len(seen))
    found: list[np.ndarray] = []
    for describe, queries in (
        (_coarse, (asked, asked[:, :, ::-1])),
        (_spectrum, (asked,)),
    ):
        known = describe(seen)
        mean, axes = _whitening(known[fitted])
        known = (known - mean) @ axes
        for query in queries:
            _, positions = nearest(known, (describe(query) - mean) @ axes, k)
            found.append(positions)
    positions = np.concatenate(found, axis=1)
    rows = np.repeat(np.arange(len(asked)), positions.shape[1])
    return np.unique(np.stack([rows, positions.ravel()], axis=1), axis=0)


def _coarse(pictures: np.ndarray) -> np.ndarray:
    """Grey values of a small picture without brightness and contrast: (n, 64) float32 at most."""
    small = pictures
    for axis in (1, 2):
        pieces = np.array_split(np.arange(small.shape[axis]), min(COARSE, small.shape[axis]))
        small = np.stack([small.take(p, axis=axis).mean(axis=axis) for p in pieces], axis=axis)
    flat = small.reshape(len(small), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    spread = flat.std(axis=1, keepdims=True)
    return (flat / (spread + 0.1 * np.median(spread) + 1e-12)).astype(np.float32)


def _spectrum(pictures: np.ndarray) -> np.ndarray:
    """Log amplitude of the windowed spectrum, alike for a picture and its mirror image: (n, f) float32."""
    height, width = pictures.shape[1:]
    window = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[None, 1:-1]
    centred = pictures - pictures.mean(axis=(1, 2), keepdims=True)
    spread = centred.std(axis=(1, 2), keepdims=True)
    centred = centred / (spread + 0.1 * np.median(spread) + 1e-12)
    rows, columns = min(height, 16), min(width // 2 + 1, 9)  # low frequencies
    kept = np.r_[0 : rows // 2 + 1, height - rows // 2 + 1 : height]
    mirrored = (-kept) % height
    parts: list[np.ndarray] = []
    for start in range(0, len(pictures), 5_000):
        amplitude = np.abs(np.fft.rfft2(centred[start : start + 5_000] * window))[:, :, :columns]
        parts.append(np.log1p(amplitude[:, kept] + amplitude[:, mirrored]).astype(np.float32))
    return np.concatenate(parts).reshape(len(pictures), -1)


def _whitening(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and axes of at most 64 principal components, scaled to equal spread."""
    mean = rows.mean(axis=0)
    variance, vectors = np.linalg.eigh(np.cov((rows - mean).T.astype(np.float64)))
    order = np.argsort(-variance)[:COMPONENTS]
    spread = np.sqrt(np.maximum(variance[order], 0) + 1e-3 * variance[order[0]] + 1e-12)
    return mean, (vectors[:, order] / spread).astype(np.float32)
