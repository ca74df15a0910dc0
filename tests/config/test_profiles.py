"""Profiles own budgets, never bounds; durations."""

import pytest

from roadworthy.config import PROFILES, parse_duration, profile_options


def test_a_more_thorough_profile_never_does_less() -> None:
    quick, standard, full = (PROFILES[name] for name in ("quick", "standard", "full"))
    for less, more in ((quick, standard), (standard, full)):
        assert less.resamples < more.resamples
        assert less.repetitions < more.repetitions
        assert less.seeds < more.seeds
    assert quick.requires("anything")


def test_a_profile_sets_only_options_that_exist() -> None:
    found = profile_options(PROFILES["full"], {"a": ["resamples", "bins"], "b": ["bins"], "c": []})
    assert found == {"a": {"resamples": 4999}}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h", 3600), ("1h30m", 5400), ("1.5 h", 5400), ("2 minutes", 120)],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "ten minutes", "-5m", "0s", "5x", "m5"])
def test_what_is_no_duration_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="10m"):
        parse_duration(text)
