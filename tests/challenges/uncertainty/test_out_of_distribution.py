"""Scores of novelty against other libraries and closed forms, how rows are made foreign, and what is said of them."""

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from scipy.special import logsumexp, softmax
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from roadworthy.challenges.uncertainty import foreign_rows, novelty
from roadworthy.challenges.uncertainty import out_of_distribution as ood
from roadworthy.challenges.uncertainty import out_of_distribution_faults as faults
from roadworthy.errors import NotApplicable
from roadworthy.perturbation.noise import RowNoise
from roadworthy.results import Matrix, Table
from roadworthy.subject import Column, Predictor, Split, Subject, Task

RNG = np.random.default_rng
COLUMNS = (Column("a", "numeric"), Column("b", "numeric"), Column("c", "category", ("x", "y", "z")))


def network():  # type: ignore[no-untyped-def]
    import torch
    from torch import nn

    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 3)).eval()


def of_network() -> Predictor:
    import torch

    module = network()

    def call(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return module(torch.from_numpy(np.asarray(x, np.float32))).numpy()

    return Predictor(call, "logits", "made up", module)


def images(n: int, seed: int = 0) -> np.ndarray:
    return RNG(seed).random((n, 1, 8, 8), dtype=np.float32)


def ids(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.uint64) * np.uint64(7)


def table(n: int, seed: int = 0) -> np.ndarray:
    rng = RNG(seed)
    found = np.stack([rng.normal(5, 2, n), rng.normal(0, 1, n), rng.integers(0, 3, n)], axis=1)
    found[:, 1] += found[:, 0]
    found[::9, 0] = np.nan
    return found.astype(np.float64)


# --- scores


def test_nearest_distance_is_that_of_scikit_learn() -> None:
    rows, neighbours = RNG(0).normal(size=(50, 6)), RNG(1).normal(size=(300, 6))
    by_sklearn = NearestNeighbors(n_neighbors=10).fit(neighbours).kneighbors(rows)[0][:, -1]
    found = novelty.nearest_distance(rows, neighbours.astype(np.float32))
    np.testing.assert_allclose(found, by_sklearn, rtol=1e-4)
    few = novelty.nearest_distance(rows, neighbours[:3].astype(np.float32))  # the third of three
    by_sklearn = NearestNeighbors(n_neighbors=3).fit(neighbours[:3]).kneighbors(rows)[0][:, -1]
    np.testing.assert_allclose(few, by_sklearn, rtol=1e-4)


def test_class_distance_is_that_of_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(novelty, "SHRINKAGE", 0.0)
    rng = RNG(0)
    rows, labels = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 3)), rng.integers(0, 2, 400)
    rows[labels == 1] += 2
    space = novelty.fitted_space(rows, labels)
    means = [rows[labels == c].mean(axis=0) for c in (0, 1)]
    within = np.linalg.inv(np.cov(rows - np.array(means)[labels], rowvar=False))
    of_all = np.linalg.inv(np.cov(rows, rowvar=False))
    asked = rng.normal(size=(5, 3))
    by_scipy = [
        min(mahalanobis(x, m, within) ** 2 for m in means)
        - mahalanobis(x, rows.mean(axis=0), of_all) ** 2
        for x in asked
    ]
    np.testing.assert_allclose(novelty.class_distance(asked, space), by_scipy, rtol=1e-6)
    alone = novelty.fitted_space(rows, None)
    by_scipy = [mahalanobis(x, rows.mean(axis=0), of_all) ** 2 for x in asked]
    np.testing.assert_allclose(novelty.class_distance(asked, alone), by_scipy, rtol=1e-6)


def test_energy_and_doubt_are_those_of_scipy() -> None:
    logits = 50 * RNG(0).normal(size=(20, 4))
    np.testing.assert_allclose(novelty.energy(logits), -logsumexp(logits, axis=1))
    np.testing.assert_allclose(
        novelty.doubt(logits), 1 - softmax(logits, axis=1).max(axis=1), atol=1e-12
    )


def test_the_area_is_that_of_scikit_learn() -> None:
    own, foreign = np.round(RNG(0).normal(size=90), 1), np.round(RNG(1).normal(1, 1, 70), 1)
    by_sklearn = roc_auc_score(np.repeat([0, 1], [90, 70]), np.concatenate([own, foreign]))
    assert ood._area(own, foreign) == pytest.approx(by_sklearn)


def fitted(predictor: Predictor, x: np.ndarray, **more):  # type: ignore[no-untyped-def]
    modality = "table" if "columns" in more else "array"
    labels = more.pop("labels", np.arange(len(x)) % 3)
    kind = more.pop("kind", "logits")
    return ood.novelty_reference(predictor, x, kind, modality, RNG(5), labels, **more)


