"""The frame of an operator's command: its exit code, and in a line what stands in its way."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

from shared.database.engine import DATABASE_ERRORS, is_away
from shared.errors import LowtideError


def carried_out(command: Coroutine[Any, Any, int]) -> int:
    """Return the exit code of a command: its own, or 1 where something stands in its way."""
    try:
        return asyncio.run(command)
    except LowtideError as error:
        reason = str(error)
    except DATABASE_ERRORS as error:
        if not is_away(error):
            raise
        reason = "the database cannot be reached; look at LOWTIDE_DATABASE_URL, and whether it runs"
    sys.stderr.write(f"{reason}\n")
    return 1
