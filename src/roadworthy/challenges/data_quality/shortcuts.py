"""The label told from what has nothing to do with it: the corners of a picture, the place in the file."""

from dataclasses import replace

import numpy as np

from roadworthy.challenges.data_quality.cross_fitting import stratified_folds
from roadworthy.challenges.data_quality.one_column import (
    classes_of,
    column_model,
    quick_separation,
    separation,
)
from roadworthy.engine import artifact, check
from roadworthy.errors import NotApplicable
from roadworthy.results import AtMost, Cell, Measurement, Table
from roadworthy.statistics import largest_of

MOST_ROWS = 5_000
SIDES_PER_CORNER = 8  # a corner is an eighth of the picture's side
LARGEST_CORNER = 4  # pixels of a side after averaging
SMALLEST_SIDE = 4
UNIT = "share of the way from a guess to certainty (2 x AUROC - 1)"


@artifact(per="split", shape="n f", rows=True)
def corner_values(inputs: np.ndarray) -> np.ndarray:
    """Pixels of the four corners of pictures, averaged to at most 4 x 4 each: (n, f) float32.

    A corner is an eighth of each side; pictures are (n, h, w), (n, channels, h, w) or (n, h, w, channels).
    """
    pictures = _channels_first(inputs)
    n, _, height, width = pictures.shape
    rows = max(1, round(height / SIDES_PER_CORNER))
    columns = max(1, round(width / SIDES_PER_CORNER))
    parts = [
        _averaged(pictures[:, :, down, across])
        for down in (slice(0, rows), slice(height - rows, height))
        for across in (slice(0, columns), slice(width - columns, width))
    ]
    return np.concatenate([p.reshape(n, -1) for p in parts], axis=1, dtype=np.float32)


@artifact(per="split", shape="n f", rows=True)
def picture_statistics(inputs: np.ndarray) -> np.ndarray:
    """Brightness, contrast and darkest and brightest value of each picture: (n, 4) float32."""
    pictures = _channels_first(inputs).reshape(len(inputs), -1)
    return np.stack(
        [pictures.mean(axis=1), pictures.std(axis=1), pictures.min(axis=1), pictures.max(axis=1)],
        axis=1,
        dtype=np.float32,
    )


@check(
    challenge="data_quality",
    requires=AtMost(0.6, "house default: an AUROC of .8 from the corners alone"),
    least=50,
)
def corner_shortcut(
    train_corner_values: np.ndarray,
    test_corner_values: np.ndarray,
    train_picture_statistics: np.ndarray,
    test_picture_statistics: np.ndarray,
    rng: np.random.Generator,
    train_labels: np.ndarray | None = None,
    train_targets: np.ndarray | None = None,
    test_labels: np.ndarray | None = None,
    test_targets: np.ndarray | None = None,
) -> Measurement:
    """How well the label is told from the corners of the picture alone, where the object seldom is.

    A ruler, a hospital's tag, a watermark or a studio background predicts the label without showing what is
    to be recognised (Zech et al. 2018, PLoS Medicine 15; Lapuschkin et al. 2019, Nature Communications 10).
    100 extremely randomised trees on at most 5,000 training rows, measured on test rows: Somers' D =
    2 x AUROC - 1 with DeLong's interval. Brightness and contrast, which may belong to the object, are
    shown beside it without a bound.

    Unit: share of the way from a guess to certainty (2 x AUROC - 1). Qualified at: n = 300.
    Next: look at the corners of some rows of each class; crop or mask them and train again.
    """
    middle = None if train_targets is None else float(np.median(train_targets))
    train = classes_of(train_labels, train_targets, middle)
    test = classes_of(test_labels, test_targets, middle)
    found = separation(_tree_scores(train_corner_values, train, test_corner_values, rng), test)
    names = ("brightness", "contrast", "darkest value", "brightest value")
    rows: list[tuple[Cell, ...]] = [("corners", found.value, (1 + found.value) / 2)]
    for j, name in enumerate(names):
        model = column_model(
            train_picture_statistics[:, j], train, int(train.max()) + 1, is_category=False
        )
        d = quick_separation(model(test_picture_statistics[:, j]), test)
        rows.append((name, d, (1 + d) / 2))
    header = ("predicted from", "Somers' D", "AUROC")
    return replace(
        found,
        unit=UNIT,
        details=f"From the corners alone the label is told with an AUROC of {rows[0][2]:.3f}; from "
        f"mean brightness alone with {rows[1][2]:.3f}, which may belong to the object.",
        evidence=(Table("The label from cheap properties of the picture", header, tuple(rows)),),
    )


