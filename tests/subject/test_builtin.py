import numpy as np
import pytest

from roadworthy.engine.missing import Missing
from roadworthy.errors import UserError
from roadworthy.subject.builtin import builtin_subject
from roadworthy.subject.fields import fields_of


def test_digits_are_divided_half_quarter_quarter_and_never_share_an_image() -> None:
    subject = builtin_subject("digits")
    sizes = {name: split.n for name, split in subject.splits.items()}
    assert sizes == {"train": 896, "validation": 450, "test": 451}
    assert sum(sizes.values()) == 1797  # load_digits
    images = {name: {x.tobytes() for x in s.inputs} for name, s in subject.splits.items()}
    assert not images["train"] & images["test"]
    assert not images["validation"] & images["test"]


def test_digits_are_between_zero_and_one_with_a_channel_and_every_class_in_every_split() -> None:
    for split in builtin_subject("digits").splits.values():
        assert split.inputs.shape[1:] == (1, 8, 8)
        assert split.inputs.dtype == np.float32
        assert (split.inputs.min(), split.inputs.max()) == (0, 1)
        shares = np.bincount(split.target, minlength=10) / split.n
        assert shares == pytest.approx(0.1, abs=0.01)


def test_digits_come_untrained_with_a_network_and_a_recipe() -> None:
    fields = fields_of(builtin_subject("digits"))
    assert fields["network"].build()(_images()).shape == (2, 10)
    assert fields["recipe"].epochs > 0
    assert "weights" not in fields
    assert "predictor" not in fields


def _images():
    import torch

    return torch.zeros(2, 1, 8, 8)


def test_diabetes_is_a_regression_over_ten_columns_with_sex_as_the_sensitive_one() -> None:
    subject = builtin_subject("diabetes")
    assert subject.task.kind == "regression"
    assert [c.name for c in subject.columns][:4] == ["age", "sex", "bmi", "bp"]
    assert subject.people
    fields = fields_of(subject)
    assert isinstance(fields["test_labels"], Missing)
    assert fields["test_targets"].dtype == np.float64
    assert fields["test_sensitive"]["sex"].names == ("1", "2")
    assert sum(split.n for split in subject.splits.values()) == 442
    assert "network" not in fields  # the default network for tables is trained


def test_a_misspelled_built_in_subject_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match='Did you mean "digits"'):
        builtin_subject("digts")
