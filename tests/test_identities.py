"""Every quantity of the package can be kept: code that has no identity would be computed anew each time."""

import pytest

from roadworthy.engine import Registry
from roadworthy.engine.identity import Identifier

REGISTRY = Registry.discover()
IDENTIFIER = Identifier(REGISTRY.packages)
NODES = {**REGISTRY.artifacts, **REGISTRY.checks}


@pytest.mark.parametrize("name", NODES)
def test_its_code_has_an_identity(name: str) -> None:
    assert IDENTIFIER.of(NODES[name].function).unknown is None