def test_a_network_has_scores_by_embeddings_and_the_names_of_their_columns() -> None:
    predictor, x = of_network(), images(200)
    reference = fitted(predictor, x, input_range=(0.0, 1.0))
    names = ood.score_names(reference, "logits")
    assert names == (
        "class distance, embeddings",
        "confidence",
        "energy",
        "nearest rows, embeddings",
    )
    asked = images(30, seed=1)
    found = ood.novelty_scores(predictor, asked, reference, "logits")
    np.testing.assert_allclose(found[:, 2], -logsumexp(predictor(asked), axis=1), rtol=1e-5)
    import torch

    with torch.no_grad():
        inner = [predictor.module[:3](torch.from_numpy(v)).numpy() for v in (x, asked)]  # type: ignore[index]
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in inner]
    by_sklearn = NearestNeighbors(n_neighbors=10).fit(unit[0]).kneighbors(unit[1])[0][:, -1]
    np.testing.assert_allclose(found[:, 3], by_sklearn, atol=1e-4)
    parts = [ood.novelty_scores(predictor, asked[i::2], reference, "logits") for i in (0, 1)]
    np.testing.assert_allclose(parts[0], found[::2], atol=1e-6)
    np.testing.assert_allclose(parts[1], found[1::2], atol=1e-6)


def test_a_black_box_over_a_table_is_told_by_its_inputs() -> None:
    predictor = Predictor(lambda x: np.nan_to_num(x[:, 1]), "logits", "made up")
    x = table(300)
    reference = fitted(predictor, x, columns=COLUMNS, kind="probabilities")
    names = ood.score_names(reference, "probabilities")
    assert names == (
        "Mahalanobis distance, inputs",
        "confidence",
        "isolation forest",
        "nearest rows, inputs",
    )
    one_probability = Predictor(
        lambda x: 1 / (1 + np.exp(-np.nan_to_num(x[:, 1]))), "probabilities", 0
    )
    found = ood.novelty_scores(one_probability, table(20, 3), reference, "probabilities")
    assert found.shape == (20, 4)
    space = reference["spaces"]["inputs"]["neighbours"]
    forest = IsolationForest(n_estimators=100, random_state=reference["seed"]).fit(space)
    rows = novelty._standardised(table(20, 3), reference).astype(np.float32)
    np.testing.assert_allclose(found[:, 2], -forest.score_samples(rows))
    far = table(20, 3)
    far[:, 1] += 100
    further = ood.novelty_scores(one_probability, far, reference, "probabilities")
    assert (further[:, 3] > found[:, 3]).all()


def test_a_number_for_a_target_has_no_confidence() -> None:
    predictor = Predictor(lambda x: np.nan_to_num(x[:, 1]), "values", "made up")
    reference = fitted(predictor, table(100), columns=COLUMNS, kind="values", labels=None)
    names = ood.score_names(reference, "values")
    assert names == ("Mahalanobis distance, inputs", "isolation forest", "nearest rows, inputs")
    scores = ood.novelty_scores(predictor, table(10, 1), reference, "values")
    assert scores.shape == (10, 3)
    assert ood.novelty_scores(predictor, table(10, 1)[:0], reference, "values").shape == (0, 3)


@pytest.mark.parametrize("shape", [(60, 1, 1, 1), (60, 4, 5, 7), (60, 6, 6), (60, 30)])
@pytest.mark.parametrize("constant", [False, True])
def test_any_shape_of_array_and_constant_images_give_finite_scores(
    shape: tuple[int, ...], constant: bool
) -> None:
    x = np.full(shape, 0.5, np.float32) if constant else RNG(0).random(shape, dtype=np.float32)
    predictor = Predictor(lambda x: x.reshape(len(x), -1).sum(axis=1), "logits", "made up")
    reference = fitted(predictor, x, input_range=(0.0, 1.0))
    own = ood.novelty_scores(predictor, x, reference, "logits")
    foreign = ood.foreign_novelty_scores(predictor, x, ids(60), reference, "logits")
    assert foreign.shape == (60, 6, own.shape[1])
    assert np.isfinite(own).all()
    assert np.isfinite(foreign).all()


# --- foreign rows


@pytest.mark.parametrize("way", foreign_rows.ways(is_table=False))
def test_an_array_is_made_foreign_within_its_range_row_by_row(way: str) -> None:
    x = images(20)
    reference = fitted(of_network(), images(100, 1), input_range=(0.0, 1.0))
    noise = RowNoise(ids(20), 3)
    made = foreign_rows.foreign(x, way, noise, reference)
    assert (made.shape, made.dtype) == (x.shape, x.dtype)
    assert 0 <= made.min() <= made.max() <= 1
    assert (made != x).any(axis=(1, 2, 3)).all()
    rows = np.array([7, 2])
    again = foreign_rows.foreign(x[rows], way, noise.take(rows), reference)
    np.testing.assert_array_equal(again, made[rows])