@check(
    challenge="data_quality",
    requires=AtMost(0.5, "house default: an AUROC of .75 from the origin alone"),
    least=100,
)
def label_from_origin(
    train_source_rows: np.ndarray,
    rng: np.random.Generator,
    train_labels: np.ndarray | None = None,
    train_targets: np.ndarray | None = None,
    train_sources: np.ndarray | None = None,
) -> Measurement:
    """How well the label is told from where a row comes from: its place in the file, its source.

    Rows sorted by label, or a hospital that sends only the sick: whatever else differs by origin then
    predicts the label. One-column models fitted on one half of the training rows, measured on the
    other: Somers' D = 2 x AUROC - 1 with DeLong's interval, the larger of the two corrected for the choice.

    Unit: share of the way from a guess to certainty (2 x AUROC - 1). Qualified at: n = 300.
    Next: shuffle the file before splitting, or balance the classes within each source.
    """
    labels = classes_of(train_labels, train_targets)
    if len(labels) < 40 or len(np.unique(labels)) < 2:
        raise NotApplicable(
            f"{len(labels)} training rows of {len(np.unique(labels))} class(es); at least 40 rows of "
            "two classes are needed"
        )
    origins: dict[str, tuple[np.ndarray, bool]] = {"place in the file": (train_source_rows, False)}
    if train_sources is not None:
        origins["source"] = (train_sources, True)
    half = stratified_folds(labels, 2, rng) == 0
    classes = int(labels.max()) + 1
    found: list[Measurement] = []
    for values, is_category in origins.values():
        numbers = values.astype(np.float64)
        model = column_model(numbers[half], labels[half], classes, is_category=is_category)
        found.append(separation(model(numbers[~half]), labels[~half]))
    table = tuple((name, m.value, m.low, m.high) for name, m in zip(origins, found, strict=True))
    header = ("predicted from", "Somers' D", "low", "high")
    worst = max(zip(origins, found, strict=True), key=lambda pair: pair[1].value)
    return largest_of(
        found,
        unit=UNIT,
        details=f"From its {worst[0]} alone a row's label is told with an AUROC of "
        f"{(1 + worst[1].value) / 2:.3f}.",
        evidence=(Table("The label from the origin of a row", header, table),),
    )


def _tree_scores(
    train: np.ndarray, labels: np.ndarray, test: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    from sklearn.ensemble import ExtraTreesClassifier

    if len(np.unique(labels)) < 2:
        raise NotApplicable("all training rows are of one class; telling classes apart needs two")
    rows = rng.permutation(len(labels))[:MOST_ROWS]
    forest = ExtraTreesClassifier(
        100, min_samples_leaf=5, random_state=int(rng.integers(2**31)), n_jobs=1
    ).fit(np.nan_to_num(train[rows]), labels[rows])
    scores = np.zeros((len(test), int(labels.max()) + 1))
    scores[:, forest.classes_] = forest.predict_proba(np.nan_to_num(test))
    return scores


def _channels_first(inputs: np.ndarray) -> np.ndarray:
    if inputs.ndim == 3:
        inputs = inputs[:, None]
    if inputs.ndim == 4 and inputs.shape[3] <= 4 < inputs.shape[1]:
        inputs = np.moveaxis(inputs, 3, 1)
    if inputs.ndim != 4 or min(inputs.shape[2:]) < SMALLEST_SIDE:
        raise NotApplicable(
            f"rows of shape {inputs.shape[1:]} are no pictures, which have two sides of at least "
            f"{SMALLEST_SIDE} pixels"
        )
    return inputs


def _averaged(part: np.ndarray) -> np.ndarray:
    """Average (n, channels, h, w) over blocks so that no side has more than 4 values."""
    for axis in (2, 3):
        pieces = np.array_split(np.arange(part.shape[axis]), min(part.shape[axis], LARGEST_CORNER))
        part = np.stack([part.take(p, axis=axis).mean(axis=axis) for p in pieces], axis=axis)
    return part
