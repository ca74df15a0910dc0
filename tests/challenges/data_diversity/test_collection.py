"""Whom to collect: curves over the rows of a weak part, everything else alike."""

from collections.abc import Sequence

import numpy as np
import pytest

from roadworthy.challenges.data_diversity.collection import part_curves, targeted_collection
from roadworthy.errors import NotApplicable
from roadworthy.statistics.slices import Conditions
from roadworthy.subject import Network, Recipe, Variant
from roadworthy.subject.grouping import Grouping

PER_PART = 400
PART = np.tile([0, 1], PER_PART)  # of training rows


class ShortOfRows:
    """A trainer that is wrong in part 1 on the share 2 / sqrt(rows of part 1), and in part 0 on a tenth."""

    def __init__(self) -> None:
        self.recipe = Recipe(epochs=2)
        self.network = Network(lambda: None)  # type: ignore[arg-type,return-value]
        self.sizes: list[int] = []

    def predictions(
        self, variants: Sequence[Variant], inputs: np.ndarray, *, diverged: str = "raise"
    ) -> list[np.ndarray]:
        found = []
        for variant in variants:
            rows = np.arange(len(PART)) if variant.rows is None else variant.rows
            size = int(np.sum(PART[rows] == 1))
            assert np.sum(PART[rows] == 0) == PER_PART  # the others all stay
            self.sizes.append(size)
            share = np.where(inputs[:, 0] == 1, min(2.0 / np.sqrt(size), 1.0), 0.1)
            found.append((np.arange(len(inputs)) % 1000 < 1000 * share).astype(np.int64))
        return found


def conditions(codes: np.ndarray) -> Conditions:
    return Conditions(codes[:, None], ("c",), (("c is 0", "c is 1"),))


def given(wrong: np.ndarray) -> dict[str, object]:
    test = np.repeat([0, 1], 3000)
    return {
        "train_conditions": conditions(PART),
        "validation_conditions": conditions(np.repeat([0, 1], [600, 200])),
        "test_conditions": conditions(test),
        "validation_correct": ~wrong,
        "test_inputs": test[:, None].astype(float),
        "test_labels": np.zeros(6000, np.int64),
    }


WEAK = np.concatenate([np.arange(600) % 10 == 0, np.arange(200) % 2 == 0])


def test_the_gain_of_twice_the_rows_of_the_weak_part_is_what_its_curve_says() -> None:
    trainer, rng = ShortOfRows(), np.random.default_rng(0)
    curves = part_curves(trainer, rng, draws=2, **given(WEAK))  # type: ignore[arg-type]
    assert list(curves) == ["c is 1"]
    assert sorted(set(trainer.sizes)) == [50, 100, 200, 300, 400]
    assert curves["c is 1"]["rows"].tolist() == [400, 3000, 1]
    found = targeted_collection(curves, np.random.default_rng(1), label_price=2.0, currency="EUR")
    # 2 / sqrt(400) - 2 / sqrt(800) = 0.1 - 0.0707
    assert found.low <= 0.0293 <= found.high
    assert found.value == pytest.approx(0.0293, abs=0.01)
    table = found.evidence[0]
    assert table.header[-1] == "EUR"  # type: ignore[union-attr]
    assert table.rows[0][:3] == ("c is 1", 400, 400)  # type: ignore[union-attr]
    assert table.rows[0][-1] == 800.0  # type: ignore[union-attr]


def test_without_a_weak_part_the_named_groups_are_looked_at_the_worst_first() -> None:
    wrong = np.concatenate([np.arange(600) % 10 == 0, np.arange(200) % 8 == 0])
    groups = {
        f"{split}_groups": {"sex": Grouping(codes, ("f", "m"))}
        for split, codes in {
            "train": PART,
            "validation": np.repeat([0, 1], [600, 200]),
            "test": np.repeat([0, 1], 3000),
        }.items()
    }
    rng = np.random.default_rng(0)
    curves = part_curves(ShortOfRows(), rng, draws=2, **given(wrong), **groups)  # type: ignore[arg-type]
    assert list(curves) == ["sex is m"]
    with pytest.raises(NotApplicable, match="no groups are named"):
        part_curves(ShortOfRows(), rng, **given(wrong))  # type: ignore[arg-type]
