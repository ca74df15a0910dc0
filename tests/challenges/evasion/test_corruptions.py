"""What corruptions cost: measured row by row, judged over kinds, and planted in known amounts."""

import numpy as np
import pytest

from roadworthy.challenges.evasion import corruption_faults as faults
from roadworthy.challenges.evasion.corruption_checks import corruption_loss, worst_corruption_loss
from roadworthy.challenges.evasion.corruptions import (
    corruption_kinds,
    corruption_losses,
    corruption_rows,
    corruption_scale,
)
from roadworthy.engine.marks import FaultMark, mark_of
from roadworthy.errors import NotApplicable
from roadworthy.results import Matrix
from roadworthy.subject import Column, Network, Predictor, Split, Subject, Task
from roadworthy.subject.builtin import small_conv_net

BINARY = Task("binary", ("dark", "bright"), 1)
REGRESSION = Task("regression")
NUMBER = Task("regression", ())


def images(n: int = 40) -> np.ndarray:
    return np.random.default_rng(0).random((n, 1, 8, 8), dtype=np.float32)


def brightness_above_half(outputs: np.ndarray) -> np.ndarray:
    return 20 * (outputs.mean(axis=(1, 2, 3)) - 0.5)


def measured_losses(
    predictor: Predictor,
    x: np.ndarray,
    task: Task = BINARY,
    kind: str = "logits",
    rows: slice = slice(None),
    **truth: np.ndarray,
) -> np.ndarray:
    rng = np.random.default_rng(3)
    kinds = corruption_kinds("array", None, x)
    scale = corruption_scale("array", rng, kinds, None, x, None, truth.get("targets"), (0.0, 1.0))
    ids = np.arange(len(x), dtype=np.uint64)
    chosen = corruption_rows(ids)
    cut = {name: values[rows] for name, values in truth.items()}
    return corruption_losses(
        predictor, x[rows], ids[rows], chosen[rows], kinds, scale, task, kind, **cut
    )


def model(call, gives="logits") -> Predictor:  # type: ignore[no-untyped-def]
    return Predictor(call, gives, "made up")


def test_a_constant_answer_is_wrong_or_right_whatever_the_corruption() -> None:
    x = images()
    labels = np.arange(40) % 2
    losses = measured_losses(model(lambda x: np.ones(len(x))), x, labels=labels)
    assert losses.shape == (40, 1 + 24 * 3)
    np.testing.assert_array_equal(losses, np.repeat((labels == 0)[:, None], 73, axis=1))


def test_answers_are_read_from_one_column_or_two_from_logits_or_probabilities() -> None:
    x = images()
    labels = (brightness_above_half(x) > 0).astype(np.int64)
    one = measured_losses(model(brightness_above_half), x, labels=labels)

    def two_columns(x: np.ndarray) -> np.ndarray:
        return np.stack([np.zeros(len(x)), brightness_above_half(x)], axis=1)

    def probability(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-brightness_above_half(x)))

    np.testing.assert_array_equal(one, measured_losses(model(two_columns), x, labels=labels))
    of_probability = measured_losses(model(probability), x, kind="probabilities", labels=labels)
    np.testing.assert_array_equal(one, of_probability)
    assert (one[:, 0] == 0).all()
    assert one[:, 1:].any()


