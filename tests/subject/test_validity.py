import numpy as np
import pytest

from roadworthy.errors import UserError
from roadworthy.subject import (
    Attribute,
    Column,
    Recipe,
    Roles,
    Split,
    Subject,
    Task,
    builtin_subject,
)
from roadworthy.subject.validity import require_valid

TASK = Task("binary", ("a", "b"), 1)
X = np.zeros((4, 2))
Y = np.array([0, 1, 0, 1])


def subject(split=None, task=TASK, **options):
    return Subject("s", task, "array", {"test": split or Split(X, Y)}, **options)


@pytest.mark.parametrize("name", ["digits", "diabetes"])
def test_built_in_subjects_hold_together(name) -> None:
    assert require_valid(builtin_subject(name)).name == name


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (subject(Split(X[:3], Y)), "inputs of test has 3 rows, and the split has 4"),
        (subject(Split(X, Y + 1)), "holds 2 (rows 2, 4), and codes run from 0 to 1 for 2 classes"),
        (subject(Split(X, Y / 2)), "is float64; whole numbers were expected"),
        (subject(Split(X, Y[:, None])), "has shape (4, 1)"),
        (subject(Split(X, np.array([np.nan, 1, 2, 3])), Task("regression")), "not finite in row 1"),
        (subject(task=Task("binary", ("a",))), "needs two classes"),
        (subject(task=Task("binary", ("a", "b"), 2)), "Task.positive is 2"),
        (subject(columns=(Column("a", "numeric"),)), "and 1 columns are named"),
        (subject(roles=Roles(entity="who")), '"who" has a role, and test lacks its Attribute'),
        (subject(Split(X, Y, {"g": Attribute(Y[:2])})), "attribute g of test has 2 rows"),
        (Subject("s", TASK, "array", {}), "no splits"),
    ],
)
def test_what_contradicts_itself_is_named(given, said) -> None:
    with pytest.raises(UserError) as caught:
        require_valid(given)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"schedule": "linear"},
            'Recipe.schedule is \'linear\'; "constant" or "cosine" was expected',
        ),
        ({"optimizer": "adam"}, 'Did you mean "adamw"?'),
        ({"learning_rate": -1.0}, "Recipe.learning_rate is -1.0; a finite number of at least 0"),
        ({"learning_rate": float("nan")}, "Recipe.learning_rate is nan"),
        ({"batch_size": 0}, "Recipe.batch_size is 0; a whole number of at least 1 was expected"),
        ({"epochs": 2.5}, "Recipe.epochs is 2.5"),
        ({"patience": 0}, "a whole number of at least 1 or None was expected"),
        ({"clip_norm": -1.0}, "Recipe.clip_norm is -1.0; a finite number above 0 or None"),
        ({"label_smoothing": 1.5}, "Recipe.label_smoothing is 1.5; a share from 0 to 1"),
        ({"momentum": 2.0}, "Recipe.momentum is 2.0; a share of at least 0 and below 1"),
        ({"dropout": 1.0}, "Recipe.dropout is 1.0; a share of at least 0 and below 1 or None"),
    ],
)
def test_a_recipe_that_would_be_followed_in_silence_is_refused(given, said) -> None:
    with pytest.raises(UserError) as caught:
        require_valid(subject(recipe=Recipe(**given)))
    assert said in str(caught.value)


def test_numbers_of_numpy_are_numbers_in_a_recipe() -> None:
    recipe = Recipe(epochs=np.int64(3), learning_rate=np.float32(0.01), clip_norm=None)
    assert require_valid(subject(recipe=recipe)).recipe is recipe
