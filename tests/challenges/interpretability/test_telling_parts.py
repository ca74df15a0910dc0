"""What mistakes rest on in each weak part: columns with their shares, sentences, pictures, and the engine's way to them."""

import numpy as np
import pytest
import torch
from torch import nn

from roadworthy.challenges.interpretability.telling_parts import shares_of, weak_parts_explained
from roadworthy.engine import Registry, Store, compute
from roadworthy.errors import NotApplicable
from roadworthy.results import Examples, Matrix, Table
from roadworthy.statistics import mean
from roadworthy.subject import Column, Predictor, Task, fields_of
from roadworthy.subject.subject import Split, Subject

TASK = Task("binary", ("no", "yes"), positive=1)
COLUMNS = tuple(Column(name, "numeric") for name in "abcd")
OF_PART = {
    "rows": np.array([4, 7, 9]),
    "classes": np.array([1, 0, 1]),
    # Shares .5 .3 .1 .1; .1 .8 .1 0; the last says nothing.
    "attributions": np.array([[5.0, -3, 1, -1], [-1, 8, 1, 0], [0, 0, 0, 0]]),
}
EVERYWHERE = np.array([[1.0, -1, -1, 1], [0, 0, 0, 2]])  # .125 .125 .125 .625


def told(**changes: object):
    given: dict[str, object] = {
        "test_weak_part_attributions": {"b above 3": OF_PART},
        "test_attributions": EVERYWHERE,
        "test_inputs": np.arange(40.0).reshape(10, 4),
        "task": TASK,
        "attribution_method": "kernel_shap",
        "columns": COLUMNS,
        "test_labels": np.array([0, 0, 0, 0, 0, 0, 0, 1, 0, 1]),
    }
    return weak_parts_explained(**{**given, **changes})  # type: ignore[arg-type]


def test_columns_stand_with_their_share_of_the_mistakes_and_of_all_rows() -> None:
    found = told()
    assert found.details == (
        "Where b above 3, mistakes (3 looked at) rest most on b (55 %, over all rows 12 %), a (30 %, 12 %), c (10 %, 12 %). "
        "Explained by kernel shap."
    )
    # b, a and c: .9 of the first row and all of the second.
    assert found.value == pytest.approx(mean(np.array([0.9, 1.0]), unit="x").value)


def test_each_part_has_sentences_whose_values_are_not_told_of_people() -> None:
    (table,) = told().evidence
    assert isinstance(table, Table)
    assert table.title == "What mistakes rest on where b above 3"
    assert table.rows[0] == (
        *(4, "yes", "no"),
        "a is 16 (+5); c is 18 (+1)",
        "b is 17 (-3); d is 19 (-1)",
    )
    (private,) = told(people=True).evidence
    assert private.rows[0] == (4, "yes", "no", "a (+5); c (+1)", "b (-3); d (-1)")  # type: ignore[union-attr]


def test_of_numbers_the_prediction_stands_beside_the_target() -> None:
    found = told(
        task=Task("regression", ()),
        test_labels=None,
        test_predicted=np.arange(10) / 2,
        test_targets=np.arange(10.0),
    )
    assert [row[:3] for row in found.evidence[0].rows] == [  # type: ignore[union-attr]
        (9, "4.5", "9"),
        (7, "3.5", "7"),
        (4, "2", "4"),
    ]


def test_of_images_a_picture_shows_the_mean_over_the_mistakes() -> None:
    rows = np.zeros((2, 16))
    rows[:, 5], rows[0, 0], rows[1, 1] = 2.0, -1.0, 1.0
    part = {"rows": np.arange(2), "classes": np.array([1, 0]), "attributions": rows}
    found = told(
        test_weak_part_attributions={"the cluster is 3": part},
        test_attributions=rows,
        test_inputs=np.zeros((2, 1, 4, 4)),
        columns=None,
    )
    examples, picture = found.evidence
    assert isinstance(examples, Examples)
    # The mistake first: row 0 is answered "yes".
    assert examples.examples[0].note == (
        'Answer "yes", should be "no": half of what it rests on lies in 1 of 16 pixels, row 1, column 1'
    )
    assert isinstance(picture, Matrix)
    assert picture.title == "What mistakes rest on where the cluster is 3: the mean over 2"
    assert np.ravel(picture.values)[:6].tolist() == [-0.5, 0.5, 0, 0, 0, 2.0]
    # Of three each 2 lie in one pixel.
    assert found.details.startswith(
        "Where the cluster is 3, half of what mistakes (2 looked at) rest on lies in 1 of 16 pixels, row 1, column 1."
    )


@pytest.mark.parametrize("parts", [{}, {"b": {**OF_PART, "attributions": np.zeros((3, 4))}}])
def test_without_a_weak_part_or_anything_attributed_nothing_is_told(parts) -> None:
    with pytest.raises(NotApplicable, match="weak_slices"):
        told(test_weak_part_attributions=parts)


def test_shares_are_of_each_row_and_rows_that_are_zero_are_left_out() -> None:
    assert shares_of(OF_PART["attributions"]) == pytest.approx(
        np.array([[0.5, 0.3, 0.1, 0.1], [0.1, 0.8, 0.1, 0.0]])
    )


def test_an_audit_explains_the_part_in_which_the_model_is_deaf_to_a_column() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(4000, 2)).astype(np.float32)
    a, b = inputs.T
    # Where b is large the label turns; the network, which hears a alone, is wrong there.
    labels = np.where(b > 1.0, a < 0, a > 0).astype(np.int64)
    deaf = nn.Linear(2, 2, bias=False).eval()
    deaf.weight.data = torch.tensor([[-2.0, 0.0], [2.0, 0.0]])

    def answers(given: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return deaf(torch.from_numpy(np.asarray(given, np.float32))).numpy()

    subject = Subject(
        name="deaf",
        task=TASK,
        modality="table",
        splits={
            "train": Split(inputs[:2000], labels[:2000]),
            "test": Split(inputs[2000:], labels[2000:]),
        },
        columns=COLUMNS[:2],
        predictor=Predictor(answers, "logits", identity=("deaf",), module=deaf),
    )
    name = "weak_parts_explained"
    outcome = compute(Registry.discover(), fields_of(subject), [name], store=Store())[name]
    assert outcome.state == "done", outcome.reason
    assert outcome.value.details.startswith("Where b above")
    assert "(50 looked at) rest most on a (100 %, over all rows 100 %)" in outcome.value.details
    first = outcome.value.evidence[0].rows[0][0]
    assert b[2000 + first] > 0.5
