"""A nearest-neighbour model of Adult is found to remember its rows and to lose to boosting."""

from pathlib import Path

import numpy as np
import pytest

from roadworthy.challenges.generalization import artifacts, checks, natural, simple_models
from roadworthy.engine import CheckMark, NaturalMark, Registry, compute
from roadworthy.quantities import features, identity, outputs, predictions
from roadworthy.statistics import judge
from roadworthy.subject.fields import fields_of
from roadworthy.subject.natural import Natural

REGISTRY = Registry.of(
    artifacts, simple_models, checks, natural, features, identity, outputs, predictions
)


@pytest.mark.parametrize("name", sorted(REGISTRY.natural_faults))
def test_the_check_says_of_it_what_is_published(name: str, data_dir: Path) -> None:
    marked = REGISTRY.natural_faults[name]
    assert isinstance(marked.mark, NaturalMark)
    found = marked.function(data_dir)
    assert isinstance(found, Natural)
    check = REGISTRY.checks[marked.mark.breaks].mark
    assert isinstance(check, CheckMark)
    assert check.requires is not None
    outcome = compute(REGISTRY, fields_of(found.subject), [marked.mark.breaks])[marked.mark.breaks]
    assert outcome.state == "done", outcome.traceback or outcome.reason
    assert judge(outcome.value, check.requires, check.least).verdict in found.verdict


def test_the_nearest_neighbour_errs_about_as_often_as_published(data_dir: Path) -> None:
    """adult.names: 21.42 % with 30,162 training rows; with 6,000 about the same."""
    subject = natural.nearest_neighbour_of_adult(data_dir).subject
    test = subject.splits["test"]
    assert subject.predictor is not None
    assert test.inputs is not None
    wrong = np.mean(subject.predictor(test.inputs).argmax(axis=1) != test.target)
    assert wrong == pytest.approx(0.214, abs=0.02)
