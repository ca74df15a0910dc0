"""The curve is asked for in one call, and what doubling saves is found where it is known."""

from collections.abc import Mapping

import numpy as np
import pytest
from stand_in import NearestRow, two_moons

from roadworthy.challenges.data_quantity import artifacts, checks
from roadworthy.errors import NotApplicable
from roadworthy.results import Curve, Table
from roadworthy.statistics import judge
from roadworthy.subject import Task

BINARY = Task("binary", ("a", "b"), 1)
NUMBER = Task("regression", ())


def trainings(n: int = 640, draws: int = 3, m: int = 1000, **more: object):
    x, y = two_moons(n)
    trainer = NearestRow(x, y)
    test_x, test_y = two_moons(m, seed=1)
    found = artifacts.curve_trainings(
        trainer,
        BINARY,
        np.random.default_rng(0),
        np.arange(n),
        test_x,
        train_labels=y,
        test_labels=test_y,
        draws=draws,
        **more,  # type: ignore[arg-type]
    )
    return trainer, found


def fitted(found, resamples: int = 199):
    return artifacts.fitted_curve(found, np.random.default_rng(1), resamples=resamples)


def test_all_models_are_asked_for_at_once_and_the_first_of_all_rows_is_the_subjects_own() -> None:
    trainer, found = trainings()
    (asked,) = trainer.asked
    assert [v.rows is None for v in asked].count(True) == 3
    own = asked[5]
    assert own.rows is None
    assert own.recipe is None
    assert {v.recipe.seed for v in asked if v.recipe} == {0, 1, 2}
    assert found["sizes"].tolist() == [20, 40, 80, 160, 320, 640] * 3
    assert found["errors"].shape == (18, 1000)


def test_draws_are_nested_and_differ() -> None:
    trainer, _ = trainings()
    first, second, other = (set(trainer.asked[0][i].rows.tolist()) for i in (0, 1, 6))  # type: ignore[union-attr]
    assert first < second
    assert first != other


def test_beyond_the_largest_size_the_model_under_audit_is_the_last_point() -> None:
    x, y = two_moons(12_000)
    test_x, test_y = two_moons(300, seed=1)
    found = artifacts.curve_trainings(
        NearestRow(x, y),
        BINARY,
        np.random.default_rng(0),
        np.arange(12_000),
        test_x,
        train_labels=y,
        test_labels=test_y,
        test_predicted=1 - test_y,
        draws=1,
    )
    assert found["sizes"][-2:].tolist() == [10_000, 12_000]
    assert found["errors"][-1].mean() == 1.0


def test_the_nearest_neighbour_gains_less_than_it_did_before() -> None:
    _, found = trainings()
    curve = fitted(found)
    gain = checks.gain_from_doubling(curve, np.arange(640), BINARY)
    assert gain.low <= gain.value <= gain.high
    assert 0.0 <= gain.value < curve.means[0] - curve.means[-1]
    assert "Expected error with the 640 training rows" in gain.details


def test_the_curve_is_shown_with_its_band_and_its_numbers() -> None:
    _, found = trainings()
    note = checks.learning_curve(fitted(found), np.arange(640), BINARY)
    figure, table = note.evidence
    assert isinstance(figure, Curve)
    assert isinstance(table, Table)
    assert [s.name for s in figure.series] == ["measured", "expected"]
    assert figure.series[1].x[-1] == 1280.0
    assert len(table.rows) == 6
    assert "18 trainings on 20 to 640 rows" in note.details


def test_an_ill_behaved_curve_is_called_so() -> None:
    rng = np.random.default_rng(0)
    sizes = np.tile([20, 40, 80, 160, 320, 640], 2)
    p = np.tile([0.3, 0.2, 0.1, 0.3, 0.2, 0.1], 2)
    errors = (rng.random((12, 2000)) < p[:, None]).astype(np.float32)
    gain = checks.gain_from_doubling(
        fitted({"sizes": sizes, "errors": errors}), np.arange(640), BINARY
    )
    assert "Ill-behaved: the error grew from 80 to 160 rows" in gain.details


def test_a_steep_curve_fails_and_a_flat_one_passes() -> None:
    rng = np.random.default_rng(0)
    sizes = np.tile([32, 64, 128, 256, 512, 1024], 4)
    requires = checks.gain_from_doubling.__dict__["__roadworthy__"].requires
    verdicts = []
    for p in (0.05 + 4.0 * sizes**-0.5, np.full(24, 0.05)):  # saves 3.7 points; none
        errors = (rng.random((24, 4000)) < p[:, None]).astype(np.float32)
        curve = fitted({"sizes": sizes, "errors": errors})
        gain = checks.gain_from_doubling(curve, np.arange(1024), BINARY)
        verdicts.append(judge(gain, requires, 100).verdict)
    assert verdicts == ["fail", "pass"]


def test_numbers_are_measured_against_the_error_of_a_guess() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 2))
    y = x @ [1.0, 2.0] + 0.1 * rng.normal(size=600)
    guess = float(np.abs(y - np.median(y)).mean())
    found = artifacts.curve_trainings(
        NearestRow(x[:400], y[:400]),
        NUMBER,
        rng,
        np.arange(400),
        x[400:],
        test_targets=y[400:],
        guess_error=guess,
        draws=2,
    )
    assert found["errors"][5].mean() < 0.3 < found["errors"][0].mean() < 1.0
    gain = checks.gain_from_doubling(fitted(found), np.arange(400), NUMBER)
    assert gain.unit == "share of the error of answering the median"


def test_few_rows_one_example_of_a_class_and_no_test_rows_are_said_or_survived() -> None:
    with pytest.raises(NotApplicable, match="50 training rows"):
        trainings(n=50)
    with pytest.raises(NotApplicable, match="fewer than two test rows"):
        trainings(m=1)
    x, y = two_moons(100)
    y[:] = 0
    y[3] = 1
    found = artifacts.curve_trainings(
        NearestRow(x, y),
        BINARY,
        np.random.default_rng(0),
        np.arange(100),
        x,
        train_labels=y,
        test_labels=y,
        draws=1,
    )
    gain = checks.gain_from_doubling(fitted(found), np.arange(100), BINARY)
    assert np.isfinite([gain.low, gain.high]).all()


def test_rows_of_one_person_are_kept_for_the_interval() -> None:
    _, found = trainings(test_entities=np.arange(1000) // 4)
    assert len(found["entities"]) == 1000
    _, plain = trainings()
    assert fitted(found).errors != pytest.approx(fitted(plain).errors)


def test_a_training_that_diverges_is_left_out_and_a_size_without_any_is_refused() -> None:
    x, y = two_moons(200)
    trainer = NearestRow(x, y)
    trainer.diverging = {0}

    def asked(draws: int) -> Mapping[str, np.ndarray]:
        rng = np.random.default_rng(0)
        rows = np.arange(200)
        return artifacts.curve_trainings(
            trainer, BINARY, rng, rows, x, train_labels=y, test_labels=y, draws=draws
        )

    assert len(asked(2)["sizes"]) == len(asked(2)["errors"]) == 11
    with pytest.raises(NotApplicable, match="1 of 6 trainings on parts of the rows diverged"):
        asked(1)