@pytest.mark.parametrize("way", foreign_rows.ways(is_table=True))
def test_a_table_is_made_foreign_with_codes_that_exist(way: str) -> None:
    x = table(40)
    reference = fitted(Predictor(lambda x: x[:, 2], "logits", 0), table(100, 1), columns=COLUMNS)
    noise = RowNoise(ids(40), 3)
    made = foreign_rows.foreign(x, way, noise, reference)
    assert set(made[:, 2]) <= {0.0, 1.0, 2.0}
    rows = np.array([7, 2])
    again = foreign_rows.foreign(x[rows], way, noise.take(rows), reference)
    np.testing.assert_array_equal(again, made[rows])


def test_what_cannot_be_made_foreign_says_so() -> None:
    with pytest.raises(NotApplicable, match="not of text"):
        ood.novelty_reference(of_network(), images(9), "logits", "text", RNG(0))
    with pytest.raises(NotApplicable, match="1 training row"):
        ood.novelty_reference(of_network(), images(1), "logits", "array", RNG(0))
    with pytest.raises(NotApplicable, match="at least 20"):
        ood.novelty_choice(np.zeros((19, 2)), np.zeros((19, 6, 2)), {})


# --- choice and checks


def test_the_score_is_chosen_by_other_ways_than_are_reported() -> None:
    own = np.tile(np.arange(100.0)[:, None], 2)
    foreign = np.zeros((100, 6, 2))
    foreign[:, :3, 0], foreign[:, 3:, 1] = 1_000.0, 1_000.0  # each score knows one half of the ways
    choice = ood.novelty_choice(own, foreign, {})
    assert choice["score"] == 0
    np.testing.assert_allclose(choice["areas"], [1.0, 0.005])
    np.testing.assert_allclose(
        choice["thresholds"], 95.0
    )  # the 96th smallest of 0 to 99: ceil(.95 x 101) = 96
    found = ood.unseen_inputs_missed(foreign, own, choice, ("a", "confidence"))
    assert found.value == 1.0
    trusted = ood.unseen_inputs_trusted(foreign, own, choice, ("a", "confidence"))
    assert trusted.value == 0.0
    matrix, areas = found.evidence
    assert isinstance(matrix, Matrix)
    assert matrix.values == ((0.0,) * 3 + (1.0,) * 3, (1.0,) * 3 + (0.0,) * 3)
    assert isinstance(areas, Table)
    assert len(areas.rows) == 12
    with pytest.raises(NotApplicable, match="no answer has a probability"):
        ood.unseen_inputs_trusted(foreign, own, choice, ("a", "b"))
    with pytest.raises(NotApplicable, match="no test rows"):
        ood.unseen_inputs_missed(foreign[:0], own[:0], choice, ("a", "b"))
    alarms = ood.novelty_false_alarms(own, choice, ("a", "b"))
    assert alarms.value == pytest.approx(0.04 - 0.05)  # 96, 97, 98, 99
    with pytest.raises(NotApplicable, match="no test rows"):
        ood.novelty_false_alarms(own[:0], choice, ("a", "b"))


def test_faults_plant_the_share_that_their_severity_says() -> None:
    n, rng = 20_000, RNG(0)
    choice = {"score": 0, "thresholds": np.array([3.0, -1.0])}
    names = ("a", "confidence")
    subject = Subject(
        "made up", Task("binary", ("a", "b"), 1), "array", {"test": Split(None, np.zeros(n))}
    )
    own = rng.normal(size=(n, 2))
    for control, fault, checked in (
        (
            faults.foreign_rows_all_found,
            faults.foreign_rows_taken_for_own,
            ood.unseen_inputs_missed,
        ),
        (
            faults.foreign_rows_all_doubted,
            faults.foreign_rows_answered_surely,
            ood.unseen_inputs_trusted,
        ),
    ):
        clean = control(subject, rng, np.zeros((n, 6, 2)), own, choice)
        scores = clean.given["test_foreign_novelty_scores"]
        assert checked(scores, own, choice, names).value == 0
        assert fault(clean, 0.0, rng, scores, choice) is clean
        for severity in (0.25, 0.5, 1.0):
            planted = fault(clean, severity, rng, scores, choice).given[
                "test_foreign_novelty_scores"
            ]
            found = checked(planted, own, choice, names).value
            assert found == pytest.approx(severity, abs=0.01)
    clean = faults.as_many_held_back_as_promised(subject, rng, own, choice)
    scores = clean.given["test_novelty_scores"]
    assert ood.novelty_false_alarms(scores, choice, names).value == pytest.approx(0, abs=0.005)
    planted = faults.own_rows_taken_for_foreign(clean, 0.1, rng, scores, choice)
    found = ood.novelty_false_alarms(planted.given["test_novelty_scores"], choice, names)
    assert found.value == pytest.approx(0.1, abs=0.01)
    assert faults.own_rows_taken_for_foreign(clean, 0.0, rng, scores, choice) is clean