def test_rows_are_answered_alike_however_they_are_cut() -> None:
    x = images()
    labels = np.arange(40) % 2
    predictor = model(brightness_above_half)
    whole = measured_losses(predictor, x, labels=labels)
    parts = [measured_losses(predictor, x, rows=slice(a, a + 20), labels=labels) for a in (0, 20)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_an_answer_that_is_no_number_is_wrong_and_an_error_goes_up() -> None:
    x = images()

    def silent(x: np.ndarray) -> np.ndarray:
        return np.full((len(x), 2), np.nan)

    assert (measured_losses(model(silent), x, labels=np.zeros(40, np.int64)) == 1).all()

    def crashes(x: np.ndarray) -> np.ndarray:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        measured_losses(model(crashes), x, labels=np.zeros(40, np.int64))


def test_errors_of_numbers_are_in_spreads_of_the_target_and_end_at_three() -> None:
    x = images()
    targets = np.tile([0.0, 2.0], 20)  # standard deviation 1
    losses = measured_losses(
        model(lambda x: np.full(len(x), 1.5), "values"), x, NUMBER, "values", targets=targets
    )
    np.testing.assert_allclose(losses[:2, 0], [1.5, 0.5])
    far = measured_losses(
        model(lambda x: np.full(len(x), np.inf), "values"), x, NUMBER, "values", targets=targets
    )
    assert (far == 3).all()


def test_at_most_so_many_rows_are_corrupted_and_the_same_whoever_asks() -> None:
    ids = np.random.default_rng(1).integers(0, 1 << 62, 2_000).astype(np.uint64)
    chosen = corruption_rows(ids)
    assert chosen.sum() == 300
    order = np.random.default_rng(2).permutation(2_000)
    np.testing.assert_array_equal(corruption_rows(ids[order]), chosen[order])
    assert corruption_rows(ids, attack="adaptive").sum() == 1_000
    assert corruption_rows(ids[:7], attack="standard").all()
    assert corruption_rows(ids[:0]).shape == (0,)


def test_a_table_has_kinds_of_its_own() -> None:
    columns = (Column("a", "numeric"), Column("b", "category", ("x", "y")))
    x = np.stack([np.arange(50.0), np.arange(50) % 2], axis=1)
    kinds = corruption_kinds("table", columns, x)
    assert "unseen category" in kinds
    scale = corruption_scale("table", np.random.default_rng(0), kinds, columns, x)
    ids = np.arange(50, dtype=np.uint64)
    losses = corruption_losses(
        model(lambda x: np.nan_to_num(x[:, 0]) - 24.5),
        x, ids, corruption_rows(ids), kinds, scale, BINARY, "logits",
        labels=(x[:, 0] > 24.5).astype(np.int64),
    )  # fmt: skip
    assert losses.shape == (50, 1 + 3 * len(kinds))
    flips = losses[:, 1:].reshape(50, len(kinds), 3)[:, kinds.index("sign flip")]
    assert flips[:25].sum() == 0  # a negative number is answered as a small one
    assert 0 < flips[25:, 2].mean() < 1


def test_what_cannot_be_corrupted_says_so() -> None:
    with pytest.raises(NotApplicable, match="not of text"):
        corruption_kinds("text", None, images())
    with pytest.raises(NotApplicable, match="no validation or training rows"):
        corruption_kinds("array")
    with pytest.raises(NotApplicable, match="one value per row"):
        corruption_kinds("array", None, np.zeros((5, 1, 1, 1)))
    x = np.ones((5, 8, 8), np.float32)
    with pytest.raises(NotApplicable, match="no range is stated"):
        corruption_scale("array", np.random.default_rng(0), ("fog",), None, x)


# --- the checks, on outcomes by hand


def test_where_no_corruption_harms_none_is_blamed() -> None:
    for task, unit in ((BINARY, " %"), (REGRESSION, "standard deviations")):
        losses = np.full((100, 7), 0.5, np.float32)
        losses[:, 1:] = 0.25
        for check in (corruption_loss, worst_corruption_loss):
            said = check(losses, ("fog", "warp"), task).details
            assert "No kind makes the model worse." in said
            assert unit in said
            assert "costs most" not in said


def test_the_mean_weighs_three_severities_as_five() -> None:
    # Two kinds; the second costs every row at severity 5. Weights 1/4, 1/2, 1/4: (0 + 1/4) / 2 = 1/8.
    losses = np.zeros((100, 7), np.float32)
    losses[:, 6] = 1
    found = corruption_loss(losses, ("fog", "warp"), BINARY)
    assert found.value == pytest.approx(0.125)
    worst = worst_corruption_loss(losses, ("fog", "warp"), BINARY)
    assert worst.value == pytest.approx(0.25)
    assert worst.details == (
        "Warp costs most, 25.0 % on average over its severities. Added error of warp: 0.0 % at severity 1, 0.0 % at "
        "severity 3, 100.0 % at severity 5 (1 is slight, 5 severe)."
    )
    matrix = found.evidence[0]
    assert isinstance(matrix, Matrix)
    assert matrix.rows == ("warp", "fog")
    assert matrix.values == ((0.0, 0.0, 1.0), (0.0, 0.0, 0.0))
    # Five severities: (0 + 1/5) / 2.
    losses = np.zeros((100, 11), np.float32)
    losses[:, 10] = 1
    assert corruption_loss(losses, ("fog", "warp"), BINARY).value == pytest.approx(0.1)


def test_what_was_wrong_before_is_not_lost_again() -> None:
    losses = np.ones((60, 4), np.float32)
    assert corruption_loss(losses, ("fog",), BINARY).value == 0


def test_rows_left_out_do_not_count_and_entities_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    lost = np.repeat(rng.random(30) < 0.3, 10)
    losses = np.zeros((300, 4), np.float32)
    losses[:, 1:] = lost[:, None]
    entities = np.repeat(np.arange(30), 10)
    apart = corruption_loss(losses, ("fog",), BINARY)
    together = corruption_loss(losses, ("fog",), BINARY, entities)
    assert together.high - together.low > 2 * (apart.high - apart.low)
    more = np.concatenate([losses, np.full((50, 4), np.nan, np.float32)])
    again = corruption_loss(more, ("fog",), BINARY, np.arange(350))
    assert (again.value, again.n) == (apart.value, 300)
    with pytest.raises(NotApplicable, match="no test rows"):
        corruption_loss(losses[:0], ("fog",), BINARY)


# --- faults


def made_up() -> Subject:
    return Subject("made up", BINARY, "array", {"train": Split(images(), np.zeros(40, np.int64))})


def given(subject: Subject) -> np.ndarray:
    return subject.given["test_corruption_losses"]


def test_faults_plant_the_loss_that_their_severity_says() -> None:
    kinds = tuple("abcdefgh")
    recorded = np.ones((20_000, 1 + 8 * 3), np.float32)
    recorded[5] = np.nan
    rng = np.random.default_rng(0)
    clean = faults.answers_unmoved_by_corruptions(made_up(), rng, recorded)
    assert corruption_loss(given(clean), kinds, BINARY).value == 0
    assert np.isnan(given(clean)).sum() == 25
    for severity in (0.05, 0.1, 0.4):
        planted = faults.answers_lost_to_corruptions(clean, severity, rng, given(clean))
        found = corruption_loss(given(planted), kinds, BINARY).value
        assert found == pytest.approx(severity, abs=0.01)
        planted = faults.answers_lost_to_one_corruption(clean, severity, rng, given(clean), kinds)
        found = worst_corruption_loss(given(planted), kinds, BINARY).value
        assert found == pytest.approx(severity, abs=0.01)
    assert faults.answers_lost_to_corruptions(clean, 0.0, rng, given(clean)) is clean
    assert faults.answers_lost_to_one_corruption(clean, 0.0, rng, given(clean), kinds) is clean


def test_a_brittle_network_sees_no_light_that_is_everywhere() -> None:
    import torch

    mark = mark_of(faults.brittle_to_noise)
    assert isinstance(mark, FaultMark)
    assert not mark.truth
    network, rng = Network(small_conv_net), np.random.default_rng(0)
    assert faults.brittle_to_noise(made_up(), 0.0, rng, network).network is None
    broken = faults.brittle_to_noise(made_up(), 2.0, rng, network)
    assert broken.network is not None
    module = broken.network.build().eval()
    x = torch.from_numpy(images(3))
    with torch.no_grad():
        torch.testing.assert_close(module(x), module(x + 0.3), rtol=1e-3, atol=1e-3)
    with pytest.raises(NotApplicable, match="only images"):
        faults.brittle_to_noise(
            made_up().with_inputs("train", np.zeros((40, 5))), 2.0, rng, network
        )
