"""The frame of an operator's command: its database, its exit code, what stands in its way."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from shared.database.engine import DATABASE_ERRORS, Engine, create_engine, is_away
from shared.errors import LowtideError


def carried_out(command: Coroutine[Any, Any, int]) -> int:
    """Return the exit code of a command: its own, or 1 where something stands in its way."""
    try:
        return asyncio.run(command)
    except BrokenPipeError:
        # Whoever read the output has enough of it. What is left of it is written to nobody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except LowtideError as error:
        reason = str(error)
    except DATABASE_ERRORS as error:
        if not is_away(error):
            raise
        reason = "the database cannot be reached; look at LOWTIDE_DATABASE_URL, and whether it runs"
    sys.stderr.write(f"{reason}\n")
    return 1


@asynccontextmanager
async def engine_of(url: SecretStr, application: str) -> AsyncIterator[Engine]:
    """Yield an engine for as long as a command takes; `application` is what the database shows."""
    engine = create_engine(url.get_secret_value(), application=application)
    try:
        yield engine
    finally:
        await engine.dispose()
