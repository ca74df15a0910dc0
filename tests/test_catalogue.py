"""What the program says of itself: every option that can be set is shown where it is looked for."""

from typing import Literal

import numpy as np
import pytest
from rich.console import Console

from roadworthy.catalogue import description, options
from roadworthy.engine import Registry, artifact, check


@artifact()
def reach(*, far: float = 8 / 255) -> float:
    """How far to look.

    `far` is a share of the range of inputs.
    """
    return far


@artifact(per="split")
def looked_at(
    inputs: np.ndarray, reach: float, *, way: Literal["up", "down"] = "up", resamples: int = 99
) -> np.ndarray:
    """Rows that are looked at."""
    return inputs


@check(challenge="looking")
def seen(test_looked_at: np.ndarray, *, twice: bool = False) -> float:
    """Share of rows that were seen."""
    return 0.0


@pytest.fixture
def registry() -> Registry:
    return Registry.of(reach, looked_at, seen)


def shown(name: str, registry: Registry) -> str:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(description(name, registry))
    return captured.get()


def test_a_check_has_its_own_options_and_those_of_all_it_is_made_from(registry: Registry) -> None:
    found = {option.name: option.value for option in options(registry.checks["seen"], registry)}
    assert found == {
        "seen.twice": "false",
        "looked_at.way": "up (or down)",
        "looked_at.resamples": "199 (quick), 999 (standard), 4999 (full)",
        "reach.far": "0.03137",
    }
    assert next(iter(found)) == "seen.twice", "its own come first"


def test_an_option_is_shown_with_its_default_and_unit(registry: Registry) -> None:
    for name in ("seen", "reach"):
        text = shown(name, registry)
        assert "--set NAME.OPTION=VALUE" in text
        assert "reach.far = 0.03137" in text
        assert "`far` is a share of the range of inputs." in text


def test_what_has_no_options_says_nothing_of_them() -> None:
    @artifact()
    def plain(test_inputs: np.ndarray) -> int:
        """How many rows."""
        return len(test_inputs)

    assert "--set" not in shown("plain", Registry.of(plain))


def test_every_option_of_the_attacks_says_in_which_unit_it_is() -> None:
    said = {
        option.name: option.about
        for name in ("adversarial_error", "adversarial_l2_error", "few_pixels_error", "patch_error")
        for option in options(Registry.discover().checks[name], Registry.discover())
    }
    assert "of the range" in said["attack_threat.eps"]
    assert "of the range" in said["l2_attack_threat.eps"]
    assert "positions" in said["pixel_threat.pixels"]
    assert "square" in said["patch_threat.side"]
