from pathlib import Path
from typing import Any

import pytest

from shared.testing.stack import Stack


@pytest.fixture
def surroundings(stack: Stack, topics: str, key: Path) -> dict[str, Any]:
    """Return what the settings of all services have alike."""
    return {
        "kafka": stack.bootstrap,
        "topic_prefix": topics,
        "jwks_file": key.parent / "jwks.json",
    }
