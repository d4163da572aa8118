"""Which history of the database a connection writes.

A server that is promoted, or restored to a point in time, begins another timeline; one that is
set up anew and filled from a dump is another system. What was committed before may be missing
there, so nothing that was remembered of it holds.
"""

from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


class History(NamedTuple):
    """A server's system identifier and timeline."""

    system: int
    timeline: int


# The name of the file that is written now begins with the timeline; the control file has it only
# from the next checkpoint on.
_HISTORY = text("""
SELECT (pg_control_system()).system_identifier,
       ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int AS timeline
""")


async def history(connection: AsyncConnection) -> History:
    """Return the history that a connection to a primary writes."""
    row = (await connection.execute(_HISTORY)).one()
    return History(row.system_identifier, row.timeline)
