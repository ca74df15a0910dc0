"""Published decisions are judged as published."""

from pathlib import Path

import pytest

from roadworthy.challenges.fairness import natural
from roadworthy.engine.marks import CheckMark
from roadworthy.statistics import judged

from .conftest import REGISTRY, outcome_of


@pytest.mark.parametrize("name", ["compas_mistakes_by_race", "compas_deciles_by_race"])
def test_the_check_says_of_it_what_is_published(name: str, data_dir: Path) -> None:
    found = getattr(natural, name)(data_dir)
    mark = REGISTRY.natural_faults[name].mark
    check = REGISTRY.checks[mark.breaks].mark  # type: ignore[union-attr]
    assert isinstance(check, CheckMark)
    assert check.requires is not None
    measured = outcome_of(found.subject, mark.breaks).value  # type: ignore[union-attr]
    assert judged(measured, check.requires, check.least).verdict in found.verdict
