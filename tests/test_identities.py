"""Every quantity of the package can be kept: code that has no identity would be computed anew each time."""

import os
import subprocess
import sys

import pytest

from roadworthy.engine import Registry
from roadworthy.engine.identity import Identifier

REGISTRY = Registry.discover()
IDENTIFIER = Identifier(REGISTRY.packages)
NODES = {**REGISTRY.artifacts, **REGISTRY.checks}


@pytest.mark.parametrize("name", NODES)
def test_its_code_has_an_identity(name: str) -> None:
    assert IDENTIFIER.of(NODES[name].function).unknown is None


PRINT_ALL = """
from roadworthy.engine import Registry
from roadworthy.engine.identity import Identifier
registry = Registry.discover()
identifier = Identifier(registry.packages)
for name, node in {**registry.artifacts, **registry.checks}.items():
    print(name, identifier.of(node.function).digest)
"""


def test_identities_are_the_same_in_another_process_whatever_the_order_of_its_sets() -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", PRINT_ALL],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        for seed in ("0", "1")
    ]
    assert len(said[0]) == len(NODES)
    assert [one for one, other in zip(*said, strict=True) if one != other] == []
