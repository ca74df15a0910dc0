"""fairlearn's reduction around the subject's own network."""

from dataclasses import replace

import numpy as np
import pytest
from unequal_people import asked_of, gap, subject

from roadworthy.challenges.fairness.mitigations import reductions
from roadworthy.engine.identity import key_of
from roadworthy.errors import NotApplicable
from roadworthy.subject import Subject, Task, Variant, fields_of
from roadworthy.subject.saved import read_subject, save_subject


@pytest.fixture(scope="module")
def trained() -> Subject:
    given = subject()
    return replace(given, weights=asked_of(given, ["weights"])["weights"])


def test_a_mixture_narrows_the_gap_and_that_of_shuffled_groups_does_not(trained, tmp_path) -> None:  # type: ignore[no-untyped-def]  # fixtures
    pytest.importorskip("fairlearn")
    names = ["network", "weights", "output_kind", "reduced_mixture"]
    asked = asked_of(trained, names)
    shares = asked["reduced_mixture"]["shares"]
    assert shares.sum() == pytest.approx(1.0)
    assert len(shares) == len(asked["reduced_mixture"]["weights"]) > 1
    assert reductions.exponentiated_gradient(trained, 0.0, **asked) is trained
    made = reductions.exponentiated_gradient(trained, 1.0, **asked)
    names[-1] = "reduced_mixture_by_shuffled_groups"
    luck = reductions.mixture_by_shuffled_groups(trained, 1.0, **asked_of(trained, names))
    before, after, by_luck = (gap(each) for each in (trained, made, luck))
    assert after < 0.6 * before
    assert by_luck > 0.75 * before
    save_subject(made, tmp_path / "mixed", {})
    assert key_of(fields_of(read_subject(tmp_path / "mixed"))) == key_of(fields_of(made))


def test_the_mixture_is_the_mean_of_probabilities_by_share(trained: Subject) -> None:
    other = {name: value + 0.1 for name, value in trained.weights.items()}  # type: ignore[union-attr]
    mixture = {"weights": [trained.weights, other], "shares": np.array([0.25, 0.75])}
    asked = asked_of(trained, ["network", "weights", "output_kind"])
    made = reductions.exponentiated_gradient(trained, 0.8, reduced_mixture=mixture, **asked)
    both = [trained, replace(trained, weights=other)]
    one, two = (asked_of(s, ["test_probabilities"])["test_probabilities"] for s in both)
    found = asked_of(made, ["test_probabilities"])["test_probabilities"]
    # .2 of the model itself and .8 of the mixture: .2 + .8 x .25 = .4 of the one, .6 of the other
    assert found == pytest.approx(0.4 * one + 0.6 * two, abs=1e-5)


def test_rows_that_are_weighed_already_count_as_much_more_in_each_training(
    trained: Subject,
) -> None:
    pytest.importorskip("fairlearn")
    n = trained.splits["train"].n
    present = np.where(np.arange(n) % 2 == 0, 5.0, 1.0)
    asked_for = ["trainer", "train_inputs", "train_labels", "train_groups", "task"]
    asked = asked_of(trained, asked_for)
    kept: list[np.ndarray] = []

    class Watched:
        """The trainer, whose trainings are looked at."""

        recipe = asked["trainer"].recipe
        network = asked["trainer"].network
        predictions = asked["trainer"].predictions

        def weights(self, variants: list[Variant]) -> object:
            kept.extend(v.row_weights for v in variants if v.row_weights is not None)
            return asked["trainer"].weights(variants)

    watched = {**asked, "trainer": Watched()}
    reductions.reduced_mixture(**watched, train_row_weights=present)
    # The game begins with all rows alike.
    assert kept[0] == pytest.approx(present / present.mean())
    kept.clear()
    reductions.reduced_mixture(**watched)
    assert kept[0] == pytest.approx(np.ones(n))


def test_three_classes_are_refused(trained: Subject) -> None:
    groups = asked_of(trained, ["train_groups"])["train_groups"]
    task = Task("multiclass", ("a", "b", "c"))
    labels = trained.splits["train"].target
    with pytest.raises(NotApplicable, match="for two"):
        reductions.reduced_mixture(None, None, labels, groups, task)  # type: ignore[arg-type]  # not reached
